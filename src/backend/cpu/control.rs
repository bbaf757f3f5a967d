//! Loops and branches over programs of their own.

use super::ending::run_rows;
use super::execute::{Machine, Program};
use super::memory::Table;
use crate::backend::Precision;
use crate::kernel::{BufferId, Carry, Cond, Region, Scan, While};

pub fn whole(buffer: BufferId) -> Region {
    Region { buffer, offset: 0 }
}

pub fn write_int(table: Table<'_>, region: Region, value: usize, precision: Precision) {
    match precision {
        // SAFETY: the region holds an integer that only this loop uses.
        Precision::F32 => unsafe { table.slice_mut::<i32>(region, 1)[0] = value as i32 },
        // SAFETY: likewise.
        Precision::F64 => unsafe { table.slice_mut::<i64>(region, 1)[0] = value as i64 },
    }
}

pub fn is_true(table: Table<'_>, region: Region, precision: Precision) -> bool {
    match precision {
        // SAFETY: the region holds a Bool.
        Precision::F32 => unsafe { table.slice::<i32>(region, 1)[0] != 0 },
        // SAFETY: likewise.
        Precision::F64 => unsafe { table.slice::<i64>(region, 1)[0] != 0 },
    }
}

/// Where a carry stands before turn `turn`, and where the turn leaves it, if `last` is the parity of the turn that leaves it in the result.
fn carry_places(carry: &Carry, turn: usize, last: usize, table: Table<'_>) -> (*mut u8, *mut u8) {
    let left = |turn: usize| table.at(whole(if turn % 2 == last { carry.result } else { carry.spare }));
    let before = if turn == 0 { table.at(carry.initial) } else { left(turn - 1) };
    (before, left(turn))
}

pub fn copy(from: *mut u8, to: *mut u8, bytes: usize) {
    // SAFETY: both are carries of that size in distinct buffers.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) }
}

pub fn run_scan(scan: &Scan, programs: &mut [Program], table: Table<'_>, machine: &mut Machine) {
    let [body] = programs else { return };
    let bytes = table.bytes;
    body.bind_arena(table.at(whole(scan.arena)), bytes);
    body.bind_input(0, table.at(whole(scan.turn)));
    let first_sequence = 1 + scan.carries.len();
    for (number, &constant) in scan.constants.iter().enumerate() {
        body.bind_input(first_sequence + scan.sequences.len() + number, table.at(constant));
    }
    let last = (scan.length + 1) % 2;
    for turn in 0..scan.length {
        let place = if scan.reverse { scan.length - 1 - turn } else { turn };
        write_int(table, whole(scan.turn), turn, machine.precision);
        for (number, carry) in scan.carries.iter().enumerate() {
            let (before, after) = carry_places(carry, turn, last, table);
            body.bind_input(1 + number, before);
            body.bind_output(number, after);
        }
        for (number, &(sequence, len)) in scan.sequences.iter().enumerate() {
            body.bind_input(first_sequence + number, table.at(sequence).wrapping_add(place * len * bytes));
        }
        for (number, &(stack, len)) in scan.stacked.iter().enumerate() {
            body.bind_output(scan.carries.len() + number, table.at(whole(stack)).wrapping_add(place * len * bytes));
        }
        body.run(machine);
    }
    if scan.length == 0 {
        scan.carries.iter().for_each(|carry| copy(table.at(carry.initial), table.at(whole(carry.result)), carry.len * bytes));
    }
}

pub fn run_while(looped: &While, programs: &mut [Program], table: Table<'_>, machine: &mut Machine) {
    let [condition, body] = programs else { return };
    let arena = table.at(whole(looped.arena));
    for program in [&mut *condition, &mut *body] {
        program.bind_arena(arena, table.bytes);
        program.bind_input(0, table.at(whole(looped.turn)));
        for (number, &constant) in looped.constants.iter().enumerate() {
            program.bind_input(1 + looped.carries.len() + number, table.at(constant));
        }
    }
    if let Some(ending) = looped.ending {
        return run_rows(looped, ending, body, table, machine);
    }
    condition.bind_output(0, table.at(whole(looped.flag)));
    for turn in 0.. {
        write_int(table, whole(looped.turn), turn, machine.precision);
        for (number, carry) in looped.carries.iter().enumerate() {
            let (before, after) = carry_places(carry, turn, 0, table);
            condition.bind_input(1 + number, before);
            body.bind_input(1 + number, before);
            body.bind_output(number, after);
        }
        condition.run(machine);
        if !is_true(table, whole(looped.flag), machine.precision) {
            // An even number of turns leaves the carries in the spare buffers, none in the initial ones
            for carry in looped.carries.iter().filter(|_| turn % 2 == 0) {
                copy(carry_places(carry, turn, 0, table).0, table.at(whole(carry.result)), carry.len * table.bytes);
            }
            return;
        }
        body.run(machine);
    }
}

pub fn run_cond(cond: &Cond, programs: &mut [Program], table: Table<'_>, machine: &mut Machine) {
    let [then, otherwise] = programs else { return };
    let branch = if is_true(table, cond.condition, machine.precision) { then } else { otherwise };
    branch.bind_arena(table.at(whole(cond.arena)), table.bytes);
    for (number, &operand) in cond.operands.iter().enumerate() {
        branch.bind_input(number, table.at(operand));
    }
    for (number, &result) in cond.results.iter().enumerate() {
        branch.bind_output(number, table.at(whole(result)));
    }
    branch.run(machine);
}
