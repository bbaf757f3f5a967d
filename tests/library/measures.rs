//! Supports and measures: log-densities outside the support, likelihoods of whole numbers, dequantisation, bits per dimension.

use crate::program::{self, compile, draws, for_seeds, number};
use serde_json::Value;
use std::collections::BTreeMap;
use tilde_lang::backend::Precision;
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::Engine;
use tilde_lang::runtime::evaluate;

fn scalar(text: &str, expression: &str) -> f64 {
    program::evaluate(text, expression, &[], 0).unwrap_or_else(|error| panic!("{expression}: {error}"))[0].values[0]
}

const VARIABLES: &str = "param r : Real = -0.5
p(x : Positive) = Exponential(2)
p(b : Bit) = Bernoulli(0.3)
p(n : Int) = Poisson(3)
p(k : Cat<3>) = Categorical([0.2, 0.3, 0.5])
p(s : Spin) = Sign()
p(v : Positive[2]) = Gamma(2, 3)
dist Sign() : Spin { log_prob(x) = -log(2) + 0 * x }\n";

#[test]
fn outside_of_the_support_the_log_density_is_minus_infinity() {
    let never = f64::NEG_INFINITY;
    for (expression, expected) in [
        ("log p(x = r)", never),
        ("log p(x = -r)", 2f64.ln() - 1.0),
        ("log p(b = r)", never),
        ("log p(b = r + 1.5)", 0.3f64.ln()),
        ("log p(n = r)", never),
        ("log p(n = r + 2.5)", (4.5f64).ln() - 3.0),
        ("log p(n = -int(3 * r * r * 4))", never),
        ("log p(k = r)", never),
        ("log p(k = 6 * r + 5)", 0.5f64.ln()),
        ("log p(k = int(r * 10))", never),
        ("log p(k = int(-r * 10))", never),
        ("log p(s = 2 * r)", -(2f64.ln())),
        ("log p(s = r)", never),
        ("log p(v = [1, r])", never),
        ("p(x).log_prob(r)", never),
        ("Beta(2, 3).log_prob(r)", never),
        ("Beta(2, 3).log_prob(1.5 + r * 0)", never),
        ("log p(x = r, b = 1)", never),
    ] {
        let found = scalar(VARIABLES, expression);
        assert!(found == expected || (found - expected).abs() < 1e-12, "{expression}: {found}, expected {expected}");
    }
}

#[test]
fn the_gradient_outside_of_the_support_is_zero() {
    for expression in ["grad[r](log p(x = r))", "grad[r](Gamma(0.5, 2).log_prob(r))", "grad[r](log p(v = [1, r]))"] {
        assert_eq!(scalar(VARIABLES, expression), 0.0, "{expression}");
    }
    assert_eq!(scalar(VARIABLES, "grad[r](log p(x = -r))"), 2.0);
}

#[test]
fn constants_outside_of_the_support_are_errors() {
    for (expression, message) in [
        ("log p(x = -1)", "-1 is not a positive number"),
        ("p(x).log_prob(-1)", "-1 is not a positive number"),
        ("log p(v = [1, -1])", "-1 is not a positive number"),
        ("log p(k = 3)", "3 is not one of the classes 0 .. 2"),
        ("log p(n = 0.5)", "0.5 is not a whole number"),
    ] {
        assert_eq!(compile(VARIABLES, Some(expression)).err().as_deref(), Some(message), "{expression}");
    }
}

#[test]
fn cells_have_the_probabilities_of_their_integrals() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/references/discretised.json");
    let references: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let expressions = references["expressions"].as_object().unwrap();
    let tuple = expressions.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let found = program::evaluate("", &format!("({tuple})"), &[], 0).unwrap();
    for ((expression, expected), found) in expressions.iter().zip(found) {
        let (found, expected) = (found.values[0], expected.as_f64().unwrap());
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{expression}: {found}, expected {expected}");
    }
}

#[test]
fn the_probabilities_of_all_levels_sum_to_one() {
    for of in [
        "DiscretisedLogistic(100.3, 8)",
        "DiscretisedLogistic(-3, 0.1)",
        "DiscretisedNormal(100.3, 40)",
        "DiscretisedNormal(270, 1.7)",
        "DiscretisedLogisticMixture([0.3, -1], [20.5, 300], [1, 7])",
    ] {
        let total = number(&format!("logsumexp({of}.log_prob(i) for i in 256)"));
        assert!(total.abs() < 1e-10, "{of}: {total}");
        assert_eq!(number(&format!("{of}.log_prob(int(256 + 0 * uniform()))")), f64::NEG_INFINITY, "{of}");
        assert_eq!(number(&format!("{of}.log_prob(int(-1 - 0 * uniform()))")), f64::NEG_INFINITY, "{of}");
    }
    assert_eq!(number("DiscretisedLogistic(0.3, 2, levels: 1).log_prob(0)"), 0.0);
}

/// By differences of the log-probability itself.
#[test]
fn gradients_of_cells_are_finite_and_right() {
    let step = 1e-5;
    for (of, s) in [("DiscretisedLogistic", 1.5), ("DiscretisedNormal", 1.5), ("DiscretisedNormal", 9.0)] {
        let text = format!("let levels = [0, 2, 3, 4, 100, 255]\nparam m : Real = 3.3\nparam s : Positive = {s}");
        let at = |m: f64, s: f64| format!("[{of}({m}, {s}).log_prob(levels[i]) for i in 6]");
        let differences = [at(3.3 + step, s), at(3.3 - step, s), at(3.3, s + step), at(3.3, s - step)].join(", ");
        let gradients = format!("jac[m]([{of}(m, s).log_prob(levels[i]) for i in 6]), jac[s]([{of}(m, s).log_prob(levels[i]) for i in 6])");
        let found = program::evaluate(&text, &format!("({differences}, {gradients})"), &[], 0).unwrap();
        for x in 0..6 {
            for i in [0, 1] {
                let expected = (found[2 * i].values[x] - found[2 * i + 1].values[x]) / (2.0 * step);
                let gradient = found[4 + i].values[x];
                assert!((gradient - expected).abs() < 1e-5 * expected.abs().max(1.0), "{of} {x} {i}: {gradient}, expected {expected}");
            }
        }
    }
}

#[test]
fn draws_have_the_probabilities_of_their_levels() {
    for of in ["DiscretisedLogistic(1.2, 0.8, levels: 4)", "DiscretisedNormal(1.2, 1.3, levels: 4)"] {
        let drawn = draws(of, 20_000, 3);
        for level in 0..4 {
            let expected = number(&format!("exp({of}.log_prob({level}))"));
            let found = drawn.iter().filter(|&&x| x == f64::from(level)).count() as f64 / 20_000.0;
            let error = (expected * (1.0 - expected) / 20_000.0).sqrt();
            assert!((found - expected).abs() < 4.5 * error, "{of}: {found} of {level}, expected {expected}");
        }
    }
}

const DEQUANTISED: &str = "param m : Real = 0.4\nparam s : Positive = 0.3
p(y : Real) = Normal(m, s)
p(x : Int | y) = Floor(4 * y)
q(y | x) = dequantise(x, scale: 4)\n";

/// The bound is below log P(x), the probability of the cell; the importance-weighted one comes close.
#[test]
fn dequantisation_bounds_the_probability_of_a_level() {
    let exact = number("log(normal_cdf((0.5 - 0.4) / 0.3) - normal_cdf((0.25 - 0.4) / 0.3))");
    // E of the log-density under the uniform distribution on [1/4, 1/2], and its log-density log 4.
    let mean_square = ((0.5f64 - 0.4).powi(3) - (0.25f64 - 0.4).powi(3)) / 3.0 * 4.0;
    let bound = -0.5 * mean_square / 0.09 - 0.3f64.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln() - 4f64.ln();
    let expression = "E[y ~ q(y | x = 1), samples: 2000](log p(y) + log p(x = 1 | y) - log q(y | x = 1))";
    let values = for_seeds(DEQUANTISED, expression, 20).unwrap();
    let mean = values.iter().sum::<f64>() / 20.0;
    assert!((mean - bound).abs() < 5e-3, "{mean}, expected {bound}");
    assert!(bound < exact && exact - bound < 0.2, "{bound} bounds {exact}");
}

/// In single precision, where x + u may be rounded to x + 1, every draw stays in its level.
#[test]
fn a_dequantised_level_stays_below_the_next() {
    for scale in [1, 17, 256] {
        let program = compile(&format!("sample s = {{ y ~ dequantise(255, scale: {scale}); y }}"), None).unwrap();
        let engine = Engine { precision: Precision::F32, threads: 1, seed: 1, ..Engine::default() };
        let drawn =
            evaluate::sample(&program.model, &program.model.samples[0].value, 300_000, &Dataset::default(), &BTreeMap::new(), &engine);
        let values = drawn.unwrap().values.remove(0).values;
        assert!(values.iter().all(|&y| (y as f32 * scale as f32).floor() == 255.0), "{scale}");
    }
}

const PIXELS: &str = "data x : Int[64] = digits().images
param m : Real[64] = 8, s : Positive[64] = 4\n";

#[test]
fn bits_per_dimension_are_of_discrete_data() {
    for (model, expression, message) in [
        ("p(x) = DiscretisedLogistic(m, s, levels: 17)", "bits_per_dim(log p(x))", None),
        ("p(y : Real[64]) = Normal(m, s)\np(x | y) = Floor(y)\nq(y | x) = dequantise(x)", "bits_per_dim(ELBO(p, q))", None),
        (
            "p(y : Real[64]) = Normal(m, s)",
            "bits_per_dim(E[y ~ dequantise(x)](log p(y)))",
            Some("y is Real[64]: its density has no number of bits, it depends on the unit"),
        ),
        ("p(x) = DiscretisedLogistic(m, s, levels: 17)", "bits_per_dim(-log p(x))", Some("this is not the log-probability of x")),
        (
            "p(x) = DiscretisedLogistic(m, s, levels: 17)",
            "bits_per_dim(mean(x))",
            Some("bits per dimension are those of a log-probability"),
        ),
        ("p(x) = Normal(m, s)", "bits_per_dim(log p(x))", Some("`Normal` is not a density of `x`, which is Int[64]")),
    ] {
        let found = compile(&format!("{PIXELS}{model}"), Some(expression)).err();
        assert_eq!(found.as_deref(), message, "{model}\n{expression}");
    }
}
