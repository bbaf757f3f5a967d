//! Conjugate pairs, from `rule` declarations.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::product::{Attempt, Block, Obstacle};
use crate::base::diagnostic::Result;
use crate::check::model::VarId;

impl<'m> Lowering<'m> {
    /// log ∫ of the product of a block's factors, where its latent variable is conjugate to all that depends on it.
    pub(in crate::algebra) fn conjugate_integral(&mut self, block: &Block<'m>) -> Result<Attempt<Array>> {
        Ok(Attempt::Obstacle(self.not_conjugate(block)))
    }

    /// The distribution of one of a block's latent variables given everything that is bound: a posterior or a predictive.
    pub(in crate::algebra) fn conjugate_distribution(&mut self, _target: VarId, block: &Block<'m>) -> Result<Attempt<Distribution>> {
        Ok(Attempt::Obstacle(self.not_conjugate(block)))
    }

    fn not_conjugate(&self, block: &Block<'m>) -> Obstacle {
        Obstacle { span: block.span, reason: format!("no conjugate pair is known for {}", self.names(&block.latents)) }
    }
}
