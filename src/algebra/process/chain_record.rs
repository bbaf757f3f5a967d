//! What the printed derivation says of chains of Gaussian kernels.

use super::super::derivation::{Big, Formula, Names, Step};
use super::super::lowering::Lowering;
use super::bound::ChainBound;
use super::chain::Chain;
use super::chain_query::Neighbours;
use crate::check::model::{Expr, Query};

const TRANSITIONS: &str = "Sohl-Dickstein et al.: Deep unsupervised learning using nonequilibrium thermodynamics (2015), appendix B";
const BOUND: &str = "Ho, Jain, Abbeel: Denoising diffusion probabilistic models (2020), equation 5";
const BRIDGE: &str = "Ho, Jain, Abbeel: Denoising diffusion probabilistic models (2020), equations 6 and 7";

impl<'m> Lowering<'m> {
    pub(super) fn record_chain_law(&mut self, chain: &Chain<'m>, query: &Query, near: &Neighbours<'_>, at: &Expr) {
        let density = &self.model.densities[chain.density];
        for kernel in &chain.kernels {
            let mut names = Names::new(self.model);
            kernel.factor.members.iter().for_each(|m| names.bind(m.local, self.member_formula(kernel.factor, m.var, m.at)));
            let target = kernel.factor.at.map(|at| self.member_formula(kernel.factor, chain.var, at));
            let target = target.unwrap_or_else(|| self.var_formula(chain.var));
            let dist = names.expr(&kernel.factor.dist).at(target);
            self.derive(Step::new("declared factor", self.kernel_formula(density, kernel.factor), dist, kernel.factor.span));
        }
        let x = |number: Formula| self.var_formula(chain.var).index([number]);
        let (s, t) = (self.formula(near.early.1), self.formula(at));
        let name = |number: &Formula| x(number.clone());
        let given_vars: Vec<Formula> = query.given.iter().map(|(var, _)| self.var_formula(*var)).collect();
        let law = |target: &Formula, given: Vec<Formula>| {
            Formula::density_of(&density.name, vec![target.clone()], [given, given_vars.clone()].concat())
        };
        match near.late {
            None => {
                let (target, from) = (name(&t), name(&s));
                let step = self.transition_step(chain, law(&target, vec![from.clone()]), (&s, &t), query);
                self.derive(step);
            }
            Some((_, at_late)) => {
                let u = self.formula(at_late);
                let (from, target, to) = (name(&s), name(&t), name(&u));
                let steps = [
                    self.transition_step(chain, law(&target, vec![from.clone()]), (&s, &t), query),
                    self.transition_step(chain, law(&to, vec![target.clone()]), (&t, &u), query),
                ];
                steps.into_iter().for_each(|step| self.derive(step));
                self.derive(bridge_step(law(&target, vec![to, from]), (&s, &t, &u), self.var_formula(chain.var), query));
            }
        }
    }

    /// q(x_t | x_s) = N(x_t; α x_s, σ²), with the recursion of its coefficients.
    fn transition_step(&self, chain: &Chain<'m>, law: Formula, (s, t): (&Formula, &Formula), query: &Query) -> Step {
        let x = self.var_formula(chain.var);
        let of = |name: &str| Formula::from(name).index([t.clone(), s.clone()]);
        let (signal, var) = (of("alpha"), of("sigma").squared());
        let normal = Formula::normal(signal.clone() * x.clone().index([s.clone()]), var.clone()).at(x.index([t.clone()]));
        let one = Formula::from(1);
        let before = |name: &str| Formula::from(name).index([t.clone() - one.clone(), s.clone()]);
        let step = |name: &str| Formula::from(name).index([t.clone()]);
        Step::new("Gaussian transition", law, normal, query.span)
            .with(signal.equals(step("a") * before("alpha")))
            .with(var.equals(step("a").squared() * before("sigma").squared() + step("v")))
            .with(Formula::tuple([step("a"), step("v")]).equals(Formula::words("the coefficient and the variance of one step")))
            .source(TRANSITIONS)
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

/// q(y | x, z) = N(y; (r m + a s z) / V, s r / V)
fn bridge_step(law: Formula, (s, t, u): (&Formula, &Formula, &Formula), x: Formula, query: &Query) -> Step {
    let pair = |name: &str, to: &Formula, from: &Formula| Formula::from(name).index([to.clone(), from.clone()]);
    let at = |number: &Formula| x.clone().index([number.clone()]);
    let (early, late, whole) = (pair("sigma", t, s).squared(), pair("sigma", u, t).squared(), pair("sigma", u, s).squared());
    let mean = late.clone() / whole.clone() * (pair("alpha", t, s) * at(s)) + pair("alpha", u, t) * early.clone() / whole.clone() * at(u);
    let normal = Formula::normal(mean, early.clone() * late.clone() / whole.clone()).at(at(t));
    let total = pair("alpha", u, t).squared() * early + late;
    Step::new("bridge by Bayes' rule", law, normal, query.span).with(whole.equals(total)).source(BRIDGE)
}
