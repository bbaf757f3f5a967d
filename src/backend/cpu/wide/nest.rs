//! A loop as wide code: its loops, its addresses, and its instructions at the outermost level where their operands are known.
//!
//! Along the lanes there is a loop over several vectors, then one over what remains, with a mask. In which order a reduction adds
//! is fixed by the extents alone.

use super::code::{Access, Code, Control, Item, Kind, Place, Value};
use super::opcode::Op;
use super::schedule::Schedule;
use super::values::Values;
use crate::backend::Precision;
use crate::backend::cpu::lanes::element_bytes;
use crate::backend::cpu::nest::levels;
use crate::base::op::{DType, ReduceOp};
use crate::kernel::{Affine, InstrKind, Loop, Role, ValueId};

pub struct Nest<'a> {
    values: Values,
    nest: &'a Loop,
    schedule: &'a Schedule,
    /// For each instruction the number of open loops that it needs
    levels: Vec<usize>,
    /// Whether it differs between the lanes
    varies: Vec<bool>,
    uniform: Vec<Option<Value>>,
    /// Values that vary, for each of the vectors computed side by side
    varying: Vec<Vec<Option<Value>>>,
    /// Where the maps of the body, then those of the stores, lead
    places: Vec<Place>,
    /// For each pointer, bytes a turn of each axis
    steps: Vec<Vec<i64>>,
    /// For each store that reduces, one for each of the vectors
    accumulators: Vec<Vec<Value>>,
    copies: usize,
    /// The code being emitted is for the lanes of the tail
    masked: bool,
    loops: usize,
}

/// The code of a loop; `None` where an address is too far for it or a function is missing.
pub fn build(nest: &Loop, schedule: &Schedule, precision: Precision) -> Option<Code> {
    let (levels, varies) = levels(nest, &schedule.order, schedule.vector);
    let count = nest.body.len();
    let mut building = Nest {
        values: Values { code: Code::default(), precision, missing: false },
        nest,
        schedule,
        levels,
        varies,
        uniform: vec![None; count],
        varying: vec![],
        places: vec![],
        steps: vec![],
        accumulators: vec![],
        copies: 1,
        masked: false,
        loops: 0,
    };
    building.find_places()?;
    building.values.code.open();
    building.values_at(0);
    building.loops(0);
    building.values.code.close();
    (!building.values.missing).then(|| {
        building.values.code.remove_dead();
        building.values.code.merge_assignments();
        building.values.code
    })
}

impl Nest<'_> {
    fn vector_axis(&self) -> Option<usize> {
        self.schedule.vector.map(|position| self.schedule.order[position])
    }

    /// Gives out pointers: one for each buffer and set of strides.
    fn find_places(&mut self) -> Option<()> {
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

    fn loops(&mut self, position: usize) {
        let reduces = self.nest.stores.iter().any(|store| store.reduce.is_some());
        if position == self.schedule.parallel && reduces {
            self.start_accumulators();
            self.inner_loops(position);
            self.finish_accumulators();
        } else {
            self.inner_loops(position);
        }
    }

    fn inner_loops(&mut self, position: usize) {
        match self.schedule.order.get(position) {
            None => self.innermost(),
            Some(_) if self.schedule.vector == Some(position) => self.vectors(position),
            Some(&axis) => self.turns(position, axis),
        }
    }

    fn loop_number(&mut self) -> usize {
        self.loops += 1;
        self.loops - 1
    }

    /// Whether the range of turns to run is along that position.
    fn is_divided(&self, position: usize) -> bool {
        position == self.schedule.divided && self.schedule.parallel > 0
    }

    /// A loop over an axis without lanes.
    fn turns(&mut self, position: usize, axis: usize) {
        let (divided, extent, number) = (self.is_divided(position), self.nest.axes[axis].extent, self.loop_number());
        let moving: Vec<(usize, i64)> = self.steps.iter().map(|steps| steps[axis]).enumerate().filter(|&(_, by)| by != 0).collect();
        if divided {
            moving.iter().for_each(|&(pointer, by)| self.values.code.control(Control::Begin { pointer, by }));
        } else if extent == 0 {
            return;
        }
        self.values.code.control(Control::Start { number, turns: (!divided).then_some(extent) });
        self.values.code.open();
        self.values_at(position + 1);
        self.loops(position + 1);
        self.values.code.close();
        moving.iter().for_each(|&(pointer, by)| self.values.code.control(Control::Advance { pointer, by }));
        self.values.code.control(Control::Repeat { number });
        if !divided {
            moving.iter().for_each(|&(pointer, by)| self.values.code.control(Control::Advance { pointer, by: -by * extent as i64 }));
        }
    }

    /// The loops along the lanes.
    fn vectors(&mut self, position: usize) {
        let extent = self.nest.axes[self.schedule.order[position]].extent;
        let (lanes, copies) = (self.schedule.lanes, self.schedule.copies);
        let step = lanes * copies;
        let end = (!self.is_divided(position)).then_some(extent);
        self.values.code.control(Control::First { at: end.map(|_| 0) });
        if extent >= step {
            let number = self.loop_number();
            self.values.code.control(Control::Whole { number, step, end });
            self.vector_body(position, copies, false);
            self.values.code.control(Control::Next { number, step });
        }
        // A range of turns may end anywhere
        if end.is_none() || extent % step != 0 {
            let number = self.loop_number();
            let rest = if extent >= step { extent % step } else { extent };
            let left = end.and_then(|_| (rest <= lanes).then_some(rest));
            self.values.code.control(Control::Rest { number, end, left });
            self.vector_body(position, 1, true);
            self.values.code.control(Control::Next { number, step: lanes });
        }
        (self.copies, self.masked) = (1, false);
    }

    fn vector_body(&mut self, position: usize, copies: usize, masked: bool) {
        (self.copies, self.masked) = (copies, masked);
        self.varying = vec![vec![None; self.nest.body.len()]; copies];
        self.values.code.open();
        self.values_at(position + 1);
        self.loops(position + 1);
        self.values.code.close();
    }

    /// Emits the instructions that need exactly that many open loops.
    fn values_at(&mut self, level: usize) {
        for id in (0..self.nest.body.len()).filter(|&id| self.levels[id] == level).collect::<Vec<_>>() {
            if !self.varies[id] {
                self.uniform[id] = Some(self.value(id, 0));
                continue;
            }
            for copy in 0..self.copies {
                let value = self.value(id, copy);
                self.varying[copy][id] = Some(value);
            }
        }
    }

    /// The place of a map, in the copy being emitted.
    fn place(&self, number: usize, copy: usize) -> Place {
        let place = self.places[number];
        Place { offset: place.offset + (copy * self.schedule.lanes) as i32 * place.stride, ..place }
    }

    /// How the lanes of a place lie.
    fn access(&mut self, place: Place) -> Access {
        let bytes = element_bytes(self.values.precision);
        match i64::from(place.stride) / bytes {
            0 => Access::Single,
            1 => Access::Dense,
            stride => Access::Strided(self.counting(stride)),
        }
    }

    /// 0, step, 2 step, … along the lanes
    fn counting(&mut self, step: i64) -> Value {
        let lanes = (0..self.schedule.lanes as i64).map(|lane| lane * step).collect();
        self.values.code.constant(Kind::Lanes(lanes))
    }

    fn value(&mut self, id: ValueId, copy: usize) -> Value {
        let nest = self.nest;
        let instr = &nest.body[id];
        let dtype = instr.dtype;
        // Operands stand before their users, at the same level or further out
        let get = |x: ValueId| if self.varies[x] { self.varying[copy][x] } else { self.uniform[x] }.unwrap_or(Value(0));
        match &instr.kind {
            InstrKind::Constant(bits) => self.values.constant(dtype, f64::from_bits(*bits)),
            InstrKind::Index(_) => self.index(id, copy),
            InstrKind::Load { .. } => self.load(id, dtype, copy),
            InstrKind::Unary(op, x) => {
                let value = get(*x);
                self.values.unary(*op, nest.body[*x].dtype, value)
            }
            InstrKind::Binary(op, a, b) => {
                let (a, b) = (get(*a), get(*b));
                self.values.binary(*op, dtype, a, b)
            }
            InstrKind::Compare(op, a, b) => {
                let (x, y) = (get(*a), get(*b));
                self.values.compare(*op, nest.body[*a].dtype, x, y)
            }
            InstrKind::Select(c, a, b) => {
                let (c, a, b) = (get(*c), get(*a), get(*b));
                self.values.select(dtype, c, a, b)
            }
            InstrKind::Cast(x) => {
                let value = get(*x);
                self.values.cast(nest.body[*x].dtype, dtype, value)
            }
        }
    }

    fn index(&mut self, id: ValueId, copy: usize) -> Value {
        let place = self.place(id, copy);
        let first = self.values.code.value(Kind::Vector);
        self.values.code.items.push(Item::Number { result: first, place });
        if place.stride == 0 {
            return first;
        }
        let steps = self.counting(i64::from(place.stride));
        self.values.code.compute(Op::IntAdd, &[first, steps])
    }

    fn load(&mut self, id: ValueId, dtype: DType, copy: usize) -> Value {
        let place = self.place(id, copy);
        let access = self.access(place);
        let result = self.values.code.value(Kind::Vector);
        self.values.code.items.push(Item::Load { result, place, access, masked: self.masked && access != Access::Single });
        if dtype == DType::Bool { self.values.code.compute(Op::Test, &[result, result]) } else { result }
    }

    /// Stores of single values, and one step of each reduction.
    fn innermost(&mut self) {
        for (number, store) in self.nest.stores.iter().enumerate() {
            let dtype = self.nest.body[store.value].dtype;
            for copy in 0..self.copies {
                let value = if self.varies[store.value] { self.varying[copy][store.value] } else { self.uniform[store.value] };
                let value = self.values.stored(dtype, value.unwrap_or(Value(0)));
                match store.reduce {
                    None => self.store(number, copy, value),
                    Some(op) => {
                        let target = self.accumulators[number][copy];
                        let value = self.values.combine(op, dtype, target, value);
                        let masked = self.masked && self.reduces_lanes();
                        self.values.code.items.push(Item::Assign { target, value, masked });
                    }
                }
            }
        }
    }

    fn store(&mut self, number: usize, copy: usize, value: Value) {
        let place = self.place(self.nest.body.len() + number, copy);
        let access = self.access(place);
        self.values.code.items.push(Item::Store { value, place, access, masked: self.masked && access != Access::Single });
    }

    /// The lanes run along a reduced axis, or there are none.
    fn reduces_lanes(&self) -> bool {
        self.vector_axis().is_none_or(|axis| self.nest.axes[axis].role == Role::Reduced)
    }

    fn start_accumulators(&mut self) {
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

    fn finish_accumulators(&mut self) {
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
