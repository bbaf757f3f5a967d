//! Runs that are repeated, interrupted, killed, resumed, or that go wrong.

use super::program::{COIN, Folder, MODEL, json, safetensors_header, tensor};

/// A trained run's parameters.
fn parameters(folder: &Folder, run: &str) -> Vec<u8> {
    folder.read(&format!("{run}/params.safetensors"))
}

fn train(folder: &Folder, run: &str, more: &[&str]) -> Vec<u8> {
    folder.fine(&[&["train", "model.tilde", "--quiet", "--out", run][..], more].concat());
    parameters(folder, run)
}

#[test]
fn the_same_bits_for_every_number_of_threads() {
    let folder = Folder::new(&[("model.tilde", MODEL)]);
    let one = train(&folder, "one", &["--steps", "30", "--threads", "1"]);
    assert_eq!(one, train(&folder, "two", &["--steps", "30", "--threads", "2"]));
    assert_eq!(one, train(&folder, "three", &["--steps", "30", "--threads", "3"]));
    assert_ne!(one, train(&folder, "seed", &["--steps", "30", "--seed", "1"]));
    let header = safetensors_header(&one);
    assert_eq!(header["enc.dense1.W"]["shape"], json("[8, 2]"));
    assert!(tensor(&one, "enc.dense1.W").iter().all(|weight| weight.is_finite() && *weight != 0.0));
}

#[test]
fn a_finished_run_goes_on_with_more_steps_and_keeps_its_log() {
    let folder = Folder::new(&[("model.tilde", COIN)]);
    let whole = train(&folder, "whole", &["--steps", "90"]);
    let half = train(&folder, "run", &["--steps", "40"]);
    let log = folder.read("run/metrics.jsonl");
    assert_eq!(half, train(&folder, "run", &["--steps", "40", "--resume"]), "nothing is left to do");
    assert_eq!(log, folder.read("run/metrics.jsonl"));
    assert_eq!(whole, train(&folder, "run", &["--steps", "90", "--resume"]));
    assert!(String::from_utf8(folder.read("run/metrics.jsonl")).unwrap().starts_with(&String::from_utf8(log).unwrap()));
}

#[test]
fn a_run_is_resumed_only_with_what_it_was_started_with() {
    let csv = ("points.csv", "1\n2\n3\n");
    let text = "let scale = 1.0\ndata x : Real = csv(\"points.csv\")\nparam m : Real\np(x) = Normal(m, scale)\ntrain { maximize log p(x)   steps: 9 }\n";
    let folder = Folder::new(&[csv, ("model.tilde", text)]);
    train(&folder, "run", &[]);
    let resume = ["train", "model.tilde", "--out", "run", "--resume"];
    let with = |more: &[&'static str]| [&resume[..], more].concat();
    folder.refused(&with(&["--seed", "7"]), 3, &["E0603", "seed: `0`, here `7`"]);
    folder.refused(&with(&["--precision", "f64"]), 3, &["precision: `f32`, here `f64`"]);
    folder.refused(&with(&["--set", "scale=2"]), 3, &["--set: ``, here `scale=2`"]);
    folder.write("model.tilde", text.replace("9 }", "9   clip: 1 }"));
    folder.refused(&resume, 3, &["another text of the program"]);
    folder.write("model.tilde", text);
    folder.write("points.csv", "1\n2\n4\n");
    folder.refused(&resume, 3, &["another data file"]);
    folder.write("points.csv", csv.1);
    folder.fine(&resume);
    folder.refused(&["train", "model.tilde", "--out", "other", "--resume"], 3, &["E0603", "other"]);
}

#[test]
fn parameters_of_another_model_are_refused() {
    let folder = Folder::new(&[("model.tilde", MODEL), ("coin.tilde", COIN)]);
    folder.fine(&["train", "coin.tilde", "--out", "coin"]);
    folder.refused(&["sample", "model.tilde", "--from", "coin"], 3, &["E0603", "enc.dense1.W"]);
    train(&folder, "run", &["--steps", "2"]);
    folder.refused(&["sample", "model.tilde", "--from", "run", "--set", "H=9"], 3, &["E0603", "[8, 2]", "[9, 2]"]);
    let whole = parameters(&folder, "run");
    for length in [0, 7, 100, whole.len() - 1] {
        folder.write("run/params.safetensors", &whole[..length]);
        folder.refused(&["sample", "model.tilde", "--from", "run"], 3, &["E0603", "params.safetensors"]);
    }
    folder.refused(&["eval", "model.tilde", "H", "--from", "nowhere"], 3, &["E0603", "nowhere"]);
}

#[test]
fn a_loss_that_is_not_finite_names_its_source() {
    let text = COIN.replace("log p(x) with", "log(theta - 1) with");
    let folder = Folder::new(&[("model.tilde", &text)]);
    folder.refused(&["run", "model.tilde", "--out", "run"], 3, &["E0602", "model.tilde:4:", "log of -0.5", "step 1"]);
    assert_eq!(tensor(&parameters(&folder, "run"), "theta"), [0.5], "the last good parameters are kept");
}

#[test]
fn what_cannot_be_written_is_named() {
    let folder = Folder::new(&[("model.tilde", COIN), ("taken", "a file")]);
    folder.refused(&["run", "model.tilde", "--out", "taken"], 3, &["E0604", "taken", "--out"]);
    folder.refused(&["run", "model.tilde", "--out", "taken/run"], 3, &["E0604", "taken/run"]);
    assert_eq!(folder.read("taken"), b"a file");
}

#[cfg(target_os = "linux")]
mod unix {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::symlink;
    use std::process::{Child, Command};

    #[test]
    fn a_full_disk_is_told() {
        for file in ["params.safetensors", "state.safetensors", "metrics.jsonl", "training.png"] {
            let folder = Folder::new(&[("model.tilde", COIN)]);
            std::fs::create_dir(folder.path("run")).unwrap();
            symlink("/dev/full", folder.path("run").join(file)).unwrap();
            folder.refused(&["run", "model.tilde", "--out", "run"], 3, &["E0604", file, "No space left"]);
        }
    }

    /// Far more steps than any test waits for, until the first of them is reported.
    fn started(folder: &Folder, more: &[&str]) -> Child {
        let arguments = [&["train", "model.tilde", "--out", "run", "--steps", "100000000"][..], more].concat();
        let mut child = folder.command(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("warm  step"));
        // The pipe stays open: what the run still says must not end it.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    fn interrupt(child: &Child) {
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    fn steps_done(folder: &Folder) -> u64 {
        let header = safetensors_header(&folder.read("run/state.safetensors"));
        let entries = json(header["__metadata__"]["tilde"].as_str().unwrap());
        assert_eq!(entries["block"], "0");
        entries["step"].as_str().unwrap().parse().unwrap()
    }

    #[test]
    fn a_reader_that_goes_away_ends_no_work() {
        let folder = Folder::new(&[("model.tilde", MODEL)]);
        let shell = |line: &str| {
            let line = format!("set -o pipefail; {line}");
            let mut command = Command::new("bash");
            command.args(["-c", &line]).env("TILDE", env!("CARGO_BIN_EXE_tilde")).current_dir(folder.path("."));
            command.status().unwrap().code()
        };
        assert_eq!(shell("$TILDE emit model.tilde --stage model | true"), Some(0));
        assert_eq!(shell("$TILDE run model.tilde --steps 30 --out run 2>&1 | true"), Some(0));
        assert!(folder.path("run/points.png").exists());
        folder.write("coin.tilde", COIN);
        assert_eq!(shell("$TILDE run coin.tilde --out coin > /dev/full 2> /dev/null"), Some(3));
        safetensors_header(&parameters(&folder, "coin"));
    }

    #[test]
    fn an_interrupted_run_ends_with_the_same_bits() {
        let folder = Folder::new(&[("model.tilde", MODEL)]);
        let mut child = started(&folder, &[]);
        interrupt(&child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let done = steps_done(&folder);
        safetensors_header(&parameters(&folder, "run"));
        assert!(done > 0);
        let steps = (done + 50).to_string();
        let resumed = train(&folder, "run", &["--steps", &steps, "--resume"]);
        assert_eq!(resumed, train(&folder, "whole", &["--steps", &steps]));
        let log = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
        let places: Vec<(u64, u64)> =
            log.lines().map(json).filter_map(|line| Some((line["block"].as_u64()?, line["step"].as_u64()?))).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    }

    #[test]
    fn a_killed_run_leaves_whole_files() {
        let folder = Folder::new(&[("model.tilde", MODEL)]);
        let mut child = started(&folder, &[]);
        interrupt(&child);
        child.wait().unwrap();
        // At any moment: while it starts, while it trains, while it saves.
        for moment in 0..6 {
            let before = steps_done(&folder);
            let mut child = match moment % 3 {
                0 => folder.command(&["train", "model.tilde", "--out", "run", "--resume"]).spawn().unwrap(),
                _ => started(&folder, &["--resume"]),
            };
            if moment % 3 == 2 {
                interrupt(&child);
            }
            child.kill().unwrap();
            child.wait().unwrap();
            safetensors_header(&parameters(&folder, "run"));
            assert!(steps_done(&folder) >= before);
        }
        let steps = (steps_done(&folder) + 5).to_string();
        let resumed = train(&folder, "run", &["--steps", &steps, "--resume"]);
        assert_eq!(resumed, train(&folder, "whole", &["--steps", &steps]));
    }
}
