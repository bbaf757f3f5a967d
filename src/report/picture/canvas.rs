//! A surface that is drawn several times as large and averaged down, which smooths every edge; the axes of all charts; PNG.
//!
//! Text is set in DejaVu Sans, which comes embedded with the crate `dejavu`: no system font is looked for.

use crate::base::diagnostic::{Diagnostic, Result};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::ops::Range;
use std::sync::Once;

/// Pixels drawn for each pixel of the picture, along both axes.
const SCALE: u32 = 3;

pub(super) const SAMPLES: RGBColor = RGBColor(0x1f, 0x5f, 0xbf);
pub(super) const DATA: RGBColor = RGBColor(0x9a, 0x9e, 0xa6);
pub(super) const INK: RGBColor = RGBColor(0x22, 0x26, 0x2b);
pub(super) const LABELS: RGBColor = RGBColor(0x5c, 0x62, 0x6a);
const AXIS: RGBColor = RGBColor(0xb4, 0xb8, 0xbe);
const GRID: RGBColor = RGBColor(0xee, 0xef, 0xf1);

pub(super) type Painted<T = ()> = std::result::Result<T, Box<dyn Error>>;
pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
pub(super) type Chart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A length given in pixels of the picture.
pub(super) fn px(length: f64) -> u32 {
    (length * f64::from(SCALE)).round() as u32
}

/// A picture of that size, painted and encoded.
pub(super) fn picture(width: u32, height: u32, paint: impl FnOnce(&Area) -> Painted) -> Result<Vec<u8>> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Text is left away if the embedded font cannot be read: charts draw it as an error, which `painted` reports.
        let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
    let mut pixels = vec![0xff; (width * height * SCALE * SCALE * 3) as usize];
    let painted = {
        let area = BitMapBackend::with_buffer(&mut pixels, (width * SCALE, height * SCALE)).into_drawing_area();
        paint(&area).and_then(|()| Ok(area.present()?))
    };
    painted.map_err(Diagnostic::internal)?;
    png(&averaged(&pixels, width as usize), width, height, ExtendedColorType::Rgb8)
}

pub(super) fn png(pixels: &[u8], width: u32, height: u32, colour: ExtendedColorType) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    PngEncoder::new(&mut bytes).write_image(pixels, width, height, colour).map_err(Diagnostic::internal)?;
    Ok(bytes)
}

/// Each pixel of the picture is the mean of its square of `SCALE` × `SCALE` drawn ones.
fn averaged(drawn: &[u8], width: usize) -> Vec<u8> {
    let scale = SCALE as usize;
    let stride = width * scale * 3;
    let mut picture = Vec::with_capacity(drawn.len() / (scale * scale));
    for band in drawn.chunks_exact(stride * scale) {
        for x in 0..width {
            for channel in 0..3 {
                let places = (0..scale * scale).map(|i| (i / scale) * stride + (x * scale + i % scale) * 3 + channel);
                let sum: usize = places.map(|place| usize::from(band[place])).sum();
                picture.push(((sum + scale * scale / 2) / (scale * scale)) as u8);
            }
        }
    }
    picture
}

/// What stands around a chart.
pub(super) struct Frame<'a> {
    pub title: &'a str,
    /// Name and colour of what is shown, where there is more than one thing
    pub legend: &'a [(&'a str, RGBColor)],
    pub x: Range<f64>,
    pub y: Range<f64>,
    pub x_name: &'a str,
}

/// Axes with light grid lines under a title on the left and a legend on the right.
pub(super) fn axes<'a, 'b>(area: &'a Area<'b>, frame: &Frame) -> Painted<Chart<'a, 'b>> {
    let (width, _) = area.dim_in_pixel();
    let baseline = px(22.0) as i32;
    let title = text_style(15.0, INK).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw_text(frame.title, &title, (px(20.0) as i32, baseline))?;
    let entry = text_style(12.0, LABELS).pos(Pos::new(HPos::Right, VPos::Center));
    let mut right = width as i32 - px(20.0) as i32;
    for (name, colour) in frame.legend.iter().rev() {
        area.draw_text(name, &entry, (right, baseline))?;
        right -= area.estimate_text_size(name, &entry)?.0 as i32 + px(9.0) as i32;
        area.draw(&Circle::new((right, baseline), px(4.0), colour.filled()))?;
        right -= px(18.0) as i32;
    }
    let mut chart = ChartBuilder::on(area)
        .margin_top(px(42.0))
        .margin_right(px(20.0))
        .margin_bottom(px(10.0))
        .margin_left(px(10.0))
        .x_label_area_size(px(if frame.x_name.is_empty() { 26.0 } else { 42.0 }))
        .y_label_area_size(px(46.0))
        .build_cartesian_2d(frame.x.clone(), frame.y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(px(1.0)))
        .axis_style(AXIS.stroke_width(px(1.0)))
        .label_style(text_style(11.0, LABELS))
        .axis_desc_style(text_style(12.0, LABELS))
        .x_desc(frame.x_name)
        .x_labels(7)
        .y_labels(7)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .set_all_tick_mark_size(px(4.0))
        .draw()?;
    Ok(chart)
}

/// A line through the points inside the chart. It is drawn piece by piece, as the joints of one long line grow thorns at sharp turns,
/// and opaque but `pale` (0 not at all, 1 white), as transparent pieces would darken where they meet.
pub(super) fn line(chart: &mut Chart, points: &[(f64, f64)], colour: RGBColor, pale: f64, width: f64) -> Painted {
    let lighter = |channel: u8| (f64::from(channel) + pale * (255.0 - f64::from(channel))).round() as u8;
    let style = RGBColor(lighter(colour.0), lighter(colour.1), lighter(colour.2)).stroke_width(px(width));
    let (x, y) = (chart.x_range(), chart.y_range());
    let inside = |point: &(f64, f64)| (x.start..=x.end).contains(&point.0) && (y.start..=y.end).contains(&point.1);
    let pieces = points.windows(2).filter(|piece| piece.iter().all(inside));
    chart.draw_series(pieces.map(|piece| PathElement::new(piece.to_vec(), style)))?;
    Ok(())
}

pub(super) fn text_style(size: f64, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size * f64::from(SCALE)).into_font().color(&colour)
}

/// A number on an axis: without the noise of binary fractions; thousands as k.
fn tick(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", rounded(value / 1e6)),
        size if size >= 1e4 => format!("{}k", rounded(value / 1e3)),
        size if size > 0.0 && size < 1e-4 && size > 1e-12 => format!("{value:.0e}"),
        _ => rounded(value),
    }
}

fn rounded(value: f64) -> String {
    let value = (value * 1e6).round() / 1e6;
    // Not −0.
    format!("{}", value + 0.0).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::{rounded, tick};

    #[test]
    fn ticks_are_short() {
        assert_eq!([0.1 + 0.2, -0.0, -1.5, 20_000.0, 2.5e6, 1e-5].map(tick), ["0.3", "0", "−1.5", "20k", "2.5M", "1e-5"]);
        assert_eq!(rounded(1.0 / 3.0), "0.333333");
    }
}
