//! What library calls of one thread need besides their buffers: allocated once for all calls of a plan.

use super::contract;
use crate::base::assignment::Solver;
use crate::kernel::{Kernels, Library, Step};

pub struct Scratch {
    /// Where contractions rearrange operands
    pub operands: contract::Scratch,
    pub assignment: Solver,
}

impl Scratch {
    /// Enough for every call of a plan.
    pub fn new(kernels: &Kernels) -> Scratch {
        Scratch { operands: contract::Scratch::new(kernels), assignment: Solver::new(rows(kernels)) }
    }
}

/// Of the largest matrix of costs.
fn rows(kernels: &Kernels) -> usize {
    let of_step = |step: &Step| match step {
        Step::Library(Library::Assignment { size, .. }) => *size,
        Step::Library(_) | Step::Loop(_) | Step::Contract(_) => 0,
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => step.bodies().map(rows).max().unwrap_or(0),
    };
    kernels.steps.iter().map(of_step).max().unwrap_or(0)
}
