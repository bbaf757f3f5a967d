//! Maps between unconstrained numbers and supports: there and back, and never outside.

use crate::program::{self, compile, engine, parameters};
use tilde_lang::check::model::{Expr, ExprKind};
use tilde_lang::driver::Compiled;
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::evaluate;

/// Unconstrained numbers between -3 and 3, without a pattern.
fn scattered(count: usize, start: usize) -> Vec<f64> {
    (0..count).map(|i| 3.0 * ((i + start) as f64 * 12.9898).sin()).collect()
}

/// The value of a parameter of a type whose unconstrained numbers are given.
fn forward(ty: &str, unconstrained: Vec<f64>) -> Vec<f64> {
    program::evaluate(&format!("param y : {ty}"), "y", &[("y".into(), unconstrained)], 0).unwrap().remove(0).values
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

/// Where the library writes no inverse: a parameter that starts at a value has the unconstrained number behind it.
#[test]
fn derived_inverses_lead_back() {
    for (ty, unconstrained) in [("Positive", -2.5), ("Unit", 1.75)] {
        let value = forward(ty, vec![unconstrained])[0];
        let model = compile(&format!("param y : {ty} = {value:?}"), None).unwrap_or_else(|error| panic!("{ty}: {error}")).model;
        let start = parameters(&model, &[])[&model.params.iter().next().unwrap().0].to_f64()[0];
        assert!((start - unconstrained).abs() < 1e-13, "{ty}: {start} instead of {unconstrained}");
    }
}

#[test]
fn written_inverses_lead_back() {
    for (ty, unconstrained) in [
        ("Ordered[4]", scattered(4, 2)),
        // Of those that a shift makes equal, the logarithms of probabilities
        ("Simplex[3]", [0.2f64, 0.3, 0.5].map(f64::ln).to_vec()),
        // Nothing above the diagonal
        ("Cov[3]", vec![0.3, 0.0, 0.0, -2.0, -1.0, 0.0, 0.7, 1.5, 0.1]),
    ] {
        let Compiled { model, expression, .. } =
            compile(&format!("param y : {ty}"), Some("y")).unwrap_or_else(|error| panic!("{ty}: {error}"));
        let (_, param) = model.params.iter().next().unwrap();
        let inverse = param.constraint.as_ref().unwrap().inverse.unwrap();
        let call = Expr::new(ExprKind::Call(inverse, vec![expression.unwrap()]), model.functions[inverse].body.ty.clone(), param.span);
        let parameters = parameters(&model, &[("y".into(), unconstrained.clone())]);
        let back = evaluate::evaluate(&model, &call, &Dataset::default(), &[], &parameters, &engine(0)).unwrap().values.remove(0).values;
        assert_eq!(back.len(), unconstrained.len());
        for (back, start) in back.iter().zip(&unconstrained) {
            assert!((back - start).abs() < 1e-13, "{ty}: {back} instead of {start}");
        }
    }
}
