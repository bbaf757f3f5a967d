//! Where the items of a plate diagram stand: variables in layers, parents above children; what is learned outside, beside the first
//! variable that depends on it.

use super::diagram::{Diagram, Kind};

/// Between the centres of neighbours.
const ACROSS: f64 = 100.0;
const DOWN: f64 = 92.0;
/// Between what is learned, one above the other
const LEARNED: f64 = 46.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

#[derive(Clone, Debug)]
pub struct Layout {
    pub places: Vec<Point>,
    /// On which side of the variables what is learned stands
    pub sides: Vec<Side>,
}

pub fn layout(diagram: &Diagram) -> Layout {
    let count = diagram.items.len();
    let mut layout = Layout { places: vec![Point { x: 0.0, y: 0.0 }; count], sides: vec![Side::Left; count] };
    let layers = layers(diagram);
    let mut widest: f64 = 0.0;
    for (depth, layer) in layers.iter().enumerate() {
        let middle = (layer.len() as f64 - 1.0) / 2.0;
        for (at, &item) in layer.iter().enumerate() {
            layout.places[item] = Point { x: (at as f64 - middle) * ACROSS, y: depth as f64 * DOWN };
            widest = widest.max((at as f64 - middle) * ACROSS);
        }
    }
    for side in [Side::Left, Side::Right] {
        place_learned(diagram, &mut layout, side, widest + ACROSS + 12.0);
    }
    layout
}

fn is_variable(diagram: &Diagram, item: usize) -> bool {
    diagram.items[item].kind != Kind::Learned
}

/// Variables by depth below those without parents, in an order with few crossings.
fn layers(diagram: &Diagram) -> Vec<Vec<usize>> {
    let count = diagram.items.len();
    let full = |arrow: &&super::diagram::Arrow| !arrow.dashed && is_variable(diagram, arrow.from);
    let deepen = |depth: &mut [usize]| {
        // Factors have no cycles, so as many rounds as there are items are enough.
        for _ in 0..count {
            for arrow in diagram.arrows.iter().filter(full) {
                depth[arrow.to] = depth[arrow.to].max((depth[arrow.from] + 1).min(2 * count));
            }
        }
    };
    let mut depth = vec![0usize; count];
    deepen(&mut depth);
    // What all rows share stands above the plate of the rows, not inside its frame.
    if let Some(shared) = (0..count).filter(|&i| diagram.items[i].global).map(|i| depth[i]).max() {
        depth = diagram.items.iter().zip(depth).map(|(item, own)| if item.global { own } else { shared + 1 }).collect();
        deepen(&mut depth);
    }
    let deepest = (0..count).filter(|&i| is_variable(diagram, i)).map(|i| depth[i]).max().unwrap_or(0);
    let mut layers: Vec<Vec<usize>> =
        (0..=deepest).map(|d| (0..count).filter(|&i| is_variable(diagram, i) && depth[i] == d).collect()).collect();
    for at in 1..layers.len() {
        let above = layers[at - 1].clone();
        let middle = |item: usize| {
            let parents = diagram.arrows.iter().filter(|arrow| full(arrow) && arrow.to == item);
            let places: Vec<f64> = parents.filter_map(|arrow| above.iter().position(|&p| p == arrow.from)).map(|p| p as f64).collect();
            if places.is_empty() { above.len() as f64 } else { places.iter().sum::<f64>() / places.len() as f64 }
        };
        layers[at].sort_by(|&a, &b| middle(a).total_cmp(&middle(b)));
    }
    layers
}

/// The learned items of one side, in a column, near the height of what depends on them.
fn place_learned(diagram: &Diagram, layout: &mut Layout, side: Side, away: f64) {
    let mut column: Vec<(f64, Vec<usize>, usize)> = vec![];
    for item in (0..diagram.items.len()).filter(|&i| !is_variable(diagram, i)) {
        let targets: Vec<&super::diagram::Arrow> = diagram.arrows.iter().filter(|arrow| arrow.from == item).collect();
        let x: f64 = targets.iter().map(|arrow| layout.places[arrow.to].x).sum();
        let only_dashed = targets.iter().all(|arrow| arrow.dashed);
        let own = if x > 0.0 || x == 0.0 && only_dashed { Side::Right } else { Side::Left };
        let height = targets.iter().map(|arrow| layout.places[arrow.to].y).fold(f64::INFINITY, f64::min);
        if own == side && height.is_finite() {
            column.push((height, diagram.items[item].plates.clone(), item));
        }
    }
    column.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let mut next = f64::NEG_INFINITY;
    let mut last_plates: Option<Vec<usize>> = None;
    for at in 0..column.len() {
        let (height, plates, item) = column[at].clone();
        let level = column.iter().filter(|other| other.0 == height).count() as f64;
        let first = column.iter().position(|other| other.0 == height) == Some(at);
        let wanted = if first { height - (level - 1.0) / 2.0 * LEARNED } else { next };
        let apart = if last_plates.as_ref().is_some_and(|last| *last != plates) { LEARNED * 0.6 } else { 0.0 };
        let y = if at == 0 { wanted } else { wanted.max(next + apart) };
        layout.places[item] = Point { x: if side == Side::Left { -away } else { away }, y };
        layout.sides[item] = side;
        next = y + LEARNED;
        last_plates = Some(plates);
    }
}
