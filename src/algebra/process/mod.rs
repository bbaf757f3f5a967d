//! Itô processes.

pub mod calculus;
