//! What a factor leaves while a log-density is lowered, for the M-step.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use crate::check::model::{DensityId, Factor, VarId};
use std::collections::HashMap;

/// A factor of a log-density, with the values that its variables had.
pub struct Record<'m> {
    pub density: DensityId,
    pub factor: &'m Factor,
    pub distribution: Distribution,
    pub vars: HashMap<VarId, Array>,
    /// The value of the factor's variable
    pub value: Array,
    /// The log-density of the value, as a node of its own
    pub log: Array,
}

impl<'m> Lowering<'m> {
    /// The log-density of a factor, which is recorded where an estimate is being made.
    pub(in crate::algebra) fn recorded(
        &mut self,
        density: DensityId,
        factor: &'m Factor,
        distribution: &Distribution,
        value: &Array,
        log: Array,
    ) -> Array {
        if self.records.is_none() || self.frozen || self.model.densities[density].frozen {
            return log;
        }
        let node = self.node(&log);
        let node = self.b().distinct(node);
        let log = self.array(node, log.plates);
        let (distribution, value, vars) = (distribution.clone(), value.clone(), self.vars.clone());
        if let Some(records) = &mut self.records {
            records.push(Record { density, factor, distribution, vars, value, log: log.clone() });
        }
        log
    }
}
