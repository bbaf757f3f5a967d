//! Lengths as horizontal bars, each with a name and a line of detail.

use super::canvas::{self, Area, DATA, INK, LABELS, Painted, SAMPLES, px, text_style};
use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub struct Bar {
    pub name: String,
    /// Shown smaller, after the name
    pub detail: String,
    pub length: f64,
    /// A part of the length, in colour
    pub inner: f64,
}

const WIDTH: u32 = 960;
const ROW: f64 = 30.0;
const TOP: f64 = 56.0;
const MARGIN: f64 = 20.0;

/// One below the other, in the order given. `legend`: what the inner part and the whole are.
///
/// # Errors
/// `ShapeMismatch` without bars.
pub fn bars(title: &str, unit: &str, legend: [&str; 2], bars: &[Bar]) -> Result<Vec<u8>> {
    let longest = bars.iter().map(|bar| bar.length).fold(0.0, f64::max);
    if longest <= 0.0 {
        return Err(Diagnostic::new(Code::ShapeMismatch, "a picture of bars needs one of some length"));
    }
    let height = TOP + ROW * bars.len() as f64 + MARGIN;
    canvas::picture(WIDTH, height as u32, |area| {
        head(area, &format!("{title}: {unit}"), legend)?;
        for (number, bar) in bars.iter().enumerate() {
            draw(area, bar, TOP + ROW * number as f64, longest)?;
        }
        Ok(())
    })
}

fn head(area: &Area, title: &str, [inner, whole]: [&str; 2]) -> Painted {
    let middle = Pos::new(HPos::Left, VPos::Center);
    area.draw_text(title, &text_style(15.0, INK).pos(middle), at(MARGIN, 24.0))?;
    for (left, name, colour) in [(560.0, inner, SAMPLES), (760.0, whole, DATA)] {
        area.draw(&Circle::new(at(left, 24.0), px(4.0), colour.filled()))?;
        area.draw_text(name, &text_style(12.0, LABELS).pos(middle), at(left + 10.0, 24.0))?;
    }
    Ok(())
}

fn at(x: f64, y: f64) -> (i32, i32) {
    (px(x) as i32, px(y) as i32)
}

/// The bar, and over it its name, detail and length.
fn draw(area: &Area, bar: &Bar, top: f64, longest: f64) -> Painted {
    let most = f64::from(WIDTH) - 2.0 * MARGIN;
    let end = |length: f64| MARGIN + (most * length / longest).max(1.0);
    let (upper, lower) = (top + 15.0, top + 24.0);
    area.draw(&Rectangle::new([at(MARGIN, upper), at(end(bar.length), lower)], DATA.mix(0.45).filled()))?;
    area.draw(&Rectangle::new([at(MARGIN, upper), at(end(bar.inner), lower)], SAMPLES.filled()))?;
    let left = Pos::new(HPos::Left, VPos::Center);
    let name = text_style(11.0, INK).pos(left);
    area.draw_text(&bar.name, &name, at(MARGIN, top + 7.0))?;
    let (width, _) = area.estimate_text_size(&bar.name, &name)?;
    let (x, y) = at(MARGIN + 10.0, top + 7.0);
    area.draw_text(&bar.detail, &text_style(10.0, LABELS).pos(left), (x + width as i32, y))?;
    let right = text_style(11.0, LABELS).pos(Pos::new(HPos::Right, VPos::Center));
    Ok(area.draw_text(&format!("{:.1}", bar.length), &right, at(f64::from(WIDTH) - MARGIN, top + 7.0))?)
}
