//! Types as the user sees them. One example, no rows: plates never show in a type.

use crate::base::size::Size;
use std::fmt;

/// Where a value lives. Says how a parameter is constrained and which values data may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Support {
    Real,
    /// (0, ∞)
    Positive,
    /// [0, 1]
    Unit,
    /// 0 or 1, computed with as a real number
    Bit,
    /// −1 or 1, computed with as a real number
    Spin,
    Int,
    Bool,
    /// 0 .. K−1
    Cat(Size),
    /// The last axis is non-negative and sums to 1
    Simplex,
    /// The last two axes are a symmetric positive definite matrix
    Cov,
    /// The last axis increases
    Ordered,
}

impl Support {
    /// How many trailing axes one constrained value spans: a simplex 1, a covariance 2.
    pub fn event_rank(&self) -> usize {
        match self {
            Support::Real | Support::Positive | Support::Unit | Support::Bit | Support::Spin => 0,
            Support::Int | Support::Bool | Support::Cat(_) => 0,
            Support::Simplex | Support::Ordered => 1,
            Support::Cov => 2,
        }
    }

    /// Values are computed with as real numbers.
    pub fn is_real(&self) -> bool {
        !matches!(self, Support::Int | Support::Bool | Support::Cat(_))
    }

    /// Countable: densities are with respect to the counting measure, draws have no pathwise gradient.
    pub fn is_discrete(&self) -> bool {
        matches!(self, Support::Bit | Support::Spin | Support::Int | Support::Bool | Support::Cat(_))
    }
}

/// An array. `shape` is the full shape: `Simplex[K]` has shape `[K]`, `Cov[K, D]` has shape `[K, D, D]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrayType {
    pub support: Support,
    pub shape: Vec<Size>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Array(ArrayType),
    Tuple(Vec<Type>),
    /// A distribution over values of a type
    Distribution(Box<Type>),
    /// The type of an expression that was already reported: fits everything, so that one mistake is told once
    Error,
}

impl Type {
    pub fn array(support: Support, shape: impl Into<Vec<Size>>) -> Type {
        Type::Array(ArrayType { support, shape: shape.into() })
    }

    pub fn real(shape: impl Into<Vec<Size>>) -> Type {
        Type::array(Support::Real, shape)
    }

    pub fn scalar(support: Support) -> Type {
        Type::array(support, [])
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Array(array) => array.fmt(f),
            Type::Tuple(types) => {
                f.write_str("(")?;
                write_list(f, types)?;
                f.write_str(")")
            }
            Type::Distribution(of) => write!(f, "distribution of {of}"),
            Type::Error => f.write_str("?"),
        }
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.support {
            Support::Cov => &self.shape[..self.shape.len().saturating_sub(1)],
            _ => &self.shape[..],
        };
        match &self.support {
            Support::Cat(size) => write!(f, "Cat<{size}>")?,
            support => write!(f, "{support:?}")?,
        }
        if !shown.is_empty() {
            f.write_str("[")?;
            write_list(f, shown)?;
            f.write_str("]")?;
        }
        Ok(())
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}
