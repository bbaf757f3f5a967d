//! Tilde: a language and compiler for generative models.

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
