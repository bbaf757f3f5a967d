//! Memory in which a thread rearranges operands: allocated once for all contractions of a plan.

use super::product::scratch_bytes;
use crate::backend::cpu::memory::Memory;
use crate::kernel::{Kernels, Step};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// A [`Scratch`] for each thread of a pool, lent to whoever runs a task.
pub struct Scratches {
    slots: Vec<Slot>,
}

struct Slot {
    lent: AtomicBool,
    scratch: UnsafeCell<Scratch>,
}

// SAFETY: a slot's scratch is reached only between the exchange that sets `lent` and the store that clears it, by one thread.
unsafe impl Sync for Slot {}

impl Scratches {
    pub fn new(threads: usize, kernels: &Kernels) -> Scratches {
        let slot = |_| Slot { lent: AtomicBool::new(false), scratch: UnsafeCell::new(Scratch::new(kernels)) };
        Scratches { slots: (0..threads.max(1)).map(slot).collect() }
    }

    /// Lends a scratch to `task`. At most as many tasks as there are threads run at a time, so one is always free soon.
    pub fn with<R>(&self, task: impl FnOnce(&mut Scratch) -> R) -> R {
        let free = |slot: &&Slot| slot.lent.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
        let slot = loop {
            if let Some(slot) = self.slots.iter().find(free) {
                break slot;
            }
            std::hint::spin_loop();
        };
        // SAFETY: the exchange gave this thread the slot until it is cleared below.
        let result = task(unsafe { &mut *slot.scratch.get() });
        slot.lent.store(false, Ordering::Release);
        result
    }
}
