//! `tilde eval FILE 'expression'`: the value of any expression in the scope of a file, averaged over rows or for each.

use super::benchmark::evaluation_times;
use super::{Context, EngineArguments, Failure, FileArguments, profile, run_folder};
use crate::report::console;
use crate::runtime::dataset::Dataset;
use crate::runtime::evaluate::{self, Values};
use crate::runtime::parameters;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
    /// As it could stand in the file: 'log p(x | z = 0)'
    #[arg(allow_hyphen_values = true)]
    pub expression: String,
    /// The folder of a run, for trained parameters; otherwise those that the file starts with
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// The value of every row instead of their mean
    #[arg(long)]
    pub rows: bool,
    /// Over the held-out rows rather than the rows to train on
    #[arg(long)]
    pub held_out: bool,
    /// Print one line of JSON that tells how long it took
    #[arg(long, hide = true)]
    pub bench_json: bool,
    /// Where the time goes, kernel by kernel
    #[arg(long, conflicts_with = "json")]
    pub profile: bool,
    #[command(flatten)]
    pub engine: EngineArguments,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let launched = context.launched;
    let compiled = context.compile(&arguments.file, Some(&arguments.expression))?;
    let checked = launched.elapsed();
    let mut engine = arguments.engine.engine(&compiled.model, None)?;
    profile::check(arguments.profile, &engine)?;
    engine.measure = arguments.profile;
    let model = &compiled.model;
    let expr = compiled.expression.as_ref().ok_or_else(|| Failure::CommandLine("no expression".into()))?;
    let dataset = Dataset::load(model, &compiled.folder, engine.seed, engine.precision).map_err(|e| Failure::Program(e.into()))?;
    let parameters = match &arguments.from {
        Some(folder) => run_folder::trained_parameters(model, folder, &engine).map_err(Failure::running)?,
        None => parameters::initial(model, &dataset, &engine).map_err(Failure::running)?,
    };
    let rows = if arguments.held_out { dataset.evaluation_rows() } else { &dataset.split.train };
    let evaluated = evaluate::evaluate(model, expr, &dataset, rows, &parameters, &engine).map_err(Failure::running)?;
    let values = &evaluated.values;
    let whole = |value: &Values| if arguments.rows { every_row(value) } else { nested(&value.mean(), &value.shape) };
    let shown: Vec<Value> = values.iter().map(whole).collect();
    let value = if let [one] = &shown[..] { one.clone() } else { Value::Array(shown) };
    if arguments.bench_json {
        let (compile, run) = (checked + evaluated.compile, evaluated.run);
        return console::answer(evaluation_times(launched, compile, run, value)).map_err(Failure::running);
    }
    if arguments.file.json {
        let rows = values.iter().find_map(|value| value.rows).unwrap_or(0);
        console::answer(json!({ "value": value, "rows": rows })).map_err(Failure::running)?;
    } else {
        console::answer(readable(&value)).map_err(Failure::running)?;
        if let (false, Some(error)) = (arguments.rows, values.first().and_then(Values::standard_error)) {
            let line = format!("mean over {} rows, standard error {error:.2e}", values[0].rows.unwrap_or(0));
            console::answer(line).map_err(Failure::running)?;
        }
        if arguments.profile {
            profile::report_evaluation(&arguments.expression, evaluated.kernels, evaluated.run, &compiled.sources, &engine)
                .map_err(Failure::running)?;
        }
    }
    Ok(())
}

fn every_row(value: &Values) -> Value {
    match value.rows {
        Some(rows) => nested(&value.values, &[&[rows], &value.shape[..]].concat()),
        None => nested(&value.values, &value.shape),
    }
}

/// Nested lists; numbers that JSON does not have become strings.
pub(super) fn nested(values: &[f64], shape: &[usize]) -> Value {
    match shape {
        [] => match values.first() {
            Some(v) if v.is_finite() => json!(v),
            Some(v) => json!(if v.is_nan() {
                "nan"
            } else if *v > 0.0 {
                "inf"
            } else {
                "-inf"
            }),
            None => Value::Null,
        },
        [n, rest @ ..] => {
            let width = values.len() / n.max(&1);
            Value::Array((0..*n).map(|i| nested(&values[i * width..(i + 1) * width], rest)).collect())
        }
    }
}

/// Scalars as they are, lists of scalars on one line, deeper lists a line for each.
fn readable(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().any(Value::is_array) => items.iter().map(readable).collect::<Vec<_>>().join("\n"),
        Value::Array(items) => items.iter().map(readable).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        Value::Number(number) => format!("{}", number.as_f64().unwrap_or(f64::NAN)),
        Value::Null | Value::Bool(_) | Value::Object(_) => value.to_string(),
    }
}
