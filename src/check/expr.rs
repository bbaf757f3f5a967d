//! Expressions: which feature each form belongs to.

use super::checker::{Callable, Checked, Checker};
use super::coerce::Why;
use super::model::{Expr, ExprKind};
use super::names::Named;
use super::support::{self, Facts};
use super::types::{ArrayType, Support, Type};
use super::{builtin, coerce, message, shape};
use crate::base::op::UnaryOp;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// The typed expression. A mistake is reported here and leaves an expression of type `Error`. `want` is a hint for what
    /// takes its shape from outside (`noise()`, `identity`, a lifted distribution); it is not enforced.
    pub fn expr(&mut self, e: &'a ast::Expr, want: Option<&Type>) -> Expr {
        let checked = self.try_expr(e, want);
        self.settle(checked).unwrap_or_else(|| Expr::error(e.span))
    }

    /// The expression as a value of the wanted type; reported where it is not.
    pub fn expect(&mut self, e: &'a ast::Expr, wanted: &Type, why: Why) -> Expr {
        let value = self.expr(e, Some(wanted));
        let coerced = self.coerce(value, wanted, why);
        self.settle(coerced).unwrap_or_else(|| Expr::error(e.span))
    }

    fn try_expr(&mut self, e: &'a ast::Expr, want: Option<&Type>) -> Checked<Expr> {
        let span = e.span;
        match &e.kind {
            ast::ExprKind::Number { value, integer: true, .. } if value.abs() < 1e15 => {
                Ok(Expr::new(ExprKind::Int(*value as i64), Type::scalar(Support::Int), span))
            }
            ast::ExprKind::Number { value, .. } => {
                Ok(Expr::new(ExprKind::Real(*value), Type::scalar(Facts::of_number(*value).support()), span))
            }
            ast::ExprKind::Bool(value) => Ok(Expr::new(ExprKind::Bool(*value), Type::scalar(Support::Bool), span)),
            ast::ExprKind::Text(_) => Err(Diagnostic::new(Code::WrongKind, "a text is not a value").at(span).into()),
            ast::ExprKind::Name(name) => match self.name(name)? {
                Named::Value(value) => Ok(value),
                Named::Callable(Callable::Builtin(name)) if name == "identity" => builtin::identity(want, span),
                Named::Callable(callable) => Err(self.not_a_value(&name.name, &callable, span).into()),
            },
            ast::ExprKind::Unary { op, operand } => self.prefix(*op, operand, want, span),
            ast::ExprKind::Binary { op, left, right } => self.operator(*op, left, right, want, span),
            ast::ExprKind::Transpose(of) => {
                let of = self.expr(of, None);
                let array = self.array(&of)?;
                let ty = Type::array(plain(&array.support), shape::transpose(&array.shape));
                Ok(Expr::new(ExprKind::Transpose(Box::new(of)), ty, span))
            }
            ast::ExprKind::Range { .. } => {
                Err(Diagnostic::new(Code::WrongKind, "a range is not a value").at(span).help("write `[i for i in a..b]`").into())
            }
            ast::ExprKind::If { condition, then, otherwise } => {
                let condition = self.expr(condition, None);
                let then = self.nested(|this| this.expr(then, want));
                let otherwise = self.nested(|this| this.expr(otherwise, want));
                self.choose(condition, then, otherwise, span)
            }
            ast::ExprKind::Tuple(parts) => {
                let wants = match want {
                    Some(Type::Tuple(types)) if types.len() == parts.len() => types.iter().map(Some).collect(),
                    _ => vec![None; parts.len()],
                };
                let parts: Vec<Expr> = parts.iter().zip(wants).map(|(part, want)| self.expr(part, want)).collect();
                let ty = Type::Tuple(parts.iter().map(|part| part.ty.clone()).collect());
                Ok(Expr::new(ExprKind::Tuple(parts), ty, span))
            }
            ast::ExprKind::List(parts) => self.stack(parts, want, span),
            ast::ExprKind::Comprehension { body, clauses, condition } => {
                if let Some(condition) = condition {
                    let problem = Diagnostic::new(Code::SizeNotKnown, "an array with a condition has no known size");
                    return Err(problem
                        .at(condition.span)
                        .help("keep every entry and choose its value: `[if c then e else 0 for …]`")
                        .into());
                }
                self.array_of(body, clauses, span)
            }
            ast::ExprKind::Call { callee, args, given } => self.call(callee, args, given.as_deref(), want, span),
            ast::ExprKind::Bracket { base, args } => self.bracket(base, args, want, span),
            ast::ExprKind::Member { base, name } => self.member(base, name, span),
            ast::ExprKind::Block(stmts) => self.nested(|this| this.block(stmts, want, span)),
        }
    }

    fn prefix(&mut self, op: ast::UnaryOp, operand: &'a ast::Expr, want: Option<&Type>, span: Span) -> Checked<Expr> {
        match op {
            ast::UnaryOp::Log => self.log(operand, span),
            ast::UnaryOp::Neg => {
                let operand = self.expr(operand, want);
                self.unary(UnaryOp::Neg, operand, span)
            }
            ast::UnaryOp::Not => {
                let operand = self.expr(operand, None);
                self.not(operand, span)
            }
        }
    }

    /// `log e`, `log(e)`: of a query, its log-density.
    pub fn log(&mut self, operand: &'a ast::Expr, span: Span) -> Checked<Expr> {
        if let ast::ExprKind::Call { callee, args, given } = &operand.kind
            && let ast::ExprKind::Name(name) = &callee.kind
            && let Some(density) = self.density_named(name)
        {
            let query = self.query(density?, args, given.as_deref(), true, operand.span)?;
            return Ok(Expr::new(ExprKind::LogDensity(query), Type::real([]), span));
        }
        let operand = self.expr(operand, None);
        self.unary(UnaryOp::Log, operand, span)
    }

    /// `[a, b, c]`
    fn stack(&mut self, parts: &'a [ast::Expr], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let inner = match want {
            Some(Type::Array(array)) if !array.shape.is_empty() => Some(Type::array(plain(&array.support), array.shape[1..].to_vec())),
            _ => None,
        };
        let mut parts: Vec<Expr> = parts.iter().map(|part| self.expr(part, inner.as_ref())).collect();
        let mut first: Option<ArrayType> = None;
        for part in &parts {
            let array = self.array(part)?;
            let Some(sofar) = &mut first else {
                first = Some(array);
                continue;
            };
            if !shape::same_shape(&sofar.shape, &array.shape) {
                let wanted = Type::Array(sofar.clone());
                return Err(
                    message::mismatch(&self.model, part, &wanted, Some((span, "all entries of a list have one shape".into()))).into()
                );
            }
            let real = sofar.support.is_real() || array.support.is_real();
            sofar.support = match support::either(&sofar.support, &array.support) {
                Some(either) => either,
                None => return Err(message::mismatch(&self.model, part, &Type::Array(sofar.clone()), None).into()),
            };
            if real && !sofar.support.is_real() {
                sofar.support = Support::Real;
            }
        }
        let Some(mut array) = first else {
            return Err(Diagnostic::new(Code::SizeNotKnown, "an empty list has no type").at(span).into());
        };
        if array.support.is_real() {
            parts = parts.into_iter().map(coerce::to_real).collect();
        }
        array.shape.insert(0, Size::from(parts.len()));
        Ok(Expr::new(ExprKind::Stack(parts), Type::Array(array), span))
    }

    fn not_a_value(&self, name: &str, callable: &Callable, span: Span) -> Diagnostic {
        let (is, help) = match callable {
            Callable::Builtin(_) | Callable::Definition(..) | Callable::Partial(_) | Callable::Unknown => {
                ("a function", format!("call it: `{name}(…)`"))
            }
            Callable::Dist(_) => ("a family of distributions", format!("give its parameters: `{name}(…)`")),
            Callable::Density(_) => ("a density", format!("query it: `log {name}(…)`")),
        };
        message::wrong_kind(name, is, "a value", span).help(help)
    }
}

/// What stays of a support when the shape is changed.
pub fn plain(support: &Support) -> Support {
    match support {
        Support::Simplex => Support::Unit,
        Support::Cov | Support::Ordered => Support::Real,
        support => support.clone(),
    }
}
