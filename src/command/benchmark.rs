//! What `--bench-json` tells of a command that computes once; training has its own in `watcher`.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Milliseconds: `compile_ms` from launch to native code without reading data and parameters, `step_ms` the computation itself,
/// `first_step_ms` from launch until now.
pub fn evaluation_times(launched: Instant, compile: Duration, run: Duration, value: Value) -> Value {
    json!({
        "compile_ms": milliseconds(compile), "first_step_ms": milliseconds(launched.elapsed()), "step_ms": milliseconds(run),
        "peak_mb": peak_megabytes(), "value": value,
    })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The most memory this process ever held, as Linux counts it.
pub fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
