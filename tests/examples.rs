//! Every example trains a few steps and draws its samples. With `--ignored`, each reaches the figure that its head states.
//!
//! A new example is one line of the table below; figures are left out where the head states none that training prints.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A figure in an example's head: a result that `tilde train --json` prints, with the least and
/// the greatest value that agree with the head.
type Figure = (&'static str, f64, f64);

macro_rules! examples {
    ($($name:ident $(: $($key:literal in $low:literal ..= $high:literal),+)?;)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        mod trains_and_samples {
            $(#[test] fn $name() { super::trains_and_samples(stringify!($name)); })*
        }

        mod reaches {
            $($(#[test] #[ignore = "long"] fn $name() { super::reaches(stringify!($name), &[$(($key, $low, $high)),+]); })?)*
        }
    };
}

examples! {
    analog_bits: "lit_of_draws (held out)" in 0.26 ..= 0.31, "lit_of_data (held out)" in 0.28 ..= 0.30;
    bayes_linear_regression: "evidence" in -13.5237 ..= -13.5235, "prediction" in 1.8494 ..= 1.8495;
    beta_bernoulli_test: "log_bayes_factor" in 0.99279 ..= 0.99280, "greater" in 0.966 ..= 0.971;
    beta_vae: "distortion (held out)" in 18.2 ..= 19.2, "rate (held out)" in 1.85 ..= 2.05;
    bits_per_dim: "logistic_bits" in 2.059 ..= 2.062, "normal_bits" in 2.046 ..= 2.050, "dequantised_bits" in 6.029 ..= 6.04;
    classifier: "accuracy (held out)" in 0.96 ..= 1.0;
    classifier_free;
    classifier_guidance;
    cld;
    coin: "theta" in 0.5714 ..= 0.5715;
    coin_exact: "theta" in 0.5714285714 ..= 0.5714285715;
    colorization: "right (held out)" in 0.68 ..= 0.77;
    consistency;
    d3pm: "bits (held out)" in 0.37 ..= 0.395;
    ddim;
    ddpm: "nelbo" in 0.58 ..= 0.68;
    ddpm_explicit;
    ddpm_mnist;
    edm;
    egnn_diffusion: "energy_of_draws (held out)" in -10.2 ..= -9.6;
    factor_analysis: "loglik" in -15.43360 ..= -15.43358;
    flow_matching;
    gamma_diffusion;
    gan;
    gaussian: "mu" in 2.79999 ..= 2.80001, "sigma" in 0.62449 ..= 0.62451;
    gaussian_mle: "mu" in 2.7999999999 ..= 2.8000000001, "sigma" in 0.6244997998 ..= 0.6244997999;
    glow_digits: "bits_per_dim (held out)" in 2.2 ..= 2.7;
    gmm_em: "loglik" in -1.2012366 ..= -1.2012365;
    gmm_vb: "bound" in -2.681775 ..= -2.681765, "components" in 4.0 ..= 4.0;
    hierarchical_vae: "elbo (held out)" in -19.05 ..= -18.7, "iwae (held out)" in -18.1 ..= -17.8;
    hmm: "loglik" in -328.528 ..= -328.526;
    inpainting;
    iwae: "elbo (held out)" in -19.45 ..= -19.2, "iwae (held out)" in -18.35 ..= -18.05;
    kalman: "level_variance" in 1455.0 ..= 1485.0, "noise_variance" in 15050.0 ..= 15150.0;
    langevin: "adjusted_mean" in -0.36 ..= -0.24, "accepted" in 0.88 ..= 0.91;
    latent_diffusion: "objective (held out)" in -114.5 ..= -112.0, "loss (held out)" in 0.2 ..= 0.27;
    linear_gaussian_posterior: "log_evidence" in -3.347128 ..= -3.347126;
    maf: "log_density (held out)" in -2.8 ..= -1.8;
    minibatch_ot;
    mixture: "loglik" in -1.2450 ..= -1.2437;
    mvn_mle: "loglik" in -2.5327643 ..= -2.5327642;
    naive_bayes: "accuracy" in 0.96 ..= 0.96, "loglik" in -2.1736673 ..= -2.1736672;
    ncsn: "error" in 0.47 ..= 0.53;
    nice: "log_density (held out)" in -0.75 ..= -0.55;
    pc_sampler;
    pf_ode_likelihood: "of_model (held out)" in -2.75 ..= -2.5, "there_back (held out)" in 0.0 ..= 1e-4;
    ppca: "loglik" in 17.4519 ..= 17.4520, "elbo" in 17.445 ..= 17.453;
    realnvp: "log_density (held out)" in -0.50 ..= -0.38;
    realnvp_derived: "log_density (held out)" in -0.77 ..= -0.45;
    rectified_flow;
    samplers;
    score_matching: "explicit_error (held out)" in 0.1 ..= 0.3, "sliced_error (held out)" in 0.15 ..= 0.4;
    score_sde: "bpd" in 0.84 ..= 0.94;
    score_sde_subvp;
    score_sde_ve;
    sliced_score_matching: "by_projections (held out)" in -2.5 ..= -2.2, "error_projections (held out)" in 0.05 ..= 0.2;
    spline_flow: "log_density (held out)" in -0.40 ..= -0.30;
    subspace;
    vae: "objective (held out)" in -108.0 ..= -106.8, "iwae (held out)" in -102.1 ..= -101.1;
    vae_categorical: "class_elbo (held out)" in -19.7 ..= -19.2, "bits_elbo (held out)" in -19.4 ..= -18.9,
        "bits_iwae (held out)" in -18.8 ..= -18.3;
    vae_digits: "elbo (held out)" in -19.3 ..= -18.9, "iwae (held out)" in -18.8 ..= -18.5;
    vae_flow_prior: "elbo (held out)" in -18.8 ..= -18.2, "iwae (held out)" in -18.0 ..= -17.5;
    vdm: "learned_bits (held out)" in 2.5 ..= 2.7, "fixed_bits (held out)" in 2.55 ..= 2.75;
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.tilde"))
}

/// `tilde` on an example; what it prints.
fn tilde(command: &str, name: &str, more: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tilde")).arg(command).arg(source(name)).args(more).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The results of training, `more` being settings of it.
fn train(name: &str, folder: &str, more: &[&str]) -> Map<String, Value> {
    let report = tilde("train", name, &[&["--json", "--quiet", "--out", folder][..], more].concat());
    serde_json::from_str::<Value>(&report).unwrap()["results"].as_object().unwrap().clone()
}

/// The first and the last value of a quantity in the log of each `train` block.
fn ends(folder: &Path, key: &str) -> BTreeMap<u64, (f64, f64)> {
    let mut ends = BTreeMap::new();
    // Nothing is logged where nothing is learned.
    for line in std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(value) = line[key].as_f64() {
            ends.entry(line["block"].as_u64().unwrap_or(0)).or_insert((value, value)).1 = value;
        }
    }
    ends
}

fn train_blocks_are_exact(name: &str) -> bool {
    std::fs::read_to_string(source(name)).unwrap().contains(" exactly }")
}

fn trains_and_samples(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let results = train(name, path, &["--steps", "20"]);
    assert!(results.values().all(|value| !value.is_null()), "{name}: not all are finite: {results:?}");
    let (gains, losses) = (ends(folder.path(), "objective"), ends(folder.path(), "loss"));
    // The players of a game are numbered, and need not gain.
    let games = ends(folder.path(), "objective1");
    let text = std::fs::read_to_string(source(name)).unwrap();
    let learns = text.lines().any(|line| line.starts_with("train"));
    assert!(!(learns && gains.is_empty() && losses.is_empty() && games.is_empty()), "{name}: nothing is logged");
    for (first, last) in gains.values() {
        // What is found exactly takes one step.
        assert!(last > first || train_blocks_are_exact(name), "{name}: the objective went from {first} to {last}");
    }
    for (block, (first, last)) in &losses {
        // A consistency model is its own target: before it has learned the data, it agrees with itself.
        assert!(last < first || (name, *block) == ("consistency", 1), "{name}: the loss went from {first} to {last}");
    }
    let declared: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("sample ")?.split_whitespace().next()).collect();
    if declared.is_empty() {
        return;
    }
    tilde("sample", name, &["--from", path, "-n", "36"]);
    for sample in declared {
        let pixels = image::open(folder.path().join(format!("{sample}.png"))).unwrap().to_luma8();
        assert!(pixels.iter().min() < pixels.iter().max(), "{name}: {sample} is of one colour");
    }
}

fn reaches(name: &str, figures: &[Figure]) {
    let folder = tempfile::tempdir().unwrap();
    let results = train(name, folder.path().to_str().unwrap(), &[]);
    for (key, low, high) in figures {
        let value = results[*key].as_f64().unwrap_or(f64::NAN);
        assert!((*low..=*high).contains(&value), "{name}: {key} is {value}, its head says {low} to {high}");
    }
}

#[test]
fn every_example_is_in_the_table() {
    let mut files: Vec<String> = std::fs::read_dir(source("coin").parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tilde"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(files, NAMES);
}

#[test]
fn every_example_is_formatted_and_says_what_it_reaches() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilde"));
    let output = command.args(["fmt", "--check"]).args(NAMES.iter().map(|name| source(name))).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for name in NAMES {
        let text = std::fs::read_to_string(source(name)).unwrap();
        assert!(text.contains(&format!("`tilde run examples/{name}.tilde`")), "the head of {name} says what a run reaches");
    }
}
