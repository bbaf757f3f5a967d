//! Every command once as it is meant, and once mistyped.

use super::program::{COIN, Folder, MODEL, json};
use serde_json::Value;

#[test]
fn a_mistyped_command_line_ends_with_2() {
    let folder = Folder::new(&[("coin.tilde", COIN), ("model.tilde", MODEL)]);
    folder.refused(&["trian", "coin.tilde"], 2, &["trian", "train"]);
    folder.refused(&[], 2, &["Usage"]);
    folder.refused(&["run"], 2, &["FILE"]);
    folder.refused(&["run", "coin.tilde", "--steps", "0"], 2, &["--steps"]);
    folder.refused(&["run", "coin.tilde", "--set", "theta"], 2, &["NAME=VALUE"]);
    folder.refused(&["run", "coin.tilde", "--device", "opencl"], 2, &["not supported yet"]);
    folder.refused(&["explain", "E9999"], 2, &["E9999"]);
    folder.fine(&["train", "model.tilde", "--steps", "2", "--out", "run"]);
    folder.refused(&["sample", "coin.tilde", "--from", "run"], 2, &["no `sample`"]);
    folder.refused(&["sample", "model.tilde", "--from", "run", "--name", "dots"], 2, &["points"]);
    folder.refused(&["sample", "model.tilde", "--from", "run", "--out", "points.jpg"], 2, &[".png", ".npy"]);
    assert!(folder.fine(&["--help"]).contains("check"));
}

#[test]
fn set_takes_the_name_of_a_dim_or_a_literal() {
    let folder = Folder::new(&[("model.tilde", MODEL)]);
    let eval = |set: &'static str| ["eval", "model.tilde", "H + width", "--set", set];
    assert_eq!(folder.fine(&eval("H=5")).trim(), "6");
    assert_eq!(folder.fine(&eval("width=0.5")).trim(), "8.5");
    folder.refused(&eval("widht=0.5"), 1, &["E0101", "widht", "did you mean `width`?"]);
    folder.refused(&eval("H=5.5"), 1, &["E0601", "H=5.5", "whole number"]);
    folder.refused(&eval("width=wide"), 1, &["E0601", "`wide` is not a number"]);
}

#[test]
fn check_finds_what_run_would_stop_at() {
    let folder = Folder::new(&[("coin.tilde", &COIN.replace("steps: 60", "batch: 8"))]);
    for command in ["check", "run"] {
        folder.refused(&[command, "coin.tilde"], 1, &["E0601", "batch: 8 of 7 rows", "1 to 7"]);
    }
}

#[test]
fn a_file_that_is_not_there() {
    let folder = Folder::new(&[("coin.tilde", COIN)]);
    for command in ["check", "run", "train", "fmt"] {
        folder.refused(&[command, "coim.tilde"], 1, &["E0501", "coim.tilde", "coin.tilde"]);
    }
}

#[test]
fn eval_gives_every_row_or_their_mean() {
    let folder = Folder::new(&[("coin.tilde", COIN)]);
    let mean = json(&folder.fine(&["eval", "coin.tilde", "x + theta", "--json"]));
    assert_eq!(mean["rows"], 7);
    assert!((mean["value"].as_f64().unwrap() - (4.0 / 7.0 + 0.5)).abs() < 1e-6, "{mean}");
    let rows = json(&folder.fine(&["eval", "coin.tilde", "x + theta", "--json", "--rows"]));
    assert_eq!(rows["value"], json("[1.5, 0.5, 1.5, 0.5, 1.5, 1.5, 0.5]"));
    let scalar = json(&folder.fine(&["eval", "coin.tilde", "2 * theta", "--json"]));
    assert_eq!((&scalar["value"], &scalar["rows"]), (&json("1.0"), &json("0")));
    let printed = folder.fine(&["eval", "coin.tilde", "x + theta"]);
    assert!(printed.contains("mean over 7 rows"), "{printed}");
    folder.refused(&["eval", "coin.tilde", "thta"], 1, &["E0101", "`theta`"]);
}

#[test]
fn json_is_what_it_says() {
    let folder = Folder::new(&[("coin.tilde", COIN), ("model.tilde", MODEL), ("wrong.tilde", "let a = b\nlet c = a +\n")]);
    let run = json(&folder.fine(&["run", "model.tilde", "--steps", "3", "--out", "run", "--json"]));
    assert!(run["results"]["elbo (held out)"].is_f64(), "{run}");
    let sample = json(&folder.fine(&["sample", "model.tilde", "--from", "run", "-n", "9", "--json"]));
    assert_eq!(sample["samples"], json(r#"[{"name": "points", "draws": 9, "file": "run/points.png"}]"#));
    for file in run["files"].as_array().unwrap() {
        assert!(folder.path(file.as_str().unwrap()).is_file(), "{file}");
    }
    let check = json(&folder.fine(&["check", "model.tilde", "--json"]));
    let warm = &check["parts"][0];
    assert_eq!(warm["name"], "train warm");
    assert!(warm["notes"].as_array().unwrap().iter().any(|note| note["line"] == 12 && note["text"].as_str().unwrap().contains("closed")));
    let ended = folder.tilde(&["check", "wrong.tilde", "--json"]);
    assert_eq!(ended.code, Some(1));
    let problems = json(&ended.out);
    let problems = problems.as_array().unwrap();
    assert!(!problems.is_empty());
    for problem in problems {
        assert!(problem["code"].as_str().unwrap().starts_with('E') && problem["line"].is_u64(), "{problem}");
        assert!(problem["message"].as_str().is_some_and(|message| !message.is_empty()), "{problem}");
    }
}

#[test]
fn fmt_check_judges_and_fmt_repairs() {
    let folder = Folder::new(&[("neat.tilde", "dim D = 2\n"), ("untidy.tilde", "dim   D=2  // two\n"), ("broken.tilde", "dim D = = 2\n")]);
    assert_eq!(folder.fine(&["fmt", "--check", "neat.tilde"]), "");
    let judged = folder.tilde(&["fmt", "--check", "neat.tilde", "untidy.tilde"]);
    assert_eq!((judged.code, judged.out.as_str()), (Some(1), "untidy.tilde\n"));
    assert_eq!(folder.read("untidy.tilde"), b"dim   D=2  // two\n", "--check changes nothing");
    folder.fine(&["fmt", "untidy.tilde"]);
    folder.fine(&["fmt", "--check", "untidy.tilde"]);
    assert!(String::from_utf8(folder.read("untidy.tilde")).unwrap().contains("// two"));
    folder.refused(&["fmt", "broken.tilde"], 1, &["E0001", "broken.tilde:1"]);
    assert_eq!(folder.read("broken.tilde"), b"dim D = = 2\n");
}

#[test]
fn explain_has_a_page_for_every_code() {
    let folder = Folder::new(&[]);
    let list = folder.fine(&["explain"]);
    assert!(list.lines().count() > 25);
    for line in list.lines() {
        let (code, title) = line.split_once("  ").unwrap();
        let page = folder.fine(&["explain", code]);
        assert!(page.starts_with(&format!("# {code}: {title}")), "{code}: {page}");
        assert!(page.lines().count() > 5, "{code} says nothing");
    }
    assert_eq!(folder.fine(&["explain", "e0602"]), folder.fine(&["explain", "E0602"]));
}

#[test]
fn emit_shows_each_stage() {
    let folder = Folder::new(&[("coin.tilde", COIN)]);
    let stage = |stage: &'static str| folder.fine(&["emit", "coin.tilde", "--stage", stage]);
    assert!(stage("ast").contains("Bernoulli") && stage("model").contains("theta"));
    assert!(stage("grad").lines().count() > stage("graph").lines().count(), "the step holds more than its loss");
    assert!(!stage("kernels").is_empty() && !stage("clif").is_empty() && stage("asm").contains("ret"));
    folder.refused(&["emit", "coin.tilde", "--stage", "opencl"], 2, &["not supported yet"]);
    folder.refused(&["emit", "coin.tilde", "--stage", "grad", "--block", "2"], 1, &["no train block 2"]);
}

#[test]
fn draws_are_pictures_or_arrays() {
    let folder = Folder::new(&[("model.tilde", MODEL)]);
    folder.fine(&["train", "model.tilde", "--steps", "2", "--out", "run"]);
    let sample = |out: &'static str, seed: &'static str| {
        folder.fine(&["sample", "model.tilde", "--from", "run", "-n", "50", "--out", out, "--seed", seed]);
        folder.read(out)
    };
    let first = sample("a.npy", "1");
    assert!(first.starts_with(b"\x93NUMPY") && String::from_utf8_lossy(&first[..128]).contains("(50, 2,"));
    assert_eq!(first, sample("b.npy", "1"), "the same seed draws the same");
    assert_ne!(first, sample("c.npy", "2"));
    assert!(sample("a.png", "1").starts_with(b"\x89PNG"));
}

#[test]
fn the_log_holds_a_line_of_json_each() {
    let folder = Folder::new(&[("model.tilde", MODEL)]);
    folder.fine(&["run", "model.tilde", "--steps", "20", "--out", "run", "--quiet"]);
    let text = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(json).collect();
    let (last, steps) = lines.split_last().unwrap();
    assert!(steps.iter().all(|line| line["objective"].is_f64() && line["step"].is_u64() && line["block"].is_u64()), "{text}");
    assert!(last["elbo (held out)"].is_f64(), "{last}");
}
