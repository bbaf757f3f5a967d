//! The state of a Kalman filter: means and covariances of the latent members that later factors mention; prediction and update.
//!
//! Equations after Särkkä: Bayesian filtering and smoothing, 2013, theorem 4.2, for a state that is made of blocks. The covariance is
//! updated in the form of Joseph, which stays positive definite in single precision.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::linear::{Entry, LinearPart};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType};
use std::collections::BTreeMap;
use std::f64::consts::PI;

#[derive(Clone, Default)]
pub(super) struct Moments {
    pub means: BTreeMap<Entry, Array>,
    /// For each pair in order; the other order is the transpose
    pub covs: BTreeMap<(Entry, Entry), Array>,
}

/// What leaves a Gaussian density as it is, and whose derivatives are the moments of one latent member: log-factors
/// J·z and −½ (z − c)ᵀ Λ (z − c), both zero.
#[derive(Clone)]
pub(super) struct Tilt {
    pub linear: Array,
    /// Λ and c
    pub quadratic: Option<(Array, Array)>,
}

impl Moments {
    pub fn entries(&self) -> Vec<Entry> {
        self.means.keys().copied().collect()
    }

    /// One step later.
    pub fn aged(self) -> Moments {
        let older = |(var, lag): Entry| (var, lag + 1);
        Moments {
            means: self.means.into_iter().map(|(entry, mean)| (older(entry), mean)).collect(),
            covs: self.covs.into_iter().map(|((a, b), cov)| ((older(a), older(b)), cov)).collect(),
        }
    }

    pub fn keep(&mut self, wanted: impl Fn(&Entry) -> bool) {
        self.means.retain(|entry, _| wanted(entry));
        self.covs.retain(|(a, b), _| wanted(a) && wanted(b));
    }

    /// Means, then covariances.
    pub fn arrays(&self) -> Vec<Array> {
        self.means.values().chain(self.covs.values()).cloned().collect()
    }

    /// The same entries with other arrays, in the order of [`Moments::arrays`].
    pub fn with(&self, mut arrays: impl Iterator<Item = Array>) -> Moments {
        Moments { means: self.means.keys().copied().zip(arrays.by_ref()).collect(), covs: self.covs.keys().copied().zip(arrays).collect() }
    }
}

/// An affine function of the state: its mean, its covariance with each entry, and its own.
struct Image {
    mean: Array,
    cross: BTreeMap<Entry, Array>,
    cov: Array,
}

impl Lowering<'_> {
    /// A B, of numbers or of matrices.
    fn times(&mut self, a: &Array, b: &Array) -> Result<Array> {
        if self.shape(a).is_empty() || self.shape(b).is_empty() { self.mul(a, b) } else { self.matmul(a, b) }
    }

    fn covariance_between(&mut self, state: &Moments, a: Entry, b: Entry) -> Result<Array> {
        if let Some(cov) = state.covs.get(&(a, b)) {
            return Ok(cov.clone());
        }
        let cov = state.covs.get(&(b, a)).cloned().ok_or_else(|| Diagnostic::internal("no covariance of two latent members"))?;
        Ok(self.transpose_last(&cov))
    }

    /// Mean and covariances of A s + b + noise.
    fn affine_image(&mut self, state: &Moments, part: &LinearPart) -> Result<Image> {
        let mut image = Image { mean: part.offset.clone(), cross: BTreeMap::new(), cov: part.noise.clone() };
        for (entry, a) in part.parents.iter().zip(&part.coefficients) {
            let mean = state.means.get(entry).cloned().ok_or_else(|| Diagnostic::internal("a latent member without moments"))?;
            let moved = self.times(a, &mean)?;
            image.mean = self.add(&image.mean, &moved)?;
            for other in state.entries() {
                let cov = self.covariance_between(state, *entry, other)?;
                let moved = self.times(a, &cov)?;
                let sum = match image.cross.remove(&other) {
                    Some(sofar) => self.add(&sofar, &moved)?,
                    None => moved,
                };
                image.cross.insert(other, sum);
            }
        }
        for (entry, a) in part.parents.iter().zip(&part.coefficients) {
            let transposed = self.transpose_last(a);
            let own = self.times(&image.cross[entry], &transposed)?;
            image.cov = self.add(&image.cov, &own)?;
        }
        Ok(image)
    }

    /// Prediction: the state with one more latent member.
    pub(super) fn predict(&mut self, state: &mut Moments, part: &LinearPart) -> Result<()> {
        let image = self.affine_image(state, part)?;
        for entry in state.entries() {
            let cov = match image.cross.get(&entry) {
                Some(cov) => cov.clone(),
                None => self.uncorrelated(state, entry, &image.mean)?,
            };
            state.covs.insert((part.target, entry), cov);
        }
        state.covs.insert((part.target, part.target), image.cov);
        state.means.insert(part.target, image.mean);
        Ok(())
    }

    /// Zeros: of a new member that starts afresh, with an earlier one.
    fn uncorrelated(&mut self, state: &Moments, entry: Entry, new: &Array) -> Result<Array> {
        let shape = [self.shape(new), self.shape(&state.means[&entry])].concat();
        let node = self.b().fill(0.0, DType::Real, &shape);
        Ok(self.array(node, vec![]))
    }

    /// Update by an observed member; returns its log-density given the past, −½ (log |2π S| + rᵀ S⁻¹ r).
    pub(super) fn update(&mut self, state: &mut Moments, part: &LinearPart) -> Result<Array> {
        let Some(value) = &part.value else { return Err(Diagnostic::internal("an observed member without a value")) };
        let image = self.affine_image(state, part)?;
        let residual = self.sub(value, &image.mean)?;
        let factor = self.cholesky_factor(&image.cov);
        let entries = state.entries();
        let mut gains: BTreeMap<Entry, Array> = BTreeMap::new();
        for (entry, cross) in &image.cross {
            let solved = self.solved(&factor, cross)?;
            gains.insert(*entry, self.transpose_last(&solved));
        }
        // P − G C, then its other side, and G R Gᵀ
        let old = state.clone();
        let mut half: BTreeMap<(Entry, Entry), Array> = BTreeMap::new();
        for &a in entries.iter().filter(|a| gains.contains_key(a)) {
            for &b in &entries {
                let known = self.times(&gains[&a], &image.cross[&b])?;
                let cov = self.covariance_between(&old, a, b)?;
                half.insert((a, b), self.sub(&cov, &known)?);
            }
        }
        for ((a, b), cov) in &mut state.covs {
            *cov = self.joseph(part, &gains, &half, *a, *b)?;
        }
        for (entry, mean) in &mut state.means {
            let moved = self.times(&gains[entry], &residual)?;
            *mean = self.add(mean, &moved)?;
        }
        self.log_innovation(&factor, &residual)
    }

    /// One block of (I − G H) P (I − G H)ᵀ + G R Gᵀ.
    fn joseph(
        &mut self,
        part: &LinearPart,
        gains: &BTreeMap<Entry, Array>,
        half: &BTreeMap<(Entry, Entry), Array>,
        a: Entry,
        b: Entry,
    ) -> Result<Array> {
        let gain_b = self.transpose_last(&gains[&b]);
        let mut block = half[&(a, b)].clone();
        for (entry, h) in part.parents.iter().zip(&part.coefficients) {
            let transposed = self.transpose_last(h);
            let seen = self.times(&half[&(a, *entry)], &transposed)?;
            let seen = self.times(&seen, &gain_b)?;
            block = self.sub(&block, &seen)?;
        }
        let noise = self.times(&gains[&a], &part.noise)?;
        let noise = self.times(&noise, &gain_b)?;
        self.add(&block, &noise)
    }

    /// (L Lᵀ)⁻¹ b
    fn solved(&mut self, factor: &Array, b: &Array) -> Result<Array> {
        if self.shape(factor).is_empty() {
            let once = self.binary(BinaryOp::Div, b, factor)?;
            return self.binary(BinaryOp::Div, &once, factor);
        }
        self.solve_factored(factor, b)
    }

    fn log_innovation(&mut self, factor: &Array, residual: &Array) -> Result<Array> {
        let log_det = self.log_det_triangular(factor)?;
        let (squares, count) = if self.shape(factor).is_empty() {
            let unit = self.binary(BinaryOp::Div, residual, factor)?;
            (self.mul(&unit, &unit)?, 1)
        } else {
            let unit = self.solve_triangular(factor, residual, false)?;
            (self.squared_norm(&unit)?, self.count(residual))
        };
        let (half, constant) = (self.real(-0.5), self.real(-0.5 * count as f64 * (2.0 * PI).ln()));
        let quadratic = self.mul(&half, &squares)?;
        let log = self.sub(&quadratic, &log_det)?;
        self.add(&log, &constant)
    }

    /// The state after the tilt of one latent member; returns the logarithm of the normaliser. At J = 0 and Λ = 0 nothing changes, and
    /// first derivatives are exact.
    pub(super) fn tilt(&mut self, state: &mut Moments, entry: Entry, tilt: &Tilt) -> Result<Array> {
        let mean = state.means[&entry].clone();
        let cov = self.covariance_between(state, entry, entry)?;
        let product = self.mul(&tilt.linear, &mean)?;
        let mut log = self.sum_of_elements(&product);
        let mut force = tilt.linear.clone();
        if let Some((precision, centre)) = &tilt.quadratic {
            let away = self.sub(&mean, centre)?;
            let pull = self.times(precision, &away)?;
            force = self.sub(&force, &pull)?;
            let (bend, spread) = (self.mul(&away, &pull)?, self.mul(precision, &cov)?);
            let (bend, spread) = (self.sum_of_elements(&bend), self.sum_of_elements(&spread));
            let (both, half) = (self.add(&bend, &spread)?, self.real(-0.5));
            let both = self.mul(&half, &both)?;
            log = self.add(&log, &both)?;
        }
        let old = state.clone();
        for (other, mean) in &mut state.means {
            let cross = self.covariance_between(&old, *other, entry)?;
            let moved = self.times(&cross, &force)?;
            *mean = self.add(mean, &moved)?;
        }
        if let Some((precision, _)) = &tilt.quadratic {
            for ((a, b), cov) in &mut state.covs {
                let (left, right) = (self.covariance_between(&old, *a, entry)?, self.covariance_between(&old, entry, *b)?);
                let pulled = self.times(&left, precision)?;
                let pulled = self.times(&pulled, &right)?;
                *cov = self.sub(cov, &pulled)?;
            }
        }
        Ok(log)
    }
}
