//! Registers for values: a linear scan over live intervals (Poletto and Sarkar, 1999). Values that find none live on the stack, for
//! their whole life; constants take registers that nothing else ever needs.

use super::code::{Access, Code, Control, Item, Kind, Place, Value};
use super::opcode::{Op, Shape};

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Home {
    Register(u8),
    /// On the stack, by number among those of its kind
    Slot(usize),
    /// In the pool of constants
    Pool,
    /// Read from memory by its only user
    Memory(Place),
    Nowhere,
}

/// Vector registers that are given out; those after them are scratch.
pub const VECTORS: u8 = 30;
/// Mask registers that are given out; k1 is the mask of the tail, k7 scratch.
pub const MASKS: std::ops::Range<u8> = 2..7;

/// The homes of all values.
#[derive(Debug)]
pub struct Homes {
    pub of: Vec<Home>,
    /// Constants in registers, to be loaded at the start
    pub loaded: Vec<Value>,
    pub vector_slots: usize,
    pub mask_slots: usize,
    intervals: Vec<Interval>,
}

/// From definition to last use, both included, in half steps: item i reads at 2 i and writes at 2 i + 1.
#[derive(Clone, Copy, Debug)]
struct Interval {
    start: usize,
    end: usize,
    /// Uses, those in loops counted many times
    weight: f64,
}

impl Homes {
    pub fn find(code: &Code) -> Homes {
        let folded = folded(code);
        let intervals = intervals(code, &folded);
        let count = code.kinds.len();
        let mut homes = Homes { of: vec![Home::Nowhere; count], loaded: vec![], vector_slots: 0, mask_slots: 0, intervals };
        for (value, kind) in code.kinds.iter().enumerate() {
            match kind {
                Kind::Constant(_) | Kind::Lanes(_) => homes.of[value] = Home::Pool,
                Kind::Vector | Kind::Mask => (),
            }
            if let Some(place) = folded[value] {
                homes.of[value] = Home::Memory(place);
            }
        }
        let free = homes.scan(code, Kind::Vector, (0..VECTORS).collect());
        homes.scan(code, Kind::Mask, MASKS.collect());
        homes.load_constants(code, free);
        homes
    }

    pub fn of(&self, value: Value) -> Home {
        self.of[value.index()]
    }

    /// Gives out registers of a kind; those that were never used.
    fn scan(&mut self, code: &Code, kind: Kind, registers: Vec<u8>) -> Vec<u8> {
        let wanted = |value: &usize| code.kinds[*value] == kind && self.of[*value] == Home::Nowhere && self.intervals[*value].end > 0;
        let mut order: Vec<usize> = (0..code.kinds.len()).filter(wanted).collect();
        order.sort_by_key(|&value| self.intervals[value].start);
        let mut free: Vec<u8> = registers.iter().rev().copied().collect();
        let mut untouched: Vec<u8> = registers;
        let mut active: Vec<usize> = vec![];
        let mut slots = 0;
        for value in order {
            let start = self.intervals[value].start;
            active.retain(|&other| {
                let ends = self.intervals[other].end < start;
                if let (true, Home::Register(register)) = (ends, self.of[other]) {
                    free.push(register);
                }
                !ends
            });
            active.push(value);
            if let Some(register) = free.pop() {
                untouched.retain(|&other| other != register);
                self.of[value] = Home::Register(register);
                continue;
            }
            // The value that is worth a register least goes to the stack
            let worth = |value: usize| self.intervals[value].weight / (self.intervals[value].end - self.intervals[value].start + 1) as f64;
            let least = (0..active.len()).min_by(|&a, &b| worth(active[a]).total_cmp(&worth(active[b])));
            let victim = least.map_or(value, |place| active.swap_remove(place));
            self.of[value] = self.of[victim];
            self.of[victim] = Home::Slot(slots);
            slots += 1;
        }
        *(if kind == Kind::Mask { &mut self.mask_slots } else { &mut self.vector_slots }) = slots;
        untouched
    }

    /// The constants that loops use most take the registers that are left.
    fn load_constants(&mut self, code: &Code, free: Vec<u8>) {
        let is_constant = |value: &usize| matches!(code.kinds[*value], Kind::Constant(_) | Kind::Lanes(_));
        let mut constants: Vec<usize> =
            (0..code.kinds.len()).filter(|value| is_constant(value) && self.intervals[*value].weight > 2.0).collect();
        constants.sort_by(|&a, &b| self.intervals[b].weight.total_cmp(&self.intervals[a].weight));
        for (value, register) in constants.into_iter().zip(free) {
            self.of[value] = Home::Register(register);
            self.loaded.push(Value(value as u32));
        }
    }

    /// Values in registers that must outlast an item.
    pub fn live_across(&self, item: usize) -> Vec<(Value, u8)> {
        let across = |value: usize| self.intervals[value].start < 2 * item && self.intervals[value].end > 2 * item + 1;
        let register = |(number, home): (usize, &Home)| match *home {
            Home::Register(register) if self.loaded.contains(&Value(number as u32)) || across(number) => {
                Some((Value(number as u32), register))
            }
            Home::Register(_) | Home::Slot(_) | Home::Pool | Home::Memory(_) | Home::Nowhere => None,
        };
        self.of.iter().enumerate().filter_map(register).collect()
    }
}

/// First and last item of every loop.
fn loops(code: &Code) -> Vec<(usize, usize)> {
    let (mut open, mut found) = (vec![], vec![]);
    for (at, item) in code.items.iter().enumerate() {
        match item {
            Item::Control(Control::Start { .. } | Control::Whole { .. } | Control::Rest { .. }) => open.push(at),
            Item::Control(Control::Repeat { .. } | Control::Next { .. }) => found.extend(open.pop().map(|start| (start, at))),
            Item::Control(Control::Advance { .. } | Control::Begin { .. } | Control::First { .. }) => (),
            Item::Compute { .. } | Item::Load { .. } | Item::Number { .. } | Item::Store { .. } => (),
            Item::Assign { .. } | Item::Call { .. } | Item::Rarely { .. } => (),
        }
    }
    found
}

fn intervals(code: &Code, folded: &[Option<Place>]) -> Vec<Interval> {
    let mut intervals = vec![Interval { start: usize::MAX, end: 0, weight: 0.0 }; code.kinds.len()];
    let loops = loops(code);
    let depth = |at: usize| loops.iter().filter(|&&(start, end)| start < at && at < end).count() as i32;
    for (at, item) in code.items.iter().enumerate() {
        let weight = 8f64.powi(depth(at));
        // A call needs its operands after it began to write
        let late = usize::from(matches!(item, Item::Call { .. } | Item::Rarely { .. }));
        for (value, place) in item.operands().map(|value| (value, 2 * at + late)).chain(item.result().map(|value| (value, 2 * at + 1))) {
            if folded[value.index()].is_some() {
                continue;
            }
            let interval = &mut intervals[value.index()];
            interval.start = interval.start.min(place);
            interval.end = interval.end.max(place);
            interval.weight += weight;
        }
    }
    // What comes from outside of a loop is needed in all turns
    for interval in &mut intervals {
        for &(start, end) in &loops {
            if interval.start < 2 * start && (2 * start..=2 * end + 1).contains(&interval.end) {
                interval.end = 2 * end + 1;
            }
        }
    }
    intervals
}

/// Loads that their only user can do itself, with nothing in between that might change what they read.
fn folded(code: &Code) -> Vec<Option<Place>> {
    let mut uses = vec![0usize; code.kinds.len()];
    code.items.iter().for_each(|item| item.operands().for_each(|value| uses[value.index()] += 1));
    let mut folded = vec![None; code.kinds.len()];
    let mut loads: Vec<(Value, Place)> = vec![];
    for item in &code.items {
        match item {
            Item::Load { result, place, access: Access::Dense, masked: false } if uses[result.index()] == 1 => {
                loads.push((*result, *place))
            }
            Item::Compute { op, operands, .. } => {
                // A constant is read from memory itself, unless the instruction wants it in a register
                let in_pool = |value: &Value| matches!(code.kinds[value.index()], Kind::Constant(_));
                let from_memory = |value: &Value| loads.iter().find(|(load, _)| load == value).copied();
                if let Some((value, place)) = last_operands(*op, operands).iter().find_map(from_memory)
                    && !operands.iter().any(in_pool)
                {
                    folded[value.index()] = Some(place);
                }
            }
            Item::Store { .. } | Item::Control(_) => loads.clear(),
            Item::Load { .. } | Item::Number { .. } | Item::Assign { .. } | Item::Call { .. } | Item::Rarely { .. } => (),
        }
    }
    folded
}

/// The operands that may lie in memory, one of them at a time.
pub fn last_operands(op: Op, operands: &[Value]) -> &[Value] {
    match op.shape() {
        Shape::Binary | Shape::Compare if op.commutes() => operands,
        Shape::Binary | Shape::Compare => &operands[1..],
        Shape::Choose => &operands[1..2],
        Shape::Pick => &operands[2..],
        Shape::Unary | Shape::Shift(_) | Shape::Class | Shape::MultiplyAdd => operands,
        Shape::FromMask | Shape::Masks => &[],
    }
}
