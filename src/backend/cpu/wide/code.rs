//! A loop in virtual registers: vector instructions between the control of loops, before registers are given out.
//!
//! All values are vectors with one lane for each element, or masks with one bit for each lane. A value that does not vary along
//! the lanes is the same in all of them.

use super::opcode::Op;
use std::collections::HashMap;

/// A virtual register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Value(pub u32);

impl Value {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a virtual register holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Vector,
    Mask,
    /// These bits in every lane; needs no instruction
    Constant(u64),
    /// A number for each lane
    Lanes(Vec<i64>),
}

/// An address, which moves along with the loops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which pointer
    pub pointer: usize,
    /// Bytes from there
    pub offset: i32,
    /// Bytes that the address moves for each element along the lanes
    pub stride: i32,
}

/// How elements lie at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// One after another
    Dense,
    /// One for all lanes
    Single,
    /// At distances, in elements, that the value holds
    Strided(Value),
    /// One after another, the lanes of this mask only
    Lanes(u16),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    Compute {
        op: Op,
        result: Value,
        operands: Vec<Value>,
    },
    /// With `masked`, of the lanes of the tail; 0 in the others
    Load {
        result: Value,
        place: Place,
        access: Access,
        masked: bool,
    },
    /// The number that a pointer holds, with what its place adds, in every lane
    Number {
        result: Value,
        place: Place,
    },
    /// With `masked`, of the lanes of the tail. `Single` stores the first lane
    Store {
        value: Value,
        place: Place,
        access: Access,
        masked: bool,
    },
    /// Overwrites a register, with `masked` in the lanes of the tail
    Assign {
        target: Value,
        value: Value,
        masked: bool,
    },
    /// A function of tiles, by its number in [`crate::backend::cpu::scalar::externs`]
    Call {
        result: Value,
        function: usize,
        operands: Vec<Value>,
    },
    /// `usual`, or in lanes of a mask the function of `operand`; no call where no lane is of the mask
    Rarely {
        result: Value,
        function: usize,
        mask: Value,
        operand: Value,
        usual: Value,
    },
    Control(Control),
}

/// The control of loops. Counters and limits live outside of the vector registers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Control {
    /// A loop over an axis without lanes: `turns`, or from begin to end
    Start {
        number: usize,
        turns: Option<usize>,
    },
    /// The pointer moves on by so many bytes
    Advance {
        pointer: usize,
        by: i64,
    },
    /// The pointer moves by `by` bytes times the first turn to run
    Begin {
        pointer: usize,
        by: i64,
    },
    Repeat {
        number: usize,
    },
    /// Where elements along the lanes are counted from
    First {
        at: Option<usize>,
    },
    /// A loop over vectors: while `step` more elements remain, up to `end` or to the last turn to run. With `once`, they do for one
    /// turn
    Whole {
        number: usize,
        step: usize,
        end: Option<usize>,
        once: bool,
    },
    /// While any elements remain: the mask of the tail is set to them. `left` tells how many where it is one vector for sure
    Rest {
        number: usize,
        end: Option<usize>,
        left: Option<usize>,
    },
    /// The end of `Whole` or `Rest`
    Next {
        number: usize,
        step: usize,
    },
}

/// The code of one loop.
#[derive(Default, Debug)]
pub struct Code {
    pub items: Vec<Item>,
    pub kinds: Vec<Kind>,
    /// The buffer behind each pointer; none for numbers
    pub pointers: Vec<Option<usize>>,
    constants: HashMap<Kind, Value>,
    /// What was computed and can still be reached, by scope
    known: Vec<HashMap<(Op, Vec<Value>), Value>>,
}

impl Code {
    pub fn value(&mut self, kind: Kind) -> Value {
        self.kinds.push(kind);
        Value(self.kinds.len() as u32 - 1)
    }

    /// A value that needs no instruction.
    pub fn constant(&mut self, kind: Kind) -> Value {
        if let Some(&value) = self.constants.get(&kind) {
            return value;
        }
        let value = self.value(kind.clone());
        self.constants.insert(kind, value);
        value
    }

    /// The result of an instruction, once in reach of it.
    pub fn compute(&mut self, op: Op, operands: &[Value]) -> Value {
        let key = (op, operands.to_vec());
        if let Some(&value) = self.known.iter().find_map(|scope| scope.get(&key)) {
            return value;
        }
        let result = self.value(if op.is_mask() { Kind::Mask } else { Kind::Vector });
        self.items.push(Item::Compute { op, result, operands: operands.to_vec() });
        if let Some(scope) = self.known.last_mut() {
            scope.insert(key, result);
        }
        result
    }

    /// What is computed from here on is forgotten at the matching [`Code::close`].
    pub fn open(&mut self) {
        self.known.push(HashMap::new());
    }

    pub fn close(&mut self) {
        self.known.pop();
    }

    pub fn control(&mut self, control: Control) {
        self.items.push(Item::Control(control));
    }

    /// Drops what nothing uses.
    pub fn remove_dead(&mut self) {
        let mut uses = vec![0usize; self.kinds.len()];
        self.items.iter().for_each(|item| item.operands().for_each(|value| uses[value.index()] += 1));
        let mut kept = vec![true; self.items.len()];
        for (number, item) in self.items.iter().enumerate().rev() {
            if item.has_effect() || item.result().is_none_or(|result| uses[result.index()] > 0) {
                continue;
            }
            kept[number] = false;
            item.operands().for_each(|value| uses[value.index()] -= 1);
        }
        let mut kept = kept.into_iter();
        self.items.retain(|_| kept.next().unwrap_or(true));
    }

    /// Lets an instruction whose result is only assigned write the register itself.
    pub fn merge_assignments(&mut self) {
        let mut uses = vec![0usize; self.kinds.len()];
        self.items.iter().for_each(|item| item.operands().for_each(|value| uses[value.index()] += 1));
        let mut merged: Vec<Item> = Vec::with_capacity(self.items.len());
        for item in self.items.drain(..) {
            match (merged.last_mut(), &item) {
                (Some(Item::Compute { result, .. }), Item::Assign { target, value, masked: false })
                    if result == value && uses[value.index()] == 1 =>
                {
                    *result = *target;
                }
                _ => merged.push(item),
            }
        }
        self.items = merged;
    }
}

impl Item {
    pub fn result(&self) -> Option<Value> {
        match self {
            Item::Compute { result, .. } | Item::Load { result, .. } | Item::Number { result, .. } => Some(*result),
            Item::Call { result, .. } | Item::Rarely { result, .. } => Some(*result),
            Item::Assign { target, .. } => Some(*target),
            Item::Store { .. } | Item::Control(_) => None,
        }
    }

    fn has_effect(&self) -> bool {
        match self {
            Item::Assign { .. } | Item::Store { .. } | Item::Control(_) => true,
            Item::Compute { .. } | Item::Load { .. } | Item::Number { .. } | Item::Call { .. } | Item::Rarely { .. } => false,
        }
    }

    /// The values that are read.
    pub fn operands(&self) -> impl Iterator<Item = Value> + '_ {
        let (list, rest): (&[Value], [Option<Value>; 3]) = match self {
            Item::Compute { operands, .. } | Item::Call { operands, .. } => (operands, [None; 3]),
            Item::Load { access: Access::Strided(steps), .. } => (&[], [Some(*steps), None, None]),
            Item::Load { .. } | Item::Number { .. } | Item::Control(_) => (&[], [None; 3]),
            Item::Store { value, access: Access::Strided(steps), .. } => (&[], [Some(*value), Some(*steps), None]),
            Item::Store { value, .. } => (&[], [Some(*value), None, None]),
            Item::Assign { target, value, masked } => (&[], [Some(*value), masked.then_some(*target), None]),
            Item::Rarely { mask, operand, usual, .. } => (&[], [Some(*mask), Some(*operand), Some(*usual)]),
        };
        list.iter().copied().chain(rest.into_iter().flatten())
    }

    /// Where it reads or writes memory, or a number.
    pub fn place(&self) -> Option<Place> {
        match self {
            Item::Load { place, .. } | Item::Number { place, .. } | Item::Store { place, .. } => Some(*place),
            Item::Compute { .. } | Item::Assign { .. } | Item::Call { .. } | Item::Rarely { .. } | Item::Control(_) => None,
        }
    }

    /// The loop that it begins.
    pub fn loop_number(&self) -> Option<usize> {
        match self {
            Item::Control(Control::Start { number, .. } | Control::Whole { number, .. } | Control::Rest { number, .. }) => Some(*number),
            Item::Control(Control::Advance { .. } | Control::Begin { .. } | Control::First { .. }) => None,
            Item::Control(Control::Repeat { .. } | Control::Next { .. }) => None,
            Item::Compute { .. } | Item::Load { .. } | Item::Number { .. } | Item::Store { .. } => None,
            Item::Assign { .. } | Item::Call { .. } | Item::Rarely { .. } => None,
        }
    }
}
