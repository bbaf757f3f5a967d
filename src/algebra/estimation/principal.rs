//! Probabilistic principal components: p(z) = N(0, I) and p(x | z) = N(W z + μ, σ²), all of W, μ and σ learned.
//!
//! With the q largest eigenvalues Λ of the data's covariance and their eigenvectors U, the likelihood is greatest at W = U (Λ − σ²)^½,
//! where σ² is the mean of the other eigenvalues (Tipping, Bishop: Probabilistic principal component analysis, 1999, equations 7 and 8;
//! of the rotations of W that are as good, the one along the eigenvectors).

use super::super::gaussian::affine::Coefficient;
use super::super::gaussian::factor::{Covariance, Family, GaussianFactor};
use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::value::Array;
use super::Weighted;
use super::rule::stands_in;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::check::model::{ParamId, VarId};
use crate::graph::Op;

/// The learned parameters of such a model.
struct Components {
    loading: ParamId,
    mean: Option<ParamId>,
    scale: ParamId,
    /// What the data is centred on where no mean is learned
    offset: Array,
    /// q
    count: usize,
}

impl<'m> Lowering<'m> {
    pub(super) fn fit_principal_components(&mut self, factors: &[Weighted<'m>], fitted: &mut Vec<(ParamId, Array)>) -> Result<()> {
        for prior in factors.iter().filter(|factor| factor.record.points.is_some() && factor.learned.is_empty()) {
            let latent = prior.record.factor.vars[0];
            let block: Vec<&Weighted<'m>> = factors.iter().filter(|other| other.record.log.node == prior.record.log.node).collect();
            let [observed] = block.iter().copied().filter(|other| !std::ptr::eq(*other, prior)).collect::<Vec<_>>()[..] else { continue };
            if self.is_standard_normal(prior, latent)?
                && let Some(components) = self.components(factors, observed, latent)?
            {
                let found = self.principal_components(observed, &components)?;
                let names: Vec<&str> = found.iter().map(|(id, _)| self.param_name(*id)).collect();
                let text = format!(
                    "{}: probabilistic principal components in closed form (Tipping, Bishop 1999, equations 7 and 8)",
                    names.join(", ")
                );
                self.note(self.span_of(observed), text);
                self.derive_components(observed, components.loading);
                fitted.extend(found);
            }
        }
        Ok(())
    }

    fn is_standard_normal(&mut self, prior: &Weighted<'m>, latent: VarId) -> Result<bool> {
        let Some(found) = self.as_gaussian(prior, latent)? else { return Ok(false) };
        let Covariance::Diagonal(std) = found.covariance else { return Ok(false) };
        let one = self.real(1.0);
        let excess = self.sub(&std, &one)?;
        let nodes = [self.node(&found.mean.offset), self.node(&excess)];
        self.vanish(&nodes)
    }

    fn as_gaussian(&mut self, factor: &Weighted<'m>, latent: VarId) -> Result<Option<GaussianFactor>> {
        let Some((density, of)) = factor.record.factor.of_rows else { return Ok(None) };
        self.replayed(&factor.record, &[], |this, _| Ok(this.gaussian_factor(density, of, &[latent])?.ok()))
    }

    /// The parameters of an observed factor, where it has no others than those of the model.
    fn components(&mut self, factors: &[Weighted<'m>], observed: &Weighted<'m>, latent: VarId) -> Result<Option<Components>> {
        let d = &observed.record.distribution;
        let normal = matches!(self.gaussian_family(d.dist), Some(Family::Normal)) && d.shape.len() == 1;
        let Some(scale) = observed.slots.get(1).and_then(Option::as_ref).map(|slot| slot.param) else { return Ok(None) };
        let shared = observed.learned.iter().any(|&id| stands_in(factors, id) > 1);
        if !normal || shared || !tensor_type(&self.model.params[scale].ty)?.shape.is_empty() {
            return Ok(None);
        }
        let Some(found) = self.as_gaussian(observed, latent)? else { return Ok(None) };
        let [Some(Coefficient::Matrix(slope))] = &found.mean.coefficients[..] else { return Ok(None) };
        let others: Vec<ParamId> = observed.learned.iter().copied().filter(|&id| id != scale).collect();
        let Some(loading) = self.the_param(&others, slope)? else { return Ok(None) };
        let mean = self.the_param(&others, &found.mean.offset)?;
        let known = others.iter().all(|&id| id == loading || Some(id) == mean);
        let count = self.shape(slope)[1];
        let unique = self.model.params[loading].constraint.is_none() && slope.plates.is_empty();
        Ok((known && unique).then_some(Components { loading, mean, scale, offset: found.mean.offset, count }))
    }

    /// Which of some parameters a value is, decided by simplification of the difference.
    fn the_param(&mut self, candidates: &[ParamId], value: &Array) -> Result<Option<ParamId>> {
        for &id in candidates {
            let param = self.param(id)?;
            let shape = self.shape(&param);
            if !value.plates.is_empty() || self.shape(value).iter().product::<usize>() != shape.iter().product::<usize>() {
                continue;
            }
            let (node, param) = (self.node(value), self.node(&param));
            let node = self.b().reshape(node, &shape);
            let difference = self.b().binary(BinaryOp::Sub, node, param);
            if self.vanish(&[difference])? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    fn principal_components(&mut self, observed: &Weighted<'m>, components: &Components) -> Result<Vec<(ParamId, Array)>> {
        let x = observed.record.value.clone();
        let rows = x.plates.clone();
        let (dimensions, count) = (self.shape(&x)[0], components.count);
        if count >= dimensions {
            let message = format!("{count} components of {dimensions} dimensions leave nothing to estimate the noise from");
            return Err(Diagnostic::new(crate::base::Code::NoRule, message)
                .label(self.span_of(observed), "as many dimensions as components")
                .help("use fewer components"));
        }
        let centre = match components.mean {
            Some(_) => self.mean_over(&x, &rows)?,
            None => components.offset.clone(),
        };
        let x = self.sub(&x, &centre)?;
        let table = self.lower_plates(&x, &rows);
        let n: usize = self.sizes(&rows).iter().product();
        let table = self.flattened(&table, &[n, dimensions]);
        let transposed = self.transpose_last(&table);
        let scatter = self.matmul(&transposed, &table)?;
        let total = self.real(n as f64);
        let cov = self.binary(BinaryOp::Div, &scatter, &total)?;
        let (loading, scale) = self.leading_components(&cov, dimensions, count)?;
        let shape = tensor_type(&self.model.params[components.loading].ty)?.shape;
        let loading = self.flattened(&loading, &shape);
        let mut found = vec![(components.loading, loading), (components.scale, scale)];
        found.extend(components.mean.map(|id| (id, centre)));
        Ok(found)
    }

    /// W with the greatest component first, and σ.
    fn leading_components(&mut self, cov: &Array, dimensions: usize, count: usize) -> Result<(Array, Array)> {
        let cov = self.node(cov);
        let b = self.b();
        let both = b.push(Op::SymmetricEigen, &[cov]);
        let both = b.push(Op::Reverse { axes: vec![1] }, &[both]);
        let values = b.slice_axis(both, 0, 0, 1);
        let values = b.reshape(values, &[dimensions]);
        let vectors = b.slice_axis(both, 0, 1, dimensions + 1);
        let rest = b.slice_axis(values, 0, count, dimensions);
        let rest = b.sum(rest, &[0]);
        let left = b.fill((dimensions - count) as f64, DType::Real, &[]);
        let variance = b.div(rest, left);
        let scale = b.unary(UnaryOp::Sqrt, variance);
        let noise = b.spread(variance, &[count]);
        let leading = b.slice_axis(values, 0, 0, count);
        let gain = b.binary(BinaryOp::Sub, leading, noise);
        let gain = b.unary(UnaryOp::Sqrt, gain);
        let gain = b.broadcast(gain, &[dimensions, count], &[1]);
        let vectors = b.slice_axis(vectors, 1, 0, count);
        let loading = b.mul(vectors, gain);
        Ok((self.array(loading, vec![]), self.array(scale, vec![])))
    }
}
