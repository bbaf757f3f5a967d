//! Likelihoods by the probability flow, on a Gaussian mixture whose posterior mean is known: against its log-density.

use crate::evaluation::{attempted, close, native as value};

/// A mixture under a variance-preserving process that leaves e⁻²⁰ of the data, with the exact mean of x(0) as the network.
const MIXTURE: &str = "
dim D = 2, K = 3
let w = [0.5, 0.3, 0.2], mu = [[-1.0, 0.5], [1.0, 1.0], [0.3, -1.2]], s = [0.4, 0.3, 0.5]
var x(t in 0..1) : Real[D]
data x(0) = [[0.3, -0.7], [1.1, 0.9], [-2.0, 0.4]]
fn log_signal(t : Real) = -1/4 * t^2 * 79.9 - 1/2 * t * 0.1
q : x(t) = exp(log_signal(t)) * x(0) + sqrt(-expm1(2 * log_signal(t))) * noise
fn log_mixture(x : Real[D], t : Real) -> Real {
  let a = exp(log_signal(t)), b = sqrt(-expm1(2 * log_signal(t)))
  let v = [a^2 * s[k]^2 + b^2 for k in K]
  logsumexp([log(w[k]) - norm2(x - a * mu[k]) / (2 * v[k]) - D / 2 * log(2 * pi * v[k]) for k in K])
}
fn exact(x : Real[D], t : Real) -> Real[D] {
  let a = exp(log_signal(t)), b = sqrt(-expm1(2 * log_signal(t)))
  let v = [a^2 * s[k]^2 + b^2 for k in K]
  let r = softmax([log(w[k]) - norm2(x - a * mu[k]) / (2 * v[k]) - D / 2 * log(v[k]) for k in K])
  [sum(r[k] * (mu[k, i] + a * s[k]^2 / v[k] * (x[i] - a * mu[k, i])) for k in K) for i in D]
}
p = reverse(q, x0: exact)
";

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "found {found:?}, expected {expected:?}");
    }
}

#[test]
fn the_flow_has_the_density_of_the_mixture() {
    let exact = value(MIXTURE, "log_mixture(x(0), 1e-3)");
    near(&value(MIXTURE, "log_likelihood(flow(p), x(0), steps: 400)"), &exact, 1e-6);
    // A method of order 4: half the step, a sixteenth of the error.
    let [coarse, fine] = [50, 100].map(|steps| value(MIXTURE, &format!("log_likelihood(flow(p), x(0), steps: {steps})")));
    let error = |found: &[f64]| found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error(&coarse) / error(&fine) > 10.0, "{} and {}", error(&coarse), error(&fine));
}

#[test]
fn steps_of_their_own() {
    let exact = value(MIXTURE, "log_mixture(x(0), 1e-3)");
    near(&value(MIXTURE, "adaptive_log_likelihood(flow(p), x(0), rtol: 1e-8, atol: 1e-8)"), &exact, 1e-6);
    near(&value(MIXTURE, "adaptive_log_likelihood(flow(p), x(0))"), &exact, 1e-3);
    for (expression, told) in [
        ("log_likelihood(p, x(0))", "without noise"),
        ("encode(flow(p), x(0), steps: 0)", "at least one"),
        ("adaptive_log_likelihood(flow(p), x(0), rtol: 1e-9, atol: 1e-9, most_steps: 3)", "after 3 steps"),
    ] {
        let problem = attempted(MIXTURE, expression).unwrap_err();
        assert!(problem.contains(told), "{expression}: {problem}");
    }
}

#[test]
fn hutchinson_is_unbiased_and_knows_its_error() {
    let exact = value(MIXTURE, "log_mixture(x(0), 1e-3)");
    for trace in ["hutchinson", "hutchinson(probe: gaussian)", "hutchinson(samples: 4)"] {
        let draws =
            format!("{{ let l = [log_likelihood(flow(p), x(0), steps: 50, trace: {trace}) for i in 40]; [mean(l), standard_error(l)] }}");
        for (found, exact) in value(MIXTURE, &draws).chunks(2).zip(&exact) {
            assert!((found[0] - exact).abs() < 4.0 * found[1] + 1e-3, "{trace}: {found:?}, {exact}");
            assert!(found[1] > 0.0 && found[1] < 0.1, "{trace}: {found:?}");
        }
    }
}

#[test]
fn codes_are_undone() {
    near(&value(MIXTURE, "decode(flow(p), encode(flow(p), x(0), steps: 400), steps: 400) - x(0)"), &[0.0; 6], 1e-6);
    near(&value(MIXTURE, "interpolate(flow(p), x(0), [1.0, 1.0], 0.0, steps: 400) - x(0)"), &[0.0; 6], 1e-6);
    let eighth = std::f64::consts::PI / 8.0;
    close("", "spherical([1.0, 0.0], [0.0, 1.0], 0.25)", &[eighth.cos(), eighth.sin()]);
    close(
        "",
        "[arctan(-0.3), arctan(1e8), arccos(0.3), arccos(-1), arccos(1)]",
        &[(-0.3f64).atan(), 1e8f64.atan(), 0.3f64.acos(), 8.0 * eighth, 0.0],
    );
}
