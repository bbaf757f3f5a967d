//! The path a x(0) + shift + b e on which x(t) lies between its two ends: its derivative by the time, and draws of the other end.

use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::value::Array;
use super::interpolant::Interpolation;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Noise, ProcessKind};

impl Lowering<'_> {
    /// a' x0 + shift' + b' e: what `flow_matching` regresses on (Lipman et al.: Flow matching for generative modeling, 2023, theorem 3).
    pub(super) fn rate_of_path(&mut self, density: DensityId, x0: &Array, e: &Array, t: &Array) -> Result<Array> {
        let process = self.forward_process(density)?;
        let rate = match process.kind {
            ProcessKind::Interpolant { .. } => self.interpolation_and_rate(process, t)?.1,
            ProcessKind::Chain => {
                let message = format!("the velocity of `{}`, which runs in discrete steps", self.model.densities[density].name);
                return Err(Diagnostic::unsupported(message).help("declare the process in continuous time: `var x(t in 0..1)`"));
            }
            ProcessKind::Ito { .. } | ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                let t = &self.own_time(t);
                let marginal = self.marginal(density, t)?;
                let shift = marginal.shift.as_ref().map(|shift| self.array_rate(shift, t)).transpose()?;
                Interpolation { a: self.rate(&marginal.signal, t)?, b: self.rate(&marginal.spread, t)?, shift }
            }
        };
        let (x0, e) = (self.coefficient_times(&rate.a, x0)?, self.coefficient_times(&rate.b, e)?);
        let moved = self.add(&x0, &e)?;
        match &rate.shift {
            Some(shift) => self.add(&moved, shift),
            None => Ok(moved),
        }
    }

    /// Standard normal noise, or one of the rows of `data x(1)`, whatever the row of x(0).
    pub(super) fn other_end(&mut self, density: DensityId) -> Result<Array> {
        let process = self.forward_process(density)?;
        if let ProcessKind::Interpolant { end: Some(end), .. } = process.kind {
            return self.drawn_row(end);
        }
        let shape = tensor_type(&self.model.vars[process.var].member_type())?.shape;
        self.noise(Noise::Normal, &shape)
    }
}
