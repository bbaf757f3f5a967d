//! What is drawn in the bound of a chain: the state of a step, unless its expectation has a closed form or is a small sum; and the step.

use super::super::expectation::Site;
use super::super::gaussian::affine;
use super::super::gaussian::factor::Family;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, PlateId};
use super::bound::{ChainBound, Part};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType};
use crate::check::model::{Expr, Noise};
use crate::graph::Op;

impl<'m> Lowering<'m> {
    /// The expectation of a term over x[t] ~ q(x[t] | x[0]).
    pub(super) fn over_state(&mut self, of: &ChainBound<'m>, t: &Array, part: Part) -> Result<Array> {
        let law = self.forward_law(&of.forward, t, &of.x0)?;
        let name = format!("E over {}[t]", self.model.vars[of.forward.var].name);
        if let Some(value) = self.expected_term(of, t, &law, part)? {
            self.note(of.span, format!("{name}: in closed form, linear-Gaussian"));
            return Ok(value);
        }
        let samples = of.bound.samples.filter(|&n| n > 1).map(|n| self.plate(n));
        self.scope.extend(samples);
        let value = self.over_draws(of, t, &law, part, samples);
        self.scope.truncate(self.scope.len() - usize::from(samples.is_some()));
        self.mean_over(&value?, samples.as_slice())
    }

    fn over_draws(&mut self, of: &ChainBound<'m>, t: &Array, law: &Distribution, part: Part, samples: Option<PlateId>) -> Result<Array> {
        let (site, x) = match self.enumerated(law)? {
            Some(enumerated) => enumerated,
            None => {
                let x = self.draw(law)?;
                self.estimated(law, x, of.bound.estimator)?
            }
        };
        let how = match (&site, of.bound.samples) {
            (Site::Enumerated { plate, .. }, _) => format!("exact sum of {} values", self.sizes(&[*plate])[0]),
            (_, Some(n)) if n > 1 => format!("sampled with {n} draws, unbiased"),
            _ => "sampled with 1 draw, unbiased".to_owned(),
        };
        self.note(of.span, format!("E over {}[t]: {how}", self.model.vars[of.forward.var].name));
        let value = self.step_term(of, t, &x, part)?;
        self.close_sites(&[site], samples, value)
    }

    /// In closed form, where q and p are Gaussian with independent elements and their means affine in x[t]: with d(x) the difference
    /// of the means and v the variance of p, the term is −½ Σ d(x)²/v + const, and its expectation over x ~ N(m, s²) that at m
    /// minus ½ Σ (∂d/∂x)² s²/v.
    fn expected_term(&mut self, of: &ChainBound<'m>, t: &Array, law: &Distribution, part: Part) -> Result<Option<Array>> {
        let Some(Family::Normal) = self.gaussian_family(law.dist) else { return Ok(None) };
        if part == Part::Either || of.bound.samples.is_some() {
            return Ok(None);
        }
        let z = self.placeholder(&law.shape, None);
        let model = self.backward_law(of, t, &z, part)?;
        if !matches!(self.gaussian_family(model.dist), Some(Family::Normal)) || self.leads_to(&z, &model.params[1]) {
            return Ok(None);
        }
        let at = self.difference_of_means(of, t, &z, part)?;
        let mut difference = |this: &mut Self, x: &[Array]| this.difference_of_means(of, t, &x[0], part);
        let Ok(mut affine) = self.affine_at(&[z], &at, &mut difference)? else { return Ok(None) };
        let term = self.step_term(of, t, &law.params[0], part)?;
        let Some(slope) = affine.coefficients.remove(0) else { return Ok(Some(term)) };
        let spread = self.mul(&law.params[1], &law.params[1])?;
        let spread = self.vector(&spread, &law.shape);
        let moved = match slope {
            affine::Coefficient::Diagonal(g) => {
                let (g, shape) = (self.vector(&g, &law.shape), law.shape.clone());
                let squared = self.mul(&g, &g)?;
                let moved = self.mul(&squared, &spread)?;
                self.flattened(&moved, &shape)
            }
            affine::Coefficient::Matrix(g) => {
                let squared = self.mul(&g, &g)?;
                let moved = self.matmul(&squared, &spread)?;
                self.flattened(&moved, &law.shape)
            }
        };
        let variance = self.mul(&model.params[1], &model.params[1])?;
        let ratio = self.binary(BinaryOp::Div, &moved, &variance)?;
        let (sum, half) = (self.sum_of_elements(&ratio), self.real(0.5));
        let lost = self.mul(&half, &sum)?;
        self.sub(&term, &lost).map(Some)
    }

    /// The mean of q(x[t-1] | x[t], x[0]), of the first step x[0], minus that of p(x[t-1] | x[t]).
    fn difference_of_means(&mut self, of: &ChainBound<'m>, t: &Array, x: &Array, part: Part) -> Result<Array> {
        let model = self.backward_law(of, t, x, part)?;
        let mean = self.full_mean(&model);
        match part {
            Part::First => self.sub(&of.x0, &mean),
            Part::Later | Part::Either => {
                let before = self.posterior_law(&of.forward, t, x, &of.x0)?;
                let own = self.full_mean(&before);
                self.sub(&own, &mean)
            }
        }
    }

    /// One step, drawn for each row, over the probability with which it is.
    pub(super) fn drawn_step(&mut self, of: &ChainBound<'m>, weights: Option<&Expr>) -> Result<Array> {
        let count = (of.forward.last - of.forward.first) as usize;
        let (t, inverse) = match weights {
            None => (self.uniform_step(of, count)?, self.real(count as f64)),
            Some(weights) => self.weighted_step(of, weights, count)?,
        };
        let how = if weights.is_some() { "by the given weights" } else { "uniformly" };
        self.note(of.span, format!("one of {count} steps drawn {how} for each row, unbiased"));
        let part = if count == 1 { Part::First } else { Part::Either };
        let value = self.over_state(of, &t, part)?;
        self.mul(&inverse, &value)
    }

    fn uniform_step(&mut self, of: &ChainBound<'m>, count: usize) -> Result<Array> {
        let (u, n) = (self.noise(Noise::Uniform, &[])?, self.real(count as f64));
        let scaled = self.mul(&u, &n)?;
        let whole = self.cast(&scaled, DType::Int);
        let (most, first) = (self.int(count as i64 - 1), self.int(of.forward.first + 1));
        let whole = self.binary(BinaryOp::Min, &whole, &most)?;
        self.add(&whole, &first)
    }

    /// A step drawn with probability proportional to its weight, and one over that probability.
    fn weighted_step(&mut self, of: &ChainBound<'m>, weights: &Expr, count: usize) -> Result<(Array, Array)> {
        let weights = self.eval_array(weights)?;
        let weights = self.stop(&weights);
        let (lifted, plates) = self.lift(&weights, 1);
        let total = self.sum_over(&lifted, &plates);
        let probs = self.binary(BinaryOp::Div, &weights, &total)?;
        let cumulated = self.apply(Op::CumSum { axis: probs.plates.len(), reverse: false }, &probs);
        let below = self.lift_onto(&cumulated, &plates);
        let u = self.noise(Noise::Uniform, &[])?;
        let passed = self.compare(CompareOp::Le, &below, &u)?;
        let passed = self.cast(&passed, DType::Int);
        let place = self.sum_over(&passed, &plates);
        let (most, first, one) = (self.int(count as i64 - 1), self.int(of.forward.first + 1), self.real(1.0));
        let place = self.binary(BinaryOp::Min, &place, &most)?;
        let probability = self.entry(&probs, 0, &place)?;
        Ok((self.add(&place, &first)?, self.binary(BinaryOp::Div, &one, &probability)?))
    }
}
