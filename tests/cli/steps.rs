//! Steps of training against steps worked out by hand.

use super::program::{Folder, tensor};

const LINE: &str = "data (x : Real, y : Real) = csv(\"points.csv\")\nparam w : Real = 0.1\nparam b : Real = -0.2\n";
const POINTS: [(f64, f64); 3] = [(1.0, 2.0), (2.0, 3.0), (3.0, 7.0)];

/// w and b after a `train` block for the line w x + b.
fn trained(block: &str) -> [f64; 2] {
    let points: String = POINTS.iter().map(|(x, y)| format!("{x},{y}\n")).collect();
    let folder = Folder::new(&[("points.csv", &points), ("model.tilde", &format!("{LINE}{block}"))]);
    folder.fine(&["train", "model.tilde", "--quiet", "--out", "run"]);
    let bytes = folder.read("run/params.safetensors");
    ["w", "b"].map(|name| f64::from(tensor(&bytes, name)[0]))
}

/// The gradient of the mean squared error.
fn gradient([w, b]: [f64; 2]) -> [f64; 2] {
    let mean = |f: &dyn Fn(f64, f64) -> f64| POINTS.iter().map(|&(x, y)| f(x, y)).sum::<f64>() / POINTS.len() as f64;
    [mean(&|x, y| 2.0 * (w * x + b - y) * x), mean(&|x, y| 2.0 * (w * x + b - y))]
}

fn assert_close(found: [f64; 2], expected: [f64; 2]) {
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}, expected {expected:?}");
}

#[test]
fn a_later_statement_takes_the_updated_parameters_as_constants() {
    let block =
        "train {\n  minimize (w * x + b - y)^2 over w with SGD(0.01)\n  maximize (w * x + b - y)^2 over b with SGD(0.02)\n  steps: 3\n}\n";
    let [mut w, mut b] = [0.1, -0.2];
    for _ in 0..3 {
        w -= 0.01 * gradient([w, b])[0];
        b += 0.02 * gradient([w, b])[1];
    }
    assert_close(trained(block), [w, b]);
}

#[test]
fn the_turns_of_a_repeat_are_steps_of_one_optimiser() {
    let block = "train {\n  repeat 3 { minimize (w * x + b - y)^2 with Adam(0.05) }\n  steps: 2\n}\n";
    let (mut at, mut m, mut v) = ([0.1, -0.2], [0.0; 2], [0.0; 2]);
    for t in 1..=6 {
        let g = gradient(at);
        for i in 0..2 {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            at[i] -= 0.05 * m[i] / (1.0 - 0.9f64.powi(t)) / ((v[i] / (1.0 - 0.999f64.powi(t))).sqrt() + 1e-8);
        }
    }
    assert_close(trained(block), at);
}

#[test]
fn gradients_that_would_be_lost_are_refused() {
    let folder = Folder::new(&[]);
    let refused = |block: &str, words: &[&str]| {
        folder.write("model.tilde", format!("param t : Unit = 0.5\nparam s : Real\n{block}"));
        folder.refused(&["train", "model.tilde", "--out", "run"], 1, words);
    };
    refused("train { z ~ Bernoulli(t)\n minimize (z - t)^2   steps: 1 }", &["E0305", "does not pass the draw of z"]);
    refused("train { z ~ Gamma(exp(s), 1)\n minimize z   steps: 1 }", &["E0305", "does not pass the draw of z"]);
    refused("train { let r = s^2\n minimize r\n minimize r   steps: 1 }", &["E0305", "before it was updated"]);
    // The draw has no part in what is learned here.
    folder.write("model.tilde", "param t : Unit = 0.5\nparam s : Real\ntrain { z ~ Bernoulli(t)\n minimize (z - s)^2 over s   steps: 1 }");
    folder.fine(&["train", "model.tilde", "--quiet", "--out", "run"]);
}
