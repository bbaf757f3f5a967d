//! `tilde derive FILE ['query']`: how what the file asks for is computed, as numbered steps with their rules and sources.

use super::parts::{self, Part};
use super::{Context, Failure, FileArguments};
use crate::algebra::{self, Step};
use crate::base::diagnostic::At;
use crate::base::{Code, Diagnostic, Diagnostics, nearest};
use crate::check::model::{Expr, Model, Place};
use crate::driver::Compiled;
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
    let gradient = arguments.query.as_deref().and_then(gradient_query);
    let expression = gradient.map_or(arguments.query.as_deref(), |(_, of)| Some(of));
    let compiled = context.compile_symbolic(&arguments.file, expression)?;
    let derivations = derive(&compiled, arguments.query.as_deref(), gradient.map(|(wrt, _)| wrt)).map_err(Failure::Program)?;
    let format = match arguments.format {
        FormatArgument::Unicode => Format::Unicode,
        FormatArgument::Markdown => Format::Markdown,
        FormatArgument::Latex => Format::Latex,
    };
    write(derivation::render(&derivations, format), arguments.out.as_deref()).map_err(Failure::running)
}

fn derive(compiled: &Compiled, query: Option<&str>, wrt: Option<&str>) -> Result<Vec<Derivation>, Diagnostics> {
    let model = &compiled.model;
    let counts = parts::any_counts(model);
    let Some(expr) = &compiled.expression else {
        let parts = parts::lower_all(model, &counts)?;
        return Ok(without_repetition(parts.into_iter().filter(|part| !part.title.starts_with("sample "))));
    };
    let steps = match wrt {
        Some(names) => algebra::gradient_derivation(model, &places(model, names, expr)?, expr),
        None => algebra::derivation_of(model, expr, &counts),
    };
    Ok(vec![Derivation { title: query.unwrap_or("query").to_owned(), goal: None, steps: steps.at(expr.span)?, as_for: None }])
}

/// `grad[W](loss)` as what to differentiate by, and what.
fn gradient_query(query: &str) -> Option<(&str, &str)> {
    let (wrt, of) = query.trim().strip_prefix("grad[")?.split_once(']')?;
    let of = of.trim().strip_prefix('(')?.strip_suffix(')')?;
    // `grad[x](a) + (b)` is no gradient as a whole.
    let depths = of.chars().scan(0, |depth, c| {
        *depth += i32::from(c == '(') - i32::from(c == ')');
        Some(*depth)
    });
    (depths.min().unwrap_or(0) >= 0).then_some((wrt.trim(), of))
}

/// Parameters by their names or paths, or all of a net or a layer; variables by their names.
fn places(model: &Model, names: &str, expr: &Expr) -> Result<Vec<Place>, Diagnostic> {
    let mut found = vec![];
    for name in names.split(',').map(str::trim) {
        let inside = |path: &str| path == name || path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let params = model.params.iter().filter(|(_, param)| inside(&param.path)).map(|(id, _)| Place::Param(id));
        let vars = model.vars.iter().filter(|(_, var)| var.name == name).map(|(id, _)| Place::Var(id));
        let places: Vec<Place> = params.chain(vars).collect();
        if places.is_empty() {
            return Err(no_such_place(model, name, expr));
        }
        found.extend(places);
    }
    Ok(found)
}

fn no_such_place(model: &Model, name: &str, expr: &Expr) -> Diagnostic {
    let known: Vec<&str> = model.params.values().map(|p| p.path.as_str()).chain(model.vars.values().map(|v| v.name.as_str())).collect();
    let problem = Diagnostic::new(Code::UnknownName, format!("there is no parameter or variable `{name}`")).at(expr.span);
    match nearest(name, known.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the file has {}", known.join(", "))),
    }
}

/// What is derived as an earlier part was refers to it.
fn without_repetition(parts: impl Iterator<Item = Part>) -> Vec<Derivation> {
    let mut found: Vec<Derivation> = vec![];
    for Part { title, goal, steps, .. } in parts {
        let known = found.iter().find(|known| !steps.is_empty() && Step::same(&known.steps, &steps));
        let (steps, as_for) = match known {
            Some(known) => (vec![], Some(known.title.clone())),
            None => (steps, None),
        };
        found.push(Derivation { title, goal: Some(goal), steps, as_for });
    }
    found
}

/// To a file, or to standard output.
pub(super) fn write(text: String, out: Option<&Path>) -> Result<(), Diagnostic> {
    match out {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Diagnostic::new(Code::Output, format!("{} cannot be written: {error}", path.display()))),
        None => console::answer(text.trim_end()),
    }
}
