//! Running steps: pointers are bound, then one step after another.

use super::bindings::Bindings;
use super::clock::Clock;
use super::contract::{Scratches, contract};
use super::jit::{Compiler, Native};
use super::lanes::element_bytes;
use super::library;
use super::memory::Table;
use super::pool::Pool;
use crate::backend::Precision;
use crate::base::Diagnostic;
use crate::kernel::slots::Slotted;
use crate::kernel::{BufferId, Carry, Cond, Kernels, Place, Region, Scan, Step, While};
use std::ops::Range;
use std::time::Instant;

/// Work of a loop that is worth a second thread: some tens of microseconds.
const PARALLEL: usize = 1 << 20;
/// A loop is cut into at most that many parts.
const PARTS: usize = 8;

/// What all programs of a plan share while they run.
pub struct Machine {
    pub natives: Vec<Native>,
    pub pool: Pool,
    /// A scratch for each thread of the pool
    pub scratches: Scratches,
    pub precision: Precision,
    /// Of an element
    pub bytes: usize,
}

/// Kernels with the numbers of their compiled loops, the programs of their control steps, and the pointers of their buffers.
pub struct Program {
    pub kernels: Kernels,
    steps: Vec<Compiled>,
    pub bindings: Bindings,
    inputs: Vec<Vec<BufferId>>,
    outputs: Vec<Vec<BufferId>>,
    /// Takes the time of each step, if it is measured
    pub clock: Option<Clock>,
}

enum Compiled {
    /// A function, and the loop's table among the slots
    Loop(usize, Range<usize>),
    /// Nothing to compile
    Call,
    Control(Vec<Program>),
}

impl Program {
    /// Compiles the loops of kernels and of their control steps.
    pub fn compile(kernels: &Kernels, compiler: &mut Compiler) -> Result<Program, Diagnostic> {
        let mut bindings = Bindings::new(kernels.buffers.len(), element_bytes(compiler.precision) as usize);
        let mut step = |step: &Step, compiler: &mut Compiler| -> Result<Compiled, Diagnostic> {
            Ok(match step {
                Step::Loop(nest) => {
                    let Slotted { nest, slots } = nest.slotted();
                    Compiled::Loop(compiler.function(nest)?, bindings.add(&slots))
                }
                Step::Contract(_) | Step::Library(_) => Compiled::Call,
                Step::Scan(scan) => Compiled::Control(vec![Program::compile(&scan.body, compiler)?]),
                Step::While(looped) => {
                    Compiled::Control(vec![Program::compile(&looped.condition, compiler)?, Program::compile(&looped.body, compiler)?])
                }
                Step::Cond(cond) => {
                    Compiled::Control(vec![Program::compile(&cond.then, compiler)?, Program::compile(&cond.otherwise, compiler)?])
                }
            })
        };
        let steps = kernels.steps.iter().map(|s| step(s, compiler)).collect::<Result<_, _>>()?;
        let by_number = |select: &dyn Fn(&Place) -> Option<usize>| {
            let mut lists: Vec<Vec<BufferId>> = vec![];
            for (id, buffer) in kernels.buffers.iter() {
                if let Some(number) = select(&buffer.place) {
                    lists.resize(lists.len().max(number + 1), vec![]);
                    lists[number].push(id);
                }
            }
            lists
        };
        Ok(Program {
            kernels: kernels.clone(),
            steps,
            bindings,
            inputs: by_number(&|place| if let Place::Input(number) = place { Some(*number) } else { None }),
            outputs: by_number(&|place| if let Place::Output(number) = place { Some(*number) } else { None }),
            clock: None,
        })
    }

    pub fn bind_input(&mut self, number: usize, pointer: *mut u8) {
        let buffers = self.inputs.get(number).map_or(&[][..], |list| list);
        buffers.iter().for_each(|&buffer| self.bindings.bind(buffer, pointer));
    }

    pub fn bind_output(&mut self, number: usize, pointer: *mut u8) {
        let buffers = self.outputs.get(number).map_or(&[][..], |list| list);
        buffers.iter().for_each(|&buffer| self.bindings.bind(buffer, pointer));
    }

    /// Binds the buffers of the arena.
    pub fn bind_arena(&mut self, arena: *mut u8, bytes: usize) {
        for (id, buffer) in self.kernels.buffers.iter() {
            if let Place::Arena(offset) = buffer.place {
                self.bindings.bind(id, arena.wrapping_add(offset * bytes));
            }
        }
    }

    /// The programs of one control step, none of others.
    pub fn inside(&self, number: usize) -> &[Program] {
        match &self.steps[number] {
            Compiled::Control(programs) => programs,
            Compiled::Loop(..) | Compiled::Call => &[],
        }
    }

    /// The programs of control steps.
    pub fn nested(&mut self) -> impl Iterator<Item = &mut Program> {
        self.steps.iter_mut().flat_map(|step| match step {
            Compiled::Control(programs) => programs.as_mut_slice(),
            Compiled::Loop(..) | Compiled::Call => &mut [],
        })
    }

    /// Runs all steps. Every buffer must be bound.
    pub fn run(&mut self, machine: &mut Machine) {
        for number in 0..self.steps.len() {
            let start = self.clock.is_some().then(Instant::now);
            self.step(number, machine);
            if let (Some(clock), Some(start)) = (&self.clock, start) {
                clock.add(number, start.elapsed());
            }
        }
    }

    fn step(&mut self, number: usize, machine: &mut Machine) {
        let table = Table { pointers: self.bindings.buffers(), bytes: machine.bytes };
        match (&self.kernels.steps[number], &mut self.steps[number]) {
            (_, Compiled::Loop(function, slots)) => {
                let slots = Table { pointers: self.bindings.slots(slots.clone()), bytes: machine.bytes };
                run_loop(machine.natives[*function], slots, &mut machine.pool)
            }
            (Step::Contract(c), _) => contract(c, table, machine.precision, &mut machine.pool, &machine.scratches),
            (Step::Library(call), _) => library::call(call, table, machine.precision, &mut machine.pool),
            (Step::Scan(scan), Compiled::Control(programs)) => run_scan(scan, programs, table, machine),
            (Step::While(looped), Compiled::Control(programs)) => run_while(looped, programs, table, machine),
            (Step::Cond(cond), Compiled::Control(programs)) => run_cond(cond, programs, table, machine),
            (Step::Loop(_) | Step::Scan(_) | Step::While(_) | Step::Cond(_), Compiled::Call | Compiled::Control(_)) => (),
        }
    }
}

fn run_loop(native: Native, slots: Table<'_>, pool: &mut Pool) {
    let parts = if native.work < PARALLEL { 1 } else { PARTS };
    let size = native.turns.div_ceil(parts).next_multiple_of(native.multiple).max(1);
    let task = |task: usize| {
        let slots: Table<'_> = slots;
        let (begin, end) = (task * size, ((task + 1) * size).min(native.turns));
        // SAFETY: the function was compiled for loops with this table, whose buffers are bound; parts of the turns write disjoint elements.
        unsafe { (native.function)(slots.pointers.as_ptr(), begin as i64, end as i64) }
    };
    pool.run(native.turns.div_ceil(size), &task);
}

fn whole(buffer: BufferId) -> Region {
    Region { buffer, offset: 0 }
}

fn write_int(table: Table<'_>, buffer: BufferId, value: usize, precision: Precision) {
    match precision {
        // SAFETY: the buffer holds one integer that only this loop uses.
        Precision::F32 => unsafe { table.slice_mut::<i32>(whole(buffer), 1)[0] = value as i32 },
        // SAFETY: likewise.
        Precision::F64 => unsafe { table.slice_mut::<i64>(whole(buffer), 1)[0] = value as i64 },
    }
}

fn is_true(table: Table<'_>, region: Region, precision: Precision) -> bool {
    match precision {
        // SAFETY: the region holds one Bool.
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

fn copy(from: *mut u8, to: *mut u8, bytes: usize) {
    // SAFETY: both are carries of that size in distinct buffers.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) }
}

fn run_scan(scan: &Scan, programs: &mut [Program], table: Table<'_>, machine: &mut Machine) {
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
        write_int(table, scan.turn, turn, machine.precision);
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

fn run_while(looped: &While, programs: &mut [Program], table: Table<'_>, machine: &mut Machine) {
    let [condition, body] = programs else { return };
    let arena = table.at(whole(looped.arena));
    for program in [&mut *condition, &mut *body] {
        program.bind_arena(arena, table.bytes);
        program.bind_input(0, table.at(whole(looped.turn)));
        for (number, &constant) in looped.constants.iter().enumerate() {
            program.bind_input(1 + looped.carries.len() + number, table.at(constant));
        }
    }
    condition.bind_output(0, table.at(whole(looped.flag)));
    for turn in 0.. {
        write_int(table, looped.turn, turn, machine.precision);
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

fn run_cond(cond: &Cond, programs: &mut [Program], table: Table<'_>, machine: &mut Machine) {
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
