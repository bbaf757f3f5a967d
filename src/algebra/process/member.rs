//! `q.signal(t)`, `p.score(x, t)`, …: one line a member.

use super::super::lowering::Lowering;
use super::super::value::{Array, Value};
use super::transition::{Marginal, Moments};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::check::model::{DensityId, Expr, Noise, ProcessKind, ProcessMember};

impl Lowering<'_> {
    pub(in crate::algebra) fn process_member(&mut self, density: DensityId, member: ProcessMember, args: &[Expr]) -> Result<Value> {
        let args = args.iter().map(|arg| self.eval_array(arg)).collect::<Result<Vec<_>>>()?;
        if self.has_finite_states(density) && member != ProcessMember::Time {
            return self.finite_member(density, member, &args);
        }
        let value = match (member, &args[..]) {
            (ProcessMember::Signal, [t]) => self.marginal(density, t)?.signal.number("the signal")?.clone(),
            (ProcessMember::Var, [t]) => self.marginal(density, t)?.var.number("the variance")?.clone(),
            (ProcessMember::Noise, [t]) => self.marginal(density, t)?.spread.number("the noise")?.clone(),
            (ProcessMember::LogSnr, [t]) => self.log_snr(density, t)?,
            (ProcessMember::Diffused, [x0, e, t]) => {
                self.record_diffused(density);
                let Marginal { signal, shift, spread, .. } = self.marginal(density, t)?;
                let (mean, noise) = (self.coefficient_times(&signal, x0)?, self.coefficient_times(&spread, e)?);
                let value = self.add(&mean, &noise)?;
                match &shift {
                    Some(shift) => self.add(&value, shift)?,
                    None => value,
                }
            }
            (ProcessMember::Drift, [x, t]) => {
                self.record_equation(density);
                self.drift(density, x, t)?
            }
            (ProcessMember::Diffusion, [t]) => self.diffusion(density, t)?.number("the diffusion coefficient")?.clone(),
            (ProcessMember::Diffuse, [t, w]) => {
                let g = self.diffusion(density, t)?;
                self.coefficient_times(&g, w)?
            }
            (ProcessMember::Rate, [x0, e, t]) => self.rate_of_path(density, x0, e, t)?,
            (ProcessMember::Other, []) => self.other_end(density)?,
            (ProcessMember::Time, [u]) => self.time_at(density, u)?,
            (ProcessMember::Initial, []) => self.initial(density)?,
            (ProcessMember::Predicted(wanted), [x, t]) => {
                self.record_prediction(density, wanted);
                self.predicted(density, wanted, x, t)?
            }
            (ProcessMember::Kernel, [x, from, to]) => {
                let moments = self.kernel(density, x, from, to)?;
                return self.state_normal(density, moments);
            }
            (ProcessMember::Bridge, [x0, x, t, s]) => {
                let moments = self.bridge(density, x0, x, t, s)?;
                return self.state_normal(density, moments);
            }
            (ProcessMember::Last, []) => {
                let last = self.sampled_from(density)?;
                self.time_number(density, last)
            }
            (ProcessMember::Prior, []) => {
                let moments = self.sampled_prior(density)?;
                return self.state_normal(density, moments);
            }
            _ => return Err(Diagnostic::internal("arguments that a member of a process does not take")),
        };
        Ok(Value::Array(value))
    }

    fn state_normal(&mut self, density: DensityId, moments: Moments) -> Result<Value> {
        let model = self.model;
        let Some(process) = &model.densities[density].process else { return Err(Diagnostic::internal("a density without a process")) };
        self.normal(process.var, moments).map(Value::Distribution)
    }

    /// The state at time `to` given x at time `from`.
    fn kernel(&mut self, density: DensityId, x: &Array, from: &Array, to: &Array) -> Result<Moments> {
        if self.model.reverse(density).is_some() {
            self.record_kernel(density);
            return self.sampling_kernel(density, x, from, to);
        }
        let transition = self.transition(density, from, to)?;
        Ok(Moments { mean: self.transported(&transition, x)?, var: transition.var })
    }

    /// log a²/b²
    fn log_snr(&mut self, density: DensityId, t: &Array) -> Result<Array> {
        let Marginal { signal, var, .. } = self.marginal(density, t)?;
        let (a, var) = (signal.number("the signal")?, var.number("the variance")?);
        let squared = self.mul(a, a)?;
        let (signal, noise) = (self.unary(UnaryOp::Log, &squared), self.unary(UnaryOp::Log, var));
        self.sub(&signal, &noise)
    }

    /// The time at the part u of the range, of a chain the nearest step.
    fn time_at(&mut self, density: DensityId, u: &Array) -> Result<Array> {
        let ((first, _), last) = (self.time_range(density)?, self.sampled_from(density)?);
        let (first, length) = (self.real(first), self.real(last - first));
        let along = self.mul(u, &length)?;
        let time = self.add(&first, &along)?;
        let steps = self.model.densities[density].process.as_ref().is_some_and(|process| self.in_steps(process.var));
        if !steps {
            return Ok(time);
        }
        let rounded = self.unary(UnaryOp::Round, &time);
        Ok(self.cast(&rounded, DType::Int))
    }

    /// A draw of the state from which sampling starts.
    fn initial(&mut self, density: DensityId) -> Result<Array> {
        let model = self.model;
        let forward = model.forward(density);
        let Some(process) = &model.densities[forward].process else { return Err(Diagnostic::internal("a density without a process")) };
        let (first, last) = self.time_range(density)?;
        let reverse = model.reverse(density).is_some();
        let data = match &process.kind {
            ProcessKind::Interpolant { end: Some(end), .. } if reverse => return self.drawn_row(*end),
            _ if !reverse => model.data_at(process.var, first).or_else(|| model.data_at(process.var, last)),
            ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. } => None,
            ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => None,
        };
        if let Some(data) = data {
            return self.variable(data);
        }
        if let (Some(initial), false) = (&model.densities[forward].initial, reverse) {
            let dist = self.eval(&initial.dist)?.distribution()?;
            return self.draw(&dist);
        }
        let shape = super::super::leaves::tensor_type(&model.vars[process.var].member_type())?.shape;
        let noise = self.noise(Noise::Normal, &shape)?;
        let prior = self.sampled_prior(density)?;
        let spread = self.spread(&prior.var);
        let spread = self.coefficient_times(&spread, &noise)?;
        self.binary(BinaryOp::Add, &spread, &prior.mean)
    }
}
