//! `tilde derive FILE ['query']`: how what the file asks for is computed, as numbered steps with their rules and sources.

use super::parts::{self, Part};
use super::{Context, Failure, FileArguments};
use crate::algebra::{self, Formula};
use crate::base::{Code, Diagnostic};
use crate::report::console;
use crate::report::derivation::{self, Derivation, Format};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
    /// An expression in the scope of the file: 'p(z | x)', 'ELBO(p, q)', 'grad[W](loss)' [default: all goals, objectives and metrics]
    #[arg(allow_hyphen_values = true)]
    pub query: Option<String>,
    #[arg(long, value_enum, default_value_t = FormatArgument::Unicode)]
    pub format: FormatArgument,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum FormatArgument {
    /// For a terminal
    Unicode,
    /// With formulas between dollar signs
    Markdown,
    /// A whole document, with amsmath alone
    Latex,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let compiled = context.compile_symbolic(&arguments.file, arguments.query.as_deref())?;
    let model = &compiled.model;
    let counts = parts::any_counts(model);
    let derivations: Vec<Derivation> = match &compiled.expression {
        Some(expr) => {
            let steps = algebra::derivation_of(model, expr, &counts).map_err(|problem| Failure::Program(problem.into()))?;
            vec![Derivation { title: "query".into(), goal: Formula::of_expr(model, expr), steps }]
        }
        None => {
            let parts = parts::lower_all(model, &counts).map_err(Failure::Program)?;
            parts.into_iter().filter(|part| !part.title.starts_with("sample ")).map(derivation).collect()
        }
    };
    let format = match arguments.format {
        FormatArgument::Unicode => Format::Unicode,
        FormatArgument::Markdown => Format::Markdown,
        FormatArgument::Latex => Format::Latex,
    };
    write(derivation::render(&derivations, format), arguments.out.as_deref()).map_err(Failure::running)
}

fn derivation(part: Part) -> Derivation {
    Derivation { title: part.title, goal: part.goal, steps: part.steps }
}

/// To a file, or to standard output.
pub(super) fn write(text: String, out: Option<&Path>) -> Result<(), Diagnostic> {
    match out {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Diagnostic::new(Code::Output, format!("{} cannot be written: {error}", path.display()))),
        None => console::answer(text.trim_end()),
    }
}
