//! Rules of arrays in pieces, joined or with margins of zeros: operations are moved into the pieces, so that each is computed where it is
//! made and none is copied. The derivative of slices is a sum of arrays with margins, which become a join.

use super::rewriter::Rewriter;
use crate::base::op::{BinaryOp, ReduceOp};
use crate::graph::{NodeId, Op};
use crate::pass::term::Term;

/// An array of more pieces than this stays whole.
const MOST: usize = 4;

/// Where an array is cut along one axis: the inner ends of its pieces.
struct Cuts {
    axis: usize,
    at: Vec<usize>,
}

fn cuts<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Option<Cuts> {
    match cx.open(x)? {
        (Op::Join { axis }, parts) => {
            let ends = parts.iter().scan(0, |end, part| {
                *end += part.shape()[axis];
                Some(*end)
            });
            Some(Cuts { axis, at: ends.take(parts.len() - 1).collect() })
        }
        (Op::Pad { before, after }, args) => {
            let mut padded = (0..before.len()).filter(|&axis| before[axis] + after[axis] > 0);
            let (Some(axis), None) = (padded.next(), padded.next()) else { return None };
            let (from, to, end) = (before[axis], before[axis] + args[0].shape()[axis], x.shape()[axis]);
            Some(Cuts { axis, at: [from, to].into_iter().filter(|&at| at > 0 && at < end).collect() })
        }
        _ => None,
    }
}

/// Whether the pieces of `x` between any cuts along the axis cost nothing.
fn is_even<'a>(cx: &Rewriter<'a>, x: Term<'a>, axis: usize) -> bool {
    cx.broadcast(x).is_some_and(|(_, axes)| !axes.contains(&axis))
}

/// An elementwise operation of joins, and of what is repeated along the joined axis: a join of operations.
pub(super) fn elementwise<'a>(cx: &Rewriter<'a>, op: &Op, args: &[NodeId], y: Term<'a>) -> Option<Term<'a>> {
    let args: Vec<Term<'a>> = args.iter().map(|&arg| cx.term(arg)).collect();
    let is_sum = matches!(op, Op::Binary(BinaryOp::Add | BinaryOp::Sub));
    let joined = args.iter().filter(|&&x| matches!(cx.open(x), Some((Op::Join { .. }, _)))).count();
    let padded = args.iter().filter(|&&x| matches!(cx.open(x), Some((Op::Pad { .. }, _)))).count();
    if joined == 0 && !(is_sum && padded == 2) {
        return None;
    }
    let found: Vec<Option<Cuts>> = args.iter().map(|&x| cuts(cx, x)).collect();
    let axis = found.iter().flatten().next()?.axis;
    let fits = |(x, cuts): (&Term<'a>, &Option<Cuts>)| cuts.as_ref().map_or(is_even(cx, *x, axis), |cuts| cuts.axis == axis);
    if !args.iter().zip(&found).all(fits) {
        return None;
    }
    let mut at: Vec<usize> = found.iter().flatten().flat_map(|cuts| cuts.at.iter().copied()).collect();
    at.sort_unstable();
    at.dedup();
    if at.len() + 1 > MOST {
        return None;
    }
    let ends = at.iter().copied().chain([y.shape()[axis]]);
    let starts = [0].into_iter().chain(at.iter().copied());
    let piece = |(from, to): (usize, usize)| {
        let operands: Vec<NodeId> = args.iter().map(|x| x.make(|b| b.slice_axis(x.id, axis, from, to)).id).collect();
        y.make(|b| b.push(op.clone(), &operands)).id
    };
    let pieces: Vec<NodeId> = starts.zip(ends).map(piece).collect();
    Some(y.make(|b| b.join(&pieces, axis)))
}

/// A reduction of a join: of its parts, joined or combined.
pub(super) fn reduced<'a>(cx: &Rewriter<'a>, op: ReduceOp, x: Term<'a>, axes: &[usize]) -> Option<Term<'a>> {
    let (Op::Join { axis }, parts) = cx.open(x)? else { return None };
    if parts.len() > MOST {
        return None;
    }
    let parts: Vec<Term<'a>> = parts.into_iter().map(|part| part.apply(Op::Reduce { op, axes: axes.to_vec() })).collect();
    if !axes.contains(&axis) {
        let ids: Vec<NodeId> = parts.iter().map(|part| part.id).collect();
        let place = axis - axes.iter().filter(|&&reduced| reduced < axis).count();
        return Some(x.make(|b| b.join(&ids, place)));
    }
    let combine = match op {
        ReduceOp::Sum => BinaryOp::Add,
        ReduceOp::Prod => BinaryOp::Mul,
        ReduceOp::Max => BinaryOp::Max,
        ReduceOp::Min => BinaryOp::Min,
        ReduceOp::And => BinaryOp::And,
        ReduceOp::Or => BinaryOp::Or,
    };
    parts.into_iter().reduce(|a, b| a.binary(combine, b))
}

/// Parts in the opposite order where the joined axis is reversed.
pub(super) fn reversed<'a>(x: Term<'a>, parts: &[Term<'a>], axis: usize, axes: &[usize]) -> Option<Term<'a>> {
    if parts.len() > MOST {
        return None;
    }
    let mut parts: Vec<NodeId> = parts.iter().map(|part| part.apply(Op::Reverse { axes: axes.to_vec() }).id).collect();
    if axes.contains(&axis) {
        parts.reverse();
    }
    Some(x.make(|b| b.join(&parts, axis)))
}
