//! Distributions that a file declares are tried: their probabilities must sum to 1.

use super::engine::{Device, Engine};
use crate::algebra::{Mass, lower_mass};
use crate::backend::Precision;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Sources};
use crate::check::model::Model;

/// How far the sum may lie from 1: a forgotten constant is further off, a jump or a heavy tail is not.
const TOLERANCE: f64 = 0.02;

/// Sums up the density of each distribution over a scalar that a file, not the library, declares.
///
/// # Errors
/// `NotADensity` with the sum.
pub fn verify(model: &Model, sources: &Sources) -> Result<()> {
    for (id, dist) in model.dists.iter().filter(|(_, dist)| !sources.get(dist.span.file).library) {
        let Some(Mass { program, widths }) = lower_mass(model, id)? else { continue };
        let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 0, measure: false };
        let mut compiled = engine.compile(program, vec![])?;
        compiled.run()?;
        let logs = compiled.plan.output(0).to_f64();
        let total: f64 = logs.iter().zip(&widths).map(|(log, width)| log.exp() * width).sum();
        // An infinite density, or one that is not a number at these parameters, shows nothing.
        if total.is_finite() && (total - 1.0).abs() > TOLERANCE {
            let message = format!("the probabilities of `{}` sum to {total:.4}, not to 1", dist.name);
            let span = model.functions[dist.log_prob].span;
            let help = format!("subtract the logarithm of the normalising constant: here {:.4}", total.ln());
            return Err(Diagnostic::new(Code::NotADensity, message).label(span, "this log-density is not normalised").help(help));
        }
    }
    Ok(())
}
