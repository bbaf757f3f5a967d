//! Draws against the distributions that they are from. Every seed is fixed, so a test passes always or never.

use crate::program::{draws, evaluate, number};
use crate::values::{numbers, references};

const COUNT: usize = 20_000;

/// Pearson's statistic of draws that are counted in cells of the given probabilities, those that expect fewer than ten together.
fn chi_squared(counts: &[usize], probabilities: &[f64]) -> (f64, usize) {
    let total = counts.iter().sum::<usize>() as f64;
    let (rare, common): (Vec<_>, Vec<_>) =
        counts.iter().zip(probabilities).map(|(&c, &p)| (c as f64, p * total)).partition(|cell| cell.1 < 10.0);
    let together = rare.iter().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
    let cells: Vec<_> = common.into_iter().chain((together.1 >= 10.0).then_some(together)).collect();
    (cells.iter().map(|(count, expected)| (count - expected).powi(2) / expected).sum(), cells.len() - 1)
}

/// A statistic of right draws exceeds this once in a million times (Wilson, Hilferty: The distribution of chi-square, 1931).
fn assert_plausible(distribution: &str, (statistic, freedom): (f64, usize)) {
    let spread = 2.0 / (9.0 * freedom as f64);
    let limit = freedom as f64 * (1.0 - spread + 4.75 * spread.sqrt()).powi(3);
    assert!(statistic < limit, "{distribution}: chi squared is {statistic}, over {limit} for {freedom} degrees of freedom");
}

#[test]
fn draws_of_real_numbers_fall_between_the_quantiles() {
    let references = references();
    let levels = numbers(&references["quantiles"]["levels"]);
    let probabilities: Vec<f64> = [&[0.0], &levels[..], &[1.0]].concat().windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (distribution, quantiles) in references["quantiles"]["of"].as_object().unwrap() {
        let quantiles = numbers(quantiles);
        let mut counts = vec![0; probabilities.len()];
        draws(distribution, COUNT, 1).iter().for_each(|&x| counts[quantiles.partition_point(|&q| q < x)] += 1);
        assert_plausible(distribution, chi_squared(&counts, &probabilities));
    }
}

#[test]
fn draws_of_whole_numbers_have_their_probabilities() {
    for (distribution, values) in [
        ("Bernoulli(0.3)", 2),
        ("Bernoulli(logits: -2.0)", 2),
        ("Categorical([0.2, 0.0, 0.5, 0.3])", 4),
        ("Categorical(logits: [0.2, -3.0, 1.0])", 3),
        ("Poisson(0.05)", 10),
        ("Poisson(3.0)", 40),
        ("Poisson(10.5)", 60),
        ("Poisson(50.0)", 150),
        ("Binomial(1, 0.4)", 2),
        ("Binomial(10, 0.3)", 11),
        ("Binomial(100, 0.97)", 101),
        ("Binomial(200, 0.5)", 201),
    ] {
        let drawn = draws(distribution, COUNT, 2);
        let probability = |k: usize| number(&format!("exp({distribution}.log_prob({k}))"));
        let probabilities: Vec<f64> = match distribution.split_once('(') {
            Some(("Poisson" | "Binomial", _)) => {
                evaluate("", &format!("[exp({distribution}.log_prob(k)) for k in {values}]"), &[], 0).unwrap().remove(0).values
            }
            _ => (0..values).map(probability).collect(),
        };
        let mut counts = vec![0; values];
        drawn.iter().for_each(|&x| counts[x as usize] += 1);
        assert!(counts.iter().zip(&probabilities).all(|(&count, &p)| count == 0 || p > 0.0), "{distribution}: an impossible value");
        assert_plausible(distribution, chi_squared(&counts, &probabilities));
    }
}

#[test]
fn draws_of_vectors_have_their_moments() {
    // Mean and covariance of each pair of elements, from the declarations
    let dirichlet = |a: [f64; 3]| {
        let s: f64 = a.iter().sum();
        let cov = move |i: usize, j: usize| (if i == j { a[i] / s } else { 0.0 } - a[i] * a[j] / s / s) / (s + 1.0);
        (a.map(|a| a / s).to_vec(), (0..9).map(|at| cov(at / 3, at % 3)).collect::<Vec<_>>())
    };
    let small = dirichlet([0.1, 0.2, 0.3]);
    let large = dirichlet([2.0, 30.0, 4.0]);
    let identity = (vec![1.0, -2.0], vec![1.0, 0.0, 0.0, 1.0]);
    for (distribution, (mean, cov)) in
        [("Dirichlet([0.1, 0.2, 0.3])", small), ("Dirichlet([2.0, 30.0, 4.0])", large), ("MvNormal([1.0, -2.0], cov: identity)", identity)]
    {
        let (drawn, d) = (draws(distribution, COUNT, 3), mean.len());
        for (i, j) in (0..d * d).map(|at| (at / d, at % d)) {
            let products: Vec<f64> = drawn.chunks(d).map(|x| (x[i] - mean[i]) * (x[j] - mean[j])).collect();
            assert_mean(&format!("{distribution}, covariance {i} {j}"), &products, cov[i * d + j]);
        }
        for i in 0..d {
            assert_mean(&format!("{distribution}, mean {i}"), &drawn.chunks(d).map(|x| x[i]).collect::<Vec<_>>(), mean[i]);
        }
    }
}

/// Within five standard errors.
fn assert_mean(what: &str, values: &[f64], exact: f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let error = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    assert!((mean - exact).abs() < 5.0 * error, "{what}: {mean} ± {error}, exactly {exact}");
}

#[test]
fn a_seed_and_a_row_fix_a_draw() {
    for distribution in
        ["Normal(0.0, 1.0)", "Gamma(0.5, 1.0)", "Poisson(3.0)", "Poisson(30.0)", "Binomial(20, 0.4)", "Dirichlet([0.5, 1.0])"]
    {
        let (many, few) = (draws(distribution, 5000, 4), draws(distribution, 7, 4));
        assert_eq!(many[..few.len()], few, "{distribution}: depends on the number of rows");
        assert_eq!(draws(distribution, 7, 4), few, "{distribution}: not the same again");
        assert_ne!(draws(distribution, 7, 5), few, "{distribution}: another seed draws the same");
        assert!(many.windows(2).filter(|pair| pair[0] == pair[1]).count() < 2000, "{distribution}: rows draw the same");
    }
}
