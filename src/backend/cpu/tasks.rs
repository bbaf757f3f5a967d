//! The tasks of a stage: blocks of its strands and parts of its other steps, bundled so that none is less than its handing out.

use super::bindings::{Local, View};
use super::contract;
use super::execute::Shared;
use super::jit::Native;
use super::library;
use super::memory::{Memory, Table};
use super::scratch::Scratch;
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
    /// Where buffers stand, those of a block's own among them
    pub bindings: Local,
    /// For the buffers of one block
    pub memory: Memory,
    pub scratch: Scratch,
}

/// A part of a strand.
#[derive(Clone, Copy)]
pub struct Piece {
    strand: usize,
    /// A section of rows, a part of a step; 0 where there is only one
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
        (Split::Rows(split), _) => split.rows.div_ceil(split.section),
        (Split::Parts, Step::Contract(c)) => contract::parts(c),
        (Split::Parts, Step::Loop(_)) => PARTS,
        (Split::Parts | Split::Serial, _) => 1,
        (Split::Control, _) => 0,
    }
}

/// Runs a piece on the thread of that worker.
pub fn run_piece(piece: &Piece, strands: &[Strand], shared: &Shared<'_>, worker: &mut Worker) {
    let strand = &strands[piece.strand];
    let view = shared.program.bindings.view();
    match &strand.split {
        Split::Rows(split) => {
            let end = ((piece.number + 1) * split.section).min(split.rows);
            let blocks = piece.number * split.section / split.block..end.div_ceil(split.block);
            blocks.for_each(|block| run_block(strand, split, block, shared, worker));
        }
        Split::Serial => {
            strand.steps.clone().for_each(|step| run_whole(step, view, shared, &mut worker.scratch));
        }
        Split::Parts => {
            let start = shared.program.clock.is_some().then(Instant::now);
            run_part(strand.steps.start, piece.number, view, shared, &mut worker.scratch);
            shared.program.spent(strand.steps.start, start);
        }
        Split::Control => (),
    }
}

/// A block of rows through all steps.
fn run_block(strand: &Strand, split: &Rows, number: usize, shared: &Shared<'_>, worker: &mut Worker) {
    let program = shared.program;
    let limit = program.limit.filter(|(rows, _)| *rows == split.rows).map_or(split.rows, |(_, limit)| limit);
    let rows = number * split.block..((number + 1) * split.block).min(limit);
    if rows.is_empty() {
        return;
    }
    let Worker { bindings, memory, scratch } = worker;
    let view = if split.own.is_empty() {
        program.bindings.view()
    } else {
        let memory = memory.pointer();
        bindings.with(
            &program.bindings,
            program.call_buffers(strand.steps.clone()),
            program.loop_slots(strand.steps.clone()),
            split.own.iter().filter_map(|&id| match program.kernels.buffers[id].place {
                // The block's first row stands at the offset
                Place::Block { offset, row } => {
                    Some((id, memory.wrapping_add(offset * shared.bytes).wrapping_sub(rows.start * row * shared.bytes)))
                }
                Place::Input(_) | Place::Output(_) | Place::Constant(_) | Place::Arena(_) => None,
            }),
        )
    };
    let block = Block { number, rows, of: split.rows };
    for (step, along) in strand.steps.clone().zip(&split.along) {
        let start = program.clock.is_some().then(Instant::now);
        block.run(step, *along, view, shared, scratch);
        program.spent(step, start);
    }
}

struct Block {
    number: usize,
    rows: Range<usize>,
    /// The rows of all blocks
    of: usize,
}

impl Block {
    fn run(&self, step: usize, along: Along, view: View<'_>, shared: &Shared<'_>, scratch: &mut Scratch) {
        let table = Table { pointers: view.buffers, bytes: shared.bytes };
        // Turns of an axis of which so many make up all rows
        let turns = |extent: usize| self.rows.start * (extent / self.of)..self.rows.end * (extent / self.of);
        match (&shared.program.kernels.steps[step], along) {
            (Step::Loop(nest), Along::Axis(axis)) => run_loop(shared.native(step), turns(nest.axes[axis].extent), view),
            (Step::Loop(_), Along::Blocks(_)) => run_loop(shared.native(step), self.number..self.number + 1, view),
            (Step::Contract(c), Along::Terms) => contract::terms(c, table, shared.precision, self.rows.clone(), &mut scratch.operands),
            (Step::Contract(c), _) => {
                let size = c.row_axis().map_or(1, |axis| axis.dim(c).size);
                contract::rows(c, table, shared.precision, turns(size), &mut scratch.operands);
            }
            (Step::Library(call), _) => {
                let (part, shift) = call.part(turns(call.outermost()));
                library::call(&part, shift, table, shared.precision, scratch);
            }
            (Step::Loop(_), Along::Outermost | Along::Terms) | (Step::Scan(_) | Step::While(_) | Step::Cond(_), _) => (),
        }
    }
}

fn run_loop(native: Option<(Native, Range<usize>)>, turns: Range<usize>, view: View<'_>) {
    if let Some((native, slots)) = native.filter(|_| !turns.is_empty()) {
        // SAFETY: the function was compiled for loops with this table, whose buffers are bound, and for such ranges of its turns;
        // tasks that run at the same time write disjoint elements.
        unsafe { (native.function)(view.slots(&slots).as_ptr(), turns.start as i64, turns.end as i64) }
    }
}

/// A whole step on this thread.
fn run_whole(step: usize, view: View<'_>, shared: &Shared<'_>, scratch: &mut Scratch) {
    let start = shared.program.clock.is_some().then(Instant::now);
    let parts = match &shared.program.kernels.steps[step] {
        Step::Contract(c) => contract::parts(c),
        Step::Loop(_) => PARTS,
        Step::Library(_) | Step::Scan(_) | Step::While(_) | Step::Cond(_) => 1,
    };
    (0..parts).for_each(|part| run_part(step, part, view, shared, scratch));
    shared.program.spent(step, start);
}

/// A part of a step, as many as it has by itself.
fn run_part(step: usize, part: usize, view: View<'_>, shared: &Shared<'_>, scratch: &mut Scratch) {
    let table = Table { pointers: view.buffers, bytes: shared.bytes };
    match &shared.program.kernels.steps[step] {
        Step::Loop(_) => {
            let Some((native, slots)) = shared.native(step) else { return };
            let size = native.turns.div_ceil(PARTS).next_multiple_of(native.multiple).max(1);
            run_loop(Some((native, slots)), (part * size).min(native.turns)..((part + 1) * size).min(native.turns), view);
        }
        Step::Contract(c) => contract::run_part(c, table, shared.precision, part, &mut scratch.operands),
        Step::Library(call) => library::call(call, 0, table, shared.precision, scratch),
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => (),
    }
}
