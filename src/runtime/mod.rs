//! What happens when a program runs: data, parameters, training, evaluation, draws, and the files of a run.

pub mod ascent;
pub mod bijectors;
pub mod checkpoint;
pub mod data;
pub mod dataset;
pub mod degenerate;
pub mod engine;
pub mod evaluate;
pub mod metrics_log;
pub mod nonfinite;
pub mod normalisation;
pub mod output;
pub mod parameters;
pub mod profile;
pub mod shuffle;
pub mod train;
