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

    /// How many buffers and slots there are.
    pub fn size(&self) -> (usize, usize) {
        (self.buffers.len(), self.slots.len())
    }

    pub fn view(&self) -> View<'_> {
        View { buffers: &self.buffers, slots: &self.slots }
    }
}

/// Where buffers and slots stand for whoever runs a step.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub buffers: &'a [*mut u8],
    slots: &'a [*mut u8],
}

impl<'a> View<'a> {
    /// The table of one loop.
    pub fn slots(self, of: &Range<usize>) -> &'a [*mut u8] {
        &self.slots[of.clone()]
    }
}

/// A thread's copy of the bindings of a strand, in which some buffers stand in memory of its own.
pub struct Local {
    buffers: Vec<*mut u8>,
    slots: Vec<*mut u8>,
}

impl Local {
    /// Room for bindings of that [`Bindings::size`].
    pub fn new((buffers, slots): (usize, usize)) -> Local {
        Local { buffers: vec![std::ptr::null_mut(); buffers], slots: vec![std::ptr::null_mut(); slots] }
    }

    /// The bindings of these buffers and slots, others as they happen to be; a few buffers, with slots among these, elsewhere.
    pub fn with<'a>(
        &mut self,
        bindings: &Bindings,
        buffers: impl Iterator<Item = &'a BufferId>,
        slots: impl Iterator<Item = &'a Range<usize>>,
        moved: impl Iterator<Item = (BufferId, *mut u8)>,
    ) -> View<'_> {
        buffers.for_each(|buffer| self.buffers[buffer.index()] = bindings.buffers[buffer.index()]);
        slots.for_each(|slots| self.slots[slots.clone()].copy_from_slice(&bindings.slots[slots.clone()]));
        for (buffer, pointer) in moved {
            self.buffers[buffer.index()] = pointer;
            bindings.uses[buffer.index()].iter().for_each(|&(slot, distance)| self.slots[slot] = pointer.wrapping_add(distance));
        }
        let (buffers, slots) = bindings.size();
        View { buffers: &self.buffers[..buffers], slots: &self.slots[..slots] }
    }
}
