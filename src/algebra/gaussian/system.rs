//! Evidence and posterior of noises under observations.
//!
//! Both sides are brought to unit covariance first: with ε = L η, Q = L Lᵀ, and R = U Uᵀ, the observations x = c + G ε + noise become
//!
//! ```text
//! r = U⁻¹ (x − c) = B η + unit noise,  B = U⁻¹ G L
//! ```
//!
//! Nothing is inverted but I + BᵀB or I + BBᵀ, whichever is smaller, and these have no eigenvalue below 1: the information form
//! and the moment form are one by the identities of Woodbury and Sylvester (Rasmussen, Williams: Gaussian processes for machine
//! learning, 2006, equations 3.26, A.9 and A.10). The quadratic form of the evidence is a sum of squares (Bishop 2006, equation 3.82), and
//! a posterior covariance is a sum of Gram matrices, so that it stays positive definite in floating point.

use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use super::affine::Coefficient;
use super::factor::Covariance;
use super::reduced::{Form, Observation, Reduced, Source};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use std::f64::consts::PI;

/// r = B η + unit noise, over one vector of all noises.
struct System {
    /// B, `[m, n]`
    loading: Array,
    /// r
    residual: Array,
    /// Σ log det U
    log_det: Array,
    /// The lower Cholesky factor of I + BᵀB or I + BBᵀ
    factor: Array,
    /// I + BᵀB rather than I + BBᵀ
    information: bool,
    /// m
    observed: usize,
}

/// A vector under the posterior of the noises.
pub struct Moments {
    pub mean: Array,
    /// `[n, n]`
    pub cov: Array,
}

impl Lowering<'_> {
    /// log ∫ of the product of all factors over the noises: the log-density of the observations. `along`: plates over which
    /// observations are repeated, but not the noises.
    pub(in crate::algebra) fn gaussian_evidence(&mut self, reduced: &Reduced, along: &[PlateId]) -> Result<Array> {
        let shape = reduced.observations.first().map(|o| o.form.shape.clone()).unwrap_or_default();
        if reduced.elementwise() && !shape.is_empty() {
            let (single, elements) = self.elements_as_plates(reduced, &shape);
            let log = self.gaussian_evidence(&single, along)?;
            return Ok(self.sum_over(&log, &elements));
        }
        let Some(system) = self.system(reduced, along)? else { return Ok(self.real(0.0)) };
        let quadratic = self.quadratic_form(&system)?;
        let log_det = self.log_det_triangular(&system.factor)?;
        let log_det = self.add(&log_det, &system.log_det)?;
        let half = self.real(0.5);
        let quadratic = self.mul(&half, &quadratic)?;
        let constant = self.real(0.5 * system.observed as f64 * (2.0 * PI).ln());
        let sum = self.add(&quadratic, &log_det)?;
        let sum = self.add(&sum, &constant)?;
        Ok(self.unary(UnaryOp::Neg, &sum))
    }

    /// Mean and covariance of a form, given all observations.
    pub(in crate::algebra) fn gaussian_posterior(&mut self, reduced: &Reduced, form: &Form, along: &[PlateId]) -> Result<Moments> {
        let t = self.whitened_loading(form, &reduced.sources)?;
        let offset = self.vector(&form.offset, &form.shape);
        let Some(system) = self.system(reduced, along)? else {
            let transposed = self.transpose_last(&t);
            return Ok(Moments { mean: offset, cov: self.matmul(&t, &transposed)? });
        };
        let mean = self.noise_mean(&system)?;
        let mean = self.matmul(&t, &mean)?;
        let mean = self.add(&offset, &mean)?;
        Ok(Moments { mean, cov: self.posterior_covariance(&system, &t)? })
    }

    /// rᵀ (I + BBᵀ)⁻¹ r
    fn quadratic_form(&mut self, system: &System) -> Result<Array> {
        if !system.information {
            let whitened = self.solve_triangular(&system.factor, &system.residual, false)?;
            return self.squared_norm(&whitened);
        }
        let mean = self.noise_mean(system)?;
        let fitted = self.matmul(&system.loading, &mean)?;
        let error = self.sub(&system.residual, &fitted)?;
        let (errors, prior) = (self.squared_norm(&error)?, self.squared_norm(&mean)?);
        self.add(&errors, &prior)
    }

    /// E[η | r] = (I + BᵀB)⁻¹ Bᵀ r = Bᵀ (I + BBᵀ)⁻¹ r
    fn noise_mean(&mut self, system: &System) -> Result<Array> {
        if system.information {
            let projected = self.transposed_product(&system.loading, &system.residual)?;
            return self.solve_factored(&system.factor, &projected);
        }
        let weighted = self.solve_factored(&system.factor, &system.residual)?;
        self.transposed_product(&system.loading, &weighted)
    }

    /// T cov[η | r] Tᵀ: with cov = (I + BᵀB)⁻¹, or (I − KB)(I − KB)ᵀ + KKᵀ with the gain K = Bᵀ (I + BBᵀ)⁻¹.
    fn posterior_covariance(&mut self, system: &System, t: &Array) -> Result<Array> {
        let transposed = self.transpose_last(t);
        if system.information {
            let half = self.solve_triangular(&system.factor, &transposed, false)?;
            return self.transposed_product(&half, &half);
        }
        let loaded = self.matmul(&system.loading, &transposed)?;
        let gain = self.solve_factored(&system.factor, &loaded)?;
        let explained = self.transposed_product(&gain, &system.loading)?;
        let left = self.sub(t, &explained)?;
        let left_transposed = self.transpose_last(&left);
        let unexplained = self.matmul(&left, &left_transposed)?;
        let noise = self.transposed_product(&gain, &gain)?;
        self.add(&unexplained, &noise)
    }

    /// All observations below each other. `None` where nothing is observed.
    fn system(&mut self, reduced: &Reduced, along: &[PlateId]) -> Result<Option<System>> {
        let (mut loadings, mut residuals, mut log_det) = (vec![], vec![], self.real(0.0));
        for observation in &reduced.observations {
            let (loading, residual, log) = self.whitened(observation, &reduced.sources)?;
            let (m, n) = (self.shape(&loading)[0], self.shape(&loading)[1]);
            let varies = |plate: &PlateId| loading.varies_over(*plate) || residual.varies_over(*plate);
            let along: Vec<PlateId> = along.iter().copied().filter(varies).collect();
            let copies: usize = self.sizes(&along).iter().product();
            // Observations along plates that the noises lack are further elements.
            let loading = self.lower_plates(&loading, &along);
            loadings.push(self.flattened(&loading, &[copies * m, n]));
            let residual = self.lower_plates(&residual, &along);
            residuals.push(self.flattened(&residual, &[copies * m]));
            let log = self.sum_over(&log, &along);
            log_det = self.add(&log_det, &log)?;
        }
        if loadings.is_empty() {
            return Ok(None);
        }
        let (loading, residual) = (self.blocks(&loadings, 0), self.blocks(&residuals, 0));
        let (observed, unknown) = (self.shape(&loading)[0], self.shape(&loading)[1]);
        let information = unknown < observed;
        let transposed = self.transpose_last(&loading);
        let gram = if information { self.matmul(&transposed, &loading)? } else { self.matmul(&loading, &transposed)? };
        let identity = self.identity(unknown.min(observed));
        let matrix = self.add(&identity, &gram)?;
        let factor = self.cholesky_factor(&matrix);
        Ok(Some(System { loading, residual, log_det, factor, information, observed }))
    }

    /// U⁻¹ G L, U⁻¹ (x − c) and log det U of one observation.
    fn whitened(&mut self, observation: &Observation, sources: &[Source]) -> Result<(Array, Array, Array)> {
        let shape = &observation.form.shape;
        let m: usize = shape.iter().product();
        let loading = self.whitened_loading(&observation.form, sources)?;
        let residual = self.sub(&observation.value, &observation.form.offset)?;
        let residual = self.vector(&residual, shape);
        match &observation.covariance {
            Covariance::Diagonal(std) => {
                let std = self.diagonal_vector(std, m);
                let loading = self.divide_rows(&loading, &std)?;
                let residual = self.binary(BinaryOp::Div, &residual, &std)?;
                let logs = self.unary(UnaryOp::Log, &std);
                Ok((loading, residual, self.sum_of_elements(&logs)))
            }
            Covariance::Full(cov) => {
                let u = self.cholesky_factor(cov);
                let loading = self.solve_triangular(&u, &loading, false)?;
                let residual = self.solve_triangular(&u, &residual, false)?;
                Ok((loading, residual, self.log_det_triangular(&u)?))
            }
        }
    }

    /// G L over all noises, `[m, n]`.
    fn whitened_loading(&mut self, form: &Form, sources: &[Source]) -> Result<Array> {
        let m: usize = form.shape.iter().product();
        let mut parts = vec![];
        for (at, source) in sources.iter().enumerate() {
            let n: usize = source.shape.iter().product();
            parts.push(match form.loadings.get(at).and_then(Option::as_ref) {
                Some(g) => self.times_root(g, &source.covariance, m, n)?,
                None => {
                    let node = self.b().fill(0.0, DType::Real, &[m, n]);
                    self.array(node, vec![])
                }
            });
        }
        Ok(self.blocks(&parts, 1))
    }

    /// G L, where L Lᵀ is the covariance.
    fn times_root(&mut self, g: &Coefficient, covariance: &Covariance, m: usize, n: usize) -> Result<Array> {
        match (covariance, g) {
            (Covariance::Diagonal(std), Coefficient::Diagonal(g)) => {
                let product = self.mul(g, std)?;
                self.dense(&Coefficient::Diagonal(product), m, n)
            }
            (Covariance::Diagonal(std), Coefficient::Matrix(g)) => {
                let std = self.diagonal_vector(std, n);
                self.scale_columns(g, &std)
            }
            (Covariance::Full(cov), Coefficient::Diagonal(g)) => {
                let root = self.cholesky_factor(cov);
                let g = self.diagonal_vector(g, m);
                self.scale_rows(&root, &g)
            }
            (Covariance::Full(cov), Coefficient::Matrix(g)) => {
                let root = self.cholesky_factor(cov);
                self.matmul(g, &root)
            }
        }
    }
}
