//! Tilde: a language and compiler for generative models.

pub mod backend;
pub mod base;
pub mod check;
pub mod graph;
pub mod pass;
pub mod syntax;
