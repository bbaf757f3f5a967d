//! `maximize ELBO(p, q) by vbem`: against the evidence where the bound is tight, and against scikit-learn (references/mean_field.json).

use super::{estimated, numbers, refused};
use serde_json::Value;

/// Where no variable is local, one step finds the posterior, and the bound is the evidence: of every conjugate pair.
#[test]
fn without_local_variables_the_bound_is_the_evidence() {
    let normal = "data x : Real = [0.3, -1.2, 2.5, 0.9]\nparam m : Real = 0.4, k : Positive = 1.5, a : Positive = 2, b : Positive = 0.7\n";
    let pair = "data x : Real[2] = [[0.3, -1.2], [2.5, 0.9], [0.1, 0.4]]\n";
    let matrix = format!("{pair}param m : Real[2] = 0.1, k : Positive = 1.5, nu : Positive = 4, S : Cov[2] = identity\n");
    let models = [
        "data x : Bit = [1, 0, 1, 1]\nparam a : Positive = 3, b : Positive\nglobal t : Unit\n\
         p(t) = Beta(2, 1.5)\np(x | t) = Bernoulli(t)\nq(t) = Beta(a, b)",
        "data x : Int = [3, 7, 5]\nparam a : Positive = 3, b : Positive\nglobal t : Unit\n\
         p(t) = Beta(2, 1.5)\np(x | t) = Binomial(10, t)\nq(t) = Beta(a, b)",
        "data x : Cat<3> = [0, 2, 2, 1]\nparam a : Positive[3] = 2\nglobal t : Simplex[3]\n\
         p(t) = Dirichlet([0.5, 1, 2])\np(x | t) = Categorical(t)\nq(t) = Dirichlet(a)",
        "data x : Int = [3, 0, 5]\nparam a : Positive = 3, b : Positive\nglobal t : Positive\n\
         p(t) = Gamma(2, 1.5)\np(x | t) = Poisson(2 * t)\nq(t) = Gamma(a, b)",
        &format!("{normal}global t : Real\np(t) = Normal(1, 2)\np(x | t) = Normal(t, 0.6)\nq(t) = Normal(m, k)"),
        &format!("{normal}global t : Positive\np(t) = Gamma(2, 1.5)\np(x | t) = Normal(0.5, 1 / sqrt(t))\nq(t) = Gamma(a, b)"),
        &format!("{normal}global t : Positive\np(t) = InverseGamma(2, 1.5)\np(x | t) = Normal(0.5, sqrt(t))\nq(t) = InverseGamma(a, b)"),
        &format!(
            "{normal}global u : Real, t : Positive\np(u, t) = NormalInverseGamma(0.2, 0.8, 2, 1.5)\np(x | u, t) = Normal(u, sqrt(t))\n\
             q(u, t) = NormalInverseGamma(m, k, a, b)"
        ),
        &format!(
            "{normal}global u : Real, t : Positive\np(u, t) = NormalGamma(0.2, 0.8, 2, 1.5)\np(x | u, t) = Normal(u, 1 / sqrt(t))\n\
             q(u, t) = NormalGamma(m, k, a, b)"
        ),
        &format!(
            "{pair}param m : Real[2], S : Cov[2] = identity\nglobal u : Real[2]\n\
             p(u) = MvNormal([1, 0], [[2, 0.5], [0.5, 1]])\np(x | u) = MvNormal(u, [[1, 0.2], [0.2, 0.7]])\nq(u) = MvNormal(m, S)"
        ),
        &format!(
            "{matrix}global u : Real[2], C : Cov[2]\np(u, C) = NormalInverseWishart([1, 0], 0.8, 3.5, [[2, 0.5], [0.5, 1]])\n\
             p(x | u, C) = MvNormal(u, C)\nq(u, C) = NormalInverseWishart(m, k, nu, S)"
        ),
        &format!(
            "{matrix}global u : Real[2], A : Cov[2]\np(u, A) = NormalWishart([1, 0], 0.8, 3.5, [[2, 0.5], [0.5, 1]])\n\
             p(x | u, A) = MvNormal(u, inverse(A))\nq(u, A) = NormalWishart(m, k, nu, S)"
        ),
    ];
    for model in models {
        let program = format!("{model}\ntrain {{ maximize ELBO(p, q) by vbem   steps: 3 }}");
        let (bounds, evidence) = estimated(&program, "log p(x)", 0).unwrap_or_else(|problems| panic!("{program}\n{problems}"));
        let rows = model.lines().next().map_or(1, |line| line.split(" = [").nth(1).unwrap_or("").matches(", ").count() + 1);
        let rows = if model.contains("Real[2]") { 3 } else { rows } as f64;
        assert!(bounds[0] < bounds[1] - 1e-3, "{program}\n{bounds:?}");
        assert!(bounds[1..].iter().all(|bound| (bound * rows - evidence[0]).abs() < 1e-9), "{program}\n{bounds:?} {evidence:?}");
    }
}

/// The mixture of the reference.
fn mixture(globals: &str, likelihood: &str, steps: usize) -> String {
    let reference = reference();
    let [x, start] = ["x", "start"].map(|name| reference["inputs"][name].to_string());
    format!(
        "data x : Real[2] = {x}\nglobal w : Simplex[3]\np(w) = Dirichlet([0.5 for j in 3])\np(k : Cat<3> | w) = Categorical(w)\n\
         param a : Positive[3], m : Real[3, 2] = {start}, b : Positive[3], nu : Positive[3] = 3, W : Cov[3, 2] = identity\n\
         q(w) = Dirichlet(a)\n{globals}\n{likelihood}\ntrain {{ maximize ELBO(p, q) by vbem   steps: {steps} }}"
    )
}

fn reference() -> Value {
    serde_json::from_str(include_str!("../../references/mean_field.json")).unwrap()
}

const PRECISIONS: &str = "global mu : Real[3, 2], A : Cov[3, 2]\np(mu, A) = NormalWishart([0, 0], 1, 3, identity[2])\n\
                          q(mu, A) = NormalWishart(m, b, nu, W)";

#[test]
fn a_gaussian_mixture_ends_as_that_of_scikit_learn() {
    let reference = reference();
    let expected = |name: &str| numbers(&reference["values"][name]);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-8;
    let program = mixture(PRECISIONS, "p(x | k, mu, A) = MvNormal(mu[k], inverse(A[k]))", 100);
    let (bounds, found) = estimated(&program, "(a, m, b, nu, W, ELBO(p, q))", 0).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(near(bounds[0] * 13.0, expected("bound_at_start")[0]) && near(bounds[99] * 13.0, expected("bound")[0]), "{bounds:?}");
    let expected: Vec<f64> = ["a", "m", "b", "nu", "W"].into_iter().flat_map(expected).chain([bounds[99]]).collect();
    assert!(found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| near(*a, *b)), "{found:?}");
}

/// The inverse of a Wishart variable has the inverse Wishart distribution: the same model, the same bounds.
#[test]
fn covariances_do_as_precisions_do() {
    let covariances = "global mu : Real[3, 2], S : Cov[3, 2]\np(mu, S) = NormalInverseWishart([0, 0], 1, 3, identity[2])\n\
                       q(mu, S) = NormalInverseWishart(m, b, nu, W)";
    let values = |globals: &str, likelihood: &str| estimated(&mixture(globals, likelihood, 6), "1", 0).unwrap().0;
    let of_precisions = values(PRECISIONS, "p(x | k, mu, A) = MvNormal(mu[k], inverse(A[k]))");
    let of_covariances = values(covariances, "p(x | k, mu, S) = MvNormal(mu[k], S[k])");
    assert!(of_precisions.iter().zip(&of_covariances).all(|(a, b)| (a - b).abs() < 1e-9), "{of_precisions:?} {of_covariances:?}");
}

/// Classes that are seen leave nothing to sum over: the bound is the evidence again, for members with a mean and a variance for
/// each of two columns.
#[test]
fn classes_may_be_observed_and_columns_independent() {
    let (bounds, evidence) = estimated(
        "data (x : Real[2], k : Cat<2>) = [[0.3, -1.2, 0], [2.5, 0.9, 1], [0.1, 0.4, 1]]\nglobal u : Real[2, 2], v : Positive[2, 2]\n\
         p(u, v) = NormalInverseGamma(0, 1, 2, 1.5)\np(x | k, u, v) = Normal(u[k], sqrt(v[k]))\n\
         param m : Real[2, 2], c : Positive[2, 2], a : Positive[2, 2] = 3, b : Positive[2, 2]\n\
         q(u, v) = NormalInverseGamma(m, c, a, b)\ntrain { maximize ELBO(p, q) by vbem   steps: 2 }",
        "log p(x | k)",
        0,
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert!(bounds[0] < bounds[1] && (bounds[1] * 3.0 - evidence[0]).abs() < 1e-9, "{bounds:?} {evidence:?}");
}

#[test]
fn what_is_not_conjugate_is_named() {
    let start = "data x : Real = [0.3, -1.2, 2.5]\nparam m : Real, s : Positive, a : Positive = 2, b : Positive\n";
    let end = "train { maximize ELBO(p, q) by vbem }";
    let with = |middle: &str| format!("{start}{middle}\n{end}");
    let mean = "global t : Real\np(t) = Normal(0, 1)\n";
    refused(
        &with(&format!("{mean}p(x | t) = Laplace(t, 1)\nq(t) = Normal(m, s)")),
        &["no rule makes Normal and Laplace", "leave `by vbem` out"],
    );
    refused(&with(&format!("{mean}p(x | t) = Normal(exp(t), 1)\nq(t) = Normal(m, s)")), &["that make Normal of t conjugate"]);
    refused(&with(&format!("{mean}p(x | t) = Normal(t, 1)\nq(t) = Laplace(m, s)")), &["t is Normal in the prior and Laplace in q"]);
    refused(&with(&format!("{mean}p(x | t) = Normal(t, 1)\nq(t) = Normal(2 * m, s)")), &["finds all parameters of the distribution of t"]);
    refused(&with(&format!("{mean}p(x | t) = Normal(t, s)\nq(t) = Normal(m, a)")), &["E0901", "the learned parameter `s` in p"]);
    let local = "p(z : Real) = Normal(0, 1)\np(x | z, t) = Normal(z + t, 1)\nq(t) = Normal(m, s)";
    refused(&with(&format!("{mean}{local}")), &["E0901", "with z, which is not finite"]);
    let two = format!("{mean}global v : Positive\np(v) = Gamma(1, 1)\np(x | t, v) = Normal(t, 1 / sqrt(v))\n");
    refused(&with(&format!("{two}q(t) = Normal(m, s)")), &["q has no factor for v"]);
    refused(&with(&format!("{two}q(t) = Normal(m, s)\nq(v) = Gamma(a, b)")), &["E0901", "x depends on both t and v"]);
    let other = format!("{start}{mean}p(x | t) = Normal(t, 1)\nq(t) = Normal(m, s)\ntrain {{ maximize log p(x | t = 1) by vbem }}");
    refused(&other, &["`by vbem` is for bounds"]);
}

/// The same bound has a gradient, which vanishes where the coordinate ascent ends, and is not zero elsewhere.
#[test]
fn the_gradient_of_the_bound_vanishes_where_ascent_ends() {
    let likelihood = "p(x | k, mu, A) = MvNormal(mu[k], inverse(A[k]))";
    let after = |steps: usize| {
        let program = mixture(PRECISIONS, likelihood, steps);
        let gradient = "train { maximize ELBO(p, q) with SGD(0.1)   steps: 2 }";
        let end =
            |more: &str| estimated(&format!("{program}\n{more}"), "(a, m, b, nu, W)", 0).unwrap_or_else(|problems| panic!("{problems}")).1;
        let (before, after) = (end(""), end(gradient));
        before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    assert!(after(100) < 1e-8 && after(2) > 1e-3);
}

/// Two finite variables in each row, one given the other, and four factors of q.
#[test]
fn several_local_variables_are_summed_together() {
    let program = "data (x : Real, y : Cat<3>) = [[0.3, 0], [2.5, 1], [0.1, 2], [-0.4, 0], [2.9, 1], [3.3, 2], [1.1, 2]]\n\
        global w : Simplex[2], v : Simplex[2, 3], mu : Real[3], u : Simplex[3, 3]\n\
        p(w) = Dirichlet([1, 2])\np(v) = Dirichlet([1, 2, 0.5])\np(mu) = Normal(0, 2)\np(u) = Dirichlet([1, 1, 1.5])\n\
        p(j : Cat<2> | w) = Categorical(w)\np(k : Cat<3> | j, v) = Categorical(v[j])\n\
        p(x | k, mu) = Normal(mu[k], 0.5)\np(y | k, u) = Categorical(u[k])\n\
        param a : Positive[2], b : Positive[2, 3] = [[1, 2, 3], [3, 1, 1]]\n\
        param m : Real[3] = [0, 1, 3], s : Positive[3], c : Positive[3, 3] = [[1, 2, 1], [2, 1, 1], [1, 1, 1]]\n\
        q(w) = Dirichlet(a)\nq(v) = Dirichlet(b)\nq(mu) = Normal(m, s)\nq(u) = Dirichlet(c)\n\
        train { maximize ELBO(p, q) by vbem   steps: 6 }";
    let (bounds, found) = estimated(program, "(a, b, m, s, c)", 0).unwrap_or_else(|problems| panic!("{problems}"));
    let reference = reference();
    let expected = |name: &str| numbers(&reference["two_locals"][name]);
    let near =
        |found: &[f64], expected: &[f64]| found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9);
    let bounds: Vec<f64> = bounds.iter().map(|bound| bound * 7.0).collect();
    assert!(near(&bounds, &expected("bounds")), "{bounds:?}");
    let parameters: Vec<f64> = ["a", "b", "m", "s", "c"].into_iter().flat_map(expected).collect();
    assert!(near(&found, &parameters), "{found:?}");
}
