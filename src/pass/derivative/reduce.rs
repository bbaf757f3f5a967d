//! Derivatives of reductions, cumulative sums and sorting, in both modes.

use super::shape::{from_last, to_last};
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp};
use crate::graph::Op;
use crate::pass::term::Term;

/// The part of the cotangent `g` of `y = reduce(x)` that belongs to `x`. `Prod` is rewritten by [`product_tree`] before.
pub(super) fn reduce_cotangent<'a>(op: ReduceOp, axes: &[usize], g: Term<'a>, x: Term<'a>, y: Term<'a>) -> Option<Term<'a>> {
    match op {
        ReduceOp::Sum => Some(g.spread_back(&x.shape(), axes)),
        ReduceOp::Max | ReduceOp::Min => {
            let (attained, times) = attained(axes, x, y);
            Some((g / times).spread_back(&x.shape(), axes).only_where(attained))
        }
        ReduceOp::Prod | ReduceOp::And | ReduceOp::Or => None,
    }
}

/// The tangent of `y = reduce(x)` along the tangent `t` of `x`.
pub(super) fn reduce_tangent<'a>(op: ReduceOp, axes: &[usize], t: Term<'a>, x: Term<'a>, y: Term<'a>) -> Option<Term<'a>> {
    match op {
        ReduceOp::Sum => Some(t.sum(axes)),
        ReduceOp::Max | ReduceOp::Min => {
            let (attained, times) = attained(axes, x, y);
            Some(t.only_where(attained).sum(axes) / times)
        }
        ReduceOp::Prod | ReduceOp::And | ReduceOp::Or => None,
    }
}

/// Where an extreme value is attained, and in how many places: ties share the derivative equally.
fn attained<'a>(axes: &[usize], x: Term<'a>, y: Term<'a>) -> (Term<'a>, Term<'a>) {
    let attained = x.compare(CompareOp::Eq, y.spread_back(&x.shape(), axes));
    (attained, attained.cast(DType::Real).sum(axes))
}

/// The product over axes as a tree of multiplications, whose derivatives of every order are exact where factors are zero.
pub(super) fn product_tree<'a>(x: Term<'a>, axes: &[usize]) -> Term<'a> {
    let mut product = x;
    for &axis in axes {
        while product.shape()[axis] > 1 {
            let size = product.shape()[axis];
            let half = size / 2;
            let part = |from, to| product.make(|b| b.slice_axis(product.id, axis, from, to));
            let pairs = part(0, half).binary(BinaryOp::Mul, part(half, 2 * half));
            let rest = part(2 * half, size);
            product = if size.is_multiple_of(2) { pairs } else { pairs.make(|b| b.join(&[pairs.id, rest.id], axis)) };
        }
    }
    // Every axis has size 1 now, or 0: the sum over it is the product, but over nothing the product is 1
    if axes.iter().any(|&axis| product.shape()[axis] == 0) { product.sum(axes) + 1.0 } else { product.sum(axes) }
}

pub(super) fn cumulative_sum_cotangent(g: Term<'_>, axis: usize, reverse: bool) -> Term<'_> {
    g.apply(Op::CumSum { axis, reverse: !reverse })
}

/// Sorting moves the element at `order[i]` to place i; the cotangent goes the way back.
pub(super) fn sort_cotangent<'a>(g: Term<'a>, x: Term<'a>, axis: usize) -> Term<'a> {
    let order = to_last(x.apply(Op::ArgSort { axis }), axis);
    let size = x.shape()[axis];
    from_last(to_last(g, axis).scatter_add(order, x.rank() - 1, size), axis)
}

pub(super) fn sort_tangent<'a>(t: Term<'a>, x: Term<'a>, axis: usize) -> Term<'a> {
    let order = to_last(x.apply(Op::ArgSort { axis }), axis);
    from_last(to_last(t, axis).gather(order, x.rank() - 1), axis)
}
