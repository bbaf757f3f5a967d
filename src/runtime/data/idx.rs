//! IDX, the format of the MNIST files: two zero bytes, the element type, the rank, the sizes, the values, all big-endian.

use super::builtin::no_such_field;
use super::{Array, Values, builtin, file};
use crate::base::diagnostic::Result;
use std::path::Path;

/// Bare: the values as stored. For bytes with an image a row, as for [`super::builtin`]: `features` are flat and in 0..1,
/// `binary` flat and 1 where the byte is above 127.
pub(super) fn load(path: &Path, field: Option<&str>) -> Result<Array> {
    let bytes = file::read(path)?;
    let (shape, values) = decode(path, &bytes)?;
    let name = file::name(path);
    let Some(field) = field else {
        return Ok(Array::new(name, shape, values));
    };
    let flat = vec![shape[0], shape[1..].iter().product()];
    let name = format!("{name}.{field}");
    match (field, values) {
        ("features", Values::Bytes(pixels)) => Ok(Array::new(name, flat, builtin::scaled(&pixels, 255))),
        ("binary", Values::Bytes(pixels)) => Ok(Array::new(name, flat, builtin::above(&pixels, 127))),
        _ => Err(no_such_field("an IDX file of bytes", field, &["features", "binary"])),
    }
}

fn decode(path: &Path, bytes: &[u8]) -> Result<(Vec<usize>, Values)> {
    let (element, rank) = match *bytes {
        [0, 0, element, rank, ..] if rank > 0 => (element, usize::from(rank)),
        [0x1f, 0x8b, ..] => return Err(file::damaged(path, "the file is compressed with gzip").help("unpack it first: gunzip FILE")),
        _ => return Err(file::damaged(path, "this is not an IDX file: it should begin with two zero bytes, a type and a rank")),
    };
    let truncated = || file::damaged(path, "the file is truncated");
    let sizes = bytes.get(4..4 + 4 * rank).ok_or_else(truncated)?;
    let shape: Vec<usize> = sizes.chunks_exact(4).map(|s| u32::from_be_bytes([s[0], s[1], s[2], s[3]]) as usize).collect();
    let data = &bytes[4 + 4 * rank..];
    let Some(width) = element_width(element) else {
        return Err(file::damaged(path, format!("the element type 0x{element:02x} is not one of IDX")));
    };
    let wanted = shape.iter().try_fold(width, |product, &size| product.checked_mul(size)).ok_or_else(truncated)?;
    if data.len() != wanted {
        return Err(file::damaged(path, format!("sizes {shape:?} need {wanted} bytes of values, the file holds {}", data.len())));
    }
    Ok((shape, elements(element, data)))
}

fn element_width(element: u8) -> Option<usize> {
    match element {
        0x08 | 0x09 => Some(1),
        0x0b => Some(2),
        0x0c | 0x0d => Some(4),
        0x0e => Some(8),
        _ => None,
    }
}

/// Of a type that [`element_width`] knows; the last arm is its 0x0e.
fn elements(element: u8, data: &[u8]) -> Values {
    match element {
        0x08 => Values::Bytes(data.to_vec()),
        0x09 => Values::Ints(data.iter().map(|&b| i64::from(b as i8)).collect()),
        0x0b => Values::Ints(data.as_chunks().0.iter().map(|&b| i64::from(i16::from_be_bytes(b))).collect()),
        0x0c => Values::Ints(data.as_chunks().0.iter().map(|&b| i64::from(i32::from_be_bytes(b))).collect()),
        0x0d => Values::Singles(data.as_chunks().0.iter().map(|&b| f32::from_be_bytes(b)).collect()),
        _ => Values::Doubles(data.as_chunks().0.iter().map(|&b| f64::from_be_bytes(b)).collect()),
    }
}
