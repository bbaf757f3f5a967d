//! Reductions: an accumulator for each of the vectors side by side, brought together at the end.

use super::code::{Access, Item, Kind, Value};
use super::nest::Nest;
use super::opcode::Op;
use crate::base::op::{DType, ReduceOp};
use crate::kernel::Role;

impl Nest<'_> {
    /// The lanes run along a reduced axis, or there are none.
    pub fn reduces_lanes(&self) -> bool {
        self.vector_axis().is_none_or(|axis| self.nest.axes[axis].role == Role::Reduced)
    }

    pub fn start_accumulators(&mut self) {
        let copies = match self.schedule.vector {
            Some(_) if self.reduces_lanes() => self.schedule.copies,
            _ => self.copies,
        };
        self.accumulators = vec![];
        for store in &self.nest.stores {
            let mut vectors = vec![];
            if let Some(op) = store.reduce {
                let value = self.values.initial(op, self.nest.body[store.value].dtype);
                vectors.extend((0..copies).map(|_| self.values.code.value(Kind::Vector)));
                vectors.iter().for_each(|&target| self.values.code.items.push(Item::Assign { target, value, masked: false }));
            }
            self.accumulators.push(vectors);
        }
    }

    pub fn finish_accumulators(&mut self) {
        for (number, accumulators) in std::mem::take(&mut self.accumulators).into_iter().enumerate() {
            let store = &self.nest.stores[number];
            let Some(op) = store.reduce else { continue };
            let dtype = self.nest.body[store.value].dtype;
            if !self.reduces_lanes() {
                accumulators.into_iter().enumerate().for_each(|(copy, value)| self.store(number, copy, value));
                continue;
            }
            let total = self.across(op, dtype, accumulators);
            let place = self.places[self.nest.body.len() + number];
            self.values.code.items.push(Item::Store { value: total, place, access: Access::Single, masked: false });
        }
    }

    /// Accumulators and their lanes brought together, in pairs.
    fn across(&mut self, op: ReduceOp, dtype: DType, mut vectors: Vec<Value>) -> Value {
        while vectors.len() > 1 {
            vectors = vectors.chunks(2).map(|p| if let &[a, b] = p { self.values.combine(op, dtype, a, b) } else { p[0] }).collect();
        }
        let mut total = vectors.first().copied().unwrap_or(Value(0));
        let mut lanes = if self.schedule.vector.is_some() { self.schedule.lanes } else { 1 };
        while lanes > 1 {
            lanes /= 2;
            let turned = self.values.code.compute(Op::Rotate(lanes as u8), &[total, total]);
            total = self.values.combine(op, dtype, total, turned);
        }
        total
    }
}
