//! What a rule about observations sums over: `total(e)`.

use super::lowering::Lowering;
use super::value::{Array, PlateId, Value};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{Expr, FunctionId, LocalId, Place};

/// The observations of a rule: the cells of these plates, each counted by its weight.
#[derive(Clone, Debug)]
pub(super) struct Observations {
    pub plates: Vec<PlateId>,
    /// A scalar in every cell, for instance a responsibility; 1 where absent
    pub weight: Option<Array>,
}

/// Observations together with the arguments that a rule takes for them.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub args: Vec<Value>,
    pub observations: Observations,
}

/// Samples of a rule besides the first, and the names that their arguments take.
#[derive(Clone, Debug, Default)]
pub(super) struct FurtherSamples {
    names: Vec<LocalId>,
    samples: Vec<Sample>,
}

impl Lowering<'_> {
    /// A rule's function, with `total` summing over the observations of all samples.
    pub(super) fn call_over_all(&mut self, function: FunctionId, mut samples: Vec<Sample>) -> Result<Value> {
        if samples.is_empty() {
            return Err(Diagnostic::internal("a rule without observations"));
        }
        let Sample { args, observations } = samples.remove(0);
        let names = self.model.functions[function].params.clone();
        let further = std::mem::replace(&mut self.further_samples, FurtherSamples { names, samples });
        let outer = self.observations.replace(observations);
        let value = self.call(function, args);
        self.observations = outer;
        self.further_samples = further;
        value
    }

    /// The weighted sum over all observations; over other plates, each cell has its own.
    pub(super) fn total(&mut self, of: &Expr) -> Result<Array> {
        let mut sum = self.total_over_one(of)?;
        let FurtherSamples { names, samples } = self.further_samples.clone();
        for Sample { args, observations } in samples {
            let old: Vec<_> = names.iter().zip(args).map(|(name, arg)| self.locals.insert(*name, arg)).collect();
            let first = self.observations.replace(observations);
            let part = self.total_over_one(of);
            self.observations = first;
            for (name, old) in names.iter().zip(old) {
                self.restore(Place::Local(*name), old);
            }
            sum = self.add(&sum, &part?)?;
        }
        Ok(sum)
    }

    fn total_over_one(&mut self, of: &Expr) -> Result<Array> {
        let x = self.eval_array(of)?;
        let observations = self.observations.clone().ok_or_else(|| Diagnostic::internal("`total` outside of a rule"))?;
        let weighted = match &observations.weight {
            Some(weight) => self.mul(&x, weight)?,
            None => x,
        };
        Ok(self.sum_over(&weighted, &observations.plates))
    }
}
