//! The five things that a network may predict about x = a x(0) + shift + b noise, each from each.
//!
//! Every conversion divides by what it must and by nothing else, so that it is finite, in single precision too, wherever its result is:
//! x(0) and noise from v by none (a² + b²), x(0) from noise and score by a, noise from the score by none, from x(0) by b. Matrices: b is the
//! Cholesky factor of the covariance, the score −b⁻ᵀ noise.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::coefficient::Coefficient;
use super::interpolant::Interpolation;
use super::transition::Marginal;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::base::{Code, Diagnostic};
use crate::check::model::{DensityId, Prediction, Process, ProcessKind};

/// A state, with what the network of its process says of it.
pub(super) struct Seen<'a> {
    /// The process asked
    density: DensityId,
    x: &'a Array,
    t: &'a Array,
    prediction: Prediction,
    /// The prediction
    y: Array,
}

impl<'m> Lowering<'m> {
    /// What a process predicts at x and t.
    pub(super) fn predicted(&mut self, density: DensityId, wanted: Prediction, x: &Array, t: &Array) -> Result<Array> {
        let seen = self.seen(density, x, t)?;
        self.of_seen(&seen, wanted)
    }

    /// Asks the network of a process.
    pub(super) fn seen<'a>(&mut self, density: DensityId, x: &'a Array, t: &'a Array) -> Result<Seen<'a>> {
        let (prediction, y) = self.network_says(density, x, t)?;
        Ok(Seen { density, x, t, prediction, y })
    }

    pub(super) fn of_seen(&mut self, seen: &Seen<'_>, wanted: Prediction) -> Result<Array> {
        if wanted == seen.prediction {
            return Ok(seen.y.clone());
        }
        match wanted {
            Prediction::X0 => self.x0_of(seen),
            Prediction::Noise => self.noise_of(seen),
            Prediction::Score => self.score_of(seen),
            Prediction::V => self.v_of(seen),
            Prediction::Velocity => self.velocity_of(seen),
        }
    }

    fn x0_of(&mut self, seen: &Seen<'_>) -> Result<Array> {
        if matches!(seen.prediction, Prediction::Noise | Prediction::Score) {
            self.need_signal(seen.density, seen.t, seen.prediction)?;
        }
        let marginal = self.marginal(seen.density, seen.t)?;
        let (Marginal { signal, spread, var, .. }, centred) = (&marginal, self.centred(seen, &marginal)?);
        match seen.prediction {
            Prediction::X0 => Ok(seen.y.clone()),
            // (x − b noise) / a
            Prediction::Noise => {
                let noise = self.coefficient_times(spread, &seen.y)?;
                let left = self.sub(&centred, &noise)?;
                self.coefficient_solve(signal, &left)
            }
            // (x + b² score) / a (Efron: Tweedie's formula and selection bias, 2011)
            Prediction::Score => {
                let noise = self.coefficient_times(var, &seen.y)?;
                let left = self.add(&centred, &noise)?;
                self.coefficient_solve(signal, &left)
            }
            // (a x − b v) / (a² + b²)
            Prediction::V => {
                let v = self.unary(UnaryOp::Neg, &seen.y);
                self.turned(&marginal, (signal, &centred), (spread, &v))
            }
            Prediction::Velocity => Ok(self.ends_of_velocity(seen, &marginal, &centred)?.0),
        }
    }

    pub(super) fn noise_of(&mut self, seen: &Seen<'_>) -> Result<Array> {
        if seen.prediction == Prediction::X0 {
            self.need_noise(seen.density, seen.t, seen.prediction)?;
        }
        let marginal = self.marginal(seen.density, seen.t)?;
        let (Marginal { signal, spread, .. }, centred) = (&marginal, self.centred(seen, &marginal)?);
        match seen.prediction {
            Prediction::Noise => Ok(seen.y.clone()),
            // (x − a x(0)) / b
            Prediction::X0 => {
                let mean = self.coefficient_times(signal, &seen.y)?;
                let left = self.sub(&centred, &mean)?;
                self.spread_solve(spread, &left, false)
            }
            // −bᵀ score
            Prediction::Score => {
                let transposed = self.coefficient_transpose(spread);
                let noise = self.coefficient_times(&transposed, &seen.y)?;
                Ok(self.unary(UnaryOp::Neg, &noise))
            }
            // (b x + a v) / (a² + b²)
            Prediction::V => self.turned(&marginal, (spread, &centred), (signal, &seen.y)),
            Prediction::Velocity => Ok(self.ends_of_velocity(seen, &marginal, &centred)?.1),
        }
    }

    /// −b⁻ᵀ noise
    fn score_of(&mut self, seen: &Seen<'_>) -> Result<Array> {
        if seen.prediction == Prediction::Score {
            return Ok(seen.y.clone());
        }
        if let ProcessKind::Interpolant { end: Some(_), .. } = &self.forward_process(seen.density)?.kind {
            let name = &self.model.densities[seen.density].name;
            return Err(Diagnostic::new(
                Code::NoRule,
                format!("`{name}` has no score: at its last time it is data, which has no known density"),
            )
            .help("use `flow(…)`, which needs none"));
        }
        self.need_noise(seen.density, seen.t, seen.prediction)?;
        let noise = self.noise_of(seen)?;
        let marginal = self.marginal(seen.density, seen.t)?;
        let score = self.spread_solve(&marginal.spread, &noise, true)?;
        Ok(self.unary(UnaryOp::Neg, &score))
    }

    /// a noise − b x(0)
    fn v_of(&mut self, seen: &Seen<'_>) -> Result<Array> {
        let (x0, noise) = (self.x0_of(seen)?, self.noise_of(seen)?);
        let marginal = self.marginal(seen.density, seen.t)?;
        let (a, b) = elementwise(&marginal)?;
        let (noise, x0) = (self.mul(a, &noise)?, self.mul(b, &x0)?);
        self.sub(&noise, &x0)
    }

    /// a' x(0) + b' noise where these are known, otherwise F x + u − g gᵀ score / 2 (Song et al. 2021, equation 13).
    fn velocity_of(&mut self, seen: &Seen<'_>) -> Result<Array> {
        if let Some((_, rate)) = self.interpolated(seen)? {
            let (x0, noise) = (self.x0_of(seen)?, self.noise_of(seen)?);
            let (x0, noise) = (self.coefficient_times(&rate.a, &x0)?, self.coefficient_times(&rate.b, &noise)?);
            let velocity = self.add(&x0, &noise)?;
            return match &rate.shift {
                Some(shift) => self.add(&velocity, shift),
                None => Ok(velocity),
            };
        }
        self.equation_drift(seen, 0.5)
    }

    /// F x + u − part · g gᵀ score: the drift of the reverse equation (part 1) and of the flow (part 1/2)
    /// (Anderson: Reverse-time diffusion equation models, 1982; Song et al. 2021, equations 6 and 13).
    pub(super) fn equation_drift(&mut self, seen: &Seen<'_>, part: f64) -> Result<Array> {
        let forward = self.model.forward(seen.density);
        let (drift, g) = (self.forward_drift(forward, seen.x, seen.t)?, self.diffusion(forward, seen.t)?);
        let squared = self.coefficient_square(&g)?;
        let squared = self.coefficient_scaled(part, &squared)?;
        let score = self.score_of(seen)?;
        let turned = self.coefficient_times(&squared, &score)?;
        self.sub(&drift, &turned)
    }

    /// x(0) and noise from a velocity: of an interpolant by its two equations, otherwise by the score 2 (F x + u − velocity) / g².
    fn ends_of_velocity(&mut self, seen: &Seen<'_>, marginal: &Marginal, centred: &Array) -> Result<(Array, Array)> {
        let Marginal { signal, spread, var, .. } = marginal;
        if let Some((now, rate)) = self.interpolated(seen)? {
            // Less their shifts: x = a x(0) + b noise, y = a' x(0) + b' noise
            let det = self.cross((&now.a, rate.b.elementwise()?), (&now.b, rate.a.elementwise()?))?;
            let y = match &rate.shift {
                Some(shift) => self.sub(&seen.y, shift)?,
                None => seen.y.clone(),
            };
            let x0 = self.cross((&rate.b, centred), (&now.b, &y))?;
            let noise = self.cross((&now.a, &y), (&rate.a, centred))?;
            return Ok((self.binary(BinaryOp::Div, &x0, &det)?, self.binary(BinaryOp::Div, &noise, &det)?));
        }
        let forward = self.model.forward(seen.density);
        let (drift, g) = (self.forward_drift(forward, seen.x, seen.t)?, self.diffusion(forward, seen.t)?);
        let excess = self.sub(&drift, &seen.y)?;
        let squared = self.coefficient_square(&g)?;
        let half = self.coefficient_scaled(0.5, &squared)?;
        if half.is_matrix() {
            return Err(matrices("a velocity: not all of the state has noise of its own").help("predict noise, score or x0 instead"));
        }
        // b noise = −b² score
        let ratio = self.elementwise_coefficient(BinaryOp::Div, var, &half)?;
        let spread_noise = self.coefficient_times(&ratio, &excess)?;
        let spread_noise = self.unary(UnaryOp::Neg, &spread_noise);
        let left = self.sub(centred, &spread_noise)?;
        let ratio = self.elementwise_coefficient(BinaryOp::Div, spread, &half)?;
        let noise = self.coefficient_times(&ratio, &excess)?;
        Ok((self.coefficient_solve(signal, &left)?, self.unary(UnaryOp::Neg, &noise)))
    }

    /// a b − c d
    fn cross(&mut self, (a, b): (&Coefficient, &Array), (c, d): (&Coefficient, &Array)) -> Result<Array> {
        let (left, right) = (self.coefficient_times(a, b)?, self.coefficient_times(c, d)?);
        self.sub(&left, &right)
    }

    /// (c x + d v) / (a² + b²)
    fn turned(&mut self, marginal: &Marginal, (c, x): (&Coefficient, &Array), (d, v): (&Coefficient, &Array)) -> Result<Array> {
        let (a, b) = elementwise(marginal)?;
        let (a, b) = (self.mul(a, a)?, self.mul(b, b)?);
        let square = self.add(&a, &b)?;
        let (x, v) = (self.coefficient_times(c, x)?, self.coefficient_times(d, v)?);
        let sum = self.add(&x, &v)?;
        self.binary(BinaryOp::Div, &sum, &square)
    }

    /// a and b of an interpolant, with their derivatives.
    fn interpolated(&mut self, seen: &Seen<'_>) -> Result<Option<(Interpolation, Interpolation)>> {
        let process = self.forward_process(seen.density)?;
        match process.kind {
            ProcessKind::Interpolant { .. } => self.interpolation_and_rate(process, seen.t).map(Some),
            ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                Ok(None)
            }
        }
    }

    /// The forward process behind a density.
    pub(super) fn forward_process(&self, density: DensityId) -> Result<&'m Process> {
        let model = self.model;
        model.densities[model.forward(density)].process.as_ref().ok_or_else(|| Diagnostic::internal("a density without a process"))
    }

    /// x − shift
    fn centred(&mut self, seen: &Seen<'_>, marginal: &Marginal) -> Result<Array> {
        match &marginal.shift {
            Some(shift) => self.sub(seen.x, shift),
            None => Ok(seen.x.clone()),
        }
    }
}

/// a and b, where they are no matrices.
fn elementwise(marginal: &Marginal) -> Result<(&Array, &Array)> {
    match (marginal.signal.elementwise(), marginal.spread.elementwise()) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        _ => Err(matrices("v").help("predict noise, score or x0 instead")),
    }
}

pub(super) fn no_network(name: &str) -> Diagnostic {
    Diagnostic::new(Code::NoRule, format!("`{name}` predicts nothing: no network belongs to it"))
        .help(format!("ask it of a reverse process: `p = reverse({name}, noise: f)`"))
}

fn matrices(what: &str) -> Diagnostic {
    Diagnostic::unsupported(format!("{what}, where the coefficients of the process are matrices"))
}
