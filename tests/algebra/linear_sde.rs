//! Kernels of linear stochastic equations with matrix, diagonal and scalar coefficients, against the equations of their mean and covariance
//! as SciPy integrates them: references/linear_sde.json.

use crate::evaluation::close;
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The reference's model as a file declares it, its constants before the equation. The Brownian bridge has no equation at time 1.
fn program(model: &Value, state: &str, rows: &str, equation: &str) -> String {
    let inputs = model["inputs"].as_object().unwrap();
    let constants: String = inputs.iter().map(|(key, value)| format!("let {key} = {value}\n")).collect();
    format!("{constants}var x(t in 0..0.9) : {state}\ndata x(0) = {rows}\nq : {equation}")
}

fn model(name: &str) -> Value {
    let whole: Value = serde_json::from_str(include_str!("../references/linear_sde.json")).unwrap();
    whole["models"][name].clone()
}

fn spans(model: &Value) -> impl Iterator<Item = (usize, (&Value, &Value))> {
    model["inputs"]["spans"].as_array().unwrap().iter().map(|span| (&span[0], &span[1])).enumerate()
}

/// Means from 0 and 1, and the variance.
fn scalar(name: &str, equation: &str) {
    let model = model(name);
    let (mut expressions, mut expected) = (vec![], vec![]);
    for (i, (s, t)) in spans(&model) {
        let kernel = |state: &str| format!("q(x({t}) | x({s}) = {state})");
        expressions.push(format!("{0}.mean, {1}.mean, {0}.var", kernel("0.0"), kernel("1.0")));
        let [signal, shift, var] = [&["signal", "0", "0"][..], &["shift", "0"], &["var", "0", "0"]]
            .map(|path| number(model["values"].pointer(&format!("/{}/{i}/{}", path[0], path[1..].join("/"))).unwrap()));
        expected.extend([shift, signal + shift, var]);
    }
    close(&program(&model, "Real", "[0.5, 1.0]", equation), &format!("({})", expressions.join(", ")), &expected);
}

/// Means from the origin and the two unit states, and the covariance; `.var` of a diagonal one.
fn planar(name: &str, equation: &str, diagonal: bool) {
    let model = model(name);
    let (mut expressions, mut expected) = (vec![], vec![]);
    for (i, (s, t)) in spans(&model) {
        let [signal, shift, var] = ["signal", "shift", "var"].map(|key| &model["values"][key][i]);
        for (state, column) in [("[0.0, 0.0]", None), ("[1.0, 0.0]", Some(0)), ("[0.0, 1.0]", Some(1))] {
            expressions.push(format!("q(x({t}) | x({s}) = {state}).mean"));
            expected.extend([0, 1].map(|row| number(&shift[row]) + column.map_or(0.0, |column: usize| number(&signal[row][column]))));
        }
        expressions.push(format!("q(x({t}) | x({s}) = [0.0, 0.0]).{}", if diagonal { "var" } else { "cov" }));
        let entries = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().filter(|(row, column)| !diagonal || row == column);
        expected.extend(entries.map(|(row, column)| number(&var[row][column])));
    }
    close(&program(&model, "Real[2]", "[[0.5, 1.0]]", equation), &format!("({})", expressions.join(", ")), &expected);
}

#[test]
fn scalar_coefficients() {
    scalar("brownian_bridge", "dx = (y - x) / (1 - t) dt + 1 dW");
    scalar("rational", "dx = -x / (1 + t) dt + t / (1 + t^2) dW");
    scalar("trigonometric", "dx = -cos(3 * t) * x dt + sin(t) dW");
    scalar("not_elementary", "dx = -exp(-t^2) * x dt + sqrt(1 + t^3) dW");
}

#[test]
fn constant_matrices() {
    let damped = "dx = [[0.0, beta / mass], [-beta, -beta * friction / mass]] @ x dt + [[0.0, 0.0], [0.0, sqrt(2 * friction * beta)]] dW";
    planar("critically_damped_langevin", damped, false);
    planar("rotation", "dx = F @ x dt + G dW", false);
    planar("symmetric_with_shift", "dx = (F @ x + [sin(t), 1]) dt + G dW", false);
}

#[test]
fn matrices_that_change_with_time() {
    planar("commuting", "dx = (1 + t) * F @ x dt + sqrt(1 + t) * G dW", false);
    planar("not_commuting", "dx = (F + t * H) @ x dt + G dW", false);
    planar("diagonal", "dx = -[1.0, 3.0] * x dt + [t, exp(-t)] dW", true);
}
