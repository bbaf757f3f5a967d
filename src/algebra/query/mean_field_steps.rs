//! What derivations say about a mean field.

use super::super::derivation::{Big, Formula, Relation, Step};
use super::super::lowering::Lowering;
use super::mean_field::{Component, MeanField};
use crate::check::model::{Factor, RuleKind, VarId};

const MEAN_FIELD: &str = "Bishop: Pattern recognition and machine learning (2006), equation 10.9";

impl<'m> Lowering<'m> {
    /// The bound with the best factors of finite variables.
    pub(super) fn derive_collapsed(&mut self, field: &MeanField<'m>) {
        let names = [field.density, field.approximation].map(|id| Formula::name(self.model.densities[id].name.clone()));
        let whole = Formula::apply("ELBO", names);
        let logs: Vec<Formula> = field.factors.iter().map(|factor| self.expected_formula(field, factor)).collect();
        let mut inside = Formula::total(logs);
        if !field.locals.is_empty() {
            let below = field.locals.iter().map(|&var| self.var_formula(var)).collect();
            inside = Formula::log(Formula::Big { operator: Big::Sum, below, above: None, body: Box::new(Formula::exp(inside)) });
        }
        let mut divergences = Formula::total(field.components.iter().map(|component| self.divergence_formula(field, component)));
        if self.rows_to_train_on(field.density).is_some() {
            divergences = Formula::name("N").inverse() * divergences;
        }
        let step = Step::new("evidence lower bound of each row", whole, inside - divergences, field.span);
        let remark = Formula::words("finite variables of a row have the best factors, proportional to the exponentials");
        let step = if field.locals.is_empty() { step } else { step.with(remark) };
        self.derive(step.source(MEAN_FIELD));
    }

    /// E[log p(x | θ)] from the posterior in which x counts ε times.
    pub(super) fn derive_expected(&mut self, field: &MeanField<'m>, factor: &'m Factor) {
        let log = self.log_density_formula(field.density, &factor.targets, &factor.given);
        let tilted = Formula::log(Formula::name("q").index([Formula::name("ε")]));
        let after = log - Formula::partial(tilted, Formula::name("ε"));
        let step = Step::new("candidate's formula", self.expected_formula(field, factor), after, factor.span);
        let remark = "at ε = 0 and at any value of the global variables; q_ε: the posterior from q where the observation counts ε times";
        self.derive(step.with(Formula::words(remark)).source("Besag: A candidate's formula (1989)"));
    }

    /// KL(q(θ) || p(θ))
    pub(super) fn derive_divergence_from_prior(&mut self, field: &MeanField<'m>, component: &Component<'m>) {
        let own = self.described_factor(field.approximation, component.declared);
        let prior = self.described_factor(field.density, component.family.prior);
        if let (Some(own), Some(prior)) = (own, prior) {
            let before = self.divergence_formula(field, component);
            self.derive_closed_form(RuleKind::Kl, before, &[&own, &prior], component.declared.span);
        }
    }

    /// A factor of q becomes the posterior given weighted observations.
    pub(super) fn derive_update(&mut self, field: &MeanField<'m>, component: &Component<'m>) {
        let globals = &component.family.prior.targets;
        let before = self.density_formula(field.approximation, globals, &[]);
        let observed: Vec<VarId> = component.family.children.iter().flat_map(|child| child.targets.iter().copied()).collect();
        let posterior = self.density_formula(field.density, globals, &observed);
        let step = Step::new("best factor of q", before, posterior, component.declared.span).related(Relation::Becomes);
        let remark = "of a conjugate pair, each observation counting by the posterior probability of its finite variables";
        self.derive(step.with(Formula::words(remark)).source(MEAN_FIELD));
    }

    /// E_q[log p(x | θ)]
    fn expected_formula(&self, field: &MeanField<'m>, factor: &Factor) -> Formula {
        let log = self.log_density_formula(field.density, &factor.targets, &factor.given);
        let above = |c: &&Component<'m>| factor.given.iter().any(|var| c.family.prior.targets.contains(var));
        let Some(component) = field.components.iter().find(above) else { return log };
        let globals = &component.family.prior.targets;
        let q = self.density_formula(field.approximation, globals, &[]);
        Formula::expectation([Formula::drawn(self.joint_formula(globals), q)], log)
    }

    fn divergence_formula(&self, field: &MeanField<'m>, component: &Component<'m>) -> Formula {
        let globals = &component.family.prior.targets;
        Formula::kl(self.density_formula(field.approximation, globals, &[]), self.density_formula(field.density, globals, &[]))
    }
}
