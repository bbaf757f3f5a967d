//! A profile of training: time, traffic and arithmetic of each kernel against what the machine can do.

mod table;

pub use table::table;

use super::picture::{self, Bar};
use crate::backend::cpu::limits::Limits;
use crate::backend::{Measured, Precision};
use crate::base::diagnostic::Result;
use crate::base::{Sources, Span};
use crate::runtime::profile::Profile;
use serde_json::{Value, json};

/// What a profile is compared with, and the texts that its places are in.
pub struct Context<'a> {
    pub sources: &'a Sources,
    pub limits: Limits,
    pub precision: Precision,
}

/// Kernels of one name and place, in an average training step.
struct Row {
    name: String,
    depth: usize,
    spans: Vec<Span>,
    scalar: Vec<String>,
    runs: f64,
    seconds: f64,
    bytes: f64,
    operations: f64,
}

/// What one training step spends in all kernels of a kind, the longest first.
fn rows(profile: &Profile) -> Vec<Row> {
    let steps = profile.steps.max(1) as f64;
    let mut rows: Vec<Row> = vec![];
    for kernel in profile.kernels.iter().filter(|kernel| kernel.runs > 0) {
        let Measured { name, depth, spans, runs, time, bytes, operations, scalar } = kernel;
        let runs = *runs as f64 / steps;
        let same = |row: &&mut Row| row.name == *name && row.spans == *spans && row.depth == *depth && row.scalar == *scalar;
        let (seconds, bytes, operations) = (time.as_secs_f64() / steps, bytes * runs, operations * runs);
        match rows.iter_mut().find(same) {
            Some(row) => {
                row.runs += runs;
                row.seconds += seconds;
                row.bytes += bytes;
                row.operations += operations;
            }
            None => rows.push(Row {
                name: name.clone(),
                depth: *depth,
                spans: spans.clone(),
                scalar: scalar.clone(),
                runs,
                seconds,
                bytes,
                operations,
            }),
        }
    }
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    rows
}

impl Row {
    /// Of the bandwidth of a plain copy of that size.
    fn of_copy(&self, limits: &Limits) -> f64 {
        self.bytes / self.seconds / limits.bandwidth(self.bytes / self.runs)
    }

    fn of_peak(&self, context: &Context) -> f64 {
        self.operations / self.seconds / context.peak()
    }

    /// `vae.tilde:7`, the other lines of a fused loop after it
    fn place(&self, sources: &Sources) -> String {
        let mut places: Vec<(&str, usize)> = self.spans.iter().map(|span| place(*span, sources)).collect();
        places.dedup();
        let Some(&(file, line)) = places.first() else { return String::new() };
        let others = places.iter().skip(1).filter(|other| other.0 == file && other.1 != line);
        let mut lines: Vec<usize> = others.map(|other| other.1).collect();
        lines.sort_unstable();
        lines.dedup();
        let more =
            if lines.len() > 3 { format!(" and {} more", lines.len()) } else { lines.iter().map(|line| format!(",{line}")).collect() };
        format!("{file}:{line}{more}")
    }

    /// The text of its first expression, on one line.
    fn text(&self, sources: &Sources) -> String {
        let text = self.spans.first().map_or("", |span| sources.text(*span));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// `loop 100 × 500: lgamma (scalar)`
    fn title(&self) -> String {
        let indent = "  ".repeat(self.depth);
        if self.scalar.is_empty() {
            return format!("{indent}{}", self.name);
        }
        format!("{indent}{}, scalar: {}", self.name, self.scalar.join(", "))
    }
}

/// The name of the file without folders, and the line.
fn place(span: Span, sources: &Sources) -> (&str, usize) {
    let name = &sources.get(span.file).name;
    (name.rsplit('/').next().unwrap_or(name), sources.line_column(span).0)
}

impl Context<'_> {
    /// Floating-point operations a second.
    fn peak(&self) -> f64 {
        match self.precision {
            Precision::F32 => self.limits.single,
            Precision::F64 => self.limits.double,
        }
    }
}

/// Everything as data: `profile.json`.
pub fn json(profile: &Profile, context: &Context) -> Value {
    let Context { sources, limits, .. } = context;
    let kernel = |row: &Row| {
        let places: Vec<Value> = row
            .spans
            .iter()
            .map(|span| {
                let (file, line) = place(*span, sources);
                json!({ "file": file, "line": line, "text": sources.text(*span) })
            })
            .collect();
        json!({
            "kernel": row.name, "depth": row.depth, "source": places, "runs": row.runs, "microseconds": row.seconds * 1e6,
            "bytes": row.bytes, "operations": row.operations, "of_copy": row.of_copy(limits), "of_peak": row.of_peak(context),
            "scalar": row.scalar,
        })
    };
    json!({
        "block": profile.block, "steps": profile.steps,
        "microseconds_a_step": profile.elapsed.as_secs_f64() * 1e6 / profile.steps.max(1) as f64,
        "machine": {
            "threads": limits.threads, "copy_in_cache": limits.cache, "copy_in_memory": limits.memory,
            "peak_f32": limits.single, "peak_f64": limits.double,
        },
        "kernels": rows(profile).iter().map(kernel).collect::<Vec<_>>(),
    })
}

/// Kernels that the picture shows.
const BARS: usize = 24;

/// A bar for each of the longest kernels: what it takes, and what it would take at the machine's limits.
///
/// # Errors
/// As [`picture::bars`].
pub fn picture(title: &str, profile: &Profile, context: &Context) -> Result<Vec<u8>> {
    let rows = rows(profile);
    let bar = |row: &Row| {
        let limit = row.of_copy(&context.limits).max(row.of_peak(context)).min(1.0);
        let source = format!("{} {}", row.place(context.sources), row.text(context.sources));
        Bar { name: row.title().trim().to_owned(), detail: source, length: row.seconds * 1e6, inner: row.seconds * 1e6 * limit }
    };
    let bars: Vec<Bar> = rows.iter().take(BARS).map(bar).collect();
    picture::bars(title, "microseconds in a training step", ["at the machine's limit", "measured"], &bars)
}
