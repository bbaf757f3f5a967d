//! Queries `d(A | B)`: a declared factor, a product of factors by the chain rule, sums over finite latent variables, integrals over
//! continuous ones by the rules that know them, Bayes' rule. Nothing is approximated: where no rule applies, the error names the
//! variable in the way.

mod classes;
mod conjugate;
mod conjugate_steps;
mod expected;
mod gaussian;
mod global;
mod mean_field;
mod mean_field_steps;
mod obstacle;
mod pair;
mod product;
mod relation;

pub(in crate::algebra) use classes::Members;
pub(in crate::algebra) use mean_field::Component;
pub(in crate::algebra) use pair::Known;
pub(in crate::algebra) use product::{Block, Obstacle};

use self::relation::Question;
use super::derivation::Step;
use super::leaves::tensor_type;
use super::lowering::Lowering;
use super::value::{Array, Distribution, Value};
use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Span};
use crate::check::model::{DensityId, Expr, Factor, Place, Query, VarId};

impl Lowering<'_> {
    /// `log p(x | z)`
    pub(super) fn log_density(&mut self, query: &Query) -> Result<Array> {
        if self.asks_for_process(query) {
            return self.log_process_density(query);
        }
        if self.asks_for_chain(query) {
            return self.log_chain_density(query);
        }
        let targets: Vec<VarId> = query.targets.iter().map(|(var, _)| *var).collect();
        let given: Vec<VarId> = query.given.iter().map(|(var, _)| *var).collect();
        let mut outside = vec![];
        let log = self.substituted(query, &mut outside, |this| this.log_conditional(query.density, &targets, &given, query.span))?;
        self.impossible(log, outside)
    }

    /// `p(x | z)` as a value: a declared factor, or the answer of a rule.
    pub(super) fn conditional(&mut self, query: &Query) -> Result<Distribution> {
        if self.asks_for_process(query) {
            return self.process_conditional(query);
        }
        if self.asks_for_chain(query) {
            return self.chain_conditional(query);
        }
        let density = &self.model.densities[query.density];
        let given: Vec<VarId> = query.given.iter().map(|(var, _)| *var).collect();
        let [(target, _)] = query.targets[..] else {
            return Err(Diagnostic::unsupported("a joint distribution of several variables as a value").at(query.span));
        };
        let factor = density.factor_of(target).ok_or_else(|| self.no_factor(density, target, query.span))?;
        let question = self.question(density, &[target], &given, query.span)?;
        if question.evidence.is_empty() && question.latents.is_empty() {
            return self.substituted(query, &mut vec![], |this| this.factor_distribution(query.density, factor));
        }
        self.substituted(query, &mut vec![], |this| {
            this.over_rows(query.density, &question, |this| this.posterior(query.density, target, &question))
        })
    }

    /// With the substitutions `p(x = y | z = w)` in force; also where a value lies outside the support of its variable.
    pub(super) fn substituted<T>(&mut self, query: &Query, outside: &mut Vec<Array>, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let pairs = query.targets.iter().chain(&query.given);
        let values = pairs.filter_map(|(var, value)| value.as_ref().map(|value| (*var, value)));
        // All values are computed before any name changes its meaning.
        let values = values.map(|(var, value): (VarId, &Expr)| {
            let at = self.eval_array(value)?;
            let (inside, beyond) = self.confine(at, &value.ty, &self.model.vars[var].ty)?;
            outside.extend(beyond);
            Ok((var, inside))
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let old: Vec<(VarId, Option<Value>)> = values.into_iter().map(|(var, value)| (var, self.bind(Place::Var(var), value))).collect();
        let result = f(self);
        old.into_iter().rev().for_each(|(var, value)| self.restore(Place::Var(var), value));
        result
    }

    pub(super) fn factor_distribution(&mut self, density: DensityId, factor: &Factor) -> Result<Distribution> {
        let frozen = self.frozen || self.model.densities[density].frozen;
        let outer = std::mem::replace(&mut self.frozen, frozen);
        let distribution = self.eval(&factor.dist);
        self.frozen = outer;
        distribution?.distribution()
    }

    fn log_conditional(&mut self, id: DensityId, targets: &[VarId], given: &[VarId], span: Span) -> Result<Array> {
        let question = self.question(&self.model.densities[id], targets, given, span)?;
        self.over_rows(id, &question, |this| this.answer(id, &question, given, span))
    }

    fn answer(&mut self, id: DensityId, question: &Question, given: &[VarId], span: Span) -> Result<Array> {
        let Question { targets, rest, evidence, .. } = question;
        if evidence.is_empty() {
            return self.log_joint(id, targets, given, &question.latents, span);
        }
        if let Some(log) = self.log_conjugate(id, question)? {
            return Ok(log);
        }
        let both = [&targets[..], evidence].concat();
        self.deriving(|this| {
            let joint = this.log_joint(id, &both, rest, &question.latents, span)?;
            let log_evidence = this.log_joint(id, evidence, rest, &question.latents_of_evidence, span)?;
            this.note(span, "Bayes' rule: joint over evidence, both exact");
            let quotient = this.log_density_formula(id, &both, rest) - this.log_density_formula(id, evidence, rest);
            let step = Step::new("Bayes' rule", this.log_density_formula(id, targets, given), quotient, span);
            Ok((this.sub(&joint, &log_evidence)?, step))
        })
    }
}
