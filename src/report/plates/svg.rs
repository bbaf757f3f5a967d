//! A plate diagram as SVG: circles for variables, shaded where observed; dots for what is learned; dashed arrows for the densities
//! after the first.

use super::diagram::{Arrow, Diagram, Kind};
use super::layout::{Layout, Point, Side, layout};
use std::fmt::Write;

const RADIUS: f64 = 24.0;
const DOT: f64 = 4.5;
const MARGIN: f64 = 24.0;
/// The width of a letter
const LETTER: f64 = 9.5;

#[derive(Clone, Copy, Debug)]
struct Rect {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rect {
    fn around(self, other: Rect) -> Rect {
        Rect {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn grown(self, by: f64) -> Rect {
        Rect { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }
}

pub fn svg(diagram: &Diagram) -> String {
    let layout = layout(diagram);
    let boxes: Vec<Rect> = (0..diagram.items.len()).map(|item| extent(diagram, &layout, item)).collect();
    let plates: Vec<Option<Rect>> = (0..diagram.plates.len()).map(|plate| plate_rect(diagram, &boxes, plate)).collect();
    let all = boxes.iter().copied().chain(plates.iter().flatten().copied()).reduce(Rect::around);
    let page = all.unwrap_or(Rect { left: 0.0, top: 0.0, right: 0.0, bottom: 0.0 }).grown(MARGIN);
    let (width, height) = (page.right - page.left, page.bottom - page.top);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"{:.1} {:.1} {width:.1} {height:.1}\">",
        page.left, page.top
    );
    let _ =
        writeln!(out, "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"white\"/>", page.left, page.top);
    out.push_str(HEAD);
    for (rect, label) in plates.iter().zip(&diagram.plates) {
        if let Some(rect) = rect {
            draw_plate(&mut out, rect, label);
        }
    }
    for arrow in &diagram.arrows {
        draw_arrow(&mut out, diagram, &layout, arrow);
    }
    for item in 0..diagram.items.len() {
        draw_item(&mut out, diagram, &layout, item);
    }
    out.push_str("</svg>\n");
    out
}

const HEAD: &str = "<style>text{font-family:'DejaVu Serif',Georgia,serif;font-style:italic;font-size:17px;fill:#222}\
.plate{font-size:14px}path.arrow{stroke:#222;stroke-width:1.3;fill:none}</style>\n";

/// What an item covers, its label included.
fn extent(diagram: &Diagram, layout: &Layout, item: usize) -> Rect {
    let Point { x, y } = layout.places[item];
    let at = Rect { left: x, top: y, right: x, bottom: y };
    if diagram.items[item].kind != Kind::Learned {
        return at.grown(RADIUS);
    }
    let label = diagram.items[item].label.chars().count() as f64 * LETTER + 12.0;
    let mut rect = at.grown(12.0);
    match layout.sides[item] {
        Side::Left => rect.left = x - label,
        Side::Right => rect.right = x + label,
    }
    rect
}

/// Around all items of a plate, with room for its label below them; wider for each plate inside.
fn plate_rect(diagram: &Diagram, boxes: &[Rect], plate: usize) -> Option<Rect> {
    let inside = |item: &usize| diagram.items[*item].plates.contains(&plate);
    let items: Vec<usize> = (0..diagram.items.len()).filter(inside).collect();
    let nested = items.iter().map(|&item| {
        let plates = &diagram.items[item].plates;
        plates.len() - plates.iter().position(|p| *p == plate).unwrap_or(0) - 1
    });
    let depth = nested.max().unwrap_or(0) as f64;
    let rect = items.iter().map(|&item| boxes[item]).reduce(Rect::around)?;
    let label = diagram.plates[plate].chars().count() as f64 * LETTER * 0.85 + 16.0;
    let mut rect = rect.grown(12.0 + 12.0 * depth);
    rect.bottom += 14.0 + 14.0 * depth;
    rect.left = rect.left.min(rect.right - label);
    Some(rect)
}

fn draw_plate(out: &mut String, rect: &Rect, label: &str) {
    let Rect { left, top, right, bottom } = *rect;
    let _ = writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\" fill=\"none\" stroke=\"#222\"/>",
        right - left,
        bottom - top
    );
    let _ = writeln!(
        out,
        "<text class=\"plate\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        right - 8.0,
        bottom - 7.0,
        escaped(label)
    );
}

fn draw_item(out: &mut String, diagram: &Diagram, layout: &Layout, item: usize) {
    let Point { x, y } = layout.places[item];
    let label = escaped(&diagram.items[item].label);
    let fill = match diagram.items[item].kind {
        Kind::Observed => "#d4d4d4",
        Kind::Latent => "white",
        Kind::Learned => {
            let (anchor, at) = if layout.sides[item] == Side::Left { ("end", x - 10.0) } else { ("start", x + 10.0) };
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{DOT}\" fill=\"#222\"/>");
            let _ = writeln!(out, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>", y + 6.0);
            return;
        }
    };
    let size = (2.0 * RADIUS * 1.5 / diagram.items[item].label.chars().count().max(1) as f64).min(18.0);
    let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\" fill=\"{fill}\" stroke=\"#222\" stroke-width=\"1.3\"/>");
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" style=\"font-size:{size:.0}px\">{label}</text>",
        y + size / 3.0
    );
}

/// Straight, or bent where another item or the arrow the other way is in between.
fn draw_arrow(out: &mut String, diagram: &Diagram, layout: &Layout, arrow: &Arrow) {
    let (from, to) = (layout.places[arrow.from], layout.places[arrow.to]);
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length = dx.hypot(dy).max(1.0);
    let back = diagram.arrows.iter().any(|other| other.from == arrow.to && other.to == arrow.from);
    let blocked = (0..diagram.items.len()).any(|item| item != arrow.from && item != arrow.to && near(layout.places[item], from, to));
    let bend = if blocked {
        62.0
    } else if back {
        22.0
    } else {
        0.0
    };
    // To the right of the way as it goes, so that there and back are apart; for blocked ones away from the middle.
    let across = Point { x: -dy / length, y: dx / length };
    let middle = Point { x: (from.x + to.x) / 2.0 + across.x * bend, y: (from.y + to.y) / 2.0 + across.y * bend };
    let radius = |item: usize| if diagram.items[item].kind == Kind::Learned { DOT + 1.0 } else { RADIUS + 1.0 };
    let start = towards(from, middle, radius(arrow.from));
    let end = towards(to, middle, radius(arrow.to));
    let dashes = if arrow.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
    let way = if bend == 0.0 { String::from("L") } else { format!("Q{:.1} {:.1} ", middle.x, middle.y) };
    let _ = writeln!(out, "<path class=\"arrow\" d=\"M{:.1} {:.1} {way}{:.1} {:.1}\"{dashes}/>", start.x, start.y, end.x, end.y);
    let base = towards(end, middle, 9.0);
    let (wide, high) = ((end.y - base.y) * 0.42, (end.x - base.x) * 0.42);
    let _ = writeln!(
        out,
        "<path d=\"M{:.1} {:.1} L{:.1} {:.1} L{:.1} {:.1} z\" fill=\"#222\"/>",
        end.x,
        end.y,
        base.x - wide,
        base.y + high,
        base.x + wide,
        base.y - high
    );
}

/// The point at a distance from `from` on the way to `to`.
fn towards(from: Point, to: Point, distance: f64) -> Point {
    let length = (to.x - from.x).hypot(to.y - from.y).max(1.0);
    Point { x: from.x + (to.x - from.x) / length * distance, y: from.y + (to.y - from.y) / length * distance }
}

/// Whether a point is so close to a line that its circle would be crossed.
fn near(point: Point, from: Point, to: Point) -> bool {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let along = (((point.x - from.x) * dx + (point.y - from.y) * dy) / (dx * dx + dy * dy).max(1.0)).clamp(0.0, 1.0);
    (point.x - from.x - along * dx).hypot(point.y - from.y - along * dy) < RADIUS + 4.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
