//! Kernels of Itô processes with affine drift, in closed form or by quadrature, against the numerical solution of their equations.

use crate::evaluation::{close, evaluated, value};
use serde_json::Value;
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// A process of two elements, with its equation.
fn program(declared: &str, times: &str, equation: &str) -> String {
    format!("{declared}\nvar x(t in {times}) : Real[2]\ndata x(0) = [[0.3, -1.2], [0.5, 0.1]]\nq : dx = {equation}\n")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Mean from zero and from the unit vectors, and variance, between each pair of times.
fn kernels_agree(kind: &str, spread: &str, chosen: &dyn Fn(&Value) -> Vec<f64>) {
    let text = std::fs::read_to_string("tests/references/processes.json").unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    for (name, process) in all[kind].as_object().unwrap() {
        let field = |key: &str| process[key].as_str().unwrap();
        let program = program(field("declared"), field("times"), field("equation"));
        let (mut parts, mut expected) = (vec![], vec![]);
        for kernel in process["kernels"].as_array().unwrap() {
            let given = |x: &str| format!("q(x({}) | x({}) = {x})", kernel["to"], kernel["from"]);
            parts.push(format!("{}.mean ++ {}.mean ++ {}.mean", given("[0.0, 0.0]"), given("[1.0, 0.0]"), given("[0.0, 1.0]")));
            parts.push(spread.replace("KERNEL", &given("[0.0, 0.0]")));
            let (signal, shift) = (numbers(&kernel["signal"]), numbers(&kernel["shift"]));
            expected.extend(&shift);
            expected.extend([signal[0] + shift[0], signal[2] + shift[1], signal[1] + shift[0], signal[3] + shift[1]]);
            expected.extend(chosen(&kernel["var"]));
        }
        let found = value(&program, &parts.join(" ++ "));
        assert_eq!(found.len(), expected.len(), "{name}");
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-3), "{name}, number {at}: {a} instead of {b}");
        }
    }
}

#[test]
fn kernels_of_elementwise_equations() {
    kernels_agree("elementwise", "KERNEL.var", &|var| vec![var[0].as_f64().unwrap(), var[3].as_f64().unwrap()]);
}

/// Formulas, not differences of large numbers: the variance near the first time keeps all digits, in single precision as well.
#[test]
fn variances_keep_their_digits_near_the_start() {
    let p =
        program("let bmin = 0.1, bmax = 20.0\nfn beta(t) = bmin + t * (bmax - bmin)", "0..1", "-1/2 * beta(t) * x dt + sqrt(beta(t)) dW");
    for t in [1e-6f64, 0.01, 0.3, 1.0] {
        let b = 0.1 * t + 9.95 * t * t;
        close(&p, &format!("q.var({t:?}) / {:?}", -(-b).exp_m1()), &[1.0]);
    }
}

#[test]
fn kernels_of_equations_with_matrices() {
    kernels_agree("matrices", "KERNEL.cov[0] ++ KERNEL.cov[1]", &numbers);
}

/// What an expression in the scope of a process is rejected with.
fn refused(declared: &str, times: &str, equation: &str) -> String {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
    evaluated(&program(declared, times, equation), "log q(x(0.4) = [0.0, 0.0] | x(0))", &engine).unwrap_err()
}

#[test]
fn what_is_no_process_says_where() {
    let told = |equation: &str, words: &[&str]| {
        let message = refused("", "0..1", equation);
        words.iter().for_each(|word| assert!(message.contains(word), "{word} is missing in: {message}"));
    };
    told("-x^3 dt + dW", &["E0340", "not affine", "euler_maruyama", "implicit"]);
    told("-tanh(x) dt + dW", &["E0340", "tanh"]);
    told("-x dt + sqrt(0.5 - t) dW", &["E0341", "diffusion coefficient is not a finite number at t = 0.515625"]);
    told("-x dt + (0.5 - t) dW", &["E0341", "negative at t = 0.515625"]);
    told("-x / (t - 0.5)^2 dt + dW", &["E0341", "drift is not a finite number at t = 0.5"]);
    told("-x dt + (if t < 0.3 then 0.0 else 1.0) dW", &["E0341", "no noise has come in at t = 0.015625"]);
    told("-x dt", &["E0341", "no noise"]);
    told("-x dt + [[1.0, 1.0], [1.0, 1.0]] dW", &["E0341", "not positive definite at t = 0.1"]);
    told("-x dt + abs(sin(500 * t)) dW", &["E0341", "1e-10", "nodes"]);
}
