//! Pointers into the operands and the result of a contraction.

use super::split::Piece;
use crate::backend::cpu::memory::Table;
use crate::kernel::{Contract, Dim, Region, Triangle};

/// One matrix product of a batch: `out[row, column] = Σ a[row, inner] · b[inner, column]`.
pub struct Matrix<'a> {
    pub rows: Dim,
    pub columns: Dim,
    pub inner: &'a [Dim],
    pub sum: Sum,
    pub triangle: Option<Triangle>,
}

/// Which terms of the innermost axis of a sum are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    Whole,
    /// The first so many
    First(usize),
    /// So many that come after those which are in the result
    Further(usize),
}

impl Matrix<'_> {
    /// The number of terms of an element.
    pub fn terms(&self) -> usize {
        self.outer().iter().map(|dim| dim.size).product::<usize>() * self.last().map_or(1, |dim| dim.size)
    }

    /// The innermost axis of the sum, as far as its terms are added.
    pub fn last(&self) -> Option<Dim> {
        let last = self.inner.last().copied();
        match self.sum {
            Sum::Whole => last,
            Sum::First(terms) | Sum::Further(terms) => last.map(|dim| Dim { size: terms, ..dim }),
        }
    }

    /// The other axes of the sum.
    pub fn outer(&self) -> &[Dim] {
        self.inner.split_last().map_or(&[], |(_, outer)| outer)
    }
}

/// Pointers to the first elements of a, b and the result.
pub struct Operands<T> {
    pub a: *const T,
    pub b: *const T,
    pub out: *mut T,
}

impl<T> Clone for Operands<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Operands<T> {}

impl<T> Operands<T> {
    pub fn of(c: &Contract, table: Table<'_>) -> Operands<T> {
        let out = table.at(Region { buffer: c.out, offset: 0 });
        Operands { a: table.at(c.a).cast::<T>().cast_const(), b: table.at(c.b).cast::<T>().cast_const(), out: out.cast() }
    }

    pub fn advanced(self, dim: &Dim, by: usize) -> Operands<T> {
        let by = by as isize;
        Operands {
            a: self.a.wrapping_offset(by * dim.a as isize),
            b: self.b.wrapping_offset(by * dim.b as isize),
            out: self.out.wrapping_offset(by * dim.out as isize),
        }
    }

    /// At that turn of nested axes, the last the fastest.
    pub fn at_turn(self, dims: impl DoubleEndedIterator<Item = Dim>, mut turn: usize) -> Operands<T> {
        let mut at = self;
        for dim in dims.rev() {
            at = at.advanced(&dim, turn % dim.size);
            turn /= dim.size;
        }
        at
    }

    /// Of the product with that number of the batch of a piece.
    pub fn of_batch(self, c: &Contract, piece: &Piece, number: usize) -> Operands<T> {
        self.at_turn((0..c.batch.len()).map(|axis| piece.batch(c, axis)), number)
    }
}
