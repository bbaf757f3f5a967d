//! Texts of programs, evaluated in this process.

use std::fs;
use tilde_lang::algebra::{self, InputRole, RowCounts};
use tilde_lang::backend::{Precision, Tensor};
use tilde_lang::check::model::Model;
use tilde_lang::driver::{self, Compiled, Rejected, Request};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::Engine;
use tilde_lang::runtime::evaluate::{self, Values};
use tilde_lang::runtime::parameters::{self, Parameters};

pub fn engine(seed: u32) -> Engine {
    Engine { precision: Precision::F64, threads: 1, seed, ..Engine::default() }
}

/// What the compiler makes of a text, and of an expression in its scope.
///
/// # Errors
/// The first message.
pub fn compile(text: &str, expression: Option<&str>) -> Result<Compiled, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("program.tilde");
    fs::write(&path, text).map_err(|error| error.to_string())?;
    let request = Request { path, overrides: vec![], expression: expression.map(String::from) };
    driver::compile(&request).map_err(|Rejected { problems, .. }| problems.0[0].message.clone())
}

/// Starting values, some of them replaced by the given unconstrained numbers.
pub fn parameters(model: &Model, replaced: &[(String, Vec<f64>)]) -> Parameters {
    let mut parameters = parameters::initial(model, &Dataset::default(), &engine(0)).unwrap();
    for (path, numbers) in replaced {
        let (id, _) = model.params.iter().find(|(_, param)| param.path == *path).unwrap_or_else(|| panic!("no parameter {path}"));
        let ty = parameters[&id].ty.clone();
        parameters.insert(id, Tensor::new(ty, Precision::F64, numbers.iter().copied()));
    }
    parameters
}

/// An expression's value, or the parts of a tuple's.
pub fn evaluate(text: &str, expression: &str, replaced: &[(String, Vec<f64>)], seed: u32) -> Result<Vec<Values>, String> {
    let compiled = compile(text, Some(expression))?;
    let expr = compiled.expression.as_ref().ok_or("no expression")?;
    let parameters = parameters(&compiled.model, replaced);
    evaluate::evaluate(&compiled.model, expr, &Dataset::default(), &[], &parameters, &engine(seed))
        .map(|evaluated| evaluated.values)
        .map_err(|error| error.message)
}

/// A scalar expression for each of several seeds.
pub fn for_seeds(text: &str, expression: &str, seeds: u32) -> Result<Vec<f64>, String> {
    let compiled = compile(text, Some(expression))?;
    let expr = compiled.expression.as_ref().ok_or("no expression")?;
    let parameters = parameters(&compiled.model, &[]);
    let evaluated = algebra::lower_expression(&compiled.model, expr, &RowCounts::new(), None).map_err(|error| error.message)?;
    let mut compiled = engine(0).compile(evaluated.program, vec![]).map_err(|error| error.message)?;
    parameters::bind(&mut compiled, &parameters);
    let value = |seed| {
        compiled.write(&InputRole::Seed, &[f64::from(seed)]);
        compiled.plan.run();
        compiled.plan.output(0).first()
    };
    Ok((0..seeds).map(value).collect())
}

/// A number without parameters.
pub fn number(expression: &str) -> f64 {
    evaluate("", expression, &[], 0).unwrap_or_else(|error| panic!("{expression}: {error}"))[0].values[0]
}

/// Independent draws from a distribution, one after another.
pub fn draws(distribution: &str, count: usize, seed: u32) -> Vec<f64> {
    let compiled =
        compile(&format!("sample s = {{ x ~ {distribution}; x }}"), None).unwrap_or_else(|error| panic!("{distribution}: {error}"));
    let drawn =
        evaluate::sample(&compiled.model, &compiled.model.samples[0].value, count, &Dataset::default(), &Parameters::new(), &engine(seed));
    drawn.unwrap_or_else(|error| panic!("{distribution}: {}", error.message)).values.remove(0).values
}
