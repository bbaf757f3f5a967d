//! Maps between unconstrained numbers and supports: there and back, and never outside.

use crate::program::{compile, engine, evaluate, parameters};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::parameters::initial;

/// Unconstrained numbers between -3 and 3, without a pattern.
fn scattered(count: usize, start: usize) -> Vec<f64> {
    (0..count).map(|i| 3.0 * ((i + start) as f64 * 12.9898).sin()).collect()
}

/// The value of a parameter of a type whose unconstrained numbers are given.
fn forward(ty: &str, unconstrained: Vec<f64>) -> Vec<f64> {
    evaluate(&format!("param y : {ty}"), "y", &[("y".into(), unconstrained)], 0).unwrap().remove(0).values
}

#[test]
fn values_lie_in_their_supports() {
    for start in 0..5 {
        assert!(forward("Positive[4]", scattered(4, start)).iter().all(|&y| y > 0.0));
        assert!(forward("Unit[4]", scattered(4, start)).iter().all(|&y| 0.0 < y && y < 1.0));
        let simplex = forward("Simplex[4]", scattered(4, start));
        assert!((simplex.iter().sum::<f64>() - 1.0).abs() < 1e-15 && simplex.iter().all(|&y| y > 0.0), "{simplex:?}");
        let ordered = forward("Ordered[4]", scattered(4, start));
        assert!(ordered.windows(2).all(|pair| pair[0] < pair[1]), "{ordered:?}");
        // Three matrices at once
        for cov in forward("Cov[3, 2]", scattered(12, start)).chunks(4) {
            assert!(cov[1] == cov[2] && cov[0] > 0.0 && cov[0] * cov[3] > cov[1] * cov[2], "{cov:?}");
        }
    }
    // Where the exponential of the largest would overflow
    let simplex = forward("Simplex[3]", vec![1000.0, 1000.0, -1000.0]);
    assert!((simplex[0] - 0.5).abs() < 1e-12 && (simplex[1] - 0.5).abs() < 1e-12 && simplex[2] == 0.0, "{simplex:?}");
    assert_eq!(forward("Unit", vec![800.0]), [1.0]);
}

#[test]
fn inverses_lead_back() {
    for (ty, value, tolerance) in [
        ("Positive", "3.5", 1e-15),
        ("Positive[3]", "[1e-9, 1.0, 1e9]", 1e-14),
        ("Unit[4]", "[1e-12, 0.3, 0.5, 0.999]", 1e-14),
        ("Simplex[3]", "[0.2, 0.3, 0.5]", 1e-15),
        ("Ordered[3]", "ordered", 1e-15),
        ("Cov[2]", "spread", 1e-14),
    ] {
        // What only a parameter can be starts as the value of another parameter.
        let other = format!("param ordered : Ordered[3]\nparam spread : Cov[2]\nparam y : {ty} = {value}\n");
        let raw = [("ordered".to_string(), vec![-1.0, 0.3, 1.2]), ("spread".to_string(), vec![0.4, 0.0, -0.7, 0.2])];
        let expression = format!("(y, {value})");
        let compiled = compile(&other, Some(&expression)).unwrap_or_else(|error| panic!("{ty}: {error}"));
        assert!(initial(&compiled.model, &Dataset::default(), &engine(0)).is_ok() && !parameters(&compiled.model, &raw).is_empty());
        let both = evaluate(&other, &expression, &[], 0).unwrap();
        for (found, expected) in both[0].values.iter().zip(&both[1].values) {
            assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{ty}: {found} instead of {expected}");
        }
    }
}
