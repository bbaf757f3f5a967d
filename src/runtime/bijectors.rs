//! Bijectors of a model, tried at random points: what a file gives must belong to the forward map.

use super::engine::{Device, Engine};
use super::parameters::{Parameters, bind};
use crate::algebra::{POINTS, Verification, lower_verification};
use crate::backend::Precision;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Bijector, FunctionId, Model};

/// How far rounding in f64 may take what is given from what follows from the forward map.
const TOLERANCE: f64 = 1e-6;

/// Compares given inverses and log-determinants with the forward maps, in f64 by the reference interpreter. How many were tried.
///
/// # Errors
/// `WrongBijector` with the numbers at the worst point.
pub fn verify(model: &Model, parameters: &Parameters) -> Result<usize> {
    let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 1, measure: false };
    let mut tried: Vec<(&str, Vec<String>)> = vec![];
    for (id, bijector) in model.bijectors.iter() {
        let Some(forward) = bijector.forward else { continue };
        let key = (bijector.name.as_str(), types(model, forward));
        if tried.contains(&key) {
            continue;
        }
        let Some(verification) = lower_verification(model, id)? else { continue };
        tried.push(key);
        let mut compiled = engine.compile(verification.program.clone(), vec![])?;
        bind(&mut compiled, parameters);
        compiled.run()?;
        let outputs = (0..).map(|i| compiled.plan.output(i).to_f64());
        compare(model, bijector, &verification, &outputs.take(1 + outputs_of(&verification)).collect::<Vec<_>>())?;
    }
    Ok(tried.len())
}

fn outputs_of(of: &Verification) -> usize {
    usize::from(of.inverse) + 2 * usize::from(of.log_det)
}

fn types(model: &Model, function: FunctionId) -> Vec<String> {
    model.functions[function].params.iter().map(|param| model.locals[*param].ty.to_string()).collect()
}

fn compare(model: &Model, bijector: &Bijector, of: &Verification, outputs: &[Vec<f64>]) -> Result<()> {
    let n = of.count;
    let at = |point: usize| &outputs[0][point * n..(point + 1) * n];
    let member = |function: Option<FunctionId>| function.map_or(bijector.span, |function| model.functions[function].span);
    if of.inverse {
        for point in 0..POINTS {
            let back = &outputs[1][point * n..(point + 1) * n];
            let far = at(point).iter().zip(back).any(|(u, v)| !near(*u, *v));
            if far {
                let message = format!("the inverse that `{}` gives does not undo its forward map", bijector.name);
                let said = format!("at u = {} this gives {}", list(at(point)), list(back));
                return Err(wrong(message, bijector, member(bijector.inverse), said, "leave `inverse(y)` out if it can be derived"));
            }
        }
    }
    if of.log_det {
        let (given, jacobians) = (&outputs[outputs.len() - 2], &outputs[outputs.len() - 1]);
        for point in 0..POINTS {
            let found = log_abs_det(jacobians[point * n * n..(point + 1) * n * n].to_vec(), n);
            if !near(found, given[point]) {
                let message = format!("the log_det that `{}` gives is not that of its forward map", bijector.name);
                let said = format!("at u = {} this gives {:.6}; the Jacobian has {found:.6}", list(at(point)), given[point]);
                return Err(wrong(message, bijector, member(bijector.log_det), said, "leave `log_det` out: it is derived"));
            }
        }
    }
    Ok(())
}

fn wrong(message: String, bijector: &Bijector, span: crate::base::Span, said: String, help: &str) -> Diagnostic {
    Diagnostic::new(Code::WrongBijector, message).label(span, said).label(bijector.span, "declared here").help(help)
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= TOLERANCE * a.abs().max(1.0)
}

fn list(values: &[f64]) -> String {
    let shown: Vec<String> = values.iter().take(4).map(|v| format!("{v:.4}")).collect();
    let more = if values.len() > 4 { ", …" } else { "" };
    if values.len() == 1 { shown.concat() } else { format!("[{}{more}]", shown.join(", ")) }
}

/// log |det A| by Gaussian elimination with partial pivoting, A in row-major order.
fn log_abs_det(mut a: Vec<f64>, n: usize) -> f64 {
    let mut total = 0.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i * n + k].abs().total_cmp(&a[j * n + k].abs())).unwrap_or(k);
        (0..n).for_each(|j| a.swap(k * n + j, pivot * n + j));
        total += a[k * n + k].abs().ln();
        for i in k + 1..n {
            let factor = a[i * n + k] / a[k * n + k];
            (k..n).for_each(|j| a[i * n + j] -= factor * a[k * n + j]);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::log_abs_det;

    #[test]
    fn a_determinant_by_hand() {
        let found = log_abs_det(vec![0.0, 2.0, 1.0, 3.0, 1.0, 0.0, 1.0, 1.0, 1.0], 3);
        assert!((found - 4f64.ln()).abs() < 1e-12, "{found}");
    }
}
