//! Tree -> checked program: names, kinds, types, sizes. One file per language feature.

pub mod model;
pub mod types;

pub use model::Model;
pub use types::{Support, Type};
