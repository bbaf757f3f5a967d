//! Itô processes with an affine drift: their kernels by the mean and variance equations.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::transition::Transition;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::Process;

impl Lowering<'_> {
    pub(super) fn ito_transition(&mut self, _process: &Process, _from: &Array, _to: &Array) -> Result<Transition> {
        Err(Diagnostic::unsupported("the transition kernel of an Itô process"))
    }
}
