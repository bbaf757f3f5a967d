//! The CPU back end: plans, stages, turns of loops, wide code, accuracy, what compiling costs.

mod accuracy;
mod compile_depth;
mod layout;
mod plans;
mod reductions;
mod scalar_code;
mod stages;
mod triangles;
mod turns;
mod wide;
