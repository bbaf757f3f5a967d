//! Expectations, entropies and divergences from draws against exact values; gradients through draws.

use crate::program::{evaluate, number};

/// A gradient, or another expectation, from several seeds: its mean and the standard error of the mean.
fn over_seeds(text: &str, expression: &str, seeds: u32) -> (f64, f64) {
    let one = |seed| evaluate(text, expression, &[], seed).unwrap_or_else(|error| panic!("{expression}: {error}"))[0].values[0];
    let values: Vec<f64> = (0..seeds).map(one).collect();
    let count = f64::from(seeds);
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

/// Within five standard errors; by chance, a test of a right value fails less than once in a million.
fn assert_unbiased(text: &str, expression: &str, exact: f64) {
    let (mean, error) = over_seeds(text, expression, 12);
    // The standard error is itself known to a fifth only: 6.6 of these are as rare as 5 of the true ones.
    assert!((mean - exact).abs() <= 10.0 * error + 1e-12, "{expression}: {mean} ± {error}, exactly {exact}");
    assert!(error < 0.2 * exact.abs().max(1.0), "{expression}: {mean} ± {error} says little");
}

#[test]
fn closed_forms_agree_with_draws() {
    for (p, q) in [
        ("Normal(0.3, 2.0)", "Normal(-1.0, 1.7)"),
        ("Uniform(0.0, 1.0)", "Uniform(-0.5, 2.0)"),
        ("Laplace(0.3, 2.0)", "Laplace(-1.0, 1.7)"),
        ("Exponential(1.7)", "Exponential(2.0)"),
        ("Gamma(2.5, 0.7)", "Gamma(1.2, 1.0)"),
        ("Beta(2.5, 1.7)", "Beta(1.2, 3.0)"),
        ("Poisson(3.0)", "Poisson(5.5)"),
        ("Binomial(12, 0.3)", "Binomial(12, 0.5)"),
    ] {
        let estimate = format!("E[x ~ {p}, samples: 4000]({p}.log_prob(x) - {q}.log_prob(x))");
        assert_unbiased("", &estimate, number(&format!("KL({p} || {q})")));
    }
    for p in ["Logistic(0.5, 1.5)", "StudentT(3.5, 0.1, 2.0)", "Gamma(0.3, 2.0)", "ContinuousBernoulli(-3.0)", "Normal(0.3, 2.0)"] {
        let estimate = format!("E[x ~ {p}, samples: 4000](-{p}.log_prob(x))");
        assert_unbiased("", &estimate, number(&format!("H({p})")));
    }
}

#[test]
fn pathwise_gradients_are_those_of_the_expectation() {
    let text = "param m : Real = 0.4\nparam s : Positive = 0.7\nparam l : Real = -2.0";
    // E sin(m + s z) = sin(m) exp(-s²/2)
    let exact = |m: f64, s: f64| (m.cos() * (-s * s / 2.0).exp(), -s * m.sin() * (-s * s / 2.0).exp());
    let (by_mean, by_std) = exact(0.4, 0.7);
    assert_unbiased(text, "grad[m](E[z ~ Normal(m, s), samples: 2000](sin(z)))", by_mean);
    assert_unbiased(text, "grad[s](E[z ~ Normal(m, s), samples: 2000](sin(z)))", by_std);
    // E z² of the other reparameterised distributions
    assert_unbiased(text, "grad[s](E[z ~ Laplace(m, s), samples: 2000](z^2))", 4.0 * 0.7);
    assert_unbiased(text, "grad[s](E[z ~ Logistic(m, s), samples: 2000](z^2))", 2.0 * 0.7 * std::f64::consts::PI.powi(2) / 3.0);
    assert_unbiased(text, "grad[s](E[z ~ Exponential(s), samples: 2000](z^2))", -4.0 / 0.7f64.powi(3));
    assert_unbiased(text, "grad[m](E[z ~ Uniform(m, 1.5), samples: 2000](z^2))", (2.0 * 0.4 + 1.5) / 3.0);
    let by_logits = number("ContinuousBernoulli(-2.0).var");
    assert_unbiased(text, "grad[l](E[z ~ ContinuousBernoulli(l), samples: 2000](z))", by_logits);
}

#[test]
fn score_function_gradients_are_those_of_the_expectation() {
    let text = "param u : Unit = 0.3\nparam r : Positive = 3.0\nparam a : Positive = 1.5";
    let exact = evaluate(text, "grad[u](E[z ~ Bernoulli(u)]((z - 0.2)^2))", &[], 0).unwrap()[0].values[0];
    assert!((exact - 0.6).abs() < 1e-12, "{exact}");
    assert_unbiased(text, "grad[u](E[z ~ Bernoulli(u), samples: 4000, estimator: score_function]((z - 0.2)^2))", 0.6);
    // E z² = r + r²
    assert_unbiased(text, "grad[r](E[z ~ Poisson(r), samples: 4000](z^2))", 7.0);
    // By rejection: E z = a / 2
    assert_unbiased(text, "grad[a](E[z ~ Gamma(a, 2.0), samples: 4000](z))", 0.5);
    // E z = n u
    assert_unbiased(text, "grad[u](E[z ~ Binomial(7, u), samples: 4000](z))", 7.0);
}
