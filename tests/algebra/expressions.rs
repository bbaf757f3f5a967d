//! What expressions mean: values against numbers worked out by hand, in f64 by the reference interpreter and on the CPU.

use crate::evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// log of the density of a normal distribution.
fn log_normal(x: f64, mean: f64, std: f64) -> f64 {
    -0.5 * ((x - mean) / std).powi(2) - std.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln()
}

#[test]
fn arrays_and_comprehensions() {
    let p = "let a = [1.0, 2.0, 3.0]\nlet M = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]\nlet k = [2, 0]\n";
    close(p, "sum(a[i] * i for i in 3)", &[8.0]);
    close(p, "[a[i] + 10 * j for i in 3, j in 2]", &[1.0, 11.0, 2.0, 12.0, 3.0, 13.0]);
    close(p, "sum(a[i] for i in 3 if i > 0)", &[5.0]);
    close(p, "mean(a[i] for i in 3 if i > 0)", &[2.5]);
    close(p, "max(M[i, 1] for i in 3)", &[6.0]);
    close(p, "prod(a)", &[6.0]);
    close(p, "logsumexp(a)", &[(1f64.exp() + 2f64.exp() + 3f64.exp()).ln()]);
    close(p, "a @ M", &[22.0, 28.0]);
    close(p, "M' @ a", &[22.0, 28.0]);
    close(p, "M[1]", &[3.0, 4.0]);
    close(p, "[M[k[j], j] for j in 2]", &[5.0, 2.0]);
    close(p, "[a[k[j]] for j in 2]", &[3.0, 1.0]);
    close(p, "a[1..2] ++ a[0..0]", &[2.0, 3.0, 1.0]);
    close(p, "sum(M[i, j]^2 for i in 3, j in 2)", &[91.0]);
    close(p, "cumsum(a)", &[1.0, 3.0, 6.0]);
    close(p, "if a[0] > 0 then a else -a", &[1.0, 2.0, 3.0]);
}

/// Whole numbers are as wide as the working precision; where a real number is wanted, their arithmetic is that of real numbers.
#[test]
fn counts_do_not_overflow_in_single_precision() {
    let engine = Engine { device: Device::Cpu, precision: Precision::F32, threads: 1, seed: 0, measure: false };
    let p = "data k : Int = [100_000]\n";
    for (expression, expected) in [("k * k + 0.5", 1e10), ("-(k * k) * 1.0", -1e10), ("sum(k * k for i in 3) / 1.0", 3e10)] {
        let found = evaluated(p, expression, &engine).unwrap_or_else(|problems| panic!("{problems}"));
        assert!((found[0] / expected - 1.0).abs() < 1e-6, "{expression}: {found:?}");
    }
}

#[test]
fn stable_forms() {
    close("", "log sigmoid(-1000.0)", &[-1000.0]);
    close("", "log(1 - sigmoid(1000.0))", &[-1000.0]);
    close("", "log(1 + exp(1000.0))", &[1000.0]);
    close("", "log(1 - exp(-1e-12))", &[1e-12f64.ln()]);
    close("", "logsumexp([1000.0, 1000.0])", &[1000.0 + 2f64.ln()]);
    close("param t : Real = -200", "grad[t](log sigmoid(t))", &[1.0]);
}

#[test]
fn ranges_that_end_at_an_outer_index() {
    let p = "let T = 4\nlet alpha[t in 1..T] = 1 - 0.1 * t\nlet bar[t in 1..T] = prod(alpha[s] for s in 1..t)\n";
    close(p, "bar", &[0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7, 0.9 * 0.8 * 0.7 * 0.6]);
    close("", "sum(1 for i in 1..4, j in i + 1..4)", &[6.0]);
}

#[test]
fn derivatives() {
    let p = "param v : Real[2] = 3\nfn f(x : Real[2]) -> Real[2] = [x[0]^2 * x[1], sin(x[0]) + x[1]^3]\n";
    close(p, "grad[v](norm2(v))", &[6.0, 6.0]);
    close(p, "jac[v](f(v))", &[18.0, 9.0, 3f64.cos(), 27.0]);
    close(p, "div[v](f(v))", &[18.0 + 27.0]);
    close(p, "hess[v](v[0]^2 * v[1])", &[6.0, 6.0, 6.0, 0.0]);
    close(p, "grad[v](norm2(grad[v](v[0]^2 * v[1])))", &[8.0 * 27.0 + 4.0 * 27.0, 8.0 * 27.0]);
    close(p, "grad[v](stop(v[0]) * v[0])", &[3.0, 0.0]);
    // Names of equal value are different variables.
    let p = "fn f(a : Real, b : Real) -> Real = grad[a](a * b)\nparam t : Real = 3\n";
    close(p, "f(t, t)", &[3.0]);
    close(p, "f(2.0, 2.0)", &[2.0]);
    close(p, "{ let x = t^2\n let s = 5 * x\n grad[x](s * x) }", &[90.0]);
}

#[test]
fn derivatives_by_a_name_of_a_constant() {
    close("", "{ let z = 0.5; let y = 0.5; grad[z](z * y) }", &[0.5]);
    close("", "{ let z = 2.0; grad[z](grad[z](z^3)) }", &[12.0]);
    close("", "{ let z = [1.0, 2.0]; div[z](z^2) }", &[6.0]);
}

#[test]
fn derivatives_are_per_row() {
    let p = "data x : Real[2] = [[1.0, 2.0], [3.0, 4.0]]\n";
    close(p, "grad[x](norm2(x))", &[2.0, 4.0, 6.0, 8.0]);
    close(p, "div[x](x^2)", &[6.0, 14.0]);
    close(p, "hess[x](x[0] * x[1])", &[0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn finite_variables_are_summed_exactly() {
    let p = "dim K = 2\nlet w = softmax([log 1, log 3])\nlet m = [-1.0, 2.0]\ndata x : Real = [0.5, 3.0]\n\
             p(k : Cat<K>) = Categorical(w)\np(x | k) = Normal(m[k], 1)\n";
    let joint = |x: f64| [0.25f64.ln() + log_normal(x, -1.0, 1.0), 0.75f64.ln() + log_normal(x, 2.0, 1.0)];
    let evidence = |x: f64| joint(x).map(f64::exp).iter().sum::<f64>().ln();
    close(p, "log p(x)", &[evidence(0.5), evidence(3.0)]);
    close(p, "log p(k = 1 | x)", &[joint(0.5)[1] - evidence(0.5), joint(3.0)[1] - evidence(3.0)]);
    close(p, "log p(x, k = 0)", &[joint(0.5)[0], joint(3.0)[0]]);
    close(p, "log p(x = 0.5 | k = 0)", &[log_normal(0.5, -1.0, 1.0)]);
    close(p, "E[k ~ p(k)](m[k]^2)", &[0.25 + 0.75 * 4.0]);
}

/// The posterior of a finite variable is a distribution like any other: at it, the bound of EM is the evidence.
#[test]
fn a_finite_posterior_is_a_distribution() {
    let p = "dim K = 2\nlet w = softmax([log 1, log 3])\nlet m = [-1.0, 2.0]\ndata x : Real = [0.5, 3.0]\n\
             p(k : Cat<K>) = Categorical(w)\np(x | k) = Normal(m[k], 1)\n";
    let right = |x: f64| 1.0 / (1.0 + (0.25f64.ln() + log_normal(x, -1.0, 1.0) - 0.75f64.ln() - log_normal(x, 2.0, 1.0)).exp());
    close(p, "p(k | x).probs", &[1.0 - right(0.5), right(0.5), 1.0 - right(3.0), right(3.0)]);
    close(p, "E[k ~ p(k | x)](m[k])", &[right(0.5), right(3.0)].map(|r| 2.0 * r - (1.0 - r)));
    close(p, "E[k ~ p(k | x)](log p(x, k)) + H(p(k | x)) - log p(x)", &[0.0, 0.0]);
    close(p, "p(k | x = 3.0).probs[1]", &[right(3.0)]);
    let p = "p(a : Bit) = Bernoulli(0.3)\np(b : Bit | a) = Bernoulli(if a == 1 then 0.6 else 0.1)\n";
    close(p, "p(a | b = 1).prob", &[0.3 * 0.6 / (0.3 * 0.6 + 0.7 * 0.1)]);
    close(p, "p(b).prob", &[0.3 * 0.6 + 0.7 * 0.1]);
}

/// With q the exact posterior, log p(x, z) − log q(z | x) is the evidence for every z, so IWAE is exact with one draw.
#[test]
fn bounds_are_tight_at_the_exact_posterior() {
    let p = "data x : Real = [1.5, -0.5]\np(z : Real) = Normal(0, 1)\np(x | z) = Normal(z, 1)\nq(z | x) = Normal(x / 2, sqrt(0.5))\n";
    let evidence = [log_normal(1.5, 0.0, 2f64.sqrt()), log_normal(-0.5, 0.0, 2f64.sqrt())];
    close(p, "IWAE(p, q, samples: 3)", &evidence);
    close(p, "log p(x, z = 0.3) - log q(z = 0.3 | x)", &evidence);
    let elbo = value(p, "ELBO(p, q, samples: 4000)");
    for (bound, exact) in elbo.iter().zip(evidence) {
        // The sampled part, log p(x | z), has a standard deviation below 1: five standard errors of 4,000 draws.
        assert!((bound - exact).abs() < 0.08, "{bound} for {exact}");
    }
}

#[test]
fn loops_run_in_every_cell() {
    let p = "fn halvings(start : Real) -> Real {\n  let x = start\n  let n = 0.0\n  while x > 1 { x = x / 2\n n = n + 1 }\n  n\n}\n\
             fn power(x : Real) -> Real {\n  let y = 1.0\n  for t in 3..1 { y = y * x + t }\n  y\n}\nparam v : Real = 2\n";
    close(p, "[halvings(x) for x in 5]", &[0.0, 0.0, 1.0, 2.0, 2.0]);
    // ((x + 3) x + 2) x + 1
    close(p, "power(2.0)", &[25.0]);
    close(p, "grad[v](power(v))", &[3.0 * 4.0 + 2.0 * 3.0 * 2.0 + 2.0]);
}

#[test]
fn a_drawn_variable_may_be_rebound() {
    let p = "p(z : Real) = Normal(0, 1)\n";
    close(p, "{ z ~ Delta(2.0)\n for t in 1..3 { z = z * t }\n z }", &[12.0]);
    // The density speaks of the variable as it stands: z - (-z) / 2 …
    close(p, "{ z ~ Delta(2.0)\n for t in 1..2 { z = z - grad[z](log p(z)) / 2 }\n log p(z) }", &[log_normal(4.5, 0.0, 1.0)]);
}

/// A draw of an outer name in a loop takes its place, be it a local or a variable of the density.
#[test]
fn draws_in_a_loop_are_carried() {
    let p = "p(z : Real) = Delta(1.0)\n";
    close(p, "{ z ~ p(z)\n for t in 1..3 { z ~ Delta(2 * z) }\n z }", &[8.0]);
    close(p, "{ y ~ Delta(1.0)\n for t in 1..3 { y ~ Delta(y + t) }\n y }", &[7.0]);
    close(p, "{ let z = 1.0\n for t in 1..3 { z ~ Delta(2 * z) }\n z }", &[8.0]);
    close(p, "{ let y = 1.0\n for t in 1..2 { for s in 1..2 { y ~ Delta(3 * y) } }\n y }", &[81.0]);
}

#[test]
fn draws_are_functions_of_seed_and_row() {
    let p = "data x : Real = [1.0, 2.0, 3.0]\np(z : Real) = Normal(0, 1)\n";
    let drawn = value(p, "E[z ~ p(z)](z + 0 * x)");
    assert_eq!(drawn.len(), 3);
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
    let fewer = value(&p.replace(", 3.0", ""), "E[z ~ p(z)](z + 0 * x)");
    assert_eq!(fewer, drawn[..2]);
}

/// r is p with its parameter held fixed; what its factors are given keeps its gradient.
#[test]
fn a_frozen_density_holds_parameters_only() {
    let p = "param m : Real = 2\ndata x : Real = [1.0, 4.0]\np(z : Real) = Normal(0, 1)\np(x | z) = Normal(m * z, 1)\nr = frozen(p)\n";
    close(p, "{ let w = 0.5\n grad[w](log r(x | z = w)) }", &[0.0, 6.0]);
    close(p, "{ let w = 0.5\n grad[m](log r(x | z = w)) }", &[0.0, 0.0]);
}

/// b tells of k, and k of c, so b counts once c is known.
#[test]
fn evidence_is_found_through_latent_variables() {
    let p = "p(a : Bit) = Bernoulli(0.3)\np(k : Bit) = Bernoulli(0.6)\np(b : Bit | k) = Bernoulli(logits: 1 - 3 * k)\n\
             p(c : Bit | a, k) = Bernoulli(logits: -1 + 2 * a + 3 * k)\n";
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let joint = |a: f64, k: f64| {
        let prior = if a == 1.0 { 0.3 } else { 0.7 } * if k == 1.0 { 0.6 } else { 0.4 };
        prior * sigmoid(1.0 - 3.0 * k) * sigmoid(-1.0 + 2.0 * a + 3.0 * k)
    };
    let [no, yes] = [0.0, 1.0].map(|a| joint(a, 0.0) + joint(a, 1.0));
    close(p, "log p(a = 1 | b = 1, c = 1)", &[(yes / (no + yes)).ln()]);
    close(p, "log p(a = 1 | b = 1)", &[0.3f64.ln()]);
}

/// Never some other element: in range by a guard, or not a number.
#[test]
fn elements_out_of_range_are_not_numbers() {
    let p = "let a = [1.0, 2.0, 3.0]\nlet j = [0, 3, -1]\ndata k : Cat<3> = [0, 2]\nparam v : Real[3] = 2\n\
             p(c : Cat<3>) = Categorical([0.2, 0.3, 0.5])\n";
    close(p, "[is_finite(a[i + 1]) for i in 3]", &[1.0, 1.0, 0.0]);
    close(p, "[is_finite(a[j[i]]) for i in 3]", &[1.0, 0.0, 0.0]);
    close(p, "is_finite(a[k + 1])", &[1.0, 0.0]);
    close(p, "is_finite(log p(c = k + 1))", &[1.0, 0.0]);
    close(p, "a[k]", &[1.0, 3.0]);
    close(p, "[if i > 0 then a[i] - a[i - 1] else a[0] for i in 3]", &[1.0, 1.0, 1.0]);
    close(p, "grad[v](sum(if i > 0 then v[i] * v[i - 1] else 0 for i in 3))", &[2.0, 4.0, 2.0]);
}

#[test]
fn values_of_probability_zero_do_not_count() {
    let p = "p(k : Cat<3>) = Categorical([0.0, 0.5, 0.5])\nparam t : Unit = 0.5\n";
    close(p, "E[k ~ p(k)](log p(k))", &[0.5f64.ln()]);
    close(p, "E[b ~ Bernoulli(1.0)](log b)", &[0.0]);
    close(p, "grad[t](E[b ~ Bernoulli(t)](3 * b))", &[3.0]);
}

#[test]
fn loops_inside_loops() {
    close("", "{ let n = 0\n for i in 1..3 { for j in 1..2 { n = 10 * n + i * j } }\n n }", &[122436.0]);
    close("", "{ let n = 0.0\n for i in 3..1 { for j in 0..1 { n = 10 * n + i + j } }\n n }", &[342_312.0]);
    let halve = "{ let n = 0.0\n for i in 1..3 {\n let x = i * 4.0\n while x > 1 { x = x / 2\n n = n + i }\n }\n n }";
    close("", halve, &[2.0 + 3.0 * 2.0 + 4.0 * 3.0]);
}

/// A value computed outside of a loop's body does not follow a derivative taken inside: refused, not left out.
#[test]
fn derivatives_inside_loops() {
    let p = "param v : Real = 2\n";
    close(p, "{ let z = 0.0\n for i in 1..2 { z = z + grad[v](3 * v * v) }\n z }", &[24.0]);
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let hidden = "{ let y = 3 * v\n let z = 0.0\n for i in 1..2 { z = z + grad[v](y * v) }\n z }";
    assert!(evaluated(p, hidden, &engine).is_err_and(|told| told.contains("computed from the variable before")));
}

/// The gradient of a probability is not zero, as that of a path would be.
#[test]
fn a_pathwise_gradient_of_jumps_is_refused() {
    let p = "param m : Real = 0.5\n";
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let refused = |e: &str| evaluated(p, e, &engine).is_err_and(|told| told.contains("estimator: score_function"));
    assert!(refused("grad[m](E[z ~ Normal(m, 1)](if z > 0 then 1 else 0))"));
    assert!(refused("grad[m](E[z ~ Normal(m, 1)](round(z)))"));
    let sampled = |e: &str| evaluated(p, e, &engine).unwrap()[0];
    let slope = sampled("grad[m](E[z ~ Normal(m, 1), samples: 20000, estimator: score_function](if z > 0 then 1 else 0))");
    // The density of the standard normal at 0.5; the estimate has a standard error below 0.01.
    assert!((slope - 0.3521).abs() < 0.05, "{slope}");
    assert_eq!(sampled("grad[m](E[z ~ Normal(m, 1)](if z > -100 then z else 0))"), 1.0);
    assert!(sampled("E[z ~ Normal(m, 1)](if z > 0 then 1 else 0)") >= 0.0);
}

#[test]
fn products_of_whole_numbers_do_not_wrap() {
    for device in [Device::Interpreter, Device::Cpu] {
        let engine = Engine { device, precision: Precision::F32, threads: 1, seed: 0, measure: false };
        assert_eq!(evaluated("", "prod(i for i in 1..13)", &engine), Ok(vec![6_227_020_800.0]));
    }
}
