//! Data sources: what stands on the right of `data x : T = …`. A source yields arrays whose first axis is the plate of rows.

mod arguments;
mod array;
mod builtin;
mod conform;
mod csv;
mod file;
mod idx;
mod npy;
mod source;
mod split;
mod synthetic;

pub use array::{Array, Values};
pub use conform::conform;
pub use source::load;
pub use split::{Split, is_held_out, split};
