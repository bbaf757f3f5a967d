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
    // Midpoints in t, after a change of variables x(t) with the derivative dx; what is left out weighs less than 1e-12.
    let cells = 4000;
    let (real, positive, unit) = (("t(i)", "1"), ("exp(t(i))", "exp(t(i))"), ("sigmoid(t(i))", "sigmoid(t(i)) * sigmoid(-t(i))"));
    for (distribution, (x, dx), low, high, tolerance) in [
        ("Normal(0.3, 2.0)", real, -20.0, 20.0, 1e-11),
        ("Uniform(-1.0, 3.0)", real, -1.5, 3.5, 1e-11),
        // A corner of height 1 costs width² / 12 · its change of slope.
        ("Laplace(0.0, 0.5)", real, -20.0, 20.0, 4e-5),
        ("Logistic(0.5, 0.7)", real, -30.0, 30.0, 1e-11),
        ("StudentT(9.0, 0.0, 0.5)", real, -100.0, 100.0, 1e-11),
        ("Exponential(2.5)", positive, -40.0, 5.0, 1e-11),
        ("Gamma(0.7, 2.0)", positive, -60.0, 5.0, 1e-11),
        ("Gamma(3.5, 2.0)", positive, -20.0, 5.0, 1e-11),
        ("Beta(2.5, 0.7)", unit, -60.0, 60.0, 1e-11),
        ("ContinuousBernoulli(-3.0)", unit, -40.0, 40.0, 1e-11),
    ] {
        let width = (high - low) / f64::from(cells);
        let text = format!("fn t(i : Int) -> Real = {low:?} + {width} * (i + 0.5)");
        let mass = evaluate(&text, &format!("{width} * sum(exp({distribution}.log_prob({x})) * {dx} for i in {cells})"), &[], 0);
        let mass = mass.unwrap_or_else(|error| panic!("{distribution}: {error}"))[0].values[0];
        assert!((mass - 1.0).abs() < tolerance, "{distribution}: {mass:?}");
    }
    // An expectation over few values is the sum over them.
    for distribution in ["Bernoulli(0.3)", "Bernoulli(logits: 0.3)", "Categorical([0.2, 0.3, 0.5])", "Categorical(logits: [0.2, 7.0])"] {
        let mass = number(&format!("E[x ~ {distribution}](1.0)"));
        assert!((mass - 1.0).abs() < 1e-14, "{distribution}: {mass:?}");
    }
    for (distribution, values) in [("Poisson(0.01)", 20), ("Poisson(50.0)", 200), ("Binomial(40, 0.3)", 41)] {
        let mass = number(&format!("sum(exp({distribution}.log_prob(k)) for k in {values})"));
        assert!((mass - 1.0).abs() < 1e-12, "{distribution}: {mass:?}");
    }
}
