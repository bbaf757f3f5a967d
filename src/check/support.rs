//! Pure rules of supports: where the value of an operation lives, and which value may stand where a support is wanted.

use super::types::Support;
use crate::base::op::{BinaryOp, UnaryOp};

/// What is known of a real value. A literal such as `0.5` is in both; an expression's type keeps the stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// In (0, ∞)
    pub positive: bool,
    /// In [0, 1]
    pub unit: bool,
    /// In {0, 1}
    pub bit: bool,
}

impl Facts {
    pub fn of_number(value: f64) -> Facts {
        Facts { positive: value > 0.0, unit: (0.0..=1.0).contains(&value), bit: false }
    }

    pub fn of_support(support: &Support) -> Facts {
        Facts {
            positive: matches!(support, Support::Positive),
            unit: matches!(support, Support::Unit | Support::Bit | Support::Simplex),
            bit: matches!(support, Support::Bit),
        }
    }

    /// The support that a type keeps of it.
    pub fn support(self) -> Support {
        match self {
            Facts { positive: true, .. } => Support::Positive,
            Facts { bit: true, .. } => Support::Bit,
            Facts { unit: true, .. } => Support::Unit,
            _ => Support::Real,
        }
    }

    pub fn and(self, other: Facts) -> Facts {
        Facts { positive: self.positive && other.positive, unit: self.unit && other.unit, bit: self.bit && other.bit }
    }
}

/// Elementwise, of a real operand.
pub fn unary(op: UnaryOp, operand: Facts) -> Facts {
    use UnaryOp::*;
    let positive = Facts { positive: true, ..Facts::default() };
    match op {
        Exp | Softplus | Abs => positive,
        Sqrt => Facts { positive: true, unit: operand.unit, bit: false },
        Recip => Facts { positive: operand.positive, ..Facts::default() },
        Sigmoid => Facts { unit: true, ..Facts::default() },
        Neg | Sign | Expm1 | Log | Log1p | Sin | Cos | Tanh | Erf | ErfInv | LogGamma | Digamma | Trigamma | Floor | Ceil | Round | Not
        | IsFinite => Facts::default(),
    }
}

/// Elementwise, of two real operands; `left_one`: the left is the constant 1, `even`: the right is an even constant.
pub fn binary(op: BinaryOp, left: Facts, right: Facts, left_one: bool, even: bool) -> Facts {
    let positive = |positive| Facts { positive, ..Facts::default() };
    let not_negative = |facts: Facts| facts.positive || facts.unit;
    match op {
        BinaryOp::Add => positive((left.positive && not_negative(right)) || (right.positive && not_negative(left))),
        BinaryOp::Sub if left_one => Facts { positive: false, unit: right.unit, bit: right.bit },
        BinaryOp::Mul => left.and(right),
        BinaryOp::Div => positive(left.positive && right.positive),
        BinaryOp::Pow => Facts { positive: left.positive || even, unit: left.unit && right.positive, bit: false },
        BinaryOp::Max => Facts { positive: left.positive || right.positive, ..left.and(right) },
        BinaryOp::Min => left.and(right),
        BinaryOp::Sub | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::And | BinaryOp::Or => Facts::default(),
    }
}

/// Of a value that is one or the other.
pub fn either(a: &Support, b: &Support) -> Option<Support> {
    use Support::*;
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Int | Cat(_), Int | Cat(_)) => Some(Int),
        (Bool, _) | (_, Bool) => None,
        (Simplex | Cov | Ordered, _) | (_, Simplex | Cov | Ordered) => Some(Real),
        _ => Some(Facts::of_support(a).and(Facts::of_support(b)).support()),
    }
}

/// How a value of one support may stand where another is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    AsIs,
    /// An `Int` or `Cat` as a real number
    ToReal,
    No,
}

pub fn fit(found: &Support, wanted: &Support) -> Fit {
    use Support::*;
    match (found, wanted) {
        _ if found == wanted => Fit::AsIs,
        (Int | Cat(_), Real) => Fit::ToReal,
        (Int | Cat(_), Int | Cat(_)) => Fit::AsIs,
        (Positive | Unit | Bit | Spin | Simplex | Cov | Ordered, Real) => Fit::AsIs,
        (Bit | Simplex, Unit) => Fit::AsIs,
        _ => Fit::No,
    }
}

/// Whether a number that is known to lie in one support may lie outside another, of which it can still be asked whether it does.
pub fn may_leave(found: &Support, wanted: &Support) -> bool {
    use Support::*;
    match (found, wanted) {
        _ if found == wanted => false,
        (Bool, _) | (_, Real | Bool | Simplex | Cov | Ordered) => false,
        // An `Int` may stand for a class, but need not be one.
        (Int | Cat(_), Cat(_)) => true,
        (_, Positive | Unit | Bit | Spin | Int | Cat(_)) => fit(found, wanted) == Fit::No,
    }
}

/// Whether a constant lies in a support. `None`: the support is not one of single numbers.
pub fn contains(support: &Support, value: f64) -> Option<bool> {
    match support {
        Support::Real => Some(true),
        Support::Positive => Some(value > 0.0),
        Support::Unit => Some((0.0..=1.0).contains(&value)),
        Support::Bit => Some(value == 0.0 || value == 1.0),
        Support::Spin => Some(value.abs() == 1.0),
        Support::Int => Some(value.fract() == 0.0),
        Support::Cat(size) => Some(value.fract() == 0.0 && value >= 0.0 && size.constant().is_none_or(|k| value < k as f64)),
        Support::Bool | Support::Simplex | Support::Cov | Support::Ordered => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_in_every_support_that_holds_it() {
        let half = Facts::of_number(0.5);
        assert!(half.positive && half.unit);
        assert_eq!(binary(BinaryOp::Mul, half, Facts::of_support(&Support::Unit), false, false).support(), Support::Unit);
        assert_eq!(binary(BinaryOp::Mul, half, Facts::of_support(&Support::Positive), false, false).support(), Support::Positive);
    }

    #[test]
    fn supports_widen_upward_only() {
        assert_eq!(fit(&Support::Positive, &Support::Real), Fit::AsIs);
        assert_eq!(fit(&Support::Real, &Support::Positive), Fit::No);
        assert_eq!(fit(&Support::Bit, &Support::Unit), Fit::AsIs);
        assert_eq!(fit(&Support::Bool, &Support::Real), Fit::No);
        assert_eq!(either(&Support::Positive, &Support::Bit), Some(Support::Real));
    }
}
