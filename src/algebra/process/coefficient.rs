//! Coefficients of a state: one number, a number for each element, or a matrix.

use super::super::lowering::Lowering;
use super::super::value::Array;
use crate::base::diagnostic::Result;

/// A linear map of the state, or its covariance.
#[derive(Clone, Debug)]
pub enum Coefficient {
    /// One number for all elements
    Scalar(Array),
    /// Of the shape of the state
    Diagonal(Array),
    /// `[n, n]`, of the elements of the state in row-major order
    Matrix(Array),
}

impl Coefficient {
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
}

impl Lowering<'_> {
    /// A x, of the shape of the state.
    pub(in crate::algebra) fn apply_to_state(&mut self, a: &Coefficient, x: &Array) -> Result<Array> {
        match a {
            Coefficient::Scalar(a) | Coefficient::Diagonal(a) => self.mul(a, x),
            Coefficient::Matrix(a) => {
                let shape = self.shape(x);
                let vector = self.vector(x, &shape);
                let image = self.matmul(a, &vector)?;
                Ok(self.flattened(&image, &shape))
            }
        }
    }
}
