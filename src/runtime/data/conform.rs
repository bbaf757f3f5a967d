//! Whether data is what `data x : T` declares: the shape of a row, and the support of every value.

use super::Array;
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::size::Size;
use crate::check::types::{ArrayType, Support};

/// Judges an array [rows, …] against the declared type of a row.
///
/// # Errors
/// `DataEmpty` without rows; `DataShape`; `NotADensity` for grey pixels declared as bits; `DataValue` for any other value outside the
/// support, the first one named by its row and column.
pub fn conform(array: &Array, declared: &ArrayType) -> Result<()> {
    let support = &declared.support;
    if array.rows() == 0 {
        return Err(Diagnostic::new(Code::DataEmpty, format!("{} has no rows", array.name)));
    }
    let known: Option<Vec<usize>> = declared.shape.iter().map(Size::known).collect();
    if known.as_deref() != Some(array.row_shape()) {
        return Err(wrong_shape(array, declared));
    }
    match array.values.position(|value| !contains(support, value)) {
        Some(index) => Err(wrong_value(array, support, index)),
        None => conform_events(array, support),
    }
}

/// Whether a single number may stand in a value of the support; what its neighbours ask of it is left to `conform_events`.
#[inline]
fn contains(support: &Support, value: f64) -> bool {
    match support {
        Support::Real | Support::Cov | Support::Ordered => value.is_finite(),
        Support::Positive => value > 0.0 && value.is_finite(),
        Support::Unit | Support::Simplex => (0.0..=1.0).contains(&value),
        Support::Bit | Support::Bool => value == 0.0 || value == 1.0,
        Support::Spin => value == -1.0 || value == 1.0,
        Support::Cat(k) => value >= 0.0 && value < categories(k) as f64 && value.fract() == 0.0,
        Support::Int => value.fract() == 0.0,
    }
}

fn categories(k: &Size) -> usize {
    k.known().unwrap_or(0)
}

fn allows(support: &Support) -> String {
    match support {
        Support::Real | Support::Cov | Support::Ordered => "finite numbers".into(),
        Support::Positive => "finite numbers above 0".into(),
        Support::Unit | Support::Simplex => "numbers from 0 to 1".into(),
        Support::Bit | Support::Bool => "0 and 1".into(),
        Support::Spin => "-1 and 1".into(),
        Support::Cat(k) => format!("the whole numbers from 0 to {}", categories(k).saturating_sub(1)),
        Support::Int => "whole numbers".into(),
    }
}

fn wrong_shape(array: &Array, declared: &ArrayType) -> Diagnostic {
    let found = ArrayType { shape: sizes(array.row_shape()), ..declared.clone() };
    let message = format!("a row of {} is {}, the declared type is {declared}", array.name, shown(&found));
    let diagnostic = Diagnostic::new(Code::DataShape, message);
    if sizes(&array.shape) == declared.shape {
        return diagnostic.help("the first axis of the data is the plate of rows: declare the type of one row");
    }
    diagnostic.help(format!("declare {}, or choose other columns", shown(&found)))
}

fn sizes(shape: &[usize]) -> Vec<Size> {
    shape.iter().map(|&size| Size::from(size as i64)).collect()
}

/// A covariance that is not square cannot be shown by its one size.
fn shown(found: &ArrayType) -> String {
    match (&found.support, &found.shape[..]) {
        (Support::Cov, [.., a, b]) if a == b => found.to_string(),
        (Support::Cov, _) => ArrayType { support: Support::Real, ..found.clone() }.to_string(),
        _ => found.to_string(),
    }
}

fn wrong_value(array: &Array, support: &Support, index: usize) -> Diagnostic {
    let value = array.values.get(index);
    let kind = ArrayType { support: support.clone(), shape: vec![] };
    let grey = matches!(support, Support::Bit | Support::Bool) && array.values.iter().all(|value| contains(&Support::Unit, value));
    let (place, allows) = (place(array, index), allows(support));
    if grey {
        let message = format!("{} holds grey values, first {value} in {place}; {kind} allows {allows}", array.name);
        return Diagnostic::new(Code::NotADensity, message).help(
            "a Bernoulli likelihood of values between 0 and 1 is not a density: take `.binary` of the data, or declare Unit with \
             ContinuousBernoulli, or a discretised likelihood",
        );
    }
    let diagnostic = Diagnostic::new(Code::DataValue, format!("{} holds {value} in {place}; {kind} allows {allows}", array.name));
    match support {
        Support::Cat(k) if value == categories(k) as f64 => {
            diagnostic.help(format!("categories count from 0; is Cat<{}> meant?", categories(k) + 1))
        }
        Support::Spin if value == 0.0 => diagnostic.help("declare Bit for values 0 and 1"),
        Support::Bit if value == -1.0 => diagnostic.help("declare Spin for values -1 and 1"),
        Support::Unit if array.is_integer() => {
            diagnostic.help("are these grey levels? `.features` has them between 0 and 1; or declare `Int` and a discretised likelihood")
        }
        _ if !value.is_finite() => diagnostic.help("remove the row or fill in a finite number"),
        _ => diagnostic.help("change the declared type, or the data"),
    }
}

/// What the numbers of one simplex, ordered vector or covariance ask of each other.
fn conform_events(array: &Array, support: &Support) -> Result<()> {
    let row = array.row_shape();
    let event: usize = row[row.len().saturating_sub(support.event_rank())..].iter().product();
    let side = row.last().copied().unwrap_or(1);
    let broken = |values: &[f64]| match support {
        Support::Simplex => {
            let sum: f64 = values.iter().sum();
            ((sum - 1.0).abs() > 1e-4).then(|| format!("sum to {sum}; a simplex asks for 1"))
        }
        Support::Ordered => (!values.is_sorted_by(|a, b| a < b)).then(|| "do not increase".to_owned()),
        Support::Cov => {
            let symmetric = (0..event).all(|i| (values[i] - values[i % side * side + i / side]).abs() <= 1e-6 * values[i].abs());
            let diagonal = (0..side).all(|i| values[i * side + i] > 0.0);
            (!symmetric || !diagonal).then(|| "are not a covariance: symmetric, with a positive diagonal".to_owned())
        }
        Support::Real | Support::Positive | Support::Unit | Support::Bit | Support::Spin => None,
        Support::Int | Support::Bool | Support::Cat(_) => None,
    };
    if support.event_rank() == 0 || event == 0 {
        return Ok(());
    }
    for start in (0..array.values.len()).step_by(event) {
        let values: Vec<f64> = (start..start + event).map(|index| array.values.get(index)).collect();
        if let Some(problem) = broken(&values) {
            let message = format!("{}: the values from {} on {problem}", array.name, place(array, start));
            return Err(Diagnostic::new(Code::DataValue, message).help("change the declared type, or the data"));
        }
    }
    Ok(())
}

/// "row 3, column 2": counted from 0 as in the array, all axes of a row as one column where there is one, else as a place in brackets.
fn place(array: &Array, index: usize) -> String {
    let width: usize = array.row_shape().iter().product();
    let (row, mut column) = (index / width, index % width);
    match array.row_shape() {
        [] => format!("row {row} (from 0)"),
        [_] => format!("row {row}, column {column} (from 0)"),
        axes => {
            let mut places = vec![];
            for &size in axes.iter().rev() {
                places.push((column % size).to_string());
                column /= size;
            }
            places.reverse();
            format!("row {row}, place [{}] (from 0)", places.join(", "))
        }
    }
}
