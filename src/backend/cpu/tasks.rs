//! The tasks of a stage: blocks of its strands and parts of its other steps, bundled so that none is less than its handing out.

use super::contract::{self, Scratch};
use super::execute::Shared;
use super::jit::Native;
use super::library;
use super::memory::{Memory, Table};
use crate::kernel::{Along, Kernels, Place, Rows, Split, Stage, Step, Strand};
use std::ops::Range;
use std::time::Instant;

/// Nanoseconds that a task takes at least, and a stage that is worth a second thread.
const TASK: usize = 2_000;
const STAGE: usize = 5_000;
/// A loop that no strand divides is cut into so many parts.
const PARTS: usize = 8;

/// What a thread has for itself.
pub struct Worker {
    /// Pointers of buffers, those of a block's own among them
    pub table: Vec<*mut u8>,
    /// For the buffers of one block
    pub memory: Memory,
    pub scratch: Scratch,
}

/// A part of a strand.
#[derive(Clone, Copy)]
pub struct Piece {
    strand: usize,
    /// A block of rows, a part of a step; 0 where there is only one
    number: usize,
}

pub struct Tasks {
    /// A control step, which runs alone
    pub control: Option<usize>,
    pieces: Vec<Piece>,
    /// The pieces of each task
    bundles: Vec<Range<usize>>,
}

impl Tasks {
    pub fn new(stage: &Stage, kernels: &Kernels) -> Tasks {
        let control = stage.strands.iter().find(|strand| matches!(strand.split, Split::Control)).map(|strand| strand.steps.start);
        let mut pieces: Vec<(usize, Piece)> = vec![];
        for (strand, of) in stage.strands.iter().enumerate() {
            let count = count(of, kernels);
            pieces.extend((0..count).map(|number| (of.work / count.max(1), Piece { strand, number })));
        }
        // The longest first: what comes last fills the gaps
        pieces.sort_by_key(|&(work, _)| std::cmp::Reverse(work));
        let total = pieces.iter().map(|&(work, _)| work).fold(0, usize::saturating_add);
        let least = if total < STAGE { usize::MAX } else { TASK };
        let mut bundles = vec![];
        let (mut start, mut sum) = (0, 0usize);
        for (number, &(work, _)) in pieces.iter().enumerate() {
            sum = sum.saturating_add(work);
            if sum >= least || number + 1 == pieces.len() {
                bundles.push(start..number + 1);
                (start, sum) = (number + 1, 0);
            }
        }
        Tasks { control, pieces: pieces.into_iter().map(|(_, piece)| piece).collect(), bundles }
    }

    pub fn count(&self) -> usize {
        self.bundles.len()
    }

    /// The pieces of a task.
    pub fn of(&self, task: usize) -> &[Piece] {
        &self.pieces[self.bundles[task].clone()]
    }
}

/// How many pieces a strand has.
fn count(strand: &Strand, kernels: &Kernels) -> usize {
    match (&strand.split, &kernels.steps[strand.steps.start]) {
        (Split::Rows(split), _) => split.rows.div_ceil(split.block),
        (Split::Parts, Step::Contract(c)) => contract::parts(c),
        (Split::Parts, Step::Loop(_)) => PARTS,
        (Split::Parts | Split::Serial, _) => 1,
        (Split::Control, _) => 0,
    }
}

/// Runs a piece on the thread of that worker.
pub fn run_piece(piece: &Piece, strands: &[Strand], shared: &Shared<'_>, worker: &mut Worker) {
    let strand = &strands[piece.strand];
    let pointers = &shared.program.pointers;
    match &strand.split {
        Split::Rows(split) => run_block(strand, split, piece.number, shared, worker),
        Split::Serial => {
            let table = Table { pointers, bytes: shared.bytes };
            strand.steps.clone().for_each(|step| run_whole(step, table, shared, &mut worker.scratch));
        }
        Split::Parts => {
            let table = Table { pointers, bytes: shared.bytes };
            let start = shared.program.times.is_some().then(Instant::now);
            run_part(strand.steps.start, piece.number, table, shared, &mut worker.scratch);
            if let Some(start) = start {
                shared.program.spent(strand.steps.start, start.elapsed());
            }
        }
        Split::Control => (),
    }
}

/// A block of rows through all steps.
fn run_block(strand: &Strand, split: &Rows, number: usize, shared: &Shared<'_>, worker: &mut Worker) {
    let rows = number * split.block..((number + 1) * split.block).min(split.rows);
    let Worker { table, memory, scratch } = worker;
    let program = shared.program;
    let pointers: &[*mut u8] = if split.own.is_empty() {
        &program.pointers
    } else {
        table[..program.pointers.len()].copy_from_slice(&program.pointers);
        let memory = memory.pointer();
        for &id in &split.own {
            if let Place::Block { offset, row } = program.kernels.buffers[id].place {
                // The block's first row stands at the offset
                table[id.index()] = memory.wrapping_add(offset * shared.bytes).wrapping_sub(rows.start * row * shared.bytes);
            }
        }
        table
    };
    let table = Table { pointers, bytes: shared.bytes };
    let block = Block { number, rows, of: split.rows };
    for (step, along) in strand.steps.clone().zip(&split.along) {
        let start = program.times.is_some().then(Instant::now);
        block.run(step, *along, table, shared, scratch);
        if let Some(start) = start {
            program.spent(step, start.elapsed());
        }
    }
}

struct Block {
    number: usize,
    rows: Range<usize>,
    /// The rows of all blocks
    of: usize,
}

impl Block {
    fn run(&self, step: usize, along: Along, table: Table<'_>, shared: &Shared<'_>, scratch: &mut Scratch) {
        // Turns of an axis of which so many make up all rows
        let turns = |extent: usize| self.rows.start * (extent / self.of)..self.rows.end * (extent / self.of);
        match (&shared.program.kernels.steps[step], along) {
            (Step::Loop(nest), Along::Axis(axis)) => run_loop(shared.native(step), turns(nest.axes[axis].extent), table),
            (Step::Loop(_), Along::Blocks(_)) => run_loop(shared.native(step), self.number..self.number + 1, table),
            (Step::Contract(c), _) => {
                let size = contract::row_axis(c).map_or(1, |dim| dim.size);
                contract::rows(c, table, shared.precision, turns(size), scratch);
            }
            (Step::Library(call), _) => {
                let (part, shift) = call.part(turns(call.outermost()));
                library::call(&part, shift, table, shared.precision);
            }
            (Step::Loop(_), Along::Outermost) | (Step::Scan(_) | Step::While(_) | Step::Cond(_), _) => (),
        }
    }
}

fn run_loop(native: Option<Native>, turns: Range<usize>, table: Table<'_>) {
    if let Some(native) = native.filter(|_| !turns.is_empty()) {
        // SAFETY: the function was compiled for buffers of this table's program, all bound, and for such ranges of its turns;
        // tasks that run at the same time write disjoint elements.
        unsafe { (native.function)(table.pointers.as_ptr(), turns.start as i64, turns.end as i64) }
    }
}

/// A whole step on this thread.
fn run_whole(step: usize, table: Table<'_>, shared: &Shared<'_>, scratch: &mut Scratch) {
    let start = shared.program.times.is_some().then(Instant::now);
    let parts = match &shared.program.kernels.steps[step] {
        Step::Contract(c) => contract::parts(c),
        Step::Loop(_) => PARTS,
        Step::Library(_) | Step::Scan(_) | Step::While(_) | Step::Cond(_) => 1,
    };
    (0..parts).for_each(|part| run_part(step, part, table, shared, scratch));
    if let Some(start) = start {
        shared.program.spent(step, start.elapsed());
    }
}

/// A part of a step, as many as it has by itself.
fn run_part(step: usize, part: usize, table: Table<'_>, shared: &Shared<'_>, scratch: &mut Scratch) {
    match &shared.program.kernels.steps[step] {
        Step::Loop(_) => {
            let Some(native) = shared.native(step) else { return };
            let size = native.turns.div_ceil(PARTS).next_multiple_of(native.multiple).max(1);
            run_loop(Some(native), (part * size).min(native.turns)..((part + 1) * size).min(native.turns), table);
        }
        Step::Contract(c) => contract::run_part(c, table, shared.precision, part, scratch),
        Step::Library(call) => library::call(call, 0, table, shared.precision),
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => (),
    }
}
