//! `tilde train --profile`: what each `train` block spent where.

use super::run_folder::RunFolder;
use crate::backend::cpu::limits::Limits;
use crate::base::Sources;
use crate::base::diagnostic::Result;
use crate::check::model::Model;
use crate::report::console;
use crate::report::profile::{self, Context};
use crate::runtime::engine::Engine;
use crate::runtime::profile::Profile;
use serde_json::Value;

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
