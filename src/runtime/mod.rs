//! Data sources, minibatches, checkpoints and logs: what a training run reads and writes.

pub mod checkpoint;
pub mod data;
pub mod metrics_log;
pub mod output;
pub mod shuffle;
