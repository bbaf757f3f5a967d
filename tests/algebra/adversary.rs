//! Questions that are easily answered with a wrong number.

use crate::evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::Engine;

/// Rows that share an unknown rate are not independent given other rows: log p(y | x) is not a sum of predictive densities.
#[test]
fn several_rows_predicted_at_once() {
    let p = "data (x : Int, y : Positive) = [[1, 0.5], [3, 1.2]]\nglobal r : Positive\n\
             p(r) = Gamma(2, 3)\np(x | r) = Poisson(2 * r)\np(y | r) = Exponential(r)\n";
    // The posterior given x is Gamma(6, 7); ∫ r² exp(-1.7 r) under it, by hand.
    let expected = 6.0 * 7f64.ln() - 8.0 * 8.7f64.ln() + 42f64.ln();
    close(p, "log p(y | x)", &[expected]);
    close(p, "log p(x, y) - log p(x)", &[expected]);
}

/// The inverse of 2 u is defined where the base has no mass.
#[test]
fn pushforwards_of_bounded_bases() {
    let p = "data x : Real = [-1, 2]\nfn f(u : Real) = 2 * u\n";
    let never = f64::NEG_INFINITY;
    close(&format!("{p}p(x) = pushforward(f, Exponential(1))\n"), "log p(x)", &[never, -1.0 - 2f64.ln()]);
    close(&format!("{p}p(x) = pushforward(f, Beta(2, 1))\n"), "log p(x)", &[never, 0.0]);
}

/// A chain that is no longer than its start, as by `--set T=1`.
#[test]
fn chains_of_one_member() {
    let finite = "param A : Simplex[2, 2] = [[0.9, 0.1], [0.4, 0.6]], rate : Positive[2] = [1, 6]\ndata x[1..1] : Int = [3]\nvar z[1..1] : Cat<2>\np(z[1]) = Categorical([0.3, 0.7])\n\
                  p(z[t] | z[t-1]) = Categorical(A[z[t-1]])\np(x[t] | z[t]) = Poisson(rate[z[t]])\n";
    let likelihood = |rate: f64| (-rate).exp() * rate.powi(3) / 6.0;
    close(finite, "log p(x)", &[(0.3 * likelihood(1.0) + 0.7 * likelihood(6.0)).ln()]);
    let real = "data x[1..1] : Real = [3]\nvar z[1..1] : Real\np(z[1]) = Normal(0, 2)\np(z[t] | z[t-1]) = Normal(z[t-1], 1)\n\
                p(x[t] | z[t]) = Normal(z[t], 1)\n";
    close(real, "p(z[1] | x).mean", &[3.0 * 4.0 / 5.0]);
}

/// Wishart distributions of D x D matrices have more than D - 1 degrees of freedom; Γ_D exists below, but not as an integral.
#[test]
fn improper_priors_of_matrices() {
    let p = "data x : Real[2] = [[0, 1]]\nlet I = [[1, 0], [0, 1]]\nglobal m : Real[2], S : Cov[2]\n\
             p(m, S) = NormalInverseWishart([0, 0], 1, {dof}, I)\np(x | m, S) = MvNormal(m, S)\n";
    assert!(value(&p.replace("{dof}", "0.5"), "log p(x)")[0].is_nan());
    assert!(value(&p.replace("{dof}", "1.5"), "log p(x)")[0].is_finite());
}

/// p(y) is no answer where p says only p(y | t): it would be p(y | t) under another name.
#[test]
fn queries_that_lack_what_is_given() {
    let local = "data (t : Real, y : Real) = [[1, 2], [0, 0.7]]\np(z : Real) = Normal(0, 1)\np(y | z, t) = Normal(t + z, 1)\n";
    let shared =
        "data (t : Positive, y : Int) = [[1, 2], [0.5, 1]]\nglobal r : Positive\np(r) = Gamma(1, 1)\np(y | r, t) = Poisson(t * r)\n";
    for (p, query) in [(local, "log p(y)"), (local, "p(z | y).mean"), (shared, "p(r | y).mean"), (shared, "log p(y | r = 0.4)")] {
        let told = evaluated(p, query, &Engine { precision: Precision::F64, ..Engine::default() }).unwrap_err();
        assert!(told.contains("E0301") && told.contains("t is not given here"), "{query}\n{told}");
    }
    close(local, "p(z | y, t).mean", &[0.5, 0.35]);
}
