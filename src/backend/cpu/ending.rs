//! Loops whose rows end one by one: a row that is done changes places with the last one that goes on, so that a turn computes only
//! the first rows. At the end all return to their places.

use super::control::{copy, is_true, whole, write_int};
use super::execute::{Machine, Program};
use super::memory::Table;
use crate::backend::Precision;
use crate::kernel::{BufferId, Carry, Ending, Region, While};

/// The rows of a loop while it runs.
struct Rows<'a> {
    table: Table<'a>,
    precision: Precision,
    ending: Ending,
    /// Without the last, whether any row goes on
    carries: &'a [Carry],
    /// How many rows go on: the first ones
    active: usize,
}

/// Runs the turns of a body that is bound but for its carries.
pub fn run_rows(looped: &While, ending: Ending, body: &mut Program, table: Table<'_>, machine: &mut Machine) {
    let Some((going, carries)) = looped.carries.split_last() else { return };
    let mut rows = Rows { table, precision: machine.precision, ending, carries, active: ending.rows };
    let goes_on = is_true(table, going.initial, machine.precision);
    let first = |carry: &Carry| if goes_on { carry.spare } else { carry.result };
    carries.iter().for_each(|carry| copy(table.at(carry.initial), table.at(whole(first(carry))), carry.len * table.bytes));
    write_int(table, whole(going.result), 0, machine.precision);
    if !goes_on {
        return;
    }
    (0..ending.rows).for_each(|row| write_int(table, Region { buffer: ending.order, offset: row }, row, machine.precision));
    let mut turn = 0;
    let [mut before, mut after]: [fn(&Carry) -> BufferId; 2] = [|carry| carry.result, |carry| carry.spare];
    rows.settle(after, before);
    while rows.active > 0 {
        (before, after) = (after, before);
        write_int(table, whole(looped.turn), turn, machine.precision);
        for (number, carry) in carries.iter().enumerate() {
            body.bind_input(1 + number, table.at(whole(before(carry))));
            body.bind_output(number, table.at(whole(after(carry))));
        }
        body.limit = Some((ending.rows, rows.active));
        body.run(machine);
        rows.settle(after, before);
        turn += 1;
    }
    rows.restore();
}

impl Rows<'_> {
    fn row(&self, buffer: BufferId, len: usize, row: usize) -> *mut u8 {
        self.table.at(Region { buffer, offset: row * (len / self.ending.rows) })
    }

    /// Moves rows that are done behind those that go on, in the buffers that a turn has left; the other buffers get them, too, since no
    /// turn will write them again.
    fn settle(&mut self, left: fn(&Carry) -> BufferId, other: fn(&Carry) -> BufferId) {
        let active = left(&self.carries[self.ending.active]);
        let mut row = 0;
        while row < self.active {
            if is_true(self.table, Region { buffer: active, offset: row }, self.precision) {
                row += 1;
                continue;
            }
            self.active -= 1;
            let last = self.active;
            self.exchange(self.ending.order, 1, row, last);
            for carry in self.carries {
                let len = carry.len / self.ending.rows;
                self.exchange(left(carry), len, row, last);
                copy(self.row(left(carry), carry.len, last), self.row(other(carry), carry.len, last), len * self.table.bytes);
            }
        }
    }

    /// Exchanges rows of so many elements.
    fn exchange(&self, buffer: BufferId, len: usize, a: usize, b: usize) {
        let at = |row: usize| self.table.at(Region { buffer, offset: row * len });
        if a != b {
            // SAFETY: both are rows of one buffer, which only this loop uses, and do not overlap.
            unsafe { std::ptr::swap_nonoverlapping(at(a), at(b), len * self.table.bytes) }
        }
    }

    /// Writes the results, each row in its first place. All rows are done, so that both buffers of a carry hold them.
    fn restore(&self) {
        for row in 0..self.ending.rows {
            let place = read_int(self.table, Region { buffer: self.ending.order, offset: row }, self.precision);
            for carry in self.carries {
                let from = self.row(carry.spare, carry.len, row);
                copy(from, self.row(carry.result, carry.len, place), carry.len / self.ending.rows * self.table.bytes);
            }
        }
    }
}

fn read_int(table: Table<'_>, region: Region, precision: Precision) -> usize {
    match precision {
        // SAFETY: the region holds an integer that this loop has written.
        Precision::F32 => unsafe { table.slice::<i32>(region, 1)[0] as usize },
        // SAFETY: likewise.
        Precision::F64 => unsafe { table.slice::<i64>(region, 1)[0] as usize },
    }
}
