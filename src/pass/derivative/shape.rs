//! Cotangents of the operations that only move elements: each is linear, and its transpose moves them back.

use crate::graph::Op;
use crate::pass::term::Term;

pub(super) fn broadcast<'a>(g: Term<'a>, axes: &[usize]) -> Term<'a> {
    let repeated: Vec<usize> = (0..g.rank()).filter(|axis| !axes.contains(axis)).collect();
    g.sum(&repeated)
}

pub(super) fn transpose<'a>(g: Term<'a>, perm: &[usize]) -> Term<'a> {
    let mut inverse = vec![0; perm.len()];
    for (to, &from) in perm.iter().enumerate() {
        inverse[from] = to;
    }
    g.transpose(&inverse)
}

pub(super) fn slice<'a>(g: Term<'a>, x: Term<'a>, start: &[usize], stop: &[usize]) -> Term<'a> {
    let after: Vec<usize> = x.shape().iter().zip(stop).map(|(size, stop)| size - stop).collect();
    g.make(|b| b.pad(g.id, start, &after))
}

pub(super) fn pad<'a>(g: Term<'a>, x: Term<'a>, before: &[usize]) -> Term<'a> {
    let stop: Vec<usize> = x.shape().iter().zip(before).map(|(size, before)| size + before).collect();
    g.make(|b| b.slice(g.id, before, &stop))
}

/// Of operand number `operand` of a join.
pub(super) fn join<'a>(g: Term<'a>, parts: &[Term<'a>], operand: usize, axis: usize) -> Term<'a> {
    let from: usize = parts[..operand].iter().map(|part| part.shape()[axis]).sum();
    let to = from + parts[operand].shape()[axis];
    g.make(|b| b.slice_axis(g.id, axis, from, to))
}

pub(super) fn reverse<'a>(g: Term<'a>, axes: &[usize]) -> Term<'a> {
    g.apply(Op::Reverse { axes: axes.to_vec() })
}

/// `axis` moved to the end; [`from_last`] undoes it.
pub(super) fn to_last(x: Term<'_>, axis: usize) -> Term<'_> {
    let perm: Vec<usize> = (0..x.rank()).filter(|&i| i != axis).chain([axis]).collect();
    x.transpose(&perm)
}

pub(super) fn from_last(x: Term<'_>, axis: usize) -> Term<'_> {
    let last = x.rank() - 1;
    let perm: Vec<usize> = (0..last).take(axis).chain([last]).chain(axis..last).collect();
    x.transpose(&perm)
}
