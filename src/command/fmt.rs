//! `tilde fmt FILES`

use super::{Context, Failure};
use crate::base::Diagnostics;
use crate::driver;
use crate::report::console;
use crate::runtime::output;
use crate::syntax;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Arguments {
    /// The .tilde files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; fail if a file is not formatted
    #[arg(long)]
    pub check: bool,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let mut problems = Diagnostics::default();
    let mut unformatted = 0;
    for path in &arguments.files {
        let (text, file) = driver::read(path, &mut context.sources).map_err(Failure::Program)?;
        // Problems are placed in the right file by parsing under its own number.
        if let Err(found) = syntax::parse(&text, file) {
            found.0.into_iter().for_each(|problem| problems.push(problem));
            continue;
        }
        let formatted = syntax::format(&text).map_err(Failure::Program)?;
        if formatted == text {
            continue;
        }
        unformatted += 1;
        console::answer(path.display()).map_err(Failure::running)?;
        if !arguments.check {
            output::replace_with(path, formatted.as_bytes()).map_err(Failure::running)?;
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Program(problems));
    }
    if arguments.check && unformatted > 0 { Err(Failure::Program(Diagnostics::default())) } else { Ok(()) }
}
