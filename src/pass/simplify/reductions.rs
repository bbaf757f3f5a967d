//! Rules of reductions: what is repeated is reduced before it is repeated.

use super::rewriter::{Rewriter, View};
use super::{joins, products};
use crate::base::op::{DType, ReduceOp, UnaryOp};
use crate::graph::Op;
use crate::pass::term::Term;

pub(super) fn sum<'a>(cx: &Rewriter<'a>, x: Term<'a>, axes: &[usize]) -> Option<Term<'a>> {
    let shape = x.shape();
    let places: usize = axes.iter().map(|&axis| shape[axis]).product();
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    if let Some(value) = cx.number(x) {
        let dtype = x.ty().dtype;
        return Some(x.make(|b| b.fill(value * places as f64, dtype, &kept)));
    }
    if let Some(found) = any(cx, ReduceOp::Sum, x, axes) {
        return Some(found);
    }
    if let View::Unary(UnaryOp::Neg, a) = cx.view(x) {
        return Some(-a.sum(axes));
    }
    match cx.open(x)? {
        (Op::Broadcast { axes: own, .. }, args) => {
            let repeated: usize = axes.iter().filter(|axis| !own.contains(axis)).map(|&axis| shape[axis]).product();
            let summed = before_broadcast(ReduceOp::Sum, args[0], &own, &shape, axes);
            if repeated == 1 { Some(summed) } else { Some(summed * repeated as f64) }
        }
        (Op::Pad { before, .. }, args) => {
            let all = (0..shape.len()).all(|i| axes.contains(&i) || (before[i] == 0 && args[0].shape()[i] == shape[i]));
            all.then(|| args[0].sum(axes))
        }
        (Op::Reshape(_), args) if axes.len() == shape.len() => Some(args[0].sum(&(0..args[0].rank()).collect::<Vec<_>>())),
        _ if x.ty().dtype == DType::Real => products::sum_of_product(cx, x, axes).or_else(|| products::sum_of_products(cx, x, axes)),
        _ => None,
    }
}

/// `Prod`, `Max`, `Min`, `And`, `Or`.
pub(super) fn other<'a>(cx: &Rewriter<'a>, op: ReduceOp, x: Term<'a>, axes: &[usize]) -> Option<Term<'a>> {
    if let Some(found) = any(cx, op, x, axes) {
        return Some(found);
    }
    match cx.open(x)? {
        (Op::Broadcast { axes: own, .. }, args) => {
            let shape = x.shape();
            let repeated: usize = axes.iter().filter(|axis| !own.contains(axis)).map(|&axis| shape[axis]).product();
            let idempotent = matches!(op, ReduceOp::Max | ReduceOp::Min | ReduceOp::And | ReduceOp::Or);
            ((idempotent && repeated > 0) || repeated == 1).then(|| before_broadcast(op, args[0], &own, &shape, axes))
        }
        _ => None,
    }
}

/// What holds for all reductions.
fn any<'a>(cx: &Rewriter<'a>, op: ReduceOp, x: Term<'a>, axes: &[usize]) -> Option<Term<'a>> {
    let shape = x.shape();
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    if axes.iter().all(|&axis| shape[axis] == 1) {
        return Some(x.reshape(&kept.iter().map(|&axis| shape[axis]).collect::<Vec<_>>()));
    }
    match cx.open(x)? {
        (Op::Reduce { op: inner, axes: first }, args) if inner == op => {
            let left: Vec<usize> = (0..args[0].rank()).filter(|axis| !first.contains(axis)).collect();
            let mut all: Vec<usize> = axes.iter().map(|&axis| left[axis]).chain(first).collect();
            all.sort_unstable();
            Some(args[0].apply(Op::Reduce { op, axes: all }))
        }
        (Op::Transpose(perm), args) => {
            let mut inner: Vec<usize> = axes.iter().map(|&axis| perm[axis]).collect();
            inner.sort_unstable();
            // The axes that stay, in the order of the operand and in that of the result
            let wanted: Vec<usize> = kept.iter().map(|&axis| perm[axis]).collect();
            let mut found = wanted.clone();
            found.sort_unstable();
            let order: Vec<usize> = wanted.iter().filter_map(|axis| found.iter().position(|f| f == axis)).collect();
            Some(args[0].apply(Op::Reduce { op, axes: inner }).transpose(&order))
        }
        (Op::Join { .. }, _) => joins::reduced(cx, op, x, axes),
        _ => None,
    }
}

/// Reduces `x`, whose axes stand at `own` of `shape`, over those of `axes` that it has, and repeats it over the others.
pub(super) fn before_broadcast<'a>(op: ReduceOp, x: Term<'a>, own: &[usize], shape: &[usize], axes: &[usize]) -> Term<'a> {
    let inner: Vec<usize> = (0..own.len()).filter(|&i| axes.contains(&own[i])).collect();
    let reduced = if inner.is_empty() { x } else { x.apply(Op::Reduce { op, axes: inner }) };
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let sizes: Vec<usize> = kept.iter().map(|&axis| shape[axis]).collect();
    let places: Vec<usize> = own.iter().filter_map(|axis| kept.iter().position(|k| k == axis)).collect();
    reduced.broadcast(&sizes, &places)
}
