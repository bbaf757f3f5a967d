//! Mistakes that look like a correct model: what the compiler says of them, and numbers at the edge of a density.

use crate::evaluation::{close, evaluated};
use std::process::Command;
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// The rendered problems of a program, or of an expression in its scope.
fn told(program: &str, expression: &str) -> String {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    evaluated(program, expression, &engine).expect_err("is accepted")
}

fn says(told: &str, words: &[&str]) {
    words.iter().for_each(|words| assert!(told.contains(words), "{words:?} is not said in\n{told}"));
}

/// A latent variable that only other latent variables are given takes part in the bound as well.
#[test]
fn a_bound_names_the_latent_variable_without_a_posterior() {
    let p = "data x : Real = [1.0, 2.0]\np(b : Real) = Normal(0, 1)\np(a : Real | b) = Normal(b, 1)\np(x | a) = Normal(a, 1)\n\
             q(a | x) = Normal(x, 1)\n";
    for bound in ["ELBO(p, q)", "IWAE(p, q, samples: 2)"] {
        says(&told(p, bound), &["E0301", "q has no factor for b", "declare `q(b | …) = …`"]);
    }
    // The evidence itself asks for no posterior: x is Normal(0, √3).
    let evidence = |x: f64| -0.5 * (6.0 * std::f64::consts::PI).ln() - x * x / 6.0;
    close(p, "log p(x)", &[evidence(1.0), evidence(2.0)]);
}

/// The way out is written with a name that is not the variable's own.
#[test]
fn dequantisation_has_a_name_of_its_own() {
    for (name, latent) in [("x", "y"), ("y", "u")] {
        let p = format!("data {name} : Real = [1.0, 2.0]\np({name}) = Normal(0, 1)\n");
        let told = told(&p, &format!("bits_per_dim(log p({name}))")).replace("\n        ", " ");
        says(&told, &["E0307", &format!("p({name} | {latent}) = Floor({latent})"), &format!("q({latent} | {name}) = dequantise({name})")]);
    }
}

/// A value to which the map takes no argument is impossible: its log-density is −∞, and no derivative is NaN.
#[test]
fn outside_the_range_of_a_map() {
    let p = "var x : Real\nvar v : Real[2]\nparam m : Real = 0.5\nbijector half(u : Real) : Real { forward = sigmoid(u)\n \
             log_det = -softplus(u) - softplus(-u) }\nfn e(u : Real) -> Real = exp(u)\nfn t(u : Real) -> Real = 1 + 3 * tanh(u)\n\
             fn s(u : Real) -> Real = 2 * half(u)\nfn b(u : Real) -> Real = 3^u\nfn c(u : Real[2]) -> Real[2] = cumsum(exp(u))\n\
             pe(x) = pushforward(e, Normal(m, 1))\npt(x) = pushforward(t, Normal(m, 1))\nps(x) = pushforward(s, Normal(m, 1))\n\
             pb(x) = pushforward(b, Normal(m, 1))\npc(v) = pushforward(c, Normal(m, 1))\n";
    let log_normal = |x: f64| -0.5 * (x - 0.5).powi(2) - 0.5 * (2.0 * std::f64::consts::PI).ln();
    let outside = [("pe", "-1"), ("pe", "0"), ("pt", "4.5"), ("pt", "-2"), ("ps", "2.5"), ("ps", "-0.1"), ("pb", "-3")];
    let all = |of: &dyn Fn(&str, &str) -> String| format!("[{}]", outside.map(|(density, value)| of(density, value)).join(", "));
    close(p, &all(&|density, value| format!("log {density}(x = {value})")), &[f64::NEG_INFINITY; 7]);
    close(p, &all(&|density, value| format!("grad[m](log {density}(x = {value}))")), &[0.0; 7]);
    close(p, &all(&|density, value| format!("grad[m](log {density}(x = {value} + 0 * m))")), &[0.0; 7]);
    close(p, "log pc(v = [1, 0.5])", &[f64::NEG_INFINITY]);
    let u = 0.4f64;
    close(p, "log pe(x = exp(0.4))", &[log_normal(u) - u]);
    close(p, "log pt(x = 1 + 3 * tanh(0.4))", &[log_normal(u) - (3.0 / u.cosh().powi(2)).ln()]);
    close(p, "grad[m](log pe(x = exp(0.4)))", &[u - 0.5]);
}

/// The square of an unbiased estimate is no unbiased estimate of the square.
#[test]
fn a_nonlinear_function_of_an_estimate_is_biased() {
    let e = "E[z ~ q(z)](sin(z))";
    let metrics = [format!("{e}^2"), format!("exp({e})"), "log(E[z ~ q(z)](exp(sin(z))))".into(), format!("{{ let m = {e}; m * m }}")];
    let fair = [format!("2 * {e} - m"), format!("{e} * E[z ~ q(z)](cos(z))"), "E[z ~ q(z)](sin(z)^2)".into()];
    let lines: Vec<String> = metrics.iter().chain(&fair).enumerate().map(|(i, e)| format!("metric e{i} = {e}")).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("estimates.tilde");
    std::fs::write(&file, format!("param m : Real\nq(z : Real) = Normal(m, 1)\n{}\n", lines.join("\n"))).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tilde")).arg("check").arg(&file).arg("--json").output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let parts = told["parts"].as_array().unwrap();
    assert_eq!(parts.len(), lines.len());
    for (i, part) in parts.iter().enumerate() {
        let notes = part["notes"].to_string();
        let biased = i < metrics.len();
        assert_eq!(
            (notes.contains("biased (inside a nonlinearity)"), notes.contains("unbiased")),
            (biased, !biased),
            "{}: {notes}",
            lines[i]
        );
    }
}
