//! The smallest eigenvalue of a symmetric matrix, for what is said of a covariance that is none.

/// Sweeps of the cyclic Jacobi method (Golub, Van Loan: Matrix computations, 2013, section 8.5); it converges quadratically.
const SWEEPS: usize = 30;

/// Of an n × n matrix in row-major order, of which the lower triangle is read. Not a number where an entry is none.
pub fn smallest_eigenvalue(matrix: &[f64], n: usize) -> f64 {
    if matrix.iter().any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    let mut a: Vec<f64> = (0..n * n).map(|i| matrix[(i / n).max(i % n) * n + (i / n).min(i % n)]).collect();
    for _ in 0..SWEEPS {
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, n, p, q);
            }
        }
    }
    (0..n).map(|i| a[i * n + i]).fold(f64::INFINITY, f64::min)
}

/// The rotation in the plane of axes p and q that makes entry (p, q) zero.
fn rotate(a: &mut [f64], n: usize, p: usize, q: usize) {
    let off = a[p * n + q];
    if off == 0.0 {
        return;
    }
    let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
    let t = if tau >= 0.0 { 1.0 / (tau + (1.0 + tau * tau).sqrt()) } else { -1.0 / (-tau + (1.0 + tau * tau).sqrt()) };
    let cos = 1.0 / (1.0 + t * t).sqrt();
    let sin = t * cos;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (cos * x - sin * y, sin * x + cos * y);
    }
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        (a[p * n + k], a[q * n + k]) = (cos * x - sin * y, sin * x + cos * y);
    }
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
