//! Elementwise functions of one operand: inverse, and the logarithm of the slope's magnitude.

use crate::algebra::stable;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::graph::{Builder, NodeId, Op};

/// x from y = f(x); `None` where f is not one to one.
pub(super) fn unary_inverse(b: &mut Builder, op: UnaryOp, y: NodeId) -> Option<NodeId> {
    use UnaryOp::*;
    Some(match op {
        Neg => b.neg(y),
        Exp => stable::unary(b, Log, y),
        Expm1 => b.unary(Log1p, y),
        Log => b.exp(y),
        Log1p => b.unary(Expm1, y),
        Sqrt => b.mul(y, y),
        Recip => b.unary(Recip, y),
        // artanh y = (log1p y − log1p −y) / 2
        Tanh => {
            let minus = b.neg(y);
            let (plus, minus) = (b.unary(Log1p, y), b.unary(Log1p, minus));
            let (difference, half) = (b.sub(plus, minus), b.fill_like(0.5, y));
            b.mul(difference, half)
        }
        // logit
        Sigmoid => {
            let minus = b.neg(y);
            let (log, log1p) = (stable::unary(b, Log, y), b.unary(Log1p, minus));
            b.sub(log, log1p)
        }
        // log(eʸ − 1) = y + log(1 − e⁻ʸ)
        Softplus => {
            let minus = b.neg(y);
            let below = b.unary(Expm1, minus);
            let below = b.neg(below);
            let log = b.log(below);
            b.add(y, log)
        }
        Erf => b.unary(ErfInv, y),
        ErfInv => b.unary(Erf, y),
        Abs | Sign | Sin | Cos | LogGamma | Digamma | Trigamma | Floor | Ceil | Round | Not | IsFinite => return None,
    })
}

/// log |f′(x)|, where y = f(x).
pub(super) fn unary_slope(b: &mut Builder, op: UnaryOp, x: NodeId, y: NodeId) -> Option<NodeId> {
    use UnaryOp::*;
    Some(match op {
        Neg => b.fill_like(0.0, x),
        Exp | Expm1 => x,
        Log | Log1p => b.neg(y),
        Sqrt => {
            let (log, two) = (log_abs(b, y), b.fill_like(-std::f64::consts::LN_2, y));
            b.sub(two, log)
        }
        Recip => {
            let (log, two) = (log_abs(b, x), b.fill_like(-2.0, x));
            b.mul(two, log)
        }
        // log(1 − tanh² x) = 2 (log 2 − x − softplus(−2x))
        Tanh => {
            let (minus_two, two) = (b.fill_like(-2.0, x), b.fill_like(2.0, x));
            let doubled = b.mul(minus_two, x);
            let (softplus, log2) = (b.unary(Softplus, doubled), b.fill_like(std::f64::consts::LN_2, x));
            let inner = b.sub(log2, x);
            let inner = b.sub(inner, softplus);
            b.mul(two, inner)
        }
        // log σ(x) σ(−x)
        Sigmoid => {
            let minus = b.neg(x);
            let (up, down) = (b.unary(Softplus, x), b.unary(Softplus, minus));
            let sum = b.add(up, down);
            b.neg(sum)
        }
        // log σ(x)
        Softplus => {
            let minus = b.neg(x);
            let softplus = b.unary(Softplus, minus);
            b.neg(softplus)
        }
        Erf => gaussian(b, x, 1.0),
        ErfInv => gaussian(b, y, -1.0),
        Abs | Sign | Sin | Cos | LogGamma | Digamma | Trigamma | Floor | Ceil | Round | Not | IsFinite => return None,
    })
}

/// ± (log(2 / √π) − x²)
fn gaussian(b: &mut Builder, x: NodeId, sign: f64) -> NodeId {
    let constant = (2.0 / std::f64::consts::PI.sqrt()).ln();
    let (square, constant, sign) = (b.mul(x, x), b.fill_like(constant, x), b.fill_like(sign, x));
    let log = b.sub(constant, square);
    b.mul(sign, log)
}

/// An operation of two operands, of which the one that is not known stands first or second.
#[derive(Clone, Copy)]
pub(super) struct OneUnknown {
    pub op: BinaryOp,
    pub first: bool,
    pub known: NodeId,
}

/// The unknown operand from the result.
pub(super) fn binary_inverse(b: &mut Builder, of: OneUnknown, y: NodeId) -> Option<NodeId> {
    let k = of.known;
    Some(match (of.op, of.first) {
        (BinaryOp::Add, _) => b.sub(y, k),
        (BinaryOp::Sub, true) => b.add(y, k),
        (BinaryOp::Sub, false) => b.sub(k, y),
        (BinaryOp::Mul, _) => divided(b, y, k),
        (BinaryOp::Div, true) => b.mul(y, k),
        (BinaryOp::Div, false) => b.div(k, y),
        (BinaryOp::Pow, true) => {
            let power = odd(b, k)?;
            let (size, sign) = (b.unary(UnaryOp::Abs, y), b.unary(UnaryOp::Sign, y));
            let root = b.fill_like(1.0 / power, y);
            let root = b.binary(BinaryOp::Pow, size, root);
            b.mul(sign, root)
        }
        (BinaryOp::Pow, false) => {
            let (y, k) = (b.log(y), b.log(k));
            b.div(y, k)
        }
        (BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Max | BinaryOp::Min | BinaryOp::And | BinaryOp::Or, _) => return None,
    })
}

/// The logarithm of the slope's magnitude with respect to the unknown operand x, where y is the result.
pub(super) fn binary_slope(b: &mut Builder, of: OneUnknown, x: NodeId, y: NodeId) -> Option<NodeId> {
    let k = of.known;
    Some(match (of.op, of.first) {
        (BinaryOp::Add | BinaryOp::Sub, _) => b.fill_like(0.0, x),
        (BinaryOp::Mul, _) => log_abs(b, k),
        (BinaryOp::Div, true) => {
            let log = log_abs(b, k);
            b.neg(log)
        }
        (BinaryOp::Div, false) => {
            let (k, x, two) = (log_abs(b, k), log_abs(b, x), b.fill_like(2.0, x));
            let twice = b.mul(two, x);
            b.sub(k, twice)
        }
        (BinaryOp::Pow, true) => {
            let power = odd(b, k)?;
            let (log, less) = (log_abs(b, x), b.fill_like(power - 1.0, x));
            let (scaled, own) = (b.mul(less, log), b.fill_like(power.abs().ln(), x));
            b.add(scaled, own)
        }
        (BinaryOp::Pow, false) => {
            let base = b.log(k);
            let (own, base) = (log_abs(b, y), log_abs(b, base));
            b.add(own, base)
        }
        (BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Max | BinaryOp::Min | BinaryOp::And | BinaryOp::Or, _) => return None,
    })
}

/// y / k, as y · exp(−s) where k = exp(s).
fn divided(b: &mut Builder, y: NodeId, k: NodeId) -> NodeId {
    if b.graph().node(k).op == Op::Unary(UnaryOp::Exp) {
        let minus = b.graph().node(k).args[0];
        let minus = b.neg(minus);
        let inverse = b.exp(minus);
        return b.mul(y, inverse);
    }
    b.div(y, k)
}

/// An odd whole number filled over a shape.
fn odd(b: &Builder, k: NodeId) -> Option<f64> {
    constant(b, k).filter(|power| power.rem_euclid(2.0) == 1.0)
}

/// The number with which an array is filled.
pub(super) fn constant(b: &Builder, id: NodeId) -> Option<f64> {
    let node = b.graph().node(id);
    match &node.op {
        Op::Fill { bits, .. } => Some(f64::from_bits(*bits)),
        Op::Broadcast { .. } | Op::Reshape(_) => constant(b, node.args[0]),
        Op::Cast(DType::Real) => constant(b, node.args[0]),
        _ => None,
    }
}

/// log |x|, by the logarithm of each factor.
pub(super) fn log_abs(b: &mut Builder, x: NodeId) -> NodeId {
    let node = b.graph().node(x).clone();
    match &node.op {
        Op::Fill { bits, .. } => b.fill_like(f64::from_bits(*bits).abs().ln(), x),
        Op::Unary(UnaryOp::Exp) => node.args[0],
        Op::Unary(UnaryOp::Neg | UnaryOp::Abs) => log_abs(b, node.args[0]),
        Op::Unary(UnaryOp::Recip) => {
            let log = log_abs(b, node.args[0]);
            b.neg(log)
        }
        Op::Unary(UnaryOp::Sigmoid | UnaryOp::Softplus) => stable::unary(b, UnaryOp::Log, x),
        Op::Binary(BinaryOp::Mul) => {
            let (left, right) = (log_abs(b, node.args[0]), log_abs(b, node.args[1]));
            b.add(left, right)
        }
        Op::Broadcast { shape, axes } => {
            let log = log_abs(b, node.args[0]);
            b.broadcast(log, shape, axes)
        }
        _ => {
            let size = b.unary(UnaryOp::Abs, x);
            b.log(size)
        }
    }
}
