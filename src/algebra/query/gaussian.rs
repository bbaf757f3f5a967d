//! Linear-Gaussian blocks.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::product::{Attempt, Block, Obstacle};
use crate::base::diagnostic::Result;
use crate::check::model::VarId;

impl<'m> Lowering<'m> {
    /// log ∫ of the product of a block's factors, where all of them are linear-Gaussian in its latent variables.
    pub(in crate::algebra) fn gaussian_integral(&mut self, block: &Block<'m>) -> Result<Attempt<Array>> {
        Ok(Attempt::Obstacle(self.not_linear_gaussian(block)))
    }

    /// The distribution of one of a block's latent variables given everything that is bound.
    pub(in crate::algebra) fn gaussian_distribution(&mut self, _target: VarId, block: &Block<'m>) -> Result<Attempt<Distribution>> {
        Ok(Attempt::Obstacle(self.not_linear_gaussian(block)))
    }

    fn not_linear_gaussian(&self, block: &Block<'m>) -> Obstacle {
        Obstacle { span: block.span, reason: format!("{} is not linear-Gaussian", self.names(&block.latents)) }
    }
}
