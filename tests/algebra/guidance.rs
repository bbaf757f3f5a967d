//! Guidance where the exact answer is known: two normal classes in one dimension, diffused.

use crate::evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// x(0) given y is N(m_y, s²), both classes are equally likely. `noise` is what a perfect network would say, `none` the class 2.
const CLASSES: &str = "
var x(t in 0..1) : Real
data x(0) = [0.0, 1.0]
var y : Cat<2>
let s = 0.5
let m = [-1.0, 2.0]
q : dx = -1/2 * x dt + dW
fn total(t) = q.signal(t)^2 * s^2 + q.var(t)
fn share(x, t) = sigmoid((-(x - q.signal(t) * m[1])^2 + (x - q.signal(t) * m[0])^2) / (2 * total(t)))
fn of_class(x, t, y) = -(x - q.signal(t) * m[y]) / total(t)
fn of_all(x, t) = (1 - share(x, t)) * of_class(x, t, 0) + share(x, t) * of_class(x, t, 1)
fn score(x : Real, t : Real, y : Cat<3>) = if y == 2 then of_all(x, t) else of_class(x, t, min(y, 1))
";

/// Scores of the classes and of their mixture at x and t.
fn exact(x: f64, t: f64) -> ([f64; 2], f64, f64) {
    let (a, var) = ((-t / 2.0).exp(), 1.0 - (-t).exp());
    let total = a * a * 0.25 + var;
    let classes = [-1.0, 2.0].map(|m| -(x - a * m) / total);
    let logit = [-1.0, 2.0].map(|m: f64| -(x - a * m).powi(2) / (2.0 * total));
    let share = 1.0 / (1.0 + (logit[0] - logit[1]).exp());
    (classes, share, (1.0 - share) * classes[0] + share * classes[1])
}

/// What each network predicts, from the score.
const PREDICTIONS: [(&str, &str); 4] = [
    ("score", "score(x, t, y)"),
    ("noise", "-q.noise(t) * score(x, t, y)"),
    ("x0", "(x + q.var(t) * score(x, t, y)) / q.signal(t)"),
    ("velocity", "-1/2 * x - 1/2 * score(x, t, y)"),
];

#[test]
fn classifier_free_guidance_extrapolates_from_no_label() {
    let (x, t) = (0.3, 0.7);
    let (classes, _, all) = exact(x, t);
    let (a, var) = ((-t / 2.0f64).exp(), 1.0 - (-t).exp());
    for (prediction, network) in PREDICTIONS {
        let p = format!("{CLASSES}fn f(x : Real, t : Real, y : Cat<3>) = {network}\np = reverse(q, {prediction}: f)\n");
        close(&p, "guide(p, y = 1, weight: 0).score(0.3, 0.7)", &[classes[1]]);
        let guided = 3.0 * classes[1] - 2.0 * all;
        close(&p, "guide(p, y = 1, weight: 2).score(0.3, 0.7)", &[guided]);
        close(&p, "guide(p, y = 1, weight: 2).x0(0.3, 0.7)", &[(x + var * guided) / a]);
        close(&p, "guide(p, y = 1, weight: 2).drift(0.3, 0.7)", &[-x / 2.0 - guided]);
        close(&p, "flow(guide(p, y = 1, weight: 2)).drift(0.3, 0.7)", &[-x / 2.0 - guided / 2.0]);
        close(&p, "guide(flow(p), y = 1, weight: 2).drift(0.3, 0.7)", &[-x / 2.0 - guided / 2.0]);
        close(&p, "{ y ~ Categorical([0.0, 1.0]); guide(p, y, weight: 2).score(0.3, 0.7) }", &[guided]);
    }
}

#[test]
fn labels_and_weights_may_run() {
    let p = format!("{CLASSES}p = reverse(q, score: score)\n");
    let (classes, _, all) = exact(0.3, 0.7);
    let expected = [0, 1].map(|y| 2.0 * classes[y] - all);
    close(&p, "[guide(p, y = k, weight: 1).score(0.3, 0.7) for k in 0..1]", &expected);
    let expected = [0.0, 1.0, 2.0].map(|w| (1.0 + w) * classes[0] - w * all);
    close(&p, "[guide(p, y = 0, weight: w).score(0.3, 0.7) for w in 0..2]", &expected);
    close(&format!("{p}fn at(p : Process, w) = guide(p, y = 0, weight: w).score(0.3, 0.7)\n"), "[at(p, 1), at(p, 2.0)]", &expected[1..]);
    close(&format!("{p}g = guide(p, y = 0, weight: 2)\n"), "g.score(0.3, 0.7)", &expected[2..]);
}

#[test]
fn dropped_labels_are_none() {
    let p = format!("{CLASSES}p = reverse(q, score: score)\n");
    let (classes, _, all) = exact(0.3, 0.7);
    close(&p, "{ y ~ Categorical([1.0, 0.0]); drop(p, y, rate: 0).score(0.3, 0.7) }", &[classes[0]]);
    close(&p, "{ y ~ Categorical([1.0, 0.0]); drop(p, y, rate: 1).score(0.3, 0.7) }", &[all]);
    let mean = value(&p, "mean({ y ~ Categorical([1.0, 0.0]); drop(p, y, rate: 0.25).score(0.3, 0.7) } for i in 4000)")[0];
    let share = (mean - classes[0]) / (all - classes[0]);
    assert!((share - 0.25).abs() < 4.0 * (0.25f64 * 0.75 / 4000.0).sqrt(), "{share} of the labels were dropped");
}

/// Real labels: zeros mean none.
#[test]
fn labels_may_be_vectors() {
    let p = "
var x(t in 0..1) : Real[2]
data y : Real[2] = [[1.0, 3.0]]
q : dx = -1/2 * x dt + dW
fn f(x : Real[2], t : Real, y : Real[2]) = y - x
p = reverse(q, score: f)
";
    close(p, "guide(p, y, weight: 0.5).score([0.5, 0.5], 0.7)", &[1.5 - 0.5, 4.5 - 0.5]);
    close(p, "drop(p, y, rate: 1).score([0.5, 0.5], 0.7)", &[-0.5, -0.5]);
}

/// Bayes' rule for scores: the mixture's score, moved by the gradient of the posterior of the class, is the score of the class.
#[test]
fn a_factor_of_the_label_guides_to_the_conditional() {
    let (x, t) = (0.3, 0.7);
    let (classes, share, all) = exact(x, t);
    let (a, var) = ((-t / 2.0f64).exp(), 1.0 - (-t).exp());
    for (prediction, network) in PREDICTIONS {
        let network = network.replace("score(x, t, y)", "of_all(x, t)");
        let p = format!(
            "{CLASSES}fn f(x : Real, t : Real) = {network}\np = reverse(q, {prediction}: f)\n\
             p(y | x(t)) = Categorical(logits: [log(1 - share(x(t), t)), log share(x(t), t)])\n"
        );
        close(&p, "log p(y = 1 | x(0.7) = 0.3)", &[share.ln()]);
        close(&p, "p(y | x(0.7) = 0.3).probs", &[1.0 - share, share]);
        close(&p, "guide(p, y = 1, weight: 1).score(0.3, 0.7)", &[classes[1]]);
        close(&p, "guide(p, y = 1).noise(0.3, 0.7)", &[-var.sqrt() * classes[1]]);
        close(&p, "guide(p, y = 1).x0(0.3, 0.7)", &[(x + var * classes[1]) / a]);
        close(&p, "guide(p, y = 0).drift(0.3, 0.7)", &[-x / 2.0 - classes[0]]);
        close(&p, "guide(p, y = 0, weight: 3).score(0.3, 0.7)", &[all + 3.0 * (classes[0] - all)]);
        close(&p, "[guide(p, y = k).score(0.3, 0.7) for k in 0..1]", &classes);
    }
}

/// A measurement as a factor of the state: diffusion posterior sampling, with any sampler.
#[test]
fn a_measurement_guides_to_the_posterior() {
    // x(0) ~ N(0, 1), y = 2 x(0) + N(0, 0.3²)
    let p = "
var x(t in 0..1) : Real
data x(0) = [0.0]
var y : Real
q : dx = -1/2 * x dt + dW
fn f(x : Real, t : Real) = -x
p = reverse(q, score: f)
p(y | x(t)) = Normal(2 * p.x0(x(t), t), sqrt(0.3^2 + 4 * q.var(t)))
";
    let (x, t, y) = (0.3, 0.7f64, 1.5);
    let (a, var) = ((-t / 2.0).exp(), 1.0 - (-t).exp());
    // x(0) given y: precision 1 + 4 / 0.09
    let precision = 1.0 + 4.0 / 0.09;
    let (mean, posterior) = (2.0 / 0.09 * y / precision, 1.0 / precision);
    let expected = -(x - a * mean) / (a * a * posterior + var);
    close(p, "guide(p, y = 1.5).score(0.3, 0.7)", &[expected]);
}

/// Draws of a state of two elements.
fn draws(program: &str, expression: &str) -> Vec<[f64; 2]> {
    let engine = Engine { device: Device::Cpu, precision: Precision::F64, threads: 2, seed: 11, measure: false };
    let values = evaluated(program, expression, &engine).unwrap_or_else(|problems| panic!("{problems}"));
    values.chunks_exact(2).map(|x| [x[0], x[1]]).collect()
}

/// Mean and covariance of draws agree with those of a normal distribution within four standard errors.
fn agree(draws: &[[f64; 2]], mean: [f64; 2], cov: [[f64; 2]; 2]) {
    let n = draws.len() as f64;
    for i in 0..2 {
        let found = draws.iter().map(|x| x[i]).sum::<f64>() / n;
        assert!((found - mean[i]).abs() < 4.0 * (cov[i][i] / n).sqrt(), "mean {i}: {found}, expected {}", mean[i]);
        for j in 0..2 {
            let found = draws.iter().map(|x| (x[i] - mean[i]) * (x[j] - mean[j])).sum::<f64>() / n;
            let error = ((cov[i][i] * cov[j][j] + cov[i][j].powi(2)) / n).sqrt();
            assert!((found - cov[i][j]).abs() < 4.0 * error, "covariance {i}, {j}: {found}, expected {} ± {error}", cov[i][j]);
        }
    }
}

#[test]
fn posterior_sampling_draws_from_the_posterior_of_a_normal_prior() {
    // x(0) ~ N(0, 0.8²), y = x₀ + 2 x₁ + N(0, 0.3²)
    let p = "
var x(t in 0..1) : Real[2]
data x(0) = [[0.0, 0.0]]
q = vp(x)
fn f(x : Real[2], t : Real) = -x / (0.8^2 * q.signal(t)^2 + q.var(t))
p = reverse(q, score: f)
";
    let draws = draws(p, "[posterior_sampling(p, [1.5], [[1.0, 2.0]], 0.3, spread: 0.8, steps: 200) for i in 2000]");
    let (prior, total) = (0.64, 5.0 * 0.64 + 0.09);
    let gain = [1.0, 2.0].map(|a| prior * a / total);
    let cov = [0, 1].map(|i| [0, 1].map(|j| f64::from(u8::from(i == j)) * prior - gain[i] * [1.0, 2.0][j] * prior));
    agree(&draws, gain.map(|gain| gain * 1.5), cov);
}

#[test]
fn inpainting_keeps_what_is_known_and_draws_the_rest_given_it() {
    // Unit variances, correlation 0.8
    let p = "
var x(t in 0..1) : Real[2]
data x(0) = [[0.0, 0.0]]
q = vp(x)
fn along(x, t, u, v) = v * dot(x, v) / (u * q.signal(t)^2 + q.var(t)) / 2
fn f(x : Real[2], t : Real) = -along(x, t, 1.8, [1.0, 1.0]) - along(x, t, 0.2, [1.0, -1.0])
p = reverse(q, score: f)
";
    let draws = draws(p, "[inpaint(p, [1.0, 0.0], [1.0, 0.0], steps: 50, repeats: 10) for i in 2000]");
    assert!(draws.iter().all(|x| (x[0] - 1.0).abs() < 1e-12));
    let n = draws.len() as f64;
    let mean = draws.iter().map(|x| x[1]).sum::<f64>() / n;
    assert!((mean - 0.8).abs() < 4.0 * (0.36 / n).sqrt(), "mean {mean}");
    // Every step lacks the variance of x(0) given x(t), so that repeated coarse steps narrow the draws: 0.36 is the limit of small steps.
    let var = draws.iter().map(|x| (x[1] - mean).powi(2)).sum::<f64>() / n;
    assert!((0.2..0.38).contains(&var), "variance {var}");
}
