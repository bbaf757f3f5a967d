//! Forward chains of kernels between neighbours.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::transition::Transition;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::DensityId;

impl Lowering<'_> {
    pub(super) fn chain_transition(&mut self, _density: DensityId, _from: &Array, _to: &Array) -> Result<Transition> {
        Err(Diagnostic::unsupported("the kernel of a chain between running times"))
    }
}
