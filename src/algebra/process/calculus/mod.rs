//! Symbolic integration of functions of time.

mod difference;
mod evaluate;
mod formula;
mod function;
mod integral;
mod number;
mod of_graph;
mod polynomial;
mod rational;
mod solution;
mod substitution;
mod sum;
mod to_graph;
mod trigonometric;

pub use evaluate::Point;
pub use integral::Integrator;
pub use number::Number;
pub use of_graph::{Reader, collect_atoms};
pub use solution::Linear;
pub use sum::{Sum, Variable};
pub use to_graph::Scope;

#[cfg(test)]
mod tests;
