//! The standard library: its files, compiled in, and their declarations.

use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Diagnostics, FileId, Sources, Span};
use crate::syntax::{self, Head, ast};
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

/// A declaration of the library. Its tree is made when something reaches it: a program uses a few of hundreds.
pub struct Entry {
    file: FileId,
    /// Of the whole file
    text: &'static str,
    head: Head<'static>,
    tree: OnceLock<Result<ast::Decl>>,
}

impl Entry {
    /// `fn`, `dist`, `rule`, …
    pub fn keyword(&self) -> &'static str {
        self.head.keyword
    }

    /// What is declared; of a rule what it is about.
    pub fn name(&self) -> &'static str {
        self.head.name
    }

    pub fn name_span(&self) -> Span {
        Span::new(self.file, self.head.name_range.start, self.head.name_range.end)
    }

    pub fn span(&self) -> Span {
        Span::new(self.file, self.head.range.start, self.head.range.end)
    }

    /// The text of the declaration, with what stands before the next one.
    pub fn text(&self) -> &'static str {
        &self.text[self.head.range.clone()]
    }

    /// The tree.
    ///
    /// # Errors
    /// The first syntax error, for those who write the library.
    pub fn decl(&self) -> Result<&ast::Decl> {
        let parsed = || {
            let parsed = syntax::parse_declaration(self.text, self.head.range.clone(), self.file);
            let nothing = || Diagnostic::internal("a declaration cannot be parsed").at(self.span());
            parsed.map_err(|problems| problems.0.into_iter().next().unwrap_or_else(nothing))
        };
        self.tree.get_or_init(parsed).as_ref().map_err(Diagnostic::clone)
    }
}

/// The declarations of all files, and the files' texts among the sources of a program: right behind the user's file, so that the
/// places in the trees hold for every program.
///
/// # Errors
/// Where the sources hold anything but the user's file.
pub fn load(sources: &mut Sources) -> std::result::Result<&'static [Entry], Diagnostics> {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    for ((name, text), expected) in FILES.iter().zip(ids()) {
        if sources.add(*name, *text, true) != expected {
            return Err(Diagnostic::internal("the library stands right behind the user's file").into());
        }
    }
    Ok(ENTRIES.get_or_init(|| FILES.iter().zip(ids()).flat_map(|((_, text), file)| entries(text, file)).collect()))
}

fn entries(text: &'static str, file: FileId) -> impl Iterator<Item = Entry> {
    syntax::heads(text).into_iter().map(move |head| Entry { file, text, head, tree: OnceLock::new() })
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
    use crate::syntax::{self, ast, ast::DeclKind};
    use std::path::Path;

    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { usize::from(path.extension().is_some_and(|e| e == "tilde")) }).sum()
    }

    #[test]
    fn no_file_of_the_library_is_left_out() {
        assert_eq!(super::FILES.len(), count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib")));
    }

    /// What is read off the lines is what a parse of the whole text finds.
    #[test]
    fn the_parts_of_a_file_make_the_whole() {
        let mut sources = Sources::default();
        let user = sources.add("empty", "", false);
        let entries = super::load(&mut sources).unwrap();
        for (file, source) in sources.iter().filter(|(file, _)| *file != user) {
            let whole = syntax::parse(&source.text, file).unwrap();
            let parts = entries.iter().filter(|entry| entry.file == file);
            assert_eq!(parts.clone().count(), whole.decls.len(), "{}", source.name);
            for (entry, decl) in parts.zip(&whole.decls) {
                assert_eq!(entry.decl(), Ok(decl));
                assert_eq!(Some(entry.name_span()), name_of(decl), "{}", entry.text());
            }
        }
    }

    /// Where the only name stands that a declaration declares; of a rule what it is about.
    fn name_of(decl: &ast::Decl) -> Option<Span> {
        match &decl.kind {
            DeclKind::Let(defs) if defs.len() == 1 => Some(defs[0].name.span),
            DeclKind::Fn(decl) | DeclKind::Layer(decl) => Some(decl.name.span),
            DeclKind::Dist(decl) | DeclKind::Bijector(decl) | DeclKind::Optimizer(decl) => Some(decl.name.span),
            DeclKind::Process(decl) => Some(decl.name.span),
            DeclKind::Rule { pattern, .. } => {
                let ast::ExprKind::Call { callee, .. } = &pattern.kind else { return None };
                match &callee.kind {
                    ast::ExprKind::Bracket { base, .. } => Some(base.span),
                    _ => Some(callee.span),
                }
            }
            _ => None,
        }
    }

    /// Every declaration, used or not, at sizes of its own.
    #[test]
    fn the_library_checks() {
        let mut sources = Sources::default();
        sources.add("empty", "", false);
        let (entries, user) = (super::load(&mut sources).unwrap(), ast::File { decls: vec![] });
        let mut problems = Diagnostics::default();
        let declarations = Declarations::collect(&user, entries, &mut problems);
        let mut checker = Checker::new(&declarations, problems);
        for (id, definition) in declarations.definitions.iter().enumerate() {
            assert_ne!(definition.get().unwrap().kind, DefinitionKind::Net, "the library has no weights of its own");
            checker.check_alone(id);
        }
        for id in 0..declarations.dists.len() {
            let sizes = declarations.dists[id].get().unwrap().sizes.iter().map(|size| (size.name.name.clone(), Size::from(3usize)));
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
