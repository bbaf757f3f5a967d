//! What is said and drawn when training is done: small parameters, objectives and metrics on held-out rows, pictures.

use super::eval::nested;
use super::run_folder::RunFolder;
use super::sample;
use super::watcher::goals;
use crate::algebra::tensor_type;
use crate::base::diagnostic::{At, Result};
use crate::check::model::{Expr, ExprKind, Method, Model};
use crate::report::console;
use crate::runtime::dataset::Dataset;
use crate::runtime::engine::Engine;
use crate::runtime::evaluate::{self, Values};
use crate::runtime::metrics_log::MetricsLog;
use crate::runtime::parameters::{self, Parameters};
use serde_json::{Value, json};

/// Parameters of up to this many numbers are printed.
const SMALL: usize = 16;

pub struct Finished<'a> {
    pub model: &'a Model,
    pub dataset: &'a Dataset,
    pub engine: &'a Engine,
    pub parameters: Parameters,
    pub folder: &'a RunFolder,
}

impl Finished<'_> {
    /// `whole`: draw the samples too.
    pub fn report(&self, curve: Option<Vec<u8>>, whole: bool, as_json: bool) -> Result<()> {
        let mut results: Vec<(String, Value)> = self.small_parameters()?;
        results.extend(self.quantities()?);
        let mut files = vec![];
        if let Some(png) = curve {
            files.push(self.folder.write("training.png", &png)?);
        }
        if whole {
            for declared in &self.model.samples {
                let drawn = sample::draw(self.model, declared, None, self.dataset, &self.parameters, self.engine)?;
                let path = self.folder.path.join(format!("{}.{}", declared.name, drawn.extension()));
                drawn.write(&path)?;
                files.push(path);
            }
        }
        if as_json {
            let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
            let results: serde_json::Map<String, Value> = results.into_iter().collect();
            return console::answer(json!({ "results": results, "folder": self.folder.path.display().to_string(), "files": files }));
        }
        let exact = self.model.trains.iter().flat_map(goals).any(|goal| matches!(goal.method, Method::Exactly));
        for (name, value) in &results {
            let as_fraction = value.as_f64().filter(|_| exact).and_then(fraction);
            console::answer(format_args!("{name} = {}{}", shown(value), as_fraction.unwrap_or_default()))?;
        }
        console::answer(format_args!("parameters and log in {}", self.folder.path.display()))?;
        files.iter().try_for_each(|path| console::answer(format_args!("wrote {}", path.display())))
    }

    fn small_parameters(&self) -> Result<Vec<(String, Value)>> {
        let mut found = vec![];
        for (id, param) in self.model.params.iter() {
            if param.net.is_none() && tensor_type(&param.ty)?.len() <= SMALL {
                let value = parameters::constrained(self.model, id, &self.parameters, self.engine)?;
                let values = value.to_f64();
                found.push((param.path.clone(), nested(&values, value.shape())));
            }
        }
        Ok(found)
    }

    /// What was optimised, and every metric, on the rows held out (all rows where none are). Also written to the log's file.
    fn quantities(&self) -> Result<Vec<(String, Value)>> {
        let held_out = !self.dataset.split.held_out.is_empty();
        let mut named: Vec<(String, &Expr)> = vec![];
        if held_out {
            for goal in self.model.trains.iter().flat_map(goals) {
                let name = match &goal.value.kind {
                    ExprKind::Quantity(id) => &self.model.quantities[*id].name,
                    _ if goal.maximize => "objective",
                    _ => "loss",
                };
                named.push((format!("{name} (held out)"), &goal.value));
            }
        }
        for metric in self.model.quantities.values().filter(|quantity| quantity.metric) {
            named.push((if held_out { format!("{} (held out)", metric.name) } else { metric.name.clone() }, &metric.value));
        }
        let mut found: Vec<(String, Value)> = vec![];
        for (name, expr) in named {
            if found.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let rows = self.dataset.evaluation_rows();
            let values = evaluate::evaluate(self.model, expr, self.dataset, rows, &self.parameters, self.engine).at(expr.span)?.values;
            let numbers: Vec<Value> =
                values.iter().map(Values::mean).map(|mean| if let [one] = mean[..] { json!(one) } else { json!(mean) }).collect();
            let value = if let [one] = &numbers[..] { one.clone() } else { Value::Array(numbers) };
            found.push((name, value));
        }
        if !found.is_empty() {
            let fields: Vec<(&str, Value)> = found.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            MetricsLog::append_to(&self.folder.metrics(), &fields)?;
        }
        Ok(found)
    }
}

/// ` (4/7)`: the fraction with a denominator up to 999 that a number is to the last digits, where six decimals do not say it.
fn fraction(number: f64) -> Option<String> {
    let near = |a: f64, b: f64| (a - b).abs() <= 4.0 * f64::EPSILON * number.abs();
    if near((number * 1e6).round() / 1e6, number) {
        return None;
    }
    let denominator = (2..1000).map(f64::from).find(|q| near((number * q).round() / q, number))?;
    Some(format!(" ({}/{denominator})", (number * denominator).round()))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            if number != 0.0 && !(1e-5..1e9).contains(&number.abs()) {
                return format!("{number:.5e}");
            }
            let digits = if number == 0.0 { 3.0 } else { (5.0 - number.abs().log10().floor()).clamp(0.0, 12.0) };
            format!("{number:.*}", digits as usize)
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Null => "not a number".into(),
        Value::String(_) | Value::Bool(_) | Value::Object(_) => value.to_string(),
    }
}
