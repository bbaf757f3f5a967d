//! Guidance as it is read.

use super::super::derivation::{Formula, Step};
use super::super::lowering::Lowering;
use crate::check::model::{Expr, Guided, Prediction};

const CLASSIFIER_FREE: &str = "Ho, Salimans: Classifier-free diffusion guidance (2022), equation 6";
const CLASSIFIER: &str = "Dhariwal, Nichol: Diffusion models beat GANs on image synthesis (2021), section 4";

impl Lowering<'_> {
    /// f̃(x, t, y) = (1 + w) f(x, t, y) − w f(x, t, ∅)
    pub(super) fn record_classifier_free(&mut self, guided: &Guided, weight: &Expr, prediction: Prediction) {
        let (state, time) = self.state_and_time(guided);
        let says = |f: Formula, label: Formula| Formula::apply(f, [state.clone(), time.clone(), label]);
        let f = Formula::from(prediction.name());
        let (label, none, w) = (self.var_formula(guided.label), Formula::words("∅"), self.formula(weight));
        let after = (Formula::from(1) + w.clone()) * says(f.clone(), label.clone()) - w * says(f.clone(), none);
        let step = Step::new("classifier-free guidance", says(f.tilde(), label), after, weight.span);
        self.derive(step.source(CLASSIFIER_FREE));
    }

    /// ∇ log p(x | y) = ∇ log p(x) + w ∇ log p(y | x)
    pub(super) fn record_classifier(&mut self, guided: &Guided, weight: &Expr) {
        let (state, _) = self.state_and_time(guided);
        let name = self.model.densities[guided.of].name.clone();
        let label = self.var_formula(guided.label);
        let score = |target: Formula, given: Vec<Formula>| {
            Formula::gradient(state.clone(), Formula::log(Formula::density_of(&name, vec![target], given)))
        };
        let further = score(label.clone(), vec![state.clone()]);
        let after = score(state.clone(), vec![]) + self.formula(weight) * further;
        let step = Step::new("Bayes' rule for scores", score(state.clone(), vec![label]), after, weight.span);
        self.derive(step.source(CLASSIFIER));
    }

    fn state_and_time(&self, guided: &Guided) -> (Formula, Formula) {
        let t = Formula::from("t");
        let name = self.model.densities[guided.of].process.as_ref().map_or("x", |process| &self.model.vars[process.var].name);
        (Formula::name(name).index([t.clone()]), t)
    }
}
