//! What a run of training shows and saves while it goes.

use super::benchmark::peak_megabytes;
use super::run_folder::RunFolder;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{Model, Optimise, Train, TrainStmt};
use crate::report::{console, progress};
use crate::runtime::engine::Engine;
use crate::runtime::metrics_log::MetricsLog;
use crate::runtime::train::{Control, Observer, Progress, State};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the state is written while a run goes on.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// Follows a run: progress line, log, periodic saving, interruption.
pub struct Watcher<'a> {
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
    /// Step and first value, for the picture
    pub curve: Vec<(f64, f64)>,
    failure: Option<Diagnostic>,
    last: Vec<f64>,
}

impl<'a> Watcher<'a> {
    pub fn new(
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

    pub fn finish(&mut self) {
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
        let epoch = epoch || progress.converged;
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

    fn converged(&mut self, step: u64) {
        self.finish();
        if !self.quiet {
            console::remark(format_args!("converged after {step} iterations"));
        }
    }

    /// What `--bench-json` prints.
    pub fn benchmark(&self, launched: Instant, compile: Duration, first_step: Option<Instant>) -> Value {
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
        if progress.converged {
            self.converged(progress.step);
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
