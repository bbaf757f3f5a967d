//! Values outside the range of a map: no argument leads there, so that the density is zero.

use super::solver::Solver;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, UnaryOp};
use crate::graph::{Builder, NodeId, Op};

/// The open interval of the values of a step, where that is not all numbers; and a number inside.
#[derive(Clone, Copy)]
pub(super) struct Range {
    above: f64,
    below: f64,
    within: f64,
}

const POSITIVE: Range = Range { above: 0.0, below: f64::INFINITY, within: 1.0 };

/// Of a function that has an inverse.
pub(super) fn of_unary(op: UnaryOp) -> Option<Range> {
    use UnaryOp::*;
    match op {
        Exp | Sqrt | Softplus => Some(POSITIVE),
        Expm1 => Some(Range { above: -1.0, within: 0.0, ..POSITIVE }),
        Tanh | Erf => Some(Range { above: -1.0, below: 1.0, within: 0.0 }),
        Sigmoid => Some(Range { above: 0.0, below: 1.0, within: 0.5 }),
        Neg | Log | Log1p | Recip | ErfInv => None,
        Abs | Sign | Sin | Cos | LogGamma | Digamma | Trigamma | Floor | Ceil | Round | Not | IsFinite => None,
    }
}

/// Of one operand of an operation of two; `first`: of the left one.
pub(super) fn of_binary(op: BinaryOp, first: bool) -> Option<Range> {
    (op == BinaryOp::Pow && !first).then_some(POSITIVE)
}

impl Range {
    /// Which values lie outside. One that is not a number does not: it stays visible.
    fn outside(self, b: &mut Builder, y: NodeId) -> NodeId {
        let least = b.fill_like(self.above, y);
        let low = b.compare(CompareOp::Le, y, least);
        if self.below.is_infinite() {
            return low;
        }
        let most = b.fill_like(self.below, y);
        let high = b.compare(CompareOp::Ge, y, most);
        b.binary(BinaryOp::Or, low, high)
    }
}

impl Solver<'_, '_> {
    /// Goes on from a value inside the range, and counts an infinite log-determinant for one outside: its density is 0, and derivatives
    /// stay finite.
    pub(super) fn keep_within(&mut self, id: NodeId, range: Option<Range>) -> Result<()> {
        let (Some(range), true) = (range, self.judges_range()) else { return Ok(()) };
        let y = self.value(id)?;
        // A value of the same function lies in its range.
        let map = self.map;
        if matches!(&map.node(id).op, op @ Op::Unary(_) if self.b().graph().node(y).op == *op) {
            return Ok(());
        }
        let b = self.b();
        let outside = range.outside(b, y);
        let (inside, infinite, zero) = (b.fill_like(range.within, y), b.fill_like(f64::INFINITY, y), b.fill_like(0.0, y));
        let (kept, penalty) = (b.select(outside, inside, y), b.select(outside, infinite, zero));
        self.replace(id, kept);
        let penalty = self.within_cells(id, penalty)?;
        self.add_penalty(&penalty)
    }
}

impl Lowering<'_> {
    /// A log-density, −∞ outside the range of the map.
    pub(super) fn within_range(&mut self, log: &Array, penalty: Option<&Array>) -> Result<Array> {
        let Some(penalty) = penalty else { return Ok(log.clone()) };
        let zero = self.real(0.0);
        let outside = self.compare(CompareOp::Gt, penalty, &zero)?;
        let impossible = self.real(f64::NEG_INFINITY);
        self.select(&outside, &impossible, log)
    }
}
