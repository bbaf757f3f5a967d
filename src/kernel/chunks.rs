//! Long sums of products in two stages, as weight gradients and moments have them: partial products over chunks of the summed axis,
//! then their sum. The chunks can be computed side by side and while their operands are in cache, and roundings do not pile up
//! over the whole length.

use super::{Affine, Axis, BufferId, Contract, Dim, Instr, InstrKind, Loop, Role, Store};
use crate::base::op::{DType, ReduceOp};
use std::iter::successors;

/// At least so many terms in a chunk.
const TERMS: usize = 512;
/// At most so many chunks, and elements of all partial products.
const CHUNKS: usize = 64;
const ELEMENTS: usize = 1 << 20;

impl Contract {
    /// Splits a long sum whose result has `len` elements; the chunks depend on sizes alone. `partial` makes a buffer of so many
    /// elements.
    pub fn chunked(mut self, len: usize, partial: impl FnOnce(usize) -> BufferId) -> (Contract, Option<Loop>) {
        let Some(last) = self.inner.last_mut() else { return (self, None) };
        let most = CHUNKS.min(last.size / TERMS);
        let finest = (2..=most).rev().find(|&chunks| last.size.is_multiple_of(chunks)).unwrap_or(1);
        // Of sums over one axis, shorter chunks divide longer ones, so that they can be computed side by side
        let coarser = |chunks: &usize| (2..=*chunks).find(|factor| chunks.is_multiple_of(*factor)).map(|factor| chunks / factor);
        let chunks = successors(Some(finest), coarser).find(|&chunks| chunks <= ELEMENTS / len.max(1)).filter(|&chunks| chunks > 1);
        let Some(chunks) = chunks.filter(|_| self.dtype == DType::Real) else { return (self, None) };
        last.size /= chunks;
        self.triangle = None;
        let terms = last.size as i64;
        let chunk = Dim { size: chunks, a: last.a * terms, b: last.b * terms, out: len as i64 };
        self.batch.insert(0, chunk);
        let result = self.out;
        self.out = partial(chunks * len);
        let sum = sum_of(self.out, result, [chunks, len]);
        (self, Some(sum))
    }

    /// The chunks of a sum that was split, and the terms of each.
    pub fn chunks(&self) -> Option<(Dim, usize)> {
        let (chunk, last) = (self.batch.first()?, self.inner.last()?);
        let terms = last.size as i64;
        (chunk.a == last.a * terms && chunk.b == last.b * terms && chunk.out != 0).then_some((*chunk, last.size))
    }
}

/// `to[i] = Σ from[chunk, i]`
fn sum_of(from: BufferId, to: BufferId, [chunks, len]: [usize; 2]) -> Loop {
    let axes = vec![Axis { extent: len, role: Role::Parallel }, Axis { extent: chunks, role: Role::Reduced }];
    let map = |strides: [i64; 2]| Affine { offset: 0, strides: strides.to_vec() };
    let load = InstrKind::Load { buffer: from, index: map([1, len as i64]) };
    let body = vec![Instr { dtype: DType::Real, kind: load }];
    let stores = vec![Store { buffer: to, index: map([1, 0]), value: 0, reduce: Some(ReduceOp::Sum) }];
    Loop { axes, body, stores }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Arena;
    use crate::kernel::{Buffer, Place, Region};

    /// `A'B` with A: terms × 6 and B: terms × 4.
    fn gradient(terms: usize) -> (Arena<Buffer>, Contract) {
        let mut buffers = Arena::default();
        let [a, b, out] = [6 * terms, 4 * terms, 24]
            .map(|len| Region { buffer: buffers.push(Buffer { dtype: DType::Real, len, place: Place::Arena(0) }), offset: 0 });
        let (rows, columns) = (Dim { size: 6, a: 1, b: 0, out: 4 }, Dim { size: 4, a: 0, b: 1, out: 1 });
        let inner = vec![Dim { size: terms, a: 6, b: 4, out: 0 }];
        (buffers, Contract { dtype: DType::Real, a, b, out: out.buffer, batch: vec![], rows, columns, inner, triangle: None })
    }

    fn chunked(terms: usize) -> (Contract, Option<Loop>) {
        let (mut buffers, contract) = gradient(terms);
        contract.chunked(24, |len| buffers.push(Buffer { dtype: DType::Real, len, place: Place::Arena(0) }))
    }

    #[test]
    fn a_long_sum_becomes_partial_sums() {
        let (contract, sum) = chunked(100_000);
        assert_eq!(contract.batch, [Dim { size: 50, a: 12_000, b: 8_000, out: 24 }]);
        assert_eq!(contract.inner, [Dim { size: 2_000, a: 6, b: 4, out: 0 }]);
        assert_eq!(sum.map(|sum| sum.axes.iter().map(|axis| axis.extent).collect()), Some(vec![24, 50]));
    }

    #[test]
    fn short_sums_and_those_without_divisors_stay() {
        for terms in [100, 1000, 100_003] {
            assert!(chunked(terms).1.is_none(), "{terms}");
        }
    }
}
