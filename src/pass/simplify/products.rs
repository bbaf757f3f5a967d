//! Sums of products: what does not vary is pulled out, and what is left becomes contractions where they pay.
//!
//! A product over some axes is a list of factors, each varying over a part of them, as in `W[i,j] * x[n,j]`. A contraction is
//! chosen for two factors that share a summed axis when each has an axis that the other lacks (a matrix product). If only one has
//! such an axis, it must be a stored matrix. Otherwise the sum is one loop over the larger factor, which fuses with what
//! makes the factor.

use super::rewriter::{Rewriter, View};
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::graph::Op;
use crate::pass::term::Term;

const MOST_FACTORS: usize = 12;

/// A value over some axes of the whole index space, in increasing order.
#[derive(Clone)]
struct Factor<'a> {
    term: Term<'a>,
    axes: Vec<usize>,
}

pub(super) fn sum_of_product<'a>(cx: &Rewriter<'a>, x: Term<'a>, summed: &[usize]) -> Option<Term<'a>> {
    find(cx, x, summed).map(|found| found.sum)
}

/// The sum of a sum of products, split where a part of it becomes a contraction.
pub(super) fn sum_of_products<'a>(cx: &Rewriter<'a>, x: Term<'a>, summed: &[usize]) -> Option<Term<'a>> {
    let contraction = |x| find(cx, x, summed).filter(|found| found.contracted).map(|found| found.sum);
    match cx.view(x) {
        View::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
            let (left, right) = (contraction(a), contraction(b));
            let split = left.is_some() || right.is_some();
            split.then(|| left.unwrap_or_else(|| a.sum(summed)).binary(op, right.unwrap_or_else(|| b.sum(summed))))
        }
        View::Shifted(a, c) => contraction(a).map(|sum| sum + c * summed.iter().map(|&axis| x.shape()[axis] as f64).product::<f64>()),
        View::From(c, a) => contraction(a).map(|sum| c * summed.iter().map(|&axis| x.shape()[axis] as f64).product::<f64>() - sum),
        _ => None,
    }
}

struct Found<'a> {
    sum: Term<'a>,
    /// Whether a contraction is part of it
    contracted: bool,
}

fn find<'a>(cx: &Rewriter<'a>, x: Term<'a>, summed: &[usize]) -> Option<Found<'a>> {
    let space = x.shape();
    let mut product = Product { factors: vec![], number: 1.0 };
    product.collect(cx, x, space.len());
    if product.factors.len() > MOST_FACTORS || (product.factors.len() < 2 && product.number == 1.0) {
        return None;
    }
    let varies = |factor: &Factor<'a>| factor.axes.iter().any(|axis| summed.contains(axis));
    let (inside, outside): (Vec<_>, Vec<_>) = product.factors.into_iter().partition(varies);
    let (mut improved, mut contracted) = (!outside.is_empty() || product.number != 1.0, false);
    let mut groups = same_axes_together(inside);
    // A summed axis that no factor has any more counts how often the product is repeated
    let missing: usize = summed.iter().filter(|axis| !groups.iter().any(|g| g.axes.contains(axis))).map(|&axis| space[axis]).product();
    let mut left: Vec<usize> = summed.iter().copied().filter(|axis| groups.iter().any(|g| g.axes.contains(axis))).collect();
    while let Some(&axis) = left.first() {
        match eliminate(cx, &mut groups, axis, &mut left, &space) {
            Gain::Contraction => (improved, contracted) = (true, true),
            Gain::SmallerLoop => improved = true,
            Gain::None => {}
        }
    }
    if !improved {
        return None;
    }
    let kept: Vec<usize> = (0..space.len()).filter(|axis| !summed.contains(axis)).collect();
    let result = multiply_over(&same_axes_together([groups, outside].concat()), &kept, &space);
    let number = product.number * missing as f64;
    result.map(|sum| Found { sum: if number == 1.0 { sum } else { sum * number }, contracted })
}

struct Product<'a> {
    factors: Vec<Factor<'a>>,
    number: f64,
}

impl<'a> Product<'a> {
    fn collect(&mut self, cx: &Rewriter<'a>, x: Term<'a>, rank: usize) {
        match cx.view(x) {
            View::Number(c) => self.number *= c,
            View::Scaled(a, c) => {
                self.number *= c;
                self.collect(cx, a, rank);
            }
            View::Unary(UnaryOp::Neg, a) => {
                self.number = -self.number;
                self.collect(cx, a, rank);
            }
            View::Binary(BinaryOp::Mul, a, b) => {
                self.collect(cx, a, rank);
                self.collect(cx, b, rank);
            }
            View::Binary(BinaryOp::Div, a, b) if self.broadcast(cx, b).is_some() => {
                self.collect(cx, a, rank);
                self.factors.extend(self.broadcast(cx, b).map(|b| Factor { term: b.term.unary(UnaryOp::Recip), axes: b.axes }));
            }
            _ => self.factors.push(self.broadcast(cx, x).unwrap_or(Factor { term: x, axes: (0..rank).collect() })),
        }
    }

    fn broadcast(&self, cx: &Rewriter<'a>, x: Term<'a>) -> Option<Factor<'a>> {
        cx.broadcast(x).map(|(term, axes)| Factor { term, axes })
    }
}

fn same_axes_together<'a>(factors: Vec<Factor<'a>>) -> Vec<Factor<'a>> {
    let mut groups: Vec<Factor<'a>> = vec![];
    for factor in factors {
        match groups.iter_mut().find(|group| group.axes == factor.axes) {
            Some(group) => group.term = group.term * factor.term,
            None => groups.push(factor),
        }
    }
    groups
}

/// What is better than one loop over the whole product.
enum Gain {
    None,
    SmallerLoop,
    Contraction,
}

/// Sums over one axis, and over whatever else goes away with it.
fn eliminate<'a>(cx: &Rewriter<'a>, groups: &mut Vec<Factor<'a>>, axis: usize, left: &mut Vec<usize>, space: &[usize]) -> Gain {
    let (mut with, without): (Vec<_>, Vec<_>) = groups.drain(..).partition(|group| group.axes.contains(&axis));
    let only_here = |axes: &[usize]| -> Vec<usize> {
        axes.iter().copied().filter(|a| left.contains(a) && !without.iter().any(|group| group.axes.contains(a))).collect()
    };
    let mut gain = if without.is_empty() { Gain::None } else { Gain::SmallerLoop };
    // Three factors and more: the smallest first, until two are left
    with.sort_by_key(|group| group.axes.len());
    while with.len() > 2 {
        let merged = merge(&with[..2], space);
        with.splice(..2, [merged]);
    }
    let joint = union(&with);
    let gone = only_here(&joint);
    let kept: Vec<usize> = joint.iter().copied().filter(|a| !gone.contains(a)).collect();
    let result = match &with[..] {
        [a, b] if pays(cx, a, b, &kept, space) => {
            gain = Gain::Contraction;
            contraction(a, b, &gone, &kept)
        }
        _ => {
            let whole = merge(&with, space);
            let inner: Vec<usize> = (0..whole.axes.len()).filter(|&i| gone.contains(&whole.axes[i])).collect();
            Factor { term: whole.term.sum(&inner), axes: kept }
        }
    };
    left.retain(|a| !gone.contains(a));
    *groups = same_axes_together(without.into_iter().chain([result]).collect());
    gain
}

/// Whether a library's contraction of the two is better than a loop over their product.
fn pays<'a>(cx: &Rewriter<'a>, a: &Factor<'a>, b: &Factor<'a>, kept: &[usize], space: &[usize]) -> bool {
    let lacks =
        |x: &Factor<'a>, y: &Factor<'a>| x.axes.iter().any(|axis| kept.contains(axis) && !y.axes.contains(axis) && space[*axis] > 1);
    let batched = kept.iter().any(|axis| a.axes.contains(axis) && b.axes.contains(axis));
    match (lacks(a, b), lacks(b, a)) {
        (true, true) => true,
        (true, false) => !batched && is_stored(cx, a.term),
        (false, true) => !batched && is_stored(cx, b.term),
        (false, false) => false,
    }
}

/// Whether a value lies in memory anyway, rather than being made element by element.
pub(super) fn is_stored<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> bool {
    match cx.open(x) {
        Some((
            Op::Input(_) | Op::Literal(_) | Op::Project(_) | Op::Contract { .. } | Op::Cholesky | Op::SymmetricEigen | Op::Gather { .. },
            _,
        )) => true,
        Some((Op::Transpose(_) | Op::Reshape(_), args)) => is_stored(cx, args[0]),
        _ => false,
    }
}

/// The contraction of two factors; an axis that only one of them has, and that goes away, is summed before.
fn contraction<'a>(a: &Factor<'a>, b: &Factor<'a>, gone: &[usize], kept: &[usize]) -> Factor<'a> {
    let ready = |x: &Factor<'a>, y: &Factor<'a>| {
        let alone = |axis: &usize| gone.contains(axis) && !y.axes.contains(axis);
        let inner: Vec<usize> = (0..x.axes.len()).filter(|&i| alone(&x.axes[i])).collect();
        let labels: Vec<u8> = x.axes.iter().filter(|axis| !alone(axis)).map(|&axis| axis as u8).collect();
        (x.term.sum(&inner), labels)
    };
    let ((x, of_x), (y, of_y)) = (ready(a, b), ready(b, a));
    let out: Vec<u8> = kept.iter().map(|&axis| axis as u8).collect();
    Factor { term: x.contract(y, &of_x, &of_y, &out), axes: kept.to_vec() }
}

fn union(factors: &[Factor<'_>]) -> Vec<usize> {
    let mut axes: Vec<usize> = factors.iter().flat_map(|factor| factor.axes.iter().copied()).collect();
    axes.sort_unstable();
    axes.dedup();
    axes
}

/// The product of factors over the axes that they have together; of one factor, that factor.
fn merge<'a>(factors: &[Factor<'a>], space: &[usize]) -> Factor<'a> {
    let axes = union(factors);
    let term = multiply_over(factors, &axes, space).unwrap_or(factors[0].term);
    Factor { term, axes }
}

/// The product over given axes, smallest factors first; `None` of nothing.
fn multiply_over<'a>(factors: &[Factor<'a>], axes: &[usize], space: &[usize]) -> Option<Term<'a>> {
    let sizes: Vec<usize> = axes.iter().map(|&axis| space[axis]).collect();
    let place = |axis: &usize| axes.iter().position(|a| a == axis);
    let spread = |factor: &Factor<'a>| factor.term.broadcast(&sizes, &factor.axes.iter().filter_map(place).collect::<Vec<_>>());
    let mut sorted: Vec<&Factor<'a>> = factors.iter().collect();
    sorted.sort_by_key(|factor| factor.axes.len());
    sorted.into_iter().map(spread).reduce(|a, b| a * b)
}

/// Σ over the labels that are not in `out`, as a loop over the product of the two operands.
pub(super) fn as_loop<'a>(x: Term<'a>, y: Term<'a>, [a, b, out]: [&[u8]; 3]) -> Term<'a> {
    let summed = a.iter().copied().filter(|label| !out.contains(label));
    let labels: Vec<u8> = out.iter().copied().chain(summed).collect();
    let size = |label: &u8| match a.iter().position(|l| l == label) {
        Some(i) => x.shape()[i],
        None => b.iter().position(|l| l == label).map_or(1, |i| y.shape()[i]),
    };
    let space: Vec<usize> = labels.iter().map(size).collect();
    let spread = |term: Term<'a>, own: &[u8]| {
        let places: Vec<usize> = own.iter().filter_map(|label| labels.iter().position(|l| l == label)).collect();
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|&i| places[i]);
        let axes: Vec<usize> = order.iter().map(|&i| places[i]).collect();
        term.transpose(&order).broadcast(&space, &axes)
    };
    let product = spread(x, a) * spread(y, b);
    let axes: Vec<usize> = (out.len()..labels.len()).collect();
    if axes.is_empty() { product } else { product.apply(Op::Reduce { op: ReduceOp::Sum, axes }) }
}
