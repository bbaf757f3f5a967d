//! Text -> tree -> text.

use std::path::{Path, PathBuf};
use tilde_lang::base::FileId;
use tilde_lang::syntax;

/// Every file of the language that the repository holds and that is meant to parse.
fn programs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/specs", "stdlib", "examples"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(root.join(folder)).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "tilde"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_program_parses() {
    let files = programs();
    assert!(files.len() >= 8, "the specifications are missing");
    for path in files {
        let parsed = syntax::parse(&read(&path), FileId(0));
        assert!(parsed.is_ok(), "{}: {:#?}", path.display(), parsed.err());
    }
}
