//! The standard library: its files, compiled in.

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
};

#[cfg(test)]
mod tests {
    use crate::base::size::Size;
    use crate::base::{Diagnostics, FileId, Sources, Span};
    use crate::check::checker::Checker;
    use crate::check::declarations::{Declarations, DefinitionKind};
    use crate::syntax::{ast, parse};
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
        let files = super::FILES.iter().map(|(name, text)| {
            let file: FileId = sources.add(*name, *text, true);
            parse(text, file).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
        });
        let (files, user): (Vec<ast::File>, _) = (files.collect(), ast::File { decls: vec![] });
        let mut problems = Diagnostics::default();
        let declarations = Declarations::collect(&user, &files, &mut problems);
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
