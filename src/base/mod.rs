//! What every floor needs and none owns: places in the source, diagnostics, typed ids, sizes and
//! supports of types, the closed list of primitive operations, and special functions.

pub mod arena;
pub mod assignment;
pub mod code;
pub mod diagnostic;
pub mod eigen;
pub mod nearest;
pub mod op;
pub mod philox;
pub mod size;
pub mod span;
pub mod special;

pub use arena::{Arena, Id};
pub use code::Code;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use nearest::nearest;
pub use span::{FileId, Sources, Span};
