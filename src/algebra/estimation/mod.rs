//! Estimation in closed form: `maximize log p(x) exactly` and `by em`.
//!
//! While the log-density is lowered, every factor leaves a record. The derivative of log p(x) with respect to the logarithm of a factor is
//! the posterior probability of each of its cells: 1 where everything is observed, a responsibility where a finite latent variable was
//! summed out (Salakhutdinov, Roweis, Ghahramani: Optimization with EM and expectation-conjugate-gradient, 2003, section 2). That is
//! the E-step. The M-step maximises the factors with these weights: by a `rule maximum_likelihood` of the library, by one step of Newton's
//! method where the log-density is quadratic in the parameters, and otherwise not at all.
//!
//! - [`record`]: what each factor leaves
//! - [`slot`]: where in a factor a learned parameter stands
//! - [`rule`]: the rules of the library
//! - [`quadratic`]: least squares
//! - [`principal`]: a linear-Gaussian latent variable whose maximum is known
//! - [`obstacle`]: why a maximum is not known in closed form
//! - [`variational`]: `maximize ELBO(p, q) by vbem`
//! - [`steps`]: what a derivation shows

mod obstacle;
mod principal;
mod quadratic;
mod record;
mod rule;
mod slot;
mod steps;
mod variational;

pub(super) use record::{Record, RecordedFactor};

use super::lost::depends;
use super::lowering::Lowering;
use super::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::{CompareOp, ReduceOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::Support;
use crate::check::model::{Expr, ExprKind, Method, Optimise, ParamId};
use crate::check::types::Type;
use crate::graph::NodeId;
use crate::pass::derivative;
use slot::Slot;

/// What one step by `exactly` or `by em` yields.
pub(super) struct Estimate {
    /// The objective at the parameters before the step, averaged over rows
    pub value: Array,
    /// The new parameters, in their supports
    pub fitted: Vec<(ParamId, Array)>,
    /// Learned parameters for which no rule knows the maximum
    pub unsolved: Vec<ParamId>,
}

/// A factor with the weight of each of its cells, and its parameters that are learned.
struct Weighted<'m> {
    record: Record<'m>,
    weight: Array,
    /// Further uses of the same factor: other members of a chain
    others: Vec<(Record<'m>, Array)>,
    /// By position among the parameters of the distribution
    slots: Vec<Option<Slot>>,
    /// All learned parameters on which the factor depends
    learned: Vec<ParamId>,
}

impl<'m> Lowering<'m> {
    /// The parameters that maximise a log-density, given the present ones: its maximum where everything is observed, the next iterate
    /// of EM otherwise.
    pub(super) fn estimate(&mut self, optimise: &'m Optimise) -> Result<Estimate> {
        let objective = self.log_density_to_maximise(optimise)?;
        self.records = Some(vec![]);
        let value = self.eval_array(objective);
        let records = self.records.take().unwrap_or_default();
        let value = value?;
        self.refuse_evidence(&records, objective.span)?;
        let learned: Vec<ParamId> = match &optimise.over {
            Some(over) => over.clone(),
            None => self.model.params.ids().collect(),
        };
        let learned: Vec<ParamId> = learned.into_iter().filter(|id| self.raw_params.contains_key(id)).collect();
        let factors = self.weighted(&value, records, &learned)?;
        let exactly = matches!(optimise.method, Method::Exactly);
        if !exactly {
            self.derive_weights(&factors, objective);
        }
        let mut fitted: Vec<(ParamId, Array)> = vec![];
        if exactly {
            self.fit_principal_components(&factors, &mut fitted)?;
            self.refuse_latents(&factors, &fitted, objective.span)?;
        }
        self.fit_by_rules(&factors, &mut fitted)?;
        self.fit_quadratic(&factors, exactly, &mut fitted)?;
        self.fit_in_turn(&factors, &mut fitted)?;
        let unsolved: Vec<ParamId> = learned.iter().copied().filter(|id| fitted.iter().all(|(known, _)| known != id)).collect();
        if exactly {
            self.refuse_unsolved(&factors, &fitted, &unsolved, objective.span)?;
        }
        let all = value.plates.clone();
        Ok(Estimate { value: self.mean_over(&value, &all)?, fitted, unsolved })
    }

    /// The weights are the derivatives of the objective with respect to the log-factors.
    fn weighted(&mut self, value: &Array, records: Vec<Record<'m>>, learned: &[ParamId]) -> Result<Vec<Weighted<'m>>> {
        let total = self.sum_over(value, &value.plates.clone());
        let total = self.node(&total);
        let cells: Vec<_> = records.iter().map(|record| self.node(&record.log)).collect();
        let weights = derivative::gradient(self.b(), total, &cells, None)?;
        let mut weighted = vec![];
        for (record, weight) in records.into_iter().zip(weights) {
            let weight = self.array(weight, record.log.plates.clone());
            let weight = self.spread_over_points(&record, &weight)?;
            let graph = self.frames.graph(0);
            let depends_on = |id: &&ParamId| record.distribution.params.iter().any(|p| depends(graph, p.node, self.raw_params[*id].node));
            let used: Vec<ParamId> = learned.iter().filter(depends_on).copied().collect();
            let slots = self.slots(&record, &used)?;
            weighted.push(Weighted { record, weight, others: vec![], slots, learned: used });
        }
        Ok(joined(weighted))
    }

    /// The log-density behind an objective: itself, a named one, or what is minimised with its sign turned.
    fn log_density_to_maximise(&self, optimise: &'m Optimise) -> Result<&'m Expr> {
        let (mut expr, mut maximise) = (&optimise.value, optimise.maximize);
        loop {
            expr = match &expr.kind {
                ExprKind::Quantity(id) => &self.model.quantities[*id].value,
                ExprKind::Unary(UnaryOp::Neg, inner) => {
                    maximise = !maximise;
                    inner
                }
                ExprKind::LogDensity(_) if maximise => return Ok(expr),
                _ => {
                    let how = optimise.method.name();
                    let problem = Diagnostic::new(Code::NoRule, format!("`{how}` is for log-densities: `maximize log p(x) {how}`"));
                    return Err(problem.label(optimise.value.span, "another objective").help("follow the gradient: `with Adam(1e-2)`"));
                }
            }
        }
    }

    /// Whether the unconstrained numbers of an estimate are those of a value in the support. A probability of 0 or 1 may have infinite
    /// ones; a scale of 0, or a covariance that is not positive definite, is none.
    pub(super) fn within_support(&mut self, id: ParamId, raw: &Array) -> Result<NodeId> {
        let boundary = match &self.model.params[id].ty {
            Type::Array(array) => matches!(array.support, Support::Unit | Support::Simplex),
            Type::Tuple(_) | Type::Distribution(_) | Type::Error => false,
        };
        let node = self.node(raw);
        let b = self.b();
        let good = if boundary {
            let greatest = b.fill_like(f64::INFINITY, node);
            b.compare(CompareOp::Le, node, greatest)
        } else {
            b.unary(UnaryOp::IsFinite, node)
        };
        let axes: Vec<usize> = (0..b.ty(good).rank()).collect();
        Ok(b.reduce(ReduceOp::And, good, &axes))
    }

    fn param_name(&self, id: ParamId) -> &'m str {
        &self.model.params[id].path
    }

    fn span_of(&self, factor: &Weighted<'m>) -> Span {
        factor.record.factor.span
    }
}

/// Uses of one factor whose parameters are chosen by the same values are one factor with more observations.
fn joined(factors: Vec<Weighted<'_>>) -> Vec<Weighted<'_>> {
    let mut found: Vec<Weighted<'_>> = vec![];
    for factor in factors {
        let alike = |other: &&mut Weighted<'_>| {
            let slots = other.slots.iter().zip(&factor.slots);
            std::ptr::eq(other.record.factor.dist, factor.record.factor.dist)
                && other.learned == factor.learned
                && slots.into_iter().all(|(a, b)| match (a, b) {
                    (Some(a), Some(b)) => a.chooses_as(b),
                    (None, None) => true,
                    _ => false,
                })
        };
        match found.iter_mut().find(alike) {
            Some(known) => known.others.push((factor.record, factor.weight)),
            None => found.push(factor),
        }
    }
    found
}
