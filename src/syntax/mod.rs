//! Text -> tree, and tree -> text.

mod align;
pub mod ast;
mod declarations;
mod expressions;
mod format;
mod grammar;
mod heads;
mod layout;
mod operators;
mod parse;
mod print;
mod print_declarations;
mod spacing;
mod statements;
mod syntax_error;
mod types;

pub use format::format;
pub use heads::{Head, heads};
pub use parse::{parse, parse_declaration, parse_expr};
pub use print::{print, print_expr};
