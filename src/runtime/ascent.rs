//! What is watched while a block iterates in closed form: that no iteration makes the objective worse, and when the iterations have
//! converged.

use crate::backend::Precision;
use crate::base::{Code, Diagnostic};

pub struct Ascent {
    /// Whether a step that makes a value worse is an error
    pub monotone: bool,
    pub tolerance: Option<f64>,
    pub precision: Precision,
}

impl Ascent {
    /// Compares the losses of an iteration with those of the one before; whether all have converged.
    ///
    /// # Errors
    /// `Fell` where a loss grew by more than rounding explains.
    pub fn advance(&self, before: &[f64], losses: &[f64], step: u64) -> Result<bool, Diagnostic> {
        let mut pairs = before.iter().zip(losses);
        if let Some((old, new)) = pairs.clone().find(|(old, new)| self.monotone && **new > **old + self.rounding(**old)) {
            let message = format!("iteration {step} made the objective worse, from {} to {}", -old, -new);
            return Err(Diagnostic::new(Code::Fell, message)
                .help("in exact arithmetic it cannot: compare with `--precision f64`, and report it if it is no rounding error"));
        }
        let converged = |tolerance: f64| !before.is_empty() && pairs.all(|(old, new)| old - new < tolerance);
        Ok(self.tolerance.is_some_and(converged))
    }

    /// By how much sums over all rows may be wrong.
    fn rounding(&self, value: f64) -> f64 {
        let relative = match self.precision {
            Precision::F32 => 2e-5,
            Precision::F64 => 1e-10,
        };
        relative * (1.0 + value.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worse_value_is_an_error_beyond_rounding() {
        let ascent = Ascent { monotone: true, tolerance: Some(1e-3), precision: Precision::F64 };
        assert_eq!(ascent.advance(&[], &[5.0], 1), Ok(false));
        assert_eq!(ascent.advance(&[5.0], &[4.0], 2), Ok(false));
        assert_eq!(ascent.advance(&[4.0], &[3.9999], 3), Ok(true));
        assert_eq!(ascent.advance(&[4.0], &[4.0 + 1e-11], 3), Ok(true));
        assert!(ascent.advance(&[4.0], &[4.001], 3).is_err_and(|told| told.code == Code::Fell));
    }
}
