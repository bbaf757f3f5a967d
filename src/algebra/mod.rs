//! Checked program -> graphs: plates, densities, expectations, divergences, derivatives, loops.

mod bijection;
mod chain;
mod control;
pub mod derivation;
mod derivative;
mod distribution;
mod estimation;
mod expectation;
mod expr;
mod fold;
mod frame;
mod gaussian;
mod leaves;
mod lost;
mod lowering;
mod mass;
mod observations;
mod observed;
mod outside;
mod program;
mod query;
mod shared;
mod stable;
mod statement;
mod step;
mod subscript;
mod value;
mod whole_array;

pub use bijection::verify::{POINTS, Verification, lower_verification};
pub use derivation::{Formula, Step, derivation_of, gradient_derivation};
pub use leaves::tensor_type;
pub use lowering::{InputRole, Lowering, Note, RowCount, RowCounts};
pub use mass::{Mass, lower_mass};
pub use program::{Evaluated, Program, lower_expression, lower_init, lower_sample, mentions_data};
pub use step::{StepProgram, lower_step};
pub use value::{Array, Value};
