//! What the steps of a plan took.

use crate::base::Span;
use std::time::Duration;

/// One step of a plan while it was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// `product 100 × 784 × 500`, `loop 100 × 500: tanh`
    pub name: String,
    /// How many loops and branches stand around it
    pub depth: usize,
    /// The source expressions whose values it computes
    pub spans: Vec<Span>,
    pub runs: u64,
    /// Of all runs together, without the steps inside of it; of all threads together where they share it
    pub time: Duration,
    /// Bytes read and written by a run, each array once
    pub bytes: f64,
    /// Floating-point operations of a run
    pub operations: f64,
    /// What of it is computed one element at a time
    pub scalar: Vec<String>,
}
