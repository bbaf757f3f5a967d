//! The front half of every command: a file's text becomes a checked program, a line per stage.

use crate::base::{Code, Diagnostic, Diagnostics, FileId, Sources, nearest};
use crate::check::model::{Expr, Model};
use crate::check::{self, CheckOptions};
use crate::syntax::{self, ast};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the command line says about a compilation.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub path: PathBuf,
    /// `--set k=v`
    pub overrides: Vec<(String, String)>,
    /// An expression in the scope of the file, for `tilde eval`
    pub expression: Option<String>,
}

/// A compilation that came through, with the texts that its places point into.
pub struct Compiled {
    pub sources: Sources,
    pub ast: ast::File,
    pub model: Model,
    pub expression: Option<Expr>,
    /// Where paths in the file start from
    pub folder: PathBuf,
}

/// One that did not.
pub struct Rejected {
    pub sources: Sources,
    pub problems: Diagnostics,
}

/// Text -> tree -> checked program.
pub fn compile(request: &Request) -> Result<Compiled, Rejected> {
    compiled(request, check::check)
}

/// The same, where the expression is one to be read and not computed: its random variables need no values.
pub fn compile_symbolic(request: &Request) -> Result<Compiled, Rejected> {
    compiled(request, check::check_symbolic)
}

type Check = fn(&ast::File, &[check::library::Entry], &CheckOptions) -> Result<check::Checked, Diagnostics>;

fn compiled(request: &Request, check: Check) -> Result<Compiled, Rejected> {
    let mut sources = Sources::default();
    match stages(request, check, &mut sources) {
        Ok((ast, model, expression)) => {
            let folder = request.path.parent().map(Path::to_path_buf).unwrap_or_default();
            Ok(Compiled { sources, ast, model, expression, folder })
        }
        Err(problems) => Err(Rejected { sources, problems: problems.sorted() }),
    }
}

fn stages(request: &Request, check: Check, sources: &mut Sources) -> Result<(ast::File, Model, Option<Expr>), Diagnostics> {
    let (text, file) = read(&request.path, sources)?;
    let ast = syntax::parse(&text, file)?;
    let library = check::library::load(sources)?;
    let expression = request.expression.as_ref().map(|text| parse_expression(text, sources)).transpose()?;
    let options = CheckOptions { overrides: request.overrides.clone(), expression };
    let checked = check(&ast, library, &options)?;
    Ok((ast, checked.model, checked.expression))
}

/// A user's file, as the first of the sources.
pub fn read(path: &Path, sources: &mut Sources) -> Result<(String, FileId), Diagnostics> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        let diagnostic = Diagnostic::new(Code::DataMissing, message);
        Diagnostics::from(match siblings(path) {
            Some(name) if error.kind() == ErrorKind::NotFound => diagnostic.help(format!("did you mean {name}?")),
            Some(_) | None => diagnostic.help("give the path of a .tilde file"),
        })
    })?;
    let file = sources.add(path.display().to_string(), text.as_str(), false);
    Ok((text, file))
}

/// The file beside it whose name is nearest.
fn siblings(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wanted = path.file_name()?.to_str()?;
    let name = nearest(wanted, names.iter().map(String::as_str))?;
    Some(folder.join(name).display().to_string())
}

fn parse_expression(text: &str, sources: &mut Sources) -> Result<ast::Expr, Diagnostics> {
    let file = sources.add("expression", text, false);
    syntax::parse_expr(text, file)
}
