//! Log-densities at values that may lie outside the support: −∞ there, with derivative zero.

use super::lowering::Lowering;
use super::value::Array;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use crate::check::types::{ArrayType, Type};
use crate::check::{Support, may_leave};

impl Lowering<'_> {
    /// The value as one of the wanted type, numbers outside of it replaced by one inside; and where there were any.
    pub(super) fn confine(&mut self, x: Array, found: &Type, wanted: &Type) -> Result<(Array, Option<Array>)> {
        let (Type::Array(ArrayType { support: found, .. }), Type::Array(ArrayType { support: wanted, .. })) = (found, wanted) else {
            return Ok((x, None));
        };
        if !may_leave(found, wanted) {
            return Ok((x, None));
        }
        let x = self.cast(&x, DType::Real);
        let outside = self.outside(&x, wanted)?;
        let inner = self.real(if *wanted == Support::Positive { 1.0 } else { 0.0 });
        let inner = if *wanted == Support::Spin { self.real(1.0) } else { inner };
        let safe = self.select(&outside, &inner, &x)?;
        let safe = if wanted.is_real() { safe } else { self.cast(&safe, DType::Int) };
        let rank = self.shape(&outside).len();
        let (lifted, plates) = self.lift(&outside, rank);
        Ok((safe, Some(self.reduce(ReduceOp::Or, &lifted, &plates))))
    }

    /// The log-density with −∞ where any of the values it was asked for lay outside.
    pub(super) fn impossible(&mut self, log: Array, outside: impl IntoIterator<Item = Array>) -> Result<Array> {
        let never = self.real(f64::NEG_INFINITY);
        outside.into_iter().try_fold(log, |log, outside| self.select(&outside, &never, &log))
    }

    /// Cell by cell, of real numbers.
    fn outside(&mut self, x: &Array, support: &Support) -> Result<Array> {
        let (zero, one) = (self.real(0.0), self.real(1.0));
        match support {
            Support::Positive => self.compare(CompareOp::Le, x, &zero),
            Support::Unit => self.beyond(x, &zero, &one),
            Support::Bit => self.neither(x, &zero, &one),
            Support::Spin => {
                let minus = self.real(-1.0);
                self.neither(x, &minus, &one)
            }
            Support::Int => self.fractional(x),
            Support::Cat(classes) => {
                let classes = classes.known().ok_or_else(|| Diagnostic::internal("an unknown number of classes"))?;
                let last = self.real(classes as f64 - 1.0);
                let (beyond, fractional) = (self.beyond(x, &zero, &last)?, self.fractional(x)?);
                self.binary(BinaryOp::Or, &beyond, &fractional)
            }
            Support::Real | Support::Bool | Support::Simplex | Support::Cov | Support::Ordered => {
                Err(Diagnostic::internal("a support that no single number can be asked for"))
            }
        }
    }

    fn beyond(&mut self, x: &Array, low: &Array, high: &Array) -> Result<Array> {
        let (below, above) = (self.compare(CompareOp::Lt, x, low)?, self.compare(CompareOp::Gt, x, high)?);
        self.binary(BinaryOp::Or, &below, &above)
    }

    fn neither(&mut self, x: &Array, a: &Array, b: &Array) -> Result<Array> {
        let (not_a, not_b) = (self.compare(CompareOp::Ne, x, a)?, self.compare(CompareOp::Ne, x, b)?);
        self.binary(BinaryOp::And, &not_a, &not_b)
    }

    fn fractional(&mut self, x: &Array) -> Result<Array> {
        let floor = self.unary(UnaryOp::Floor, x);
        self.compare(CompareOp::Ne, x, &floor)
    }
}
