//! Derivatives of contractions, gather and scatter-add. Each is linear in each operand.

use crate::pass::term::Term;

/// Of operand number `operand` of a contraction: the contraction of `g` with the other operand, by the same labels.
pub(super) fn contract_cotangent<'a>(operand: usize, g: Term<'a>, [x, y]: [Term<'a>; 2], [a, b, out]: [&[u8]; 3]) -> Term<'a> {
    if operand == 0 { g.contract(y, out, b, a) } else { x.contract(g, a, out, b) }
}

/// Of the array that is read.
pub(super) fn gather_cotangent<'a>(g: Term<'a>, x: Term<'a>, index: Term<'a>, batch: usize) -> Term<'a> {
    g.scatter_add(index, batch, x.shape()[batch])
}

/// Of the entries that are added up.
pub(super) fn scatter_add_cotangent<'a>(g: Term<'a>, index: Term<'a>, batch: usize) -> Term<'a> {
    g.gather(index, batch)
}
