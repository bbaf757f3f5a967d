//! Text -> tree -> text.

use std::path::{Path, PathBuf};
use tilde_lang::base::FileId;
use tilde_lang::syntax;

/// Every file of the language that the repository holds and that is meant to parse.
fn programs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/specs", "stdlib", "examples"];
    let mut files = vec![];
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    files
}

/// The `.tilde` files of a folder, which may be absent, and of its folders.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "tilde") {
            files.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_program_parses() {
    let files = programs();
    assert!(files.len() >= 8, "the specifications are missing");
    let failures: Vec<String> =
        files.iter().filter_map(|path| Some(format!("{}: {:#?}", path.display(), syntax::parse(&read(path), FileId(0)).err()?))).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn tree(text: &str) -> String {
    syntax::print(&syntax::parse(text, FileId(0)).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}")))
}

#[test]
fn formatting_keeps_the_tree_and_is_stable() {
    for path in programs() {
        let text = read(&path);
        let once = syntax::format(&text).unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
        assert_eq!(tree(&once), tree(&text), "{}", path.display());
        assert_eq!(syntax::format(&once).as_ref(), Ok(&once), "{}", path.display());
    }
}
