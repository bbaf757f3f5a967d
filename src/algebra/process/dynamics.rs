//! Forward processes as equations: dx = (F x + u) dt + g dW.

use super::super::lowering::Lowering;
use super::super::value::{Array, Value};
use super::coefficient::Coefficient;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Process, ProcessKind};

/// dx = (F x + u) dt + g dW. What is absent is zero.
#[derive(Clone, Debug)]
pub(super) struct Dynamics {
    pub slope: Option<Coefficient>,
    pub shift: Option<Array>,
    pub diffusion: Option<Coefficient>,
}

impl Lowering<'_> {
    /// The equation of a forward process in continuous time.
    pub(super) fn dynamics(&mut self, density: DensityId, t: &Array) -> Result<Dynamics> {
        let model = self.model;
        let density = model.forward(density);
        let Some(process) = &model.densities[density].process else { return Err(Diagnostic::internal("a density without a process")) };
        match &process.kind {
            ProcessKind::Interpolant { .. } => self.interpolant_dynamics(process, t),
            ProcessKind::Ito { .. } => {
                self.refuse_undefined_noise(process)?;
                self.ito_dynamics(process, t)
            }
            ProcessKind::Chain => {
                let name = &model.densities[density].name;
                Err(Diagnostic::unsupported(format!("a drift of `{name}`, which runs in discrete steps"))
                    .help("use a sampler of chains: `ancestral(p)`, `ddim(p, steps: 50)`"))
            }
            ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                Err(Diagnostic::internal("a forward process was expected"))
            }
        }
    }

    /// f(x, t) of a forward process.
    pub(super) fn forward_drift(&mut self, density: DensityId, x: &Array, t: &Array) -> Result<Array> {
        let model = self.model;
        if let Some(Process { kind: ProcessKind::Ito { state, time, drift, .. }, .. }) = &model.densities[density].process {
            self.bind_local(*time, Value::Array(t.clone()));
            self.bind_local(*state, Value::Array(x.clone()));
            let drift = self.eval_array(drift)?;
            let zero = self.real(0.0);
            let zero = self.mul(x, &zero)?;
            return self.add(&drift, &zero);
        }
        let dynamics = self.dynamics(density, t)?;
        self.drift_of(&dynamics, x)
    }

    /// F x + u
    pub(super) fn drift_of(&mut self, dynamics: &Dynamics, x: &Array) -> Result<Array> {
        let linear = match &dynamics.slope {
            Some(slope) => self.coefficient_times(slope, x)?,
            None => {
                let zero = self.real(0.0);
                self.mul(x, &zero)?
            }
        };
        match &dynamics.shift {
            Some(shift) => self.add(&linear, shift),
            None => Ok(linear),
        }
    }

    /// g(t) of a process: of a reverse one that of the forward one, of a flow none.
    pub(super) fn diffusion(&mut self, density: DensityId, t: &Array) -> Result<Coefficient> {
        let model = self.model;
        if model.is_flow(density) {
            return Ok(Coefficient::Scalar(self.real(0.0)));
        }
        let density = model.forward(density);
        if let Some(process @ Process { kind: ProcessKind::Ito { time, diffusion, .. }, var, .. }) = &model.densities[density].process {
            self.refuse_undefined_noise(process)?;
            self.bind_local(*time, Value::Array(t.clone()));
            let value = self.eval_array(diffusion)?;
            let state = super::super::leaves::tensor_type(&model.vars[*var].ty)?.rank();
            return Ok(match self.shape(&value).len() {
                0 => Coefficient::Scalar(value),
                rank if rank == state => Coefficient::Diagonal(value),
                _ => Coefficient::Matrix(value),
            });
        }
        let zero = Coefficient::Scalar(self.real(0.0));
        Ok(self.dynamics(density, t)?.diffusion.unwrap_or(zero))
    }
}
