//! Operands and what follows them: calls, brackets, members, comprehensions.

use super::ast::*;
use super::grammar::Rule;
use super::operators::{Parallel, unary};
use super::parse::Builder;
use super::syntax_error as error;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use pest::iterators::Pair;

impl Builder {
    pub fn primary(&self, pair: Pair<Rule>) -> Result<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => self.number(&pair)?,
            Rule::text => ExprKind::Text(unescape(pair.as_str())),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::name => ExprKind::Name(self.name(pair)),
            Rule::paren => self.paren(pair)?,
            Rule::list => self.list(pair)?,
            Rule::block => ExprKind::Block(self.block(pair)?),
            Rule::if_expr => self.if_expr(pair)?,
            Rule::log_call => {
                let operand = self.primary(self.parts(pair).need()?)?;
                unary(UnaryOp::Log, span, operand).kind
            }
            other => return Err(Diagnostic::internal(format!("{} is no operand", other.words())).at(span)),
        };
        Ok(Expr { kind, span })
    }

    fn number(&self, pair: &Pair<Rule>) -> Result<ExprKind> {
        let text = pair.as_str();
        let value: f64 = text.replace('_', "").parse().map_err(|_| error::bad_number(text, self.span(pair)))?;
        if !value.is_finite() {
            return Err(error::bad_number(text, self.span(pair)));
        }
        Ok(ExprKind::Number { value, integer: !text.contains(['.', 'e', 'E']), text: text.to_string() })
    }

    /// Symbols that are names in ASCII: ∇ is `grad`, 𝔼 is `E`.
    fn name(&self, pair: Pair<Rule>) -> Ident {
        let span = self.span(&pair);
        let name = match pair.as_str() {
            "∇" => "grad",
            "𝔼" => "E",
            name => name,
        };
        Ident { name: name.to_string(), span }
    }

    /// `(e)` is `e` itself; otherwise a tuple.
    fn paren(&self, pair: Pair<Rule>) -> Result<ExprKind> {
        let mut items = self.parts(pair).many(Rule::expr, |item| self.expr(item))?;
        Ok(if items.len() == 1 { items.swap_remove(0).kind } else { ExprKind::Tuple(items) })
    }

    fn list(&self, pair: Pair<Rule>) -> Result<ExprKind> {
        let mut parts = self.parts(pair);
        let mut items = parts.many(Rule::expr, |item| self.expr(item))?;
        let Some(comprehension) = parts.optional(Rule::comprehension) else { return Ok(ExprKind::List(items)) };
        let (clauses, condition) = self.comprehension(comprehension)?;
        Ok(ExprKind::Comprehension { body: Box::new(items.swap_remove(0)), clauses, condition: condition.map(Box::new) })
    }

    fn comprehension(&self, pair: Pair<Rule>) -> Result<(Vec<Clause>, Option<Expr>)> {
        let mut parts = self.parts(pair);
        let clauses = parts.many(Rule::clause, |clause| self.clause(clause))?;
        let condition = self.only_expr(parts.optional(Rule::comprehension_condition))?;
        Ok((clauses, condition))
    }

    /// `if c then a else b`, or with blocks, whose `else` may be absent only in a statement.
    fn if_expr(&self, pair: Pair<Rule>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let condition = Box::new(self.expr(parts.need()?)?);
        let branch = parts.need()?;
        let then = if branch.as_rule() == Rule::block { self.primary(branch)? } else { self.expr(branch)? };
        let otherwise = self.only_expr(parts.optional(Rule::else_part))?.ok_or_else(|| error::if_without_else(span))?;
        Ok(ExprKind::If { condition, then: Box::new(then), otherwise: Box::new(otherwise) })
    }

    pub fn postfix(&self, base: Expr, pair: Pair<Rule>) -> Result<Expr> {
        let span = base.span.to(self.span(&pair));
        let base = Box::new(base);
        let kind = match pair.as_rule() {
            Rule::call => {
                let mut parts = self.parts(pair);
                let args = self.args(parts.need()?)?;
                let given = parts.optional(Rule::args).map(|args| self.args(args)).transpose()?;
                ExprKind::Call { callee: base, args, given }
            }
            Rule::bracket => ExprKind::Bracket { base, args: self.args(self.parts(pair).need()?)? },
            Rule::member_access => ExprKind::Member { base, name: self.ident(self.parts(pair).need()?) },
            Rule::transpose => ExprKind::Transpose(base),
            other => return Err(Diagnostic::internal(format!("{} is no postfix operator", other.words())).at(span)),
        };
        Ok(Expr { kind, span })
    }

    fn args(&self, pair: Pair<Rule>) -> Result<Vec<Arg>> {
        self.parts(pair).many(Rule::arg, |arg| self.arg(arg))
    }

    fn arg(&self, pair: Pair<Rule>) -> Result<Arg> {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        if let Some(named) = parts.optional(Rule::named_arg) {
            let mut parts = self.parts(named);
            let kind = ArgKind::Named(self.ident(parts.need()?), self.expr(parts.need()?)?);
            return Ok(Arg { kind, span });
        }
        let body = self.operators(parts.need()?, Parallel::Allowed)?;
        let kind = if let Some(value) = self.only_expr(parts.optional(Rule::substitution))? {
            ArgKind::Substituted(body, value)
        } else if let Some(dist) = self.only_expr(parts.optional(Rule::draw_value))? {
            ArgKind::Draw(body, dist)
        } else if let Some(comprehension) = parts.optional(Rule::comprehension) {
            let (clauses, condition) = self.comprehension(comprehension)?;
            ArgKind::Comprehension { body, clauses, condition }
        } else {
            ArgKind::Positional(body)
        };
        Ok(Arg { kind, span })
    }
}

/// The text between the quotes; `\n`, `\t`, `\"` and `\\` as usual, other escaped characters stand for themselves.
pub(super) fn unescape(quoted: &str) -> String {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                other => other,
            })),
            other => text.push(other),
        }
    }
    text
}
