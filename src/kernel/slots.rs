//! Loops without their buffers: loops that differ only in where their operands lie share one compiled function.

use super::{BufferId, InstrKind, Loop, Region};
use std::collections::HashMap;

/// A loop whose buffers are numbers of slots, in order of first use, and where each slot begins. Index maps count from there.
#[derive(Clone, Debug)]
pub struct Slotted {
    pub nest: Loop,
    pub slots: Vec<Region>,
}

impl Loop {
    /// The loop over slots. Offsets that all accesses of a buffer have in common belong to the slot.
    pub fn slotted(&self) -> Slotted {
        let mut nest = self.clone();
        let mut slots: Vec<Region> = vec![];
        let mut numbers: HashMap<BufferId, usize> = HashMap::new();
        nest.accesses_mut(&mut |buffer, index| {
            let number = *numbers.entry(*buffer).or_insert(slots.len());
            let offset = usize::try_from(index.offset).unwrap_or(0);
            match slots.get_mut(number) {
                Some(slot) => slot.offset = slot.offset.min(offset),
                None => slots.push(Region { buffer: *buffer, offset }),
            }
            *buffer = BufferId::new(number);
        });
        nest.accesses_mut(&mut |buffer, index| index.offset -= slots[buffer.index()].offset as i64);
        Slotted { nest, slots }
    }

    fn accesses_mut(&mut self, visit: &mut dyn FnMut(&mut BufferId, &mut super::Affine)) {
        for instr in &mut self.body {
            if let InstrKind::Load { buffer, index } = &mut instr.kind {
                visit(buffer, index);
            }
        }
        self.stores.iter_mut().for_each(|store| visit(&mut store.buffer, &mut store.index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::op::{BinaryOp, DType};
    use crate::kernel::{Affine, Axis, Instr, Role, Store};

    /// out[i] = a[from + i] + a[from + i + ahead]
    fn sum(a: usize, out: usize, from: i64, ahead: i64) -> Loop {
        let load = |offset| Instr {
            dtype: DType::Real,
            kind: InstrKind::Load { buffer: BufferId::new(a), index: Affine::axis(0, 1).shifted(offset) },
        };
        let add = Instr { dtype: DType::Real, kind: InstrKind::Binary(BinaryOp::Add, 0, 1) };
        let store = Store { buffer: BufferId::new(out), index: Affine::axis(0, 1), value: 2, reduce: None };
        Loop { axes: vec![Axis { extent: 8, role: Role::Parallel }], body: vec![load(from), load(from + ahead), add], stores: vec![store] }
    }

    #[test]
    fn loops_that_differ_only_in_where_their_operands_lie_are_equal() {
        let (first, second) = (sum(3, 7, 16, 2).slotted(), sum(1, 0, 0, 2).slotted());
        assert_eq!(first.nest, second.nest);
        let at = |buffer, offset| Region { buffer: BufferId::new(buffer), offset };
        assert_eq!(first.slots, [at(3, 16), at(7, 0)]);
        assert_eq!(second.slots, [at(1, 0), at(0, 0)]);
        assert_ne!(first.nest, sum(3, 7, 16, 3).slotted().nest, "another distance between the operands");
        assert_ne!(first.nest, sum(3, 3, 16, 2).slotted().nest, "in place, the loads and the store share a slot");
    }
}
