//! The terms of an expected sum: a log-density of a drawn variable by a closed form where a rule has one, everything else at the draws.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::check::model::{Expr, ExprKind, Query, RuleKind, VarId};
use crate::graph::NodeId;

/// The rules by which an expected log-density has a closed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::algebra) enum ExpectedLog {
    /// −H(a)
    Entropy,
    /// A rule for E[log b]
    CrossEntropy,
    /// −H(a) − KL(a ‖ b)
    Divergence,
}

/// A variable over which an expectation is being taken.
pub(super) struct Open {
    pub var: VarId,
    pub dist: Distribution,
    pub value: Array,
}

impl Lowering<'_> {
    /// The body of an expectation, term by term.
    pub(super) fn expected(&mut self, e: &Expr, open: &[Open]) -> Result<Array> {
        match &e.kind {
            ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
                let (a, b) = (self.expected(a, open)?, self.expected(b, open)?);
                self.at(e.span, |this| this.binary(*op, &a, &b))
            }
            ExprKind::Unary(UnaryOp::Neg, x) => {
                let x = self.expected(x, open)?;
                Ok(self.unary(UnaryOp::Neg, &x))
            }
            ExprKind::Binary(BinaryOp::Mul, a, b) if is_given(a) => {
                let (a, b) = (self.eval_array(a)?, self.expected(b, open)?);
                self.at(e.span, |this| this.mul(&a, &b))
            }
            ExprKind::Binary(op @ (BinaryOp::Mul | BinaryOp::Div), a, b) if is_given(b) => {
                let (a, b) = (self.expected(a, open)?, self.eval_array(b)?);
                self.at(e.span, |this| this.binary(*op, &a, &b))
            }
            ExprKind::LogDensity(query) => match self.at(e.span, |this| this.expected_query(query, open))? {
                Some(closed) => Ok(closed),
                None => self.eval_array(e),
            },
            _ => self.eval_array(e),
        }
    }

    /// E[log p(z | …)] of one drawn z, whose factor is declared as it is asked for.
    fn expected_query(&mut self, query: &Query, open: &[Open]) -> Result<Option<Array>> {
        let [(target, None)] = query.targets[..] else { return Ok(None) };
        let density = &self.model.densities[query.density];
        let (Some(factor), Some(drawn)) = (density.factor_of(target), open.iter().find(|open| open.var == target)) else {
            return Ok(None);
        };
        let plain = query.given.iter().all(|(var, value)| value.is_none() && factor.given.contains(var));
        if !plain || factor.given.len() != query.given.len() || factor.targets != [target] {
            return Ok(None);
        }
        let of = self.factor_distribution(query.density, factor)?;
        let name =
            format!("E[log {}({}{})]", density.name, self.model.vars[target].name, if factor.given.is_empty() { "" } else { " | …" });
        let closed = self.expected_log(&drawn.dist, &drawn.value, &of, &name, query.span)?;
        Ok(closed.map(|(value, _)| value))
    }

    /// E[log b(x)] for x drawn from a, of which b does not depend on the draw: by a `rule cross_entropy`, or as −H(a) - KL(a ‖ b).
    pub(super) fn expected_log(
        &mut self,
        a: &Distribution,
        x: &Array,
        b: &Distribution,
        name: &str,
        span: Span,
    ) -> Result<Option<(Array, ExpectedLog)>> {
        let x = self.node(x);
        for param in &b.params {
            let param = self.node(param);
            if self.reaches(param, x, x) {
                return Ok(None);
            }
        }
        let value = if self.is_same(a, b) {
            self.closed_form(RuleKind::Entropy, &[a])?.map(|entropy| (entropy, ExpectedLog::Entropy))
        } else {
            match self.closed_form(RuleKind::CrossEntropy, &[a, b])? {
                Some(cross) => Some((cross, ExpectedLog::CrossEntropy)),
                None => match (self.closed_form(RuleKind::Kl, &[a, b])?, self.closed_form(RuleKind::Entropy, &[a])?) {
                    (Some(kl), Some(entropy)) => Some((self.add(&kl, &entropy)?, ExpectedLog::Divergence)),
                    _ => None,
                },
            }
        };
        let Some((value, rule)) = value else { return Ok(None) };
        self.note(span, format!("{name}: closed form"));
        Ok(Some((self.unary(UnaryOp::Neg, &value), rule)))
    }

    fn is_same(&mut self, a: &Distribution, b: &Distribution) -> bool {
        let nodes = |this: &mut Self, d: &Distribution| -> Vec<NodeId> { d.params.iter().map(|param| this.node(param)).collect() };
        a.dist == b.dist && a.shape == b.shape && nodes(self, a) == nodes(self, b)
    }
}

/// A factor that no draw takes part in.
fn is_given(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Real(_) | ExprKind::Int(_) | ExprKind::Const(_) | ExprKind::Param(_) => true,
        ExprKind::ToReal(x) | ExprKind::Unary(UnaryOp::Neg, x) => is_given(x),
        _ => false,
    }
}
