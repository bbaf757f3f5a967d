//! Triangular systems with many right-hand sides: one inverse and a matrix product.

use super::rewriter::Rewriter;
use crate::base::op::{CompareOp, DType};
use crate::graph::Op;
use crate::pass::term::Term;

/// Beyond this size the inverse of an ill-conditioned factor would cost digits.
const LARGEST: usize = 64;
/// A product pays with this many right-hand sides for each unknown.
const COLUMNS: usize = 8;

pub(super) fn triangular<'a>(cx: &Rewriter<'a>, l: Term<'a>, b: Term<'a>, transpose: bool) -> Option<Term<'a>> {
    let (factors, sides) = (l.shape(), b.shape());
    let rank = factors.len();
    let (size, columns) = (factors[rank - 1], sides[rank - 1]);
    if cx.keeps_stops || size > LARGEST || columns < COLUMNS * size {
        return None;
    }
    let identity = l.make(|builder| {
        let numbers = builder.iota(size);
        let (down, across) = (builder.broadcast(numbers, &[size, size], &[0]), builder.broadcast(numbers, &[size, size], &[1]));
        let diagonal = builder.compare(CompareOp::Eq, down, across);
        let identity = builder.cast(diagonal, DType::Real);
        builder.broadcast(identity, &factors, &[rank - 2, rank - 1])
    });
    let inverse = l.make(|builder| builder.push(Op::TriangularSolve { transpose }, &[l.id, identity.id]));
    let batch: Vec<u8> = (0..rank as u8 - 2).collect();
    let [row, inner, column] = [0, 1, 2].map(|i| rank as u8 + i);
    let of = |last: [u8; 2]| [&batch[..], &last].concat();
    Some(inverse.contract(b, &of([row, inner]), &of([inner, column]), &of([row, column])))
}
