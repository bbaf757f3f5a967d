//! The graph: its text, its rules, its meaning on every back end, its derivatives, its passes.

mod derivatives;
mod engines;
mod interpret;
mod passes;
mod random;
mod run;
mod text;
mod verify;
