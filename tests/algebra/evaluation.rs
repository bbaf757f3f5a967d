//! Expressions in the scope of a program's text, evaluated in this process in f64, by the reference interpreter and on the CPU.

use std::io::Write;
use std::path::Path;
use tilde_lang::backend::Precision;
use tilde_lang::driver::{self, Request};
use tilde_lang::report::render::{Style, render};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::{Device, Engine};
use tilde_lang::runtime::{evaluate, parameters};

/// The value of an expression in the scope of a file: all rows, all elements. Both devices must agree.
pub fn value(program: &str, expression: &str) -> Vec<f64> {
    let [interpreted, native] = [Device::Interpreter, Device::Cpu].map(|device| {
        let engine = Engine { device, precision: Precision::F64, threads: 2, seed: 7, measure: false };
        evaluated(program, expression, &engine).unwrap_or_else(|problems| panic!("{expression}\n{problems}"))
    });
    assert_eq!(interpreted.len(), native.len(), "{expression}");
    for (a, b) in interpreted.iter().zip(&native) {
        // Sums are added up in another order.
        assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0) || a == b || a.is_nan() && b.is_nan(), "{expression}: {a} and {b}");
    }
    interpreted
}

/// The value on the CPU alone, for what the interpreter takes too long for; or the problems.
pub fn attempted(program: &str, expression: &str) -> Result<Vec<f64>, String> {
    evaluated(program, expression, &Engine { device: Device::Cpu, precision: Precision::F64, threads: 2, seed: 7, measure: false })
}

/// The value on the CPU alone.
pub fn native(program: &str, expression: &str) -> Vec<f64> {
    attempted(program, expression).unwrap_or_else(|problems| panic!("{expression}\n{problems}"))
}

pub fn evaluated(program: &str, expression: &str, engine: &Engine) -> Result<Vec<f64>, String> {
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    file.write_all(program.as_bytes()).unwrap();
    let request = Request { path: file.path().to_path_buf(), overrides: vec![], expression: Some(expression.into()) };
    let compiled = driver::compile(&request).map_err(|rejected| render(&rejected.problems, &rejected.sources, Style::PLAIN))?;
    let told = |diagnostic: tilde_lang::base::Diagnostic| render(&diagnostic.into(), &compiled.sources, Style::PLAIN);
    let model = &compiled.model;
    let dataset = Dataset::load(model, Path::new("."), engine.seed, engine.precision).map_err(told)?;
    let parameters = parameters::initial(model, &dataset, engine).map_err(told)?;
    let expr = compiled.expression.as_ref().unwrap();
    let values = evaluate::evaluate(model, expr, &dataset, &dataset.split.train, &parameters, engine).map_err(told)?;
    Ok(values.values.into_iter().flat_map(|v| v.values).collect())
}

pub fn close(program: &str, expression: &str, expected: &[f64]) {
    let found = value(program, expression);
    let agree =
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0) || a == b);
    assert!(agree, "{expression}: found {found:?}, expected {expected:?}");
}
