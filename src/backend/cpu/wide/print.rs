//! The text of wide code, an item a line, as `tilde emit --stage clif` shows it.

use super::code::{Access, Code, Control, Item, Place, Value};
use std::fmt;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| writeln!(f, "{item}"))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[p{} + {} + {} i]", self.pointer, self.offset, self.stride)
    }
}

/// What an access adds to the word for it.
fn manner(access: Access, masked: bool) -> String {
    let lanes = match access {
        Access::Dense => String::new(),
        Access::Single => " single".into(),
        Access::Strided(steps) => format!(" at {steps}"),
        Access::Lanes(lanes) => format!(" lanes {lanes:016b}"),
    };
    if masked { lanes + " tail" } else { lanes }
}

fn list(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Compute { op, result, operands } => write!(f, "  {result} = {op:?} {}", list(operands)),
            Item::Load { result, place, access, masked } => write!(f, "  {result} = load{} {place}", manner(*access, *masked)),
            Item::Number { result, place } => write!(f, "  {result} = number {place}"),
            Item::Store { value, place, access, masked } => write!(f, "  store{} {place}, {value}", manner(*access, *masked)),
            Item::Assign { target, value, masked } => write!(f, "  {target} := {value}{}", if *masked { " tail" } else { "" }),
            Item::Call { result, function, operands } => write!(f, "  {result} = call {function} {}", list(operands)),
            Item::Rarely { result, function, mask, operand, usual } => {
                write!(f, "  {result} = {usual}, or where {mask} call {function} {operand}")
            }
            Item::Control(control) => control.fmt(f),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = |end: Option<usize>| end.map_or("end".to_string(), |end| end.to_string());
        match self {
            Control::Start { number, turns: Some(turns) } => write!(f, "loop {number}: {turns} turns"),
            Control::Start { number, turns: None } => write!(f, "loop {number}: begin to end"),
            Control::Advance { pointer, by } => write!(f, "  p{pointer} += {by}"),
            Control::Begin { pointer, by } => write!(f, "  p{pointer} += {by} begin"),
            Control::Repeat { number } | Control::Next { number, .. } => write!(f, "end of loop {number}"),
            Control::First { at } => write!(f, "  i = {}", at.map_or("begin".to_string(), |at| at.to_string())),
            Control::Whole { number, step, end, once: _ } => write!(f, "loop {number}: i to {} by {step}", to(*end)),
            Control::Rest { number, end, .. } => write!(f, "loop {number}: tail, i to {}", to(*end)),
        }
    }
}
