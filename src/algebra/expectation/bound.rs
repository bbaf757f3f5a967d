//! Bounds on the evidence.

use super::super::derivation::Closed;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, PlateId};
use super::draw::{Drawn, Site};
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Bound, DensityId, Estimator, Factor, Place, RuleKind, VarId};

impl Lowering<'_> {
    /// ELBO = E[z ~ q](log p(x | z)) − Σ KL(q(z | ·) || p(z | ·)), for any number of latent variables. A divergence is in closed form
    /// where a rule has one and all that p's factor is given is drawn before z; otherwise log p − log q at the draw. Where finite
    /// variables have no factor in q, the bound with the best one.
    pub(in crate::algebra) fn elbo(&mut self, bound: &Bound, span: Span) -> Result<Array> {
        if let Some(of_chain) = self.bound_of_chain(bound, span)? {
            return Ok(of_chain);
        }
        if let Some(collapsed) = self.collapsed_bound(bound, span)? {
            return Ok(collapsed);
        }
        self.sampled(bound.samples, bound.estimator, |this, samples, drawn| {
            this.bound_terms(&Bound { samples, ..bound.clone() }, drawn, true, span)
        })
    }

    /// IWAE = E[log (1/n) Σ p(x, z_i) / q(z_i | x)] (Burda, Grosse, Salakhutdinov: Importance weighted autoencoders, 2016, equation 8).
    /// Variables with few values are summed over instead of drawn; the gradient of other draws that are no differentiable function is
    /// that of the score, with a baseline for each sample.
    pub(in crate::algebra) fn iwae(&mut self, bound: &Bound, span: Span) -> Result<Array> {
        self.refuse_weighted_globals(bound, span)?;
        let samples = bound.samples.unwrap_or(1);
        let plate = self.plate(samples);
        self.scope.push(plate);
        let mut drawn = Drawn::with(samples);
        let weights = self.bound_terms(bound, &mut drawn, false, span);
        let value = weights.and_then(|weights| self.log_mean_weight(&weights, &drawn.sites, plate, span));
        self.forget(drawn);
        self.scope.pop();
        value
    }

    fn log_mean_weight(&mut self, log_weights: &Array, sites: &[Site], samples: PlateId, span: Span) -> Result<Array> {
        let summed: Vec<PlateId> =
            sites.iter().filter_map(|site| if let Site::Enumerated { plate, .. } = site { Some(*plate) } else { None }).collect();
        let log_weights = if summed.is_empty() { log_weights.clone() } else { self.log_sum_exp(log_weights, &summed)? };
        let count = self.sizes(&[samples])[0];
        let log = self.log_sum_exp(&log_weights, &[samples])?;
        let log_count = self.real((count as f64).ln());
        let mut value = self.sub(&log, &log_count)?;
        if !self.differentiated {
            return Ok(value);
        }
        for site in sites {
            let Site::Score(log) = site else { continue };
            if log.plates.iter().any(|plate| summed.contains(plate)) {
                let what = "IWAE with a score-function draw that depends on a variable summed over";
                return Err(Diagnostic::unsupported(what).at(span).help("optimise `ELBO(p, q)` instead"));
            }
            let signal = self.weighted_signal(&log_weights, samples)?;
            let zero = self.real(0.0);
            let term = self.with_score(&zero, &signal, log)?;
            let term = self.sum_over(&term, &[samples]);
            value = self.add(&value, &term)?;
        }
        Ok(value)
    }

    /// Draws all latent variables from q and adds up log p − log q.
    fn bound_terms(&mut self, bound: &Bound, drawn: &mut Drawn, average: bool, span: Span) -> Result<Array> {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let order = q.parents_first(q.factors.iter().flat_map(|f| f.targets.iter().copied()).collect());
        self.all_bound(bound, &order, span)?;
        let closes = average && !matches!(bound.estimator, Estimator::Pathwise | Estimator::ScoreFunction);
        let mut total: Option<Array> = None;
        let mut done: Vec<VarId> = vec![];
        let mut open: Vec<(VarId, Distribution, Array)> = vec![];
        let mut expected: Vec<(DensityId, VarId)> = vec![];
        let outer = std::mem::take(&mut self.derivation);
        for (at, &z) in order.iter().enumerate() {
            let later = &order[at..];
            let factor = q.factor_of(z).ok_or_else(|| self.no_factor(q, z, span))?;
            let prior = p.factor_of(z).ok_or_else(|| self.no_factor(p, z, span))?;
            let posterior = self.factor_distribution(bound.q, factor)?;
            if closes && !prior.given.iter().any(|v| later.contains(v)) {
                let prior = self.factor_distribution(bound.p, prior)?;
                let closed = self.closed_form(RuleKind::Kl, &[&posterior, &prior])?;
                if let Some(kl) = closed {
                    let name = &self.model.vars[z].name;
                    self.note(span, format!("KL({}({name} | …) || {}({name} | …)): closed form", q.name, p.name));
                    self.derive_bound_divergence(bound, z, span);
                    let term = self.unary(UnaryOp::Neg, &kl);
                    let term = self.shared_by_rows(bound.p, z, term)?;
                    total = Some(self.plus(total, term)?);
                    done.push(z);
                }
            }
            let (value, weighted) = match average {
                true => (self.draw_into(drawn, Place::Var(z), &posterior, bound.estimator, span)?, !done.contains(&z)),
                false => self.draw_weighted(drawn, z, &posterior, bound, span)?,
            };
            if weighted {
                let log = self.bound_term(bound.q, factor, &posterior, (closes, &posterior, &value), (bound, &mut expected), span)?;
                let term = self.unary(UnaryOp::Neg, &log);
                let term = self.shared_by_rows(bound.p, z, term)?;
                total = Some(self.plus(total, term)?);
            }
            open.push((z, posterior, value));
        }
        for factor in &p.factors {
            for &var in factor.targets.iter().filter(|var| !done.contains(var)) {
                let distribution = self.factor_distribution(bound.p, factor)?;
                let drawn_from = open.iter().find(|(z, ..)| *z == var);
                let term = match drawn_from {
                    Some((_, posterior, value)) => {
                        self.bound_term(bound.p, factor, &distribution, (closes, posterior, value), (bound, &mut expected), span)?
                    }
                    None => {
                        let value = self.variable(var)?;
                        self.derive_log_factor(bound.p, factor);
                        self.log_prob(&distribution, &value)?
                    }
                };
                let term = self.shared_by_rows(bound.p, var, term)?;
                total = Some(self.plus(total, term)?);
            }
        }
        let terms = std::mem::replace(&mut self.derivation, outer);
        let closed = Closed { divergences: &done, expected: &expected };
        let steps = if average { self.bound_steps(bound, &order, closed, span) } else { self.weighted_steps(bound, &order, span) };
        steps.into_iter().chain(terms).for_each(|step| self.derive(step));
        if average {
            self.derive_bound_draws(bound, &order, closed, &drawn.treatments(), span);
        }
        total.ok_or_else(|| Diagnostic::internal("a bound without factors"))
    }

    fn plus(&mut self, total: Option<Array>, term: Array) -> Result<Array> {
        match total {
            Some(total) => self.add(&total, &term),
            None => Ok(term),
        }
    }

    /// The log-density of a factor of a latent variable: its expectation in closed form where there is one, else at the draw.
    fn bound_term(
        &mut self,
        id: DensityId,
        factor: &Factor,
        of: &Distribution,
        (closes, posterior, value): (bool, &Distribution, &Array),
        (bound, expected): (&Bound, &mut Vec<(DensityId, VarId)>),
        span: Span,
    ) -> Result<Array> {
        let name = format!(
            "E[log {}({}{})]",
            self.model.densities[id].name,
            self.names(&factor.targets),
            if factor.given.is_empty() { "" } else { " | …" }
        );
        if closes && let Some((closed, rule)) = self.expected_log(posterior, value, of, &name, span)? {
            self.derive_expected_log(bound, (id, factor), rule, span);
            expected.extend(factor.targets.first().map(|&target| (id, target)));
            return Ok(closed);
        }
        self.derive_log_factor(id, factor);
        self.log_prob(of, value)
    }

    /// A draw under a nonlinearity, the logarithm of a mean; and whether its density divides the weight: that of a variable which is
    /// summed over does not.
    fn draw_weighted(&mut self, drawn: &mut Drawn, z: VarId, d: &Distribution, bound: &Bound, span: Span) -> Result<(Array, bool)> {
        let name = self.model.vars[z].name.clone();
        let enumerated = if bound.estimator == Estimator::Chosen { self.enumerated(d)? } else { None };
        if let Some((site, values)) = enumerated {
            let q = &self.model.densities[bound.q].name;
            self.note(span, format!("importance weights: exact sum over {name}, {q}({name} | …) takes no part"));
            drawn.sites.push(site);
            self.bind_drawn(drawn, Place::Var(z), values.clone());
            return Ok((values, false));
        }
        let x = self.draw(d)?;
        let (site, x) = self.estimated(d, x, bound.estimator).map_err(|e| e.at(span))?;
        let scored = matches!(site, Site::Score(_));
        if scored && self.differentiated && drawn.samples < 2 {
            let message =
                format!("the gradient of IWAE through the draw of {name}, which is not reparameterised, needs other samples as baseline");
            return Err(Diagnostic::new(Code::NoEstimator, message)
                .label(span, "optimised here")
                .help("write `samples: 2` or more, or optimise `ELBO(p, q)`"));
        }
        let how = if scored && self.differentiated { ", score-function gradient with leave-one-out baseline (VIMCO)" } else { "" };
        let draws = drawn.samples;
        self.note(span, format!("importance weights over {name}: sampled with {draws} draws, the bound is tight as they grow{how}"));
        drawn.sites.push(site);
        self.bind_drawn(drawn, Place::Var(z), x.clone());
        Ok((x, true))
    }

    /// Every variable of p has a value in a bound: it is drawn from q or observed.
    fn all_bound(&self, bound: &Bound, order: &[VarId], span: Span) -> Result<()> {
        let known = |var: &VarId| order.contains(var) || self.vars.contains_key(var) || self.model.vars[*var].observed.is_some();
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        match p.factors.iter().flat_map(|factor| &factor.targets).find(|var| !known(var)) {
            Some(&var) => Err(self.no_factor(q, var, span)),
            None => Ok(()),
        }
    }
}
