//! `require(condition, "text {}", value, …)`: what must hold for a function to mean anything, in the words of its author.

use super::checker::{Checked, Checker, Fault};
use super::coerce::to_real;
use super::model::{Require, StmtKind};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

/// The arguments of a statement `require(…)`.
pub fn arguments(e: &ast::Expr) -> Option<&[ast::Arg]> {
    match &e.kind {
        ast::ExprKind::Call { callee, args, given: None } => match &callee.kind {
            ast::ExprKind::Name(name) if name.name == "require" => Some(args),
            _ => None,
        },
        _ => None,
    }
}

impl<'a> Checker<'a> {
    /// The text has one `{}` for each number.
    pub fn require(&mut self, args: &'a [ast::Arg], span: Span) -> Checked<StmtKind> {
        let mut parts = vec![];
        for arg in args {
            let ArgKind::Positional(part) = &arg.kind else {
                return Err(Diagnostic::new(Code::UnknownArgument, "`require` takes its arguments by position").at(arg.span).into());
            };
            parts.push(part);
        }
        let [condition, text, values @ ..] = &parts[..] else { return Err(form(span).into()) };
        let ast::ExprKind::Text(text) = &text.kind else { return Err(form(text.span).into()) };
        let text: Vec<String> = text.split("{}").map(str::to_owned).collect();
        if text.len() != values.len() + 1 {
            let message = format!("the text has {} places `{{}}` for {} numbers", text.len() - 1, values.len());
            return Err(Diagnostic::new(Code::ArgumentCount, message).at(span).into());
        }
        let condition = self.expr(condition, None);
        let condition = self.boolean(condition)?;
        let mut numbers = vec![];
        for value in values {
            let value = to_real(self.expr(value, None));
            if value.is_error() {
                return Err(Fault::Reported);
            }
            self.not_boolean(&value)?;
            for scalar in [&value, &condition] {
                if !self.array(scalar)?.shape.is_empty() {
                    let message = format!("`require` takes scalars, this is {}", scalar.ty);
                    return Err(Diagnostic::new(Code::NotScalar, message).at(scalar.span).help("reduce it with `all` or `max`").into());
                }
            }
            numbers.push(value);
        }
        Ok(StmtKind::Require(Require { condition, text, values: numbers }))
    }
}

fn form(span: Span) -> Diagnostic {
    Diagnostic::new(Code::ArgumentCount, "`require` takes a condition, a text, and a number for each `{}` of the text")
        .at(span)
        .help("write `require(steps >= 1, \"there are {} steps\", steps)`")
}
