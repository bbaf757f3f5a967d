//! Expectations, entropies and divergences from draws against exact values; gradients through draws.

use crate::program::{evaluate, for_seeds, number};

/// The mean over 40 seeds is within five standard errors of the exact value, and these are small.
fn assert_unbiased(text: &str, expression: &str, exact: f64) {
    let values = for_seeds(text, expression, 40).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    assert!((mean - exact).abs() <= 5.0 * error + 1e-12, "{expression}: {mean} ± {error}, exactly {exact}");
    assert!(error < 0.05 * exact.abs().max(0.2), "{expression}: {mean} ± {error} says little");
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
        let estimate = format!("E[x ~ {p}, samples: 1000]({p}.log_prob(x) - {q}.log_prob(x))");
        assert_unbiased("", &estimate, number(&format!("KL({p} || {q})")));
    }
    for p in ["Logistic(0.5, 1.5)", "StudentT(3.5, 0.1, 2.0)", "Gamma(0.3, 2.0)", "ContinuousBernoulli(-3.0)", "Normal(0.3, 2.0)"] {
        let estimate = format!("E[x ~ {p}, samples: 1000](-{p}.log_prob(x))");
        assert_unbiased("", &estimate, number(&format!("H({p})")));
    }
}

#[test]
fn pathwise_gradients_are_those_of_the_expectation() {
    let text = "param m : Real = 0.4\nparam s : Positive = 0.7\nparam l : Real = -2.0";
    // E sin(m + s z) = sin(m) exp(-s²/2)
    let exact = |m: f64, s: f64| (m.cos() * (-s * s / 2.0).exp(), -s * m.sin() * (-s * s / 2.0).exp());
    let (by_mean, by_std) = exact(0.4, 0.7);
    assert_unbiased(text, "grad[m](E[z ~ Normal(m, s), samples: 1000](sin(z)))", by_mean);
    assert_unbiased(text, "grad[s](E[z ~ Normal(m, s), samples: 1000](sin(z)))", by_std);
    // E z² of the other reparameterised distributions
    assert_unbiased(text, "grad[s](E[z ~ Laplace(m, s), samples: 1000](z^2))", 4.0 * 0.7);
    assert_unbiased(text, "grad[s](E[z ~ Logistic(m, s), samples: 1000](z^2))", 2.0 * 0.7 * std::f64::consts::PI.powi(2) / 3.0);
    assert_unbiased(text, "grad[s](E[z ~ Exponential(s), samples: 1000](z^2))", -4.0 / 0.7f64.powi(3));
    assert_unbiased(text, "grad[m](E[z ~ Uniform(m, 1.5), samples: 1000](z^2))", (2.0 * 0.4 + 1.5) / 3.0);
    let by_logits = number("ContinuousBernoulli(-2.0).var");
    assert_unbiased(text, "grad[l](E[z ~ ContinuousBernoulli(l), samples: 1000](z))", by_logits);
}

#[test]
fn score_function_gradients_are_those_of_the_expectation() {
    let text = "param u : Unit = 0.3\nparam r : Positive = 3.0\nparam a : Positive = 1.5";
    let exact = evaluate(text, "grad[u](E[z ~ Bernoulli(u)]((z - 0.2)^2))", &[], 0).unwrap()[0].values[0];
    assert!((exact - 0.6).abs() < 1e-12, "{exact}");
    assert_unbiased(text, "grad[u](E[z ~ Bernoulli(u), samples: 1000, estimator: score_function]((z - 0.2)^2))", 0.6);
    // E z² = r + r²
    assert_unbiased(text, "grad[r](E[z ~ Poisson(r), samples: 1000](z^2))", 7.0);
    // By rejection: E z = a / 2
    assert_unbiased(text, "grad[a](E[z ~ Gamma(a, 2.0), samples: 1000](z))", 0.5);
    // E z = n u
    assert_unbiased(text, "grad[u](E[z ~ Binomial(7, u), samples: 1000](z))", 7.0);
}

/// Where a formula is 0 / 0, has a corner that the function has not, or is the logarithm of nothing.
#[test]
fn gradients_at_special_points() {
    let text = "param u : Unit = 0.3\nparam one : Positive = 1\nparam zero : Real = 0\nparam s : Simplex[3] = [0.2, 0.3, 0.5]";
    let euler = 0.577_215_664_901_532_9;
    for (expression, exact) in [
        ("grad[u](log u)", 1.0 / 0.3),
        ("grad[u](Bernoulli(u).log_prob(0))", -1.0 / 0.7),
        ("grad[u](H(Bernoulli(u)))", (0.7f64 / 0.3).ln()),
        ("grad[u](Binomial(5, u).log_prob(5))", 5.0 / 0.3),
        ("grad[one](Gamma(one, 2.0).log_prob(0.5))", euler),
        ("grad[one](Beta(one, 2.0).log_prob(0.5))", 1.5 - 2.0f64.ln()),
        ("grad[zero](ContinuousBernoulli(zero).log_prob(0.3))", 0.3 - 0.5),
        ("grad[zero](ContinuousBernoulli(zero).mean)", 1.0 / 12.0),
        ("grad[zero](Bernoulli(logits: zero).log_prob(1))", 0.5),
        ("grad[zero](Logistic(0.0, 1.0).log_prob(zero))", 0.0),
        ("grad[zero](softplus(zero))", 0.5),
    ] {
        let found = evaluate(text, expression, &[], 0).unwrap_or_else(|error| panic!("{expression}: {error}"))[0].values[0];
        assert!((found - exact).abs() < 1e-12, "{expression}: {found} instead of {exact}");
    }
}
