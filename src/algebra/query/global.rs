//! Questions about a global variable, one value of which all rows of the data share. Such a question is about all rows to train on:
//! each row is one more observation, so that the prior counts once, however many rows there are.

use super::super::lowering::Lowering;
use super::product::{Block, Obstacle};
use super::relation::Question;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Id};
use crate::check::model::{Data, DensityId, VarId};

impl<'m> Lowering<'m> {
    /// `f` with data standing for all rows to train on, if the question is about a global variable.
    pub(super) fn over_rows<T>(&mut self, id: DensityId, question: &Question, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let global = question.targets.iter().chain(&question.latents).copied().find(|&var| self.model.vars[var].global);
        match global {
            Some(global) => {
                self.refuse_one_for_all_rows(id, question, global)?;
                self.with_whole_data(f)
            }
            None => f(self),
        }
    }

    /// The source of a variable's rows, if it stands for them.
    fn source_of_rows(&self, var: VarId) -> Option<Id<Data>> {
        let data = self.model.vars[var].observed.filter(|_| !self.vars.contains_key(&var))?;
        (!self.model.data[data].object).then_some(data)
    }

    /// A value that belongs to one row has no meaning beside all rows; nor has a factor between rows of different sources.
    fn refuse_one_for_all_rows(&self, id: DensityId, question: &Question, global: VarId) -> Result<()> {
        let density = &self.model.densities[id];
        let asked = || question.targets.iter().chain(&question.evidence).chain(&question.rest).copied();
        let is_single =
            |var: VarId| !self.model.vars[var].global && self.model.vars[var].observed.is_none_or(|_| self.vars.contains_key(&var));
        for x in asked().filter(|&var| self.source_of_rows(var).is_some()) {
            if let Some(single) = asked().find(|&var| is_single(var) && density.depends_on(x, var)) {
                let [x, single, global] = [x, single, global].map(|var| self.names(&[var]));
                let message = format!("{single} is one value, and each row of {x} has its own");
                return Err(Diagnostic::new(Code::NoRule, message)
                    .label(question.span, format!("a question about all rows, since they share {global}"))
                    .help(format!("ask given {global}: then each row is a question of its own")));
            }
        }
        let related = asked().chain(question.latents.iter().copied()).filter_map(|var| density.factor_of(var));
        for factor in related {
            let mut sources = factor.targets.iter().chain(&factor.given).filter_map(|&var| Some((var, self.source_of_rows(var)?)));
            let Some((first, source)) = sources.next() else { continue };
            if let Some((other, _)) = sources.find(|(_, other)| *other != source) {
                let message = format!("{} and {} are rows of different data", self.names(&[first]), self.names(&[other]));
                return Err(Diagnostic::new(Code::NoRule, message)
                    .label(factor.span, "which row belongs to which?")
                    .help("declare them together: `data (x : A, y : B) = …`"));
            }
        }
        Ok(())
    }

    /// An integral over a global variable inside which each row has latent variables of its own, `summed` over or in the block, is no
    /// product over rows.
    pub(super) fn refuse_mixed(&self, block: &Block<'m>, summed: &[VarId]) -> Result<()> {
        let is_global = |var: VarId| self.model.vars[var].global;
        let Some(global) = block.latents.iter().copied().find(|&var| is_global(var)) else { return Ok(()) };
        let related: Vec<VarId> = block.factors.iter().flat_map(|f| f.targets.iter().chain(&f.given)).copied().collect();
        let summed = summed.iter().copied().filter(|var| related.contains(var));
        let Some(local) = block.latents.iter().copied().chain(summed).find(|&var| !is_global(var)) else { return Ok(()) };
        let [global, local] = [global, local].map(|var| self.names(&[var]));
        let reason = format!("all rows share {global}, and each row has its own {local}");
        Err(self.no_integral(block, &[Obstacle { span: block.span, reason }]))
    }
}
