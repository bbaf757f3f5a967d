//! A loop as wide code: its loops, its addresses, and its instructions at the outermost level where their operands are known.
//!
//! Along the lanes there is a loop over several vectors, then one over what remains, with a mask. In which order a reduction adds
//! is fixed by the extents alone.

use super::code::{Code, Control, Item, Kind, Place, Value};
use super::opcode::Op;
use super::schedule::Schedule;
use super::values::Values;
use crate::backend::Precision;
use crate::backend::cpu::nest::levels;

use crate::kernel::{InstrKind, Loop, ValueId};

pub struct Nest<'a> {
    pub values: Values,
    pub nest: &'a Loop,
    pub schedule: &'a Schedule,
    /// For each instruction the number of open loops that it needs
    levels: Vec<usize>,
    /// Whether it differs between the lanes
    varies: Vec<bool>,
    uniform: Vec<Option<Value>>,
    /// Values that vary, for each of the vectors computed side by side
    varying: Vec<Vec<Option<Value>>>,
    /// Where the maps of the body, then those of the stores, lead
    pub places: Vec<Place>,
    /// For each pointer, bytes a turn of each axis
    pub steps: Vec<Vec<i64>>,
    /// For each store that reduces, one for each of the vectors
    pub accumulators: Vec<Vec<Value>>,
    pub copies: usize,
    /// The code being emitted is for the lanes of the tail
    pub masked: bool,
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
    pub fn vector_axis(&self) -> Option<usize> {
        self.schedule.vector.map(|position| self.schedule.order[position])
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
        self.schedule.divided == Some(self.schedule.order[position])
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
        let lanes = self.schedule.lanes;
        let end = (!self.is_divided(position)).then_some(extent);
        self.values.code.control(Control::First { at: end.map(|_| 0) });
        // A range of turns may end anywhere
        let mut rest = extent;
        for copies in self.schedule.widths() {
            let step = lanes * copies;
            if rest < step {
                continue;
            }
            let number = self.loop_number();
            self.values.code.control(Control::Whole { number, step, end, once: end.is_some() && rest < 2 * step });
            self.vector_body(position, copies, false);
            self.values.code.control(Control::Next { number, step });
            rest = if end.is_some() { rest % step } else { rest };
        }
        if end.is_none() || rest > 0 {
            let number = self.loop_number();
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
}
