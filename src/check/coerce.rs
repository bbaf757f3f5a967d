//! A value where a type is wanted: what is inserted, what is refused.

use super::checker::{Checked, Checker};
use super::model::{Expr, ExprKind, Fold, Model};
use super::support::{self, Facts, Fit};
use super::types::{ArrayType, Support, Type};
use super::{message, shape};
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};

/// Where a wanted type comes from, for the second label.
pub type Why = Option<(Span, String)>;

impl<'a> Checker<'a> {
    /// The value as one of the wanted type, with conversions to real numbers inserted.
    pub fn coerce(&mut self, e: Expr, wanted: &Type, why: Why) -> Checked<Expr> {
        match (&e.ty, wanted) {
            (Type::Error, _) | (_, Type::Error) => Ok(e),
            (Type::Array(found), Type::Array(array)) => {
                if !shape::same_shape(&found.shape, &array.shape) {
                    return Err(message::mismatch(&self.model, &e, wanted, why).into());
                }
                self.coerce_array(e, array, why)
            }
            (Type::Tuple(found), Type::Tuple(types)) if found.len() == types.len() => self.coerce_tuple(e, types, why),
            (Type::Distribution(found), Type::Distribution(of)) if fits(found, of) => Ok(e),
            _ => Err(message::mismatch(&self.model, &e, wanted, why).into()),
        }
    }

    fn coerce_array(&mut self, e: Expr, wanted: &ArrayType, why: Why) -> Checked<Expr> {
        let Type::Array(found) = &e.ty else { return Ok(e) };
        let found = found.support.clone();
        let ty = Type::Array(wanted.clone());
        if let Some(value) = self.constant_of(&e) {
            return match support::contains(&wanted.support, value) {
                Some(true) if found != Support::Bool => {
                    let e = if wanted.support.is_real() { to_real(e) } else { e };
                    Ok(Expr { ty, ..e })
                }
                Some(false) => Err(message::outside(&self.model, &e, Some(value), &wanted.support, why).into()),
                _ => Err(message::mismatch(&self.model, &e, &ty, why).into()),
            };
        }
        if wanted.support == Support::Cov && found != Support::Cov {
            if let Some(judged) = self.literal_covariance(&e, &why) {
                return judged.map(|()| Expr { ty, ..to_real(e) });
            }
            if self.is_covariance(&e) {
                return Ok(Expr { ty, ..e });
            }
        }
        let both_real = found.is_real() && wanted.support.is_real();
        match support::fit(&found, &wanted.support) {
            Fit::AsIs => Ok(Expr { ty, ..e }),
            Fit::ToReal => Ok(to_real(e)),
            Fit::No => match e.kind {
                // An array of conditions mixes the entries of both branches: of two simplexes, it makes none.
                ExprKind::If(c, a, b) if wanted.support.event_rank() == 0 || matches!(&c.ty, Type::Array(c) if c.shape.is_empty()) => {
                    let (a, b) = (self.coerce_branch(*a, wanted, &why)?, self.coerce_branch(*b, wanted, &why)?);
                    Ok(Expr { kind: ExprKind::If(c, Box::new(a), Box::new(b)), ty, span: e.span })
                }
                ExprKind::Stack(parts) if wanted.shape.len() > wanted.support.event_rank() => {
                    let part = ArrayType { support: wanted.support.clone(), shape: wanted.shape[1..].to_vec() };
                    let parts = parts.into_iter().map(|part_e| self.coerce_array(part_e, &part, why.clone()));
                    Ok(Expr { kind: ExprKind::Stack(parts.collect::<Checked<_>>()?), ty, span: e.span })
                }
                ExprKind::Stack(parts) if wanted.support == Support::Simplex && self.sums_to_one(&parts) => {
                    let parts = parts.into_iter().map(to_real).collect();
                    Ok(Expr { kind: ExprKind::Stack(parts), ty, span: e.span })
                }
                // The library answers for what it declares.
                _ if both_real && self.scope.library => Ok(Expr { ty, ..e }),
                _ if both_real || (!found.is_real() && found != Support::Bool && wanted.support.is_real()) => {
                    Err(message::outside(&self.model, &e, None, &wanted.support, why).into())
                }
                _ => Err(message::mismatch(&self.model, &e, &ty, why).into()),
            },
        }
    }

    fn coerce_branch(&mut self, e: Expr, wanted: &ArrayType, why: &Why) -> Checked<Expr> {
        let Type::Array(found) = &e.ty else { return Ok(e) };
        let wanted = ArrayType { support: wanted.support.clone(), shape: found.shape.clone() };
        self.coerce_array(e, &wanted, why.clone())
    }

    fn coerce_tuple(&mut self, e: Expr, types: &[Type], why: Why) -> Checked<Expr> {
        let ty = Type::Tuple(types.to_vec());
        if let ExprKind::Tuple(parts) = e.kind {
            let parts = parts.into_iter().zip(types).map(|(part, ty)| self.coerce(part, ty, why.clone()));
            return Ok(Expr { kind: ExprKind::Tuple(parts.collect::<Checked<_>>()?), ty, span: e.span });
        }
        if let ExprKind::Block(stmts, tail) = e.kind {
            let tail = self.coerce_tuple(*tail, types, why)?;
            return Ok(Expr { kind: ExprKind::Block(stmts, Box::new(tail)), ty, span: e.span });
        }
        match &e.ty {
            Type::Tuple(found) if found.iter().zip(types).all(|(found, wanted)| fits(found, wanted)) => Ok(Expr { ty, ..e }),
            _ => Err(message::mismatch(&self.model, &e, &ty, why).into()),
        }
    }

    /// A real scalar, as objectives are.
    pub fn scalar_real(&mut self, e: Expr, what: &str) -> Checked<Expr> {
        let array = self.array(&e)?;
        if !array.shape.is_empty() {
            let problem = Diagnostic::new(Code::NotScalar, format!("{what} must be a scalar, this is {}", e.ty));
            return Err(problem.at(e.span).help("reduce it: `sum(…)` or `mean(…)`").into());
        }
        let wanted = if array.support.is_real() { e.ty.clone() } else { Type::real([]) };
        self.coerce(e, &wanted, None)
    }

    pub fn facts(&self, e: &Expr) -> Facts {
        match (self.constant_of(e), &e.ty) {
            (Some(value), _) => Facts::of_number(value),
            (None, Type::Array(array)) => Facts::of_support(&array.support),
            _ => Facts::default(),
        }
    }

    pub fn constant_of(&self, e: &Expr) -> Option<f64> {
        constant_of(&self.model, e)
    }

    fn sums_to_one(&self, parts: &[Expr]) -> bool {
        let values: Option<Vec<f64>> = parts.iter().map(|part| self.constant_of(part)).collect();
        values.is_some_and(|values| values.iter().all(|v| *v >= 0.0) && (values.iter().sum::<f64>() - 1.0).abs() < 1e-9)
    }
}

/// The value of a constant expression, as far as that is easy to see.
pub fn constant_of(model: &Model, e: &Expr) -> Option<f64> {
    Some(match &e.kind {
        ExprKind::Real(value) => *value,
        ExprKind::Int(value) => *value as f64,
        ExprKind::ToReal(of) => constant_of(model, of)?,
        ExprKind::Const(id) if model.consts[*id].indices.is_empty() => constant_of(model, &model.consts[*id].value)?,
        ExprKind::Unary(op, x) => {
            let x = constant_of(model, x)?;
            match op {
                UnaryOp::Neg => -x,
                UnaryOp::Exp => x.exp(),
                UnaryOp::Log => x.ln(),
                UnaryOp::Sqrt => x.sqrt(),
                UnaryOp::Abs => x.abs(),
                _ => return None,
            }
        }
        ExprKind::Binary(op, x, y) => {
            let (x, y) = (constant_of(model, x)?, constant_of(model, y)?);
            match op {
                BinaryOp::Add => x + y,
                BinaryOp::Sub => x - y,
                BinaryOp::Mul => x * y,
                BinaryOp::Div => x / y,
                BinaryOp::Pow => x.powf(y),
                BinaryOp::Max => x.max(y),
                BinaryOp::Min => x.min(y),
                BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::And | BinaryOp::Or => return None,
            }
        }
        _ => return None,
    })
}

/// Whether a value may stand for another type without any conversion.
pub fn fits(found: &Type, wanted: &Type) -> bool {
    match (found, wanted) {
        (Type::Error, _) | (_, Type::Error) => true,
        (Type::Array(a), Type::Array(b)) => shape::same_shape(&a.shape, &b.shape) && support::fit(&a.support, &b.support) == Fit::AsIs,
        (Type::Tuple(a), Type::Tuple(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fits(a, b)),
        (Type::Distribution(a), Type::Distribution(b)) => fits(a, b),
        _ => false,
    }
}

/// An `Int` or `Cat` as a real number; real numbers as they are. Sums and products become those of real numbers: whole numbers are
/// as wide as the working precision, so `k * k` may be too large for one where its value as a real number is not.
pub fn to_real(e: Expr) -> Expr {
    let Type::Array(array) = &e.ty else { return e };
    if array.support.is_real() {
        return e;
    }
    let (ty, span) = (Type::real(array.shape.clone()), e.span);
    let both = |a: Box<Expr>, b: Box<Expr>| (Box::new(to_real(*a)), Box::new(to_real(*b)));
    let kind = match e.kind {
        ExprKind::Int(value) => {
            let value = value as f64;
            return Expr { kind: ExprKind::Real(value), ty: Type::scalar(Facts::of_number(value).support()), span };
        }
        ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul), a, b) => {
            let (a, b) = both(a, b);
            ExprKind::Binary(op, a, b)
        }
        ExprKind::Unary(UnaryOp::Neg, x) => ExprKind::Unary(UnaryOp::Neg, Box::new(to_real(*x))),
        ExprKind::FoldAll(fold @ Fold::Reduce(ReduceOp::Sum), x) => ExprKind::FoldAll(fold, Box::new(to_real(*x))),
        ExprKind::Fold { fold: fold @ Fold::Reduce(ReduceOp::Sum), indices, condition, body } => {
            ExprKind::Fold { fold, indices, condition, body: Box::new(to_real(*body)) }
        }
        kind => ExprKind::ToReal(Box::new(Expr { kind, ty: e.ty, span })),
    };
    Expr { kind, ty, span }
}
