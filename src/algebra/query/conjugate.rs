//! Conjugate pairs, from `rule` declarations: posteriors of latent variables whose prior and likelihoods fit, predictive distributions,
//! and the evidence, which follows from the posterior by Bayes' rule at any one value.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::pair::Known;
use super::product::{Attempt, Block, Obstacle};
use super::relation::Question;
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::check::model::{ConjugateKind, DensityId, Factor, Place, VarId};

/// A block as conjugate pairs see it: latent variables with one prior, and what is observed of them.
pub(in crate::algebra) struct Family<'m> {
    pub density: DensityId,
    pub prior: &'m Factor,
    pub children: Vec<&'m Factor>,
}

impl<'m> Lowering<'m> {
    /// log ∫ of the product of a block's factors, where its latent variables are conjugate to all that depends on them.
    pub(in crate::algebra) fn conjugate_integral(&mut self, block: &Block<'m>) -> Result<Attempt<Array>> {
        if self.records.is_some() {
            let reason = format!("no rule gives expectations under the conjugate posterior of {}", self.names(&block.latents));
            return Ok(Attempt::Obstacle(Obstacle { span: block.span, reason }));
        }
        let family = match self.family(block, &block.latents) {
            Ok(family) => family,
            Err(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let (prior, posterior) = match self.posterior_of(&family, block.span)? {
            Attempt::Done(both) => both,
            Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let evidence = self.evidence(&family, &prior, &posterior)?;
        self.derive_evidence(&family, block.span);
        // Of a member of a tuple that has a value: its marginal density as well.
        let mut known = family.prior.targets.iter().copied().filter(|var| !block.latents.contains(var));
        match (known.next(), known.next()) {
            (None, _) => Ok(Attempt::Done(evidence)),
            (Some(member), None) => match self.marginal_of(&posterior, &family, member)? {
                Attempt::Done(marginal) => {
                    let value = self.variable(member)?;
                    let log = self.log_prob(&marginal, &value)?;
                    self.add(&evidence, &log).map(Attempt::Done)
                }
                Attempt::Obstacle(obstacle) => Ok(Attempt::Obstacle(obstacle)),
            },
            (Some(_), Some(_)) => Ok(Attempt::Obstacle(self.not_conjugate(block))),
        }
    }

    /// The distribution of one of a block's latent variables given everything that is bound: a posterior or a predictive.
    pub(in crate::algebra) fn conjugate_distribution(&mut self, target: VarId, block: &Block<'m>) -> Result<Attempt<Distribution>> {
        let others: Vec<VarId> = block.latents.iter().copied().filter(|&var| var != target).collect();
        let is_latent = block.factors.iter().any(|f| !f.targets.contains(&target) && f.given.contains(&target)) || others.is_empty();
        let latents = if is_latent { &block.latents } else { &others };
        let family = match self.family(block, latents) {
            Ok(family) => family,
            Err(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        // A conditional of a tuple is no rule's.
        if family.prior.targets.iter().any(|var| !latents.contains(var)) {
            return Ok(Attempt::Obstacle(self.not_conjugate(block)));
        }
        if is_latent {
            let posterior = match self.posterior_of(&family, block.span)? {
                Attempt::Done((_, posterior)) => posterior,
                Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
            };
            return self.marginal_of(&posterior, &family, target);
        }
        let (asked, observed): (Vec<&Factor>, Vec<&Factor>) = family.children.iter().partition(|f| f.targets.contains(&target));
        let [asked] = asked[..] else { return Ok(Attempt::Obstacle(self.not_conjugate(block))) };
        let family = Family { children: observed, ..family };
        let known = match self.posterior_of(&family, block.span)? {
            Attempt::Done((_, posterior)) => posterior,
            Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let (rule, predictive) = match self.paired(ConjugateKind::Predictive, &family, &known, asked)? {
            Attempt::Done(both) => both,
            Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let observed: Vec<VarId> = family.children.iter().flat_map(|child| child.targets.clone()).collect();
        self.derive_pair(rule, &family, asked, &observed, Some(target), block.span);
        self.note(block.span, format!("closed form: the predictive distribution of {}", self.names(&[target])));
        Ok(Attempt::Done(self.lowered(&predictive)))
    }

    /// `log d(target | evidence)` from the distribution itself, which is more precise than a quotient of two evidences.
    pub(super) fn log_conjugate(&mut self, id: DensityId, question: &Question) -> Result<Option<Array>> {
        let [target] = question.targets[..] else { return Ok(None) };
        if self.records.is_some() {
            return Ok(None);
        }
        let block = self.posterior_block(id, target, question);
        let distribution = match self.conjugate_distribution(target, &block)? {
            Attempt::Done(distribution) => distribution,
            Attempt::Obstacle(_) => return Ok(None),
        };
        let value = self.variable(target)?;
        // Predictions of several rows are not independent. The plates of the rows exist from the first use of the data on.
        let rows = self.whole_plates();
        if value.plates.iter().any(|plate| rows.contains(plate)) {
            return Ok(None);
        }
        self.log_prob(&distribution, &value).map(Some)
    }

    /// The distribution of one latent variable out of that of all: a rule gives the marginals of tuples.
    fn marginal_of(&mut self, posterior: &Known, family: &Family<'m>, target: VarId) -> Result<Attempt<Distribution>> {
        if family.prior.targets.len() == 1 {
            return Ok(Attempt::Done(self.lowered(posterior)));
        }
        let rules = self.model.marginals.iter().filter(|rule| rule.joint == posterior.dist);
        let Some(rule) = rules.into_iter().find(|rule| family.prior.targets.get(rule.member) == Some(&target)) else {
            let joint = &self.model.dists[posterior.dist].name;
            let reason = format!("no rule gives the marginal distributions of {joint}");
            return Ok(Attempt::Obstacle(Obstacle { span: family.prior.span, reason }));
        };
        self.name_all(&rule.parameters, &posterior.params);
        let one = self.eval(&rule.result)?.distribution()?;
        let marginal = Known { dist: one.dist, params: one.params, plates: posterior.plates.clone(), event: one.shape };
        Ok(Attempt::Done(self.lowered(&marginal)))
    }

    /// The block as one prior and what depends on its variables.
    fn family(&self, block: &Block<'m>, latents: &[VarId]) -> std::result::Result<Family<'m>, Obstacle> {
        let about = |vars: &[VarId]| vars.iter().any(|var| latents.contains(var));
        let (priors, children): (Vec<&'m Factor>, Vec<&'m Factor>) = block.factors.iter().partition(|f| about(&f.targets));
        let [prior] = priors[..] else {
            let reason = format!("{} have factors of their own, and no rule takes them together", self.names(latents));
            return Err(Obstacle { span: block.span, reason });
        };
        let apart = children.iter().find(|f| !about(&f.given));
        if about(&prior.given) || apart.is_some() {
            return Err(self.not_conjugate(block));
        }
        Ok(Family { density: block.density, prior, children })
    }

    /// The prior, and the posterior after all children, one after another.
    fn posterior_of(&mut self, family: &Family<'m>, span: Span) -> Result<Attempt<(Known, Known)>> {
        let prior = self.factor_distribution(family.density, family.prior)?;
        let prior = self.known(&prior)?;
        let mut posterior = prior.clone();
        let mut observed: Vec<VarId> = vec![];
        for child in &family.children {
            match self.paired(ConjugateKind::Posterior, family, &posterior, child)? {
                Attempt::Done((rule, updated)) => {
                    posterior = updated;
                    self.derive_pair(rule, family, child, &observed, None, span);
                    observed.extend(&child.targets);
                }
                Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
            }
        }
        if !observed.is_empty() {
            let (latents, observed) = (self.names(&family.prior.targets), self.names(&observed));
            self.note(span, format!("closed form: {latents} given {observed}, a conjugate pair"));
        }
        Ok(Attempt::Done((prior, posterior)))
    }

    /// log p(x) = log p(x | θ) + log p(θ) − log p(θ | x), the same for every θ (Besag: A candidate's formula, 1989; Chib: Marginal
    /// likelihood from the Gibbs output, 1995, equation 5). Since it is the same for every θ, no derivative goes through θ.
    fn evidence(&mut self, family: &Family<'m>, prior: &Known, posterior: &Known) -> Result<Array> {
        let centre = self.centre(posterior)?;
        let at: Vec<Array> = centre.iter().map(|value| self.stop(value)).collect();
        let mut log = self.log_prob_of(prior, &at)?;
        let values: Vec<Array> = at.iter().map(|value| self.lower_plates(value, &posterior.plates)).collect();
        let old = self.bind_all(&family.prior.targets, values);
        let likelihoods = family.children.iter().map(|child| self.log_factor(family.density, child)).collect::<Result<Vec<_>>>();
        self.restore_all(old);
        let rows = self.whole_plates();
        for term in likelihoods? {
            let own: Vec<_> = rows.iter().copied().filter(|&plate| term.varies_over(plate)).collect();
            let term = self.sum_over(&term, &own);
            log = self.add(&log, &term)?;
        }
        let of_posterior = self.log_prob_of(posterior, &at)?;
        self.sub(&log, &of_posterior)
    }

    pub(super) fn bind_all(&mut self, vars: &[VarId], values: Vec<Array>) -> Vec<(VarId, Option<super::Value>)> {
        vars.iter().zip(values).map(|(&var, value)| (var, self.bind(Place::Var(var), value))).collect()
    }

    pub(super) fn restore_all(&mut self, old: Vec<(VarId, Option<super::Value>)>) {
        old.into_iter().rev().for_each(|(var, value)| self.restore(Place::Var(var), value));
    }

    pub(super) fn not_conjugate(&self, block: &Block<'m>) -> Obstacle {
        Obstacle { span: block.span, reason: format!("no conjugate pair is known for {}", self.names(&block.latents)) }
    }
}
