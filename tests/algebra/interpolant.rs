//! Interpolants: their coefficients, the equations and kernels that have their marginals, and what is refused.

use crate::evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

fn program(equation: &str) -> String {
    format!("var x(t in 0..1) : Real[2]\ndata x(0) = [[0.3, -1.2], [0.5, 0.1]]\nq : x(t) = {equation}\n")
}

/// What is said of a program that is refused.
fn refusal(program: &str, expression: &str) -> String {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    match evaluated(program, expression, &engine) {
        Ok(values) => panic!("{expression} is {values:?}"),
        Err(problem) => problem,
    }
}

/// Variance preserving diffusion as an equation, an interpolant and a chain whose steps are those of the equation.
#[test]
fn three_ways_to_say_a_process() {
    let equation = "var x(t in 0..1) : Real[2]\ndata x(0) = [[0.3, -1.2]]\nq = vp(x, bmin: 0.2, bmax: 5)\n";
    let interpolant = "var x(t in 0..1) : Real[2]\ndata x(0) = [[0.3, -1.2]]\nfn a(t) = exp(-(0.2 * t + 2.4 * t^2) / 2)\n\
                       q : x(t) = a(t) * x(0) + sqrt(1 - a(t)^2) * noise\n";
    let chain = "let T = 10\nfn passed(t) = 0.2 * (t / T) + 2.4 * (t / T)^2\n\
                 let beta[t in 1..T] = 1 - exp(passed(t - 1) - passed(t))\nvar x[0..T] : Real[2]\ndata x[0] = [[0.3, -1.2]]\n\
                 q(x[t] | x[t-1]) = Normal(sqrt(1 - beta[t]) * x[t-1], sqrt(beta[t]))\n";
    for (at, from) in [(3, 0), (7, 3), (10, 7)] {
        let (t, s) = (f64::from(at) / 10.0, f64::from(from) / 10.0);
        for member in ["signal", "var", "log_snr"] {
            let expected = value(equation, &format!("q.{member}({t:?})"));
            close(interpolant, &format!("q.{member}({t:?})"), &expected);
            close(chain, &format!("q.{member}({at})"), &expected);
        }
        let expected = value(equation, &format!("log q(x({t:?}) = [0.1, 0.2] | x({s:?}) = [0.5, -0.4])"));
        close(interpolant, &format!("log q(x({t:?}) = [0.1, 0.2] | x({s:?}) = [0.5, -0.4])"), &expected);
        close(chain, &format!("log q(x[{at}] = [0.1, 0.2] | x[{from}] = [0.5, -0.4])"), &expected);
        for expression in [format!("q.drift([0.4, -0.7], {t:?})"), format!("q.diffusion({t:?})")] {
            close(interpolant, &expression, &value(equation, &expression));
        }
        let velocity = format!("q.velocity([0.4, -0.7], [0.1, 1.1], {t:?})");
        close(interpolant, &velocity, &value(equation, &velocity));
    }
    let expected = value(equation, "q.bridge([0.1, 0.2], [0.5, -0.4], 0.7, 0.3).mean");
    close(interpolant, "q.bridge([0.1, 0.2], [0.5, -0.4], 0.7, 0.3).mean", &expected);
    close(chain, "q.bridge([0.1, 0.2], [0.5, -0.4], 7, 3).mean", &expected);
}

/// x(t) = (1 − t) x(0) + 2 t² + t e: F = −1/(1−t), u = 4 t + 2 t²/(1−t), g² = 2 t/(1−t).
#[test]
fn a_shift_moves_with_the_equation() {
    let p = program("(1 - t) * x(0) + 2 * t^2 + t * noise");
    let t = 0.3;
    let u = 4.0 * t + 2.0 * t * t / (1.0 - t);
    close(&p, "q.drift([0.5, -1], 0.3)", &[u - 0.5 / (1.0 - t), u + 1.0 / (1.0 - t)]);
    close(&p, "q.diffusion(0.3)", &[(2.0 * t / (1.0 - t)).sqrt()]);
    close(&p, "q.diffused([1, 2], [0.5, -1], 0.3)", &[0.7 + 0.18 + 0.15, 1.4 + 0.18 - 0.3]);
    close(&p, "q.velocity([1, 2], [0.5, -1], 0.3)", &[-1.0 + 1.2 + 0.5, -2.0 + 1.2 - 1.0]);
    // x(t) given x(s) = y: 2 t² + (1−t)/(1−s) (y − 2 s²)
    let (s, y) = (0.1, 0.4);
    let mean = 2.0 * t * t + (1.0 - t) / (1.0 - s) * (y - 2.0 * s * s);
    let var = t * t - ((1.0 - t) / (1.0 - s) * s).powi(2);
    close(&p, "q(x(0.3) | x(0.1) = [0.4, 0.4]).mean", &[mean, mean]);
    close(&p, "q(x(0.3) | x(0.1) = [0.4, 0.4]).std[0]", &[var.sqrt()]);
}

#[test]
fn coefficients_of_elements_and_matrices() {
    let each = format!("let r = [1.0, 2.0]\n{}", program("exp(-t * r) * x(0) + sqrt(1 - exp(-2 * t * r)) * noise"));
    close(&each, "q.drift([1, 1], 0.5)", &[-1.0, -2.0]);
    close(&each, "q.diffuse(0.5, [1.0, 1.0])", &[2f64.sqrt(), 2.0]);
    let matrix = format!("let M = [[1.0, 0.0], [0.5, 2.0]]\n{}", program("(1 - t) * x(0) + t * (M @ noise)"));
    close(&matrix, "q.diffused([1, 2], [0.5, -1], 0.5)", &[0.5 + 0.25, 1.0 + 0.125 - 1.0]);
    // g gᵀ = 2 t/(1−t) M Mᵀ
    close(&matrix, "q.diffuse(0.5, [1.0, 0.0])", &[2f64.sqrt(), 0.5 * 2f64.sqrt()]);
    close(&matrix, "q.drift([1, 2], 0.5)", &[-2.0, -4.0]);
}

#[test]
fn rates_keep_their_digits_where_the_signal_is_lost() {
    let p = program("exp(-400 * t^2) * x(0) + sqrt(1 - exp(-800 * t^2)) * noise");
    close(&p, "q.drift([1, 2], 1)", &[-800.0, -1600.0]);
    close(&p, "q.diffusion(1)", &[1600f64.sqrt()]);
    close(&p, "q.diffusion(0)", &[0.0]);
}

#[test]
fn coefficients_may_be_learned() {
    let p = format!("param k : Positive = 0.5\n{}", program("(1 - t)^k * x(0) + t^k * noise"));
    close(&p, "q.velocity([1, 2], [0, 0], 0.75)", &[-0.5 * 0.25f64.powf(-0.5), -0.25f64.powf(-0.5)]);
    close(&p, "grad[k](q.signal(0.75))", &[0.25f64.ln() * 0.5]);
}

#[test]
fn two_ends_that_are_data() {
    let p = "var x(t in 0..1) : Real[2]\ndata x(0) = [[0.3, -1.2], [0.5, 0.1], [1, 1]]\ndata x(1) = [[5, 6], [7, 8]]\n\
             q = rectified_flow(x)\nfn f(x, t) = 2 * x\np = reverse(q, velocity: f)\n";
    close(p, "q.diffused([1, 2], [3, 5], 0.25)", &[1.5, 2.75]);
    close(p, "q.velocity([1, 2], [3, 5], 0.25)", &[2.0, 3.0]);
    close(p, "p.velocity([1, 2], 0.5)", &[2.0, 4.0]);
    // x = (1−t) x0 + t x1, v = x1 − x0
    close(p, "p.x0([1, 2], 0.25)", &[0.5, 1.0]);
    close(p, "p.noise([1, 2], 0.25)", &[2.5, 5.0]);
    close(p, "flow(p).drift([1, 2], 0.25)", &[2.0, 4.0]);
    for draw in ["q.noise()", "p.initial()"] {
        let drawn = value(p, &format!("sum(q.data) * 0 + {draw}"));
        assert!(drawn.chunks(2).all(|row| row == [5.0, 6.0] || row == [7.0, 8.0]), "{draw}: {drawn:?}");
    }
    for asked in
        ["p.score([1, 2], 0.5)", "q.drift([1, 2], 0.5)", "log q(x(0.5) = [1, 2] | x(0.2) = [1, 2])", "p.kernel([1, 2], 0.5, 0.2).mean"]
    {
        let problem = refusal(p, asked);
        assert!(problem.contains("no known density"), "{asked}\n{problem}");
    }
}

#[test]
fn what_is_no_interpolant_is_refused_at_its_line() {
    for (equation, asked, words) in [
        ("sin(x(0)) + t * noise", "q.signal(0.5)", "not affine in x at the first time"),
        ("(1 - t) * x(0) + t * noise^2", "q.signal(0.5)", "not affine in the noise"),
        ("(1 - t) * x(0) * noise + t * noise", "q.signal(0.5)", "not affine in"),
        ("(2 - t) * x(0) + t * noise", "q.signal(0.5)", "at t = 0 this interpolant is not x(0): the factor of x(0) less 1 is 1"),
        ("(1 - t) * x(0) + (t + 0.1) * noise", "q.signal(0.5)", "the factor of the other end is 0.1"),
        ("(1 - t) * x(0) + 3 + t * noise", "q.diffused([1, 2], [1, 2], 0.5)", "what is added is 3"),
        ("x(0) + sin(pi * t) * noise", "q.diffusion(0.2)", "the noise falls faster than the signal"),
        ("x(0) + sin(pi * t) * noise", "q(x(0.9) | x(0.8) = [1, 2]).mean", "at t = 0.515625"),
    ] {
        let problem = refusal(&program(equation), asked);
        assert!(problem.contains(words) && problem.contains(".tilde:3"), "{equation}\n{problem}");
    }
    // Without its g, a path that ends without noise is fine.
    close(&program("x(0) + sin(pi * t) * noise"), "q.velocity([1, 2], [1, 2], 0.5)", &[0.0, 0.0]);
}

#[test]
fn a_diffusion_coefficient_that_is_no_number_is_refused() {
    let p = "var x(t in 0..1) : Real[2]\ndata x(0) = [[0.3, -1.2]]\nq : dx = -x dt + sqrt(0.5 - t) dW\n";
    let problem = refusal(p, "q.diffusion(0.1)");
    assert!(problem.contains("not a finite number at t = 0.515625"), "{problem}");
    let wrong = p.replace("sqrt(0.5 - t)", "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]");
    assert!(refusal(&wrong, "q.diffusion(0.1)").contains("a number, an array of the shape of the state, or a square matrix"));
}

#[test]
fn the_library_s_processes_have_their_known_marginals() {
    let at = |process: &str, range: &str, t: f64, signal: f64, var: f64| {
        let p = format!("var x(t in {range}) : Real[2]\ndata x(0) = [[0.3, -1.2]]\nq = {process}\n");
        close(&p, &format!("[q.signal({t:?}), q.var({t:?})]"), &[signal, var]);
    };
    let t = 0.4f64;
    let passed = 0.1 * t + 9.95 * t * t;
    at("vp(x)", "0..1", t, (-passed / 2.0).exp(), 1.0 - (-passed).exp());
    at("subvp(x)", "0..1", t, (-passed / 2.0).exp(), (1.0 - (-passed).exp()).powi(2));
    at("ve(x)", "0..1", t, 1.0, 1e-4 * (5000f64.powf(2.0 * t) - 1.0));
    at("elucidated(x)", "0..80", 3.0, 1.0, 9.0);
    at("ornstein_uhlenbeck(x, rate: 2, sigma: 3)", "0..1", t, (-2.0 * t).exp(), 9.0 / 4.0 * (1.0 - (-4.0 * t).exp()));
    at("brownian_bridge(x, sigma: 2)", "0..1", t, 1.0 - t, 4.0 * t * (1.0 - t));
    at("rectified_flow(x)", "0..1", t, 1.0 - t, t * t);
    at("trigonometric_interpolant(x)", "0..1", 0.5, 0.5f64.sqrt(), 0.5);
    at("variance_preserving_interpolant(x)", "0..1", t, (1.0 - t * t).sqrt(), t * t);
    let cosine = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos() / (0.008 / 1.008 * std::f64::consts::FRAC_PI_2).cos();
    at("vp_cosine(x)", "0..1", t, cosine(t), 1.0 - cosine(t).powi(2));
}

/// The products of 1 − β are the cosine signals, up to the step at which β is cut off.
#[test]
fn schedules_of_chains() {
    let p = "let T = 1000\nlet a[t in 1..T] = linear_beta(t, T)\nlet b[t in 1..T] = cosine_beta(t, T)\n";
    close(p, "[a[1], a[1000], b[1000]]", &[1e-4, 0.02, 0.999]);
    close(p, "[prod(1 - b[t] for t in 1..500), 1.0]", &[value("", "cosine_signal(0.5)^2")[0], 1.0]);
}
