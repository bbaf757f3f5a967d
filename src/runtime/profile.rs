//! What the steps of a `train` block took, kernel by kernel.

use crate::backend::Measured;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Profile {
    /// Which `train` block
    pub block: usize,
    /// Training steps that were measured
    pub steps: u64,
    /// Of all of them, with what happens between the kernels
    pub elapsed: Duration,
    pub kernels: Vec<Measured>,
}
