//! Points at which a log-density is evaluated: a constant must lie in the support, a value may lie outside of it, where the
//! log-density is −∞.

use super::checker::{Checked, Checker};
use super::coerce::Why;
use super::model::{Expr, ExprKind};
use super::types::{ArrayType, Type};
use super::{message, shape, support};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// A value where a target of that type stands. It keeps its own type where it may leave the support.
    pub fn point(&mut self, e: &'a ast::Expr, ty: &Type, why: Why) -> Expr {
        let value = self.expr(e, Some(ty));
        let fitted = self.fit_point(value, ty, why);
        self.settle(fitted).unwrap_or_else(|| Expr::error(e.span))
    }

    fn fit_point(&mut self, value: Expr, ty: &Type, why: Why) -> Checked<Expr> {
        let (Type::Array(found), Type::Array(wanted)) = (&value.ty, ty) else { return self.coerce(value, ty, why) };
        let free = shape::same_shape(&found.shape, &wanted.shape) && support::may_leave(&found.support, &wanted.support);
        if !free || self.constant_of(&value).is_some() {
            return self.coerce(value, ty, why);
        }
        self.constants_inside(&value, wanted, &why)?;
        Ok(value)
    }

    /// The entries written as constants, `x = [1, -1]`, are in the support.
    fn constants_inside(&self, value: &Expr, wanted: &ArrayType, why: &Why) -> Checked<()> {
        if let ExprKind::Stack(parts) = &value.kind {
            return parts.iter().try_for_each(|part| self.constants_inside(part, wanted, why));
        }
        match self.constant_of(value) {
            Some(number) if support::contains(&wanted.support, number) == Some(false) => {
                Err(message::outside(&self.model, value, Some(number), &wanted.support, why.clone()).into())
            }
            _ => Ok(()),
        }
    }
}
