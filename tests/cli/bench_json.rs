//! `--bench-json`: one line that tells how long a command took, beside the same answer.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = "dim D = 2\np(z : Real[D]) = Normal(0, 1)\nsample points = { z ~ p(z); z }\n";

fn run(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_tilde")).current_dir(folder).args(arguments).output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn an_evaluation_tells_its_times_and_its_value() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.tilde"), PROGRAM).expect("written");
    let expression = "log p(z = [1.0, 2.0])";
    let timed = run(folder.path(), &["eval", "a.tilde", expression, "--bench-json"]);
    let plain = run(folder.path(), &["eval", "a.tilde", expression, "--json"]);
    assert_eq!(timed["value"], plain["value"]);
    let milliseconds = |key: &str| timed[key].as_f64().unwrap_or(f64::NAN);
    assert!(milliseconds("step_ms") > 0.0 && milliseconds("compile_ms") > 0.0, "{timed}");
    assert!(milliseconds("compile_ms") + milliseconds("step_ms") <= milliseconds("first_step_ms"), "{timed}");
}
