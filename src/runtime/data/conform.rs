//! Whether data is what `data x : T` declares: the shape of a row, and the support of every value.

use super::Array;
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use std::fmt;

/// The values that a declared type allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    Real,
    /// Above 0
    Positive,
    /// From 0 to 1
    Unit,
    /// 0 or 1
    Bit,
    /// −1 or 1
    Spin,
    /// 0, …, K − 1
    Cat(usize),
    Int,
    Bool,
    /// Along the last axis, from 0 to 1 with sum 1
    Simplex,
}

impl Support {
    pub fn contains(self, value: f64) -> bool {
        match self {
            Support::Real => value.is_finite(),
            Support::Positive => value > 0.0 && value.is_finite(),
            Support::Unit | Support::Simplex => (0.0..=1.0).contains(&value),
            Support::Bit | Support::Bool => value == 0.0 || value == 1.0,
            Support::Spin => value == -1.0 || value == 1.0,
            Support::Cat(k) => value >= 0.0 && value < k as f64 && value.fract() == 0.0,
            Support::Int => value.fract() == 0.0,
        }
    }

    fn allows(self) -> String {
        match self {
            Support::Real => "finite numbers".into(),
            Support::Positive => "finite numbers above 0".into(),
            Support::Unit => "numbers from 0 to 1".into(),
            Support::Simplex => "numbers from 0 to 1 with sum 1".into(),
            Support::Bit | Support::Bool => "0 and 1".into(),
            Support::Spin => "-1 and 1".into(),
            Support::Cat(k) => format!("the whole numbers from 0 to {}", k.saturating_sub(1)),
            Support::Int => "whole numbers".into(),
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Support::Real => f.write_str("Real"),
            Support::Positive => f.write_str("Positive"),
            Support::Unit => f.write_str("Unit"),
            Support::Bit => f.write_str("Bit"),
            Support::Spin => f.write_str("Spin"),
            Support::Cat(k) => write!(f, "Cat<{k}>"),
            Support::Int => f.write_str("Int"),
            Support::Bool => f.write_str("Bool"),
            Support::Simplex => f.write_str("Simplex"),
        }
    }
}

/// Judges an array [rows, …] against the declared shape of a row and support of its elements.
///
/// # Errors
/// `DataEmpty` without rows; `DataShape`; `NotADensity` for grey pixels declared as bits; `DataValue` for any other value outside the
/// support, the first one named by its row and column.
pub fn conform(array: &Array, shape: &[usize], support: Support) -> Result<()> {
    if array.rows() == 0 {
        return Err(Diagnostic::new(Code::DataEmpty, format!("{} has no rows", array.name)));
    }
    if array.row_shape() != shape {
        return Err(wrong_shape(array, shape, support));
    }
    match array.values.iter().position(|value| !support.contains(value)) {
        Some(index) => Err(wrong_value(array, support, index)),
        None if support == Support::Simplex => conform_sums(array),
        None => Ok(()),
    }
}

fn wrong_shape(array: &Array, shape: &[usize], support: Support) -> Diagnostic {
    let found = array.row_shape();
    let declared = typed(support, shape);
    let message = format!("a row of {} is {}, the declared type is {declared}", array.name, typed(support, found));
    let diagnostic = Diagnostic::new(Code::DataShape, message);
    if array.shape == shape {
        return diagnostic.help("the first axis of the data is the plate of rows: declare the type of one row");
    }
    diagnostic.help(format!("declare {}, or choose other columns", typed(support, found)))
}

fn wrong_value(array: &Array, support: Support, index: usize) -> Diagnostic {
    let value = array.values.get(index);
    let grey = matches!(support, Support::Bit | Support::Bool) && array.values.iter().all(|value| Support::Unit.contains(value));
    let place = place(array, index);
    if grey {
        let message = format!("{} holds grey values, first {value} in {place}; {support} allows {}", array.name, support.allows());
        return Diagnostic::new(Code::NotADensity, message).help(
            "a Bernoulli likelihood of values between 0 and 1 is not a density: take `.binary` of the data, or declare Unit with \
             ContinuousBernoulli, or a discretised likelihood",
        );
    }
    let message = format!("{} holds {value} in {place}; {support} allows {}", array.name, support.allows());
    let diagnostic = Diagnostic::new(Code::DataValue, message);
    match support {
        Support::Cat(k) if value == k as f64 => diagnostic.help(format!("categories count from 0; is Cat<{}> meant?", k + 1)),
        Support::Spin if value == 0.0 => diagnostic.help("declare Bit for values 0 and 1"),
        Support::Bit if value == -1.0 => diagnostic.help("declare Spin for values -1 and 1"),
        Support::Unit if array.is_integer() => diagnostic.help("are these bytes? divide them by 255"),
        _ if !value.is_finite() => diagnostic.help("remove the row or fill in a finite number"),
        _ => diagnostic.help("change the declared type, or the data"),
    }
}

fn conform_sums(array: &Array) -> Result<()> {
    let width = array.row_shape().last().copied().unwrap_or(1).max(1);
    for start in (0..array.values.len()).step_by(width) {
        let sum: f64 = (start..start + width).map(|index| array.values.get(index)).sum();
        if (sum - 1.0).abs() > 1e-4 {
            let message = format!("{}: the values from {} sum to {sum}; Simplex asks for 1", array.name, place(array, start));
            return Err(Diagnostic::new(Code::DataValue, message).help("normalise the rows"));
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

fn typed(support: Support, shape: &[usize]) -> String {
    if shape.is_empty() {
        return support.to_string();
    }
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("{support}[{}]", sizes.join(", "))
}
