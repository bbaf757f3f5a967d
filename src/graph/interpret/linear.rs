//! Linear algebra on the last two axes, one matrix after another.

use super::Value;
use crate::base::assignment;
use crate::base::eigen::symmetric_eigen;
use crate::graph::TensorType;

pub fn cholesky(x: &Value) -> Value {
    let n = x.shape()[x.ty.rank() - 1];
    let factors = x.elements.chunks((n * n).max(1)).flat_map(|matrix| cholesky_matrix(matrix, n));
    Value::new(x.ty.clone(), factors.collect::<Vec<_>>())
}

/// By rows (Cholesky and Banachiewicz). All NaN on and below the diagonal where there is no factor; zeros above.
fn cholesky_matrix(a: &[f64], n: usize) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let rest = a[i * n + j] - (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum::<f64>();
            if i == j && (rest <= 0.0 || rest.is_nan()) {
                return (0..n * n).map(|k| if k % n <= k / n { f64::NAN } else { 0.0 }).collect();
            }
            l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
        }
    }
    l
}

pub fn assignment(costs: &Value) -> Value {
    let (shape, n) = (costs.shape(), costs.shape()[costs.ty.rank() - 1]);
    let matrices = costs.elements.chunks((n * n).max(1));
    let columns = matrices.flat_map(|matrix| assignment::assignment(matrix, n)).map(|column| column as f64);
    Value::new(TensorType::int(shape[..shape.len() - 1].to_vec()), columns.collect::<Vec<_>>())
}

/// L y = b by forward substitution; Lᵀ y = b by backward substitution.
pub fn triangular_solve(l: &Value, b: &Value, transpose: bool) -> Value {
    let (n, m) = (b.shape()[b.ty.rank() - 2], b.shape()[b.ty.rank() - 1]);
    let matrices = l.elements.chunks((n * n).max(1)).zip(b.elements.chunks((n * m).max(1)));
    let solutions = matrices.flat_map(|(l, b)| solve_matrix(l, b, n, m, transpose));
    Value::new(b.ty.clone(), solutions.collect::<Vec<_>>())
}

fn solve_matrix(l: &[f64], b: &[f64], n: usize, m: usize, transpose: bool) -> Vec<f64> {
    let coefficient = |i: usize, k: usize| if transpose { l[k * n + i] } else { l[i * n + k] };
    let mut y = vec![0.0; n * m];
    for column in 0..m {
        for step in 0..n {
            let i = if transpose { n - 1 - step } else { step };
            let solved = if transpose { i + 1..n } else { 0..i };
            let known: f64 = solved.map(|k| coefficient(i, k) * y[k * m + column]).sum();
            y[i * m + column] = (b[i * m + column] - known) / coefficient(i, i);
        }
    }
    y
}

/// The eigenvalues above the eigenvectors.
pub fn eigen(x: &Value) -> Value {
    let n = x.shape()[x.ty.rank() - 1];
    let found = x.elements.chunks((n * n).max(1)).flat_map(|matrix| {
        let lower = (0..n * n).filter(|k| k % n <= k / n);
        if lower.clone().any(|k| !matrix[k].is_finite()) {
            return vec![f64::NAN; n * (n + 1)];
        }
        let (values, vectors) = symmetric_eigen(matrix, n);
        let positive = |column: usize| {
            let largest = (0..n).map(|row| vectors[row * n + column]).fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
            if largest < 0.0 { -1.0 } else { 1.0 }
        };
        let signs: Vec<f64> = (0..n).map(positive).collect();
        values.into_iter().chain((0..n * n).map(|k| vectors[k] * signs[k % n])).collect()
    });
    let mut shape = x.shape().to_vec();
    shape[x.ty.rank() - 2] += 1;
    Value::new(TensorType::real(shape), found.collect::<Vec<_>>())
}
