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

/// The contraction of a join along the joined axis, where some parts are the same in every row: these are contracted by themselves, once.
pub(super) fn contracted<'a>(cx: &Rewriter<'a>, parts: &[Term<'a>], axis: usize, y: Term<'a>, [a, b, out]: [&[u8]; 3]) -> Option<Term<'a>> {
    let place = b.iter().position(|label| *label == a[axis])?;
    let mut groups: Vec<(Vec<usize>, Vec<NodeId>, usize)> = vec![];
    for part in parts {
        let along: Vec<usize> = repetitions(cx, *part).into_iter().filter(|&i| i != axis).collect();
        let length = part.shape()[axis];
        match groups.last_mut().filter(|(last, ..)| *last == along) {
            Some((_, ids, total)) => {
                ids.push(part.id);
                *total += length;
            }
            None => groups.push((along, vec![part.id], length)),
        }
    }
    if groups.len() < 2 || groups.len() > MOST || groups.iter().all(|(along, ..)| along.is_empty()) {
        return None;
    }
    let mut from = 0;
    let product = |(along, ids, length): (Vec<usize>, Vec<NodeId>, usize)| {
        let weights = y.make(|builder| builder.slice_axis(y.id, place, from, from + length));
        from += length;
        let part = joined_once(cx, &ids, axis, &along);
        part.contract(weights, a, b, out)
    };
    groups.into_iter().map(product).reduce(|sum, term| sum + term)
}

/// A join of parts that are all repeated along the same other axes: joined once, then repeated.
pub(super) fn repeated<'a>(cx: &Rewriter<'a>, parts: &[NodeId], axis: usize) -> Option<Term<'a>> {
    let mut along: Vec<usize> = (0..cx.term(*parts.first()?).rank()).filter(|&i| i != axis).collect();
    for &part in parts {
        let repeated = repetitions(cx, cx.term(part));
        along.retain(|i| repeated.contains(i));
    }
    (!along.is_empty()).then(|| joined_once(cx, parts, axis, &along))
}

/// Along which axes a term is repeated.
fn repetitions<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Vec<usize> {
    let shape = x.shape();
    let own = cx.broadcast(x).map_or((0..shape.len()).collect(), |(_, own)| own);
    (0..shape.len()).filter(|i| shape[*i] > 1 && !own.contains(i)).collect()
}

/// The join of parts that are all repeated along some axes, joined before they are repeated.
fn joined_once<'a>(cx: &Rewriter<'a>, ids: &[NodeId], axis: usize, along: &[usize]) -> Term<'a> {
    let rank = cx.term(ids[0]).rank();
    let kept: Vec<usize> = (0..rank).filter(|i| !along.contains(i)).collect();
    let place = |own: &usize| kept.iter().position(|axis| axis == own);
    let once = |id: &NodeId| {
        let part = cx.term(*id);
        let (own, axes) = cx.broadcast(part).unwrap_or((part, (0..rank).collect()));
        let small: Vec<usize> = kept.iter().map(|&i| part.shape()[i]).collect();
        own.broadcast(&small, &axes.iter().filter_map(place).collect::<Vec<_>>()).id
    };
    let parts: Vec<NodeId> = ids.iter().map(once).collect();
    let mut shape = cx.term(ids[0]).shape();
    shape[axis] = ids.iter().map(|id| cx.term(*id).shape()[axis]).sum();
    let whole = cx.term(ids[0]).make(|b| b.join(&parts, axis - along.iter().filter(|&&i| i < axis).count()));
    whole.broadcast(&shape, &kept)
}
