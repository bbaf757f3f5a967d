//! Densities of one number: samples in colour over the data in grey.

use super::canvas::{self, Chart, DATA, Frame, Painted, SAMPLES, px};
use super::filled;
use super::range::{quantiles, widened};
use crate::base::diagnostic::Result;
use plotters::prelude::*;
use std::ops::Range;

/// Samples [n] and, where there is any, data [m], each normalised to area 1 over all its values. Whole numbers get a bar each where
/// they span fewer than 100; otherwise bars follow Freedman and Diaconis (1981).
///
/// # Errors
/// `ShapeMismatch` without samples.
pub fn histogram(title: &str, samples: &[f64], data: Option<&[f64]>) -> Result<Vec<u8>> {
    filled("histogram", samples, &[samples.len()])?;
    let data = data.unwrap_or(&[]);
    let bins = Bins::of(samples, data);
    let (sampled, given) = (bins.densities(samples), bins.densities(data));
    let highest = sampled.iter().chain(&given).copied().fold(0.0, f64::max);
    let legend = [("data", DATA), ("samples", SAMPLES)];
    let y = 0.0..if highest > 0.0 { highest * 1.08 } else { 1.0 };
    let frame = Frame { title, legend: if data.is_empty() { &[] } else { &legend }, x: bins.range.clone(), y, x_name: "" };
    canvas::picture(720, 440, |area| {
        let mut chart = canvas::axes(area, &frame)?;
        bars(&mut chart, &bins, &given, DATA, 0.45)?;
        bars(&mut chart, &bins, &sampled, SAMPLES, 0.25)?;
        outline(&mut chart, &bins, &sampled)
    })
}

struct Bins {
    range: Range<f64>,
    count: usize,
}

impl Bins {
    fn of(samples: &[f64], data: &[f64]) -> Bins {
        let all = || samples.iter().chain(data).copied().filter(|value| value.is_finite());
        let ends = quantiles(all(), 0.0, 1.0);
        let span = ends.end - ends.start;
        if all().all(|value| value.fract() == 0.0 && value.abs() < 1e9) && span < 100.0 {
            return Bins { range: ends.start - 0.5..ends.end + 0.5, count: span as usize + 1 };
        }
        let range = widened(quantiles(all(), 0.002, 0.998), 0.04);
        let middle = quantiles(all(), 0.25, 0.75);
        let rows = samples.len().max(data.len()) as f64;
        let width = 2.0 * (middle.end - middle.start) / rows.cbrt();
        let count = if width > 0.0 { ((range.end - range.start) / width).ceil() } else { 40.0 };
        Bins { range, count: count.clamp(12.0, 90.0) as usize }
    }

    fn width(&self) -> f64 {
        (self.range.end - self.range.start) / self.count as f64
    }

    fn start(&self, bin: usize) -> f64 {
        self.range.start + bin as f64 * self.width()
    }

    fn densities(&self, values: &[f64]) -> Vec<f64> {
        let mut densities = vec![0.0; self.count];
        let share = 1.0 / (values.len() as f64 * self.width());
        for &value in values.iter().filter(|value| self.range.contains(value)) {
            let bin = ((value - self.range.start) / self.width()) as usize;
            densities[bin.min(self.count - 1)] += share;
        }
        densities
    }
}

fn bars(chart: &mut Chart, bins: &Bins, densities: &[f64], colour: RGBColor, alpha: f64) -> Painted {
    let style = colour.mix(alpha).filled();
    let bar = |(bin, &density): (usize, &f64)| Rectangle::new([(bins.start(bin), 0.0), (bins.start(bin + 1), density)], style);
    chart.draw_series(densities.iter().enumerate().filter(|(_, density)| **density > 0.0).map(bar))?;
    Ok(())
}

fn outline(chart: &mut Chart, bins: &Bins, densities: &[f64]) -> Painted {
    let steps = densities.iter().enumerate().flat_map(|(bin, &density)| [(bins.start(bin), density), (bins.start(bin + 1), density)]);
    let closed: Vec<_> = [(bins.range.start, 0.0)].into_iter().chain(steps).chain([(bins.range.end, 0.0)]).collect();
    chart.draw_series([PathElement::new(closed, SAMPLES.stroke_width(px(1.5)))])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Bins;

    #[test]
    fn whole_numbers_get_a_bar_each_and_areas_are_one() {
        let bins = Bins::of(&[0.0, 3.0, 3.0], &[1.0]);
        assert_eq!((bins.range.clone(), bins.count), (-0.5..3.5, 4));
        assert_eq!(bins.densities(&[0.0, 3.0, 3.0, 1.0]), [0.25, 0.25, 0.0, 0.5]);
        let values: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.37).sin()).collect();
        let bins = Bins::of(&values, &[]);
        let area = bins.densities(&values).iter().sum::<f64>() * bins.width();
        assert!((area - 1.0).abs() < 0.01, "{area}");
    }
}
