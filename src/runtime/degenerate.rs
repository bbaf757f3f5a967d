//! Why an estimate in closed form lies outside of its support: a component that collapsed onto a point, a column that is constant,
//! a class without observations.

use super::dataset::Dataset;
use super::nonfinite::number;
use crate::backend::Tensor;
use crate::base::eigen::symmetric_eigen;
use crate::base::{Code, Diagnostic};
use crate::check::Support;
use crate::check::model::{Model, ParamId};
use crate::check::types::Type;

/// The first of the estimates that is no value of its parameter's type.
pub fn explain(model: &Model, dataset: &Dataset, fitted: &[(ParamId, &Tensor)], step: u64) -> Option<Diagnostic> {
    fitted.iter().find_map(|&(id, tensor)| {
        let Type::Array(array) = &model.params[id].ty else { return None };
        let (values, shape) = (tensor.to_f64(), tensor.shape());
        let name = &model.params[id].path;
        let event: usize = shape[shape.len() - array.support.event_rank()..].iter().product();
        let lead = &shape[..shape.len() - array.support.event_rank()];
        if lead.iter().product::<usize>() > 1 && values.iter().all(|value| value.is_nan()) {
            let (message, help) = unsolvable(name);
            let message = format!("{message} (iteration {step})");
            return Some(Diagnostic::new(Code::Degenerate, message).label(model.params[id].span, "estimated here").help(help));
        }
        for (number, entry) in values.chunks(event.max(1)).enumerate() {
            let entry_name = format!("{name}{}", place(number, lead));
            let found = match array.support {
                _ if entry.iter().any(|value| value.is_nan()) => Some(empty(&entry_name)),
                Support::Cov => singular(model, dataset, &entry_name, entry, lead.is_empty()),
                Support::Positive if entry[0] <= 0.0 => Some(point(&entry_name)),
                _ if entry.iter().any(|value| value.is_infinite()) => Some(infinite(&entry_name)),
                _ => None,
            };
            if let Some((message, help)) = found {
                let message = format!("{message} (iteration {step})");
                return Some(Diagnostic::new(Code::Degenerate, message).label(model.params[id].span, "estimated here").help(help));
            }
        }
        None
    })
}

type Told = Option<(String, String)>;

fn empty(name: &str) -> (String, String) {
    let message = format!("`{name}` cannot be estimated: no observation counts for it, or its equations have no unique solution");
    (message, "start elsewhere (`--seed`), use fewer components or classes, or leave out columns that depend on others".into())
}

/// Entries that are found together share one system of equations.
fn unsolvable(name: &str) -> (String, String) {
    let message =
        format!("the equations for `{name}` have no unique solution: nothing is observed of some entry, or columns depend on others");
    (message, "use fewer components or classes, or leave out columns that depend on others".into())
}

fn point(name: &str) -> (String, String) {
    let message = format!("`{name}` became 0: the observations that count for it are all equal");
    (message, "leave the constant column out, use fewer components, start elsewhere (`--seed`), or fix the scale".into())
}

fn infinite(name: &str) -> (String, String) {
    (format!("the likelihood has no maximum: `{name}` grows without bound"), "hold it fixed, or give it a prior".into())
}

/// A covariance that is not positive definite to working precision.
fn singular(model: &Model, dataset: &Dataset, name: &str, matrix: &[f64], alone: bool) -> Told {
    let n = (matrix.len() as f64).sqrt() as usize;
    let (eigenvalues, _) = symmetric_eigen(matrix, n);
    let smallest = eigenvalues.first().copied().unwrap_or(f64::NAN);
    let largest = eigenvalues.last().copied().unwrap_or(f64::NAN);
    if smallest > largest * f64::EPSILON {
        return None;
    }
    let message =
        format!("the covariance `{name}` is singular: its smallest eigenvalue is {}, its largest {}", number(smallest), number(largest));
    let help = match constant_column(model, dataset, n) {
        Some((var, column)) => format!("column {column} of {var} is constant: leave it out"),
        None if alone => "some columns of the data depend on each other: leave one out".into(),
        None => "this component collapsed onto too few points: start elsewhere (`--seed`), or use fewer components".into(),
    };
    Some((message, help))
}

/// The first column, of data with `width` columns, that never changes.
fn constant_column<'m>(model: &'m Model, dataset: &Dataset, width: usize) -> Option<(&'m str, usize)> {
    dataset.tables.iter().filter(|(_, table)| table.shape().get(1..) == Some(&[width])).find_map(|(&var, table)| {
        let values = table.to_f64();
        let column = (0..width).find(|&column| values.iter().skip(column).step_by(width).all(|value| *value == values[column]))?;
        Some((model.vars[var].name.as_str(), column))
    })
}

/// `[2]`, `[0, 3]`, or nothing
fn place(mut number: usize, shape: &[usize]) -> String {
    if shape.is_empty() {
        return String::new();
    }
    let mut index = vec![];
    for &size in shape.iter().rev() {
        index.push((number % size.max(1)).to_string());
        number /= size.max(1);
    }
    index.reverse();
    format!("[{}]", index.join(", "))
}
