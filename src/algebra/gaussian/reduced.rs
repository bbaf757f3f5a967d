//! The reduced form: variables that are given each other, parents first, as affine functions of independent noises. A latent
//! variable z | y = N(A y + b, Q) is A y + b plus a noise of its own, so that substitution makes every variable c + Σ Gᵢ εᵢ.

use super::super::lowering::Lowering;
use super::super::query::Obstacle;
use super::super::value::{Array, PlateId};
use super::affine::Coefficient;
use super::factor::{Covariance, GaussianFactor};
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Factor, VarId};

/// c + Σ Gᵢ εᵢ
#[derive(Clone, Debug)]
pub struct Form {
    pub shape: Vec<usize>,
    pub offset: Array,
    /// By the number of the noise
    pub loadings: Vec<Option<Coefficient>>,
}

/// The independent noise of one latent variable: its shape and its covariance.
#[derive(Clone, Debug)]
pub struct Source {
    pub shape: Vec<usize>,
    pub covariance: Covariance,
}

/// What is observed of the noises: `value` = form + noise.
#[derive(Clone, Debug)]
pub struct Observation {
    pub form: Form,
    pub covariance: Covariance,
    pub value: Array,
}

/// Latent variables and observations in terms of independent noises.
#[derive(Clone, Debug, Default)]
pub struct Reduced {
    pub sources: Vec<Source>,
    pub latents: Vec<(VarId, Form)>,
    pub observations: Vec<Observation>,
}

impl Reduced {
    pub fn latent(&self, var: VarId) -> Option<&Form> {
        self.latents.iter().find(|(known, _)| *known == var).map(|(_, form)| form)
    }

    /// Whether all variables have one shape and element i of each depends on elements i of the others alone.
    pub fn elementwise(&self) -> bool {
        let forms: Vec<&Form> = self.latents.iter().map(|(_, form)| form).chain(self.observations.iter().map(|o| &o.form)).collect();
        let diagonal = |form: &Form| form.loadings.iter().flatten().all(|g| matches!(g, Coefficient::Diagonal(_)));
        let independent = |c: &Covariance| matches!(c, Covariance::Diagonal(_));
        forms.iter().all(|form| form.shape == forms[0].shape && diagonal(form))
            && self.sources.iter().all(|source| independent(&source.covariance))
            && self.observations.iter().all(|observation| independent(&observation.covariance))
    }

    /// The same with every array replaced.
    pub fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> Reduced {
        let sources = self.sources.iter().map(|source| Source { shape: source.shape.clone(), covariance: source.covariance.map(f) });
        let sources = sources.collect();
        let latents = self.latents.iter().map(|(var, form)| (*var, form.map(f))).collect();
        let observations =
            self.observations.iter().map(|o| Observation { form: o.form.map(f), covariance: o.covariance.map(f), value: f(&o.value) });
        Reduced { sources, latents, observations: observations.collect() }
    }
}

impl Form {
    fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> Form {
        let loadings = self.loadings.iter().map(|g| g.as_ref().map(|g| g.map(f))).collect();
        Form { shape: self.shape.clone(), offset: f(&self.offset), loadings }
    }
}

impl Coefficient {
    fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> Coefficient {
        match self {
            Coefficient::Diagonal(d) => Coefficient::Diagonal(f(d)),
            Coefficient::Matrix(m) => Coefficient::Matrix(f(m)),
        }
    }
}

impl Covariance {
    fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> Covariance {
        match self {
            Covariance::Diagonal(d) => Covariance::Diagonal(f(d)),
            Covariance::Full(m) => Covariance::Full(f(m)),
        }
    }
}

impl<'m> Lowering<'m> {
    /// The reduced form of the factors of a block, or what is in the way. Factors stand parents first.
    pub(in crate::algebra) fn reduced(
        &mut self,
        id: DensityId,
        factors: &[&'m Factor],
        latents: &[VarId],
    ) -> Result<std::result::Result<Reduced, Obstacle>> {
        let mut gaussians = vec![];
        for factor in factors {
            match self.gaussian_factor(id, factor, latents)? {
                Ok(gaussian) => gaussians.push(gaussian),
                Err(obstacle) => return Ok(Err(obstacle)),
            }
        }
        let mut reduced = Reduced::default();
        for gaussian in gaussians {
            let mut form = self.substituted_form(&reduced, &gaussian)?;
            if !latents.contains(&gaussian.target) {
                let value = self.variable(gaussian.target)?;
                reduced.observations.push(Observation { form, covariance: gaussian.covariance, value });
                continue;
            }
            let one = self.real(1.0);
            form.loadings.push(Some(Coefficient::Diagonal(one)));
            reduced.sources.push(Source { shape: gaussian.shape, covariance: gaussian.covariance });
            reduced.latents.push((gaussian.target, form));
        }
        Ok(Ok(reduced))
    }

    /// The mean of a factor with its parents replaced by their forms.
    fn substituted_form(&mut self, reduced: &Reduced, gaussian: &GaussianFactor) -> Result<Form> {
        let mut form =
            Form { shape: gaussian.shape.clone(), offset: gaussian.mean.offset.clone(), loadings: vec![None; reduced.sources.len()] };
        for (&parent, a) in gaussian.parents.iter().zip(&gaussian.mean.coefficients) {
            let (Some(a), Some(inner)) = (a, reduced.latent(parent)) else { continue };
            let moved = self.apply_coefficient(a, &inner.offset, &inner.shape, &form.shape)?;
            form.offset = self.add(&form.offset, &moved)?;
            for (at, g) in inner.loadings.iter().enumerate() {
                let Some(g) = g else { continue };
                let product = self.compose(a, g)?;
                let old = form.loadings[at].take();
                let shape = reduced.sources[at].shape.clone();
                form.loadings[at] = Some(self.add_coefficients(old, product, &form.shape, &shape)?);
            }
        }
        Ok(form)
    }

    /// A v, of the shape of the function.
    fn apply_coefficient(&mut self, a: &Coefficient, v: &Array, from: &[usize], to: &[usize]) -> Result<Array> {
        match a {
            Coefficient::Diagonal(d) => self.mul(d, v),
            Coefficient::Matrix(m) => {
                let v = self.vector(v, from);
                let product = self.matmul(m, &v)?;
                Ok(self.flattened(&product, to))
            }
        }
    }

    /// The product of two coefficients.
    fn compose(&mut self, a: &Coefficient, b: &Coefficient) -> Result<Coefficient> {
        Ok(match (a, b) {
            (Coefficient::Diagonal(a), Coefficient::Diagonal(b)) => Coefficient::Diagonal(self.mul(a, b)?),
            (Coefficient::Matrix(a), Coefficient::Matrix(b)) => Coefficient::Matrix(self.matmul(a, b)?),
            (Coefficient::Matrix(a), Coefficient::Diagonal(b)) => {
                let columns = self.shape(a)[1];
                let b = self.diagonal_vector(b, columns);
                Coefficient::Matrix(self.scale_columns(a, &b)?)
            }
            (Coefficient::Diagonal(a), Coefficient::Matrix(b)) => {
                let rows = self.shape(b)[0];
                let a = self.diagonal_vector(a, rows);
                Coefficient::Matrix(self.scale_rows(b, &a)?)
            }
        })
    }

    fn add_coefficients(&mut self, a: Option<Coefficient>, b: Coefficient, to: &[usize], from: &[usize]) -> Result<Coefficient> {
        let Some(a) = a else { return Ok(b) };
        if let (Coefficient::Diagonal(a), Coefficient::Diagonal(b)) = (&a, &b) {
            return Ok(Coefficient::Diagonal(self.add(a, b)?));
        }
        let (m, n) = (to.iter().product(), from.iter().product());
        let (a, b) = (self.dense(&a, m, n)?, self.dense(&b, m, n)?);
        Ok(Coefficient::Matrix(self.add(&a, &b)?))
    }

    /// A coefficient as an m × n matrix.
    pub(super) fn dense(&mut self, g: &Coefficient, m: usize, n: usize) -> Result<Array> {
        match g {
            Coefficient::Matrix(g) => Ok(self.flattened(g, &[m, n])),
            Coefficient::Diagonal(d) => {
                let d = self.diagonal_vector(d, n);
                self.diagonal_matrix(&d)
            }
        }
    }

    /// The n numbers of a diagonal, or of one number for all.
    pub(super) fn diagonal_vector(&mut self, d: &Array, n: usize) -> Array {
        if self.shape(d).is_empty() { self.vector(d, &[n]) } else { self.flattened(d, &[n]) }
    }

    /// Elements become plates: in each of their cells, all variables are single numbers.
    pub(in crate::algebra) fn elements_as_plates(&mut self, reduced: &Reduced, shape: &[usize]) -> (Reduced, Vec<PlateId>) {
        let plates: Vec<PlateId> = shape.iter().map(|&size| self.plate(size)).collect();
        let mut lifted = reduced.map(&mut |x| if self.shape(x).is_empty() { x.clone() } else { self.lift_onto(x, &plates) });
        lifted.sources.iter_mut().for_each(|source| source.shape.clear());
        lifted.latents.iter_mut().for_each(|(_, form)| form.shape.clear());
        lifted.observations.iter_mut().for_each(|observation| observation.form.shape.clear());
        (lifted, plates)
    }
}
