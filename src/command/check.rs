//! `tilde check FILE`: all problems of a file; for each objective, what is exact and what is sampled.

use super::{Context, Failure, FileArguments};
use crate::algebra::{self, Note};
use crate::backend::Precision;
use crate::base::{Diagnostics, Sources};
use crate::check::model::{Model, TrainStmt};
use crate::driver::Compiled;
use crate::runtime::dataset::Dataset;
use clap::Args;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
}

/// One part of a file and the remarks about it.
struct Part {
    name: String,
    notes: Vec<Note>,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let compiled = context.compile(&arguments.file, None)?;
    let dataset = Dataset::load(&compiled.model, &compiled.folder, 0, Precision::F32).map_err(|e| Failure::Program(e.into()))?;
    let parts = lower_all(&compiled, &dataset).map_err(Failure::Program)?;
    if arguments.file.json {
        println!("{}", json(&parts, &compiled.sources));
        return Ok(());
    }
    summarise(&compiled.model, &dataset);
    for part in &parts {
        println!("{}", part.name);
        for note in &part.notes {
            let (line, _) = compiled.sources.line_column(note.span);
            println!("  line {line}: {}", note.text);
        }
    }
    Ok(())
}

/// Lowers every part of the file, so that what the algebra refuses is told too.
fn lower_all(compiled: &Compiled, dataset: &Dataset) -> Result<Vec<Part>, Diagnostics> {
    let model = &compiled.model;
    let rows = (!dataset.counts.is_empty()).then_some(2);
    let mut parts = vec![];
    let mut problems = Diagnostics::default();
    let mut keep = |name: String, result: Result<Vec<Note>, crate::base::Diagnostic>| match result {
        Ok(notes) => parts.push(Part { name, notes }),
        Err(problem) => problems.push(problem),
    };
    for train in &model.trains {
        let optimised = train.body.iter().any(|stmt| matches!(stmt, TrainStmt::Optimise(_) | TrainStmt::Repeat { .. }));
        if optimised {
            let rows = rows.or(train.settings.batch);
            let name = train.name.as_ref().map_or("train".to_owned(), |name| format!("train {name}"));
            keep(name, algebra::lower_step(model, train, &dataset.counts, rows).map(|step| step.program.notes));
        }
    }
    for quantity in model.quantities.values() {
        let kind = if quantity.metric { "metric" } else { "objective" };
        let lowered = algebra::lower_expression(model, &quantity.value, &dataset.counts, rows);
        keep(format!("{kind} {}", quantity.name), lowered.map(|evaluated| evaluated.program.notes));
    }
    for sample in &model.samples {
        let lowered = algebra::lower_sample(model, &sample.value, &dataset.counts, 2);
        keep(format!("sample {}", sample.name), lowered.map(|evaluated| evaluated.program.notes));
    }
    if problems.is_empty() { Ok(parts) } else { Err(problems.sorted()) }
}

fn summarise(model: &Model, dataset: &Dataset) {
    let numbers: usize = model.params.values().filter_map(|param| algebra::tensor_type(&param.ty).ok()).map(|ty| ty.len()).sum();
    println!("fine: {} parameters with {numbers} numbers", model.params.len());
    for data in model.data.values() {
        let names: Vec<&str> = data.vars.iter().map(|&var| model.vars[var].name.as_str()).collect();
        let split = &dataset.split;
        println!("data {}: {} rows to train, {} held out", names.join(", "), split.train.len(), split.held_out.len());
    }
}

fn json(parts: &[Part], sources: &Sources) -> serde_json::Value {
    let note = |note: &Note| serde_json::json!({ "line": sources.line_column(note.span).0, "text": note.text });
    let parts: Vec<_> = parts
        .iter()
        .map(|part| serde_json::json!({ "name": part.name, "notes": part.notes.iter().map(note).collect::<Vec<_>>() }))
        .collect();
    serde_json::json!({ "problems": [], "parts": parts })
}
