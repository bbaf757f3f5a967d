//! Coefficients of linear maps of the state: a number, one for each element, or a matrix.

use super::super::lowering::Lowering;
use super::super::value::Array;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::BinaryOp;

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
    pub(super) fn coefficient_times(&mut self, a: &Coefficient, x: &Array) -> Result<Array> {
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

    /// a b, elementwise or as matrices.
    pub(super) fn coefficient_product(&mut self, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        self.elementwise_coefficient(BinaryOp::Mul, a, b)
    }

    /// An operation on coefficients that are no matrices.
    pub(super) fn elementwise_coefficient(&mut self, op: BinaryOp, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        let value = self.binary(op, a.elementwise()?, b.elementwise()?)?;
        Ok(match (a, b) {
            (Coefficient::Scalar(_), Coefficient::Scalar(_)) => Coefficient::Scalar(value),
            _ => Coefficient::Diagonal(value),
        })
    }
}
