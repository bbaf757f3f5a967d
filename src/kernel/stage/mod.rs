//! Stages: which steps run side by side, and which run block by block of rows while their operands are in cache.
//!
//! A *strand* is a list of steps. Where it is divided into rows, each step reads, of what earlier steps of the strand wrote, the
//! same rows only: products whose rows are the batch, elementwise loops, reductions along other axes, gathers, random numbers.
//! Each block of rows passes through all of them, with no synchronisation between the steps. A *stage* is a set of strands that do
//! not depend on one another; between two stages lies the only barrier. How long a block is follows from the shapes alone, so the
//! results do not depend on the number of threads.
//!
//! - [`rows`]: what a step does to the rows of its buffers
//! - [`candidates`]: which numbers of rows divide much of the work
//! - [`cut`]: sums over all rows as sums over each block and a sum of these
//! - [`graph`]: which steps must follow which
//! - [`level`]: the stage of each step
//! - [`block`]: how many rows a block has
//! - [`arrange`]: steps in the order of their stages

use super::BufferId;
use std::ops::Range;

mod arrange;
mod block;
mod candidates;
mod cut;
mod graph;
mod level;
mod rows;

pub(super) use arrange::arrange;
pub(super) use rows::fit;

/// What runs between two barriers.
#[derive(Clone, Debug)]
pub struct Stage {
    pub strands: Vec<Strand>,
}

/// Consecutive steps, divided in the same way.
#[derive(Clone, Debug)]
pub struct Strand {
    pub steps: Range<usize>,
    pub split: Split,
    /// Nanoseconds on one thread, roughly
    pub work: usize,
}

#[derive(Clone, Debug)]
pub enum Split {
    /// Blocks of rows, each through all steps
    Rows(Rows),
    /// One task runs all steps
    Serial,
    /// A single step in parts as the back end chooses
    Parts,
    /// A loop or branch over kernels that have stages of their own: alone in its stage
    Control,
}

#[derive(Clone, Debug)]
pub struct Rows {
    pub rows: usize,
    /// Rows of a block; of the last one what is left
    pub block: usize,
    /// Rows whose blocks one thread runs in their order
    pub section: usize,
    /// How each step divides
    pub along: Vec<Along>,
    /// Buffers that exist for one block at a time, in the memory of the thread that runs it
    pub own: Vec<BufferId>,
}

/// How a step divides into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// A loop along an axis, its extent a multiple of the number of rows
    Axis(usize),
    /// A loop along an axis with one turn for each block
    Blocks(usize),
    /// A call: its outermost axis in the result
    Outermost,
    /// A contraction that sums over all rows in chunks: each block adds its terms to those of its chunk
    Terms,
}
