//! Graph to graph: derivatives, simplification, and the runner through which passes run.

pub mod derivative;
pub mod lanes;
pub mod runner;
pub mod simplify;
pub mod splice;
pub mod term;

pub use derivative::{gradient, tangent};
pub use runner::{Pass, optimise, run_passes};
