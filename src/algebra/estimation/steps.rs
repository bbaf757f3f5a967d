//! The steps of an estimate, as a derivation shows them.

use super::super::derivation::{Formula, Names, Step};
use super::super::lowering::Lowering;
use super::Weighted;
use super::record::Record;
use crate::check::model::{Expr, ParamId, Rule};

const E_STEP: &str = "Salakhutdinov, Roweis, Ghahramani: Optimization with EM and expectation-conjugate-gradient (2003), section 2";
const COMPONENTS: &str = "Tipping, Bishop: Probabilistic principal component analysis (1999), equations 7 and 8";
const NORMAL_EQUATIONS: &str = "Bishop: Pattern recognition and machine learning (2006), equation 3.15";

impl<'m> Lowering<'m> {
    /// The weights of the factors that relate variables without values: their posterior probabilities.
    pub(super) fn derive_weights(&mut self, factors: &[Weighted<'m>], objective: &Expr) {
        for factor in factors {
            let Some((density, declared)) = factor.record.factor.of_rows else { continue };
            let latent = declared.targets.iter().chain(&declared.given).any(|&var| self.model.vars[var].observed.is_none());
            if latent && !factor.learned.is_empty() {
                let log = self.log_density_formula(density, &declared.targets, &declared.given);
                let weight = Formula::partial(self.formula(objective), log);
                let step = Step::new("E-step", Formula::name("r"), weight, objective.span);
                self.derive(step.with(Formula::words("the weight of each case is its posterior probability")).source(E_STEP));
            }
        }
    }

    /// A factor at the maximum, from a rule of the library.
    pub(super) fn derive_rule(&mut self, record: &Record<'m>, rule: &Rule) {
        let before = self.formula(record.factor.dist);
        let mut args = vec![self.var_formula(record.factor.vars[0])];
        let params = &self.model.dists[record.distribution.dist].params;
        args.extend(params.iter().map(|&param| Formula::name(self.model.locals[param].name.clone())));
        let after = Names::new(self.model).inlined(rule.function, args);
        let step = Step::new("maximum likelihood", before, after, record.factor.span);
        let step = step.with(Formula::words("Σ: over all observations, each by its weight"));
        self.derive(match &rule.source {
            Some(source) => step.source(source.clone()),
            None => step,
        });
    }

    /// The normal equations of parameters in which the log-density is quadratic.
    pub(super) fn derive_least_squares(&mut self, factors: &[Weighted<'m>], group: &[ParamId]) {
        let names: Vec<Formula> = group.iter().map(|&id| Formula::parse_name(self.param_name(id))).collect();
        for factor in factors.iter().filter(|factor| factor.learned.iter().any(|id| group.contains(id))) {
            let Some((density, declared)) = factor.record.factor.of_rows else { continue };
            let log = self.log_density_formula(density, &declared.targets, &declared.given);
            let wrt = if let [one] = &names[..] { one.clone() } else { Formula::tuple(names.clone()) };
            let step = Step::new("normal equations", Formula::gradient(wrt, log), Formula::from(0), factor.record.factor.span);
            let linear = Formula::words("linear in the parameters, since the log-density is quadratic");
            self.derive(step.with(linear).source(NORMAL_EQUATIONS));
        }
    }

    /// Probabilistic principal components.
    pub(super) fn derive_components(&mut self, observed: &Weighted<'m>, loading: ParamId) {
        let before = Formula::parse_name(self.param_name(loading));
        let variance = Formula::name("σ²");
        let after = Formula::name("U") * Formula::sqrt(Formula::name("Λ") - variance);
        let step = Step::new("principal components", before, after, observed.record.factor.span);
        let where_ =
            Formula::words("U, Λ: the leading eigenvectors and eigenvalues of the covariance; σ²: the mean of the other eigenvalues");
        self.derive(step.with(where_).source(COMPONENTS));
    }
}
