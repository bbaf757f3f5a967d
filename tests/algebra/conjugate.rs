//! Conjugate pairs: evidence, posterior and predictive of each against independent systems (`references/evidence.json`), quadrature
//! and enumeration, in f64.

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use tilde_lang::backend::Precision;
use tilde_lang::driver::{self, Request};
use tilde_lang::report::render::{Style, render};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::{Device, Engine};
use tilde_lang::runtime::{evaluate, parameters};

/// The values of an expression in the scope of a file, in f64 by the reference interpreter: all rows, all elements.
fn value(program: &str, expression: &str) -> Result<Vec<f64>, String> {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 7, measure: false };
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    file.write_all(program.as_bytes()).unwrap();
    let request = Request { path: file.path().to_path_buf(), overrides: vec![], expression: Some(expression.into()) };
    let compiled = driver::compile(&request).map_err(|rejected| render(&rejected.problems, &rejected.sources, Style::PLAIN))?;
    let told = |diagnostic: tilde_lang::base::Diagnostic| render(&diagnostic.into(), &compiled.sources, Style::PLAIN);
    let dataset = Dataset::load(&compiled.model, Path::new("."), engine.seed, engine.precision).map_err(told)?;
    let parameters = parameters::initial(&compiled.model, &dataset, &engine).map_err(told)?;
    let expr = compiled.expression.as_ref().unwrap();
    let values = evaluate::evaluate(&compiled.model, expr, &dataset, &dataset.split.train, &parameters, &engine).map_err(told)?;
    Ok(values.values.into_iter().flat_map(|v| v.values).collect())
}

fn close(program: &str, expression: &str, expected: &[f64]) {
    let found = value(program, expression).unwrap_or_else(|problems| panic!("{expression}\n{problems}"));
    let agree = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0));
    assert!(agree, "{expression}: found {found:?}, expected {expected:?}\n{program}");
}

/// The message of a program that is refused.
fn refused(program: &str, expression: &str) -> String {
    value(program, expression).expect_err(expression)
}

/// The reference values of a model.
struct Model(Value);

fn reference(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/references/evidence.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    Model(all["models"][name].clone())
}

impl Model {
    /// An input as it stands in a file.
    fn input(&self, name: &str) -> String {
        self.0["inputs"][name].to_string()
    }

    fn close(&self, program: &str, expression: &str, name: &str) {
        fn numbers(value: &Value) -> Vec<f64> {
            value.as_array().map_or_else(|| vec![value.as_f64().unwrap()], |items| items.iter().flat_map(numbers).collect())
        }
        close(program, expression, &numbers(&self.0["values"][name]));
    }
}

#[test]
fn beta_and_bernoulli() {
    let m = reference("beta_bernoulli");
    let p = format!(
        "data x : Bit = {}\nglobal theta : Unit\np(theta) = Beta({}, {})\np(x | theta) = Bernoulli(theta)\n\
         p(xnew : Bit | theta) = Bernoulli(theta)\n",
        m.input("x"),
        m.input("a"),
        m.input("b")
    );
    m.close(&p, "log p(x)", "log_evidence");
    m.close(&p, "p(theta | x).mean", "posterior_mean");
    m.close(&p, "p(theta | x).var", "posterior_var");
    m.close(&p, "log p(theta = 0.5 | x)", "log_posterior_at_half");
    m.close(&p, "log p(xnew = 1 | x)", "log_predictive_one");
}

#[test]
fn beta_and_binomial() {
    let m = reference("beta_binomial");
    let p = format!(
        "data x : Int = {}\nlet n = {}\nglobal theta : Unit\np(theta) = Beta({}, {})\np(x | theta) = Binomial(n, theta)\n\
         p(xnew : Int | theta) = Binomial(n, theta)\n",
        m.input("x"),
        m.input("n"),
        m.input("a"),
        m.input("b")
    );
    m.close(&p, "log p(x)", "log_evidence");
    m.close(&p, "log p(xnew = 4 | x)", "log_predictive_four");
    m.close(&p, "p(theta | x).mean", "posterior_mean");
    m.close(&p, "p(theta | x).var", "posterior_var");
    m.close(&p, "log p(theta = 0.5 | x)", "log_posterior_at_half");
    m.close(&p, "log p(x = 3)", "log_evidence_of_first");
}

#[test]
fn gamma_and_poisson() {
    let m = reference("gamma_poisson");
    let p = format!(
        "data x : Int = {}\nglobal rate : Positive\np(rate) = Gamma({}, {})\np(x | rate) = Poisson(rate)\n\
         p(xnew : Int | rate) = Poisson(rate)\n",
        m.input("x"),
        m.input("shape"),
        m.input("rate")
    );
    m.close(&p, "log p(x)", "log_evidence");
    m.close(&p, "log p(x = 3)", "log_evidence_of_first");
    m.close(&p, "log p(xnew = 6 | x)", "log_predictive_six");
    m.close(&p, "p(rate | x).mean", "posterior_mean");
    m.close(&p, "p(rate | x).var", "posterior_var");
    m.close(&p, "log p(rate = 3.0 | x)", "log_posterior_at_three");
}

#[test]
fn gamma_and_exponential() {
    let m = reference("gamma_exponential");
    let p = format!(
        "data x : Positive = {}\nglobal rate : Positive\np(rate) = Gamma({}, {})\np(x | rate) = Exponential(rate)\n\
         p(xnew : Positive | rate) = Exponential(rate)\n",
        m.input("x"),
        m.input("shape"),
        m.input("rate")
    );
    m.close(&p, "log p(x)", "log_evidence");
    m.close(&p, "log p(xnew = 0.5 | x)", "log_predictive_half");
    m.close(&p, "p(rate | x).mean", "posterior_mean");
    m.close(&p, "p(rate | x).var", "posterior_var");
    m.close(&p, "log p(rate = 1.0 | x)", "log_posterior_at_one");
}

#[test]
fn dirichlet_and_categorical() {
    let m = reference("dirichlet_categorical");
    let p = format!(
        "data x : Cat<3> = {}\nglobal w : Simplex[3]\nparam a : Positive[3] = {}\np(w) = Dirichlet(a)\np(x | w) = Categorical(w)\n\
         p(xnew : Cat<3> | w) = Categorical(w)\n",
        m.input("x"),
        m.input("alpha")
    );
    m.close(&p, "log p(x)", "log_evidence");
    m.close(&p, "p(w | x).mean", "posterior_mean");
    m.close(&p, "[log p(xnew = i | x) for i in 3]", "log_predictive");
    m.close(&p, "log p(w = [0.5, 0.2, 0.3] | x)", "log_posterior");
}

#[test]
fn dirichlet_and_multinomial() {
    let m = reference("dirichlet_multinomial");
    let p = format!(
        "data x : Int[3] = [{}]\nglobal w : Simplex[3]\nparam a : Positive[3] = {}\np(w) = Dirichlet(a)\n\
         p(x | w) = Multinomial({}, w)\np(xnew : Int[3] | w) = Multinomial(4, w)\n",
        m.input("counts"),
        m.input("alpha"),
        m.input("n")
    );
    m.close(&p, "log p(x)", "log_evidence");
    m.close(&p, "log p(xnew = [2, 1, 1] | x)", "log_predictive_next_two_one_one");
}

#[test]
fn normal_mean() {
    let m = reference("normal_normal");
    let p = format!(
        "data y : Real = {}\nlet s = {}\nglobal mu : Real\np(mu) = Normal({}, {})\np(y | mu) = Normal(mu, s)\n\
         p(ynew : Real | mu) = Normal(mu, s)\n",
        m.input("y"),
        m.input("s"),
        m.input("m0"),
        m.input("s0")
    );
    m.close(&p, "log p(y)", "log_evidence");
    m.close(&p, "p(mu | y).mean", "posterior_mean");
    m.close(&p, "p(mu | y).std", "posterior_std");
    m.close(&p, "log p(ynew = 3.0 | y)", "log_predictive_three");
    m.close(&p, "log p(mu = 3.0 | y)", "log_posterior_at_three");
}

#[test]
fn normal_mean_and_variance() {
    let m = reference("normal_inverse_gamma");
    let p = format!(
        "data y : Real = {}\nglobal mu : Real, v : Positive\np(mu, v) = NormalInverseGamma({}, {}, {}, {})\n\
         p(y | mu, v) = Normal(mu, sqrt(v))\np(ynew : Real | mu, v) = Normal(mu, sqrt(v))\n",
        m.input("y"),
        m.input("m0"),
        m.input("kappa"),
        m.input("shape"),
        m.input("scale")
    );
    m.close(&p, "log p(y)", "log_evidence");
    m.close(&p, "log p(ynew = 3.0 | y)", "log_predictive_three");
    m.close(&p, "log p(ynew = -1.0 | y)", "log_predictive_minus_one");
    m.close(&p, "log p(mu = 3.0, v = 0.5 | y)", "log_posterior_at_mu_3_v_half");
    m.close(&p, "p(mu | y).mean", "posterior_mean_of_mu");
    m.close(&p, "p(v | y).mean", "posterior_mean_of_v");
    // The marginals are those of the joint distribution.
    let joint = value(&p, "log p(mu = 3.0, v = 0.5 | y)").unwrap()[0];
    let apart = value(&p, "log p(mu = 3.0 | y, v = 0.5) + log p(v = 0.5 | y)").unwrap()[0];
    assert!((joint - apart).abs() < 1e-9, "{joint} {apart}");
}

#[test]
fn normal_mean_and_precision() {
    let m = reference("normal_gamma");
    let p = format!(
        "data y : Real = {}\nglobal mu : Real, t : Positive\np(mu, t) = NormalGamma({}, {}, {}, {})\n\
         p(y | mu, t) = Normal(mu, 1 / sqrt(t))\np(ynew : Real | mu, t) = Normal(mu, 1 / sqrt(t))\n",
        m.input("y"),
        m.input("m0"),
        m.input("kappa"),
        m.input("shape"),
        m.input("scale")
    );
    m.close(&p, "log p(y)", "log_evidence");
    m.close(&p, "log p(ynew = 3.0 | y)", "log_predictive_three");
    m.close(&p, "log p(mu = 3.0, t = 2.0 | y)", "log_posterior_at_mu_3_t_2");
    m.close(&p, "p(mu | y).mean", "posterior_mean_of_mu");
    m.close(&p, "p(t | y).mean", "posterior_mean_of_t");
}

#[test]
fn normal_vectors_with_unknown_mean_and_precision() {
    let m = reference("normal_wishart");
    let p = format!(
        "data x : Real[2] = {}\nglobal mu : Real[2], A : Cov[2]\ndata W : Cov[2] = {}\nlet m0 = {}\n\
         p(mu, A | W) = NormalWishart(m0, {}, {}, W)\np(x | mu, A) = MvNormal(mu, inverse(A))\n\
         p(xnew : Real[2] | mu, A) = MvNormal(mu, inverse(A))\ndata A0 : Cov[2] = {}\n",
        m.input("x"),
        m.input("W"),
        m.input("m0"),
        m.input("kappa"),
        m.input("dof"),
        m.input("L"),
    );
    m.close(&p, "log p(x | W)", "log_evidence");
    m.close(&p, &format!("log p(xnew = {} | x, W)", m.input("point")), "log_predictive_at_point");
    m.close(&p, &format!("log p(mu = {}, A = A0 | x, W)", m.input("mu")), "log_posterior_at_mu_L");
    // The same by covariances: W⁻¹ is the scale of the inverse Wishart distribution.
    let q = format!(
        "data x : Real[2] = {}\nglobal mu : Real[2], S : Cov[2]\ndata W : Cov[2] = {}\nlet m0 = {}\n\
         p(mu, S | W) = NormalInverseWishart(m0, {}, {}, inverse(W))\np(x | mu, S) = MvNormal(mu, S)\n\
         p(xnew : Real[2] | mu, S) = MvNormal(mu, S)\n",
        m.input("x"),
        m.input("W"),
        m.input("m0"),
        m.input("kappa"),
        m.input("dof"),
    );
    m.close(&q, "log p(x | W)", "log_evidence");
    m.close(&q, &format!("log p(xnew = {} | x, W)", m.input("point")), "log_predictive_at_point");
}

/// Members of an array of latent variables, by the class of each observation; numbers by SciPy's multivariate_normal and multivariate_t.
#[test]
fn classes_have_latent_variables_of_their_own() {
    let p = "data (x : Real, k : Cat<2>) = [[1.0, 0], [2.0, 0], [5.0, 1], [4.0, 1], [6.5, 1]]\nglobal mu : Real[2], m : Real[2], v : Positive[2]\n\
             p(mu) = Normal(0, 10)\np(x | mu, k) = Normal(mu[k], 1)\n\
             q(m, v) = NormalInverseGamma(0, 0.5, 1.5, 0.8)\nq(x | m, v, k) = Normal(m[k], sqrt(v[k]))\n";
    close(p, "p(mu | x, k).mean", &[3.0 / 2.01, 15.5 / 3.01]);
    close(p, "log p(x | k)", &[-12.07745640852395]);
    close(p, "q(m | x, k).mean", &[1.2, 15.5 / 3.5]);
    close(p, "log q(x | k)", &[-13.11298023950953]);
}

/// A rate times an exposure that each observation has its own of; numbers by scipy.integrate.quad.
#[test]
fn rates_have_coefficients() {
    let p = "data n : Int[2, 3] = [[3, 4, 5], [1, 0, 2]]\nlet t = [1.0, 2.0, 0.5]\nglobal s : Positive\np(s) = Gamma(2, 1)\n\
             p(n | s) = Poisson([[3 * s * t[j] for j in 3] for i in 2])\n";
    close(p, "p(s | n).mean", &[17.0 / 22.0]);
    close(p, "log p(n)", &[-17.92657103558688]);
    // What is not proportional to the rate is not conjugate to it.
    for rate in ["s + t[0]", "s^2", "exp(s)"] {
        let p = format!("data n : Int = [1]\nlet t = [1.0]\nglobal s : Positive\np(s) = Gamma(2, 1)\np(n | s) = Poisson({rate})\n");
        assert!(refused(&p, "log p(n)").contains("not those that make Gamma of s conjugate"), "{rate}");
    }
}

/// Several kinds of observations of one variable, one after another; elements that each have a variable of their own.
#[test]
fn observations_update_one_after_another() {
    let p = "data x : Bit = [1, 0, 1]\ndata n : Int = [4, 2]\nglobal theta : Unit, g : Unit[2]\np(theta) = Beta(1, 2)\n\
             p(x | theta) = Bernoulli(theta)\np(n | theta) = Binomial(5, theta)\n\
             data y : Bit[2] = [[1, 0], [1, 1]]\nw(g) = Beta(1, 2)\nw(y | g) = Bernoulli(g)\n";
    close(p, "p(theta | x, n).mean", &[9.0 / 16.0]);
    close(p, "p(theta | x).mean + p(theta | n).mean", &[3.0 / 6.0 + 7.0 / 13.0]);
    close(p, "log p(x, n) - log p(x) - log p(n | x)", &[0.0]);
    close(p, "w(g | y).mean", &[3.0 / 5.0, 2.0 / 5.0]);
    // A local variable: every row has its own.
    let local = "data x : Bit = [1, 0, 1]\np(theta : Unit) = Beta(1, 2)\np(x | theta) = Bernoulli(theta)\n";
    close(local, "p(theta | x).mean", &[2.0 / 4.0, 1.0 / 4.0, 2.0 / 4.0]);
    close(local, "log p(x)", &[(1f64 / 3.0).ln(), (2f64 / 3.0).ln(), (1f64 / 3.0).ln()]);
}

/// The prior counts once, however many rows there are, and held-out rows are no evidence.
#[test]
fn a_global_variable_is_shared_by_all_rows() {
    let p = "data x : Bit = [1, 0, 1, 1]   split: 0.25\nglobal theta : Unit\np(theta) = Beta(2, 3)\np(x | theta) = Bernoulli(theta)\n\
             q(theta) = Beta(4.0, 4.0)\nr(theta) = Beta(1.5, 2.5)\n";
    // Row 3 is held out.
    close(p, "p(theta | x).mean", &[4.0 / 8.0]);
    close(p, "log p(x, theta = 0.25) - log p(theta = 0.25)", &[2.0 * 0.25f64.ln() + 0.75f64.ln()]);
    close(p, "log p(x | theta = 0.25)", &[0.25f64.ln(), 0.75f64.ln(), 0.25f64.ln()]);
    // Where q is the posterior, the bound is the evidence, whatever the draw; per row.
    let found = value(p, "ELBO(p, q, samples: 4000)").unwrap();
    let evidence = value(p, "log p(x)").unwrap()[0];
    let sum: f64 = found.iter().sum();
    assert!(found.len() == 3 && (sum - evidence).abs() < 0.03, "{sum} {evidence}");
    let lower: f64 = value(p, "ELBO(p, r, samples: 4000)").unwrap().iter().sum();
    assert!(lower < evidence - 0.1, "{lower} {evidence}");
    // log p(x, θ) − log q(θ) is the evidence at every θ.
    close(p, "log p(x, theta = 0.9) - log q(theta = 0.9)", &[evidence]);
}

/// A finite global variable chooses one model for all rows.
#[test]
fn finite_global_variables_are_summed_outside_of_the_rows() {
    let p = "data x : Bit = [1, 1, 0]\nglobal m : Bit\np(m) = Bernoulli(0.5)\np(x | m) = Bernoulli(if m == 1 then 0.9 else 0.2)\n";
    let (a, b) = (0.9f64 * 0.9 * 0.1, 0.2f64 * 0.2 * 0.8);
    close(p, "log p(x)", &[(0.5 * (a + b)).ln()]);
    close(p, "p(m | x).mean", &[a / (a + b)]);
}

#[test]
fn what_no_pair_answers_says_why() {
    let p = "data x : Real[2] = [[1, 2], [3, 4]]\nglobal w : Simplex[2]\nparam mu : Real[2, 2] ~ rows(x)\np(w) = Dirichlet([1.0, 1.0])\n\
             p(k : Cat<2> | w) = Categorical(w)\np(x | k) = Normal(mu[k], 1)\n";
    assert!(refused(p, "log p(x)").contains("all rows share w, and each row has its own k"));
    assert!(refused(p, "log p(k = 1 | x)").contains("k is one value, and each row of x has its own"));
    let p = "data x : Real = [1, 2]\ndata y : Real = [1, 2, 3]\nglobal a : Real\np(a) = Normal(0, 1)\np(y | x, a) = Normal(a * x, 1)\n";
    assert!(
        refused(p, "log p(y | x)").contains("x and y are rows of different data")
            || refused(p, "log p(y | x)").contains("y and x are rows")
    );
    let p = "data x : Real = [1, 2]\nglobal t : Positive\np(t) = Gamma(1, 1)\np(x | t) = Laplace(0, t)\n";
    assert!(refused(p, "log p(x)").contains("no rule makes Gamma conjugate to anything here"));
    let p = "data x : Bit = [1]\nglobal t : Unit\np(t) = Beta(0, 0)\np(x | t) = Bernoulli(t)\n";
    assert!(refused(p, "log p(x)").contains("0 is not a positive number"));
}
