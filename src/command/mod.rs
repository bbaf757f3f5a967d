//! The commands of `tilde`. Exit codes: 0 fine, 1 the program is wrong, 2 the command line is wrong, 3 running failed,
//! 130 interrupted.

mod benchmark;
mod check;
mod derive;
mod emit;
mod eval;
mod explain;
mod fmt;
mod parts;
mod profile;
mod run_folder;
mod sample;
mod summary;
mod train;
mod watcher;

use crate::backend::Precision;
use crate::base::{Code, Diagnostic, Diagnostics, Sources};
use crate::check::model::Model;
use crate::driver::{self, Compiled, Rejected, Request};
use crate::report::console;
use crate::report::render::{self, Style};
use crate::runtime::engine::{Device, Engine};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Instant;

#[derive(Subcommand)]
pub enum Command {
    /// Check a file, and say for each objective what is exact and what is sampled
    Check(check::Arguments),
    /// Train, then evaluate the metrics and draw the samples
    Run(train::Arguments),
    /// Train
    Train(train::Arguments),
    /// Draw what the file's `sample` declarations say, at trained parameters
    Sample(sample::Arguments),
    /// The value of an expression in the scope of a file
    Eval(eval::Arguments),
    /// Derive what a file asks for, or a query, as numbered steps
    Derive(derive::Arguments),
    /// Show a file at one stage of compilation
    Emit(emit::Arguments),
    /// Format files in place
    Fmt(fmt::Arguments),
    /// The page of an error code
    Explain(explain::Arguments),
}

/// Which file, and with which sizes and constants.
#[derive(Args)]
pub struct FileArguments {
    /// The .tilde file
    pub file: PathBuf,
    /// Replace a `dim`, a literal `let` or a parameter's starting value, as in --set D=3
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_override)]
    pub overrides: Vec<(String, String)>,
    /// Problems and results as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// How plans are compiled and seeded.
#[derive(Args)]
pub struct EngineArguments {
    /// Fixes every random number of a run
    #[arg(long, value_parser = clap::value_parser!(u32).range(..=0x7fff_ffff))]
    pub seed: Option<u32>,
    /// Threads; the results do not depend on it [default: all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// What computes
    #[arg(long, value_enum, default_value_t = DeviceArgument::Cpu)]
    pub device: DeviceArgument,
    /// How real numbers are computed [default: f32; f64 for a file whose `train` blocks are all `exactly` or `by em`]
    #[arg(long, value_enum)]
    pub precision: Option<PrecisionArgument>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DeviceArgument {
    /// Native code for this machine
    Cpu,
    /// The slow reference interpreter, in f64
    Interpreter,
    /// Not supported yet
    Opencl,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum PrecisionArgument {
    F32,
    F64,
}

/// Closed forms are exact but for rounding.
fn usual_precision(model: &Model) -> Precision {
    let closed_form = !model.trains.is_empty() && model.trains.iter().all(|train| train.closed_form().is_some());
    if closed_form { Precision::F64 } else { Precision::F32 }
}

fn parse_override(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Why a command ended early.
pub enum Failure {
    /// The program or its data is wrong: exit code 1
    Program(Diagnostics),
    /// The command line is wrong: exit code 2
    CommandLine(String),
    /// Running failed: exit code 3
    Running(Diagnostics),
    /// By the user: exit code 130
    Interrupted,
}

impl Failure {
    /// An error of running: a file that cannot be written, a loss that is not finite, a checkpoint of another model.
    pub fn running(diagnostic: Diagnostic) -> Failure {
        match diagnostic.code {
            Code::NonFinite | Code::Degenerate | Code::Fell | Code::Checkpoint | Code::Output | Code::Internal => {
                Failure::Running(diagnostic.into())
            }
            _ => Failure::Program(diagnostic.into()),
        }
    }
}

/// Runs a command and prints what went wrong. The result is the exit code.
pub fn execute(command: Command, launched: Instant) -> u8 {
    let mut context = Context { sources: Sources::default(), json: false, launched };
    let result = match command {
        Command::Check(arguments) => check::execute(&arguments, &mut context),
        Command::Run(arguments) => train::execute(&arguments, true, &mut context),
        Command::Train(arguments) => train::execute(&arguments, false, &mut context),
        Command::Sample(arguments) => sample::execute(&arguments, &mut context),
        Command::Eval(arguments) => eval::execute(&arguments, &mut context),
        Command::Derive(arguments) => derive::execute(&arguments, &mut context),
        Command::Emit(arguments) => emit::execute(&arguments, &mut context),
        Command::Fmt(arguments) => fmt::execute(&arguments, &mut context),
        Command::Explain(arguments) => explain::execute(&arguments),
    };
    match result {
        Ok(()) => 0,
        Err(failure) => context.report(&failure),
    }
}

/// What reports need: the texts, and how the user wants to read.
pub struct Context {
    pub sources: Sources,
    pub json: bool,
    /// When the process started
    pub launched: Instant,
}

impl Context {
    /// Compiles the file of a command; its texts stay in the context for reports.
    pub fn compile(&mut self, file: &FileArguments, expression: Option<&str>) -> Result<Compiled, Failure> {
        self.compile_by(driver::compile, file, expression)
    }

    /// With an expression whose random variables need no values.
    pub fn compile_symbolic(&mut self, file: &FileArguments, expression: Option<&str>) -> Result<Compiled, Failure> {
        self.compile_by(driver::compile_symbolic, file, expression)
    }

    fn compile_by(
        &mut self,
        compile: fn(&Request) -> Result<Compiled, Rejected>,
        file: &FileArguments,
        expression: Option<&str>,
    ) -> Result<Compiled, Failure> {
        self.json = file.json;
        let request = Request { path: file.file.clone(), overrides: file.overrides.clone(), expression: expression.map(str::to_owned) };
        match compile(&request) {
            Ok(compiled) => {
                self.sources = compiled.sources.clone();
                Ok(compiled)
            }
            Err(rejected) => {
                self.sources = rejected.sources;
                Err(Failure::Program(rejected.problems))
            }
        }
    }

    fn report(&self, failure: &Failure) -> u8 {
        let (problems, code) = match failure {
            Failure::CommandLine(message) => {
                console::remark(format_args!("error: {message}"));
                return 2;
            }
            Failure::Interrupted => return 130,
            Failure::Program(problems) => (problems, 1),
            Failure::Running(problems) => (problems, 3),
        };
        if self.json {
            // The exit code tells the problem where standard output cannot.
            let _ = console::answer(render::json(problems, &self.sources));
        } else if !problems.is_empty() {
            console::remark(render::render(problems, &self.sources, Style::of_stderr()).trim_end());
        }
        code
    }
}

impl EngineArguments {
    pub fn engine(&self, model: &Model, seed_of_file: Option<u64>) -> Result<Engine, Failure> {
        let default = Engine::default();
        let device = match self.device {
            DeviceArgument::Cpu => Device::Cpu,
            DeviceArgument::Interpreter => Device::Interpreter,
            DeviceArgument::Opencl => {
                return Err(Failure::CommandLine("--device opencl is not supported yet; use --device cpu".into()));
            }
        };
        let precision = match (device, self.precision) {
            (Device::Interpreter, _) | (_, Some(PrecisionArgument::F64)) => Precision::F64,
            (Device::Cpu, Some(PrecisionArgument::F32)) => Precision::F32,
            (Device::Cpu, None) => usual_precision(model),
        };
        let seed = self.seed.or(seed_of_file.map(|seed| seed as u32)).unwrap_or(0) & 0x7fff_ffff;
        Ok(Engine { device, precision, threads: self.threads.map_or(default.threads, usize::from), seed, measure: false })
    }
}
