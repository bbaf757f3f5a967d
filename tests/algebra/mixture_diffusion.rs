//! Diffusions of a Gaussian mixture against SciPy: coefficients, kernels, the five predictions, both equations, divergence and likelihood
//! of each process. The numbers are in references/mixture_diffusion.json and linear_sde.json, their definitions in the scripts beside.

use crate::evaluation::{close, evaluated};
use serde_json::Value;
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// The mixture, whose score at each time takes the place of the network. `{…}` are inputs of the reference.
const MIXTURE: &str = "
let w = {weights}, m = {means}, S = {covs}, times = {times}
var x(t in 0..{last}) : Real[2]
data x(0) = {rows}
q {process}
fn log_part(x : Real[2], t : Real, w : Real, m : Real[2], S : Real[2, 2]) -> Real {
  let r = x - q.signal(t) * m, C = q.signal(t)^2 * S, v = q.var(t)
  let det = (C[0, 0] + v) * (C[1, 1] + v) - C[0, 1]^2
  let square = ((C[1, 1] + v) * r[0]^2 + (C[0, 0] + v) * r[1]^2 - 2 * C[0, 1] * r[0] * r[1]) / det
  log(w) - log(2 * pi) - log(det) / 2 - square / 2
}
fn log_density(x : Real[2], t : Real) -> Real = logsumexp([log_part(x, t, w[k], m[k], S[k]) for k in 3])
fn exact(x : Real[2], t : Real) -> Real[2] = grad[x](log_density(x, t))
p = reverse(q, score: exact)
";

/// By the reference's name, as a file declares them.
const PROCESSES: [(&str, &str); 7] = [
    ("vp", "= vp(x)"),
    ("subvp", "= subvp(x)"),
    ("ve", "= ve(x, smax: 10)"),
    ("edm", ": x(t) = x(0) + t * noise"),
    ("ou", ": dx = -1.5 * x dt + 1.2 dW"),
    ("rectified", ": x(t) = (1 - t) * x(0) + t * noise"),
    ("cosine", ": x(t) = cos(pi / 2 * t) * x(0) + sin(pi / 2 * t) * noise"),
];

/// Of the reference, and the program.
fn declared(name: &str, process: &str) -> (Value, String) {
    let whole: Value = serde_json::from_str(include_str!("../references/mixture_diffusion.json")).unwrap();
    let model = whole["models"][name].clone();
    let inputs = ["weights", "means", "covs", "times", "last", "rows"];
    let fill = |text: String, key: &&str| text.replace(&format!("{{{key}}}"), &model["inputs"][*key].to_string());
    let program = inputs.iter().fold(MIXTURE.replace("{process}", process), fill);
    (model, program)
}

/// All numbers of a value, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(parts) => parts.iter().flat_map(numbers).collect(),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => vec![value.as_f64().unwrap()],
    }
}

fn coefficients_are_those(model: &Value, program: &str) {
    let keys = ["signal", "noise", "var", "log_snr", "diffusion"];
    let members = keys.map(|key| format!("[q.{key}(times[i]) for i in 5]")).join(", ");
    let expected: Vec<f64> = keys.iter().flat_map(|key| numbers(&model["values"][key])).collect();
    close(program, &format!("({members})"), &expected);
}

/// Through the means of unit states and the variances.
fn kernels_are_those(model: &Value, program: &str) {
    let (mut expressions, mut expected) = (vec![], vec![]);
    for (i, pair) in model["inputs"]["kernels"].as_array().unwrap().iter().enumerate() {
        let (s, t) = (&pair[0], &pair[1]);
        let back = |xt: &str, x0: &str| format!("q(x({s}) | x({t}) = {xt}, x(0) = {x0}).mean[0]");
        expressions.push(format!("q(x({t}) | x({s}) = [1.0, 1.0]).mean[0], q(x({t}) | x({s}) = [1.0, 1.0]).var[0]"));
        expressions.push(format!("{}, {}", back("[1.0, 1.0]", "[0.0, 0.0]"), back("[0.0, 0.0]", "[1.0, 1.0]")));
        expressions.push(format!("q(x({s}) | x({t}) = [1.0, 1.0], x(0) = [0.0, 0.0]).var[0]"));
        let keys = ["kernel_signal", "kernel_var", "posterior_of_xt", "posterior_of_x0", "posterior_var"];
        expected.extend(keys.map(|key| model["values"][key][i].as_f64().unwrap()));
    }
    close(program, &format!("({})", expressions.join(", ")), &expected);
}

fn predictions_and_equations_are_those(model: &Value, program: &str) {
    let points = model["inputs"]["points"].as_array().unwrap();
    let [places, times] = [0, 1].map(|part| Value::from(points.iter().map(|point| point[part].clone()).collect::<Vec<_>>()));
    let program = format!("{program}let X = {places}, at = {times}\n");
    let keys = [
        ("log_density", "log_density(X[i], at[i])"),
        ("score", "p.score(X[i], at[i])"),
        ("x0", "p.x0(X[i], at[i])"),
        ("predicted_noise", "p.noise(X[i], at[i])"),
        ("v", "p.v(X[i], at[i])"),
        ("velocity", "p.velocity(X[i], at[i])"),
        ("velocity", "flow(p).drift(X[i], at[i])"),
        ("reverse_drift", "p.drift(X[i], at[i])"),
        ("divergence", "{ let x = X[i]; div[x](flow(p).drift(x, at[i])) }"),
    ];
    let expressions = keys.map(|(_, expression)| format!("[{expression} for i in {}]", points.len())).join(", ");
    let expected: Vec<f64> = keys.iter().flat_map(|(key, _)| numbers(&model["values"][key])).collect();
    close(&program, &format!("({expressions})"), &expected);
}

/// Tests run side by side, so each works through every other process.
fn every_other_is_that(first: usize) {
    for (name, process) in PROCESSES.iter().skip(first).step_by(2) {
        let (model, program) = declared(name, process);
        coefficients_are_those(&model, &program);
        kernels_are_those(&model, &program);
        predictions_and_equations_are_those(&model, &program);
    }
}

#[test]
fn coefficients_kernels_and_predictions() {
    every_other_is_that(0);
}

#[test]
fn coefficients_kernels_and_predictions_of_the_others() {
    every_other_is_that(1);
}

/// What the first leaves of the data at time 1 shows in the fourth digit, of the second in none.
#[test]
fn likelihoods() {
    for (name, process) in [("vp", "= vp(x)"), ("vp_to_noise", "= vp(x, bmax: 60)")] {
        let (model, program) = declared(name, process);
        let engine = Engine { device: Device::Cpu, precision: Precision::F64, threads: 1, seed: 7, measure: false };
        let found =
            evaluated(&program, "log_likelihood(flow(p), x(0), steps: 400)", &engine).unwrap_or_else(|problems| panic!("{problems}"));
        let expected = numbers(&model["values"]["late_log_likelihood_from_noise_prior"]);
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{name}: found {found:?}, expected {expected:?}");
    }
}
