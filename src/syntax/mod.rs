//! Text -> tree, and tree -> text.

pub mod ast;
