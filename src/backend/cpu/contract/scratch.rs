//! Memory in which a thread rearranges operands: allocated once for all contractions of a plan.

use super::product::scratch_bytes;
use crate::backend::cpu::memory::Memory;
use crate::kernel::{Kernels, Step};

/// Memory of one thread.
pub struct Scratch {
    memory: Memory,
}

impl Scratch {
    /// Enough for every contraction of a plan.
    pub fn new(kernels: &Kernels) -> Scratch {
        Scratch::with_bytes(largest(kernels))
    }

    pub fn with_bytes(bytes: usize) -> Scratch {
        Scratch { memory: Memory::new(bytes) }
    }

    /// The memory, at a cache line.
    pub fn pointer(&mut self) -> *mut u8 {
        self.memory.pointer()
    }
}

/// Bytes that the most demanding contraction needs.
fn largest(kernels: &Kernels) -> usize {
    let of_step = |step: &Step| match step {
        Step::Contract(c) => scratch_bytes(c),
        Step::Loop(_) | Step::Library(_) => 0,
        Step::Scan(scan) => largest(&scan.body),
        Step::While(looped) => largest(&looped.condition).max(largest(&looped.body)),
        Step::Cond(cond) => largest(&cond.then).max(largest(&cond.otherwise)),
    };
    kernels.steps.iter().map(of_step).max().unwrap_or(0)
}
