//! A quantity over the steps of training.

use super::canvas::{self, Frame, SAMPLES};
use super::range::{quantiles, widened};
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};

/// The values as they were (pale) and smoothed. The vertical axis leaves out the highest 2 %, the start of most trainings.
///
/// # Errors
/// `ShapeMismatch` without finite values.
pub fn loss_curve(title: &str, values: &[(f64, f64)]) -> Result<Vec<u8>> {
    let finite: Vec<(f64, f64)> = values.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let (Some(first), Some(last)) = (finite.first(), finite.last()) else {
        return Err(Diagnostic::new(Code::ShapeMismatch, "a curve needs at least one finite value"));
    };
    let y = widened(quantiles(finite.iter().map(|(_, value)| *value), 0.0, 0.98), 0.06);
    let x = if first.0 < last.0 { first.0..last.0 } else { widened(first.0..first.0, 0.0) };
    let frame = Frame { title, legend: &[], x, y, x_name: "step" };
    let smooth = smoothed(&finite);
    canvas::picture(720, 440, |area| {
        let mut chart = canvas::axes(area, &frame)?;
        canvas::line(&mut chart, &finite, SAMPLES, 0.7, 1.0)?;
        canvas::line(&mut chart, &smooth, SAMPLES, 0.0, 2.0)
    })
}

/// The mean over a window about each value, narrow where training begins and falls steeply, so that the line does not lag behind.
fn smoothed(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sums = vec![0.0];
    for (_, value) in values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let widest = values.len() / 40;
    let mean = |i: usize| {
        let half = widest.min(i / 4);
        let (start, end) = (i - half, (i + half + 1).min(values.len()));
        (sums[end] - sums[start]) / (end - start) as f64
    };
    values.iter().enumerate().map(|(i, (step, _))| (*step, mean(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::smoothed;

    #[test]
    fn smoothing_keeps_a_constant_and_flattens_noise() {
        let flat: Vec<_> = (0..500).map(|step| (f64::from(step), 3.0)).collect();
        assert!(smoothed(&flat).iter().zip(&flat).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-12));
        let noise: Vec<_> = (0..500).map(|step| (f64::from(step), if step % 2 == 0 { 1.0 } else { -1.0 })).collect();
        assert!(smoothed(&noise)[50..480].iter().all(|(_, value)| value.abs() < 0.15));
    }
}
