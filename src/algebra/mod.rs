//! Checked program -> graphs: plates, densities, expectations, divergences, derivatives, loops.

mod control;
mod derivative;
mod distribution;
mod expectation;
mod expr;
mod fold;
mod frame;
mod leaves;
mod lowering;
mod query;
mod subscript;
mod value;

pub use leaves::tensor_type;
pub use lowering::{InputRole, Lowering, Note, RowCounts};
pub use value::{Array, Value};
