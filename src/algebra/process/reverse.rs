//! Reverse processes: their equations and their kernels (Anderson: Reverse-time diffusion equation models, 1982; Song et al. 2021).

use super::super::lowering::Lowering;
use super::super::value::{Array, Value};
use super::coefficient::Coefficient;
use super::transition::Moments;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{CompareOp, UnaryOp};
use crate::check::model::{DensityId, Expr, Prediction, ProcessKind, Variance};

/// x(s) given x(t), s < t.
struct Backward {
    mean: Array,
    var: Coefficient,
    /// The variance of x(t) given x(s)
    forward: Coefficient,
    /// Whether s is the first time and x(s) the data itself
    at_data: Option<Array>,
}

impl Lowering<'_> {
    /// The drift of a process: f of a forward one, f − g² score of a reverse one, f − g²/2 score of a flow.
    pub(super) fn drift(&mut self, density: DensityId, x: &Array, t: &Array) -> Result<Array> {
        let model = self.model;
        match model.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Guided(_)) if model.is_flow(density) => self.predicted(density, Prediction::Velocity, x, t),
            Some(ProcessKind::Reverse(_) | ProcessKind::Guided(_)) => {
                let seen = self.seen(density, x, t)?;
                self.equation_drift(&seen, 1.0)
            }
            Some(ProcessKind::Flow { .. }) => self.predicted(density, Prediction::Velocity, x, t),
            Some(ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => {
                self.forward_drift(density, x, t)
            }
        }
    }

    /// x(s) given x(t), s < t, of a reverse process: from x(0) as it predicts it by Bayes' rule, with the variance that was asked for.
    /// That of x(0) given itself is zero, so a density of x(0) has the forward variance
    /// (Ho, Jain, Abbeel: Denoising diffusion probabilistic models, 2020, sections 3.2 and 3.3).
    pub(super) fn reverse_kernel(&mut self, density: DensityId, x: &Array, t: &Array, s: &Array) -> Result<Moments> {
        let Backward { mean, var, forward, at_data } = self.backward(density, x, t, s)?;
        Ok(Moments { mean, var: self.where_data(at_data.as_ref(), &forward, &var)? })
    }

    /// The same for draws, of which the last is the mean itself, as in algorithm 2 of Ho et al. (where the variance is a matrix, which needs
    /// a factor: a millionth of the standard deviation).
    pub(super) fn sampling_kernel(&mut self, density: DensityId, x: &Array, t: &Array, s: &Array) -> Result<Moments> {
        let Backward { mean, var, forward, at_data } = self.backward(density, x, t, s)?;
        let rest = self.coefficient_scaled(if forward.is_matrix() { 1e-12 } else { 0.0 }, &forward)?;
        Ok(Moments { mean, var: self.where_data(at_data.as_ref(), &rest, &var)? })
    }

    fn backward(&mut self, density: DensityId, x: &Array, t: &Array, s: &Array) -> Result<Backward> {
        let model = self.model;
        let Some(reverse) = model.reverse(density) else { return Err(Diagnostic::internal("no reverse process")) };
        let x0 = self.predicted(density, Prediction::X0, x, t)?;
        let (before, step) = (self.from_data(density, s)?, self.transition(density, s, t)?);
        let Moments { mean, var } = self.between(&before, &step, &x0, x)?;
        let at_data = match model.densities[reverse.of].initial {
            Some(_) => None,
            None => {
                let first = self.first_time(density)?;
                Some(self.compare(CompareOp::Le, s, &first)?)
            }
        };
        let var = match &reverse.variance {
            Variance::Posterior => var,
            Variance::Forward => step.var.clone(),
            Variance::Learned { part } => {
                let part = self.second_output(density, part, x, t)?;
                let posterior = self.where_data(at_data.as_ref(), &step.var, &var)?;
                self.between_variances(&part, &step.var, &posterior)?
            }
        };
        Ok(Backward { mean, var, forward: step.var, at_data })
    }

    /// What the network says beside its prediction; guidance leaves it as it is.
    fn second_output(&mut self, density: DensityId, output: &Expr, x: &Array, t: &Array) -> Result<Array> {
        let model = self.model;
        if let Some(reverse) = model.reverse(density) {
            self.bind_local(reverse.state, Value::Array(x.clone()));
            self.bind_local(reverse.time, Value::Array(t.clone()));
        }
        let frozen = self.frozen || model.densities[density].frozen;
        let outer = std::mem::replace(&mut self.frozen, frozen);
        let found = self.eval_array(output);
        self.frozen = outer;
        found
    }

    /// exp(v log forward + (1 − v) log posterior)
    fn between_variances(&mut self, v: &Array, forward: &Coefficient, posterior: &Coefficient) -> Result<Coefficient> {
        let [upper, lower] = [forward, posterior].map(|var| var.elementwise().map(|var| self.unary(UnaryOp::Log, var)));
        let (upper, lower) = (upper?, lower?);
        let range = self.sub(&upper, &lower)?;
        let above = self.mul(v, &range)?;
        let log = self.add(&lower, &above)?;
        let var = self.unary(UnaryOp::Exp, &log);
        let scalar = self.shape(&var).is_empty();
        Ok(if scalar { Coefficient::Scalar(var) } else { Coefficient::Diagonal(var) })
    }

    /// One variance where the state is the data itself, another elsewhere.
    fn where_data(&mut self, at_data: Option<&Array>, there: &Coefficient, elsewhere: &Coefficient) -> Result<Coefficient> {
        let Some(at_data) = at_data else { return Ok(elsewhere.clone()) };
        let zero = self.coefficient_scaled(0.0, there)?;
        // Of the larger kind of the two
        let kind = self.coefficient_sum(&zero, elsewhere)?;
        let zero = self.coefficient_scaled(0.0, elsewhere)?;
        let there = self.coefficient_sum(&zero, there)?;
        let chosen = self.select(at_data, there.array(), kind.array())?;
        Ok(kind.with(chosen))
    }
}
