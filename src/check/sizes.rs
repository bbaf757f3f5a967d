//! Sizes: what stands in brackets of types, layers and ranges. Numbers, dims, sizes of generic definitions, and their sums and products.

use super::checker::{Binding, Checked, Checker, Fault, State, circle};
use super::declarations::Global;
use super::{message, shape};
use crate::base::diagnostic::Result;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, BinaryOp, ExprKind};
use std::collections::BTreeMap;

/// The mark of a size that a use has to supply, while a declared type is compared with an argument.
const OPEN: char = '?';

/// Sizes stay below it: their sums are exact, as f64 too.
const LARGEST: i64 = 1_000_000_000_000_000;

/// What the arguments of a use say about the sizes of a definition.
pub type Solved = BTreeMap<String, Size>;

impl<'a> Checker<'a> {
    /// A size whose names are all known.
    pub fn size(&mut self, e: &'a ast::Expr) -> Checked<Size> {
        self.size_with(e, false)
    }

    /// A number, where nothing generic may stand. In a definition checked alone the number is not known: `None`.
    pub fn number(&mut self, e: &'a ast::Expr) -> Checked<Option<i64>> {
        let size = self.size(e)?;
        match size.constant() {
            None if size.variables().next().is_none() => Err(message::size_not_known(e.span).into()),
            constant => Ok(constant),
        }
    }

    /// With `open`, unknown lower-case names are sizes that a use supplies.
    pub fn size_with(&mut self, e: &'a ast::Expr, open: bool) -> Checked<Size> {
        match &e.kind {
            ExprKind::Number { value, .. } if value.fract() == 0.0 && value.abs() < LARGEST as f64 => Ok(Size::from(*value as i64)),
            ExprKind::Name(name) => self.size_of_name(name, open),
            ExprKind::Unary { op: ast::UnaryOp::Neg, operand } => Ok(Size::from(0usize) - self.size_with(operand, open)?),
            ExprKind::Binary { op, left, right } => {
                let (left, right) = (self.size_with(left, open)?, self.size_with(right, open)?);
                let size = arithmetic(*op, left, right).map_err(|d| d.at(e.span))?;
                match size.constant() {
                    Some(n) if n.abs() >= LARGEST => Err(Diagnostic::new(Code::OutOfRange, "this size is too large").at(e.span).into()),
                    _ => Ok(size),
                }
            }
            ExprKind::Member { base, name } => match self.process_size(base, name) {
                Some(size) => size,
                None => Err(message::not_a_size(e.span).into()),
            },
            _ => Err(message::not_a_size(e.span).into()),
        }
    }

    fn size_of_name(&mut self, name: &'a ast::Ident, open: bool) -> Checked<Size> {
        let bound = self.scope.names.iter().rev().find(|(n, _)| *n == name.name).map(|(_, binding)| binding.clone());
        match bound {
            Some(Binding::Size(size)) => return Ok(size),
            Some(_) => return Err(message::not_a_size(name.span).into()),
            None => {}
        }
        let declarations = self.declarations;
        match declarations.get(&name.name, self.scope.library) {
            Some(&Global::Dim(id)) => self.dim(id, name.span),
            Some(&Global::Let(id)) => {
                let value = &declarations.lets[id].get()?.value;
                if self.scope.expanding.contains(&name.name) {
                    return Err(circle(&name.name, name.span));
                }
                self.scope.expanding.push(name.name.clone());
                let size = self.size(value);
                self.scope.expanding.pop();
                size
            }
            Some(Global::Unsupported) => Err(Fault::Reported),
            Some(_) => Err(message::not_a_size(name.span).into()),
            None if open && name.name.starts_with(char::is_lowercase) => Ok(Size::variable(format!("{OPEN}{}", name.name))),
            None => Err(self.unknown_name(name).into()),
        }
    }

    /// The value of a `dim`, in whatever order they are declared.
    pub fn dim(&mut self, id: usize, used: Span) -> Checked<Size> {
        let (name, value) = self.declarations.dims[id];
        match self.made.dims.get(&id) {
            Some(State::Done(size)) => return Ok(size.clone()),
            Some(State::Busy) => return Err(circle(&name.name, used)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.dims.insert(id, State::Busy);
        let size = self.size(value).and_then(|size| match size.constant() {
            Some(n) if n >= 0 => Ok(size),
            _ => Err(Diagnostic::new(Code::OutOfRange, format!("the size `{}` is {size}", name.name)).at(value.span).into()),
        });
        let state = size.as_ref().map_or(State::Failed, |size| State::Done(size.clone()));
        self.made.dims.insert(id, state);
        size
    }
}

fn arithmetic(op: BinaryOp, left: Size, right: Size) -> Result<Size> {
    let unfit = |what: &str| Err(Diagnostic::new(Code::OutOfRange, what.to_string()));
    match op {
        BinaryOp::Add => Ok(left + right),
        BinaryOp::Sub => Ok(left - right),
        BinaryOp::Mul => Ok(left * right),
        BinaryOp::Div => match right.constant() {
            Some(0) => unfit("a size is divided by zero"),
            Some(by) => match left.divide(by) {
                Some(size) => Ok(size),
                // Half of an unknown size stays unknown: a variable of its own.
                None if left.constant().is_none() => Ok(Size::variable(format!("({left})/{by}"))),
                None => unfit(&format!("the size {left} cannot be divided by {by}")),
            },
            None => Ok(Size::variable(format!("({left})/({right})"))),
        },
        BinaryOp::Pow => match (left.constant(), right.constant()) {
            (_, Some(exponent @ 0..=62)) => Ok((0..exponent).fold(Size::from(1usize), |power, _| power * left.clone())),
            (_, None) => Ok(Size::variable(format!("({left})^({right})"))),
            (_, Some(_)) => unfit("the exponent of a size must be a small whole number"),
        },
        _ => unfit("sizes are numbers, names of sizes, and their sums, differences, products and quotients"),
    }
}

/// Compares a declared size with that of an argument, learning open sizes. `false`: they cannot be equal.
pub fn unify(declared: &Size, found: &Size, solved: &mut Solved) -> bool {
    let declared = fill(declared, solved);
    let mut open: Vec<&str> = declared.variables().filter(|name| name.starts_with(OPEN)).collect();
    open.dedup();
    let [name] = open[..] else { return !open.is_empty() || shape::may_equal(&declared, found) };
    let at = |n: usize| declared.substitute(&|variable| (variable == name).then(|| Size::from(n)));
    let (constant, slope) = (at(0), at(1) - at(0));
    let linear = at(2) - at(1) == slope;
    match slope.constant() {
        Some(slope) if linear => match (found.clone() - constant).divide(slope) {
            Some(size) => solved.insert(name[1..].to_string(), size).is_none(),
            None => found.constant().is_none(),
        },
        _ => true,
    }
}

/// With what was learnt put in.
pub fn fill(size: &Size, solved: &Solved) -> Size {
    size.substitute(&|name| solved.get(name.strip_prefix(OPEN)?).cloned())
}

/// Whether a size still waits for a use to supply it.
pub fn is_open(size: &Size) -> bool {
    size.variables().any(|name| name.starts_with(OPEN))
}

/// The names of the open sizes.
pub fn open_names(size: &Size) -> impl Iterator<Item = String> {
    size.variables().filter_map(|name| name.strip_prefix(OPEN).map(str::to_string))
}

/// As written, for messages and for definitions checked alone.
pub fn close(size: &Size) -> Size {
    size.substitute(&|name| name.strip_prefix(OPEN).map(Size::variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_learnt_from_arguments() {
        let mut solved = Solved::new();
        let n = Size::variable("?n");
        assert!(unify(&(n.clone() * 2usize.into() + 1usize.into()), &7usize.into(), &mut solved));
        assert_eq!(solved["n"], 3usize.into());
        assert!(!unify(&n, &4usize.into(), &mut solved));
        assert!(unify(&n, &Size::variable("m"), &mut solved), "not decidable yet");
        assert!(!unify(&(Size::variable("?k") * 2usize.into()), &7usize.into(), &mut solved));
    }
}
