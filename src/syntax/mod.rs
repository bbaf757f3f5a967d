//! Text -> tree, and tree -> text.

pub mod ast;
mod declarations;
mod expressions;
mod grammar;
mod layout;
mod operators;
mod parse;
mod statements;
mod syntax_error;
mod types;

pub use parse::{parse, parse_expr};
