//! One element at a time. The scalar functions are public: passes fold constants with them.

use super::Value;
use crate::base::op::{BinaryOp, CompareOp, DType, UnaryOp};
use crate::base::special;
use crate::graph::TensorType;
use std::sync::Arc;

pub fn unary(op: UnaryOp, x: &Value) -> Value {
    let dtype = if op == UnaryOp::IsFinite { DType::Bool } else { x.ty.dtype };
    x.map(dtype, |x| unary_scalar(op, x))
}

pub fn binary(op: BinaryOp, a: &Value, b: &Value) -> Value {
    // A loop for each operation, of which the compiler makes vectors where it can
    macro_rules! loops {
        ($($op:ident)*) => {
            match op {
                $(BinaryOp::$op => zip(a.ty.clone(), a, b, |x, y| binary_scalar(BinaryOp::$op, a.ty.dtype, x, y)),)*
            }
        };
    }
    loops!(Add Sub Mul Div FloorDiv Rem Pow Max Min And Or)
}

pub fn compare(op: CompareOp, a: &Value, b: &Value) -> Value {
    zip(TensorType::new(DType::Bool, a.shape()), a, b, |x, y| f64::from(compare_scalar(op, x, y)))
}

pub fn select(condition: &Value, a: &Value, b: &Value) -> Value {
    let choices = condition.elements.iter().zip(a.elements.iter().zip(b.elements.iter()));
    Value::new(a.ty.clone(), choices.map(|(&c, (&a, &b))| if c != 0.0 { a } else { b }).collect::<Arc<[f64]>>())
}

pub fn cast(x: &Value, dtype: DType) -> Value {
    let from = x.ty.dtype;
    x.map(dtype, |x| cast_scalar(x, from, dtype))
}

fn zip(ty: TensorType, a: &Value, b: &Value, f: impl Fn(f64, f64) -> f64) -> Value {
    Value::new(ty, a.elements.iter().zip(b.elements.iter()).map(|(&x, &y)| f(x, y)).collect::<Arc<[f64]>>())
}

pub fn unary_scalar(op: UnaryOp, x: f64) -> f64 {
    match op {
        UnaryOp::Neg => -x,
        UnaryOp::Abs => x.abs(),
        UnaryOp::Sign => sign(x),
        UnaryOp::Exp => x.exp(),
        UnaryOp::Expm1 => x.exp_m1(),
        UnaryOp::Log => x.ln(),
        UnaryOp::Log1p => x.ln_1p(),
        UnaryOp::Sqrt => x.sqrt(),
        UnaryOp::Recip => x.recip(),
        UnaryOp::Sin => x.sin(),
        UnaryOp::Cos => x.cos(),
        UnaryOp::Tanh => x.tanh(),
        UnaryOp::Sigmoid => special::sigmoid(x),
        UnaryOp::Softplus => special::softplus(x),
        UnaryOp::Erf => special::erf(x),
        UnaryOp::ErfInv => special::erfinv(x),
        UnaryOp::LogGamma => special::lgamma(x),
        UnaryOp::Digamma => special::digamma(x),
        UnaryOp::Trigamma => special::trigamma(x),
        UnaryOp::Floor => x.floor(),
        UnaryOp::Ceil => x.ceil(),
        UnaryOp::Round => x.round_ties_even(),
        UnaryOp::Not => 1.0 - x,
        UnaryOp::IsFinite => f64::from(x.is_finite()),
    }
}

/// Zero for both zeros; NaN for NaN.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// `dtype` is the operands'.
#[inline]
pub fn binary_scalar(op: BinaryOp, dtype: DType, x: f64, y: f64) -> f64 {
    match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::FloorDiv => floor_div(x as i64, y as i64) as f64,
        BinaryOp::Rem if dtype == DType::Int && y == 0.0 => x,
        BinaryOp::Rem => rem(x, y),
        BinaryOp::Pow => x.powf(y),
        BinaryOp::Max => max(x, y),
        BinaryOp::Min => min(x, y),
        BinaryOp::And => f64::from(x != 0.0 && y != 0.0),
        BinaryOp::Or => f64::from(x != 0.0 || y != 0.0),
    }
}

fn floor_div(x: i64, y: i64) -> i64 {
    match x.checked_rem_euclid(y) {
        None => 0,
        Some(_) if y > 0 => x.div_euclid(y),
        Some(_) => (-x).div_euclid(-y),
    }
}

/// Exact: the fractional quotient is never formed.
fn rem(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
}

/// NaN if either is.
pub fn max(x: f64, y: f64) -> f64 {
    if x.is_nan() || x > y { x } else { y }
}

/// NaN if either is.
pub fn min(x: f64, y: f64) -> f64 {
    if x.is_nan() || x < y { x } else { y }
}

pub fn compare_scalar(op: CompareOp, x: f64, y: f64) -> bool {
    match op {
        CompareOp::Eq => x == y,
        CompareOp::Ne => x != y,
        CompareOp::Lt => x < y,
        CompareOp::Le => x <= y,
        CompareOp::Gt => x > y,
        CompareOp::Ge => x >= y,
    }
}

pub fn cast_scalar(x: f64, from: DType, to: DType) -> f64 {
    match (from, to) {
        (_, DType::Bool) => f64::from(x != 0.0),
        (DType::Real, DType::Int) => x.trunc(),
        (_, DType::Real) | (DType::Int | DType::Bool, DType::Int) => x,
    }
}
