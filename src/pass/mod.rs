//! Graph to graph: derivatives.

pub mod derivative;
pub mod splice;
pub mod term;

pub use derivative::{gradient, tangent};
