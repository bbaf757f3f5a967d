//! Members of chains in queries: `log p(x[t] | x[0])`, `p(z[t] | x)`, `p(z[3] | x[1..3])`.

use super::super::checker::{Checked, Checker};
use super::super::density::Asked;
use super::super::message;
use super::super::model::{Expr, ExprKind, MemberQuery, VarId, Which};
use super::super::types::{ArrayType, Support, Type};
use crate::base::size::Size;
use crate::base::{Diagnostic, Span};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// `z[t]`, `x[1..3]`, with what is substituted for it.
    pub fn query_members(
        &mut self,
        var: VarId,
        args: &'a [ast::Arg],
        value: Option<&'a ast::Expr>,
        needs_value: bool,
        span: Span,
    ) -> Checked<Asked> {
        let [ast::Arg { kind: ast::ArgKind::Positional(index), .. }] = args else {
            return Err(Diagnostic::unsupported("a query of a part of a member").at(span).into());
        };
        if self.model.vars[var].members().is_none() {
            return Err(Diagnostic::unsupported("a query of a part of a variable").at(span).into());
        }
        let which = match &index.kind {
            ast::ExprKind::Range { from, to } => Which::Range(self.member_number(var, from)?, self.member_number(var, to)?),
            _ => Which::One(self.member_number(var, index)?),
        };
        let declared = &self.model.vars[var];
        let why = Some((declared.span, format!("`{}` is declared here", declared.name)));
        let ty = self.members_type(var, &which);
        let value = match (value, ty) {
            (Some(value), Some(ty)) => Some(self.expect(value, &ty, why)),
            (Some(value), None) => return Err(Diagnostic::unsupported("values for a range of unknown length").at(value.span).into()),
            (None, _) => {
                let is_data = matches!((&which, self.model.data_member(var)), (Which::One(at), Some((_, n))) if at.is_int(n));
                match self.drawn_instant(var, index, span).filter(|_| needs_value) {
                    Some(drawn) => Some(drawn),
                    None if needs_value && !is_data => {
                        self.has_value(var, span)?;
                        let running = matches!(&which, Which::One(at) if self.constant_of(at).is_none());
                        let at = format!("[{}]", crate::syntax::print_expr(index));
                        if running { self.symbolic_instant(var, &at, span) } else { None }
                    }
                    None => None,
                }
            }
        };
        Ok(Asked::Members(Box::new(MemberQuery { var, which, value, span })))
    }

    /// A member's number, of which a known one is in range.
    fn member_number(&mut self, var: VarId, e: &'a ast::Expr) -> Checked<Expr> {
        let index = self.expr(e, None);
        let array = self.array(&index)?;
        if !array.shape.is_empty() || array.support.is_real() || array.support == Support::Bool {
            return Err(message::mismatch(&self.model, &index, &Type::scalar(Support::Int), None)
                .help("an index is a whole number")
                .into());
        }
        match self.constant_of(&index) {
            Some(number) => {
                self.member_exists(var, number as i64, e.span)?;
                Ok(Expr::new(ExprKind::Int(number as i64), Type::scalar(Support::Int), e.span))
            }
            None => Ok(index),
        }
    }

    /// The type of the asked members; unknown where their number is.
    pub fn members_type(&self, var: VarId, which: &Which) -> Option<Type> {
        let member = self.model.vars[var].member_type();
        match (which, member) {
            (Which::One(_), member) => Some(member),
            (Which::Range(from, to), Type::Array(ArrayType { support, shape })) => match (&from.kind, &to.kind) {
                (ExprKind::Int(from), ExprKind::Int(to)) if from <= to => {
                    let count = Size::from((to - from + 1) as usize);
                    Some(Type::array(support, [&[count], &shape[..]].concat()))
                }
                _ => None,
            },
            (Which::Range(..), _) => None,
        }
    }
}

impl Expr {
    fn is_int(&self, number: i64) -> bool {
        matches!(self.kind, ExprKind::Int(n) if n == number)
    }
}
