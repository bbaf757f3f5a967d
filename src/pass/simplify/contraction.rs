//! Rules of contractions: moves of the operands become labels, and what is no matrix product becomes a loop.

use super::products::{as_loop, is_stored};
use super::rewriter::{Rewriter, View};
use super::{joins, moments};
use crate::base::op::UnaryOp;
use crate::graph::{Literal, Op};
use crate::pass::term::Term;

pub(super) fn contract<'a>(cx: &Rewriter<'a>, x: Term<'a>, y: Term<'a>, labels: [&[u8]; 3]) -> Option<Term<'a>> {
    let [a, b, out] = labels;
    if is_loop(cx, x, y, labels) {
        return Some(as_loop(x, y, labels));
    }
    if let Some(found) = moved_operand(cx, x, y, a, b, out) {
        return Some(found);
    }
    // The same rules for the second operand
    moved_operand(cx, y, x, b, a, out).or_else(|| moments::contract(cx, x, y, labels)).or_else(|| rows_outside(cx, x, y, labels))
}

/// An operand with this many times the elements of the other one holds the rows of the data.
const MANY: usize = 8;

/// The label that the result should have outermost: that of the rows, if an operand has many. Its readers go through the data row by
/// row, and what they read together should lie together.
pub(super) fn outermost(x: Term<'_>, y: Term<'_>, [a, b, out]: [&[u8]; 3]) -> Option<u8> {
    let len = |term: Term<'_>| term.shape().iter().product::<usize>();
    let lead = match (len(x), len(y)) {
        (first, second) if first >= MANY * second => a.first(),
        (first, second) if second >= MANY * first => b.first(),
        _ => None,
    };
    lead.copied().filter(|label| out.contains(label))
}

/// The same result with its rows outermost. Only in whole graphs: elsewhere the layout is what a reader of the derivation sees.
fn rows_outside<'a>(cx: &Rewriter<'a>, x: Term<'a>, y: Term<'a>, [a, b, out]: [&[u8]; 3]) -> Option<Term<'a>> {
    let lead = outermost(x, y, [a, b, out]).filter(|&label| !cx.keeps_stops && out[0] != label)?;
    let order: Vec<u8> = std::iter::once(lead).chain(out.iter().copied().filter(|&label| label != lead)).collect();
    let perm: Vec<usize> = out.iter().filter_map(|label| order.iter().position(|other| other == label)).collect();
    Some(x.contract(y, a, b, &order).transpose(&perm))
}

/// No matrix product: nothing is summed, neither operand has an axis of its own, or one has and is made element by element: then the loop
/// that makes it sums.
fn is_loop<'a>(cx: &Rewriter<'a>, x: Term<'a>, y: Term<'a>, [a, b, out]: [&[u8]; 3]) -> bool {
    let summed = a.iter().zip(x.shape()).any(|(label, size)| size > 1 && !out.contains(label));
    let long = |ty: Vec<usize>, own: &[u8], other: &[u8]| own.iter().zip(ty).any(|(label, size)| size > 1 && !other.contains(label));
    let sums = match (long(x.shape(), a, b), long(y.shape(), b, a)) {
        (true, true) => false,
        // In a part of a graph, what is stored does not show
        (true, false) => !cx.keeps_stops && !is_stored(cx, x),
        (false, true) => !cx.keeps_stops && !is_stored(cx, y),
        (false, false) => true,
    };
    !summed || sums
}

fn moved_operand<'a>(cx: &Rewriter<'a>, x: Term<'a>, y: Term<'a>, a: &[u8], b: &[u8], out: &[u8]) -> Option<Term<'a>> {
    match cx.view(x) {
        View::Unary(UnaryOp::Neg, inner) => return Some(-inner.contract(y, a, b, out)),
        View::Scaled(inner, c) => return Some(inner.contract(y, a, b, out) * c),
        _ => {}
    }
    match cx.open(x)? {
        (Op::Transpose(perm), args) => {
            let mut labels = vec![0; a.len()];
            perm.iter().zip(a).for_each(|(&axis, &label)| labels[axis] = label);
            Some(args[0].contract(y, &labels, b, out))
        }
        (Op::Broadcast { axes, .. }, args) => Some(repeated_operand(args[0], &axes, y, [a, b, out], &x.shape())),
        (Op::Join { axis }, parts) if !out.contains(&a[axis]) => joins::contracted(cx, &parts, axis, y, [a, b, out]),
        (Op::Fill { bits, .. }, _) => {
            let one = x.make(|builder| builder.real(f64::from_bits(bits)));
            Some(repeated_operand(one, &[], y, [a, b, out], &x.shape()))
        }
        (Op::Literal(literal), _) if is_identity(&literal) => {
            // Summed against y, its one axis takes the place of the other.
            let (summed, kept) = if out.contains(&a[0]) { (a[1], a[0]) } else { (a[0], a[1]) };
            if out.contains(&summed) || b.contains(&kept) {
                return None;
            }
            let labels: Vec<u8> = b.iter().map(|&label| if label == summed { kept } else { label }).collect();
            let perm: Option<Vec<usize>> = out.iter().map(|label| labels.iter().position(|l| l == label)).collect();
            perm.filter(|perm| perm.len() == labels.len()).map(|perm| y.transpose(&perm))
        }
        _ => None,
    }
}

fn is_identity(literal: &Literal) -> bool {
    let [n, m] = literal.shape[..] else { return false };
    n == m && literal.values.iter().enumerate().all(|(i, &value)| value == f64::from(u8::from(i / n == i % n)))
}

/// `x` stands at `axes` of the labels `a`, whose sizes are given, and is repeated over the others: over those that are summed, `y`
/// is summed; over those that only the result has, the result is repeated.
fn repeated_operand<'a>(x: Term<'a>, axes: &[usize], y: Term<'a>, [a, b, out]: [&[u8]; 3], sizes: &[usize]) -> Term<'a> {
    let own: Vec<u8> = axes.iter().map(|&axis| a[axis]).collect();
    let summed: Vec<usize> = (0..b.len()).filter(|&j| !out.contains(&b[j]) && !own.contains(&b[j])).collect();
    let rest: Vec<u8> = b.iter().copied().filter(|label| out.contains(label) || own.contains(label)).collect();
    let kept: Vec<usize> = (0..out.len()).filter(|&i| own.contains(&out[i]) || rest.contains(&out[i])).collect();
    let labels: Vec<u8> = kept.iter().map(|&i| out[i]).collect();
    let sizes_of_y = y.shape();
    let size = |label: &u8| match a.iter().position(|l| l == label) {
        Some(i) => sizes[i],
        None => b.iter().position(|l| l == label).map_or(1, |j| sizes_of_y[j]),
    };
    let shape: Vec<usize> = out.iter().map(size).collect();
    x.contract(y.sum(&summed), &own, &rest, &labels).broadcast(&shape, &kept)
}
