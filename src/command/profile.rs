//! `--profile`: what each `train` block, an evaluation or the draws of a sample spent where.

use super::Failure;
use super::run_folder::RunFolder;
use crate::backend::Measured;
use crate::backend::cpu::limits::Limits;
use crate::base::Sources;
use crate::base::diagnostic::Result;
use crate::check::model::Model;
use crate::report::console;
use crate::report::profile::{self, Context};
use crate::runtime::engine::{Device, Engine};
use crate::runtime::profile::Profile;
use serde_json::Value;
use std::time::Duration;

/// That there are kernels to measure.
pub fn check(wanted: bool, engine: &Engine) -> std::result::Result<(), Failure> {
    match engine.device {
        Device::Interpreter if wanted => Err(Failure::CommandLine("--profile measures native code; use --device cpu".into())),
        Device::Interpreter | Device::Cpu => Ok(()),
    }
}

/// Prints the table of one evaluation that took `elapsed`.
pub fn report_evaluation(name: &str, kernels: Vec<Measured>, elapsed: Duration, sources: &Sources, engine: &Engine) -> Result<()> {
    let context = Context { sources, limits: Limits::measure(engine.threads), precision: engine.precision };
    console::answer(profile::table(name, &Profile { block: 0, steps: 1, elapsed, kernels }, &context))
}

/// Prints a table for each block, and writes `profile.json` and a picture for each block into the folder.
pub fn report(profiles: &[Profile], model: &Model, sources: &Sources, engine: &Engine, folder: &RunFolder) -> Result<()> {
    let limits = Limits::measure(engine.threads);
    let context = Context { sources, limits, precision: engine.precision };
    let mut blocks: Vec<Value> = vec![];
    for profile in profiles.iter().filter(|profile| profile.steps > 0) {
        let name = model.trains[profile.block].name.clone().unwrap_or_else(|| "train".into());
        console::answer(profile::table(&name, profile, &context))?;
        blocks.push(profile::json(profile, &context));
        let file = if profiles.len() == 1 { "profile.png".to_owned() } else { format!("profile{}.png", profile.block + 1) };
        let path = folder.write(&file, &profile::picture(&name, profile, &context)?)?;
        console::answer(format_args!("wrote {}\n", path.display()))?;
    }
    let path = folder.write("profile.json", Value::Array(blocks).to_string().as_bytes())?;
    console::answer(format_args!("wrote {}", path.display()))
}
