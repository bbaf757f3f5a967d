//! How tightly operators bind, and the building of an expression from its flat row of operands and operators.

use super::ast::*;
use super::grammar::Rule;
use super::parse::Builder;
use super::syntax_error as error;
use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Span};
use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};
use std::sync::LazyLock;

/// From the loosest to the tightest.
static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::dots))
        .op(left(Rule::parallel))
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(Op::prefix(Rule::not))
        .op(left(Rule::eq) | left(Rule::ne) | left(Rule::lt) | left(Rule::le) | left(Rule::gt) | left(Rule::ge))
        .op(left(Rule::join))
        .op(left(Rule::add) | left(Rule::sub))
        .op(left(Rule::mul) | left(Rule::div) | left(Rule::matmul))
        .op(Op::prefix(Rule::neg))
        .op(Op::prefix(Rule::log_word))
        .op(Op::infix(Rule::pow, Assoc::Right))
        .op(Op::postfix(Rule::call) | Op::postfix(Rule::bracket) | Op::postfix(Rule::member_access) | Op::postfix(Rule::transpose))
});

/// Whether `||` may stand at the top of an expression: only between the two arguments of a divergence.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Parallel {
    Allowed,
    Refused,
}

impl Builder {
    pub fn expr(&self, pair: Pair<Rule>) -> Result<Expr> {
        self.operators(pair, Parallel::Refused)
    }

    /// Builds an `expr`, a `size` or a `product`: each operator counts as one level of depth.
    pub fn operators(&self, pair: Pair<Rule>, parallel: Parallel) -> Result<Expr> {
        let place = self.span(&pair);
        let row = pair.into_inner();
        let levels = 1 + row.clone().filter(|pair| !is_operand(pair.as_rule())).count();
        if levels > 2 {
            self.check_row(row.clone())?;
        }
        if parallel == Parallel::Refused
            && let Some(pair) = row.clone().find(|pair| pair.as_rule() == Rule::parallel)
        {
            return Err(error::parallel_outside_divergence(self.span(&pair)));
        }
        self.deeper(levels, place, || {
            PRECEDENCE
                .map_primary(|pair| self.primary(pair))
                .map_prefix(|op, operand| Ok(unary(prefix(op.as_rule())?, self.span(&op), operand?)))
                .map_postfix(|operand, op| self.postfix(operand?, op))
                .map_infix(|left, op, right| infix(left?, op.as_rule(), right?))
                .parse(row)
        })
    }

    /// Comparisons and ranges do not chain; looser operators begin anew.
    fn check_row<'a>(&self, row: impl Iterator<Item = Pair<'a, Rule>>) -> Result<()> {
        let (mut compared, mut ranged) = (false, false);
        for pair in row {
            let (seen, starts_anew) = match pair.as_rule() {
                Rule::eq | Rule::ne | Rule::lt | Rule::le | Rule::gt | Rule::ge => (&mut compared, false),
                Rule::dots => (&mut ranged, true),
                Rule::parallel | Rule::or | Rule::and => {
                    compared = false;
                    continue;
                }
                _ => continue,
            };
            if std::mem::replace(seen, true) {
                return Err(error::chained(pair.as_str(), self.span(&pair)));
            }
            compared &= !starts_anew;
        }
        Ok(())
    }
}

fn is_operand(rule: Rule) -> bool {
    use Rule::*;
    matches!(rule, number | text | if_expr | log_call | boolean | name | paren | list | block)
}

fn prefix(rule: Rule) -> Result<UnaryOp> {
    Ok(match rule {
        Rule::neg => UnaryOp::Neg,
        Rule::not => UnaryOp::Not,
        Rule::log_word => UnaryOp::Log,
        other => return Err(Diagnostic::internal(format!("{} is no prefix operator", other.words()))),
    })
}

pub(super) fn unary(op: UnaryOp, place: Span, operand: Expr) -> Expr {
    let span = place.to(operand.span);
    Expr { kind: ExprKind::Unary { op, operand: Box::new(operand) }, span }
}

fn infix(left: Expr, rule: Rule, right: Expr) -> Result<Expr> {
    let op = match rule {
        Rule::dots => {
            let span = left.span.to(right.span);
            return Ok(Expr { kind: ExprKind::Range { from: Box::new(left), to: Box::new(right) }, span });
        }
        Rule::parallel => BinaryOp::Parallel,
        Rule::or => BinaryOp::Or,
        Rule::and => BinaryOp::And,
        Rule::eq => BinaryOp::Eq,
        Rule::ne => BinaryOp::Ne,
        Rule::lt => BinaryOp::Lt,
        Rule::le => BinaryOp::Le,
        Rule::gt => BinaryOp::Gt,
        Rule::ge => BinaryOp::Ge,
        Rule::join => BinaryOp::Join,
        Rule::add => BinaryOp::Add,
        Rule::sub => BinaryOp::Sub,
        Rule::mul => BinaryOp::Mul,
        Rule::div => BinaryOp::Div,
        Rule::matmul => BinaryOp::MatMul,
        Rule::pow => BinaryOp::Pow,
        other => return Err(Diagnostic::internal(format!("{} is no infix operator", other.words()))),
    };
    let span = left.span.to(right.span);
    Ok(Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span })
}
