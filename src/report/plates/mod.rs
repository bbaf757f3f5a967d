//! Plate diagrams of models.

mod diagram;
mod layout;
mod svg;

use crate::check::model::Model;

/// The diagram of all densities of a file, as an SVG document.
pub fn plates(model: &Model) -> String {
    svg::svg(&diagram::diagram(model))
}
