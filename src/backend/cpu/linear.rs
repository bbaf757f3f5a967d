//! Cholesky factors and triangular systems, one matrix after another. Safe code over slices.

use std::ops::{Div, Mul, Sub};

/// Real elements.
pub trait Real: Copy + Default + PartialOrd + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    const NAN: Self;
    fn root(self) -> Self;
}

impl Real for f32 {
    const NAN: f32 = f32::NAN;
    fn root(self) -> f32 {
        self.sqrt()
    }
}

impl Real for f64 {
    const NAN: f64 = f64::NAN;
    fn root(self) -> f64 {
        self.sqrt()
    }
}

/// Lower factors of matrices of that size. Where there is none, NaN on and below the diagonal.
pub fn cholesky<T: Real>(x: &[T], out: &mut [T], size: usize) {
    let len = (size * size).max(1);
    for (a, l) in x.chunks(len).zip(out.chunks_mut(len)) {
        l.fill(T::default());
        if !factor(a, l, size) {
            (0..size).for_each(|row| l[row * size..row * size + row + 1].fill(T::NAN));
        }
    }
}

/// By rows (Cholesky and Banachiewicz); false if the matrix is not positive definite.
fn factor<T: Real>(a: &[T], l: &mut [T], n: usize) -> bool {
    for i in 0..n {
        for j in 0..=i {
            let (row_i, row_j) = (&l[i * n..i * n + j], &l[j * n..j * n + j]);
            let rest = row_i.iter().zip(row_j).fold(a[i * n + j], |rest, (&x, &y)| rest - x * y);
            if i != j {
                l[i * n + j] = rest / l[j * n + j];
            } else if rest > T::default() {
                l[i * n + j] = rest.root();
            } else {
                return false;
            }
        }
    }
    true
}

/// Solves L y = b or Lᵀ y = b; b stands in `y` and is overwritten. Shapes: L of `size`, b of `size` by `columns`.
pub fn solve<T: Real>(l: &[T], y: &mut [T], (size, columns): (usize, usize), transpose: bool) {
    let (square, len) = ((size * size).max(1), (size * columns).max(1));
    for (l, y) in l.chunks(square).zip(y.chunks_mut(len)) {
        for step in 0..size {
            let i = if transpose { size - 1 - step } else { step };
            let solved = if transpose { i + 1..size } else { 0..i };
            for k in solved {
                let coefficient = if transpose { l[k * size + i] } else { l[i * size + k] };
                for column in 0..columns {
                    y[i * columns + column] = y[i * columns + column] - coefficient * y[k * columns + column];
                }
            }
            let diagonal = l[i * size + i];
            y[i * columns..(i + 1) * columns].iter_mut().for_each(|value| *value = *value / diagonal);
        }
    }
}
