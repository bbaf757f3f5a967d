//! What derivations say about a mean field.

use super::super::derivation::{Formula, Relation, Step};
use super::super::lowering::Lowering;
use super::mean_field::{Component, MeanField};
use crate::check::model::Factor;

const MEAN_FIELD: &str = "Bishop: Pattern recognition and machine learning (2006), equation 10.9";

impl<'m> Lowering<'m> {
    /// E[log p(x | θ)] from the posterior in which x counts ε times.
    pub(super) fn derive_expected(&mut self, field: &MeanField<'m>, component: &Component<'m>, factor: &'m Factor) {
        let globals = &component.family.prior.targets;
        let q = self.density_formula(field.approximation, globals, &[]);
        let draws = globals.iter().map(|&var| self.var_formula(var));
        let drawn = Formula::Relation(Box::new(Formula::tuple(draws)), Relation::Distributed, Box::new(q.clone()));
        let log = self.log_density_formula(field.density, &factor.targets, &factor.given);
        let before = Formula::Expectation { draws: vec![drawn], body: Box::new(log.clone()) };
        let tilted = Formula::log(Formula::name("q").index([Formula::name("ε")]));
        let step = Step::new("candidate's formula", before, log - Formula::partial(tilted, Formula::name("ε")), factor.span);
        let remark = "at ε = 0 and at any value of the global variables; q_ε: the posterior from q where the observation counts ε times";
        self.derive(step.with(Formula::words(remark)).source("Besag: A candidate's formula (1989)"));
    }

    /// A factor of q becomes the posterior given weighted observations.
    pub(super) fn derive_update(&mut self, field: &MeanField<'m>, component: &Component<'m>) {
        let globals = &component.family.prior.targets;
        let before = self.density_formula(field.approximation, globals, &[]);
        let observed: Vec<_> = component.family.children.iter().flat_map(|child| child.targets.iter().copied()).collect();
        let posterior = self.density_formula(field.density, globals, &observed);
        let step = Step::new("best factor of q", before, posterior, component.declared.span).related(Relation::Becomes);
        let remark = "of a conjugate pair, each observation counting by the posterior probability of its finite variables";
        self.derive(step.with(Formula::words(remark)).source(MEAN_FIELD));
    }
}
