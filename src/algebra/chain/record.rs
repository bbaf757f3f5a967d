//! What the printed derivation says of chains.

use super::super::derivation::{Big, Formula, Names, Step};
use super::super::lowering::Lowering;
use super::network::{Joint, Known, Network, State};
use super::segment::{Schedule, Segment};
use crate::check::model::{At, Density, MemberFactor, VarId};

/// Which rule sums or integrates the latent members.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    ForwardAlgorithm,
    KalmanFilter,
}

impl Lowering<'_> {
    /// A joint density of members as a product of its factors, with latent members summed or integrated out.
    pub(super) fn record_joint(&mut self, network: &Network<'_>, joint: &Joint, schedule: &Schedule, rule: Option<Rule>) {
        let seen = |known: &&Known| {
            known.value.is_some() && (joint.targets_have_values || !known.target) && self.takes_part(network, joint, known)
        };
        let given = |known: &&Known| !known.target && !self.takes_part(network, joint, known);
        let in_order = network.known.iter().filter(|known| known.target).chain(network.known.iter().filter(|known| !known.target));
        let targets: Vec<Formula> = in_order.filter(seen).map(|known| self.members_formula(known.var, known.from, known.count)).collect();
        let given: Vec<Formula> =
            network.known.iter().filter(given).map(|known| self.members_formula(known.var, known.from, known.count)).collect();
        let latents: Vec<Formula> = schedule.memory.keys().map(|&var| Formula::from(self.model.vars[var].name.as_str())).collect();
        let name = &network.density.name;
        let evidence = Formula::density_of(name, targets.clone(), given.clone());
        let all = Formula::density_of(name, [&targets[..], &latents].concat(), given);
        if let Some(rule) = rule {
            let operator = if rule == Rule::ForwardAlgorithm { Big::Sum } else { Big::Integral };
            let body = Formula::Big { operator, below: latents, above: None, body: Box::new(all.clone()) };
            self.derive(Step::new("marginalisation", Formula::log(evidence.clone()), Formula::log(body), network.span));
        }
        let factors: Vec<(usize, &MemberFactor)> = network.density.chain.iter().enumerate().filter(|(at, _)| schedule.uses(*at)).collect();
        let product = Formula::product(factors.iter().flat_map(|(at, factor)| self.over_index(network, factor, &schedule.runs_of(*at))));
        self.derive(Step::new("chain rule", all, product, network.span));
        for (_, factor) in factors {
            let mut names = Names::new(self.model);
            factor.members.iter().for_each(|m| names.bind(m.local, self.member_formula(factor, m.var, m.at)));
            let target = factor.at.map_or_else(|| self.var_formula(factor.target), |at| self.member_formula(factor, factor.target, at));
            let dist = names.expr(&factor.dist).at(target);
            self.derive(Step::new("declared factor", self.factor_formula(network, factor), dist, factor.span));
        }
        let Some(longest) = schedule.steps.iter().max_by_key(|segment| segment.count) else { return };
        match rule {
            Some(Rule::ForwardAlgorithm) => self.record_forward(network, schedule, longest, evidence),
            Some(Rule::KalmanFilter) => self.record_kalman(network, longest, evidence),
            None => {}
        }
    }

    /// α_t = Σ p(z[t] | z[t-1]) p(x[t] | z[t]) α_{t-1}
    fn record_forward(&mut self, network: &Network<'_>, schedule: &Schedule, longest: &Segment, evidence: Formula) {
        let factors = longest.parts.iter().map(|part| self.factor_formula(network, network.factor(part.factor)));
        let alpha = |t: Formula| Formula::from("alpha").index([t]);
        let (now, before) = (Formula::from("t"), Formula::from("t") - Formula::from(1));
        let summed: Vec<Formula> = schedule.memory.keys().map(|&var| self.var_formula(var).index([before.clone()])).collect();
        let product = Formula::product(factors.chain([alpha(before)]));
        let body = Formula::Big { operator: Big::Sum, below: summed, above: None, body: Box::new(product) };
        let last = schedule.steps.last().map_or(0, |segment| segment.first + segment.count as i64 - 1);
        let states: Vec<Formula> = schedule.memory.keys().map(|&var| self.var_formula(var).index([Formula::from(last as f64)])).collect();
        let last = Formula::Big { operator: Big::Sum, below: states, above: None, body: Box::new(alpha(Formula::from(last as f64))) };
        let step = Step::new("forward algorithm", evidence, last, network.span).with(alpha(now).equals(body));
        self.derive(step.source("Rabiner: A tutorial on hidden Markov models, 1989, equations 19 to 21"));
    }

    /// log p(x) = Σ log N(x[t]; μ_t, S_t)
    fn record_kalman(&mut self, network: &Network<'_>, longest: &Segment, evidence: Formula) {
        let observed = longest.parts.iter().find(|part| part.states[0] != State::Latent);
        let Some(part) = observed else { return };
        let factor = network.factor(part.factor);
        let value = factor.at.map_or_else(|| self.var_formula(factor.target), |at| self.member_formula(factor, factor.target, at));
        let t = Formula::from("t");
        let moments = |name: &str| Formula::from(name).index([t.clone()]);
        let normal = Formula::normal(moments("mu"), moments("S")).at(value.clone());
        let sum = Formula::sum_over(t.clone(), Formula::log(normal));
        let past =
            Formula::words(format!("the mean and covariance of {} given all earlier observations", self.model.vars[factor.target].name));
        let step = Step::new("Kalman filter", Formula::log(evidence), sum, network.span);
        let step = step.with(Formula::tuple([moments("mu"), moments("S")]).equals(past));
        self.derive(step.source("Särkkä: Bayesian filtering and smoothing, 2013, theorem 4.2 and equation 12.11"));
    }

    /// log p(z | x) = log p(z, x) − log p(x)
    pub(super) fn bayes_step(&self, network: &Network<'_>, joint: &Joint) -> Step {
        let part = |wanted: &dyn Fn(&&Known) -> bool| -> Vec<Formula> {
            network.known.iter().filter(wanted).map(|known| self.members_formula(known.var, known.from, known.count)).collect()
        };
        let targets = part(&|known| known.target);
        let evidence = part(&|known| !known.target && self.takes_part(network, joint, known));
        let rest = part(&|known| !known.target && !self.takes_part(network, joint, known));
        let log = |targets: &[Formula], given: &[Formula]| {
            Formula::log(Formula::density_of(&network.density.name, targets.to_vec(), given.to_vec()))
        };
        let both = [&targets[..], &evidence].concat();
        let before = log(&targets, &[&evidence[..], &rest].concat());
        Step::new("Bayes' rule", before, log(&both, &rest) - log(&evidence, &rest), network.span)
    }

    fn takes_part(&self, network: &Network<'_>, joint: &Joint, known: &Known) -> bool {
        network.is_active(joint, known.var, known.from)
    }

    /// `x_{1:5}`, `x_3`, or `x` of a chain as a whole.
    fn members_formula(&self, var: VarId, from: i64, count: usize) -> Formula {
        let declared = &self.model.vars[var];
        let to = from + count as i64 - 1;
        match declared.members() {
            Some((first, last)) if (from, to) == (first, last) => self.var_formula(var),
            Some(_) if count == 1 => self.var_formula(var).index([Formula::from(from as f64)]),
            Some(_) => self.var_formula(var).index([Formula::words(format!("{from}:{to}"))]),
            None => self.var_formula(var),
        }
    }

    pub(in crate::algebra) fn member_formula(&self, factor: &MemberFactor, var: VarId, at: At) -> Formula {
        let index = factor.index.as_ref().map_or("t", |index| self.model.locals[index.local].name.as_str());
        let index = match at {
            At::Number(number) => Formula::from(number as f64),
            At::Offset(0) => Formula::from(index),
            At::Offset(offset) if offset < 0 => Formula::from(index) - Formula::from(-offset as f64),
            At::Offset(offset) => Formula::from(index) + Formula::from(offset as f64),
        };
        self.var_formula(var).index([index])
    }

    fn factor_formula(&self, network: &Network<'_>, factor: &MemberFactor) -> Formula {
        self.kernel_formula(network.density, factor)
    }

    /// p(z_t | z_{t-1})
    pub(in crate::algebra) fn kernel_formula(&self, density: &Density, factor: &MemberFactor) -> Formula {
        let target = factor.at.map_or_else(|| self.var_formula(factor.target), |at| self.member_formula(factor, factor.target, at));
        let members = factor.members.iter().map(|m| self.member_formula(factor, m.var, m.at));
        let given = members.chain(factor.given.iter().map(|&var| self.var_formula(var))).collect();
        Formula::density_of(&density.name, vec![target], given)
    }

    /// ∏_t p(z_t | z_{t-1}) for each run of t, or the factor alone where it has no index.
    fn over_index(&self, network: &Network<'_>, factor: &MemberFactor, runs: &[(i64, i64)]) -> Vec<Formula> {
        let formula = self.factor_formula(network, factor);
        let Some(index) = &factor.index else { return vec![formula] };
        let name = self.model.locals[index.local].name.as_str();
        let over = |&(first, last): &(i64, i64)| {
            Formula::big_range(Big::Product, name, Formula::from(first as f64), Formula::from(last as f64), formula.clone())
        };
        runs.iter().map(over).collect()
    }
}

impl Schedule {
    /// Whether a factor takes part in any step.
    fn uses(&self, factor: usize) -> bool {
        self.direct.iter().chain(&self.steps).any(|segment| segment.parts.iter().any(|part| part.factor == factor))
    }

    /// The values of a factor's index for which it takes part.
    fn runs_of(&self, factor: usize) -> Vec<(i64, i64)> {
        let mut found: Vec<(i64, i64)> = vec![];
        for segment in self.direct.iter().chain(&self.steps) {
            let own = segment.parts.iter().filter(|part| part.factor == factor);
            found.extend(own.map(|part| (segment.first + part.shift, segment.first + part.shift + segment.count as i64 - 1)));
        }
        found.sort_unstable();
        let mut runs: Vec<(i64, i64)> = vec![];
        for (first, last) in found {
            match runs.last_mut() {
                Some(run) if run.1 + 1 == first => run.1 = last,
                _ => runs.push((first, last)),
            }
        }
        runs
    }
}
