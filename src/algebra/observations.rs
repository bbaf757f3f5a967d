//! What a rule about observations sums over: `total(e)`.

use super::lowering::Lowering;
use super::value::{Array, PlateId, Value};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::FunctionId;

/// The observations of a rule: the cells of these plates, each counted by its weight.
#[derive(Clone, Debug)]
pub(super) struct Observations {
    pub plates: Vec<PlateId>,
    /// A scalar in every cell, for instance a responsibility; 1 where absent
    pub weight: Option<Array>,
}

impl Lowering<'_> {
    /// A rule's function, with `total` summing over these observations.
    pub(super) fn call_over(&mut self, function: FunctionId, args: Vec<Value>, observations: Observations) -> Result<Value> {
        let outer = self.observations.replace(observations);
        let value = self.call(function, args);
        self.observations = outer;
        value
    }

    /// The weighted sum over all observations; over other plates, each cell has its own.
    pub(super) fn total(&mut self, x: &Array) -> Result<Array> {
        let observations = self.observations.clone().ok_or_else(|| Diagnostic::internal("`total` outside of a rule"))?;
        let weighted = match &observations.weight {
            Some(weight) => self.mul(x, weight)?,
            None => x.clone(),
        };
        Ok(self.sum_over(&weighted, &observations.plates))
    }
}
