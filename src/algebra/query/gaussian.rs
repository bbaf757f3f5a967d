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
        match self.gaussian_block(block)? {
            Ok(reduced) => {
                let rows = self.shared_rows(block);
                let log = self.gaussian_evidence(&reduced, &rows)?;
                let log = self.recorded_block(block.density, &block.factors, log, |this| match block.latents[..] {
                    [latent] => Ok(Some((latent, this.moments_of(&reduced, latent, &rows)?))),
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
        let reduced = match self.gaussian_block(block)? {
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
        let rows = self.shared_rows(block);
        let moments = self.moments_of(&single, target, &rows)?;
        self.derive_gaussian_posterior(target, block);
        let names = self.names(&[target]);
        self.note(block.span, format!("{names}: linear-Gaussian, exact"));
        let params = match independent {
            true => self.normal_params(&moments, &elements),
            false => vec![moments.mean, moments.cov],
        };
        Ok(Attempt::Done(Distribution { dist, params, shape }))
    }

    /// A block in terms of independent noises, or what is in the way.
    fn gaussian_block(&mut self, block: &Block<'m>) -> Result<std::result::Result<Reduced, Obstacle>> {
        let found = self.reduced(block.density, &block.factors, &block.latents)?;
        let rows = self.shared_rows(block);
        let Ok(reduced) = &found else { return Ok(found) };
        // Each row has its own value of a local variable, and a block has one of each.
        let of_rows = |array: &Array| rows.iter().any(|&plate| array.varies_over(plate));
        let observed = reduced.observations.iter().filter(|o| of_rows(&o.value) || of_rows(&o.form.offset));
        let mut loaded = observed.flat_map(|o| (0..reduced.latents.len()).filter(|&i| o.form.loadings.get(i).is_some_and(Option::is_some)));
        let local = loaded.find(|&i| !self.model.vars[reduced.latents[i].0].global);
        Ok(match local {
            Some(i) => {
                let global = block.latents.iter().copied().find(|&var| self.model.vars[var].global);
                let (global, local) = (self.names(global.as_slice()), self.names(&[reduced.latents[i].0]));
                Err(Obstacle { span: block.span, reason: format!("all rows share {global}, and each row has its own {local}") })
            }
            None => found,
        })
    }

    /// The plates of rows along which a block with global latent variables is observed: they lack these plates.
    fn shared_rows(&self, block: &Block<'m>) -> Vec<PlateId> {
        let global = block.latents.iter().any(|&var| self.model.vars[var].global);
        if global { self.whole_plates() } else { vec![] }
    }

    fn moments_of(&mut self, reduced: &Reduced, target: VarId, rows: &[PlateId]) -> Result<Moments> {
        let form = reduced.latent(target).ok_or_else(|| crate::base::Diagnostic::internal("a variable outside of its block"))?;
        self.gaussian_posterior(reduced, form, rows)
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
