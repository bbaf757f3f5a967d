//! Derivatives of the elementwise operations.
//!
//! Their Jacobians are diagonal, so one line serves both modes: it multiplies `g`, the cotangent of the result (reverse) or the
//! tangent of the operand (forward), by the partial derivative. `None` is zero.

use crate::base::op::{BinaryOp, CompareOp, UnaryOp};
use crate::base::{Code, Diagnostic};
use crate::pass::term::Term;
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

pub(super) fn unary<'a>(op: UnaryOp, g: Term<'a>, x: Term<'a>, y: Term<'a>) -> Result<Option<Term<'a>>, Diagnostic> {
    use UnaryOp::*;
    Ok(Some(match op {
        Neg => -g,
        Abs => g * x.unary(Sign),
        Exp => g * y,
        Expm1 => g * (y + 1.0),
        Log => g / x,
        Log1p => g / (1.0 + x),
        Sqrt => g * 0.5 / y,
        Recip => -g * (y * y),
        Sin => g * x.unary(Cos),
        Cos => -g * x.unary(Sin),
        Tanh => g * (1.0 - y * y),
        Sigmoid => g * (y * (1.0 - y)),
        Softplus => g * x.unary(Sigmoid),
        Erf => g * (FRAC_2_SQRT_PI * (-x * x).exp()),
        ErfInv => g * (PI.sqrt() / 2.0 * (y * y).exp()),
        LogGamma => g * x.unary(Digamma),
        Digamma => g * x.unary(Trigamma),
        Trigamma => return Err(Diagnostic::new(Code::NoDerivative, "the derivative of the trigamma function is not known here")),
        Sign | Floor | Ceil | Round | Not | IsFinite => return Ok(None),
    }))
}

/// With respect to operand number `operand`. At a tie, `Max` and `Min` follow the second operand.
pub(super) fn binary<'a>(op: BinaryOp, operand: usize, g: Term<'a>, [a, b]: [Term<'a>; 2], y: Term<'a>) -> Option<Term<'a>> {
    use BinaryOp::*;
    Some(match (op, operand) {
        (Add, _) => g,
        (Sub, 0) => g,
        (Sub, _) => -g,
        (Mul, 0) => g * b,
        (Mul, _) => g * a,
        (Div, 0) => g / b,
        (Div, _) => -g * y / b,
        (Rem, 0) => g,
        (Rem, _) => -g * (a / b).unary(UnaryOp::Floor),
        (Pow, 0) => (g * b * a.pow(b - 1.0)).except_where(b.compare(CompareOp::Eq, b.zeros())),
        (Pow, _) => (g * y * a.log()).only_where(a.compare(CompareOp::Gt, a.zeros())),
        (Max, 0) => g.only_where(a.compare(CompareOp::Gt, b)),
        (Max, _) => g.except_where(a.compare(CompareOp::Gt, b)),
        (Min, 0) => g.only_where(a.compare(CompareOp::Lt, b)),
        (Min, _) => g.except_where(a.compare(CompareOp::Lt, b)),
        (FloorDiv | And | Or, _) => return None,
    })
}

/// Of `Select` with respect to its second (`operand` 1) or third operand.
pub(super) fn select<'a>(operand: usize, g: Term<'a>, condition: Term<'a>) -> Term<'a> {
    if operand == 1 { g.only_where(condition) } else { g.except_where(condition) }
}
