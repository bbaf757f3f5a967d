//! Stable forms, chosen while the graph is built, so that derivatives are taken of the stable form.

use super::lowering::Lowering;
use super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use crate::graph::{Builder, NodeId, Op};

/// An elementwise function, by a form that neither overflows nor cancels where its operand has one.
pub(super) fn unary(b: &mut Builder, op: UnaryOp, x: NodeId) -> NodeId {
    match (op, b.graph().node(x).op.clone()) {
        // log exp x = x
        (UnaryOp::Log, Op::Unary(UnaryOp::Exp)) => operand(b, x),
        // log sigmoid x = −softplus(−x)
        (UnaryOp::Log, Op::Unary(UnaryOp::Sigmoid)) => {
            let minus = operand(b, x);
            let minus = b.neg(minus);
            let softplus = b.unary(UnaryOp::Softplus, minus);
            b.neg(softplus)
        }
        // log(1 ± e)
        (UnaryOp::Log, Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub))) => {
            let args = b.graph().node(x).args.clone();
            match (is_one(b, args[0]), op) {
                (true, BinaryOp::Add) => log1p(b, args[1]),
                (true, _) => {
                    let minus = b.neg(args[1]);
                    log1p(b, minus)
                }
                (false, BinaryOp::Add) if is_one(b, args[1]) => log1p(b, args[0]),
                (false, _) => b.unary(UnaryOp::Log, x),
            }
        }
        (UnaryOp::Log1p, _) => log1p(b, x),
        _ => b.unary(op, x),
    }
}

/// log(1 + x): of exp, softplus; of −sigmoid, −softplus; of −exp, by the half that keeps digits
/// (Mächler: Accurately computing log(1 − exp(−|a|)), 2012).
fn log1p(b: &mut Builder, x: NodeId) -> NodeId {
    match b.graph().node(x).op.clone() {
        Op::Unary(UnaryOp::Exp) => {
            let a = operand(b, x);
            b.unary(UnaryOp::Softplus, a)
        }
        Op::Unary(UnaryOp::Neg) => {
            let inner = operand(b, x);
            match b.graph().node(inner).op.clone() {
                Op::Unary(UnaryOp::Sigmoid) => {
                    let a = operand(b, inner);
                    let softplus = b.unary(UnaryOp::Softplus, a);
                    b.neg(softplus)
                }
                Op::Unary(UnaryOp::Exp) => {
                    let a = operand(b, inner);
                    let limit = b.fill_like(-std::f64::consts::LN_2, a);
                    let near = b.compare(CompareOp::Gt, a, limit);
                    let expm1 = b.unary(UnaryOp::Expm1, a);
                    let flipped = b.neg(expm1);
                    let one = b.fill_like(1.0, a);
                    let safe = b.select(near, flipped, one);
                    let close = b.unary(UnaryOp::Log, safe);
                    let zero = b.fill_like(0.0, a);
                    let safe = b.select(near, zero, x);
                    let far = b.unary(UnaryOp::Log1p, safe);
                    b.select(near, close, far)
                }
                _ => b.unary(UnaryOp::Log1p, x),
            }
        }
        _ => b.unary(UnaryOp::Log1p, x),
    }
}

fn operand(b: &Builder, x: NodeId) -> NodeId {
    b.graph().node(x).args[0]
}

fn is_one(b: &Builder, x: NodeId) -> bool {
    match &b.graph().node(x).op {
        Op::Fill { bits, dtype: DType::Real, .. } => f64::from_bits(*bits) == 1.0,
        Op::Broadcast { .. } => is_one(b, operand(b, x)),
        _ => false,
    }
}

impl Lowering<'_> {
    /// log Σ exp x over plates, with the maximum taken out; −∞ where all are.
    pub(super) fn log_sum_exp(&mut self, x: &Array, plates: &[PlateId]) -> Result<Array> {
        let max = self.reduce(ReduceOp::Max, x, plates);
        let max = self.stop(&max);
        let finite = self.unary(UnaryOp::IsFinite, &max);
        let zero = self.real(0.0);
        let shift = self.select(&finite, &max, &zero)?;
        let shifted = self.sub(x, &shift)?;
        let exp = self.unary(UnaryOp::Exp, &shifted);
        let sum = self.sum_over(&exp, plates);
        let log = self.unary(UnaryOp::Log, &sum);
        self.add(&log, &shift)
    }
}
