//! Interpolants `x(t) = a(t) * x(0) + b(t) * noise`.

use super::super::lowering::Lowering;
use super::super::value::{Array, Value};
use super::coefficient::Coefficient;
use super::dynamics::Dynamics;
use super::transition::Transition;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::BinaryOp;
use crate::check::model::{Expr, LocalId, Process, ProcessKind};

/// a and b of an interpolant.
pub(super) struct Interpolation {
    pub a: Coefficient,
    pub b: Coefficient,
}

impl Lowering<'_> {
    pub(super) fn interpolant_transition(&mut self, process: &Process, from: &Array, to: &Array) -> Result<Transition> {
        let (start, end) = (self.interpolation(process, from)?, self.interpolation(process, to)?);
        // a(t|s) = a(t)/a(s), b²(t|s) = b²(t) − a²(t|s) b²(s)
        let signal = self.elementwise_coefficient(BinaryOp::Div, &end.a, &start.a)?;
        let passed = self.coefficient_product(&signal, &start.b)?;
        let (passed, whole) = (self.coefficient_product(&passed, &passed)?, self.coefficient_product(&end.b, &end.b)?);
        let var = self.elementwise_coefficient(BinaryOp::Sub, &whole, &passed)?;
        Ok(Transition { signal, shift: None, var })
    }

    /// F = a'/a, g² = 2 (b b' − b² a'/a) (Albergo, Boffi, Vanden-Eijnden: Stochastic interpolants, 2023; Karras et al. 2022, appendix B).
    pub(super) fn interpolant_dynamics(&mut self, process: &Process, t: &Array) -> Result<Dynamics> {
        let (now, rate) = self.interpolation_and_rate(process, t)?;
        let slope = self.elementwise_coefficient(BinaryOp::Div, &rate.a, &now.a)?;
        let growth = self.coefficient_product(&slope, &now.b)?;
        let excess = self.elementwise_coefficient(BinaryOp::Sub, &rate.b, &growth)?;
        let half = self.coefficient_product(&now.b, &excess)?;
        let two = Coefficient::Scalar(self.real(2.0));
        let squared = self.coefficient_product(&two, &half)?;
        let diffusion = self.spread(&squared);
        Ok(Dynamics { slope: Some(slope), shift: None, diffusion: Some(diffusion) })
    }

    /// a and b with their derivatives by the time.
    pub(super) fn interpolation_and_rate(&mut self, process: &Process, t: &Array) -> Result<(Interpolation, Interpolation)> {
        let plates = super::super::lowering::union([&t.plates[..], &self.scope.clone()]);
        let full = self.expanded(t, &plates);
        let node = self.node(&full);
        let node = self.b().distinct(node);
        let t = self.array(node, plates);
        let now = self.interpolation(process, &t)?;
        let (a, b) = (self.rate(&now.a, &t)?, self.rate(&now.b, &t)?);
        Ok((now, Interpolation { a, b }))
    }

    fn rate(&mut self, coefficient: &Coefficient, t: &Array) -> Result<Coefficient> {
        Ok(Coefficient::Scalar(self.gradient_of_sum(coefficient.number("the rate of a coefficient")?, t)?))
    }

    pub(super) fn interpolation(&mut self, process: &Process, t: &Array) -> Result<Interpolation> {
        let ProcessKind::Interpolant { time, start, other, value, .. } = &process.kind else {
            return Err(Diagnostic::internal("no interpolant"));
        };
        let (one, zero) = (self.real(1.0), self.real(0.0));
        self.bind_local(*time, Value::Array(t.clone()));
        Ok(Interpolation {
            a: self.end_coefficient((*start, &one), (*other, &zero), value)?,
            b: self.end_coefficient((*start, &zero), (*other, &one), value)?,
        })
    }

    /// The value at the ends 1 and 0, which stretch over the state: a number where the coefficient is one.
    fn end_coefficient(&mut self, start: (LocalId, &Array), other: (LocalId, &Array), value: &Expr) -> Result<Coefficient> {
        for (local, at) in [start, other] {
            self.bind_local(local, Value::Array(at.clone()));
        }
        let value = self.eval_array(value)?;
        Ok(if self.shape(&value).is_empty() { Coefficient::Scalar(value) } else { Coefficient::Diagonal(value) })
    }
}
