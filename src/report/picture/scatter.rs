//! Points in the plane: samples in colour over the data in grey.

use super::canvas::{self, Chart, DATA, Frame, Painted, SAMPLES, px};
use super::filled;
use super::range::{quantiles, squared, widened};
use crate::base::diagnostic::Result;
use plotters::prelude::*;

/// Of more points than this, every so-manieth is drawn.
const MOST: usize = 20_000;

/// Samples [n, 2] and, where there is any, data [m, 2], at equal scales. Outliers beyond the 0.5 % quantiles may lie outside.
///
/// # Errors
/// `ShapeMismatch` unless there are points of two coordinates.
pub fn scatter(title: &str, samples: &[f64], data: Option<&[f64]>) -> Result<Vec<u8>> {
    filled("scatter of points", samples, &[samples.len() / 2, 2])?;
    let data = data.unwrap_or(&[]);
    let axis = |k: usize| {
        let coordinates = samples.chunks_exact(2).chain(data.chunks_exact(2)).map(move |point| point[k]);
        widened(quantiles(coordinates, 0.005, 0.995), 0.06)
    };
    let (x, y) = squared(axis(0), axis(1));
    let legend = [("data", DATA), ("samples", SAMPLES)];
    let frame = Frame { title, legend: if data.is_empty() { &[] } else { &legend }, x, y, x_name: "" };
    // As high as wide inside the axes.
    canvas::picture(640, 642, |area| {
        let mut chart = canvas::axes(area, &frame)?;
        dots(&mut chart, &frame, data, DATA)?;
        dots(&mut chart, &frame, samples, SAMPLES)
    })
}

/// The more points, the smaller and the more transparent.
fn dots(chart: &mut Chart, frame: &Frame, points: &[f64], colour: RGBColor) -> Painted {
    let every = (points.len() / 2).div_ceil(MOST).max(1);
    let crowd = (points.len() as f64 / 2.0 / 1000.0).max(1.0);
    let (radius, alpha) = ((2.2 / crowd.powf(0.22)).max(1.0), (0.6 / crowd.powf(0.3)).max(0.3));
    let style = colour.mix(alpha).filled();
    let inside = |point: &&[f64]| frame.x.contains(&point[0]) && frame.y.contains(&point[1]);
    let shown = points.chunks_exact(2).step_by(every).filter(inside);
    chart.draw_series(shown.map(|point| Circle::new((point[0], point[1]), px(radius), style)))?;
    Ok(())
}
