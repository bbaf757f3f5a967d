//! Independent normal elements as one vector with a diagonal covariance, where the other side of a divergence has a full one.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::factor::Family;
use crate::base::diagnostic::Result;
use crate::check::model::DistId;
use crate::check::types::Type;

impl Lowering<'_> {
    /// `Normal` over a vector as `MvNormal`, which the program must have an instance of. `None` for all others.
    pub(in crate::algebra) fn with_full_covariance(&mut self, d: &Distribution) -> Result<Option<Distribution>> {
        let (&[n], Some(Family::Normal)) = (&d.shape[..], self.gaussian_family(d.dist)) else { return Ok(None) };
        let Some(dist) = self.gaussian_instance(&d.shape) else { return Ok(None) };
        let mean = self.vector(&d.params[0], &[n]);
        let var = self.mul(&d.params[1], &d.params[1])?;
        let var = self.vector(&var, &[n]);
        let identity = self.identity(n);
        let cov: Array = self.scale_columns(&identity, &var)?;
        Ok(Some(Distribution { dist, params: vec![mean, cov], shape: d.shape.clone() }))
    }

    /// Both sides of a divergence in one family, where one is Gaussian with independent elements and the other one in general.
    pub(in crate::algebra) fn of_one_family(&mut self, a: &Distribution, b: &Distribution) -> Result<(Distribution, Distribution)> {
        let full = |this: &Self, d: &Distribution| matches!(this.gaussian_family(d.dist), Some(Family::MvNormal));
        let (a_full, b_full) = (full(self, a), full(self, b));
        let a = if b_full && !a_full { self.with_full_covariance(a)?.unwrap_or(a.clone()) } else { a.clone() };
        let b = if a_full && !b_full { self.with_full_covariance(b)?.unwrap_or(b.clone()) } else { b.clone() };
        Ok((a, b))
    }

    /// The Gaussian of the library over events of a shape.
    pub(in crate::algebra) fn gaussian_instance(&self, event: &[usize]) -> Option<DistId> {
        let fits = |id: DistId| {
            let Type::Array(of) = &self.model.dists[id].event else { return false };
            let sizes: Option<Vec<usize>> = of.shape.iter().map(|size| size.known()).collect();
            self.gaussian_family(id).is_some() && sizes.as_deref() == Some(event)
        };
        self.model.dists.ids().find(|&id| fits(id))
    }
}
