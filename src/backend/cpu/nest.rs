//! A loop as native code: `fn(slots, begin, end)` runs the turns `begin..end` of the outermost parallel axis.
//!
//! Instructions stand at the outermost level where their operands are known. Along the lanes there are up to three loops: over
//! several vectors, over one, and over single elements for the rest. Reductions keep one accumulator for each of the vectors;
//! in which order these are added is fixed by the extents alone.

use super::lanes::{Emit, element_bytes};
use super::schedule::Schedule;
use crate::base::op::DType;
use crate::kernel::{Affine, Instr, InstrKind, Loop, Role, Store, ValueId};
use cranelift::prelude::*;

pub struct Nest<'a, 'f> {
    emit: Emit<'f>,
    nest: &'a Loop,
    schedule: Schedule,
    /// For each instruction the number of open loops that it needs
    levels: Vec<usize>,
    /// Whether it differs between the lanes
    varies: Vec<bool>,
    /// Values that do not vary, as scalars and in every lane
    uniform: Vec<Option<Value>>,
    splat: Vec<Option<Value>>,
    /// Values that vary, for each of the vectors computed side by side
    varying: Vec<Vec<Option<Value>>>,
    /// Where the maps of loads and indices, then those of stores, stand now: addresses, or numbers for indices
    at: Vec<Value>,
    accumulators: Vec<Accumulator>,
    /// Lanes and vectors of the loop along the lanes that is being emitted
    lanes: usize,
    copies: usize,
}

/// The running values of one reducing store.
#[derive(Clone)]
struct Accumulator {
    vectors: Vec<Variable>,
    /// Of the elements after the last vector, where lanes are reduced
    rest: Variable,
}

/// Emits the whole function; `signature` parameters are the table of slots, begin and end.
pub fn emit_nest<'f>(mut emit: Emit<'f>, nest: &Loop, schedule: Schedule) -> FunctionBuilder<'f> {
    let entry = emit.b.create_block();
    emit.b.append_block_params_for_function_params(entry);
    emit.b.switch_to_block(entry);
    emit.b.seal_block(entry);
    let [table, begin, end] = [0, 1, 2].map(|i| emit.b.block_params(entry)[i]);
    let (levels, varies) = levels(nest, &schedule.order, schedule.vector);
    let count = nest.body.len();
    let mut function = Nest {
        emit,
        nest,
        schedule,
        levels,
        varies,
        uniform: vec![None; count],
        splat: vec![None; count],
        varying: vec![],
        at: vec![],
        accumulators: vec![],
        lanes: 1,
        copies: 1,
    };
    function.at = function.origins(table);
    function.values_at(0);
    function.loops(0, Some((begin, end)));
    function.emit.b.ins().return_(&[]);
    function.emit.b
}

/// Levels and variation of all instructions.
pub fn levels(nest: &Loop, order: &[usize], vector: Option<usize>) -> (Vec<usize>, Vec<bool>) {
    let mut levels: Vec<usize> = vec![];
    let mut varies: Vec<bool> = vec![];
    for instr in &nest.body {
        let steps = |position: usize| instr.map().is_some_and(|map| map.strides[order[position]] != 0);
        let own = (0..order.len()).rev().find(|&position| steps(position)).map_or(0, |position| position + 1);
        let operands = instr.operands();
        levels.push(operands.iter().map(|&v| levels[v]).fold(own, usize::max));
        varies.push(vector.is_some_and(steps) || operands.iter().any(|&v| varies[v]));
    }
    (levels, varies)
}

impl<'a> Nest<'a, '_> {
    /// Every map: of instructions without one a constant, so that positions are those of the body; then of the stores.
    fn maps(&self) -> impl Iterator<Item = (Option<&'a Affine>, i64)> + use<'a> {
        let bytes = element_bytes(self.emit.precision);
        let unit = move |instr: &Instr| if matches!(instr.kind, InstrKind::Index(_)) { 1 } else { bytes };
        let loads = self.nest.body.iter().map(move |instr| (instr.map(), unit(instr)));
        loads.chain(self.nest.stores.iter().map(move |store| (Some(&store.index), bytes)))
    }

    /// Addresses at the first turn of all loops.
    fn origins(&mut self, table: Value) -> Vec<Value> {
        let buffer = |instr: &Instr| match instr.kind {
            InstrKind::Load { buffer, .. } => Some(buffer),
            _ => None,
        };
        let buffers = self.nest.body.iter().map(buffer).chain(self.nest.stores.iter().map(|store| Some(store.buffer)));
        let mut origins = vec![];
        for ((map, unit), buffer) in self.maps().zip(buffers) {
            let offset = map.map_or(0, |map| map.offset) * unit;
            let b = &mut self.emit.b;
            let mut origin = match buffer {
                Some(id) => b.ins().load(types::I64, MemFlagsData::trusted(), table, id.index() as i32 * 8),
                None => b.ins().iconst(types::I64, 0),
            };
            if offset != 0 {
                let offset = b.ins().iconst(types::I64, offset);
                origin = b.ins().iadd(origin, offset);
            }
            origins.push(origin);
        }
        origins
    }

    /// Emits the loops from a position of the order on.
    fn loops(&mut self, position: usize, bounds: Option<(Value, Value)>) {
        let reduces = self.nest.stores.iter().any(|store| store.reduce.is_some());
        if position == self.schedule.parallel && reduces {
            self.start_accumulators();
            self.inner_loops(position, None);
            self.finish_accumulators();
        } else {
            self.inner_loops(position, bounds);
        }
    }

    fn inner_loops(&mut self, position: usize, bounds: Option<(Value, Value)>) {
        let Some(&axis) = self.schedule.order.get(position) else { return self.innermost() };
        let extent = self.nest.axes[axis].extent;
        let split = bounds.filter(|_| self.schedule.parallel > 0);
        let (from, to) = split.unwrap_or_else(|| {
            let b = &mut self.emit.b;
            (b.ins().iconst(types::I64, 0), b.ins().iconst(types::I64, extent as i64))
        });
        if self.schedule.vector != Some(position) {
            self.counted(from, to, 1, |this, turn| this.turn(position, turn));
            return;
        }
        let mut from = from;
        let ragged = self.schedule.ragged && split.is_some();
        // What the loops so far leave, where it is known
        let mut left = extent;
        let lanes = self.schedule.lanes;
        let widths: Vec<usize> = self.schedule.widths().filter(|&copies| copies > 1).collect();
        for (lanes, copies) in widths.into_iter().map(|copies| (lanes, copies)).chain([(lanes, 1), (1, 1)]) {
            let step = lanes * copies;
            if left < step && !(ragged && extent >= step) {
                continue;
            }
            left %= step;
            (self.lanes, self.copies) = (lanes, copies);
            self.varying = vec![vec![None; self.nest.body.len()]; copies];
            from = self.counted(from, to, step as i64, |this, turn| this.turn(position, turn));
        }
        (self.lanes, self.copies) = (1, 1);
    }

    /// The body of one loop.
    fn turn(&mut self, position: usize, turn: Value) {
        let axis = self.schedule.order[position];
        let outer = self.at.clone();
        for (number, (map, unit)) in self.maps().enumerate() {
            let stride = map.map_or(0, |map| map.strides[axis]) * unit;
            if stride != 0 {
                let b = &mut self.emit.b;
                let stride = b.ins().iconst(types::I64, stride);
                let step = b.ins().imul(turn, stride);
                self.at[number] = b.ins().iadd(outer[number], step);
            }
        }
        self.values_at(position + 1);
        self.loops(position + 1, None);
        self.at = outer;
    }

    /// Runs `body` for from, from + step, … as long as a whole step remains; where that ended.
    fn counted(&mut self, from: Value, to: Value, step: i64, body: impl FnOnce(&mut Self, Value)) -> Value {
        let b = &mut self.emit.b;
        let (header, inside, after) = (b.create_block(), b.create_block(), b.create_block());
        let turn = b.append_block_param(header, types::I64);
        let step = b.ins().iconst(types::I64, step);
        let last = b.ins().isub(to, step);
        b.ins().jump(header, &[from.into()]);
        b.switch_to_block(header);
        let more = b.ins().icmp(IntCC::SignedLessThanOrEqual, turn, last);
        b.ins().brif(more, inside, &[], after, &[]);
        b.seal_block(inside);
        b.seal_block(after);
        b.switch_to_block(inside);
        body(self, turn);
        let b = &mut self.emit.b;
        let next = b.ins().iadd(turn, step);
        b.ins().jump(header, &[next.into()]);
        b.seal_block(header);
        b.switch_to_block(after);
        turn
    }

    /// Emits the instructions that need exactly that many open loops.
    fn values_at(&mut self, level: usize) {
        for id in (0..self.nest.body.len()).filter(|&id| self.levels[id] == level).collect::<Vec<_>>() {
            if !self.varies[id] {
                let value = self.value(id, 0, 1);
                self.uniform[id] = Some(value);
                if self.schedule.vector.is_some() {
                    self.splat[id] = Some(self.emit.splat(self.nest.body[id].dtype, value, self.schedule.lanes));
                }
                continue;
            }
            for copy in 0..self.copies {
                let value = self.value(id, copy, self.lanes);
                self.varying[copy][id] = Some(value);
            }
        }
    }

    /// An instruction's operand in the copy being emitted.
    fn operand(&self, id: ValueId, copy: usize, lanes: usize) -> Value {
        let known = if self.varies[id] {
            self.varying[copy][id]
        } else if lanes > 1 {
            self.splat[id]
        } else {
            self.uniform[id]
        };
        // Operands stand before their users, at the same level or further out
        known.unwrap_or(self.at[id])
    }

    fn stride(&self, map: &Affine) -> i64 {
        self.schedule.vector.map_or(0, |position| map.strides[self.schedule.order[position]])
    }

    fn value(&mut self, id: ValueId, copy: usize, lanes: usize) -> Value {
        let instr = &self.nest.body[id];
        let dtype = instr.dtype;
        let get = |x: ValueId| self.operand(x, copy, lanes);
        match &instr.kind {
            InstrKind::Constant(bits) => self.emit.constant(dtype, lanes, f64::from_bits(*bits)),
            InstrKind::Index(map) => self.index(id, map, copy, lanes),
            InstrKind::Load { index, .. } => {
                let stride = self.stride(index);
                let offset = (copy * lanes) as i64 * stride;
                self.emit.load(dtype, lanes, self.at[id], offset, stride)
            }
            InstrKind::Unary(op, x) => {
                let value = get(*x);
                self.emit.unary(*op, self.nest.body[*x].dtype, value)
            }
            InstrKind::Binary(op, a, b) => {
                let (a, b) = (get(*a), get(*b));
                self.emit.binary(*op, dtype, a, b)
            }
            InstrKind::Compare(op, a, b) => {
                let (x, y) = (get(*a), get(*b));
                self.emit.compare(*op, self.nest.body[*a].dtype, x, y)
            }
            InstrKind::Select(c, a, b) => {
                let (c, a, b) = (get(*c), get(*a), get(*b));
                self.emit.select(c, a, b)
            }
            InstrKind::Cast(x) => {
                let value = get(*x);
                self.emit.cast(self.nest.body[*x].dtype, dtype, value)
            }
        }
    }

    fn index(&mut self, id: ValueId, map: &Affine, copy: usize, lanes: usize) -> Value {
        let stride = self.stride(map);
        let ty = self.emit.int_type(1);
        let b = &mut self.emit.b;
        let mut first = self.at[id];
        let ahead = (copy * lanes) as i64 * stride;
        if ahead != 0 {
            let ahead = b.ins().iconst(types::I64, ahead);
            first = b.ins().iadd(first, ahead);
        }
        let first = if ty == types::I32 { b.ins().ireduce(ty, first) } else { first };
        if lanes == 1 {
            return first;
        }
        let steps = self.emit.counting(lanes, stride);
        let first = self.emit.splat(DType::Int, first, lanes);
        self.emit.b.ins().iadd(first, steps)
    }

    /// Stores of single values, and one step of each reduction.
    fn innermost(&mut self) {
        for (number, store) in self.nest.stores.iter().enumerate() {
            for copy in 0..self.copies {
                let value = self.operand(store.value, copy, self.lanes);
                match store.reduce {
                    None => self.store(number, store, copy, value),
                    Some(op) => {
                        let accumulator = &self.accumulators[number];
                        let alone = self.lanes == 1 && self.reduces_lanes();
                        let variable = if alone { accumulator.rest } else { accumulator.vectors[copy] };
                        let sum = self.emit.b.use_var(variable);
                        let sum = self.emit.combine(op, self.nest.body[store.value].dtype, sum, value);
                        self.emit.b.def_var(variable, sum);
                    }
                }
            }
        }
    }

    fn store(&mut self, number: usize, store: &Store, copy: usize, value: Value) {
        let stride = self.stride(&store.index);
        let offset = (copy * self.emit.lanes(value)) as i64 * stride;
        let dtype = self.nest.body[store.value].dtype;
        self.emit.store(dtype, value, self.at[self.nest.body.len() + number], offset, stride);
    }

    /// The lanes run along a reduced axis, or there are none.
    fn reduces_lanes(&self) -> bool {
        self.schedule.vector.is_none_or(|position| self.nest.axes[self.schedule.order[position]].role == Role::Reduced)
    }

    fn start_accumulators(&mut self) {
        let reduces_lanes = self.reduces_lanes();
        let (lanes, copies) = match self.schedule.vector {
            Some(_) if reduces_lanes => (self.schedule.lanes, self.schedule.copies),
            Some(_) => (self.lanes, self.copies),
            None => (1, 0),
        };
        let mut accumulators = vec![];
        for store in &self.nest.stores {
            let dtype = self.nest.body[store.value].dtype;
            let (narrow, wide) = (self.emit.ty(dtype, 1), self.emit.ty(dtype, lanes));
            let rest = self.emit.b.declare_var(narrow);
            let vectors: Vec<Variable> = (0..copies).map(|_| self.emit.b.declare_var(wide)).collect();
            if let Some(op) = store.reduce {
                let initial = self.emit.initial(op, dtype, 1);
                self.emit.b.def_var(rest, initial);
                let initial = self.emit.initial(op, dtype, lanes);
                vectors.iter().for_each(|&variable| self.emit.b.def_var(variable, initial));
            }
            accumulators.push(Accumulator { vectors, rest });
        }
        self.accumulators = accumulators;
    }

    fn finish_accumulators(&mut self) {
        for (number, accumulator) in self.accumulators.clone().iter().enumerate() {
            let store = &self.nest.stores[number];
            let Some(op) = store.reduce else { continue };
            let dtype = self.nest.body[store.value].dtype;
            let mut values: Vec<Value> = accumulator.vectors.iter().map(|&variable| self.emit.b.use_var(variable)).collect();
            if !self.reduces_lanes() {
                values.into_iter().enumerate().for_each(|(copy, value)| self.store(number, store, copy, value));
                continue;
            }
            let pairwise = |this: &mut Self, mut values: Vec<Value>| {
                while values.len() > 1 {
                    values = values.chunks(2).map(|p| if let &[a, b] = p { this.emit.combine(op, dtype, a, b) } else { p[0] }).collect();
                }
                values
            };
            values = pairwise(self, values);
            if let Some(&vector) = values.first()
                && self.emit.lanes(vector) > 1
            {
                values = (0..self.emit.lanes(vector)).map(|lane| self.emit.lane(dtype, vector, lane)).collect();
                values = pairwise(self, values);
            }
            let rest = self.emit.b.use_var(accumulator.rest);
            let total = values.first().map_or(rest, |&value| self.emit.combine(op, dtype, value, rest));
            let address = self.at[self.nest.body.len() + number];
            self.emit.store(dtype, total, address, 0, 1);
        }
    }
}
