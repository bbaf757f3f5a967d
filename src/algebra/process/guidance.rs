//! What the network of a process says, with and without a label: classifier-free guidance (Ho, Salimans: Classifier-free diffusion
//! guidance, 2022, equation 6 and algorithm 1), and by the gradient of a factor p(y | x(t)): classifier guidance (Dhariwal, Nichol:
//! Diffusion models beat GANs on image synthesis, 2021, section 4).

use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, Value};
use crate::base::diagnostic::Result;
use crate::base::op::CompareOp;
use crate::base::{Code, Diagnostic};
use crate::check::Support;
use crate::check::model::{
    DensityId, Expr, ExprKind, Guidance, Guided, Noise, Place, Prediction, ProcessKind, Query, Reverse, StateFactor, VarId,
};
use crate::check::types::Type;

impl<'m> Lowering<'m> {
    /// What is predicted, and the prediction, of a process made by `reverse` or from one, at x and t.
    pub(super) fn network_says(&mut self, density: DensityId, x: &Array, t: &Array) -> Result<(Prediction, Array)> {
        let model = self.model;
        match model.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Reverse(reverse)) => {
                let frozen = self.frozen || model.densities[density].frozen;
                let outer = std::mem::replace(&mut self.frozen, frozen);
                let output = self.network_output(reverse, x, t);
                self.frozen = outer;
                Ok((reverse.prediction, output?))
            }
            Some(ProcessKind::Flow { of }) => self.network_says(*of, x, t),
            Some(ProcessKind::Guided(guided)) => self.guided(guided, x, t),
            Some(ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => {
                Err(super::prediction::no_network(&model.densities[density].name))
            }
        }
    }

    fn network_output(&mut self, reverse: &Reverse, x: &Array, t: &Array) -> Result<Array> {
        self.labels_have_values(&reverse.network)?;
        self.bind_local(reverse.state, Value::Array(x.clone()));
        self.bind_local(reverse.time, Value::Array(t.clone()));
        self.eval_array(&reverse.network)
    }

    fn guided(&mut self, guided: &Guided, x: &Array, t: &Array) -> Result<(Prediction, Array)> {
        match &guided.guidance {
            Guidance::ClassifierFree(weight) => self.classifier_free(guided, weight, x, t),
            Guidance::Classifier(weight) => self.classifier(guided, weight, x, t),
            Guidance::Drop(rate) => {
                let (rate, label) = (self.eval_array(rate)?, self.label_value(guided.label)?);
                let (uniform, none) = (self.noise(Noise::Uniform, &[])?, self.no_label(guided.label)?);
                let dropped = self.compare(CompareOp::Lt, &uniform, &rate)?;
                let label = self.select(&dropped, &none, &label)?;
                self.labelled(guided.label, label, |this| this.network_says(guided.of, x, t))
            }
        }
    }

    /// (1 + w) f(x, t, y) − w f(x, t, none). Whatever f predicts is affine in the score, given x.
    fn classifier_free(&mut self, guided: &Guided, strength: &Expr, x: &Array, t: &Array) -> Result<(Prediction, Array)> {
        let weight = self.eval_array(strength)?;
        let (label, none) = (self.given_label(guided)?, self.no_label(guided.label)?);
        let (prediction, with) = self.labelled(guided.label, label, |this| this.network_says(guided.of, x, t))?;
        let (_, without) = self.labelled(guided.label, none, |this| this.network_says(guided.of, x, t))?;
        self.record_classifier_free(guided, strength, prediction);
        let difference = self.sub(&with, &without)?;
        let further = self.mul(&weight, &difference)?;
        Ok((prediction, self.add(&with, &further)?))
    }

    /// Bayes' rule for scores: score + w ∇ log p(y | x(t)); of the noise, which is −bᵀ score, noise − w bᵀ ∇ log p(y | x(t)).
    fn classifier(&mut self, guided: &Guided, strength: &Expr, x: &Array, t: &Array) -> Result<(Prediction, Array)> {
        let factor = self.model.state_factor(guided.of, guided.label);
        let factor = factor.ok_or_else(|| Diagnostic::internal("guidance without a factor"))?;
        self.record_classifier(guided, strength);
        let (weight, label) = (self.eval_array(strength)?, self.given_label(guided)?);
        let gradient = self.state_gradient(factor, label, x, t)?;
        let further = self.mul(&weight, &gradient)?;
        let (prediction, output) = self.network_says(guided.of, x, t)?;
        if prediction == Prediction::Score {
            return Ok((prediction, self.add(&output, &further)?));
        }
        let seen = self.seen(guided.of, x, t)?;
        let noise = self.noise_of(&seen)?;
        let marginal = self.marginal(guided.of, t)?;
        let transposed = self.coefficient_transpose(&marginal.spread);
        let further = self.coefficient_times(&transposed, &further)?;
        Ok((Prediction::Noise, self.sub(&noise, &further)?))
    }

    /// ∇ log p(y | x(t)) by x(t).
    fn state_gradient(&mut self, factor: &StateFactor, label: Array, x: &Array, t: &Array) -> Result<Array> {
        self.gradient_at(x, |this, x| this.log_state_factor(factor, label, x, t))
    }

    /// The factor behind `p(y | x(t))`.
    pub(super) fn asks_for_state_factor(&self, query: &Query) -> Option<&'m StateFactor> {
        match (&query.targets[..], &query.given[..], &query.member_targets[..], &query.member_given[..]) {
            ([(target, _)], [], [], [_]) => self.model.state_factor(query.density, *target),
            _ => None,
        }
    }

    /// log p(y | x(t)) with the values of a query.
    pub(super) fn log_given_state(&mut self, query: &Query, factor: &StateFactor) -> Result<Array> {
        let (t, x, _) = self.given_state(&query.member_given[0])?;
        let mut outside = vec![];
        let log = self.substituted(query, &mut outside, |this| {
            let label = this.variable(factor.target)?;
            this.log_state_factor(factor, label, &x, &t)
        })?;
        self.impossible(log, outside)
    }

    fn log_state_factor(&mut self, factor: &StateFactor, label: Array, x: &Array, t: &Array) -> Result<Array> {
        let distribution = self.state_factor_distribution(factor, x, t)?;
        self.log_prob(&distribution, &label)
    }

    /// p(y | x(t))
    pub(super) fn state_factor_distribution(&mut self, factor: &StateFactor, x: &Array, t: &Array) -> Result<Distribution> {
        self.bind_local(factor.state, Value::Array(x.clone()));
        self.bind_local(factor.time, Value::Array(t.clone()));
        self.eval(&factor.dist)?.distribution()
    }

    /// With a label that has a value.
    fn labelled<T>(&mut self, label: VarId, value: Array, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let old = self.bind(Place::Var(label), value);
        let result = inside(self);
        self.restore(Place::Var(label), old);
        result
    }

    /// The label of a guide: what it was given, or its value where it is used.
    fn given_label(&mut self, guided: &Guided) -> Result<Array> {
        match &guided.value {
            Some(value) => self.eval_array(value),
            None => self.label_value(guided.label),
        }
    }

    /// The value of a label that says nothing: the class after the last, or zeros.
    fn no_label(&mut self, label: VarId) -> Result<Array> {
        let ty = &self.model.vars[label].ty;
        let tensor = tensor_type(ty)?;
        let none = match ty {
            Type::Array(array) => match &array.support {
                Support::Cat(classes) => classes.known().ok_or_else(|| Diagnostic::internal("classes without number"))? as f64,
                _ => 0.0,
            },
            Type::Tuple(_) | Type::Distribution(_) | Type::Error => return Err(Diagnostic::internal("a label that is no array")),
        };
        let node = self.b().fill(none, tensor.dtype, &tensor.shape);
        Ok(self.array(node, vec![]))
    }

    fn label_value(&mut self, label: VarId) -> Result<Array> {
        let var = &self.model.vars[label];
        if var.observed.is_none() && !self.vars.contains_key(&label) {
            let name = &var.name;
            let problem = Diagnostic::new(Code::LatentWithoutValue, format!("`{name}`, which the network is given, has no value here"));
            let problem =
                problem.label(self.b().span, "needed here").label(var.span, format!("`{name}` is declared here and not observed"));
            return Err(problem.help(format!("draw it before, `{name} ~ …`, or give it: `guide(p, {name} = …, weight: 1)`")));
        }
        self.variable(label)
    }

    /// What a network is given beside state and time was drawn, or is data.
    fn labels_have_values(&mut self, network: &Expr) -> Result<()> {
        let mut open = vec![network];
        while let Some(e) = open.pop() {
            if let ExprKind::Var(label) = e.kind {
                self.label_value(label)?;
            }
            e.each_part(&mut |part| open.push(part));
        }
        Ok(())
    }
}
