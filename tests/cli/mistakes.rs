//! docs/mistakes.md keeps its word: each mistake cannot be written, is rejected, or is caught when the program runs.
//!
//! Claims stand beside the lines of its programs. `// error[E0203]: …`: `tilde check` or, where that finds nothing, `tilde train` reports
//! it there. `// note: …`: `tilde check` remarks it there. `// value: 1.5`: the quantity of this line, to the digits shown or `± 0.1`; a
//! metric is computed on held-out rows. `// trained: 1.5`: the same after training. In each `…` stands for a part of the message.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

struct Mistake<'a> {
    title: &'a str,
    text: &'a str,
    programs: Vec<&'a str>,
}

/// The sections of the page, in order.
fn mistakes(page: &str) -> Vec<Mistake<'_>> {
    let section = |text| {
        let (title, rest) = str::split_once(text, '\n').unwrap_or((text, ""));
        let text = rest.split("\n## ").next().unwrap_or(rest);
        let programs = text.split("```tilde\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        Mistake { title, text, programs }
    };
    page.split("\n### ").skip(1).map(section).collect()
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/mistakes.md")).unwrap()
}

/// What a program says of one of its lines.
struct Claim<'a> {
    /// From 1
    line: usize,
    /// `error[E0203]`, `note`, `value` or `trained`
    kind: &'a str,
    text: &'a str,
    /// The quantity that the line declares
    name: &'a str,
}

fn claims(program: &str) -> Vec<Claim<'_>> {
    let mut claims = vec![];
    for (i, line) in program.lines().enumerate() {
        let Some((code, comment)) = line.split_once("// ") else { continue };
        if let Some((kind, text)) = comment.split_once(": ") {
            let name = code.split_whitespace().nth(1).unwrap_or("");
            claims.push(Claim { line: i + 1, kind, text: text.trim(), name });
        }
    }
    claims
}

/// A program in a folder of its own, and what `tilde` says of it.
struct Run(tempfile::TempDir);

impl Run {
    fn new(program: &str) -> Run {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mistake.tilde"), program).unwrap();
        Run(folder)
    }

    /// The answer, or the list of problems.
    fn tilde(&self, arguments: &[&str]) -> Result<Value, Vec<Value>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilde"));
        command.arg(arguments[0]).arg("mistake.tilde").args(&arguments[1..]).arg("--json").current_dir(self.0.path());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        if output.status.success() { Ok(value) } else { Err(value.as_array().cloned().unwrap_or_default()) }
    }

    fn quantity(&self, claim: &Claim, kind: &str) -> Value {
        let held_out: &[&str] = if kind == "metric" { &["--held-out"] } else { &[] };
        let arguments = [&["eval", claim.name, "--precision", "f64"], held_out].concat();
        self.tilde(&arguments).map_or_else(Value::Array, |answer| answer["value"].clone())
    }
}

/// Whether a number is the one claimed: `1.50` to half of its last digit, `1.5 ± 0.1` as it says.
fn agrees(found: &Value, claimed: &str) -> bool {
    let (number, tolerance) = match claimed.split_once(" ± ") {
        Some((number, tolerance)) => (number, tolerance.parse().unwrap()),
        None => (claimed, 0.5 * 0.1f64.powi(claimed.split_once('.').map_or(0, |(_, digits)| digits.len() as i32))),
    };
    let near = |found: f64, number: f64| (found - number).abs() <= tolerance * 1.000001;
    found.as_f64().zip(number.parse().ok()).is_some_and(|(found, number)| near(found, number))
}

/// Where the claims of a program fail. What it reports is added to the list of codes.
fn differences(program: &str, codes: &mut BTreeSet<String>) -> Vec<String> {
    let (run, mut open) = (Run::new(program), claims(program));
    let checked = run.tilde(&["check"]);
    let trains = || open.iter().any(|claim| claim.kind == "trained" || claim.kind.starts_with("error"));
    let trained = (checked.is_ok() && trains()).then(|| run.tilde(&["train", "--quiet", "--out", "run", "--precision", "f64"]));
    let problems = checked.as_ref().err().or(trained.as_ref().and_then(|trained| trained.as_ref().err()));
    let mut wrong = vec![];
    for problem in problems.into_iter().flatten() {
        let (code, line) = (problem["code"].as_str().unwrap_or(""), problem["line"].as_u64().unwrap_or(0));
        let said = format!("{} {}", problem["message"].as_str().unwrap_or(""), problem["help"].as_str().unwrap_or(""));
        let fits = |claim: &Claim| claim.line as u64 == line && claim.kind == format!("error[{code}]") && said.contains(claim.text);
        codes.insert(code.to_owned());
        match open.iter().position(fits) {
            Some(i) => drop(open.remove(i)),
            None => wrong.push(format!("line {line}: not claimed: error[{code}]: {said}")),
        }
    }
    for claim in open {
        let declared = program.lines().nth(claim.line - 1).and_then(|line| line.split_whitespace().next()).unwrap_or("");
        let found = match (claim.kind, &checked) {
            ("value", Ok(_)) => run.quantity(&claim, declared),
            ("trained", Ok(_)) => trained.as_ref().and_then(|run| run.as_ref().ok()).map_or(Value::Null, |run| result(run, claim.name)),
            ("note", Ok(checked)) => notes(checked, claim.line).into(),
            (_, _) => Value::Null,
        };
        let fits = found.as_str().map_or_else(|| agrees(&found, claim.text), |notes| notes.contains(claim.text));
        if claim.kind.starts_with("error") || !fits {
            wrong.push(format!("line {}: {}: {}: found {found}", claim.line, claim.kind, claim.text));
        }
    }
    wrong
}

/// A result of training, of held-out rows where there are any.
fn result(trained: &Value, name: &str) -> Value {
    let results = &trained["results"];
    results.get(name).unwrap_or(&results[format!("{name} (held out)")]).clone()
}

/// The remarks of `tilde check` about a line.
fn notes(checked: &Value, line: usize) -> String {
    let parts = checked["parts"].as_array().into_iter().flatten();
    let notes = parts.flat_map(|part| part["notes"].as_array().into_iter().flatten());
    let here = notes.filter(|note| note["line"].as_u64() == Some(line as u64));
    here.filter_map(|note| note["text"].as_str()).collect::<Vec<_>>().join("; ")
}

/// The verdict of a section says how its programs end.
fn verdict(mistake: &Mistake, codes: &BTreeSet<String>) -> Option<&'static str> {
    let said: Vec<&str> =
        ["**Cannot be written.**", "**Rejected.**", "**Caught.**"].into_iter().filter(|&words| mistake.text.contains(words)).collect();
    // E05xx and E06xx are about data and about running.
    let running = |code: &String| code.starts_with("E05") || code.starts_with("E06");
    let remarked = mistake.programs.iter().flat_map(|program| claims(program)).any(|claim| claim.kind == "note");
    match said[..] {
        ["**Cannot be written.**"] => (!codes.is_empty()).then_some("a program is rejected"),
        ["**Rejected.**"] => (!codes.iter().any(|code| !running(code))).then_some("nothing is rejected before it runs"),
        ["**Caught.**"] => (!codes.iter().any(running) && !remarked).then_some("nothing is caught"),
        _ => Some("one verdict of the three is needed"),
    }
}

#[test]
fn every_mistake_is_impossible_rejected_or_caught() {
    let page = page();
    let mut report = vec![];
    for mistake in mistakes(&page) {
        let mut codes = BTreeSet::new();
        let mut wrong: Vec<String> = mistake.programs.iter().flat_map(|program| differences(program, &mut codes)).collect();
        wrong.extend(verdict(&mistake, &codes).map(str::to_owned));
        report.extend(wrong.iter().map(|wrong| format!("{}: {wrong}", mistake.title)));
    }
    assert!(report.is_empty(), "\n{}", report.join("\n"));
}

#[test]
fn there_are_forty_each_short_with_a_claim_and_a_source() {
    let page = page();
    let mistakes = mistakes(&page);
    assert_eq!(mistakes.len(), 40);
    for mistake in mistakes {
        assert!(mistake.text.contains("](https://github.com/"), "{}: no source", mistake.title);
        assert!(!mistake.programs.is_empty(), "{}: no program", mistake.title);
        for program in mistake.programs {
            assert!(!claims(program).is_empty(), "{}: no claim in\n{program}", mistake.title);
            assert!(program.lines().count() <= 6, "{}: a long program\n{program}", mistake.title);
        }
    }
}

#[test]
fn claims_are_read_with_their_lines() {
    let program = "let a = 1\nmetric m = a  // value: 1.50 ± 0.1\n";
    let read: Vec<_> = claims(program).iter().map(|claim| (claim.line, claim.kind, claim.text, claim.name)).collect();
    assert_eq!(read, [(2, "value", "1.50 ± 0.1", "m")]);
    assert!(agrees(&1.504.into(), "1.50") && !agrees(&1.506.into(), "1.50") && agrees(&1.6.into(), "1.50 ± 0.1"));
}
