//! Data sets that the program carries with it; `data/README.md` names their origin.

use super::{Array, Values, npy};
use crate::base::diagnostic::{Diagnostic, Result};
use crate::base::{Code, nearest};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// 1797 images of 8 × 8 pixels
    Digits,
    /// 10,000 images of 28 × 28 pixels
    Mnist,
    /// 150 flowers, 4 lengths each
    Iris,
}

impl Builtin {
    fn name(self) -> &'static str {
        match self {
            Builtin::Digits => "digits()",
            Builtin::Mnist => "mnist()",
            Builtin::Iris => "iris()",
        }
    }

    fn archive(self) -> &'static [u8] {
        match self {
            Builtin::Digits => include_bytes!("../../../data/digits.npz"),
            Builtin::Mnist => include_bytes!("../../../data/mnist10k.npz"),
            Builtin::Iris => include_bytes!("../../../data/iris.npz"),
        }
    }

    /// The names after the dot.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Builtin::Digits | Builtin::Mnist => &["features", "images", "binary", "labels"],
            Builtin::Iris => &["features", "labels"],
        }
    }

    /// `features` [rows, columns], pixels in 0..1, iris in centimetres; `images` [rows, height, width], the grey levels as they are
    /// stored, 0..16 or 0..255; `binary` flat, 1 where a pixel is above half of its range; `labels` [rows], classes from 0. Bare: `features`.
    pub(super) fn load(self, field: Option<&str>) -> Result<Array> {
        let field = field.unwrap_or("features");
        let name = format!("{}.{field}", self.name());
        match (self, field) {
            (Builtin::Digits | Builtin::Mnist | Builtin::Iris, "labels") => {
                let (shape, labels) = self.bytes("y")?;
                Ok(Array::new(name, shape, Values::Bytes(labels)))
            }
            (Builtin::Digits | Builtin::Mnist, "features" | "images" | "binary") => self.pixels(name, field),
            (Builtin::Iris, "features") => {
                let (shape, tenths) = self.bytes("tenths")?;
                Ok(Array::new(name, shape, Values::Doubles(tenths.iter().map(|&t| f64::from(t) / 10.0).collect())))
            }
            _ => Err(no_such_field(self.name(), field, self.fields())),
        }
    }

    fn pixels(self, name: String, field: &str) -> Result<Array> {
        let (shape, pixels) = self.bytes("x")?;
        let rows = shape[0];
        let columns = pixels.len() / rows;
        let (white, side) = match self {
            Builtin::Digits => (16, 8),
            Builtin::Mnist | Builtin::Iris => (255, 28),
        };
        let shape = if field == "images" { vec![rows, side, side] } else { vec![rows, columns] };
        let values = match field {
            "images" => Values::Bytes(pixels),
            "binary" => above(&pixels, white / 2),
            _ => scaled(&pixels, white),
        };
        Ok(Array::new(name, shape, values))
    }

    fn bytes(self, key: &str) -> Result<(Vec<usize>, Vec<u8>)> {
        let array = npy::from_archive(Path::new(self.name()), self.archive(), Some(key))?;
        match array.values {
            Values::Bytes(bytes) => Ok((array.shape, bytes)),
            Values::Ints(_) | Values::Singles(_) | Values::Doubles(_) => Err(Diagnostic::internal(format!("{} is not bytes", array.name))),
        }
    }
}

/// Pixels in 0..1.
pub(super) fn scaled(pixels: &[u8], white: u8) -> Values {
    Values::Singles(pixels.iter().map(|&p| f32::from(p) / f32::from(white)).collect())
}

/// 1 for a pixel above the threshold, else 0.
pub(super) fn above(pixels: &[u8], threshold: u8) -> Values {
    Values::Bytes(pixels.iter().map(|&p| u8::from(p > threshold)).collect())
}

pub(super) fn no_such_field(of: &str, field: &str, fields: &[&str]) -> Diagnostic {
    let found = Diagnostic::new(Code::UnknownArgument, format!("{of} has no field `{field}`"));
    match nearest(field, fields.iter().copied()) {
        Some(meant) => found.help(format!("did you mean `.{meant}`?")),
        None if fields.is_empty() => found.help("write it without a field"),
        None => found.help(format!("the fields are {}", fields.join(", "))),
    }
}
