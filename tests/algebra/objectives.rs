//! Objectives of diffusion models where their values, minimisers and differences are known.

use crate::evaluation::{attempted, close, native as value};

/// Four points as all of the data, under a variance-preserving process, and the score of their exact diffused density, off by `c`.
const POINTS: &str = "
dim D = 2, K = 4
let mu = [[-1.0, 0.5], [1.0, 1.0], [0.3, -1.2], [0.5, 0.1]]
var x(t in 0..1) : Real[D]
data x(0) = [[-1.0, 0.5], [1.0, 1.0], [0.3, -1.2], [0.5, 0.1]]
fn log_signal(t : Real) = -1/4 * t^2 * 19.9 - 1/2 * t * 0.1
q : x(t) = exp(log_signal(t)) * x(0) + sqrt(-expm1(2 * log_signal(t))) * noise
fn log_mixture(x : Real[D], t : Real) -> Real =
  logsumexp(-norm2(x - exp(log_signal(t)) * mu[k]) / (-2 * expm1(2 * log_signal(t))) for k in K)
param c : Real = 0
fn near(x : Real[D], t : Real) -> Real[D] = grad[x](log_mixture(x, t)) + c * [1 + x[1], t]
p = reverse(q, score: near)
";

/// The mean of independent draws over all rows, and its standard error.
fn estimate(program: &str, expression: &str, draws: usize) -> (f64, f64) {
    let found = value(program, &format!("{{ let l = [{expression} for i in {draws}]; [mean(l), standard_error(l)] }}"));
    let rows = (found.len() / 2) as f64;
    let (mean, var) = found.chunks(2).fold((0.0, 0.0), |(mean, var), row| (mean + row[0] / rows, var + (row[1] / rows).powi(2)));
    (mean, var.sqrt())
}

fn expect(program: &str, expression: &str, draws: usize, expected: f64) {
    let (mean, error) = estimate(program, expression, draws);
    assert!((mean - expected).abs() <= 4.5 * error + 1e-9, "{expression}: {mean} ± {error}, expected {expected}");
}

/// Every prediction's error is that of the noise: with the same weight and the same draws, the same number.
#[test]
fn weights_mean_the_same_for_every_prediction() {
    for weight in
        ["simple", "likelihood", "truncated_snr", "min_snr", "min_snr(gamma: 2)", "edm(deviation: 1)", "x0_error", "v_error", "score_error"]
    {
        let [noise, others @ ..] = ["noise", "x0", "v", "score"]
            .map(|prediction| value(POINTS, &format!("{{ let c = 0.3; {prediction}_matching(p, q, weight: {weight}) }}")));
        for (other, noise) in others.iter().flat_map(|other| other.iter().zip(&noise)) {
            assert!((other - noise).abs() < 1e-7 * noise.abs().max(1e-3), "{weight}: {other} and {noise}");
        }
    }
    // As they are written in the literature, for the error of x0.
    close(POINTS, "[min_snr(q, 0.1) * q.snr(0.1), min_snr(q, 0.9) * q.snr(0.9)] / [5.0, q.snr(0.9)]", &[1.0; 8][..2]);
    close(POINTS, "likelihood(q, 0.4) / (-1/2 * { let t = 0.4; grad[t](q.log_snr(t)) })", &[1.0]);
}

/// Vincent 2011: denoising score matching is the implicit one and a number, with these weights 1.
#[test]
fn denoising_is_implicit_and_a_constant() {
    let off = POINTS.replace("c : Real = 0", "c : Real = 0.4");
    expect(&off, "score_matching(p, q) - implicit_score_matching(p, q)", 500, 1.0);
    for other in [
        "sliced_score_matching(p, q)",
        "sliced_score_matching(p, q, probe: gaussian, samples: 2)",
        "finite_difference_score_matching(p, q, step: 0.01)",
    ] {
        expect(&off, &format!("{other} - implicit_score_matching(p, q)"), 500, 0.0);
    }
    let p = "fn s(x : Real[2]) -> Real[2] = [x[0]^2 - x[1], 3 * x[1] * x[0]]\nlet x = [0.4, -0.7]\n";
    let [a, b] = [0.16 + 0.7, -0.84];
    let exact = 0.8 + 1.2 + (a * a + b * b) / 2.0;
    close(p, "implicit(s, x)", &[exact]);
    for other in ["sliced(s, x)", "sliced(s, x, probe: gaussian)", "sliced_vr(s, x)", "finite_difference(s, x, step: 1e-3)"] {
        let (mean, error) = estimate(p, other, 2000);
        assert!((mean - exact).abs() < 4.5 * error + 1e-4, "{other}: {mean} ± {error}, expected {exact}");
    }
}

#[test]
fn the_exact_score_is_the_minimum() {
    let objectives =
        ["noise_matching(p, q)", "x0_matching(p, q, weight: min_snr)", "v_matching(p, q, weight: simple)", "score_matching(p, q)"];
    for objective in objectives.iter().chain(&["implicit_score_matching(p, q)", "sliced_score_matching(p, q)"]) {
        expect(POINTS, &format!("grad[c]({objective})"), 300, 0.0);
        let off = POINTS.replace("c : Real = 0", "c : Real = 0.5");
        let (slope, error) = estimate(&off, &format!("grad[c]({objective})"), 300);
        assert!(slope > 5.0 * error, "{objective}: {slope} ± {error}");
    }
}

#[test]
fn times_keep_or_change_the_expectation() {
    // Importance sampling makes the weight a constant: half the fall of the log-SNR.
    let fall = value(POINTS, "(q.log_snr(1e-3) - q.log_snr(1.0)) / (2 * 0.999)")[0];
    for found in value(POINTS, "[{ let (t, ratio) = importance(q); ratio * likelihood(q, t) } for i in 5]") {
        assert!((found / fall - 1.0).abs() < 1e-6, "{found} and {fall}");
    }
    let wide = "var x(t in 0..1) : Real\nq : x(t) = x(0) + 1e-4 * 1e8^t * noise\n";
    expect(wide, "{ let (t, ratio) = log_normal(q, mean: -0.5, std: 0.8); log(noise_to_signal(q, t)) }", 500, -0.5);
    expect(wide, "{ let (t, ratio) = log_normal(q, std: 0.8); (log(noise_to_signal(q, t)) + 1.2)^2 }", 500, 0.64);
}

/// Two levels, equally often, and the denoiser that is exact for them: the bound is tight, log 2 whatever the schedule.
#[test]
fn the_variational_bound_is_the_entropy() {
    for shape in ["t", "t^2", "1/2 * t + 1/2 * sin(pi * t / 2)"] {
        let p = format!(
            "var x(t in 0..1) : Real[1]\ndata x(0) = [[0.0], [1.0]]\nfn gamma(t : Real) = -9 + 18 * ({shape})\n\
             q : x(t) = sqrt(sigmoid(-gamma(t))) * x(0) + sqrt(sigmoid(gamma(t))) * noise\n\
             fn exact(x : Real[1], t : Real) -> Real[1] = sigmoid((x * q.signal(t) - q.signal(t)^2 / 2) / q.var(t))\np = reverse(q, x0: exact)\n"
        );
        expect(&p, "variational_loss(p, q, levels: 2)", 40_000, 2f64.ln());
    }
    let problem = attempted(POINTS, "variational_loss(p, q, levels: 7)").unwrap_err();
    assert!(problem.contains("7 evenly spaced levels"), "{problem}");
}

/// Normal data: the flow is a scaling, and so is the exact consistency function.
#[test]
fn the_exact_consistency_function_is_consistent() {
    let p = "
var x(t in 0..1) : Real[1]
data x(0) = [[0.3], [-0.8]]
q : x(t) = x(0) + 0.01 * 1000^t * noise
fn score(x : Real[1], t : Real) -> Real[1] = -x / (0.25 + q.var(t))
p = reverse(q, score: score)
fn f(x : Real[1], t : Real) -> Real[1] = x * 0.5 / sqrt(0.25 + q.var(t))
fn F(x : Real[1], t : Real) -> Real[1] = sin(3 * x) + t
";
    let losses = [20, 40].map(|steps| estimate(p, &format!("consistency_distillation(f, p, steps: {steps})"), 200).0);
    assert!(losses[0] < 1e-4 && losses[1] < losses[0] / 16.0, "{losses:?}");
    close(p, "consistent(F, q, [0.7], q.time(1e-3))", &[0.7]);
    for steps in 1..=2 {
        let second = format!("sum(consistency_sampler(f, p, steps: {steps})^2)");
        let (mean, error) = estimate(p, &second, 2000);
        assert!((mean - 0.25).abs() < 4.5 * error + 1e-3, "{steps} steps: {mean} ± {error}");
    }
}

#[test]
fn what_objectives_refuse() {
    for (expression, told) in [
        ("noise_matching(p, q, weight: min_snr(gama: 2))", "`gama`"),
        ("noise_matching(p, q, weight: min_snr(gamma: c))", "not known while compiling"),
        ("noise_matching(p, q, weight: min_snr(gamma: 2, gamma: 3))", "given twice"),
        ("sliced_score_matching(p, q, samples: 0)", "0 probes"),
        ("consistency_training(near, q, steps: 0)", "at least one"),
    ] {
        let problem = attempted(POINTS, expression).unwrap_err();
        assert!(problem.contains(told), "{expression}: {problem}");
    }
}
