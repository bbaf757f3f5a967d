//! `tilde train FILE` and `tilde run FILE`: training with progress, log and checkpoints; then metrics and pictures.

use super::run_folder::{self, RunFolder};
use super::summary::Finished;
use super::{Context, EngineArguments, Failure, FileArguments};
use crate::backend::Precision;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{Data, Model, Optimise, Source, Train, TrainStmt};
use crate::driver::Compiled;
use crate::report::progress;
use crate::report::{console, picture};
use crate::runtime::dataset::Dataset;
use crate::runtime::engine::Engine;
use crate::runtime::metrics_log::MetricsLog;
use crate::runtime::parameters;
use crate::runtime::train::{Control, Observer, Outcome, Progress, State, Training};
use crate::syntax;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the state is written while a run goes on.
const SAVE_EVERY: Duration = Duration::from_secs(10);

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
    /// Time every step, and print one line of JSON at the end
    #[arg(long, hide = true)]
    pub bench_json: bool,
    #[command(flatten)]
    pub engine: EngineArguments,
}

pub fn execute(arguments: &Arguments, whole: bool, context: &mut Context) -> std::result::Result<(), Failure> {
    let launched = context.launched;
    let compiled = context.compile(&arguments.file, None)?;
    let checked = launched.elapsed();
    let model = &compiled.model;
    let engine = arguments.engine.engine(model.trains.iter().find_map(|train| train.settings.seed))?;
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

    let mut training = Training { model, dataset: &dataset, engine: &engine, steps: arguments.steps, timing: Default::default() };
    let mut watcher = Watcher::new(model, &folder, &fingerprint, &engine, log, arguments.quiet || arguments.file.json, &state);
    let outcome = training.run(&mut state, &mut watcher);
    watcher.finish();
    let outcome = outcome.map_err(Failure::running)?;
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

/// Follows a run: progress line, log, periodic saving, interruption.
struct Watcher<'a> {
    model: &'a Model,
    folder: &'a RunFolder,
    fingerprint: &'a str,
    engine: &'a Engine,
    log: MetricsLog,
    quiet: bool,
    line: Option<(usize, progress::Progress)>,
    resumed_at: u64,
    interrupted: Arc<AtomicBool>,
    saved: Instant,
    last_step: Instant,
    /// Seconds of each step
    durations: Vec<f32>,
    curve: Vec<(f64, f64)>,
    failure: Option<Diagnostic>,
    last: Vec<f64>,
}

impl<'a> Watcher<'a> {
    fn new(
        model: &'a Model,
        folder: &'a RunFolder,
        fingerprint: &'a str,
        engine: &'a Engine,
        log: MetricsLog,
        quiet: bool,
        state: &State,
    ) -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = interrupted.clone();
        // A second Ctrl-C ends the process at once: every file is replaced as a whole, so nothing is lost.
        let handler = move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        };
        if let Err(error) = ctrlc::set_handler(handler) {
            console::remark(format_args!("warning: Ctrl-C will not save: {error}"));
        }
        let now = Instant::now();
        Watcher {
            model,
            folder,
            fingerprint,
            engine,
            log,
            quiet,
            line: None,
            resumed_at: state.step,
            interrupted,
            saved: now,
            last_step: now,
            durations: vec![],
            curve: vec![],
            failure: None,
            last: vec![],
        }
    }

    fn finish(&mut self) {
        if let Some((_, line)) = &self.line {
            line.finish();
        }
    }

    fn block(&self, index: usize) -> &'a Train {
        &self.model.trains[index]
    }

    fn show(&mut self, progress: &Progress<'_>) {
        let name = self.block(progress.block).name.clone().unwrap_or_else(|| "train".into());
        // Only the block that was resumed has steps behind it.
        let (done, quiet) = (if self.line.is_none() { self.resumed_at } else { 0 }, self.quiet);
        if self.line.as_ref().is_none_or(|(block, _)| *block != progress.block) {
            self.finish();
            self.line = Some((progress.block, progress::Progress::new(&name, done, progress.steps, quiet)));
        }
        let names = goal_names(self.block(progress.block));
        let values: Vec<(&str, f64)> = names.iter().map(String::as_str).zip(progress.values.iter().copied()).collect();
        if let Some((_, line)) = &mut self.line {
            line.update(progress.step, &values);
        }
    }

    /// A line of the log about once a hundredth of a block and at the end of every epoch.
    fn log(&mut self, progress: &Progress<'_>) -> Result<()> {
        let every = (progress.steps / 100).max(1);
        let epoch = progress.steps_per_epoch.is_some_and(|steps| progress.step.is_multiple_of(steps));
        if !progress.step.is_multiple_of(every) && !epoch && progress.step != 1 {
            return Ok(());
        }
        let names = goal_names(self.block(progress.block));
        let mut fields: Vec<(&str, Value)> = vec![];
        if self.model.trains.len() > 1 {
            fields.push(("block", json!(progress.block)));
        }
        if let Some(steps) = progress.steps_per_epoch {
            fields.push(("epoch", json!(progress.step as f64 / steps as f64)));
        }
        fields.extend(names.iter().map(String::as_str).zip(progress.values.iter().map(|v| json!(v))));
        self.curve.push((progress.step as f64, progress.values.first().copied().unwrap_or(f64::NAN)));
        self.log.append(progress.step, &fields)
    }

    fn benchmark(&self, launched: Instant, compile: Duration, first_step: Option<Instant>) -> Value {
        // The first steps warm caches and clocks.
        let mut steady: Vec<f32> = self.durations.iter().copied().skip(self.durations.len() / 5).collect();
        steady.sort_by(f32::total_cmp);
        let at = |part: f64| steady.get(((steady.len() as f64 - 1.0) * part).round() as usize).map_or(f64::NAN, |s| f64::from(*s) * 1e3);
        json!({
            "compile_ms": compile.as_secs_f64() * 1e3,
            "first_step_ms": first_step.map(|t| (t - launched).as_secs_f64() * 1e3),
            "step_ms": at(0.5), "step_ms_p25": at(0.25), "step_ms_p75": at(0.75),
            "peak_mb": peak_megabytes(), "loss": self.last.first(), "steps": self.durations.len(),
        })
    }
}

impl Observer for Watcher<'_> {
    fn step(&mut self, progress: &Progress<'_>) -> Control {
        let now = Instant::now();
        self.durations.push((now - self.last_step).as_secs_f32());
        self.last_step = now;
        self.last = progress.values.to_vec();
        self.show(progress);
        if let Err(failure) = self.log(progress) {
            self.failure = Some(failure);
            return Control::Stop;
        }
        if self.interrupted.load(Ordering::SeqCst) {
            return Control::Stop;
        }
        if now - self.saved > SAVE_EVERY {
            self.saved = now;
            return Control::Save;
        }
        Control::Continue
    }

    fn save(&mut self, state: &State) -> Result<()> {
        self.folder.save(self.model, state, self.fingerprint, self.engine)?;
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// The most memory this process ever held, as Linux counts it.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// Each `maximize`/`minimize` of a block.
pub fn goals(train: &Train) -> Vec<&Optimise> {
    fn walk<'a>(body: &'a [TrainStmt], found: &mut Vec<&'a Optimise>) {
        for stmt in body {
            match stmt {
                TrainStmt::Optimise(optimise) => found.push(optimise),
                TrainStmt::Repeat { times, body } => (0..*times).for_each(|_| walk(body, found)),
                TrainStmt::Plain(_) => {}
            }
        }
    }
    let mut found = vec![];
    walk(&train.body, &mut found);
    found
}

/// What the values of a block are called in progress and log.
fn goal_names(train: &Train) -> Vec<String> {
    let goals = goals(train);
    let name = |optimise: &&Optimise| if optimise.maximize { "objective" } else { "loss" };
    match goals.len() {
        0 | 1 => goals.iter().map(|goal| name(goal).to_owned()).collect(),
        _ => goals.iter().enumerate().map(|(i, goal)| format!("{}{}", name(goal), i + 1)).collect(),
    }
}
