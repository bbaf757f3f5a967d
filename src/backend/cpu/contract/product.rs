//! One matrix product, by the `gemm` crate or by loops.
//! (The crate allocates the memory into which it packs large operands at each call.)

use super::operands::{Matrix, Operands};
use super::scratch::Scratch;
use crate::kernel::Contract;
use std::ops::{Add, Mul};

/// Multiplications below which a product is computed by plain loops.
const TINY: usize = 1024;

/// Elements of scratch that a contraction needs.
pub fn scratch_elements(_: &Contract) -> usize {
    0
}

/// Elements whose products the back end computes.
pub trait Element: Copy + 'static {
    fn product(matrix: &Matrix<'_>, x: Operands<Self>, scratch: &mut Scratch);
}

macro_rules! elements {
    ($($ty:ty: $product:ident),*) => { $(impl Element for $ty {
        fn product(matrix: &Matrix<'_>, x: Operands<Self>, scratch: &mut Scratch) {
            $product(matrix, x, scratch);
        }
    })* };
}
elements!(f32: dense, f64: dense, i32: plain, i64: plain);

fn dense<T: Float>(m: &Matrix<'_>, x: Operands<T>, scratch: &mut Scratch) {
    let (last, outer) = match m.inner.split_last() {
        Some((last, outer)) => (*last, outer),
        None => return,
    };
    if m.rows.size * m.columns.size * m.terms() <= TINY {
        return plain(m, x, scratch);
    }
    for sum in 0..m.terms() / last.size {
        let at = x.at_turn(outer.iter().copied(), sum);
        // SAFETY: strides and sizes are those of the operands' and the result's axes, so every element lies in its buffer; the
        // result's elements belong to this piece alone.
        unsafe {
            gemm::gemm(
                m.rows.size,
                m.columns.size,
                last.size,
                at.out,
                m.columns.out as isize,
                m.rows.out as isize,
                sum > 0,
                at.a,
                last.a as isize,
                m.rows.a as isize,
                at.b,
                m.columns.b as isize,
                last.b as isize,
                T::ONE,
                T::ONE,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

trait Float: Copy + Default + Add<Output = Self> + Mul<Output = Self> + 'static {
    const ONE: Self;
}

impl Float for f32 {
    const ONE: f32 = 1.0;
}

impl Float for f64 {
    const ONE: f64 = 1.0;
}

fn plain<T: Copy + Default + Add<Output = T> + Mul<Output = T>>(m: &Matrix<'_>, x: Operands<T>, _: &mut Scratch) {
    for row in 0..m.rows.size {
        for column in 0..m.columns.size {
            let at = x.advanced(&m.rows, row).advanced(&m.columns, column);
            let mut total = T::default();
            for sum in 0..m.terms() {
                let term = at.at_turn(m.inner.iter().copied(), sum);
                // SAFETY: positions lie within the axes' sizes.
                total = total + unsafe { *term.a * *term.b };
            }
            // SAFETY: likewise; the element belongs to this piece alone.
            unsafe { *at.out = total };
        }
    }
}
