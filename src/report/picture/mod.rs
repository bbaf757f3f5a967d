//! Pictures of samples and of training, as encoded PNG files.

mod bars;
mod canvas;
mod histogram;
mod image_grid;
mod loss_curve;
mod path;
mod range;
mod scatter;

pub use bars::{Bar, bars};
pub use histogram::histogram;
pub use image_grid::{image_grid, image_rows};
pub use loss_curve::loss_curve;
pub use path::path;
pub use scatter::scatter;

use crate::base::Code;
use crate::base::diagnostic::{Diagnostic, Result};

/// An error unless the values fill a shape of at least one element.
fn filled(picture: &str, values: &[f64], shape: &[usize]) -> Result<()> {
    let wanted: usize = shape.iter().product();
    if wanted > 0 && values.len() == wanted {
        return Ok(());
    }
    let message = format!("a {picture} needs {wanted} values of shape {shape:?}, at least one; there are {}", values.len());
    Err(Diagnostic::new(Code::ShapeMismatch, message))
}
