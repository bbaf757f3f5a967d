//! The five things that a network may predict about x = a x(0) + shift + b noise, each from each.
//!
//! Everything of interest is a row (c, c0, c1): the combination c x + c0 x(0) + c1 noise. Two of them determine the third.

use super::super::lowering::Lowering;
use super::super::value::Array;

use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::check::model::{DensityId, Prediction, ProcessKind};

/// c x + c0 x(0) + c1 noise. What is absent is zero.
#[derive(Clone, Default)]
pub(super) struct Row {
    pub x: Option<Array>,
    pub x0: Option<Array>,
    pub noise: Option<Array>,
}

impl Lowering<'_> {
    /// What a process predicts at x and t.
    pub(super) fn predicted(&mut self, density: DensityId, wanted: Prediction, x: &Array, t: &Array) -> Result<Array> {
        let row = self.row(density, wanted, t)?;
        self.combination(density, &row, x, t)
    }

    /// A combination of x, x(0) and noise, by what the network of a reverse process predicts.
    pub(super) fn combination(&mut self, density: DensityId, wanted: &Row, x: &Array, t: &Array) -> Result<Array> {
        let model = self.model;
        let Some(reverse) = model.reverse(density) else {
            let name = &model.densities[density].name;
            return Err(Diagnostic::unsupported(format!("a prediction of `{name}`, which has no network")));
        };
        let y = self.network_output(density, x, t)?;
        let known = self.row(reverse.of, reverse.prediction, t)?;
        let forward = self.marginal_transition(reverse.of, t)?;
        let (a, b) = (forward.signal.clone(), self.spread(&forward.var));
        let (a, b) = (a.elementwise()?, b.elementwise()?);
        // With x = a x0 + b e and y = s x + s0 x0 + s1 e: (w0, w1) = α (a, b) + β (s0, s1)
        let det = self.cross(Some(a), Some(b), known.x0.as_ref(), known.noise.as_ref())?;
        let alpha = self.cross(wanted.x0.as_ref(), wanted.noise.as_ref(), known.x0.as_ref(), known.noise.as_ref())?;
        let beta = self.cross(Some(a), Some(b), wanted.x0.as_ref(), wanted.noise.as_ref())?;
        let det = det.ok_or_else(|| Diagnostic::internal("a prediction that says nothing"))?;
        let alpha = alpha.map(|alpha| self.binary(BinaryOp::Div, &alpha, &det)).transpose()?;
        let beta = beta.map(|beta| self.binary(BinaryOp::Div, &beta, &det)).transpose()?;
        // wanted = (w + α − β s) x + β y
        let seen = self.row_product(beta.as_ref(), known.x.as_ref())?;
        let seen = seen.map(|seen| self.unary(UnaryOp::Neg, &seen));
        let of_x = self.row_sum(&[wanted.x.clone(), alpha, seen])?;
        let centred = match &forward.shift {
            Some(shift) => self.sub(x, shift)?,
            None => x.clone(),
        };
        let parts = [self.row_product(of_x.as_ref(), Some(&centred))?, self.row_product(beta.as_ref(), Some(&y))?];
        match self.row_sum(&parts)? {
            Some(value) => Ok(value),
            None => {
                let zero = self.real(0.0);
                self.mul(x, &zero)
            }
        }
    }

    pub(super) fn row(&mut self, density: DensityId, wanted: Prediction, t: &Array) -> Result<Row> {
        let one = self.real(1.0);
        let forward = self.marginal_transition(density, t)?;
        let b = self.spread(&forward.var).elementwise()?.clone();
        Ok(match wanted {
            Prediction::Noise => Row { noise: Some(one), ..Row::default() },
            Prediction::X0 => Row { x0: Some(one), ..Row::default() },
            Prediction::Score => {
                let inverse = self.binary(BinaryOp::Div, &one, &b)?;
                Row { noise: Some(self.unary(UnaryOp::Neg, &inverse)), ..Row::default() }
            }
            Prediction::V => Row { x0: Some(self.unary(UnaryOp::Neg, &b)), noise: Some(forward.signal.elementwise()?.clone()), x: None },
            Prediction::Velocity => self.velocity_row(density, t)?,
        })
    }

    /// dx/dt = a' x(0) + b' noise = F x + g²/(2 b) noise.
    fn velocity_row(&mut self, density: DensityId, t: &Array) -> Result<Row> {
        let model = self.model;
        let forward = model.forward(density);
        if let Some(process) = &model.densities[forward].process
            && let ProcessKind::Interpolant { .. } = process.kind
        {
            let (_, rate) = self.interpolation_and_rate(process, t)?;
            return Ok(Row { x: None, x0: Some(rate.a.elementwise()?.clone()), noise: Some(rate.b.elementwise()?.clone()) });
        }
        self.equation_row(density, t, 0.5)
    }

    /// F x − part · g² score, the drift of the reverse equation (part 1) and of the flow (part 1/2) (Song et al. 2021, eq. 6 and 13).
    pub(super) fn equation_row(&mut self, density: DensityId, t: &Array, part: f64) -> Result<Row> {
        let dynamics = self.dynamics(density, t)?;
        let x = dynamics.slope.as_ref().map(|slope| slope.elementwise().cloned()).transpose()?;
        let noise = match &dynamics.diffusion {
            Some(g) => {
                let squared = self.coefficient_product(g, g)?;
                let part = self.real(part);
                let scaled = self.mul(squared.elementwise()?, &part)?;
                let forward = self.marginal_transition(density, t)?;
                let b = self.spread(&forward.var).elementwise()?.clone();
                Some(self.binary(BinaryOp::Div, &scaled, &b)?)
            }
            None => None,
        };
        Ok(Row { x, x0: None, noise })
    }

    /// a d − b c
    fn cross(&mut self, a: Option<&Array>, b: Option<&Array>, c: Option<&Array>, d: Option<&Array>) -> Result<Option<Array>> {
        let (left, right) = (self.row_product(a, d)?, self.row_product(b, c)?);
        let right = right.map(|right| self.unary(UnaryOp::Neg, &right));
        self.row_sum(&[left, right])
    }

    fn row_product(&mut self, a: Option<&Array>, b: Option<&Array>) -> Result<Option<Array>> {
        match (a, b) {
            (Some(a), Some(b)) => self.mul(a, b).map(Some),
            _ => Ok(None),
        }
    }

    fn row_sum(&mut self, parts: &[Option<Array>]) -> Result<Option<Array>> {
        let mut sum: Option<Array> = None;
        for part in parts.iter().flatten() {
            sum = Some(match sum {
                Some(sum) => self.add(&sum, part)?,
                None => part.clone(),
            });
        }
        Ok(sum)
    }
}
