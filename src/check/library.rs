//! The standard library: its files, compiled in, and their trees.

use crate::base::{Diagnostic, Diagnostics, FileId, Sources};
use crate::syntax::{self, ast};
use std::ops::Range;
use std::sync::OnceLock;

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../stdlib/", $path)))),*]
    };
}

/// Name and text of every file.
pub const FILES: &[(&str, &str)] = files! {
    "activations.tilde"
    "conjugacy.tilde"
    "constraints.tilde"
    "distributions/conjugate.tilde"
    "distributions/continuous.tilde"
    "distributions/discrete.tilde"
    "distributions/discretised.tilde"
    "distributions/multivariate.tilde"
    "flows.tilde"
    "layers.tilde"
    "math.tilde"
    "optimizers.tilde"
    "processes/ancestral.tilde"
    "processes/consistency.tilde"
    "processes/corrector.tilde"
    "processes/dopri5.tilde"
    "processes/dpm_solver.tilde"
    "processes/edm.tilde"
    "processes/equations.tilde"
    "processes/flow_matching.tilde"
    "processes/grids.tilde"
    "processes/guidance.tilde"
    "processes/langevin.tilde"
    "processes/likelihood.tilde"
    "processes/objectives.tilde"
    "processes/ode.tilde"
    "processes/schedules.tilde"
    "processes/score_matching.tilde"
    "processes/sde.tilde"
    "processes/times.tilde"
    "processes/traces.tilde"
    "processes/variational.tilde"
    "processes/weights.tilde"
};

/// The files' trees, parsed once in a process, and their texts among the sources of a program: right behind the user's file,
/// so that the places in the trees hold for every program.
///
/// # Errors
/// Where the sources hold anything but the user's file.
pub fn load(sources: &mut Sources) -> Result<&'static [ast::File], Diagnostics> {
    static PARSED: OnceLock<Result<Vec<ast::File>, Diagnostics>> = OnceLock::new();
    for ((name, text), expected) in FILES.iter().zip(ids()) {
        if sources.add(*name, *text, true) != expected {
            return Err(Diagnostic::internal("the library stands right behind the user's file").into());
        }
    }
    PARSED.get_or_init(parse).as_deref().map_err(Diagnostics::clone)
}

/// All files: half of the text by another thread, since every run waits for this.
fn parse() -> Result<Vec<ast::File>, Diagnostics> {
    let whole: usize = FILES.iter().map(|(_, text)| text.len()).sum();
    let ends = FILES.iter().scan(0, |end, (_, text)| {
        *end += text.len();
        Some(*end)
    });
    let middle = ends.take_while(|&end| end < whole / 2).count();
    let part = |range: Range<usize>| -> Result<Vec<ast::File>, Diagnostics> {
        FILES.iter().zip(ids()).skip(range.start).take(range.len()).map(|((_, text), file)| syntax::parse(text, file)).collect()
    };
    std::thread::scope(|scope| {
        let rest = scope.spawn(|| part(middle..FILES.len()));
        let mut files = part(0..middle)?;
        files.extend(rest.join().map_err(|_| Diagnostic::internal("the library cannot be parsed"))??);
        Ok(files)
    })
}

/// Of each file among the sources; the user's is 0.
fn ids() -> impl Iterator<Item = FileId> {
    (1..).map(FileId)
}

#[cfg(test)]
mod tests {
    use crate::base::size::Size;
    use crate::base::{Diagnostics, Sources, Span};
    use crate::check::checker::Checker;
    use crate::check::declarations::{Declarations, DefinitionKind};
    use crate::syntax::ast;
    use std::path::Path;

    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { usize::from(path.extension().is_some_and(|e| e == "tilde")) }).sum()
    }

    #[test]
    fn no_file_of_the_library_is_left_out() {
        assert_eq!(super::FILES.len(), count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib")));
    }

    /// Every declaration, used or not, at sizes of its own.
    #[test]
    fn the_library_checks() {
        let mut sources = Sources::default();
        sources.add("empty", "", false);
        let (files, user) = (super::load(&mut sources).unwrap(), ast::File { decls: vec![] });
        let mut problems = Diagnostics::default();
        let declarations = Declarations::collect(&user, files, &mut problems);
        let mut checker = Checker::new(&declarations, problems);
        for (id, definition) in declarations.definitions.iter().enumerate() {
            assert_ne!(definition.kind, DefinitionKind::Net, "the library has no weights of its own");
            checker.check_alone(id);
        }
        for id in 0..declarations.dists.len() {
            let sizes = declarations.dists[id].decl.sizes.iter().map(|size| (size.name.name.clone(), Size::from(3usize)));
            let made = checker.dist_alone(id, sizes.collect());
            checker.settle(made);
        }
        for id in 0..declarations.optimisers.len() {
            let made = checker.optimiser_alone(id);
            checker.settle(made);
        }
        checker.rules();
        let line = |span: Span| format!("{}:{}", sources.get(span.file).name, sources.line_column(span).0);
        let told: String = checker.problems.0.iter().map(|d| format!("{} {}: {}\n", line(d.span()), d.code, d.message)).collect();
        assert!(told.is_empty(), "\n{told}");
        let instances = checker.model.rules.len() + checker.model.conjugates.len() + checker.model.marginals.len();
        assert_eq!(instances, declarations.rules.len(), "a rule is about no distribution");
    }
}
