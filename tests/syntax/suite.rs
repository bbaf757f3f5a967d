//! Programs with their claims beside the lines: `// error[E0001]: part of the message`.
//!
//! A claim speaks of its own line, or, on a line of its own, of the next line that has code. Every diagnostic must be claimed
//! and every claim must come true; a file without claims must be free of problems.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use tilde_lang::base::{Diagnostic, FileId, Sources};
use tilde_lang::{check, syntax};

/// What the compiler says about a program. Those of `suite/syntax` are only read.
fn problems(file: FileId, sources: &mut Sources) -> Vec<Diagnostic> {
    let text = sources.get(file).text.clone();
    let said = syntax::parse(&text, file).and_then(|ast| {
        if sources.get(file).name.contains("syntax") {
            return Ok(());
        }
        check::check(&ast, check::library::load(sources)?, &check::CheckOptions::default()).map(|_| ())
    });
    said.err().map_or(vec![], |problems| problems.0)
}

struct Claim {
    line: usize,
    code: String,
    message: String,
}

/// The claims of a text, in order.
fn claims(text: &str) -> Vec<Claim> {
    let mut claims: Vec<Claim> = vec![];
    for (i, line) in text.lines().enumerate() {
        let has_code = !line.trim_start().starts_with("//");
        if has_code && !line.trim().is_empty() {
            // Claims of the lines above that waited for code.
            claims.iter_mut().filter(|claim| claim.line == 0).for_each(|claim| claim.line = i + 1);
        }
        for part in line.split("// error[").skip(1) {
            let (code, message) = part.split_once("]:").unwrap_or_else(|| panic!("line {}: a claim reads `// error[CODE]: text`", i + 1));
            let line = if has_code { i + 1 } else { 0 };
            claims.push(Claim { line, code: code.to_string(), message: message.trim().to_string() });
        }
    }
    claims
}

/// The differences between what a program claims and what the compiler says.
fn differences(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut sources = Sources::default();
    let file = sources.add(path.display().to_string(), text.as_str(), false);
    let (mut open, mut report) = (claims(&text), String::new());
    for problem in problems(file, &mut sources) {
        let (line, _) = sources.line_column(problem.span());
        let all = format!("{} {}", problem.message, problem.help.as_deref().unwrap_or(""));
        let fits = |claim: &Claim| claim.line == line && claim.code == problem.code.as_str() && all.contains(&claim.message);
        match open.iter().position(fits) {
            Some(i) => drop(open.remove(i)),
            None => writeln!(report, "{}:{line}: not claimed: error[{}]: {}", path.display(), problem.code, all.trim()).unwrap_or(()),
        }
    }
    for claim in open {
        writeln!(report, "{}:{}: not found: error[{}]: {}", path.display(), claim.line, claim.code, claim.message).unwrap_or(());
    }
    report
}

fn programs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "tilde") {
            found.push(path);
        }
    }
}

#[test]
fn programs_say_what_they_claim() {
    let mut found = vec![];
    programs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite"), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no programs under tests/suite");
    let report: String = found.iter().map(|path| differences(path)).collect();
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn claims_are_read_with_their_lines() {
    let read = claims("let a =  // error[E0001]: one // error[E0002]: two\n\n// error[E0101]: three\n\nlet b = 2\n");
    let read: Vec<_> = read.iter().map(|claim| (claim.line, claim.code.as_str(), claim.message.as_str())).collect();
    assert_eq!(read, [(1, "E0001", "one"), (1, "E0002", "two"), (5, "E0101", "three")]);
}
