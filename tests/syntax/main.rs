//! Parsing, printing, checking: programs, their trees, and the claims beside their lines.

mod check;
mod format;
mod parse;
mod robust;
mod suite;
mod tree;
