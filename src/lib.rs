//! Tilde: a language and compiler for generative models.
//!
//! A source text walks straight through the folders of this crate, each a language or an arrow between two:
//!
//! ```text
//!   text                  a .tilde file, and the library stdlib/*.tilde
//!    │  syntax::parse     every mistake of a file at once, each with its place
//!    ▼
//!   syntax::ast::File     what was written; `format` prints it again
//!    │  check::check      names, types, sizes, supports; a mistake is reported at the user's line, even when it surfaces in the library
//!    ▼
//!   check::model::Model   no name left to look up, no size left to infer; generics instantiated, every use of a layer with its own parameters
//!    │  algebra::lower_*  plates aligned, expectations and divergences chosen, derivatives taken; each choice leaves a note
//!    ▼
//!   graph::Graph          pure, typed, static shapes, operands before users; `graph::interpret` in f64 is its definition
//!    │  pass::optimise    identities, folding, sharing, dead code; verified after each pass
//!    ▼
//!   graph::Graph          the same values, up to rounding, for less work
//!    │  kernel::lower     fusion, buffers; what is computed and not how
//!    ▼
//!   kernel::Kernels       loop nests and library calls over buffers that are planned once
//!    │  backend::cpu      machine code; the same bits for every number of threads
//!    ▼
//!   dyn backend::Plan     inputs set by number; a run allocates nothing and updates parameters in place
//!    │  runtime           data, minibatches, training, evaluation, draws, files; a function of file, data and seed
//!    ▼
//!   report                what people see: diagnostics, progress, pictures
//! ```
//!
//! Imports follow the same order, but that `graph` and `pass` stand above `algebra`: it builds graphs, and takes derivatives while it
//! does. `tests/house.rs` holds the list.
//!
//! [`driver`] is the first half as one function, a line per stage; [`runtime::engine`] is the second. [`command`] has a file for
//! each command of the binary. [`base`] holds what all share: places, diagnostics, sizes, the closed list of operations. Nothing
//! panics on what a user wrote: mistakes are diagnostics, and so is an invariant of ours that does not hold (`E0999`).

pub mod algebra;
pub mod backend;
pub mod base;
pub mod check;
pub mod command;
pub mod driver;
pub mod graph;
pub mod kernel;
pub mod pass;
pub mod report;
pub mod runtime;
pub mod syntax;
