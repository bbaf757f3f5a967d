//! Estimators of expectations and of their gradients: unbiased against enumeration, and what baselines and closed forms gain.

use crate::program::{self, compile, for_seeds, number};

fn scalar(text: &str, expression: &str) -> f64 {
    program::evaluate(text, expression, &[], 0).unwrap_or_else(|error| panic!("{expression}: {error}"))[0].values[0]
}

/// Mean and standard deviation over seeds.
fn moments(text: &str, expression: &str, seeds: u32) -> (f64, f64) {
    let values = for_seeds(text, expression, seeds).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt())
}

/// Within four standard errors over the seeds; the standard deviation of one.
fn unbiased(text: &str, expression: &str, exact: f64) -> f64 {
    let seeds = 2000;
    let (mean, deviation) = moments(text, expression, seeds);
    let error = deviation / f64::from(seeds).sqrt();
    assert!((mean - exact).abs() <= 4.0 * error + 1e-12, "{expression}: {mean} ± {error}, exactly {exact}");
    assert!(error < 0.2 * exact.abs(), "{expression}: {mean} ± {error} says little of {exact}");
    deviation
}

const BITS: &str = "param a : Real[3] = 0.3, b : Real[3] = -0.2
p(z : Bit[3]) = Bernoulli(logits: a)
p(x : Real | z) = Normal(sum(z * [1.0, -0.5, 2.0]), 0.8)
q(z | x) = Bernoulli(logits: b)\n";

const SUM: &str = "(sum(z * [1.0, -0.5, 2.0]) - 0.4)^2 + 3";

#[test]
fn score_function_gradients_are_unbiased_and_a_baseline_lowers_their_variance() {
    let exact = scalar(BITS, &format!("grad[b](E[z ~ q(z | x = 0)]({SUM}))[2]"));
    let gradient = |settings: &str| format!("grad[b](E[z ~ q(z | x = 0), {settings}]({SUM}))[2]");
    let one = unbiased(BITS, &gradient("samples: 1, estimator: score_function"), exact);
    let two = unbiased(BITS, &gradient("samples: 2, estimator: score_function"), exact);
    let eight = unbiased(BITS, &gradient("samples: 8, estimator: score_function"), exact);
    assert!(two < 0.8 * one / 2f64.sqrt(), "two draws with a baseline: {two}, one without: {one}");
    assert!(eight < 0.5 * one / 8f64.sqrt(), "eight draws with a baseline: {eight}, one without: {one}");
}

/// Ten bits are 1,024 values, which are summed over; eleven are drawn.
const MANY: &str = "param b : Real[11] = -0.2
q(z : Bit[11]) = Bernoulli(logits: b)\n";

#[test]
fn draws_that_cannot_be_enumerated_get_a_baseline_by_default() {
    // E (Σ w z)² = Var + mean²
    let probability = 1.0 / (1.0 + 0.2f64.exp());
    let slope = probability * (1.0 - probability);
    // ∂/∂p₀ of Σ p (1 − p) + (Σ p)² at equal p
    let exact = slope * (1.0 - 2.0 * probability + 2.0 * 11.0 * probability);
    let two = unbiased(MANY, "grad[b](E[z ~ q(z)](sum(z)^2))[0]", exact);
    let plain = unbiased(MANY, "grad[b](E[z ~ q(z), samples: 1](sum(z)^2))[0]", exact);
    assert!(two < 0.6 * plain, "{two} by default, {plain} of one draw");
}

const ONE_BIT: &str = "param a : Real = 0.3, b : Real = -0.2
p(z : Bit) = Bernoulli(logits: a)
p(x : Bit | z) = Bernoulli(logits: 3 * z - 2)
q(z | x) = Bernoulli(logits: b + x)
r(x) = Bernoulli(1.0)\n";

/// Over all pairs of values.
#[test]
fn importance_weighted_bounds_of_drawn_bits_have_unbiased_gradients() {
    let weight = "log p(x = 1, z = k * i + (1 - k) * j) - log q(z = k * i + (1 - k) * j | x = 1)";
    let pair = format!("exp(log q(z = i | x = 1) + log q(z = j | x = 1)) * (logsumexp({weight} for k in 2) - log 2)");
    let exact = scalar(ONE_BIT, &format!("grad[b](sum({pair} for i in 2, j in 2))"));
    let gradient = |settings: &str| format!("grad[b](E[x ~ r(x)](IWAE(p, q, {settings})))");
    unbiased(ONE_BIT, &gradient("samples: 2, estimator: score_function"), exact);
    let one = compile(ONE_BIT, Some(&gradient("samples: 1, estimator: score_function"))).map(|_| ());
    assert!(one.is_ok(), "the number of samples is judged where a gradient is taken");
    let refused = program::evaluate(ONE_BIT, &gradient("samples: 1, estimator: score_function"), &[], 0).unwrap_err();
    assert!(refused.contains("needs other samples as baseline"), "{refused}");
}

#[test]
fn importance_weighted_bounds_sum_over_few_values() {
    let exact = scalar(ONE_BIT, "log p(x = 1)");
    let found = scalar(ONE_BIT, "E[x ~ r(x)](IWAE(p, q, samples: 3))");
    assert!((found - exact).abs() < 1e-12, "{found}, exactly {exact}");
    let bound = scalar(ONE_BIT, "E[x ~ r(x)](ELBO(p, q))");
    assert!(bound < exact - 1e-3, "{bound} bounds {exact}");
}

/// With a drawn z beside a summed k, the weights are those of p(x, z).
#[test]
fn importance_weighted_bounds_mix_sums_and_draws() {
    let text = "param m : Real = 0.4
p(k : Cat<3>) = Categorical([0.2, 0.3, 0.5])
p(z : Real) = Normal(0, 1)
p(x : Real | z, k) = Normal(z + k, 0.5)
q(k) = Categorical([0.5, 0.3, 0.2])
q(z | x) = Normal(m, 0.6)
r(x) = Uniform(0.999999, 1.000001)\n";
    let density = |mean: f64| (-(1.0 - mean).powi(2) / 2.5).exp() / (2.5 * std::f64::consts::PI).sqrt();
    let exact = (0.2 * density(0.0) + 0.3 * density(1.0) + 0.5 * density(2.0)).ln();
    let (mean, deviation) = moments(text, "E[x ~ r(x)](IWAE(p, q, samples: 500))", 40);
    assert!((mean - exact).abs() < 5.0 * deviation / 40f64.sqrt() + 2e-3, "{mean}, exactly {exact}");
}

#[test]
fn relaxations_are_asked_for_by_name_and_biased() {
    let value = "(z - 0.45)^2 * 3 + z";
    let text = "param b : Real = -0.2\np(z : Bit) = Bernoulli(logits: b)\np(k : Cat<3>) = Categorical([0.2, 0.3, 0.5])\n";
    let exact = scalar(text, &format!("grad[b](E[z ~ p(z)]({value}))"));
    let cold = moments(text, &format!("grad[b](E[z ~ p(z), samples: 200, estimator: gumbel_softmax(0.05)]({value}))"), 50);
    let warm = moments(text, &format!("grad[b](E[z ~ p(z), samples: 200, estimator: gumbel_softmax(2)]({value}))"), 50);
    let through = moments(text, &format!("grad[b](E[z ~ p(z), samples: 200, estimator: straight_through]({value}))"), 50);
    // Between the values of the ends, the slope of a chord and that at a draw differ.
    let slope = scalar(text, "{ let s = sigmoid(b); s * (1 - s) * ((1 - s) * (6 * (0 - 0.45) + 1) + s * (6 * (1 - 0.45) + 1)) }");
    assert!((through.0 - slope).abs() < 5.0 * through.1 / 50f64.sqrt(), "{through:?}, the formula of the estimator says {slope}");
    assert!((warm.0 - exact).abs() > 10.0 * warm.1 / 50f64.sqrt(), "{warm:?} is biased, exactly {exact}");
    assert!((cold.0 - exact).abs() < (warm.0 - exact).abs(), "{cold:?} is nearer to {exact} than {warm:?}");
    let refused = program::evaluate(text, "E[k ~ p(k), estimator: straight_through](k)", &[], 0).unwrap_err();
    assert!(refused.contains("whose values are not bits"), "{refused}");
    assert!(compile(text, Some("E[z ~ p(z), estimator: gumbel_softmax(-1)](z)")).is_err());
}

#[test]
fn expected_log_densities_are_closed_forms() {
    let pairs = [
        ("Laplace(0.3, 1.2)", "Normal(-0.4, 2)"),
        ("Logistic(0.3, 1.2)", "Normal(-0.4, 2)"),
        ("Uniform(-0.3, 1.2)", "Normal(-0.4, 2)"),
        ("Normal(0.3, 1.2)", "Laplace(-0.4, 2)"),
        ("Normal(0.3, 1.2)", "Normal(-0.4, 2)"),
        ("dequantise(3, scale: 2)", "Normal(-0.4, 2)"),
    ];
    for (a, b) in pairs {
        let text = format!("p(x : Real) = {b}\nq(x) = {a}\n");
        // By midpoints, of the density of q.
        let cell = "(exp(log q(x = -40 + 0.01 * (i + 1/2))) * log p(x = -40 + 0.01 * (i + 1/2)))";
        let expected = 0.01 * scalar(&text, &format!("sum({cell} for i in 8000)"));
        assert_closed(&text, expected, 2e-5);
    }
    for (a, b) in [("Gamma(2.5, 1.3)", "Exponential(0.7)"), ("Exponential(1.3)", "Gamma(2.5, 0.7)")] {
        let text = format!("p(x : Positive) = {b}\nq(x) = {a}\n");
        let at = "(-40 + 0.01 * (i + 1/2))";
        let cell = format!("exp(log q(x = exp({at})) + {at}) * log p(x = exp({at}))");
        let expected = 0.01 * scalar(&text, &format!("sum({cell} for i in 4800)"));
        assert_closed(&text, expected, 1e-9);
    }
}

/// One draw gives the exact value, whatever the seed; so do sums, multiples, and the entropy term.
fn assert_closed(text: &str, expected: f64, tolerance: f64) {
    let (mean, deviation) = moments(text, "E[x ~ q(x)](log p(x))", 3);
    assert!(deviation < 1e-12 && (mean - expected).abs() < tolerance, "{text}: {mean} ± {deviation}, by quadrature {expected}");
    let (ratio, deviation) = moments(text, "E[x ~ q(x)](2 * log p(x) - 2 * log q(x))", 3);
    let divergence = scalar(text, "KL(q(x) || p(x))");
    assert!(deviation < 1e-12 && (ratio + 2.0 * divergence).abs() < 1e-12, "{text}: {ratio}, the divergence is {divergence}");
}

#[test]
fn divergences_between_spellings_of_one_family_are_closed_forms() {
    for (a, b) in [("Bernoulli(logits: 0.7)", "Bernoulli(0.3)"), ("Bernoulli(0.3)", "Bernoulli(logits: 0.7)")] {
        let expected = number(&format!("sum(exp({a}.log_prob(i)) * ({a}.log_prob(i) - {b}.log_prob(i)) for i in 2)"));
        assert!((number(&format!("KL({a} || {b})")) - expected).abs() < 1e-12, "{a} {b}");
    }
    let (logits, probs) = ("Categorical(logits: [0.7, -1.0, 0.2])", "Categorical([0.2, 0.3, 0.5])");
    for (a, b) in [(logits, probs), (probs, logits)] {
        let expected = number(&format!("sum(exp({a}.log_prob(i)) * ({a}.log_prob(i) - {b}.log_prob(i)) for i in 3)"));
        assert!((number(&format!("KL({a} || {b})")) - expected).abs() < 1e-12, "{a} {b}");
    }
}

/// What depends on the draw stays at the draw.
#[test]
fn a_log_density_that_depends_on_the_draw_is_not_closed() {
    let text =
        "p(x : Real) = Normal(0, 1)\np(y : Real | x) = Normal(x, 1)\nq(x) = Normal(0.5, 2)\nq(y | x) = Normal(x, 3)\nb(y) = Normal(0, 1)
b(x | y) = Normal(y, 1)\n";
    // E (y - x)² = 9 given x.
    let expected = -0.5 * 9.0 - 0.5 * (2.0 * std::f64::consts::PI).ln();
    let (mean, deviation) = moments(text, "E[x ~ q(x), y ~ q(y | x)](log p(y | x))", 3);
    assert!(deviation < 1e-12 && (mean - expected).abs() < 1e-12, "{mean} ± {deviation}: given x, y is in closed form");
    unbiased(text, "E[x ~ q(x), y ~ q(y | x), samples: 100](log b(x | y))", expected);
    let entropy = number("H(Normal(0.5, 2))");
    let (mean, deviation) = moments(text, "E[x ~ q(x), y ~ q(y | x)](-log q(x))", 3);
    assert!(deviation < 1e-12 && (mean - entropy).abs() < 1e-12);
}
