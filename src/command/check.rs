//! `tilde check FILE`: all problems of a file; for each objective, what is exact and what is sampled.

use super::parts::{self, Part};
use super::{Context, Failure, FileArguments};
use crate::algebra::{self, Note};
use crate::backend::Precision;
use crate::base::diagnostic::At;
use crate::base::{Diagnostic, Diagnostics, Sources};
use crate::check::model::Model;
use crate::driver::Compiled;
use crate::report::{console, derivation};
use crate::runtime::dataset::Dataset;
use crate::runtime::engine::{Device, Engine};
use crate::runtime::shuffle::Batches;
use crate::runtime::{bijectors, normalisation, parameters};
use clap::Args;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let compiled = context.compile(&arguments.file, None)?;
    let dataset = Dataset::load(&compiled.model, &compiled.folder, 0, Precision::F32).map_err(|e| Failure::Program(e.into()))?;
    let parts = lower_all(&compiled, &dataset).map_err(Failure::Program)?;
    verify_bijectors(&compiled.model, &dataset).map_err(|e| Failure::Program(e.into()))?;
    normalisation::verify(&compiled.model, &compiled.sources).map_err(|e| Failure::Program(e.into()))?;
    if arguments.file.json {
        return console::answer(json(&parts, &compiled.sources)).map_err(Failure::running);
    }
    summarise(&compiled.model, &dataset).and_then(|()| list(&parts, &compiled.sources)).map_err(Failure::running)
}

/// What the file or the library gives of a bijector is compared with its forward map, at the starting values of the parameters.
fn verify_bijectors(model: &Model, dataset: &Dataset) -> Result<(), Diagnostic> {
    if model.bijectors.is_empty() {
        return Ok(());
    }
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    bijectors::verify(model, &parameters::initial(model, dataset, &engine)?).map(|_| ())
}

/// For each part what it computes, then how: a remark a line, its subject apart from what is said of it.
fn list(parts: &[Part], sources: &Sources) -> Result<(), Diagnostic> {
    for part in parts {
        console::answer(format_args!("\n{}: {}", part.title, derivation::formula(&part.goal)))?;
        let split = |note: &Note| note.text.rsplit_once(": ").map_or((note.text.clone(), String::new()), |(a, b)| (a.into(), b.into()));
        let rows: Vec<(usize, (String, String))> = part.notes.iter().map(|note| (sources.line_column(note.span).0, split(note))).collect();
        let widest = rows.iter().map(|(_, (subject, _))| subject.chars().count()).max().unwrap_or(0);
        let mut last = 0;
        for (line, (subject, said)) in rows {
            let place = if line == last { String::new() } else { format!("line {line}") };
            let row = format!("  {place:<9}{subject:<widest$}  {said}");
            console::answer(row.trim_end())?;
            last = line;
        }
    }
    Ok(())
}

/// Lowers every part of the file; the sizes of batches fit the data.
fn lower_all(compiled: &Compiled, dataset: &Dataset) -> Result<Vec<Part>, Diagnostics> {
    let mut problems = Diagnostics::default();
    for train in &compiled.model.trains {
        if let (Some(batch), false) = (train.settings.batch, dataset.counts.is_empty()) {
            let batches = Batches::new(dataset.split.train.clone(), batch, 0, 0).at(train.span);
            batches.err().into_iter().for_each(|problem| problems.push(problem));
        }
    }
    match parts::lower_all(&compiled.model, &dataset.counts) {
        Ok(parts) if problems.is_empty() => Ok(parts),
        Ok(_) => Err(problems.sorted()),
        Err(more) => {
            more.0.into_iter().for_each(|problem| problems.push(problem));
            Err(problems.sorted())
        }
    }
}

fn summarise(model: &Model, dataset: &Dataset) -> Result<(), Diagnostic> {
    let numbers: usize = model.params.values().filter_map(|param| algebra::tensor_type(&param.ty).ok()).map(|ty| ty.len()).sum();
    console::answer(format_args!("fine: {} with {}", counted(model.params.len(), "parameter"), counted(numbers, "number")))?;
    for (id, data) in model.data.iter() {
        let names: Vec<&str> = data.vars.iter().map(|&var| model.vars[var].name.as_str()).collect();
        let names = names.join(", ");
        match dataset.counts.get(&id) {
            Some(rows) => {
                let held_out = rows.all - rows.train;
                console::answer(format_args!("data {names}: {} to train, {held_out} held out", counted(rows.train, "row")))?;
            }
            None => console::answer(format_args!("data {names}: one object"))?,
        }
    }
    Ok(())
}

/// `1 parameter`, `2 parameters`
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn json(parts: &[Part], sources: &Sources) -> serde_json::Value {
    let note = |note: &Note| serde_json::json!({ "line": sources.line_column(note.span).0, "text": note.text });
    let parts: Vec<_> = parts
        .iter()
        .map(|part| serde_json::json!({ "name": part.title, "notes": part.notes.iter().map(note).collect::<Vec<_>>() }))
        .collect();
    serde_json::json!({ "problems": [], "parts": parts })
}
