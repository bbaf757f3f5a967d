//! Small dense matrices of f64, row by row, while compiling.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dense {
    pub n: usize,
    pub elements: Vec<f64>,
}

impl Dense {
    pub fn zero(n: usize) -> Dense {
        Dense { n, elements: vec![0.0; n * n] }
    }

    /// A number, a diagonal or all elements.
    pub fn of(n: usize, elements: &[f64]) -> Dense {
        if elements.len() == n * n && n > 1 {
            return Dense { n, elements: elements.to_vec() };
        }
        let mut matrix = Dense::zero(n);
        (0..n).for_each(|i| matrix.elements[i * n + i] = elements[i % elements.len()]);
        matrix
    }

    pub fn times(&self, other: &Dense) -> Dense {
        let n = self.n;
        let element = |at: usize| (0..n).map(|k| self.elements[at / n * n + k] * other.elements[k * n + at % n]).sum();
        Dense { n, elements: (0..n * n).map(element).collect() }
    }

    pub fn transpose(&self) -> Dense {
        let n = self.n;
        Dense { n, elements: (0..n * n).map(|at| self.elements[at % n * n + at / n]).collect() }
    }

    pub fn plus(&self, other: &Dense, factor: f64) -> Dense {
        Dense { n: self.n, elements: self.elements.iter().zip(&other.elements).map(|(a, b)| a + factor * b).collect() }
    }

    pub fn add(&mut self, other: &Dense, factor: f64) {
        self.elements.iter_mut().zip(&other.elements).for_each(|(a, b)| *a += factor * b);
    }

    pub fn scaled(&self, factor: f64) -> Dense {
        Dense { n: self.n, elements: self.elements.iter().map(|a| a * factor).collect() }
    }

    /// The largest sum of magnitudes of a row.
    pub fn norm(&self) -> f64 {
        self.elements.chunks(self.n.max(1)).map(|row| row.iter().map(|a| a.abs()).sum()).fold(0.0, f64::max)
    }

    /// Whether a symmetric matrix has a Cholesky factor.
    pub fn is_positive_definite(&self) -> bool {
        let n = self.n;
        let mut l = Dense::zero(n);
        for i in 0..n {
            for j in 0..=i {
                let rest: f64 = self.elements[i * n + j] - (0..j).map(|k| l.elements[i * n + k] * l.elements[j * n + k]).sum::<f64>();
                if i == j && (rest.is_nan() || rest <= 1e-14 * self.elements[i * n + i].abs()) {
                    return false;
                }
                l.elements[i * n + j] = if i == j { rest.sqrt() } else { rest / l.elements[j * n + j] };
            }
        }
        true
    }
}
