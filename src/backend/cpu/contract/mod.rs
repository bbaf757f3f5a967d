//! Contractions: batches of matrix products, in parts whose sizes depend on the shapes alone.
//!
//! A thread runs [`run_part`] for some of [`parts`], or [`rows`] for blocks of rows of the result.
//!
//! - [`operands`]: pointers into operands and result; one product of a batch
//! - [`split`]: into which pieces a contraction is cut
//! - [`product`]: the products of a piece
//! - [`method`]: how a product is computed, by its shape and strides
//! - [`view`], [`dense`]: one product, tile by tile; [`lines`]: copies of operands; [`kernels`]: the innermost loops
//! - [`scratch`]: memory of a thread

use super::memory::Table;
use crate::backend::Precision;
use crate::base::op::DType;
use crate::kernel::Contract;
use operands::{Matrix, Operands, Sum};
use product::Element;
pub use scratch::Scratch;
use split::{Piece, Split};
use std::ops::Range;

mod dense;
mod kernels;
mod lines;
mod method;
mod operands;
mod product;
mod scratch;
mod split;
#[cfg(test)]
mod tests;
mod view;

/// Parts of a contraction, by its shapes alone. They write disjoint elements, so they can run in any order and at the same time.
pub fn parts(c: &Contract) -> usize {
    Split::new(c).count()
}

/// Runs one of [`parts`] on the calling thread.
pub fn run_part(c: &Contract, table: Table<'_>, precision: Precision, part: usize, scratch: &mut Scratch) {
    run(c, table, precision, &Split::new(c).piece(c, part), scratch);
}

/// Computes those rows of the result, along [`Contract::row_axis`], on the calling thread.
pub fn rows(c: &Contract, table: Table<'_>, precision: Precision, range: Range<usize>, scratch: &mut Scratch) {
    run(c, table, precision, &Piece::rows(c, range), scratch);
}

/// Adds those terms of a sum in chunks to those of its chunk before them, on the calling thread. They lie in one chunk.
pub fn terms(c: &Contract, table: Table<'_>, precision: Precision, range: Range<usize>, scratch: &mut Scratch) {
    if let Some(piece) = Piece::terms(c, range) {
        run(c, table, precision, &piece, scratch);
    }
}

fn run(c: &Contract, table: Table<'_>, precision: Precision, piece: &Piece, scratch: &mut Scratch) {
    match (c.dtype, precision) {
        (DType::Real, Precision::F32) => products::<f32>(c, table, piece, scratch),
        (DType::Real, Precision::F64) => products::<f64>(c, table, piece, scratch),
        (DType::Int | DType::Bool, Precision::F32) => products::<i32>(c, table, piece, scratch),
        (DType::Int | DType::Bool, Precision::F64) => products::<i64>(c, table, piece, scratch),
    }
}

/// The products of a piece, one after another.
fn products<T: Element>(c: &Contract, table: Table<'_>, piece: &Piece, scratch: &mut Scratch) {
    let whole = Matrix { rows: c.rows, columns: c.columns, inner: &c.inner, sum: Sum::Whole, triangle: c.triangle };
    let start = piece.start(c, Operands::<T>::of(c, table));
    let all = piece.matrices.clone().map(|number| start.of_batch(c, piece, number));
    T::products(&whole, &piece.matrix(c), all, scratch);
}
