//! `--profile`: every kernel is counted once a step or run, at the user's line.

use super::program::{Folder, MODEL, json};

#[test]
fn a_profile_counts_each_kernel_at_the_users_line() {
    let folder = Folder::new(&[("m.tilde", MODEL)]);
    let out = folder.fine(&["train", "m.tilde", "--profile", "--quiet", "--steps", "25", "--out", "run"]);
    for words in ["share", "of copy", "of peak", "product", "m.tilde:5", "warm: 25 steps", "outside of kernels"] {
        assert!(out.contains(words), "`{words}` is missing from\n{out}");
    }
    assert!(image::load_from_memory(&folder.read("run/profile1.png")).is_ok());
    let profile = json(&String::from_utf8(folder.read("run/profile.json")).unwrap());
    let block = &profile[0];
    assert_eq!(block["steps"], 25);
    let kernels = block["kernels"].as_array().unwrap();
    let product = kernels.iter().find(|kernel| kernel["kernel"].as_str().unwrap().starts_with("product")).unwrap();
    assert!(product["source"][0]["file"] == "m.tilde", "{product}");
    assert!(kernels.iter().all(|kernel| kernel["runs"].as_f64().unwrap() >= 1.0 && !kernel["source"].as_array().unwrap().is_empty()));
}

#[test]
fn evaluations_and_draws_have_a_profile() {
    let folder = Folder::new(&[("m.tilde", MODEL)]);
    folder.fine(&["train", "m.tilde", "--quiet", "--steps", "2", "--out", "run"]);
    let evaluated = folder.fine(&["eval", "m.tilde", "ELBO(p, q)", "--from", "run", "--profile"]);
    let drawn = folder.fine(&["sample", "m.tilde", "--from", "run", "-n", "5", "--profile"]);
    for (out, run) in [(evaluated, "ELBO(p, q): 1 run of"), (drawn, "points: 1 run of")] {
        for words in [run, "of peak", "m.tilde:", "outside of kernels"] {
            assert!(out.contains(words), "`{words}` is missing from\n{out}");
        }
    }
}

#[test]
fn the_interpreter_has_no_kernels() {
    let folder = Folder::new(&[("m.tilde", MODEL)]);
    folder.refused(&["eval", "m.tilde", "log p(x)", "--profile", "--device", "interpreter"], 2, &["--profile", "--device cpu"]);
    folder.refused(&["eval", "m.tilde", "log p(x)", "--profile", "--json"], 2, &["--profile", "--json"]);
    folder.refused(&["train", "m.tilde", "--profile", "--device", "interpreter"], 2, &["--profile", "--device cpu"]);
}
