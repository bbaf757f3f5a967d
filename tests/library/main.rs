//! The standard library against other systems, against itself, and against what its names promise; everything in f64.

mod constraints;
mod draws;
mod estimators;
mod expectations;
mod layers;
mod measures;
mod optimisers;
mod program;
mod values;
