//! Programs: kernels whose loops are compiled and whose buffers are bound. Stages run one after another.

use super::bindings::{Bindings, Local};
use super::clock::Clock;
use super::control::{run_cond, run_scan, run_while};
use super::jit::{Compiler, Native, Outer};
use super::lanes::element_bytes;
use super::memory::{Memory, Table};
use super::pool::Pool;
use super::scratch::Scratch;
use super::tasks::{Tasks, Worker, run_piece};
use crate::backend::Precision;
use crate::base::Diagnostic;
use crate::kernel::slots::Slotted;
use crate::kernel::{Along, BufferId, Kernels, Loop, Place, Split, Step, Strand};
use std::cell::UnsafeCell;
use std::ops::Range;
use std::time::Instant;

/// What all programs of a plan share while they run.
pub struct Machine {
    pub natives: Vec<Native>,
    pub pool: Pool,
    pub workers: Workers,
    pub precision: Precision,
    /// Of an element
    pub bytes: usize,
}

/// The memory of each thread of the pool.
pub struct Workers(Vec<UnsafeCell<Worker>>);

// SAFETY: each thread of the pool asks only for the worker of its own number, for one task at a time.
unsafe impl Sync for Workers {}

impl Workers {
    /// For any stage of a program and of those inside of it.
    pub fn new(threads: usize, program: &Program, bytes: usize) -> Workers {
        let kernels = &program.kernels;
        let worker = |_| Worker {
            bindings: Local::new(program.room()),
            memory: Memory::new(scratch(kernels) * bytes),
            scratch: Scratch::new(kernels),
        };
        Workers(((0..threads).map(worker).map(UnsafeCell::new)).collect())
    }

    /// The memory of a thread.
    ///
    /// # Safety
    /// Only the thread with that number may ask, and must have given back what it got before.
    #[expect(clippy::mut_from_ref, reason = "each thread has its own cell")]
    unsafe fn of(&self, thread: usize) -> &mut Worker {
        // SAFETY: by the contract of this function.
        unsafe { &mut *self.0[thread].get() }
    }
}

/// Elements that the blocks of the most demanding program need.
fn scratch(kernels: &Kernels) -> usize {
    kernels.steps.iter().flat_map(Step::bodies).map(scratch).fold(kernels.scratch, usize::max)
}

/// Kernels with the numbers of their compiled loops, the programs of their control steps, and the pointers of their buffers.
pub struct Program {
    pub kernels: Kernels,
    steps: Vec<Compiled>,
    /// Of each stage
    tasks: Vec<Tasks>,
    pub bindings: Bindings,
    inputs: Vec<Vec<BufferId>>,
    outputs: Vec<Vec<BufferId>>,
    /// Of strands with so many rows, how many of the first are computed; all where it is none
    pub limit: Option<(usize, usize)>,
    /// Takes the time of each step, if it is measured
    pub clock: Option<Clock>,
}

pub enum Compiled {
    /// A function, and the loop's table among the slots
    Loop(usize, Range<usize>),
    /// Nothing to compile; the buffers that it touches
    Call(Vec<BufferId>),
    Control(Vec<Program>),
}

impl Program {
    /// Compiles the loops of kernels and of their control steps.
    pub fn compile(kernels: &Kernels, compiler: &mut Compiler) -> Result<Program, Diagnostic> {
        let mut bindings = Bindings::new(kernels.buffers.len(), element_bytes(compiler.precision) as usize);
        let mut steps = vec![];
        for strand in kernels.stages.iter().flat_map(|stage| &stage.strands) {
            for number in strand.steps.clone() {
                steps.push(compile_step(&kernels.steps[number], outer(strand, number, &kernels.steps[number]), compiler, &mut bindings)?);
            }
        }
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
            tasks: kernels.stages.iter().map(|stage| Tasks::new(stage, kernels)).collect(),
            bindings,
            inputs: by_number(&|place| if let Place::Input(number) = place { Some(*number) } else { None }),
            outputs: by_number(&|place| if let Place::Output(number) = place { Some(*number) } else { None }),
            limit: None,
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

    /// The tables of the loops among these steps.
    pub fn loop_slots(&self, steps: Range<usize>) -> impl Iterator<Item = &Range<usize>> {
        self.steps[steps].iter().filter_map(|step| match step {
            Compiled::Loop(_, slots) => Some(slots),
            Compiled::Call(_) | Compiled::Control(_) => None,
        })
    }

    /// The buffers of the calls among these steps.
    pub fn call_buffers(&self, steps: Range<usize>) -> impl Iterator<Item = &BufferId> {
        self.steps[steps].iter().flat_map(|step| match step {
            Compiled::Call(buffers) => buffers.as_slice(),
            Compiled::Loop(..) | Compiled::Control(_) => &[],
        })
    }

    /// The programs of one control step, none of others.
    pub fn inside(&self, number: usize) -> &[Program] {
        match &self.steps[number] {
            Compiled::Control(programs) => programs,
            Compiled::Loop(..) | Compiled::Call(_) => &[],
        }
    }

    /// The programs of control steps.
    pub fn nested(&mut self) -> impl Iterator<Item = &mut Program> {
        self.steps.iter_mut().flat_map(|step| match step {
            Compiled::Control(programs) => programs.as_mut_slice(),
            Compiled::Loop(..) | Compiled::Call(_) => &mut [],
        })
    }

    /// Buffers and slots of the most demanding program.
    fn room(&self) -> (usize, usize) {
        let inside = (0..self.steps.len()).flat_map(|step| self.inside(step)).map(Program::room);
        inside.fold(self.bindings.size(), |a, b| (a.0.max(b.0), a.1.max(b.1)))
    }

    /// Runs all stages. Every buffer must be bound.
    pub fn run(&mut self, machine: &mut Machine) {
        for stage in 0..self.tasks.len() {
            match self.tasks[stage].control {
                Some(step) => self.control(step, machine),
                None => self.stage(stage, machine),
            }
        }
    }

    fn stage(&self, stage: usize, machine: &mut Machine) {
        let Machine { pool, workers, natives, precision, bytes } = machine;
        let (this, workers): (&Program, &Workers) = (self, workers);
        let shared = Shared { program: this, natives, precision: *precision, bytes: *bytes };
        let tasks = &this.tasks[stage];
        let strands = &this.kernels.stages[stage].strands;
        let task = |task: usize, thread: usize| {
            let shared: &Shared<'_> = &shared;
            // SAFETY: the pool gives each thread its own number, and runs one task at a time on it.
            let worker = unsafe { workers.of(thread) };
            tasks.of(task).iter().for_each(|piece| run_piece(piece, strands, shared, worker));
        };
        pool.run(tasks.count(), &task);
        if let Some(clock) = &self.clock {
            strands.iter().flat_map(|strand| strand.steps.clone()).for_each(|step| clock.count(step));
        }
    }

    fn control(&mut self, number: usize, machine: &mut Machine) {
        let start = self.clock.is_some().then(Instant::now);
        let table = Table { pointers: self.bindings.view().buffers, bytes: machine.bytes };
        match (&self.kernels.steps[number], &mut self.steps[number]) {
            (Step::Scan(scan), Compiled::Control(programs)) => run_scan(scan, programs, table, machine),
            (Step::While(looped), Compiled::Control(programs)) => run_while(looped, programs, table, machine),
            (Step::Cond(cond), Compiled::Control(programs)) => run_cond(cond, programs, table, machine),
            (Step::Loop(_) | Step::Contract(_) | Step::Library(_), _)
            | (Step::Scan(_) | Step::While(_) | Step::Cond(_), Compiled::Loop(..) | Compiled::Call(_)) => (),
        }
        self.spent(number, start);
        if let Some(clock) = &self.clock {
            clock.count(number);
        }
    }

    /// Notes the time spent in a step since `start`, if times are taken.
    pub fn spent(&self, step: usize, start: Option<Instant>) {
        if let (Some(clock), Some(start)) = (&self.clock, start) {
            clock.add(step, start.elapsed());
        }
    }
}

/// What the tasks of a stage read.
pub struct Shared<'a> {
    pub program: &'a Program,
    pub natives: &'a [Native],
    pub precision: Precision,
    pub bytes: usize,
}

// SAFETY: tasks only read the program, whose pointers they use as the stage's plan allows: tasks that run at the same time write
// disjoint elements and read none that another of them writes.
unsafe impl Sync for Shared<'_> {}

impl Shared<'_> {
    /// The function of a loop, and its table among the slots.
    pub fn native(&self, step: usize) -> Option<(Native, Range<usize>)> {
        match &self.program.steps[step] {
            Compiled::Loop(function, slots) => Some((self.natives[*function], slots.clone())),
            Compiled::Call(_) | Compiled::Control(_) => None,
        }
    }
}

/// The axis of a loop whose turns are the rows of its strand, and how many of them a call runs.
fn outer(strand: &Strand, number: usize, step: &Step) -> Option<Outer> {
    let (Split::Rows(split), Step::Loop(nest)) = (&strand.split, step) else { return None };
    let turns = |nest: &Loop, axis: usize| nest.axes[axis].extent / split.rows * split.block;
    match split.along[number - strand.steps.start] {
        Along::Axis(axis) => Some(Outer { axis, turns: turns(nest, axis) }),
        Along::Blocks(axis) => Some(Outer { axis, turns: 1 }),
        Along::Outermost | Along::Terms => None,
    }
}

fn compile_step(step: &Step, outer: Option<Outer>, compiler: &mut Compiler, bindings: &mut Bindings) -> Result<Compiled, Diagnostic> {
    Ok(match step {
        Step::Loop(nest) => {
            let Slotted { nest, slots } = nest.slotted();
            Compiled::Loop(compiler.function(nest, outer)?, bindings.add(&slots))
        }
        Step::Contract(_) | Step::Library(_) => {
            let mut touched = vec![];
            step.accesses(&mut |buffer, _| touched.push(buffer));
            Compiled::Call(touched)
        }
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => {
            Compiled::Control(step.bodies().map(|body| Program::compile(body, compiler)).collect::<Result<_, _>>()?)
        }
    })
}
