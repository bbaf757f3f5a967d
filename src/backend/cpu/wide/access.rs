//! Where a loop reads and writes, and how the elements of a vector are brought together that do not lie side by side.

use super::code::{Access, Item, Kind, Place, Value};
use super::nest::Nest;
use super::opcode::Op;
use crate::backend::cpu::lanes::element_bytes;
use crate::base::op::DType;
use crate::kernel::{Affine, InstrKind, ValueId};

impl Nest<'_> {
    /// Gives out pointers: one for each buffer and set of strides.
    pub fn find_places(&mut self) -> Option<()> {
        let bytes = element_bytes(self.values.precision);
        let nothing = Affine::constant(0, self.nest.axes.len());
        let body = self.nest.body.iter().map(|instr| match &instr.kind {
            InstrKind::Load { buffer, index } => (Some(buffer.index()), index, bytes),
            InstrKind::Index(index) => (None, index, 1),
            InstrKind::Constant(_)
            | InstrKind::Unary(..)
            | InstrKind::Binary(..)
            | InstrKind::Compare(..)
            | InstrKind::Select(..)
            | InstrKind::Cast(_) => (None, &nothing, 1),
        });
        let stores = self.nest.stores.iter().map(|store| (Some(store.buffer.index()), &store.index, bytes));
        for (buffer, map, unit) in body.chain(stores) {
            let steps: Vec<i64> = map.strides.iter().map(|stride| stride * unit).collect();
            let code = &mut self.values.code;
            let known = (0..self.steps.len()).find(|&pointer| code.pointers[pointer] == buffer && self.steps[pointer] == steps);
            let pointer = known.unwrap_or_else(|| {
                code.pointers.push(buffer);
                self.steps.push(steps.clone());
                self.steps.len() - 1
            });
            for (axis, &step) in steps.iter().enumerate() {
                // What is added to a pointer is written in instructions of 32 bits
                i32::try_from(step.checked_mul(self.nest.axes[axis].extent as i64)?).ok()?;
            }
            let stride = self.schedule.vector.map_or(0, |position| steps[self.schedule.order[position]]);
            let ahead = (self.schedule.lanes * self.schedule.copies) as i64 * stride;
            i32::try_from(map.offset * unit + ahead).ok()?;
            self.places.push(Place { pointer, offset: i32::try_from(map.offset * unit).ok()?, stride: stride as i32 });
        }
        Some(())
    }

    /// The place of a map, in the copy being emitted.
    pub fn place(&self, number: usize, copy: usize) -> Place {
        let place = self.places[number];
        Place { offset: place.offset + (copy * self.schedule.lanes) as i32 * place.stride, ..place }
    }

    /// How the lanes of a place lie.
    pub fn access(&mut self, place: Place) -> Access {
        let bytes = element_bytes(self.values.precision);
        match i64::from(place.stride) / bytes {
            0 => Access::Single,
            1 => Access::Dense,
            stride => Access::Strided(self.counting(stride)),
        }
    }

    /// 0, step, 2 step, … along the lanes
    pub fn counting(&mut self, step: i64) -> Value {
        self.lanes(|lane| lane * step)
    }

    /// A number for each lane.
    pub fn lanes(&mut self, number: impl Fn(i64) -> i64) -> Value {
        let lanes = (0..self.schedule.lanes as i64).map(number).collect();
        self.values.code.constant(Kind::Lanes(lanes))
    }

    pub fn load(&mut self, id: ValueId, dtype: DType, copy: usize) -> Value {
        let place = self.place(id, copy);
        let result = match place.stride / element_bytes(self.values.precision) as i32 {
            -1 if !self.masked => self.load_backwards(place),
            stride @ 2..=4 if !self.masked => self.load_apart(place, stride),
            _ => {
                let access = self.access(place);
                self.load_lanes(place, access)
            }
        };
        if dtype == DType::Bool { self.values.code.compute(Op::Test, &[result, result]) } else { result }
    }

    fn load_lanes(&mut self, place: Place, access: Access) -> Value {
        let result = self.values.code.value(Kind::Vector);
        self.values.code.items.push(Item::Load { result, place, access, masked: self.masked && access != Access::Single });
        result
    }

    /// A vector read from its last element to its first.
    fn load_backwards(&mut self, place: Place) -> Value {
        let last = self.schedule.lanes as i64 - 1;
        let vector = self.load_lanes(Place { offset: place.offset + last as i32 * place.stride, ..place }, Access::Dense);
        let lanes = self.lanes(|lane| last - lane);
        self.values.code.compute(Op::Permute, &[lanes, vector])
    }

    /// Elements a few apart: as many whole vectors, each of which begins with the last element of the one before it, so that
    /// nothing is read behind the last one; from each the lanes that are wanted.
    fn load_apart(&mut self, place: Place, stride: i32) -> Value {
        let (count, last) = (self.schedule.lanes as i64, self.schedule.lanes as i64 - 1);
        let bytes = element_bytes(self.values.precision);
        let part = |this: &mut Self, number: i64| {
            this.load_lanes(Place { offset: place.offset + (number * last * bytes) as i32, ..place }, Access::Dense)
        };
        let mut result = part(self, 0);
        for number in 1..i64::from(stride) {
            let next = part(self, number);
            let from = |lane: i64| lane * i64::from(stride) - number * last;
            let lanes = self.lanes(|lane| match from(lane) {
                at @ 1.. => count + at.min(last),
                _ if number == 1 => lane * i64::from(stride),
                _ => lane,
            });
            result = self.values.code.compute(Op::Pick, &[result, lanes, next]);
        }
        result
    }

    pub fn store(&mut self, number: usize, copy: usize, value: Value) {
        let place = self.place(self.nest.body.len() + number, copy);
        let stride = i64::from(place.stride) / element_bytes(self.values.precision);
        if !self.masked && (2..=4).contains(&stride) {
            return self.store_apart(place, stride, value);
        }
        let access = self.access(place);
        self.values.code.items.push(Item::Store { value, place, access, masked: self.masked && access != Access::Single });
    }

    /// Elements a few apart: whole vectors, of which the lanes in between are not written.
    fn store_apart(&mut self, place: Place, stride: i64, value: Value) {
        let count = self.schedule.lanes as i64;
        let bytes = element_bytes(self.values.precision);
        for number in 0..stride {
            let first = number * count;
            let lanes = self.lanes(|lane| (first + lane) / stride);
            let spread = self.values.code.compute(Op::Permute, &[lanes, value]);
            let mask = (0..count).filter(|lane| (first + lane) % stride == 0).fold(0, |mask, lane| mask | 1 << lane);
            let place = Place { offset: place.offset + (first * bytes) as i32, ..place };
            self.values.code.items.push(Item::Store { value: spread, place, access: Access::Lanes(mask), masked: false });
        }
    }
}
