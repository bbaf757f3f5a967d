//! Questions about loops and processes that are easily answered with a wrong number.

use crate::evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// A loop to a computed end has no turn where the end is just below its start; between two numbers it runs downward.
#[test]
fn loops_without_turns() {
    let p = "data x : Real = [1]\nfn up(x, n : Size) { let s = x\n for i in 1..n { s = s + 10 }\n s }\n\
             fn inside(x, n : Size) { let s = x\n for i in 1..n-1 { s = s + 10 }\n s }\n\
             fn down(x) { let s = x\n for i in 2..1 { s = 2 * s + i }\n s }\n";
    close(p, "up(x, 0)", &[1.0]);
    close(p, "up(x, 2)", &[21.0]);
    close(p, "inside(x, 1)", &[1.0]);
    close(p, "down(x)", &[9.0]);
}

/// One step of a consistency model is one evaluation of its function.
#[test]
fn one_step_of_a_consistency_model() {
    let p = "var x(t in 0..1) : Real\ndata x(0) = [0.5]\nq = vp(x)\nfn f(x : Real, t : Real) -> Real = 0 * x + t\n";
    close(p, "consistency_sampler(f, q)", &[1.0]);
}

/// Whole numbers are coefficients as well.
#[test]
fn whole_numbers_as_coefficients() {
    let start = "var x(t in 0..1) : Real[2]\ndata x(0) = [[1, 2]]\n";
    for (whole, real) in [
        ("-[1, 3] * x dt + dW", "-[1.0, 3.0] * x dt + 1.0 dW"),
        ("-x dt + [1, 2] dW", "-x dt + [1.0, 2.0] dW"),
        ("[[-1, 1], [0, -1]] @ x dt + [[1, 2], [2, 1]] dW", "[[-1.0, 1.0], [0.0, -1.0]] @ x dt + [[1.0, 2.0], [2.0, 1.0]] dW"),
    ] {
        let density = |equation: &str| value(&format!("{start}q : dx = {equation}\n"), "log q(x(0.7) = [0.3, 0.2] | x(0.2) = [0.5, 0.1])");
        assert_eq!(density(whole), density(real), "{whole}");
    }
}

/// The score of data N(0.7, 0.36), whose factor w is learned.
const GAUSSIAN: &str = "var x(t in 0..1) : Real\ndata x(0) = [0.4, 1.2]\nq = vp(x)\nparam w : Real = 1\n\
    fn s(x : Real, t : Real) -> Real = -w * (x - q.signal(t) * 0.7) / (q.signal(t)^2 * 0.36 + q.var(t))\n\
    p = reverse(q, score: s)\nr = frozen(p)\nf = flow(r)\n";

/// What is frozen has no gradient, whatever is made of it.
#[test]
fn nothing_flows_into_what_is_frozen() {
    for value_of in ["r.score(x(0), 0.3)", "flow(r).drift(x(0), 0.3)", "f.drift(x(0), 0.3)", "score_matching(r, q)"] {
        close(GAUSSIAN, &format!("grad[w]({value_of})"), &[0.0, 0.0]);
    }
    assert!(value(GAUSSIAN, "grad[w](flow(p).drift(x(0), 0.3))").iter().all(|slope| slope.abs() > 1e-3));
}

/// Of a state that is one number the divergence is the slope. The rest of the signal at the last time is what the two differ by.
#[test]
fn likelihood_of_one_number() {
    for (found, x) in value(GAUSSIAN, "log_likelihood(flow(p), x(0), until: 0)").iter().zip([0.4f64, 1.2]) {
        let exact = -(x - 0.7).powi(2) / 0.72 - (2.0 * std::f64::consts::PI * 0.36).ln() / 2.0;
        assert!((found - exact).abs() < 5e-3, "{found}, exactly {exact}");
    }
    close(GAUSSIAN, "div[x(0)](x(0)^3)", &[3.0 * 0.16, 3.0 * 1.44]);
}

/// A signal of 3e-7 is small, and enough in f64.
#[test]
fn a_small_signal_is_one() {
    let p = "var x(t in 0..1) : Real\ndata x(0) = [0.4]\nq = vp(x, bmax: 60)\n\
             fn s(x : Real, t : Real) -> Real = -(x - q.signal(t) * 0.7) / q.var(t)\np = reverse(q, score: s)\n";
    let found = value(p, "p.x0(1.5, 0.99)")[0];
    assert!((found - 0.7).abs() < 1e-7, "{found}");
}

/// Kernels of finite chains reach one step: a sampler that jumps would draw from no probabilities.
#[test]
fn a_finite_chain_is_sampled_through_each_step() {
    let p = "var x[0..6] : Cat<3>[2]\ndata x[0] = [[0, 1]]\n\
             q(x[t] | x[t-1]) = Categorical(logits: [log(0.8 * one_hot[3](x[t-1][d])[j] + 0.2 / 3) for d in 2, j in 3])\n\
             fn f(x : Cat<3>[2], t : Int) -> Real[2, 3] = [1.0 * j for d in 2, j in 3]\np = reverse(q, x0: f)\n";
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    let told = evaluated(p, "ancestral(p, steps: 3)", &engine).expect_err("is accepted");
    assert!(told.contains("3 steps of a chain with finitely many states"), "{told}");
    assert!(evaluated(p, "ancestral(p)", &engine).is_ok());
}

/// Sampling without a step would return the noise from which it starts.
#[test]
fn inpainting_takes_steps() {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    for (arguments, words) in [("steps: 0", "a sampler with 0 steps"), ("repeats: 0", "0 repeats of each step")] {
        let told = evaluated(GAUSSIAN, &format!("inpaint(p, 1.0, 1.0, {arguments})"), &engine).expect_err("is accepted");
        assert!(told.contains(words), "{told}");
    }
}
