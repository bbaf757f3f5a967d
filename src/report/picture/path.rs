//! Trajectories: of one number over the steps, or of points in the plane.

use super::canvas::{self, Frame, Painted, px};
use super::filled;
use super::range::{quantiles, squared, widened};
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use plotters::prelude::*;

const COLOURS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x5f, 0xbf),
    RGBColor(0xd9, 0x6c, 0x1e),
    RGBColor(0x2a, 0x8c, 0x5a),
    RGBColor(0xb8, 0x3a, 0x6b),
    RGBColor(0x6b, 0x4f, 0xb0),
    RGBColor(0x1a, 0x8f, 0xa3),
];
/// More trajectories than this are not shown.
const MOST: usize = 200;

/// n trajectories [n, steps, dimension], of dimension 1 or 2; in the plane a ring marks the start, a dot the end. Of more than 200, the
/// first are shown.
///
/// # Errors
/// `ShapeMismatch` if the values do not fill the shape, or for another dimension.
pub fn path(title: &str, values: &[f64], n: usize, steps: usize, dimension: usize) -> Result<Vec<u8>> {
    filled("path", values, &[n, steps, dimension])?;
    let plane = match dimension {
        1 => false,
        2 => true,
        _ => return Err(not_drawn(dimension)),
    };
    let point = |trajectory: &[f64], step: usize| match plane {
        true => (trajectory[2 * step], trajectory[2 * step + 1]),
        false => (step as f64, trajectory[step]),
    };
    let trajectories: Vec<Vec<(f64, f64)>> =
        values.chunks_exact(steps * dimension).take(MOST).map(|t| (0..steps).map(|step| point(t, step)).collect()).collect();

    let all = || trajectories.iter().flatten();
    let y = widened(quantiles(all().map(|p| p.1), 0.001, 0.999), 0.06);
    let (x, y) = match plane {
        true => squared(widened(quantiles(all().map(|p| p.0), 0.001, 0.999), 0.06), y),
        false => (0.0..(steps - 1).max(1) as f64, y),
    };
    let frame = Frame { title, legend: &[], x, y, x_name: if plane { "" } else { "step" } };
    let (width, height) = if plane { (640, 642) } else { (720, 440) };
    canvas::picture(width, height, |area| {
        let mut chart = canvas::axes(area, &frame)?;
        trajectories.iter().enumerate().try_for_each(|(i, points)| line(&mut chart, points, i, trajectories.len(), plane))
    })
}

fn not_drawn(dimension: usize) -> Diagnostic {
    let found = Diagnostic::new(Code::ShapeMismatch, format!("a path of {dimension} numbers a step cannot be drawn"));
    found.help("choose one or two of them: x[0..2]")
}

fn line(chart: &mut canvas::Chart, points: &[(f64, f64)], number: usize, of: usize, plane: bool) -> Painted {
    let colour = COLOURS[number % COLOURS.len()];
    let crowded = of > 12;
    canvas::line(chart, points, colour, if crowded { 0.55 } else { 0.2 }, if crowded { 0.8 } else { 1.3 })?;
    if let (true, Some(&first), Some(&last)) = (plane, points.first(), points.last()) {
        chart.draw_series([Circle::new(first, px(2.5), WHITE.filled())])?;
        chart.draw_series([Circle::new(first, px(2.5), colour.stroke_width(px(1.0)))])?;
        chart.draw_series([Circle::new(last, px(2.5), colour.filled())])?;
    }
    Ok(())
}
