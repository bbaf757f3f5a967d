//! Expressions at given parameters: for each row, averaged over rows, or drawn.

use super::dataset::Dataset;
use super::engine::{Compiled, Engine};
use super::nonfinite;
use super::parameters::{self, Parameters};
use crate::algebra::{self, InputRole};
use crate::backend::Measured;
use crate::base::Diagnostic;
use crate::base::diagnostic::{At, Result};
use crate::check::model::{Expr, Model};
use std::time::{Duration, Instant};

/// Rows are evaluated in parts of this many; the result does not depend on it.
const PART: usize = 100;

/// Light expressions, whose largest array then has at most so many elements, in parts of this many.
const LARGE_PART: usize = 1024;
const LIGHT: usize = 1 << 20;

/// Draws are made in parts of at most this many, with the same proviso.
const MOST_DRAWS: usize = 4096;

/// One output of an expression (a tuple has several).
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Of one row's value
    pub shape: Vec<usize>,
    /// One value after another
    pub values: Vec<f64>,
    /// How many rows; none if the value does not depend on rows
    pub rows: Option<usize>,
}

impl Values {
    /// The mean over rows, element by element.
    pub fn mean(&self) -> Vec<f64> {
        let Some(rows) = self.rows else { return self.values.clone() };
        let width = self.values.len() / rows.max(1);
        let sum = |element: usize| (0..rows).map(|row| self.values[row * width + element]).sum::<f64>();
        (0..width).map(|element| sum(element) / rows as f64).collect()
    }

    /// The first row with an element that is not a number.
    fn first_nan(&self) -> Option<usize> {
        let width = self.values.len() / self.rows.unwrap_or(1).max(1);
        self.values.iter().position(|value| value.is_nan()).map(|at| at / width.max(1))
    }

    /// The standard error of the mean over rows of a scalar.
    pub fn standard_error(&self) -> Option<f64> {
        let rows = self.rows.filter(|&n| n > 1 && self.values.len() == n)?;
        let mean = self.mean()[0];
        let variance = self.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (rows - 1) as f64;
        Some((variance / rows as f64).sqrt())
    }
}

/// The outputs of an expression, and how long they took.
pub struct Evaluated {
    pub values: Vec<Values>,
    /// From the checked expression to native code with its inputs in place
    pub compile: Duration,
    /// Of all rows
    pub run: Duration,
    /// What each kernel took, if it was to be measured
    pub kernels: Vec<Measured>,
}

impl Evaluated {
    /// `run` does the work; what went before, since `begun`, was compiling.
    fn timed(
        begun: Instant,
        mut compiled: Compiled,
        measure: bool,
        run: impl FnOnce(&mut Compiled) -> Result<Vec<Values>>,
    ) -> Result<Evaluated> {
        if measure {
            compiled.plan.measure();
        }
        let ready = Instant::now();
        let values = run(&mut compiled)?;
        Ok(Evaluated { values, compile: ready - begun, run: ready.elapsed(), kernels: compiled.plan.measured() })
    }
}

/// An expression at the parameters, for the given rows of the data if it depends on them.
pub fn evaluate(
    model: &Model,
    expr: &Expr,
    dataset: &Dataset,
    rows: &[u32],
    parameters: &Parameters,
    engine: &Engine,
) -> Result<Evaluated> {
    let begun = Instant::now();
    let alone = match dataset.counts.is_empty() {
        true => Some(algebra::lower_expression(model, expr, &dataset.counts, None).at(expr.span)?),
        false => algebra::lower_without_rows(model, expr, &dataset.counts).at(expr.span)?,
    };
    if let Some(evaluated) = alone {
        let mut compiled = engine.compile(evaluated.program, vec![])?;
        parameters::bind(&mut compiled, parameters);
        bind_data(&mut compiled, dataset);
        return Evaluated::timed(begun, compiled, engine.measure, |compiled| {
            compiled.run()?;
            Ok((0..evaluated.by_row.len()).map(|i| whole(compiled, i)).collect())
        });
    }
    let lowered = |part: usize| algebra::lower_expression(model, expr, &dataset.counts, Some(part)).at(expr.span);
    let (mut part, large) = (even_part(rows.len(), PART), even_part(rows.len(), LARGE_PART));
    let mut evaluated = lowered(part)?;
    if evaluated.program.graph.largest() / part.max(1) * large <= LIGHT {
        (part, evaluated) = (large, lowered(large)?);
    }
    let by_row = evaluated.by_row;
    let mut compiled = engine.compile(evaluated.program, vec![])?;
    parameters::bind(&mut compiled, parameters);
    bind_data(&mut compiled, dataset);
    Evaluated::timed(begun, compiled, engine.measure, |compiled| run_in_parts(compiled, rows, part, &by_row))
}

/// Independent draws of an expression, numbered from 0; where it speaks of data, one for each row held out, in order and again from
/// the first.
pub fn sample(model: &Model, expr: &Expr, draws: usize, dataset: &Dataset, parameters: &Parameters, engine: &Engine) -> Result<Evaluated> {
    let begun = Instant::now();
    let part = even_part(draws, MOST_DRAWS);
    let evaluated = algebra::lower_sample(model, expr, &dataset.counts, part).at(expr.span)?;
    let rows: Vec<u32> = if !dataset.counts.is_empty() && evaluated.of_data {
        dataset.evaluation_rows().iter().copied().cycle().take(draws).collect()
    } else {
        (0..draws as u32).collect()
    };
    let by_row = evaluated.by_row;
    let mut compiled = engine.compile(evaluated.program, vec![])?;
    parameters::bind(&mut compiled, parameters);
    bind_data(&mut compiled, dataset);
    let drawn = Evaluated::timed(begun, compiled, engine.measure, |compiled| run_in_parts(compiled, &rows, part, &by_row))?;
    match drawn.values.iter().enumerate().find_map(|(output, values)| Some((output, values.first_nan()?))) {
        Some((output, at)) => Err(explained(model, expr, dataset, parameters, engine, output, rows[at])?),
        None => Ok(drawn),
    }
}

/// Why a draw holds what is not a number: it is made again, alone, since its bits do not depend on the others.
fn explained(
    model: &Model,
    expr: &Expr,
    dataset: &Dataset,
    parameters: &Parameters,
    engine: &Engine,
    output: usize,
    row: u32,
) -> Result<Diagnostic> {
    let evaluated = algebra::lower_sample(model, expr, &dataset.counts, 1).at(expr.span)?;
    let source = evaluated.program.graph.clone();
    let mut compiled = engine.compile(evaluated.program, vec![])?;
    parameters::bind(&mut compiled, parameters);
    bind_data(&mut compiled, dataset);
    compiled.write(&InputRole::Rows, &[f64::from(row)]);
    let mut diagnostic = nonfinite::explain_draw(&source, &compiled, output, row);
    diagnostic.chain.push((expr.span, "drawn here".into()));
    Ok(diagnostic)
}

pub fn bind_data(compiled: &mut Compiled, dataset: &Dataset) {
    for (index, role) in compiled.inputs.iter().enumerate() {
        if let InputRole::Data(var) = role
            && let Some(table) = dataset.tables.get(var)
        {
            compiled.plan.set_input(index, table.clone());
        }
        if let InputRole::TrainingRows(data) = role
            && let Some(rows) = dataset.training_rows.get(data)
        {
            compiled.plan.set_input(index, rows.clone());
        }
    }
}

fn whole(compiled: &Compiled, output: usize) -> Values {
    let tensor = compiled.plan.output(output);
    Values { shape: tensor.shape().to_vec(), values: tensor.to_f64(), rows: None }
}

/// How long parts of at most `most` rows are, so that few rows are computed in vain at the end.
fn even_part(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).next_multiple_of(16).min(rows).min(most)
}

/// The last part is filled up with repetitions, whose results are dropped.
fn run_in_parts(compiled: &mut Compiled, rows: &[u32], part: usize, by_row: &[bool]) -> Result<Vec<Values>> {
    let mut results: Vec<Option<Values>> = vec![None; by_row.len()];
    for chunk in rows.chunks(part) {
        let mut numbers: Vec<f64> = chunk.iter().map(|&row| f64::from(row)).collect();
        numbers.resize(part, numbers[0]);
        compiled.write(&InputRole::Rows, &numbers);
        compiled.run()?;
        for (output, result) in results.iter_mut().enumerate() {
            if !by_row[output] {
                result.get_or_insert_with(|| whole(compiled, output));
                continue;
            }
            let tensor = compiled.plan.output(output);
            let shape = tensor.shape()[1..].to_vec();
            let width: usize = shape.iter().product();
            let all = result.get_or_insert(Values { shape, values: vec![], rows: Some(rows.len()) });
            all.values.extend(&tensor.to_f64()[..chunk.len() * width]);
        }
    }
    Ok(results.into_iter().flatten().collect())
}
