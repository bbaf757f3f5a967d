//! Coefficients of linear maps of the state: a number, one for each element, or a matrix over the elements in row-major order.

use super::super::lowering::Lowering;
use super::super::value::Array;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};

#[derive(Clone, Debug)]
pub(in crate::algebra) enum Coefficient {
    /// The same for each element of the state
    Scalar(Array),
    /// Of the shape of the state
    Diagonal(Array),
    /// `[n, n]`, of the elements of the state in row-major order
    Matrix(Array),
}

impl Coefficient {
    /// Whatever its structure.
    pub fn array(&self) -> &Array {
        match self {
            Coefficient::Scalar(array) | Coefficient::Diagonal(array) | Coefficient::Matrix(array) => array,
        }
    }

    /// The same kind of coefficient with another array.
    pub fn with(&self, array: Array) -> Coefficient {
        match self {
            Coefficient::Scalar(_) => Coefficient::Scalar(array),
            Coefficient::Diagonal(_) => Coefficient::Diagonal(array),
            Coefficient::Matrix(_) => Coefficient::Matrix(array),
        }
    }

    pub fn is_matrix(&self) -> bool {
        matches!(self, Coefficient::Matrix(_))
    }

    /// The number or the array by which elements are multiplied. A matrix is refused.
    pub fn elementwise(&self) -> Result<&Array> {
        match self {
            Coefficient::Scalar(array) | Coefficient::Diagonal(array) => Ok(array),
            Coefficient::Matrix(_) => Err(Diagnostic::unsupported("this question of a process whose coefficients are matrices")),
        }
    }

    /// The number. An array or a matrix is refused.
    pub fn number(&self, what: &str) -> Result<&Array> {
        match self {
            Coefficient::Scalar(array) => Ok(array),
            Coefficient::Diagonal(_) | Coefficient::Matrix(_) => {
                Err(Diagnostic::unsupported(format!("{what} as a number: elements of this process have coefficients of their own")))
            }
        }
    }
}

impl Lowering<'_> {
    /// a x
    pub(super) fn coefficient_times(&mut self, a: &Coefficient, x: &Array) -> Result<Array> {
        match a {
            Coefficient::Scalar(a) | Coefficient::Diagonal(a) => self.mul(a, x),
            Coefficient::Matrix(a) => self.on_elements(a, x, |this, a, x| this.matmul(a, x)),
        }
    }

    /// b⁻¹ x or b⁻ᵀ x, of a standard deviation or a lower triangular matrix.
    pub(super) fn spread_solve(&mut self, b: &Coefficient, x: &Array, transpose: bool) -> Result<Array> {
        match b {
            Coefficient::Scalar(b) | Coefficient::Diagonal(b) => self.binary(BinaryOp::Div, x, b),
            Coefficient::Matrix(b) => self.on_elements(b, x, |this, b, x| this.solve_triangular(b, x, transpose)),
        }
    }

    /// a⁻¹ x
    pub(super) fn coefficient_solve(&mut self, a: &Coefficient, x: &Array) -> Result<Array> {
        match a {
            Coefficient::Scalar(a) | Coefficient::Diagonal(a) => self.binary(BinaryOp::Div, x, a),
            // By the normal equations: the only factorisation is that of positive definite matrices.
            Coefficient::Matrix(a) => self.on_elements(a, x, |this, a, x| {
                let square = this.transposed_product(a, a)?;
                let factor = this.cholesky_factor(&square);
                let transposed = this.transpose_last(a);
                let right = this.matmul(&transposed, x)?;
                this.solve_factored(&factor, &right)
            }),
        }
    }

    /// A map of vectors, on the elements of a state of any shape.
    fn on_elements(&mut self, matrix: &Array, x: &Array, map: impl FnOnce(&mut Self, &Array, &Array) -> Result<Array>) -> Result<Array> {
        let n = self.shape(matrix)[0];
        let shape = match self.shape(x) {
            shape if shape.is_empty() => vec![n],
            shape => shape,
        };
        let vector = self.vector(x, &shape);
        let value = map(self, matrix, &vector)?;
        Ok(if shape.len() == 1 { value } else { self.flattened(&value, &shape) })
    }

    /// a b
    pub(super) fn coefficient_product(&mut self, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        match (a, b) {
            (Coefficient::Matrix(a), Coefficient::Matrix(b)) => self.matmul(a, b).map(Coefficient::Matrix),
            (Coefficient::Matrix(m), Coefficient::Scalar(s)) | (Coefficient::Scalar(s), Coefficient::Matrix(m)) => {
                self.mul(s, m).map(Coefficient::Matrix)
            }
            (Coefficient::Matrix(m), Coefficient::Diagonal(d)) => {
                let d = self.all_elements(d);
                self.scale_columns(m, &d).map(Coefficient::Matrix)
            }
            (Coefficient::Diagonal(d), Coefficient::Matrix(m)) => {
                let d = self.all_elements(d);
                self.scale_rows(m, &d).map(Coefficient::Matrix)
            }
            (Coefficient::Scalar(_) | Coefficient::Diagonal(_), Coefficient::Scalar(_) | Coefficient::Diagonal(_)) => {
                self.elementwise_coefficient(BinaryOp::Mul, a, b)
            }
        }
    }

    pub(super) fn coefficient_sum(&mut self, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        match (a, b) {
            (Coefficient::Matrix(a), b) => {
                let b = self.as_matrix(b, &self.shape(a)[..1])?;
                self.add(a, &b).map(Coefficient::Matrix)
            }
            (a, Coefficient::Matrix(b)) => {
                let a = self.as_matrix(a, &self.shape(b)[..1])?;
                self.add(&a, b).map(Coefficient::Matrix)
            }
            (a, b) => self.elementwise_coefficient(BinaryOp::Add, a, b),
        }
    }

    /// c a, of a number
    pub(super) fn coefficient_scaled(&mut self, c: f64, a: &Coefficient) -> Result<Coefficient> {
        let c = Coefficient::Scalar(self.real(c));
        self.coefficient_product(&c, a)
    }

    /// a b aᵀ
    pub(super) fn coefficient_congruence(&mut self, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        let left = self.coefficient_product(a, b)?;
        let transposed = self.coefficient_transpose(a);
        self.coefficient_product(&left, &transposed)
    }

    /// a aᵀ
    pub(super) fn coefficient_square(&mut self, a: &Coefficient) -> Result<Coefficient> {
        let transposed = self.coefficient_transpose(a);
        self.coefficient_product(a, &transposed)
    }

    pub(super) fn coefficient_transpose(&mut self, a: &Coefficient) -> Coefficient {
        match a {
            Coefficient::Scalar(_) | Coefficient::Diagonal(_) => a.clone(),
            Coefficient::Matrix(a) => Coefficient::Matrix(self.transpose_last(a)),
        }
    }

    /// An operation on coefficients that are no matrices.
    pub(super) fn elementwise_coefficient(&mut self, op: BinaryOp, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        let value = self.binary(op, a.elementwise()?, b.elementwise()?)?;
        Ok(match (a, b) {
            (Coefficient::Scalar(_), Coefficient::Scalar(_)) => Coefficient::Scalar(value),
            _ => Coefficient::Diagonal(value),
        })
    }

    /// The square root of a variance: the standard deviation, or the Cholesky factor of a covariance.
    pub(super) fn spread(&mut self, var: &Coefficient) -> Coefficient {
        match var {
            Coefficient::Scalar(var) => Coefficient::Scalar(self.unary(UnaryOp::Sqrt, var)),
            Coefficient::Diagonal(var) => Coefficient::Diagonal(self.unary(UnaryOp::Sqrt, var)),
            Coefficient::Matrix(var) => Coefficient::Matrix(self.cholesky_factor(var)),
        }
    }

    /// Of a state of a shape, as a matrix.
    pub(super) fn as_matrix(&mut self, c: &Coefficient, shape: &[usize]) -> Result<Array> {
        match c {
            Coefficient::Matrix(matrix) => Ok(matrix.clone()),
            Coefficient::Scalar(d) | Coefficient::Diagonal(d) => {
                let vector = self.vector(d, shape);
                self.diagonal_matrix(&vector)
            }
        }
    }

    fn all_elements(&mut self, x: &Array) -> Array {
        let n = self.count(x);
        self.flattened(x, &[n])
    }
}
