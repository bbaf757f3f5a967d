//! Reverse processes: their equations and their kernels (Anderson: Reverse-time diffusion equation models, 1982; Song et al. 2021).

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::transition::Moments;
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Prediction, ProcessKind};

impl Lowering<'_> {
    /// The drift of a process: f of a forward one, f − g² score of a reverse one, f − g²/2 score of a flow.
    pub(super) fn drift(&mut self, density: DensityId, x: &Array, t: &Array) -> Result<Array> {
        let model = self.model;
        match model.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Guided(_)) if self.is_flow(density) => self.predicted(density, Prediction::Velocity, x, t),
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

    /// x(s) given x(t), s < t, of a reverse process: the bridge from what it predicts for x(0).
    pub(super) fn reverse_kernel(&mut self, density: DensityId, x: &Array, t: &Array, s: &Array) -> Result<Moments> {
        let x0 = self.predicted(density, Prediction::X0, x, t)?;
        self.bridge(density, &x0, x, t, s)
    }
}
