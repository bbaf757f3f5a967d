//! `tilde train FILE` and `tilde run FILE`: training with progress, log and checkpoints; then metrics and pictures.

use super::run_folder::{self, RunFolder};
use super::summary::Finished;
use super::watcher::Watcher;
use super::{Context, EngineArguments, Failure, FileArguments, profile};
use crate::backend::Precision;
use crate::check::model::{Data, Model, Source};
use crate::driver::Compiled;
use crate::report::{console, picture};
use crate::runtime::dataset::Dataset;
use crate::runtime::engine::Engine;
use crate::runtime::metrics_log::MetricsLog;
use crate::runtime::parameters;
use crate::runtime::train::{Outcome, State, Timing, Training};
use crate::syntax;
use clap::Args;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
    /// Replaces the number of steps of every `train` block
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// The folder of the run [default: runs/NAME-OF-THE-FILE]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on where the run in the folder stopped, bit for bit
    #[arg(long)]
    pub resume: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
    /// Where the time goes, kernel by kernel: a table, profile.png and profile.json
    #[arg(long, conflicts_with = "json")]
    pub profile: bool,
    /// Time every step, and print one line of JSON at the end
    #[arg(long, hide = true)]
    pub bench_json: bool,
    #[command(flatten)]
    pub engine: EngineArguments,
}

pub fn execute(arguments: &Arguments, whole: bool, context: &mut Context) -> Result<(), Failure> {
    let launched = context.launched;
    let compiled = context.compile(&arguments.file, None)?;
    let checked = launched.elapsed();
    let model = &compiled.model;
    let engine = arguments.engine.engine(model, model.trains.iter().find_map(|train| train.settings.seed))?;
    profile::check(arguments.profile, &engine)?;
    let dataset = Dataset::load(model, &compiled.folder, engine.seed, engine.precision).map_err(|e| Failure::Program(e.into()))?;
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => run_folder::default_path(&arguments.file.file).map_err(Failure::running)?,
    };
    let folder = RunFolder::create(&path).map_err(Failure::running)?;
    let fingerprint = fingerprint(&compiled, &arguments.file.overrides, &dataset, &engine);

    let mut state = if arguments.resume {
        folder.resume(model, &fingerprint, &engine).map_err(Failure::running)?
    } else {
        State::new(parameters::initial(model, &dataset, &engine).map_err(Failure::running)?)
    };
    let log = if arguments.resume {
        MetricsLog::resume(&folder.metrics(), state.block, state.step)
    } else {
        MetricsLog::create(&folder.metrics())
    };
    let log = log.map_err(Failure::running)?;

    let mut training = Training {
        model,
        dataset: &dataset,
        engine: &engine,
        steps: arguments.steps,
        timing: Timing { measure: arguments.profile, ..Timing::default() },
    };
    let mut watcher = Watcher::new(model, &folder, &fingerprint, &engine, log, arguments.quiet || arguments.file.json, &state);
    let outcome = training.run(&mut state, &mut watcher);
    watcher.finish();
    let outcome = outcome.map_err(Failure::running)?;
    if arguments.profile {
        profile::report(&training.timing.profiles, model, &compiled.sources, &engine, &folder).map_err(Failure::running)?;
    }
    if outcome == Outcome::Stopped {
        console::remark(format_args!("interrupted; `--resume` goes on from {}", path.display()));
        return Err(Failure::Interrupted);
    }
    if arguments.bench_json {
        let compile = checked + training.timing.compile;
        return console::answer(watcher.benchmark(launched, compile, training.timing.first_step)).map_err(Failure::running);
    }
    let curve =
        if watcher.curve.len() > 1 { Some(picture::loss_curve("training", &watcher.curve).map_err(Failure::running)?) } else { None };
    let finished = Finished { model, dataset: &dataset, engine: &engine, parameters: state.trained(), folder: &folder };
    finished.report(curve, whole, arguments.file.json).map_err(Failure::running)
}

/// Everything besides the number of steps that makes two runs the same, one line each: what it is, and its value.
fn fingerprint(compiled: &Compiled, overrides: &[(String, String)], dataset: &Dataset, engine: &Engine) -> String {
    let overrides: BTreeMap<&str, &str> = overrides.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let overrides: Vec<String> = overrides.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let parameters: Vec<(&str, String)> = compiled.model.params.values().map(|param| (param.path.as_str(), param.ty.to_string())).collect();
    let precision = if engine.precision == Precision::F64 { "f64" } else { "f32" };
    [
        format!("seed: {}", engine.seed),
        format!("precision: {precision}"),
        format!("--set: {}", overrides.join(" ")),
        format!("data file: {}", digest(file_contents(&compiled.model, dataset))),
        format!("text of the program: {}", digest(syntax::print(&compiled.ast))),
        format!("list of parameters: {}", digest(parameters)),
    ]
    .join("\n")
}

/// `#` and a hash
fn digest(of: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    format!("#{:016x}", hasher.finish())
}

/// The numbers that were read from files. Other data is fixed by the program and the seed.
fn file_contents(model: &Model, dataset: &Dataset) -> Vec<u64> {
    let from_file =
        |data: &&Data| matches!(&data.source, Source::Named { name, .. } if ["csv", "npy", "npz", "idx"].contains(&name.as_str()));
    let tables = model.data.values().filter(from_file).flat_map(|data| &data.vars).filter_map(|var| dataset.tables.get(var));
    tables.flat_map(|table| table.to_f64()).map(f64::to_bits).collect()
}
