//! Eigenvalues of symmetric matrices.

/// The eigenvalues of a symmetric matrix, increasing, and its eigenvectors as columns, by cyclic Jacobi rotations
/// (Golub, Van Loan: Matrix computations, 4th edition, 2013, algorithm 8.5.3). Reads the lower triangle.
pub fn symmetric_eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a: Vec<f64> = (0..n * n).map(|k| matrix[(k / n).max(k % n) * n + (k / n).min(k % n)]).collect();
    let mut vectors: Vec<f64> = (0..n * n).map(|k| f64::from(u8::from(k / n == k % n))).collect();
    for _ in 0..MOST_SWEEPS {
        let off: f64 = (0..n * n).filter(|k| k / n != k % n).map(|k| a[k] * a[k]).sum();
        let all: f64 = a.iter().map(|x| x * x).sum();
        if off <= all * 1e-32 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut vectors, (p, q), n);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[i * n + i].total_cmp(&a[j * n + j]));
    let sorted = (0..n * n).map(|k| vectors[k / n * n + order[k % n]]).collect();
    (order.iter().map(|&i| a[i * n + i]).collect(), sorted)
}

/// Each sweep squares what is off the diagonal, once that is small.
const MOST_SWEEPS: usize = 60;

/// Makes the entries (p, q) and (q, p) zero.
fn rotate(a: &mut [f64], vectors: &mut [f64], (p, q): (usize, usize), n: usize) {
    if a[p * n + q] == 0.0 {
        return;
    }
    let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let (c, s) = (1.0 / (1.0 + t * t).sqrt(), t / (1.0 + t * t).sqrt());
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (vectors[k * n + p], vectors[k * n + q]);
        (vectors[k * n + p], vectors[k * n + q]) = (c * x - s * y, s * x + c * y);
    }
}

/// Of an n × n matrix of which the lower triangle is read, for what is said of a covariance that is none. Not a number where an entry is
/// none.
pub fn smallest_eigenvalue(matrix: &[f64], n: usize) -> f64 {
    if matrix.iter().any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    symmetric_eigen(matrix, n).0.first().copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::smallest_eigenvalue;

    #[test]
    fn of_known_matrices() {
        assert!((smallest_eigenvalue(&[1.0, 0.0, 2.0, 1.0], 2) + 1.0).abs() < 1e-14, "the lower triangle is read");
        let second_difference = [2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0];
        assert!((smallest_eigenvalue(&second_difference, 3) - (2.0 - 2f64.sqrt())).abs() < 1e-14);
        assert!(smallest_eigenvalue(&[f64::NAN], 1).is_nan());
    }
}
