//! The law of one state given an earlier one.

use super::super::value::Array;
use super::coefficient::Coefficient;

/// x(t) = signal · x(s) + shift + noise of covariance var.
#[derive(Clone, Debug)]
pub struct Transition {
    pub signal: Coefficient,
    /// Of the shape of the state; none where it is zero
    pub shift: Option<Array>,
    pub var: Coefficient,
}

impl Transition {
    /// Signal, variance, then the shift.
    pub fn arrays(&self) -> Vec<Array> {
        [self.signal.array(), self.var.array()].into_iter().chain(&self.shift).cloned().collect()
    }

    /// The same with every array replaced, in the order of [`Transition::arrays`].
    pub fn map(&self, mut f: impl FnMut(&Array) -> Array) -> Transition {
        let (signal, var) = (f(self.signal.array()), f(self.var.array()));
        Transition { signal: self.signal.with(signal), var: self.var.with(var), shift: self.shift.as_ref().map(f) }
    }

    pub fn has_matrix(&self) -> bool {
        self.signal.is_matrix() || self.var.is_matrix()
    }
}
