//! Linear-Gaussian blocks: evidence and posteriors by [`crate::algebra::gaussian`].

use super::super::gaussian::reduced::Reduced;
use super::super::gaussian::system::Moments;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, PlateId};
use super::product::{Attempt, Block, Obstacle};
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::check::model::VarId;

impl<'m> Lowering<'m> {
    /// log ∫ of the product of a block's factors, where all of them are linear-Gaussian in its latent variables.
    pub(in crate::algebra) fn gaussian_integral(&mut self, block: &Block<'m>) -> Result<Attempt<Array>> {
        match self.reduced(block.density, &block.factors, &block.latents)? {
            Ok(reduced) => {
                let log = self.gaussian_evidence(&reduced, &[])?;
                let log = self.recorded_block(block.density, &block.factors, log, |this| match block.latents[..] {
                    [latent] => Ok(Some((latent, this.moments_of(&reduced, latent)?))),
                    _ => Ok(None),
                })?;
                self.derive_gaussian_evidence(block);
                let names = self.names(&block.latents);
                self.note(block.span, format!("{names} integrated out: linear-Gaussian, exact"));
                Ok(Attempt::Done(log))
            }
            Err(obstacle) => Ok(Attempt::Obstacle(obstacle)),
        }
    }

    /// The distribution of one of a block's latent variables given everything that is bound.
    pub(in crate::algebra) fn gaussian_distribution(&mut self, target: VarId, block: &Block<'m>) -> Result<Attempt<Distribution>> {
        let reduced = match self.reduced(block.density, &block.factors, &block.latents)? {
            Ok(reduced) => reduced,
            Err(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let Some(form) = reduced.latent(target) else { return Ok(Attempt::Obstacle(self.no_gaussian(target, block))) };
        let shape = form.shape.clone();
        let (single, elements) = match reduced.elementwise() {
            true => self.elements_as_plates(&reduced, &shape),
            false => (reduced.clone(), vec![]),
        };
        // `Normal` of independent elements, otherwise `MvNormal` of a vector
        let independent = reduced.elementwise() || shape.is_empty();
        let Some(dist) = self.gaussian_instance(if independent { &[] } else { &shape }) else {
            return Ok(Attempt::Obstacle(self.no_gaussian(target, block)));
        };
        let moments = self.moments_of(&single, target)?;
        self.derive_gaussian_posterior(target, block);
        let names = self.names(&[target]);
        self.note(block.span, format!("{names}: linear-Gaussian, exact"));
        let params = match independent {
            true => self.normal_params(&moments, &elements),
            false => vec![moments.mean, moments.cov],
        };
        Ok(Attempt::Done(Distribution { dist, params, shape }))
    }

    fn moments_of(&mut self, reduced: &Reduced, target: VarId) -> Result<Moments> {
        let form = reduced.latent(target).ok_or_else(|| crate::base::Diagnostic::internal("a variable outside of its block"))?;
        self.gaussian_posterior(reduced, form, &[])
    }

    /// Mean and standard deviation of single numbers, their plates of elements as axes again.
    fn normal_params(&mut self, moments: &Moments, elements: &[PlateId]) -> Vec<Array> {
        let mean = self.flattened(&moments.mean, &[]);
        let var = self.flattened(&moments.cov, &[]);
        let std = self.unary(UnaryOp::Sqrt, &var);
        [mean, std].iter().map(|x| self.lower_plates(x, elements)).collect()
    }

    fn no_gaussian(&self, target: VarId, block: &Block<'m>) -> Obstacle {
        let name = &self.model.vars[target].name;
        Obstacle { span: block.span, reason: format!("{name} is Gaussian with correlated elements, and it is not a vector") }
    }
}
