//! Queries of chains against the enumeration of all paths and against the joint Gaussian of all members, written out here.

use crate::evaluation::{close, evaluated, value};
use std::process::Command;
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// A hidden Markov chain of second order with two latent chains and one series; every number by enumeration.
const HIDDEN: &str = "
dim T = 5
data x[1..T] : Int = [3, 0, 2, 7, 4]
var z[1..T] : Cat<2>, w[1..T] : Bit
let A = log([[0.7, 0.3], [0.2, 0.8]]), rate = [1.0, 5.0]
let C = [[[0.1, 0.6], [0.5, 0.3]], [[0.9, 0.2], [0.4, 0.7]]]
let B = log(C / (1 - C))
p(z[1]) = Categorical(logits: log([0.6, 0.4]))
p(z[t] | z[t-1]) = Categorical(logits: A[z[t-1]])
p(w[1] | z[1]) = Bernoulli(logits: B[0, 0, z[1]])
p(w[2] | w[1], z[2]) = Bernoulli(logits: B[1, int(w[1]), z[2]])
p(w[t] | w[t-1], w[t-2], z[t]) = Bernoulli(logits: B[int(w[t-2]), int(w[t-1]), z[t]])
p(x[t] | z[t], w[t]) = Poisson(rate[z[t]] * exp(w[t] * 0.1 * t))
";

/// The probability of a path of z and of w, with the counts up to `seen`.
fn path_probability(z: &[usize], w: &[usize], seen: usize) -> f64 {
    let (x, a, rate) = ([3.0, 0.0, 2.0, 7.0, 4.0], [[0.7, 0.3], [0.2, 0.8]], [1.0, 5.0]);
    let b = [[[0.1, 0.6], [0.5, 0.3]], [[0.9, 0.2], [0.4, 0.7]]];
    let mut p = [0.6, 0.4][z[0]];
    for t in 0..5 {
        if t > 0 {
            p *= a[z[t - 1]][z[t]];
        }
        let on: f64 = match t {
            0 => b[0][0][z[0]],
            1 => b[1][w[0]][z[1]],
            _ => b[w[t - 2]][w[t - 1]][z[t]],
        };
        p *= if w[t] == 1 { on } else { 1.0 - on };
        if t < seen {
            let mean: f64 = rate[z[t]] * (w[t] as f64 * 0.1 * (t + 1) as f64).exp();
            let factorial: f64 = (1..=x[t] as u32).map(f64::from).product();
            p *= (-mean).exp() * mean.powf(x[t]) / factorial;
        }
    }
    p
}

/// The sum of the probabilities of the paths that satisfy a condition.
fn total(seen: usize, condition: impl Fn(&[usize], &[usize]) -> bool) -> f64 {
    let bits = |number: usize| (0..5).map(|t| number >> t & 1).collect::<Vec<usize>>();
    let paths = (0..32).flat_map(|z| (0..32).map(move |w| (z, w)));
    paths.map(|(z, w)| (bits(z), bits(w))).filter(|(z, w)| condition(z, w)).map(|(z, w)| path_probability(&z, &w, seen)).sum()
}

#[test]
fn forward_algorithm_is_the_sum_over_all_paths() {
    let all = total(5, |_, _| true);
    close(HIDDEN, "log p(x)", &[all.ln()]);
    close(HIDDEN, "log p(x[1..3])", &[total(3, |_, _| true).ln()]);
    close(HIDDEN, "log p(x[4..5] | x[1..3])", &[(all / total(3, |_, _| true)).ln()]);
    close(HIDDEN, "log p(z[2] = 1, z[4] = 0, x)", &[total(5, |z, _| z[1] == 1 && z[3] == 0).ln()]);
    close(HIDDEN, "log p(z = [0, 0, 1, 1, 0] | x)", &[(total(5, |z, _| z == [0, 0, 1, 1, 0]) / all).ln()]);
    close(
        HIDDEN,
        "log p(w = [1, 0, 0, 1, 1], x | z[3] = 1)",
        &[(total(5, |z, w| w == [1, 0, 0, 1, 1] && z[2] == 1) / total(0, |z, _| z[2] == 1)).ln()],
    );
    let path = path_probability(&[1, 1, 0, 0, 1], &[0, 1, 1, 0, 0], 5);
    close(HIDDEN, "log p(x, z = [1, 1, 0, 0, 1], w = [0, 1, 1, 0, 0])", &[path.ln()]);
}

#[test]
fn marginals_are_those_of_all_paths() {
    let all = total(5, |_, _| true);
    let smoothed: Vec<f64> = (0..5).flat_map(|t| (0..2).map(move |k| total(5, |z, _| z[t] == k) / all)).collect();
    close(HIDDEN, "[p(z[t] | x).probs for t in 1..T]", &smoothed);
    let on: Vec<f64> = (0..5).map(|t| total(5, |_, w| w[t] == 1) / all).collect();
    close(HIDDEN, "[p(w[t] | x).mean for t in 1..T]", &on);
    close(HIDDEN, "p(w[3] | x[1..3]).mean", &[total(3, |_, w| w[2] == 1) / total(3, |_, _| true)]);
    close(HIDDEN, "log p(z[5] = 1 | x[1..2])", &[(total(2, |z, _| z[4] == 1) / total(2, |_, _| true)).ln()]);
    close(HIDDEN, "p(z[4]).probs[0]", &[total(0, |z, _| z[3] == 0)]);
}

/// Factors may point backward in time, several series are rows, and impossible observations have probability 0.
#[test]
fn other_directions_and_rows() {
    let p = "data x[1..3] : Cat<2> = [[0, 1, 1], [1, 1, 0]]
             var z[1..3] : Cat<2>
             let A = log([[0.7, 0.3], [0.2, 0.8]]), E = log([[1.0, 0.0], [0.25, 0.75]])
             p(z[3]) = Categorical(logits: log([0.6, 0.4]))
             p(z[t] | z[t+1]) = Categorical(logits: A[z[t+1]])
             p(x[t] | z[t]) = Categorical(logits: E[z[t]])
             q(z[1]) = Categorical(logits: log([1.0, 0.0]))
             q(z[t] | z[t-1]) = Categorical(logits: log([1.0, 0.0]))
             q(x[t] | z[t]) = Categorical(logits: E[z[t]])";
    let (a, e, last) = ([[0.7, 0.3], [0.2, 0.8]], [[1.0, 0.0], [0.25, 0.75]], [0.6, 0.4]);
    let likelihood = |x: [usize; 3]| -> f64 {
        let paths = (0..8).map(|i: usize| [i & 1, i >> 1 & 1, i >> 2]);
        paths.map(|z| last[z[2]] * a[z[2]][z[1]] * a[z[1]][z[0]] * (0..3).map(|t| e[z[t]][x[t]]).product::<f64>()).sum()
    };
    close(p, "log p(x)", &[likelihood([0, 1, 1]).ln(), likelihood([1, 1, 0]).ln()]);
    close(p, "log q(x)", &[f64::NEG_INFINITY; 2]);
}

/// Each numerical derivative of log p(x) by an unconstrained parameter agrees with the symbolic one.
#[test]
fn gradients_agree_with_differences() {
    let program = |a: f64| {
        format!(
            "data x[1..6] : Int = [3, 0, 2, 7, 4, 4]
             var z[1..6] : Cat<2>, y[1..6] : Real, v[1..6] : Real
             param a : Real = {a}
             p(z[1]) = Categorical(logits: [a, 0.5])
             p(z[t] | z[t-1]) = Categorical(logits: [a * z[t-1], sin(a)])
             p(x[t] | z[t]) = Poisson(exp(a * z[t]) + 1)
             q(y[1]) = Normal(a, 1)
             q(y[t] | y[t-1]) = Normal(a * y[t-1] + 0.1 * t, exp(a))
             q(v[t] | y[t]) = Normal(a + y[t], 0.7)"
        )
    };
    let step = 1e-5;
    let difference = |e: &str| (value(&program(0.3 + step), e)[0] - value(&program(0.3 - step), e)[0]) / (2.0 * step);
    for e in ["log p(x)", "log p(z[4] = 1 | x)", "log q(v = [0.1, 0.5, -0.3, 1.0, 2.0, 0.4])"] {
        let (found, expected) = (value(&program(0.3), &format!("grad[a]({e})"))[0], difference(e));
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{e}: {found}, by differences {expected}");
    }
}

/// Means, covariances and log-densities of chains are those of the joint Gaussian, as NumPy computes them: references/chains.py.
#[test]
fn kalman_filter_is_the_joint_gaussian() {
    let p = "data x[1..5] : Real = [1.0, 0.5, 2.0, -1.0, 0.3]
             var z[1..5] : Real
             p(z[1]) = Normal(0.5, 2)
             p(z[t] | z[t-1]) = Normal(0.9 * z[t-1] + 0.1 * t, 0.7)
             p(x[t] | z[t]) = Normal(z[t], 0.8)";
    let reference = reference("scalar");
    let numbers = |key: &str| numbers(&reference[key]);
    close(p, "log p(x)", &numbers("log_evidence"));
    close(p, "log p(x[1..2], x[5])", &numbers("log_evidence_without_3_and_4"));
    close(p, "log p(x[5] | x[1..4])", &numbers("log_prediction"));
    close(p, "p(x[5] | x[1..4]).log_prob(x[5])", &numbers("log_prediction"));
    close(p, "[p(z[t] | x).mean for t in 1..5]", &numbers("smoothed_mean"));
    close(p, "[p(z[t] | x).std for t in 1..5]", &numbers("smoothed_std"));
    close(p, "log p(z[2] = 1.0 | x)", &numbers("log_second_at_1"));
    close(p, "[log p(z[t] = 1.0 | x) for t in 2..2]", &numbers("log_second_at_1"));
    close(p, "[p(z[t]).std for t in 1..5]", &numbers("prior_std"));
}

#[test]
fn vectors_have_full_covariances() {
    let p = "dim T = 6
             data x[1..T] : Real = [1.0, 0.5, 2.0, -1.0, 0.3, 0.8]
             var z[1..T] : Real[2], y[1..T] : Real[2]
             let F = [[1.0, 0.5], [-0.2, 0.9]]
             param Q : Cov[2] = identity
             p(z[1]) = MvNormal([0.0, 1.0], cov: Q)
             p(z[t] | z[t-1]) = MvNormal(F @ z[t-1], cov: Q)
             p(x[t] | z[t]) = Normal(z[t][0] + 0.5 * z[t][1] - 0.1, 0.6)
             p(y[1]) = Normal(0, 1)
             p(y[t] | y[t-1]) = Normal(sqrt(0.5) * y[t-1], 0.5)";
    let reference = reference("vector");
    let numbers = |key: &str| numbers(&reference[key]);
    close(p, "log p(x)", &numbers("log_evidence"));
    close(p, "[p(z[t] | x).mean for t in 1..T]", &numbers("smoothed_mean"));
    close(p, "[p(z[t] | x).var for t in 1..T]", &numbers("smoothed_var"));
    // Independent elements: y[t] has variance 1/2^(t-1) + (1/4) (1 + 1/2 + …)
    close(p, "p(y[3]).var", &[0.25 + 0.25 + 0.125; 2]);
}

/// The Nile's likelihood at the published estimates, and a chain of two steps' memory, against statsmodels.
#[test]
fn series_of_the_literature() {
    let nile = include_str!("../../examples/kalman.tilde");
    let fixed = nile
        .replace("level : Positive = 50", "level : Positive = sqrt(1469.1)")
        .replace("noise : Positive = 100", "noise : Positive = sqrt(15099)");
    let reference = reference("nile");
    let near = |expression: &str, expected: &[f64]| {
        let found = value(&fixed, expression);
        let agree = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8 * b.abs());
        assert!(agree, "{expression}: {found:?}, expected {expected:?}");
    };
    near("log p(x)", &numbers(&reference["log_likelihood"]));
    near("[p(z[t] | x).mean for t in 1..T]", &numbers(&reference["smoothed_mean"]));
    near("[p(z[t] | x).std for t in 1..T]", &numbers(&reference["smoothed_std"]));
}

/// Long chains are loops, and single precision is enough for them.
#[test]
fn a_thousand_steps_in_single_precision() {
    let p = "dim T = 1000
             let x[t in 1..T] = sin(0.3 * t) + 0.5 * sin(1.7 * t)
             var z[1..T] : Real, k[1..T] : Cat<3>, y[1..T] : Real
             p(z[1]) = Normal(0, 1000)
             p(z[t] | z[t-1]) = Normal(z[t-1], 0.3)
             p(y[t] | z[t]) = Normal(z[t], 0.5)
             q(k[1]) = Categorical(logits: [0.0, 0.0, 0.0])
             q(k[t] | k[t-1]) = Categorical(logits: [if k[t-1] == i then 3.0 else 0.0 for i in 3])
             q(y[t] | k[t]) = Normal(k[t] - 1, 0.5)";
    let engine = |precision| Engine { device: Device::Cpu, precision, threads: 1, seed: 0, measure: false };
    for e in ["log p(y = x) / T", "log q(y = x) / T"] {
        let [single, double] =
            [Precision::F32, Precision::F64].map(|p32| evaluated(p, e, &engine(p32)).unwrap_or_else(|e| panic!("{e}"))[0]);
        assert!((single - double).abs() < 1e-5 * double.abs(), "{e}: {single} in single precision, {double} in double");
    }
}

/// A whole chain's draws have the moments of its marginals.
#[test]
fn draws_have_the_moments_of_the_chain() {
    let text = "dim T = 3
        var z[0..T] : Real, b[0..T] : Real, k[0..T] : Bit
        p(z[0]) = Normal(1, 1)
        p(z[t] | z[t-1]) = Normal(0.5 * z[t-1] + 0.1 * t, 0.5)
        p(k[t] | z[t]) = Bernoulli(sigmoid(100_000 * z[t]))
        p(b[T]) = Normal(0, 1)
        p(b[t] | b[t+1]) = Normal(2 * b[t+1], 0.1)
        sample along = { z ~ p(z); k ~ p(k | z); z ++ k ++ [sum(k[t] * (if z[t] > 0 then 0 else 1) for t in 0..T)] }
        sample against = { b ~ p(b); b }";
    let along = draws(text, "along");
    let mean = |draws: &[Vec<f64>], i: usize| draws.iter().map(|row| row[i]).sum::<f64>() / draws.len() as f64;
    let second = |draws: &[Vec<f64>], i: usize, j: usize| draws.iter().map(|row| row[i] * row[j]).sum::<f64>() / draws.len() as f64;
    let near = |found: f64, expected: f64, spread: f64| {
        // Five standard errors of 2,000 draws
        assert!((found - expected).abs() < 5.0 * spread / 2000f64.sqrt(), "{found}, expected {expected}");
    };
    near(mean(&along, 0), 1.0, 1.0);
    near(mean(&along, 1), 0.6, 0.75);
    near(second(&along, 0, 1) - 1.0 * 0.6, 0.5, 1.5);
    assert!(mean(&along, 8) < 0.01, "each k is drawn given its own z");
    let against = draws(text, "against");
    near(second(&against, 3, 3), 1.0, 1.5);
    near(second(&against, 2, 3), 2.0, 3.0);
    near(second(&against, 1, 1), 4.0 * 4.01 + 0.01, 25.0);
}

/// What `tilde run` writes of a sample, row by row.
fn draws(text: &str, name: &str) -> Vec<Vec<f64>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.tilde");
    std::fs::write(&path, text).unwrap();
    let run =
        Command::new(env!("CARGO_BIN_EXE_tilde")).arg("run").arg(&path).arg("--quiet").arg("--out").arg(folder.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let bytes = std::fs::read(folder.path().join(format!("{name}.npy"))).unwrap();
    let header = 10 + u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let values: Vec<f64> = bytes[header..].chunks(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect();
    values.chunks(values.len() / 2000).map(<[f64]>::to_vec).collect()
}

/// A whole chain has no distribution of the library as its value.
#[test]
fn a_chain_as_a_value_is_refused() {
    let engine = Engine { device: Device::Cpu, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let problem =
        evaluated("var z[0..3] : Real\np(z[0]) = Normal(1, 1)\np(z[t] | z[t-1]) = Normal(z[t-1], 1)", "E[z ~ p(z)](z[0])", &engine);
    assert!(problem.unwrap_err().contains("the distribution of a whole chain as a value"));
}

/// Obstacles in the user's terms.
#[test]
fn what_no_rule_answers_is_said() {
    let engine = Engine { device: Device::Cpu, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let base = "data x[1..5] : Real = [1, 2, 3, 4, 5]\nvar z[1..5] : Real\np(x[t] | z[t]) = Normal(z[t], 1)\n";
    let told = |more: &str, expression: &str| evaluated(&format!("{base}{more}"), expression, &engine).unwrap_err();
    let said = |more: &str, expression: &str, words: &str| {
        let text = told(more, expression);
        assert!(text.contains(words), "{text}");
    };
    said("p(z[t] | z[t-1]) = Normal(z[t-1], 1)", "log p(x)", "p has no factor for z[1]");
    let start = "p(z[1]) = Normal(0, 1)\n";
    let through = "p(z[t] | z[t-1]) is not linear-Gaussian in z, because it passes through tanh";
    said(&format!("{start}p(z[t] | z[t-1]) = Normal(tanh(z[t-1]), 1)"), "log p(x)", through);
    let spread = "the covariance of p(z[t] | z[t-1]) depends on z";
    said(&format!("{start}p(z[t] | z[t-1]) = Normal(0, exp(z[t-1]))"), "log p(x)", spread);
    said(&format!("{start}p(z[t] | z[t-1]) = Laplace(z[t-1], 1)"), "log p(x)", "is not Gaussian, it is Laplace");
}

fn reference(name: &str) -> serde_json::Value {
    let whole: serde_json::Value = serde_json::from_str(include_str!("../references/chains.json")).unwrap();
    whole["models"][name].clone()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Array(parts) => parts.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or(f64::NAN)],
    }
}
