//! Eigenvalues and eigenvectors of symmetric matrices, one matrix after another, in f64 whatever the plan's precision.

use nalgebra::{DMatrix, SymmetricEigen};

/// Matrices of that size; the eigenvalues, increasing, stand above the eigenvectors. All NaN where there are none.
pub fn symmetric<T: Copy + Into<f64> + FromF64>(x: &[T], out: &mut [T], size: usize) {
    let square = (size * size).max(1);
    for (matrix, out) in x.chunks(square).zip(out.chunks_mut(square + size)) {
        let full = DMatrix::<f64>::from_fn(size, size, |i, j| matrix[i.max(j) * size + i.min(j)].into());
        if full.iter().any(|value| !value.is_finite()) {
            out.fill(T::from_f64(f64::NAN));
            continue;
        }
        let SymmetricEigen { eigenvalues, eigenvectors } = SymmetricEigen::new(full);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&i, &j| eigenvalues[i].total_cmp(&eigenvalues[j]));
        for (column, &from) in order.iter().enumerate() {
            let vector = eigenvectors.column(from);
            let sign = if vector[vector.iamax()] < 0.0 { -1.0 } else { 1.0 };
            out[column] = T::from_f64(eigenvalues[from]);
            (0..size).for_each(|row| out[(row + 1) * size + column] = T::from_f64(sign * vector[row]));
        }
    }
}

/// Rounding to the plan's precision.
pub trait FromF64 {
    fn from_f64(value: f64) -> Self;
}

impl FromF64 for f32 {
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
}

impl FromF64 for f64 {
    fn from_f64(value: f64) -> f64 {
        value
    }
}
