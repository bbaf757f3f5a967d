//! Where the buffers of a program stand: a pointer for each buffer, and for each loop a short table of its own, so that
//! compiled code does not depend on the numbers of buffers.

use crate::kernel::{BufferId, Region};
use std::ops::Range;

/// Pointers of buffers, and of the slots of loops, which follow them.
pub struct Bindings {
    buffers: Vec<*mut u8>,
    slots: Vec<*mut u8>,
    /// For each buffer the slots in it, with their distance in bytes from its start
    uses: Vec<Vec<(usize, usize)>>,
    /// Of an element
    bytes: usize,
}

impl Bindings {
    /// Nothing is bound yet.
    pub fn new(buffers: usize, bytes: usize) -> Bindings {
        Bindings { buffers: vec![std::ptr::null_mut(); buffers], slots: vec![], uses: vec![vec![]; buffers], bytes }
    }

    /// Adds the table of one loop; where it stands among all slots.
    pub fn add(&mut self, slots: &[Region]) -> Range<usize> {
        let start = self.slots.len();
        for (number, slot) in slots.iter().enumerate() {
            self.uses[slot.buffer.index()].push((start + number, slot.offset * self.bytes));
        }
        self.slots.resize(start + slots.len(), std::ptr::null_mut());
        start..self.slots.len()
    }

    /// Moves a buffer. Costs next to nothing where it stands there already.
    pub fn bind(&mut self, buffer: BufferId, pointer: *mut u8) {
        let known = &mut self.buffers[buffer.index()];
        if *known == pointer {
            return;
        }
        *known = pointer;
        for &(slot, distance) in &self.uses[buffer.index()] {
            self.slots[slot] = pointer.wrapping_add(distance);
        }
    }

    /// Of all buffers.
    pub fn buffers(&self) -> &[*mut u8] {
        &self.buffers
    }

    /// The table of one loop.
    pub fn slots(&self, of: Range<usize>) -> &[*mut u8] {
        &self.slots[of]
    }
}
