//! The derivations of bounds on the evidence and of expectations.

use super::{Big, Described, Formula, Names, Step};
use crate::algebra::expectation::ExpectedLog;
use crate::algebra::lowering::Lowering;
use crate::base::Span;
use crate::check::model::{Bound, Density, DensityId, Draw, Expr, ExprKind, Factor, RuleKind, VarId};

/// How the draw of a variable was treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::algebra) enum Treatment {
    ExactSum,
    Pathwise,
    ScoreFunction,
    /// Of a continuous value in place of a discrete one, or with a gradient that is not its own: biased
    Relaxed,
    /// A draw from a distribution without parameters to be learned
    Sampled,
}

/// What of a bound has a closed form.
#[derive(Clone, Copy)]
pub(in crate::algebra) struct Closed<'a> {
    /// The latents whose KL(q ‖ p) has
    pub divergences: &'a [VarId],
    /// The factors whose expected logarithm has
    pub expected: &'a [(DensityId, VarId)],
}

/// An expectation that is to be computed.
pub(in crate::algebra) struct Shown {
    pub before: Formula,
    /// Inside the expectation
    pub value: Formula,
    /// What is drawn
    pub name: Formula,
    /// Its density at the draw
    pub weight: Formula,
    pub described: Option<Described>,
    pub how: Treatment,
    pub samples: usize,
    pub span: Span,
}

const BOUND: &str = "Jordan, Ghahramani, Jaakkola, Saul: An introduction to variational methods for graphical models (1999), section 6";
const WEIGHTED: &str = "Burda, Grosse, Salakhutdinov: Importance weighted autoencoders (2016), equation 8";
const PATHWISE: &str = "Kingma, Welling: Auto-encoding variational Bayes (2014), section 2.4";
const RELAXED: &str = "Maddison, Mnih, Teh: The concrete distribution (2017); Bengio, Léonard, Courville (2013), section 4";
const SCORE: &str = "Williams: Simple statistical gradient-following algorithms (1992)";

impl Lowering<'_> {
    /// ELBO(p, q) as an expectation, its factors, and the terms that have a closed form; the latents in `order`.
    pub(in crate::algebra) fn bound_steps(&self, bound: &Bound, order: &[VarId], closed: Closed<'_>, span: Span) -> Vec<Step> {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let observed = p.targets_but(order);
        let joint = self.density_formula(bound.p, &[&observed[..], order].concat(), &[]);
        let (posterior, posterior_factors) = self.product_of(q, bound, order);
        let draws = vec![Formula::drawn(self.variables(order), posterior.clone())];
        let name = Formula::apply("ELBO", [p.name.as_str().into(), q.name.as_str().into()]);
        let definition = Formula::expectation(draws, Formula::log(joint.clone()) - Formula::log(posterior.clone()));
        let mut steps = vec![Step::new("evidence lower bound", name.clone(), definition, span).source(BOUND)];
        let factors: Vec<Formula> = self.factors_of(p, bound.p).collect();
        if factors.len() > 1 {
            steps.push(Step::new("chain rule", joint, Formula::product(factors), span));
        }
        if posterior_factors.len() > 1 {
            steps.push(Step::new("chain rule", posterior, Formula::product(posterior_factors), span));
        }
        let (inside, outside) = self.regrouped(bound, order, closed);
        let whole = Formula::total(std::iter::once(inside).chain(outside));
        steps.push(Step::new("log-ratios as divergences", name, whole, span));
        if closed.divergences.is_empty() {
            steps.last_mut().into_iter().for_each(|step| step.rule = "logarithm of a product".into());
        }
        steps
    }

    /// KL(q(z | x) ‖ p(z)) of one latent variable.
    pub(in crate::algebra) fn derive_bound_divergence(&mut self, bound: &Bound, z: VarId, span: Span) {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let (Some(own), Some(prior)) = (q.factor_of(z), p.factor_of(z)) else { return };
        let before = Formula::kl(self.density_formula(bound.q, &[z], &own.given), self.density_formula(bound.p, &[z], &prior.given));
        if let (Some(a), Some(b)) = (self.described_factor(bound.q, own), self.described_factor(bound.p, prior)) {
            self.derive_closed_form(RuleKind::Kl, before, &[&a, &b], span);
        }
    }

    /// E_{z ∼ q(z | x)}[log p(z | …)] of a factor of p for which there is a closed form.
    fn expected_factor(&self, bound: &Bound, factor: &Factor, closed: Closed<'_>) -> Option<Formula> {
        let [z] = factor.targets[..] else { return None };
        let own = self.model.densities[bound.q].factor_of(z)?;
        let known = closed.expected.contains(&(bound.p, z));
        let draw = Formula::drawn(self.var_formula(z), self.density_formula(bound.q, &[z], &own.given));
        known.then(|| Formula::expectation([draw], self.log_density_formula(bound.p, &[z], &factor.given)))
    }

    /// An expected log-density of a latent variable in closed form.
    pub(in crate::algebra) fn derive_expected_log(
        &mut self,
        bound: &Bound,
        (id, factor): (DensityId, &Factor),
        rule: ExpectedLog,
        span: Span,
    ) {
        let [z] = factor.targets[..] else { return };
        let Some(own) = self.model.densities[bound.q].factor_of(z) else { return };
        let posterior = self.density_formula(bound.q, &[z], &own.given);
        let target = self.density_formula(id, &[z], &factor.given);
        let (Some(a), Some(b)) = (self.described_factor(bound.q, own), self.described_factor(id, factor)) else { return };
        let draw = Formula::drawn(self.var_formula(z), posterior.clone());
        let before = Formula::expectation([draw], Formula::log(target.clone()));
        let (entropy, divergence) = (Formula::entropy(posterior.clone()), Formula::kl(posterior, target));
        match rule {
            ExpectedLog::Entropy => self.derive_closed_form(RuleKind::Entropy, entropy, &[&a], span),
            ExpectedLog::CrossEntropy => self.derive_closed_form(RuleKind::CrossEntropy, -before, &[&a, &b], span),
            ExpectedLog::Divergence => {
                let after = -entropy.clone() - divergence.clone();
                self.derive(Step::new("expected log-density", before, after, span));
                self.derive_closed_form(RuleKind::Entropy, entropy, &[&a], span);
                self.derive_closed_form(RuleKind::Kl, divergence, &[&a, &b], span);
            }
        }
    }

    /// How the expectation that is left of a bound is computed.
    pub(in crate::algebra) fn derive_bound_draws(
        &mut self,
        bound: &Bound,
        order: &[VarId],
        closed: Closed<'_>,
        how: &[Treatment],
        span: Span,
    ) {
        let q = &self.model.densities[bound.q];
        let (before, _) = self.regrouped(bound, order, closed);
        let Formula::Expectation { draws, body } = before.clone() else { return };
        if draws.is_empty() {
            return;
        }
        let samples = bound.samples.unwrap_or(1);
        let pathwise: Vec<VarId> = order.iter().zip(how).filter(|(_, how)| **how == Treatment::Pathwise).map(|(z, _)| *z).collect();
        if pathwise.len() == order.len() {
            let after = self.mean_of_draws(*body, &pathwise, samples);
            let mut step = Step::new("reparameterised draw", before, after, span).approximately().source(PATHWISE);
            for described in pathwise.iter().filter_map(|&z| Some((z, self.described_factor(bound.q, q.factor_of(z)?)?))) {
                let (z, described) = described;
                let drawn = if samples == 1 { self.var_formula(z) } else { self.var_formula(z).index(["s"]) };
                let noise = Formula::from("epsilon");
                let own = if pathwise.len() == 1 { noise.clone() } else { noise.clone().index([self.var_formula(z)]) };
                if let Some(draw) = self.draw_of(&described, drawn) {
                    step.remarks.push(draw.substitute(&noise, &own));
                    step.remarks.push(Formula::drawn(own, Formula::normal(0, 1)));
                }
                step.remarks.extend(described.remarks);
            }
            self.derive(step);
            return;
        }
        for (&z, &how) in order.iter().zip(how) {
            let Some(factor) = q.factor_of(z) else { continue };
            let name = self.var_formula(z);
            let weight = self.density_formula(bound.q, &[z], &factor.given);
            let value = if order.len() == 1 { (*body).clone() } else { Formula::apply("f", [name.clone()]) };
            let before = Formula::expectation([Formula::drawn(name.clone(), weight.clone())], value.clone());
            let described = self.described_factor(bound.q, factor);
            self.derive_draw(Shown { before, value, name, weight, described, how, samples, span });
        }
    }

    /// 1/S Σₛ of the value at each draw.
    fn mean_of_draws(&self, value: Formula, drawn: &[VarId], samples: usize) -> Formula {
        if samples == 1 {
            return value;
        }
        let at_draw = drawn.iter().fold(value, |value, &z| {
            let z = self.var_formula(z);
            value.substitute(&z, &z.clone().index(["s"]))
        });
        Formula::from(1) / samples * Formula::big_range(Big::Sum, "s", 1.into(), samples.into(), at_draw)
    }

    /// E[log p(x | z)] − KL(q(z | x) ‖ p(z)), for all factors.
    fn regrouped(&self, bound: &Bound, order: &[VarId], closed: Closed<'_>) -> (Formula, Vec<Formula>) {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let mut inside: Vec<(Formula, Vec<VarId>)> = vec![];
        let mut outside = vec![];
        for factor in p.factors.iter().filter(|f| !f.targets.iter().all(|t| closed.divergences.contains(t))) {
            if let Some(term) = self.expected_factor(bound, factor, closed) {
                let parents = factor.targets.iter().filter_map(|&z| q.factor_of(z)).flat_map(|own| own.given.clone());
                let parents: Vec<VarId> = parents.chain(factor.given.clone()).collect();
                if parents.iter().any(|v| order.contains(v)) {
                    inside.push((term, parents))
                } else {
                    outside.push(term)
                }
                continue;
            }
            let vars = [&factor.targets[..], &factor.given].concat();
            inside.push((self.log_density_formula(bound.p, &factor.targets, &factor.given), vars));
        }
        for &z in order {
            let (Some(own), Some(prior)) = (q.factor_of(z), p.factor_of(z)) else { continue };
            let posterior = self.density_formula(bound.q, &[z], &own.given);
            if closed.expected.contains(&(bound.q, z)) {
                let entropy = Formula::entropy(posterior);
                let parents = own.given.clone();
                if parents.iter().any(|v| order.contains(v)) {
                    inside.push((entropy, parents))
                } else {
                    outside.push(entropy)
                }
                continue;
            }
            if !closed.divergences.contains(&z) {
                inside.push((-Formula::log(posterior), [&[z], &own.given[..]].concat()));
                continue;
            }
            let divergence = -Formula::kl(posterior, self.density_formula(bound.p, &[z], &prior.given));
            let parents = [&own.given[..], &prior.given].concat();
            if parents.iter().any(|v| order.contains(v)) { inside.push((divergence, parents)) } else { outside.push(divergence) }
        }
        // A variable that no term inside mentions is not drawn.
        let mut needed: Vec<VarId> = inside.iter().flat_map(|(_, vars)| vars.clone()).collect();
        let mut draws = vec![];
        for &z in order.iter().rev().filter(|z| q.factor_of(**z).is_some()) {
            if let (true, Some(factor)) = (needed.contains(&z), q.factor_of(z)) {
                needed.extend(&factor.given);
                draws.insert(0, Formula::drawn(self.var_formula(z), self.density_formula(bound.q, &[z], &factor.given)));
            }
        }
        let body = Formula::total(inside.into_iter().map(|(term, _)| term));
        (if draws.is_empty() { body } else { Formula::expectation(draws, body) }, outside)
    }

    /// IWAE(p, q) as the logarithm of a mean of weights.
    pub(in crate::algebra) fn weighted_steps(&self, bound: &Bound, order: &[VarId], span: Span) -> Vec<Step> {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let samples = bound.samples.unwrap_or(1);
        let name = Formula::name("IWAE").index([samples]);
        let before = Formula::apply(name, [p.name.as_str().into(), q.name.as_str().into()]);
        let observed = p.targets_but(order);
        let drawn = |var: VarId| self.var_formula(var).index(["s"]);
        let names = |vars: &[VarId]| vars.iter().map(|&v| if order.contains(&v) { drawn(v) } else { self.var_formula(v) }).collect();
        let given = self.product_of_given(q, order);
        let joint = Formula::density_of(&p.name, names(&[&observed[..], order].concat()), vec![]);
        let posterior = Formula::density_of(&q.name, names(order), names(&given));
        let mean = Formula::from(1) / samples * Formula::big_range(Big::Sum, "s", 1.into(), samples.into(), joint / posterior.clone());
        let draws = [Formula::drawn(if let [one] = order { drawn(*one) } else { Formula::Tuple(names(order)) }, posterior)];
        let mut steps =
            vec![Step::new("importance weighted bound", before, Formula::expectation(draws, Formula::log(mean)), span).source(WEIGHTED)];
        let joint = self.density_formula(bound.p, &[&observed[..], order].concat(), &[]);
        let factors: Vec<Formula> = self.factors_of(p, bound.p).collect();
        if factors.len() > 1 {
            steps.push(Step::new("chain rule", joint, Formula::product(factors), span));
        }
        let (posterior, factors) = self.product_of(q, bound, order);
        if factors.len() > 1 {
            steps.push(Step::new("chain rule", posterior, Formula::product(factors), span));
        }
        steps
    }

    fn factors_of<'a>(&'a self, density: &'a Density, id: DensityId) -> impl Iterator<Item = Formula> + 'a {
        density.factors.iter().map(move |factor| self.density_formula(id, &factor.targets, &factor.given))
    }

    fn variables(&self, vars: &[VarId]) -> Formula {
        match vars {
            [one] => self.var_formula(*one),
            vars => Formula::Tuple(vars.iter().map(|&var| self.var_formula(var)).collect()),
        }
    }

    /// q(z₁, z₂ | x) and its factors.
    fn product_of(&self, q: &Density, bound: &Bound, order: &[VarId]) -> (Formula, Vec<Formula>) {
        let given = self.product_of_given(q, order);
        (self.density_formula(bound.q, order, &given), self.factors_of(q, bound.q).collect())
    }

    /// What the factors of the latents are given, apart from latents.
    fn product_of_given(&self, q: &Density, order: &[VarId]) -> Vec<VarId> {
        let mut given: Vec<VarId> = vec![];
        for &var in order.iter().filter_map(|&z| q.factor_of(z)).flat_map(|factor| &factor.given) {
            if !order.contains(&var) && !given.contains(&var) {
                given.push(var);
            }
        }
        given
    }

    /// KL(a ‖ b) as the file writes it: by a rule of the library, or as the expectation that defines it.
    pub(in crate::algebra) fn derive_divergence(&mut self, a: &Expr, b: &Expr, span: Span) {
        let before = Formula::kl(self.formula(a), self.formula(b));
        if let (Some(a), Some(b)) = (self.described(a, None), self.described(b, None))
            && self.has_rule(RuleKind::Kl, &[a.dist, b.dist])
        {
            self.derive_closed_form(RuleKind::Kl, before, &[&a, &b], span);
            return;
        }
        let (draw, a, b) = self.drawn_from(a, Some(b));
        let b = b.unwrap_or_else(|| Formula::words("…"));
        let after = Formula::expectation([draw], Formula::log(a) - Formula::log(b));
        self.derive(Step::new("definition of the divergence", before, after, span));
    }

    /// H(a), likewise.
    pub(in crate::algebra) fn derive_entropy(&mut self, a: &Expr, span: Span) {
        let before = Formula::entropy(self.formula(a));
        let described = self.described(a, None);
        match described {
            Some(a) if self.has_rule(RuleKind::Entropy, &[a.dist]) => self.derive_closed_form(RuleKind::Entropy, before, &[&a], span),
            Some(_) | None => {
                let (draw, density, _) = self.drawn_from(a, None);
                let after = -Formula::expectation([draw], Formula::log(density));
                self.derive(Step::new("definition of the entropy", before, after, span));
            }
        }
    }

    /// A draw of a distribution, its density at the draw, and that of another.
    fn drawn_from(&self, a: &Expr, b: Option<&Expr>) -> (Formula, Formula, Option<Formula>) {
        let target = match &a.kind {
            ExprKind::Conditional(query) => query.targets.first().map_or("x".into(), |(var, _)| self.var_formula(*var)),
            _ => "x".into(),
        };
        let at = |expr: &Expr| match &expr.kind {
            ExprKind::Conditional(_) => self.formula(expr),
            _ => self.formula(expr).at(target.clone()),
        };
        (Formula::drawn(target.clone(), self.formula(a)), at(a), b.map(at))
    }

    /// An expectation as the file writes it: an exact sum, or draws.
    pub(in crate::algebra) fn derive_expectation(&mut self, draws: &[Draw], treatments: &[Treatment], samples: Option<usize>, body: &Expr) {
        let body = self.formula(body);
        let all: Vec<Formula> = draws.iter().map(|draw| Names::new(self.model).draw(draw)).collect();
        for (at, (draw, &how)) in draws.iter().zip(treatments).enumerate() {
            // Later draws may depend on this one, so their expectation stands inside.
            let value = if at + 1 == all.len() { body.clone() } else { Formula::expectation(all[at + 1..].to_vec(), body.clone()) };
            let before = Formula::expectation([all[at].clone()], value.clone());
            let described = self.described(&draw.dist, None);
            let name = Names::new(self.model).place(draw.target);
            let weight = match &draw.dist.kind {
                ExprKind::Conditional(query) => Names::new(self.model).query(query),
                _ => self.formula(&draw.dist).at(name.clone()),
            };
            // With each draw of an outer variable goes one of the inner.
            let drawn_before = treatments[..at].iter().any(|how| *how != Treatment::ExactSum);
            let samples = if drawn_before { 1 } else { samples.unwrap_or(1) };
            self.derive_draw(Shown { before, value, name, weight, described, how, samples, span: draw.span });
        }
    }

    /// E_{z ∼ q}[f] as it is computed.
    pub(in crate::algebra) fn derive_draw(&mut self, shown: Shown) {
        let Shown { before, value, name, weight, described, how, samples, span } = shown;
        // Where no gradient is wanted, a draw is a draw.
        let how = if how == Treatment::ScoreFunction && !self.differentiated { Treatment::Sampled } else { how };
        let drawn = if samples == 1 { name.clone() } else { name.clone().index(["s"]) };
        let mean = match samples {
            1 => value.clone(),
            n => {
                let at_draw = value.substitute(&name, &drawn);
                Formula::from(1) / n * Formula::big_range(Big::Sum, "s", 1.into(), n.into(), at_draw)
            }
        };
        let step = match how {
            Treatment::ExactSum => Step::new("exact sum", before, Formula::sum_over(name, weight * value.clone()), span),
            Treatment::Pathwise => {
                let mut step = Step::new("reparameterised draw", before, mean, span).approximately().source(PATHWISE);
                if let Some(described) = described {
                    if let Some(draw) = self.draw_of(&described, drawn) {
                        let epsilon = Formula::from("epsilon");
                        step = step.with(draw).with(Formula::drawn(epsilon, Formula::normal(0, 1)));
                    }
                    step.remarks.extend(described.remarks);
                }
                step
            }
            Treatment::ScoreFunction => {
                let score = Formula::Gradient { wrt: Box::new("theta".into()), body: Box::new(Formula::log(weight.clone())) };
                let gradient = Formula::gradient("theta", before);
                let after = Formula::gradient("theta", value.clone()) + value.clone() * score;
                Step::new("score function", gradient, after, span).approximately().with(Formula::drawn(name, weight)).source(SCORE)
            }
            Treatment::Sampled => {
                let from = match weight {
                    Formula::Distribution { family, params, .. } => Formula::Distribution { family, value: None, params },
                    weight => weight,
                };
                Step::new("draw", before, mean, span).approximately().with(Formula::drawn(drawn, from))
            }
            Treatment::Relaxed => {
                Step::new("relaxed draw", before, mean, span).approximately().with(Formula::drawn(name, weight)).source(RELAXED)
            }
        };
        self.derive(step);
    }
}

impl Density {
    /// The variables with a factor that are not among these.
    fn targets_but(&self, vars: &[VarId]) -> Vec<VarId> {
        self.factors.iter().flat_map(|factor| factor.targets.iter().copied()).filter(|var| !vars.contains(var)).collect()
    }
}
