//! Expectations and the bounds made of them.
//!
//! A draw is treated by the first that applies: an exact sum over a small finite support; a sample whose gradient flows through the
//! draw (pathwise; Kingma, Welling: Auto-encoding variational Bayes, 2014, section 2.4); a sample with the score-function estimator
//! (Williams: Simple statistical gradient-following algorithms, 1992).

use super::derivation::Treatment;
use super::lowering::Lowering;
use super::value::{Array, Distribution, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{CompareOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Bound, DensityId, Draw, Estimator, Expr, Place, RuleKind, VarId};
use crate::check::types::Type;
use crate::graph::{NodeId, Op};
use std::collections::HashSet;

/// One draw inside an expectation, until the expectation is closed.
enum Site {
    /// The log-probabilities of all values along a plate
    Enumerated { plate: PlateId, log_weights: Array },
    /// The draw, through which the gradient flows
    Pathwise(Array),
    /// From a distribution that is a constant
    Fixed,
    /// The log-probability of the draw
    Score(Array),
}

impl Site {
    fn treatment(&self) -> Treatment {
        match self {
            Site::Enumerated { .. } => Treatment::ExactSum,
            Site::Pathwise(_) => Treatment::Pathwise,
            Site::Fixed => Treatment::Sampled,
            Site::Score(_) => Treatment::ScoreFunction,
        }
    }
}

/// The names that an expectation bound, with what they stood for before.
#[derive(Default)]
struct Drawn {
    sites: Vec<Site>,
    old: Vec<(Place, Option<Value>)>,
}

impl Drawn {
    fn treatments(&self) -> Vec<Treatment> {
        self.sites.iter().map(Site::treatment).collect()
    }
}

impl Lowering<'_> {
    pub(super) fn expectation(&mut self, draws: &[Draw], samples: Option<usize>, estimator: Estimator, body: &Expr) -> Result<Array> {
        let plate = self.enter_samples(samples);
        let mut drawn = Drawn::default();
        let value = (|| {
            for draw in draws {
                let d = self.eval(&draw.dist)?.distribution()?;
                self.draw_into(&mut drawn, draw.target, &d, estimator, draw.span)?;
            }
            let value = self.eval_array(body)?;
            for (draw, site) in draws.iter().zip(&drawn.sites) {
                match site {
                    Site::Pathwise(x) if estimator == Estimator::Chosen => self.refuse_steps(draw, x, &value)?,
                    Site::Pathwise(_) | Site::Enumerated { .. } | Site::Fixed | Site::Score(_) => {}
                }
            }
            self.derive_expectation(draws, &drawn.treatments(), samples, body);
            self.close_sites(&drawn, value)
        })();
        self.forget(drawn);
        self.leave_samples(plate, value)
    }

    /// `what` has no closed form, so it is the expectation of a Rust function: an exact sum, or one draw with an unbiased gradient.
    pub(super) fn with_draw(
        &mut self,
        d: &Distribution,
        what: &str,
        span: Span,
        body: impl FnOnce(&mut Self, &Array) -> Result<Array>,
    ) -> Result<Array> {
        let (how, (site, x)) = match self.enumerated(d)? {
            Some(enumerated) => ("an exact sum", enumerated),
            None => {
                let x = self.draw(d)?;
                ("estimated with 1 draw, unbiased", self.estimated(d, x, Estimator::Chosen)?)
            }
        };
        self.note(span, format!("{what}: no closed form is known; {how}"));
        let value = body(self, &x)?;
        self.close_sites(&Drawn { sites: vec![site], old: vec![] }, value)
    }

    fn enter_samples(&mut self, samples: Option<usize>) -> Option<PlateId> {
        let plate = samples.filter(|&n| n > 1).map(|n| self.plate(n));
        self.scope.extend(plate);
        plate
    }

    fn leave_samples(&mut self, plate: Option<PlateId>, value: Result<Array>) -> Result<Array> {
        let Some(plate) = plate else { return value };
        self.scope.pop();
        self.mean_over(&value?, &[plate])
    }

    /// Draws, binds the name, and remembers how to close the expectation.
    fn draw_into(&mut self, drawn: &mut Drawn, target: Place, d: &Distribution, estimator: Estimator, span: Span) -> Result<()> {
        let name = self.place_name(target);
        if estimator == Estimator::Chosen
            && let Some((site, values)) = self.enumerated(d)?
        {
            if let Site::Enumerated { plate, .. } = &site {
                self.note(span, format!("E over {name}: exact sum of {} values", self.sizes(&[*plate])[0]));
            }
            drawn.sites.push(site);
            drawn.old.push((target, self.bind(target, values)));
            return Ok(());
        }
        let x = self.draw(d)?;
        let (site, x) = self.estimated(d, x, estimator).map_err(|e| e.at(span))?;
        let how = match site {
            Site::Score(_) => ", score-function gradient",
            Site::Pathwise(_) | Site::Enumerated { .. } => ", pathwise gradient",
            Site::Fixed => "",
        };
        self.note(span, format!("E over {name}: sampled, unbiased{how}"));
        drawn.sites.push(site);
        drawn.old.push((target, self.bind(target, x)));
        Ok(())
    }

    /// All values of a small finite support in place of a draw.
    fn enumerated(&mut self, d: &Distribution) -> Result<Option<(Site, Array)>> {
        let Some((values, plate)) = self.enumerate(d)? else { return Ok(None) };
        let log_weights = self.log_prob(d, &values)?;
        Ok(Some((Site::Enumerated { plate, log_weights }, values)))
    }

    /// How the gradient passes a draw, and the draw as the body sees it.
    fn estimated(&mut self, d: &Distribution, x: Array, estimator: Estimator) -> Result<(Site, Array)> {
        let pathwise = self.is_reparameterised(d, &x);
        if estimator == Estimator::Chosen && !d.params.is_empty() && d.params.iter().all(|param| self.is_constant(param)) {
            return Ok((Site::Fixed, x));
        }
        match estimator {
            Estimator::Chosen | Estimator::Pathwise if pathwise => Ok((Site::Pathwise(x.clone()), x)),
            Estimator::Pathwise => {
                let name = &self.model.dists[d.dist].name;
                let message = format!("a draw of {name} is not a differentiable function of its parameters");
                Err(Diagnostic::new(Code::NoEstimator, message).help("leave the estimator out, or write `estimator: score_function`"))
            }
            Estimator::Chosen | Estimator::ScoreFunction => {
                let x = self.stop(&x);
                let log = self.log_prob(d, &x)?;
                Ok((Site::Score(log), x))
            }
        }
    }

    /// A draw is differentiable if its values are continuous and no loop of unknown length (a rejection) made it.
    pub(super) fn is_reparameterised(&mut self, d: &Distribution, x: &Array) -> bool {
        let discrete = matches!(&self.model.dists[d.dist].event, Type::Array(array) if array.support.is_discrete());
        let params: Vec<NodeId> = d.params.iter().map(|p| self.node(p)).collect();
        let graph = self.frames.builder().graph();
        let mut open = vec![x.node];
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            if params.contains(&id) || !seen.insert(id) {
                continue;
            }
            if matches!(graph.node(id).op, Op::While { .. }) {
                return false;
            }
            open.extend(&graph.node(id).args);
        }
        !discrete
    }

    /// The value of the expectation, with a gradient that is unbiased.
    fn close_sites(&mut self, drawn: &Drawn, mut value: Array) -> Result<Array> {
        for site in drawn.sites.iter().rev() {
            match site {
                Site::Pathwise(_) | Site::Fixed => {}
                Site::Enumerated { plate, log_weights } => {
                    let weights = self.unary(UnaryOp::Exp, log_weights);
                    let counted = self.where_possible(&weights, &value)?;
                    let weighted = self.mul(&weights, &counted)?;
                    value = self.sum_over(&weighted, &[*plate]);
                }
                // value + value · (log q − stop(log q)): the same value; its gradient gains value · ∇ log q.
                Site::Score(log) => {
                    if self.differentiated {
                        let (fixed, score) = (self.stop(&value), self.stop(log));
                        let zero = self.sub(log, &score)?;
                        let term = self.mul(&fixed, &zero)?;
                        value = self.add(&value, &term)?;
                    }
                }
            }
        }
        Ok(value)
    }

    /// What is infinite or undefined at values of probability zero does not count: 0 · log 0 is 0.
    fn where_possible(&mut self, weights: &Array, value: &Array) -> Result<Array> {
        let zero = self.real(0.0);
        let possible = self.compare(CompareOp::Gt, weights, &zero)?;
        let finite = self.unary(UnaryOp::IsFinite, value);
        let kept = self.select(&finite, value, &zero)?;
        self.select(&possible, value, &kept)
    }

    fn forget(&mut self, drawn: Drawn) {
        drawn.old.into_iter().rev().for_each(|(place, old)| self.restore(place, old));
    }

    pub(super) fn place_name(&self, place: Place) -> String {
        match place {
            Place::Local(local) => self.model.locals[local].name.clone(),
            Place::Var(var) => self.model.vars[var].name.clone(),
            Place::Param(param) => self.model.params[param].path.clone(),
        }
    }

    /// ELBO = E[z ~ q](log p(x | z)) − Σ KL(q(z | ·) || p(z | ·)), for any number of latent variables. A divergence is in closed form
    /// where a rule has one and all that p's factor is given is drawn before z; otherwise log p − log q at the draw.
    pub(super) fn elbo(&mut self, bound: &Bound, span: Span) -> Result<Array> {
        let plate = self.enter_samples(bound.samples);
        let mut drawn = Drawn::default();
        let value = (|| {
            let value = self.bound_terms(bound, &mut drawn, true, span)?;
            self.close_sites(&drawn, value)
        })();
        self.forget(drawn);
        self.leave_samples(plate, value)
    }

    /// IWAE = E[log (1/n) Σ p(x, z_i) / q(z_i | x)] (Burda, Grosse, Salakhutdinov: Importance weighted autoencoders, 2016, equation 8).
    pub(super) fn iwae(&mut self, bound: &Bound, span: Span) -> Result<Array> {
        let samples = bound.samples.unwrap_or(1);
        let plate = self.plate(samples);
        self.scope.push(plate);
        let mut drawn = Drawn::default();
        let value = self.bound_terms(bound, &mut drawn, false, span);
        self.forget(drawn);
        self.scope.pop();
        let log = self.log_sum_exp(&value?, &[plate])?;
        let count = self.real((samples as f64).ln());
        self.sub(&log, &count)
    }

    /// Draws all latent variables from q and adds up log p − log q.
    fn bound_terms(&mut self, bound: &Bound, drawn: &mut Drawn, average: bool, span: Span) -> Result<Array> {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let order = q.parents_first(q.factors.iter().flat_map(|f| f.targets.iter().copied()).collect());
        let estimator = if average { bound.estimator } else { Estimator::Pathwise };
        let mut total: Option<Array> = None;
        let mut done: Vec<VarId> = vec![];
        let outer = std::mem::take(&mut self.derivation);
        for (at, &z) in order.iter().enumerate() {
            let later = &order[at..];
            let factor = q.factor_of(z).ok_or_else(|| self.no_factor(q, z, span))?;
            let prior = p.factor_of(z).ok_or_else(|| self.no_factor(p, z, span))?;
            let posterior = self.factor_distribution(bound.q, factor)?;
            if average && bound.estimator == Estimator::Chosen && !prior.given.iter().any(|v| later.contains(v)) {
                let prior = self.factor_distribution(bound.p, prior)?;
                let closed = self.closed_form(RuleKind::Kl, &[&posterior, &prior])?;
                if let Some(kl) = closed {
                    let name = &self.model.vars[z].name;
                    self.note(span, format!("KL({}({name} | …) || {}({name} | …)): closed form", q.name, p.name));
                    self.derive_bound_divergence(bound, z, span);
                    let term = self.unary(UnaryOp::Neg, &kl);
                    total = Some(self.plus(total, term)?);
                    done.push(z);
                }
            }
            if average {
                self.draw_into(drawn, Place::Var(z), &posterior, estimator, span)?;
            } else {
                self.draw_weighted(drawn, z, &posterior, span)?;
            }
            if !done.contains(&z) {
                let value = self.variable(z)?;
                let log = self.log_prob(&posterior, &value)?;
                self.derive_log_factor(bound.q, factor);
                let term = self.unary(UnaryOp::Neg, &log);
                total = Some(self.plus(total, term)?);
            }
        }
        for factor in &p.factors {
            for &var in factor.targets.iter().filter(|var| !done.contains(var)) {
                let distribution = self.factor_distribution(bound.p, factor)?;
                let value = self.bound_variable(var, bound.p, &order, span)?;
                self.derive_log_factor(bound.p, factor);
                let term = self.log_prob(&distribution, &value)?;
                total = Some(self.plus(total, term)?);
            }
        }
        let terms = std::mem::replace(&mut self.derivation, outer);
        let steps = if average { self.bound_steps(bound, &order, &done, span) } else { self.weighted_steps(bound, &order, span) };
        steps.into_iter().chain(terms).for_each(|step| self.derive(step));
        if average {
            self.derive_bound_draws(bound, &order, &done, &drawn.treatments(), span);
        }
        total.ok_or_else(|| Diagnostic::internal("a bound without factors"))
    }

    fn plus(&mut self, total: Option<Array>, term: Array) -> Result<Array> {
        match total {
            Some(total) => self.add(&total, &term),
            None => Ok(term),
        }
    }

    /// A draw under a nonlinearity (the logarithm of a mean): only pathwise gradients are right.
    fn draw_weighted(&mut self, drawn: &mut Drawn, z: VarId, d: &Distribution, span: Span) -> Result<()> {
        let x = self.draw(d)?;
        let name = &self.model.vars[z].name;
        if self.differentiated && !self.is_reparameterised(d, &x) {
            let message = format!("IWAE has no gradient through the draw of {name}, which is not reparameterised");
            return Err(Diagnostic::new(Code::NoEstimator, message).label(span, "optimised here").help("optimise `ELBO(p, q)` instead"));
        }
        self.note(span, format!("importance weights over {name}: sampled, the bound is tight as samples grow"));
        drawn.old.push((Place::Var(z), self.bind(Place::Var(z), x)));
        Ok(())
    }

    /// A variable of p inside a bound: drawn from q or observed.
    fn bound_variable(&mut self, var: VarId, p: DensityId, order: &[VarId], span: Span) -> Result<Array> {
        let known = order.contains(&var) || self.vars.contains_key(&var) || self.model.vars[var].observed.is_some();
        if known {
            return self.variable(var);
        }
        let (name, density) = (&self.model.vars[var].name, &self.model.densities[p].name);
        Err(Diagnostic::new(Code::LatentWithoutValue, format!("{name} of {density} is neither data nor drawn from q"))
            .label(span, "in this bound")
            .help(format!("declare `q({name} | …) = …`")))
    }
}
