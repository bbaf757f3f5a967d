//! Densities, members, closed forms, functions and layers against SciPy, NumPy and PyTorch (`references/library.py`).

use crate::program::{evaluate, number};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Log-densities are differences of terms like log Γ, each right to a few units in the last place, and so are the references.
const TOLERANCE: f64 = 1e-11;

pub fn references() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/references/library.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The numbers of nested lists; JSON has no infinities, they are strings.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::String(text) => vec![text.parse().unwrap()],
        _ => vec![value.as_f64().unwrap()],
    }
}

fn agree(found: f64, expected: f64) -> bool {
    found == expected || (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
}

#[test]
fn the_library_computes_what_the_references_say() {
    let references = references();
    let mut report = String::new();
    for group in references["groups"].as_array().unwrap() {
        let text = group["declarations"].as_str().unwrap();
        let parameters: Vec<_> = group["parameters"].as_object().unwrap().iter().map(|(path, of)| (path.clone(), numbers(of))).collect();
        let expressions = group["expressions"].as_object().unwrap();
        let tuple = expressions.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let found = evaluate(text, &format!("({tuple})"), &parameters, 0).unwrap_or_else(|error| panic!("{tuple}: {error}"));
        for ((expression, expected), found) in expressions.iter().zip(found) {
            let (expected, found) = (numbers(expected), found.values);
            if found.len() != expected.len() || !found.iter().zip(&expected).all(|(&f, &e)| agree(f, e)) {
                writeln!(report, "{expression}: {found:?}, expected {expected:?}").unwrap();
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn densities_integrate_to_one() {
    // Midpoints, with jumps on the borders between cells; the tails that are left out weigh less than 1e-12.
    let continuous = |distribution: &str, low: f64, high: f64| {
        let (cells, width) = (20_000, (high - low) / 20_000.0);
        number(&format!("{width} * sum(exp({distribution}.log_prob({low} + {width} * (i + 0.5))) for i in {cells})"))
    };
    for (distribution, low, high, tolerance) in [
        ("Normal(0.3, 2.0)", -20.0, 20.0, 1e-11),
        ("Uniform(-1.0, 3.0)", -1.5, 3.5, 1e-11),
        ("Laplace(0.0, 0.5)", -20.0, 20.0, 1e-5),
        ("Logistic(0.5, 0.7)", -30.0, 30.0, 1e-11),
        ("StudentT(9.0, 0.0, 0.5)", -100.0, 100.0, 1e-11),
        ("Exponential(2.5)", 0.0, 20.0, 1e-6),
        ("Gamma(3.5, 2.0)", 0.0, 30.0, 1e-9),
        ("Beta(2.5, 3.0)", 0.0, 1.0, 1e-6),
        ("ContinuousBernoulli(-3.0)", 0.0, 1.0, 1e-8),
    ] {
        let mass = continuous(distribution, low, high);
        assert!((mass - 1.0).abs() < tolerance, "{distribution}: {mass:?}");
    }
    for (distribution, values) in [
        ("Bernoulli(0.3)", 2),
        ("Bernoulli(logits: 0.3)", 2),
        ("Categorical([0.2, 0.3, 0.5])", 3),
        ("Categorical(logits: [0.2, -0.3, 7.0])", 3),
        ("Poisson(50.0)", 200),
        ("Binomial(40, 0.3)", 41),
    ] {
        let mass = number(&format!("sum(exp({distribution}.log_prob(k)) for k in {values})"));
        assert!((mass - 1.0).abs() < 1e-12, "{distribution}: {mass:?}");
    }
}
