//! Change of variables: derived inverses and log-determinants against the Jacobian, densities against quadrature, gradients against
//! finite differences, and what is refused.

use std::io::Write;
use std::path::Path;
use tilde_lang::backend::{Precision, Tensor};
use tilde_lang::base::Code;
use tilde_lang::driver::{self, Compiled, Request};
use tilde_lang::report::render::{Style, render};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::{Device, Engine};
use tilde_lang::runtime::parameters::Parameters;
use tilde_lang::runtime::{bijectors, evaluate, parameters};

const ENGINE: Engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 3, measure: false };

fn compile(program: &str, expression: &str) -> Compiled {
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    file.write_all(program.as_bytes()).unwrap();
    let request = Request { path: file.path().to_path_buf(), overrides: vec![], expression: Some(expression.into()) };
    driver::compile(&request).unwrap_or_else(|rejected| panic!("{}", render(&rejected.problems, &rejected.sources, Style::PLAIN)))
}

/// All parameters away from their starting values, so that none is special.
fn moved(compiled: &Compiled, dataset: &Dataset) -> Parameters {
    let mut all = parameters::initial(&compiled.model, dataset, &ENGINE).unwrap();
    for tensor in all.values_mut() {
        let shaken = tensor.to_f64().into_iter().enumerate().map(|(i, v)| v + 0.3 * ((i * 7 % 13) as f64 / 6.0 - 1.0));
        *tensor = Tensor::new(tensor.ty.clone(), Precision::F64, shaken);
    }
    all
}

fn evaluated(compiled: &Compiled, dataset: &Dataset, parameters: &Parameters) -> Result<Vec<f64>, tilde_lang::base::Diagnostic> {
    let expr = compiled.expression.as_ref().unwrap();
    let values = evaluate::evaluate(&compiled.model, expr, dataset, &dataset.split.train, parameters, &ENGINE)?;
    Ok(values.values.into_iter().flat_map(|v| v.values).collect())
}

fn value(program: &str, expression: &str) -> Vec<f64> {
    let compiled = compile(program, expression);
    let dataset = Dataset::load(&compiled.model, Path::new("."), 0, Precision::F64).unwrap();
    let parameters = moved(&compiled, &dataset);
    evaluated(&compiled, &dataset, &parameters)
        .unwrap_or_else(|problem| panic!("{expression}\n{}", render(&problem.into(), &compiled.sources, Style::PLAIN)))
}

fn near(found: f64, expected: f64, within: f64) -> bool {
    (found - expected).abs() <= within * expected.abs().max(1.0)
}

fn log_abs_det(mut a: Vec<f64>, n: usize) -> f64 {
    let mut total = 0.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i * n + k].abs().total_cmp(&a[j * n + k].abs())).unwrap();
        (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
        total += a[k * n + k].abs().ln();
        for i in k + 1..n {
            let factor = a[i * n + k] / a[k * n + k];
            (k..n).for_each(|j| a[i * n + j] -= factor * a[k * n + j]);
        }
    }
    total
}

const POINT: &str = "[0.3, -1.2, 0.7, 2.1]";

/// log p(f(u)) + log |det ∂f/∂u| = log base(u): wrong if the inverse or the log-determinant is.
fn density_agrees_with_the_jacobian(body: &str) {
    let program = format!("var x : Real[4]\nnet f(u : Real[4]) -> Real[4] {{ {body} }}\np(x) = pushforward(f, Normal(0, 1))\n");
    let jacobian = value(&program, &format!("{{ let u = {POINT}\n jac[u](f(u)) }}"));
    let log_density = value(&program, &format!("log p(x = f({POINT}))"))[0];
    let base = value(&program, &format!("Normal([0, 0, 0, 0], 1).log_prob({POINT})"))[0];
    let expected = base - log_abs_det(jacobian, 4);
    assert!(near(log_density, expected, 1e-9), "{body}: {log_density} and {expected}");
}

/// At a draw, the density without an inverse is the one with it.
fn draws_remember_their_preimage(body: &str) {
    let program = format!("var x : Real[4]\nnet f(u : Real[4]) -> Real[4] {{ {body} }}\np(x) = pushforward(f, Normal(0.2, 1.3))\n");
    let apart = value(&program, "E[x ~ p(x), samples: 5](abs(log p(x) - log p(x = x + 0)))")[0];
    assert!(apart.abs() < 1e-9, "{body}: {apart}");
}

const FLOWS: &[&str] = &[
    "additive_coupling[6](u)",
    "affine_coupling[6](u)",
    "masked_autoregressive[7](u)",
    "masked_autoregressive[7, 5](u)",
    "inverse_autoregressive[7, 5](u)",
    "spline_coupling[5, 6](u)",
    "actnorm(u)",
    "invertible_linear(u)",
    "flip(u)",
    "shuffle(u)",
    "shuffle(affine_coupling[6](flip(invertible_linear(actnorm(u)))))",
    "inverse_autoregressive[7](flip(masked_autoregressive[7](u)))",
];

#[test]
fn flows_of_the_library() {
    for body in FLOWS {
        density_agrees_with_the_jacobian(body);
        draws_remember_their_preimage(body);
    }
}

/// Maps written out in a file.
#[test]
fn maps_without_a_bijector() {
    for body in [
        "2 * u - 1",
        "-exp(tanh(u) / 3 + 1)",
        "sigmoid(u) + 1",
        "log(softplus(u))",
        "expm1(u)",
        "u^3 + 1",
        "1 / (3 + sigmoid(u))",
        "cumsum(u)",
        "[exp((i + 1) * u[i] / 2) for i in 4]",
        "[u[0], u[1] * exp(u[0]) + sin(u[0]), u[3] + u[2], u[2] - u[1]]",
        "u[1..3] ++ u[0]",
        "[if i > j then 0.1 * i - j else if i == j then 1.0 + i else 0 for i in 4, j in 4] @ u",
        "[if i < j then 0.1 * i - j else if i == j then 1.0 + i else 0 for i in 4, j in 4] @ u",
        "[if i > j then 0.1 * i - j else if i == j then 1.0 + i else 0 for i in 4, j in 4]' @ u",
        "[[0.0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]] @ u",
        "solve_lower([if i > j then 0.3 else if i == j then 2.0 + i else 0 for i in 4, j in 4], u)",
    ] {
        density_agrees_with_the_jacobian(body);
        draws_remember_their_preimage(body);
    }
}

/// Dinh, Sohl-Dickstein, Bengio (2017), equation 9: the textbook's form of a coupling, told by its mask.
#[test]
fn maps_whose_order_is_told_by_masks() {
    for body in [
        "let b = [1.0, 0, 1, 0]\n let h = tanh(dense[6](b * u))\n b * u + (1 - b) * (u * exp(dense[4](h)) + dense[4](h))",
        "let L = [if i > j then 1.0 * i - 0.5 * j else 0 for i in 4, j in 4]\n u * exp(tanh(L @ u)) + sin(L @ u)",
        "let L = [if i > j then 1.0 else 0 for i in 4, j in 4]\n L @ u + tanh(u)",
        "let L = [if i < j then 0.5 else 0 for i in 4, j in 4]\n u + 2 * u + tanh(L @ u)",
    ] {
        density_agrees_with_the_jacobian(body);
        draws_remember_their_preimage(body);
    }
}

/// No inverse, yet a density at draws: E[f(u)] needs none, and its gradient neither.
#[test]
fn planar_and_radial_flows_at_their_draws() {
    for body in ["planar(u)", "radial(u)", "planar(radial(planar(u)))"] {
        let program = format!(
            "var x : Real[3]\nnet f(u : Real[3]) -> Real[3] {{ {body} }}\nbase(z : Real[3]) = Normal(0, 1)\np(x) = pushforward(f, base)\n"
        );
        // The base lies so close to one point that the Jacobian there is that of all draws
        let jacobian = value(&program, "{ let u = [0.5, -0.25, 1.0]\n jac[u](f(u)) }");
        let program = program.replace(
            "base(z : Real[3]) = Normal(0, 1)",
            "base(z : Real[3]) = Uniform([0.5 - w, -0.25 - w, 1.0 - w], [0.5 + w, -0.25 + w, 1.0 + w])",
        );
        let program = format!("let w = 2^-40\n{program}");
        let log = value(&program, "E[x ~ p(x)](log p(x))")[0];
        let expected = 3.0 * 39.0 * 2f64.ln() - log_abs_det(jacobian, 3);
        assert!(near(log, expected, 1e-9), "{body}: {log} and {expected}");
    }
}

/// ∫ p(x) dx = 1 by Simpson's rule, in one and in two dimensions.
#[test]
fn densities_integrate_to_one() {
    let program = "var x : Real\nfn f(u) = u / 2 + exp(u / 2)\nbijector g(u : Real) : Real { forward = 3 * tanh(u / 2) + 1 }\n\
        p(x) = pushforward(g, Normal(0.5, 0.6))\nlet n = 2000\n";
    let total = value(
        program,
        "sum((if i == 0 or i == n then 1 else if rem(i, 2) == 1 then 4 else 2) * exp(log p(x = -1.9999 + 5.9998 * i / n)) for i in 0..n) * 5.9998 / n / 3",
    )[0];
    assert!(near(total, 1.0, 1e-9), "{total}");
    let program = "var x : Real[2]\nnet f(u : Real[2]) -> Real[2] = flip(spline_coupling[4, 5](flip(affine_coupling[5](u))))\n\
        p(x) = pushforward(f, Normal(0, 1))\nlet n = 120\n";
    let total = value(program, "sum(exp(log p(x = [-9 + 18 * i / n, -9 + 18 * j / n])) for i in 0..n, j in 0..n) * (18 / n)^2")[0];
    assert!(near(total, 1.0, 2e-3), "{total}");
}

/// Gradients of log-densities with respect to all weights, through inverses that are derived, given, and found in a loop.
#[test]
fn gradients_against_finite_differences() {
    for body in [
        "affine_coupling[3](flip(u))",
        "inverse_autoregressive[3](u)",
        "masked_autoregressive[3](u)",
        "spline_coupling[3, 3](invertible_linear(u))",
    ] {
        let program = format!(
            "var x : Real[2]\nparam w : Real[2] = [0.4, -0.7]\nnet f(u : Real[2]) -> Real[2] {{ {body} }}\nnet g(u : Real[2], w : Real[2]) -> Real[2] = f(u * exp(w))\n\
            p(x) = pushforward(g, Normal(0, 1), w)\n"
        );
        let gradient = value(&program, "grad[w](log p(x = [0.7, -0.4]))");
        let compiled = compile(&program, "log p(x = [0.7, -0.4])");
        let dataset = Dataset::load(&compiled.model, Path::new("."), 0, Precision::F64).unwrap();
        let start = moved(&compiled, &dataset);
        let id = compiled.model.params.iter().find(|(_, param)| param.path == "w").unwrap().0;
        for (i, gradient) in gradient.iter().enumerate() {
            let at = |step: f64| {
                let mut parameters = start.clone();
                let tensor = &start[&id];
                let values = tensor.to_f64().into_iter().enumerate().map(|(j, v)| if i == j { v + step } else { v });
                parameters.insert(id, Tensor::new(tensor.ty.clone(), Precision::F64, values));
                evaluated(&compiled, &dataset, &parameters).unwrap()[0]
            };
            let slope = (8.0 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3;
            assert!(near(*gradient, slope, 1e-8), "{body}: {gradient} and {slope}");
        }
    }
}

/// The base and the map may depend on what is given; a scalar map is repeated over the axes of the variable.
#[test]
fn conditional_and_repeated_pushforwards() {
    let program = "data x : Real[2] = [[1, 2], [3, 5]]\nvar z : Real[2]\nfn f(u : Real[2], x : Real[2]) = u * exp(x) + 1\nq(z | x) = pushforward(f, Normal(x, 1), x)\n";
    let found = value(program, "log q(z = [2, 3] | x)");
    let normal = |x: f64, m: f64| -0.5 * (x - m).powi(2) - 0.5 * (2.0 * std::f64::consts::PI).ln();
    for (row, [a, b]) in [[1f64, 2.0], [3.0, 5.0]].into_iter().enumerate() {
        let expected = normal((-a).exp(), a) - a + normal(2.0 * (-b).exp(), b) - b;
        assert!(near(found[row], expected, 1e-12), "{} and {expected}", found[row]);
    }
    let program =
        "data y : Positive[3] = [[1, 2, 3]]\nfn f(u : Real) -> Positive = exp(u)\np(y) = pushforward(f, Normal([0, 1, 2], 0.5))\n";
    let expected: f64 =
        [1f64, 2.0, 3.0].iter().zip([0.0, 1.0, 2.0]).map(|(y, m)| normal((y.ln() - m) / 0.5, 0.0) - 0.5f64.ln() - y.ln()).sum();
    assert!(near(value(program, "log p(y)")[0], expected, 1e-12));
}

fn code_of(program: &str, expression: &str) -> Code {
    let compiled = compile(program, expression);
    let dataset = Dataset::load(&compiled.model, Path::new("."), 0, Precision::F64).unwrap();
    evaluated(&compiled, &dataset, &moved(&compiled, &dataset)).map(|v| panic!("{program}: {v:?}")).unwrap_err().code
}

#[test]
fn what_is_no_bijection_is_refused() {
    for f in [
        "u + sin(u)",
        "abs(u)",
        "u * u",
        "max(u, 0)",
        "round(u)",
        "u * sum(u)",
        "[u[0], u[0]]",
        "[u[0], 1.0]",
        "[u[0] + u[1], exp(u[0] + u[1])]",
        "[[1.0, 2], [3, 4]] @ u",
        "cumsum(u * u)",
        "[if i >= j then 1.0 else 0 for i in 2, j in 2] @ u + tanh(u)",
        "stop(u)",
        "u + noise[2]",
    ] {
        let program = format!("var x : Real[2]\nfn f(u : Real[2]) -> Real[2] = {f}\np(x) = pushforward(f, Normal(0, 1))\n");
        let code = code_of(&program, "log p(x = [0.1, 0.2])");
        assert!(matches!(code, Code::NotInvertible), "{f}: {code}");
    }
}

/// The wrong programs on the pages of the two codes.
#[test]
fn the_pages_are_true() {
    let program =
        |code: Code, at: usize| code.page().split("```").skip(1).step_by(2).nth(at).unwrap().strip_prefix("tilde\n").unwrap().to_owned();
    assert_eq!(code_of(&program(Code::NotInvertible, 0), "log p(x)"), Code::NotInvertible);
    value(&program(Code::NotInvertible, 1), "log p(x)");
    for (at, expected) in [(0, Some(Code::WrongBijector)), (1, None)] {
        let compiled = compile(&program(Code::WrongBijector, at), "1.0");
        assert_eq!(bijectors::verify(&compiled.model, &Parameters::new()).err().map(|e| e.code), expected);
    }
}

/// What the library gives of its bijectors, at random points.
#[test]
fn what_the_library_gives_is_true() {
    let program =
        "var x : Real[4]\nnet f(u : Real[4]) -> Real[4] = planar(radial(spline_coupling[4, 3](u)))\np(x) = pushforward(f, Normal(0, 1))\n";
    let compiled = compile(program, "1.0");
    let dataset = Dataset::load(&compiled.model, Path::new("."), 0, Precision::F64).unwrap();
    assert_eq!(bijectors::verify(&compiled.model, &moved(&compiled, &dataset)).unwrap(), 3);
    let wrong = "var x : Real\nbijector f(u : Real) : Real { forward = 2 * u\n inverse(y) = y - 2 }\np(x) = pushforward(f, Normal(0, 1))\n";
    let compiled = compile(wrong, "1.0");
    assert_eq!(bijectors::verify(&compiled.model, &Parameters::new()).unwrap_err().code, Code::WrongBijector);
}
