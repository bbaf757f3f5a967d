//! Tilde: a language and compiler for generative models.

pub mod backend;
pub mod base;
pub mod graph;
pub mod report;
pub mod runtime;
pub mod syntax;
