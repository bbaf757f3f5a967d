//! Rules of the operations that move elements: two moves are one, a repeated value is moved before it is repeated.

use super::rewriter::Rewriter;
use super::{contraction, joins};
use crate::graph::{NodeId, Op};
use crate::pass::term::Term;

/// The number that fills `x`, over another shape.
fn refill<'a>(cx: &Rewriter<'a>, x: Term<'a>, shape: &[usize]) -> Option<Term<'a>> {
    let value = cx.number(x)?;
    let dtype = x.ty().dtype;
    Some(x.make(|b| b.fill(value, dtype, shape)))
}

pub(super) fn broadcast<'a>(cx: &Rewriter<'a>, x: Term<'a>, shape: &[usize], axes: &[usize]) -> Option<Term<'a>> {
    if x.shape() == shape {
        return Some(x);
    }
    match cx.open(x)? {
        (Op::Fill { .. }, _) => refill(cx, x, shape),
        (Op::Broadcast { axes: inner, .. }, args) => {
            let axes: Vec<usize> = inner.iter().map(|&axis| axes[axis]).collect();
            Some(args[0].broadcast(shape, &axes))
        }
        _ => None,
    }
}

pub(super) fn reshape<'a>(cx: &Rewriter<'a>, x: Term<'a>, shape: &[usize]) -> Option<Term<'a>> {
    if x.shape() == shape {
        return Some(x);
    }
    match cx.open(x)? {
        (Op::Fill { .. }, _) => refill(cx, x, shape),
        (Op::Reshape(_), args) => Some(args[0].reshape(shape)),
        // A single element is repeated whatever the shape
        (Op::Broadcast { axes, .. }, args) if axes.is_empty() => Some(args[0].broadcast(shape, &[])),
        _ => None,
    }
}

pub(super) fn transpose<'a>(cx: &Rewriter<'a>, x: Term<'a>, perm: &[usize]) -> Option<Term<'a>> {
    let shape: Vec<usize> = perm.iter().map(|&axis| x.shape()[axis]).collect();
    if perm.iter().copied().eq(0..perm.len()) {
        return Some(x);
    }
    let long: Vec<usize> = perm.iter().copied().filter(|&axis| x.shape()[axis] != 1).collect();
    if long.windows(2).all(|w| w[0] < w[1]) {
        return Some(x.reshape(&shape));
    }
    match cx.open(x)? {
        (Op::Fill { .. }, _) => refill(cx, x, &shape),
        (Op::Transpose(inner), args) => {
            let both: Vec<usize> = perm.iter().map(|&axis| inner[axis]).collect();
            Some(args[0].transpose(&both))
        }
        (Op::Broadcast { axes, .. }, args) => {
            // Where each axis of the repeated value comes to stand, then in increasing order
            let places: Vec<Option<usize>> = axes.iter().map(|axis| perm.iter().position(|p| p == axis)).collect();
            let mut order: Vec<usize> = (0..places.len()).collect();
            order.sort_by_key(|&i| places[i]);
            let axes: Vec<usize> = order.iter().filter_map(|&i| places[i]).collect();
            Some(args[0].transpose(&order).broadcast(&shape, &axes))
        }
        (Op::Reverse { axes }, args) => {
            let axes = (0..perm.len()).filter(|&axis| axes.contains(&perm[axis])).collect();
            Some(args[0].transpose(perm).apply(Op::Reverse { axes }))
        }
        (Op::Contract { a, b, out }, args) => {
            let moved: Vec<u8> = perm.iter().map(|&axis| out[axis]).collect();
            // Rows stay outermost
            let rows = contraction::outermost(args[0], args[1], [&a, &b, &moved]).filter(|_| !cx.keeps_stops);
            let fits = rows.is_none_or(|label| moved[0] == label || out[0] != label);
            fits.then(|| args[0].contract(args[1], &a, &b, &moved))
        }
        _ => None,
    }
}

pub(super) fn slice<'a>(cx: &Rewriter<'a>, x: Term<'a>, start: &[usize], stop: &[usize]) -> Option<Term<'a>> {
    let shape: Vec<usize> = start.iter().zip(stop).map(|(start, stop)| stop - start).collect();
    if x.shape() == shape {
        return Some(x);
    }
    let cut = |x: Term<'a>, start: &[usize], stop: &[usize]| x.make(|b| b.slice(x.id, start, stop));
    let (op, args) = cx.open(x)?;
    match op {
        Op::Fill { .. } => refill(cx, x, &shape),
        Op::Slice { start: inner, .. } => {
            let moved = |ends: &[usize]| -> Vec<usize> { ends.iter().zip(&inner).map(|(end, from)| end + from).collect() };
            Some(cut(args[0], &moved(start), &moved(stop)))
        }
        Op::Broadcast { axes, .. } => {
            let own = |ends: &[usize]| -> Vec<usize> { axes.iter().map(|&axis| ends[axis]).collect() };
            Some(cut(args[0], &own(start), &own(stop)).broadcast(&shape, &axes))
        }
        Op::Pad { before, .. } => {
            let size = args[0].shape();
            let inside = (0..shape.len()).all(|i| start[i] >= before[i] && stop[i] <= before[i] + size[i]);
            let moved = |ends: &[usize]| -> Vec<usize> { ends.iter().zip(&before).map(|(end, from)| end - from).collect() };
            if inside {
                return Some(cut(args[0], &moved(start), &moved(stop)));
            }
            let outside = (0..shape.len()).any(|i| stop[i] <= before[i] || start[i] >= before[i] + size[i]);
            outside.then(|| cut(x, start, stop).zeros())
        }
        Op::Transpose(perm) => {
            let of = |ends: &[usize]| {
                let mut own = vec![0; ends.len()];
                perm.iter().zip(ends).for_each(|(&axis, &end)| own[axis] = end);
                own
            };
            Some(cut(args[0], &of(start), &of(stop)).transpose(&perm))
        }
        Op::Reverse { axes } => {
            let size = x.shape();
            let mirrored = |ends: &[usize], others: &[usize]| -> Vec<usize> {
                (0..ends.len()).map(|i| if axes.contains(&i) { size[i] - others[i] } else { ends[i] }).collect()
            };
            Some(cut(args[0], &mirrored(start, stop), &mirrored(stop, start)).apply(Op::Reverse { axes }))
        }
        Op::Join { axis } => {
            let mut from = 0;
            for part in args {
                let to = from + part.shape()[axis];
                if start[axis] >= from && stop[axis] <= to {
                    let (mut start, mut stop) = (start.to_vec(), stop.to_vec());
                    (start[axis], stop[axis]) = (start[axis] - from, stop[axis] - from);
                    return Some(cut(part, &start, &stop));
                }
                from = to;
            }
            None
        }
        _ => None,
    }
}

pub(super) fn pad<'a>(cx: &Rewriter<'a>, x: Term<'a>, y: Term<'a>) -> Option<Term<'a>> {
    let nothing = x.shape() == y.shape();
    if nothing { Some(x) } else { (cx.number(x) == Some(0.0)).then(|| y.zeros()) }
}

pub(super) fn join<'a>(cx: &Rewriter<'a>, parts: &[NodeId], axis: usize, y: Term<'a>) -> Option<Term<'a>> {
    let parts: Vec<Term<'a>> = parts.iter().map(|&part| cx.term(part)).collect();
    if let [one] = parts[..] {
        return Some(one);
    }
    let numbers: Option<Vec<f64>> = parts.iter().map(|&part| cx.number(part)).collect();
    if let Some(numbers) = numbers {
        return numbers.windows(2).all(|w| w[0].to_bits() == w[1].to_bits()).then(|| y.number(numbers[0]));
    }
    let nested = |part: &Term<'a>| match cx.open(*part) {
        Some((Op::Join { axis: inner }, args)) if inner == axis => args,
        _ => vec![*part],
    };
    let flat: Vec<NodeId> = parts.iter().flat_map(nested).map(|part| part.id).collect();
    if flat.len() > parts.len() {
        return Some(y.make(|b| b.join(&flat, axis)));
    }
    let full: Vec<NodeId> = parts.iter().filter(|part| part.shape()[axis] > 0).map(|part| part.id).collect();
    if full.len() < parts.len() && !full.is_empty() {
        return Some(y.make(|b| b.join(&full, axis)));
    }
    joins::repeated(cx, &flat, axis)
}

pub(super) fn reverse<'a>(cx: &Rewriter<'a>, x: Term<'a>, axes: &[usize]) -> Option<Term<'a>> {
    if axes.iter().all(|&axis| x.shape()[axis] <= 1) {
        return Some(x);
    }
    match cx.open(x)? {
        (Op::Fill { .. }, _) => Some(x),
        (Op::Reverse { axes: inner }, args) if inner == axes => Some(args[0]),
        (Op::Join { axis }, parts) => joins::reversed(x, &parts, axis, axes),
        (Op::Broadcast { axes: own, .. }, args) => {
            let inner: Vec<usize> = (0..own.len()).filter(|&i| axes.contains(&own[i])).collect();
            let turned = if inner.is_empty() { args[0] } else { args[0].apply(Op::Reverse { axes: inner }) };
            Some(turned.broadcast(&x.shape(), &own))
        }
        _ => None,
    }
}
