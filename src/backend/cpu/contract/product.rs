//! The products of a batch: of floating-point numbers by the kernels, of whole numbers by loops.

use super::dense::{dense, scratch_elements};
use super::kernels::{Instructions, Kernels};
use super::method::Method;
use super::operands::{Matrix, Operands, Sum};
use super::scratch::Scratch;
use crate::kernel::Contract;
use std::ops::{Add, Mul};

/// Elements whose products the back end computes.
pub trait Element: Copy + 'static {
    /// Computes products of one shape. `piece` is the part of the matrix `whole` that all of them have.
    fn products(whole: &Matrix<'_>, piece: &Matrix<'_>, all: impl Iterator<Item = Operands<Self>>, scratch: &mut Scratch);
}

macro_rules! elements {
    ($($float:ident),*; $($whole:ident),*) => {
        $(impl Element for $float {
            fn products(whole: &Matrix<'_>, piece: &Matrix<'_>, all: impl Iterator<Item = Operands<Self>>, scratch: &mut Scratch) {
                by_kernels(Instructions::best().$float(), whole, piece, all, scratch);
            }
        })*
        $(impl Element for $whole {
            fn products(_: &Matrix<'_>, piece: &Matrix<'_>, all: impl Iterator<Item = Operands<Self>>, _: &mut Scratch) {
                all.for_each(|x| by_loops(piece, x));
            }
        })*
    };
}
elements!(f32, f64; i32, i64);

/// Bytes of scratch that a contraction needs.
pub fn scratch_bytes(c: &Contract) -> usize {
    let terms = c.inner.last().map_or(1, |dim| dim.size);
    let best = Instructions::best();
    (scratch_elements(best.f32(), terms) * size_of::<f32>()).max(scratch_elements(best.f64(), terms) * size_of::<f64>())
}

pub fn by_kernels<T: Copy + Default + Add<Output = T> + Mul<Output = T>>(
    kernels: &Kernels<T>,
    whole: &Matrix<'_>,
    piece: &Matrix<'_>,
    all: impl Iterator<Item = Operands<T>>,
    scratch: &mut Scratch,
) {
    if piece.terms() == 0 {
        return all.for_each(|x| by_loops(piece, x));
    }
    let method = Method::of(whole, piece, kernels);
    // SAFETY: strides and sizes are those of the operands' and the result's axes, so every element lies in its buffer; the result's
    // elements belong to this piece alone, and scratch was made for the largest of the plan's contractions.
    all.for_each(|x| unsafe { dense(kernels, method, piece, x, scratch.pointer().cast()) });
}

fn by_loops<T: Copy + Default + Add<Output = T> + Mul<Output = T>>(m: &Matrix<'_>, x: Operands<T>) {
    for row in 0..m.rows.size {
        for column in 0..m.columns.size {
            let at = x.advanced(&m.rows, row).advanced(&m.columns, column);
            // SAFETY: positions lie within the axes' sizes.
            let mut total = if let Sum::Further(_) = m.sum { unsafe { *at.out } } else { T::default() };
            for sum in 0..m.terms() {
                let term = at.at_turn(m.outer().iter().copied().chain(m.last()), sum);
                // SAFETY: positions lie within the axes' sizes.
                total = total + unsafe { *term.a * *term.b };
            }
            // SAFETY: likewise; the element belongs to this piece alone.
            unsafe { *at.out = total };
        }
    }
}
