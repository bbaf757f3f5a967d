//! A factor as a Gaussian: a mean that is affine in latent variables, and a covariance without them.

use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::query::Obstacle;
use super::super::value::{Array, Distribution};
use super::affine::{Affine, NotAffine};
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::check::model::{Density, DensityId, DistId, Expr, ExprKind, Factor, FunctionId, Place, VarId};
use crate::check::types::Type;

/// The covariance of a vector.
#[derive(Clone, Debug)]
pub enum Covariance {
    /// Independent elements, by their standard deviations: an array of the variable's shape, or one number for all
    Diagonal(Array),
    /// `[n, n]`, of the variable's elements in row-major order
    Full(Array),
}

/// N(x; Σ Aᵢ zᵢ + b, R)
#[derive(Clone, Debug)]
pub struct GaussianFactor {
    pub target: VarId,
    /// Of one value
    pub shape: Vec<usize>,
    /// The latent variables among those that the factor is given, in the order of `mean.coefficients`
    pub parents: Vec<VarId>,
    pub mean: Affine,
    pub covariance: Covariance,
}

/// A Gaussian member of the library: its mean and its standard deviation or covariance.
pub enum Family {
    Normal,
    MvNormal,
}

impl<'m> Lowering<'m> {
    pub(in crate::algebra) fn gaussian_family(&self, dist: DistId) -> Option<Family> {
        let dist = &self.model.dists[dist];
        let params: Vec<&str> = dist.params.iter().map(|param| self.model.locals[*param].name.as_str()).collect();
        match (dist.name.as_str(), &params[..]) {
            ("Normal", ["mean", "std"]) => Some(Family::Normal),
            ("MvNormal", ["mean", "cov"]) => Some(Family::MvNormal),
            _ => None,
        }
    }

    /// The factor as a Gaussian, with its mean affine in those of `latents` that it is given; or what is in the way.
    pub(in crate::algebra) fn gaussian_factor(
        &mut self,
        id: DensityId,
        factor: &'m Factor,
        latents: &[VarId],
    ) -> Result<std::result::Result<GaussianFactor, Obstacle>> {
        let [target] = factor.targets[..] else {
            return Ok(Err(Obstacle { span: factor.span, reason: "it is a factor of several variables".into() }));
        };
        let parents: Vec<VarId> = factor.given.iter().copied().filter(|var| latents.contains(var)).collect();
        let density = &self.model.densities[id];
        let shapes = parents.iter().map(|&var| Ok(tensor_type(&self.model.vars[var].ty)?.shape)).collect::<Result<Vec<_>>>()?;
        if let Some(&var) = parents.iter().find(|&&var| !self.is_real(var)) {
            return Ok(Err(self.not_real(factor.span, var)));
        }
        let placeholders: Vec<Array> = shapes.iter().map(|shape| self.placeholder(shape, None)).collect();
        let d = self.factor_at(id, factor, &parents, &placeholders)?;
        let Some(family) = self.gaussian_family(d.dist) else { return Ok(Err(self.not_gaussian(density, factor, &d))) };
        let y = self.full_mean(&d);
        let mut mean = |this: &mut Lowering<'m>, values: &[Array]| {
            let d = this.factor_at(id, factor, &parents, values)?;
            Ok(this.full_mean(&d))
        };
        let mean = match self.affine_at(&placeholders, &y, &mut mean)? {
            Ok(mean) => mean,
            Err(found) => return Ok(Err(self.not_linear(density, factor, &parents, &found))),
        };
        if let Some(at) = (0..parents.len()).find(|&at| self.leads_to(&placeholders[at], &d.params[1])) {
            return Ok(Err(self.spread_varies(density, factor, parents[at])));
        }
        let covariance = self.covariance(&d, &family)?;
        Ok(Ok(GaussianFactor { target, shape: d.shape, parents, mean, covariance }))
    }

    /// The distribution of a factor with its parents bound.
    fn factor_at(&mut self, id: DensityId, factor: &'m Factor, parents: &[VarId], values: &[Array]) -> Result<Distribution> {
        let old: Vec<_> = parents.iter().zip(values).map(|(&var, value)| self.bind(Place::Var(var), value.clone())).collect();
        let found = self.factor_distribution(id, factor);
        parents.iter().zip(old).rev().for_each(|(&var, old)| self.restore(Place::Var(var), old));
        found
    }

    /// The mean of a Gaussian over the shape of one value.
    pub(in crate::algebra) fn full_mean(&mut self, d: &Distribution) -> Array {
        let own = self.shape(&d.params[0]).len();
        let axes: Vec<usize> = (d.shape.len() - own..d.shape.len()).collect();
        self.placed(&d.params[0], &d.shape, &axes)
    }

    fn is_real(&self, var: VarId) -> bool {
        matches!(&self.model.vars[var].ty, Type::Array(array) if array.support.is_real())
    }

    pub(in crate::algebra) fn covariance(&mut self, d: &Distribution, family: &Family) -> Result<Covariance> {
        let lean = self.lean(&d.params[1], &[]);
        Ok(match family {
            Family::Normal => Covariance::Diagonal(self.one_if_uniform(&lean)),
            Family::MvNormal => Covariance::Full(self.block_diagonal(&lean, &d.shape)?),
        })
    }

    /// The covariance of all elements of vectors that are independent along leading axes.
    fn block_diagonal(&mut self, cov: &Array, shape: &[usize]) -> Result<Array> {
        let (lead, d) = (shape[..shape.len() - 1].iter().product::<usize>(), shape[shape.len() - 1]);
        if lead == 1 {
            return Ok(self.flattened(cov, &[d, d]));
        }
        // As [member, row, member, column]: zero between different members
        let of_all = self.shape(cov).len() > 2;
        let own = if of_all { self.flattened(cov, &[lead, d, d]) } else { cov.clone() };
        let own_axes: &[usize] = if of_all { &[0, 1, 3] } else { &[1, 3] };
        let covariances = self.placed(&own, &[lead, d, lead, d], own_axes);
        let mask = self.identity(lead);
        let mask = self.placed(&mask, &[lead, d, lead, d], &[0, 2]);
        let masked = self.mul(&covariances, &mask)?;
        Ok(self.flattened(&masked, &[lead * d, lead * d]))
    }

    fn not_real(&self, span: Span, var: VarId) -> Obstacle {
        Obstacle { span, reason: format!("{} is not a real variable", self.model.vars[var].name) }
    }

    fn not_gaussian(&self, density: &Density, factor: &Factor, d: &Distribution) -> Obstacle {
        let (head, family) = (self.head(density, factor), &self.model.dists[d.dist].name);
        Obstacle { span: factor.span, reason: format!("{head} is not Gaussian: it is {family}") }
    }

    fn not_linear(&self, density: &Density, factor: &'m Factor, parents: &[VarId], found: &NotAffine) -> Obstacle {
        let z = parents.get(found.variable).map_or("it", |&var| self.model.vars[var].name.as_str());
        let (through, span) = match self.call_around(&factor.dist, found.span) {
            Some((name, span)) => (format!("`{name}`"), span),
            None => (found.operation.clone(), found.span),
        };
        let reason = format!("{} is not linear-Gaussian in {z}, because it passes through {through}", self.head(density, factor));
        Obstacle { span, reason }
    }

    fn spread_varies(&self, density: &Density, factor: &Factor, var: VarId) -> Obstacle {
        let (head, z) = (self.head(density, factor), &self.model.vars[var].name);
        Obstacle { span: factor.span, reason: format!("{head} is not linear-Gaussian in {z}, because its covariance depends on {z}") }
    }

    /// `p(x | z)`
    pub(in crate::algebra) fn head(&self, density: &Density, factor: &Factor) -> String {
        let (targets, given) = (self.names(&factor.targets), self.names(&factor.given));
        if given.is_empty() { format!("{}({targets})", density.name) } else { format!("{}({targets} | {given})", density.name) }
    }

    /// The outermost call in an expression that leads into the body that holds a place: the function's name, and where it is called.
    pub(in crate::algebra) fn call_around(&self, expr: &'m Expr, place: Span) -> Option<(&'m str, Span)> {
        if let ExprKind::Call(function, _) = &expr.kind
            && self.leads_into(*function, place)
        {
            return Some((&self.model.functions[*function].name, expr.span));
        }
        let mut found = None;
        expr.each_part(&mut |part| found = found.or_else(|| self.call_around(part, place)));
        found
    }

    fn leads_into(&self, function: FunctionId, place: Span) -> bool {
        let body = &self.model.functions[function].body;
        let inside = body.span.file == place.file && body.span.start <= place.start && place.end <= body.span.end;
        inside || self.call_around(body, place).is_some()
    }
}
