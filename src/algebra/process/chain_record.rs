//! What the printed derivation says of chains of Gaussian kernels.

use super::super::derivation::{Big, Formula, Names, Step};
use super::super::lowering::Lowering;
use super::bound::ChainBound;
use super::chain::Chain;
use super::chain_query::{Neighbours, linear_number};
use crate::check::model::{Expr, Query};

const TRANSITIONS: &str = "Sohl-Dickstein et al.: Deep unsupervised learning using nonequilibrium thermodynamics (2015), appendix B";
const FINITE: &str = "Austin et al.: Structured denoising diffusion models in discrete state-spaces (2021), equation 3";
const BOUND: &str = "Ho, Jain, Abbeel: Denoising diffusion probabilistic models (2020), equation 5";
const BRIDGE: &str = "Ho, Jain, Abbeel: Denoising diffusion probabilistic models (2020), equations 6 and 7";

impl<'m> Lowering<'m> {
    pub(super) fn record_chain_law(&mut self, chain: &Chain<'m>, query: &Query, near: &Neighbours<'_>, at: &Expr, shifted: bool) {
        self.record_kernels(chain);
        let density = &self.model.densities[chain.density];
        let name = self.var_formula(chain.var);
        let x = |number: &Formula| name.clone().index([number.clone()]);
        let (s, t) = (self.formula(near.early.1), self.formula(at));
        let given_vars: Vec<Formula> = query.given.iter().map(|(var, _)| self.var_formula(*var)).collect();
        let law =
            |target: Formula, given: Vec<Formula>| Formula::density_of(&density.name, vec![target], [given, given_vars.clone()].concat());
        let early = Coefficients::new((near.early.1, &s), (at, &t), shifted);
        if let Some(step) = early.transition(law(x(&t), vec![x(&s)]), &x, query) {
            self.derive(step);
        }
        let Some((_, at_late)) = near.late else { return };
        let u = self.formula(at_late);
        let late = Coefficients::new((at, &t), (at_late, &u), shifted);
        if let Some(step) = late.transition(law(x(&u), vec![x(&t)]), &x, query) {
            self.derive(step);
        }
        self.derive(bridge_step(law(x(&t), vec![x(&u), x(&s)]), (&early, &late), &x, query));
    }

    fn record_kernels(&mut self, chain: &Chain<'m>) {
        let density = &self.model.densities[chain.density];
        for kernel in &chain.kernels {
            let mut names = Names::new(self.model);
            kernel.factor.members.iter().for_each(|m| names.bind(m.local, self.member_formula(kernel.factor, m.var, m.at)));
            let target = kernel.factor.at.map(|at| self.member_formula(kernel.factor, chain.var, at));
            let target = target.unwrap_or_else(|| self.var_formula(chain.var));
            let dist = names.expr(&kernel.factor.dist).at(target);
            self.derive(Step::new("declared factor", self.kernel_formula(density, kernel.factor), dist, kernel.factor.span));
        }
    }

    pub(super) fn record_finite_law(&mut self, chain: &Chain<'m>, query: &Query, near: &Neighbours<'_>, at: &Expr) {
        self.record_kernels(chain);
        let q = &self.model.densities[chain.density].name;
        let x = |number: &Formula| self.var_formula(chain.var).index([number.clone()]);
        let law = |target: &Formula, given: Vec<Formula>| Formula::density_of(q, vec![target.clone()], given);
        let (s, t) = (self.formula(near.early.1), self.formula(at));
        let (from, target) = (x(&s), x(&t));
        let (of, i, before) = (Formula::from("Q").bar(), Formula::from("i"), Formula::from("i") - Formula::from(1));
        let entry = of.clone().index([t]).index([from.clone(), target.clone()]);
        let step = Step::new("Kolmogorov: product of transition matrices", law(&target, vec![from.clone()]), entry, query.span)
            .with(of.clone().index([i.clone()]).equals(of.index([before]) * Formula::from("Q").index([i])))
            .with(Formula::from("Q").index(["i", "k", "l"]).equals(Formula::words("the probability of l at i after k at i − 1")))
            .source(FINITE);
        let late = near.late.map(|(_, at)| x(&self.formula(at)));
        self.derive(step);
        if let Some(to) = late {
            let joint = law(&to, vec![target.clone()]) * law(&target, vec![from.clone()]);
            let whole = law(&target, vec![to.clone(), from.clone()]);
            self.derive(Step::new("bridge by Bayes' rule", whole, joint / law(&to, vec![from]), query.span).source(FINITE));
        }
    }
}

/// x_t = signal x_s + shift + noise of variance var, by its names: those of one step, or of several.
struct Coefficients {
    from: Formula,
    to: Formula,
    one_step: bool,
    signal: Formula,
    shift: Formula,
    var: Formula,
}

impl Coefficients {
    fn new((from, s): (&Expr, &Formula), (to, t): (&Expr, &Formula), shifted: bool) -> Coefficients {
        let one_step = matches!((linear_number(from), linear_number(to)), (Some((a, s)), Some((b, t))) if a == b && t == s + 1);
        let named = |one: &str, several: &str| match one_step {
            true => Formula::from(one).index([t.clone()]),
            false => Formula::from(several).index([t.clone(), s.clone()]),
        };
        let shift = if shifted { named("c", "gamma") } else { Formula::from(0) };
        let var = if one_step { named("v", "v") } else { named("sigma", "sigma").squared() };
        Coefficients { from: s.clone(), to: t.clone(), one_step, signal: named("a", "alpha"), shift, var }
    }

    /// Of several steps: the law, with the recursion of its coefficients.
    fn transition(&self, law: Formula, x: &dyn Fn(&Formula) -> Formula, query: &Query) -> Option<Step> {
        if self.one_step {
            return None;
        }
        let (i, before) = (Formula::from("i"), Formula::from("i") - Formula::from(1));
        let of = |name: &str, at: &Formula| Formula::from(name).index([at.clone(), self.from.clone()]);
        let (a, c, v) =
            (Formula::from("a").index([i.clone()]), Formula::from("c").index([i.clone()]), Formula::from("v").index([i.clone()]));
        let normal = Formula::normal(self.signal.clone() * x(&self.from) + self.shift.clone(), self.var.clone()).at(x(&self.to));
        let mut step = Step::new("Gaussian transition", law, normal, query.span)
            .with(of("alpha", &i).equals(a.clone() * of("alpha", &before)))
            .with(of("sigma", &i).squared().equals(a.clone().squared() * of("sigma", &before).squared() + v.clone()));
        let mut names = vec![a.clone(), v];
        if !self.shift.is_number(0.0) {
            step = step.with(of("gamma", &i).equals(a * of("gamma", &before) + c.clone()));
            names.push(c);
        }
        let words = if names.len() == 3 { "coefficient, variance and shift of one step" } else { "coefficient and variance of one step" };
        Some(step.with(Formula::Tuple(names).equals(Formula::words(words))).source(TRANSITIONS))
    }
}

impl<'m> Lowering<'m> {
    /// ELBO(p, q) = E[log p(x₀ | x₁)] − Σ E[KL(q(xₜ₋₁ | xₜ, x₀) ‖ p(xₜ₋₁ | xₜ))] − KL(q(x_T | x₀) ‖ p(x_T))
    pub(super) fn record_chain_bound(&mut self, of: &ChainBound<'m>) {
        let (p, q) = (&self.model.densities[of.bound.p].name, &self.model.densities[of.bound.q].name);
        let x = |number: Formula| self.var_formula(of.forward.var).index([number]);
        let number = |n: i64| Formula::from(n as f64);
        let (zero, one, last) = (of.forward.first, of.forward.first + 1, of.forward.last);
        let (t, before) = (Formula::from("t"), Formula::from("t") - Formula::from(1));
        let density = |name: &str, of: Formula, given: Vec<Formula>| Formula::density_of(name, vec![of], given);
        let over =
            |t: Formula, body: Formula| Formula::expectation([Formula::drawn(x(t.clone()), density(q, x(t), vec![x(number(zero))]))], body);
        let start = over(number(one), Formula::log(density(p, x(number(zero)), vec![x(number(one))])));
        let step =
            Formula::kl(density(q, x(before.clone()), vec![x(t.clone()), x(number(zero))]), density(p, x(before), vec![x(t.clone())]));
        let steps = Formula::big_range(Big::Sum, "t", number(one + 1), number(last), over(t, step));
        let end = Formula::kl(density(q, x(number(last)), vec![x(number(zero))]), density(p, x(number(last)), vec![]));
        let name = Formula::apply("ELBO", [p.as_str().into(), q.as_str().into()]);
        let whole = if last > one { start - steps - end } else { start - end };
        self.derive(Step::new("evidence lower bound of a chain", name, whole, of.span).source(BOUND));
    }
}

/// q(y | x, z) = N(y; (r m + a s (z − c)) / V, s r / V)
fn bridge_step(law: Formula, (early, late): (&Coefficients, &Coefficients), x: &dyn Fn(&Formula) -> Formula, query: &Query) -> Step {
    let whole = Formula::from("V");
    let (s, r) = (early.var.clone(), late.var.clone());
    let prior = early.signal.clone() * x(&early.from) + early.shift.clone();
    let seen = x(&late.to) - late.shift.clone();
    let mean = r.clone() / whole.clone() * prior + late.signal.clone() * s.clone() / whole.clone() * seen;
    let normal = Formula::normal(mean, s.clone() * r.clone() / whole.clone()).at(x(&early.to));
    let mut step = Step::new("bridge by Bayes' rule", law, normal, query.span);
    step = step.with(whole.equals(late.signal.clone().squared() * s + r));
    if late.one_step {
        let names = Formula::tuple([late.signal.clone(), late.var.clone()]);
        step = step.with(names.equals(Formula::words("coefficient and variance of the last step")));
    }
    step.source(BRIDGE)
}
