//! The order of the house: a folder of src/ imports only folders above it.

use std::fs;
use std::path::{Path, PathBuf};

/// In order of import, as in docs/architecture.md.
const FLOORS: [&str; 12] =
    ["base", "syntax", "check", "graph", "pass", "algebra", "kernel", "backend", "runtime", "report", "driver", "command"];

/// Imports that the order would allow, and that are not wanted.
const APART: [(&str, &[&str]); 4] = [
    ("graph", &["syntax", "check"]),
    ("pass", &["syntax", "check"]),
    ("kernel", &["syntax", "check", "algebra", "pass"]),
    ("backend", &["syntax", "check", "algebra", "pass"]),
];

/// `(floor, file, its text)` of everything in src/ but the roots.
fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    walk(&root, &mut files);
    let floor = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (floor(&path), path, text)
        })
        .filter(|(floor, ..)| !["lib", "main"].contains(&floor.as_str()))
        .collect()
}

/// The floors that a text names as `crate::floor` or in `use crate::{…}`. Tests may look anywhere.
fn imports(text: &str) -> Vec<&str> {
    let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let code: Vec<&str> = program.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = vec![];
    for line in &code {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names = rest.strip_prefix('{').unwrap_or(rest).split(',').map(str::trim);
            let names = names.map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""));
            let names: Vec<&str> = if rest.starts_with('{') { names.collect() } else { names.take(1).collect() };
            found.extend(names.into_iter().filter(|name| FLOORS.contains(name)));
        }
    }
    found
}

#[test]
fn a_folder_imports_only_folders_above_it() {
    let height = |floor: &str| FLOORS.iter().position(|known| *known == floor);
    let mut wrong = vec![];
    for (floor, path, text) in sources() {
        let Some(own) = height(&floor) else {
            wrong.push(format!("{}: not a folder of the list", path.display()));
            continue;
        };
        let apart = APART.iter().find(|(name, _)| *name == floor).map_or(&[][..], |(_, others)| others);
        for import in imports(&text) {
            if height(import) > Some(own) || apart.contains(&import) {
                wrong.push(format!("{}: `{floor}` imports `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_lives_in_backend() {
    let has_unsafe = |text: &str| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("unsafe "));
    let wrong: Vec<PathBuf> =
        sources().into_iter().filter(|(floor, _, text)| floor != "backend" && has_unsafe(text)).map(|(_, path, _)| path).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// `println!` panics where nobody reads.
#[test]
fn lines_are_written_in_one_place() {
    let wrong: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(_, _, text)| ["println!", "print!"].iter().any(|word| text.contains(word)))
        .map(|(_, path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_page_lists_the_floors_in_this_order() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    let places: Vec<Option<usize>> =
        FLOORS.iter().map(|floor| page.find(&format!("| `{floor}/`")).or_else(|| page.find(&format!("| `{floor}.rs`")))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
}
