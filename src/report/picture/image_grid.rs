//! Grey images side by side.

use super::{canvas, filled};
use crate::base::diagnostic::Result;
use image::ExtendedColorType;
use std::ops::RangeInclusive;

/// Width to aim at, and what a tile may then measure.
const WIDTH: usize = 800;
const TILE: RangeInclusive<usize> = 32..=160;
const GAP: usize = 2;
const GAP_GREY: u8 = 0x60;
/// More images than this are not shown.
const MOST: usize = 1024;

/// n images [n, h, w] in a near-square grid, every pixel enlarged to a whole number of pixels. Black is 0 and white 1, or the least
/// and greatest value where these lie further out. Of more than 1024 images, the first are shown.
///
/// # Errors
/// `ShapeMismatch` if the values do not fill the shape.
pub fn image_grid(images: &[f64], n: usize, h: usize, w: usize) -> Result<Vec<u8>> {
    filled("grid of images", images, &[n, h, w])?;
    let shown = n.min(MOST);
    let columns = (shown as f64).sqrt().ceil() as usize;
    tiled(images, shown, columns, h, w)
}

/// n draws of k images each, [n, k, h, w]: a column for each draw, a row for each of the k. Of more than 1024 images, the first draws
/// are shown.
///
/// # Errors
/// `ShapeMismatch` if the values do not fill the shape.
pub fn image_rows(images: &[f64], n: usize, k: usize, h: usize, w: usize) -> Result<Vec<u8>> {
    filled("rows of images", images, &[n, k, h, w])?;
    let columns = n.min((MOST / k).max(1));
    let places = (0..k).flat_map(|row| (0..columns).map(move |column| (column * k + row) * h * w));
    let ordered: Vec<f64> = places.flat_map(|start| &images[start..start + h * w]).copied().collect();
    tiled(&ordered, k * columns, columns, h, w)
}

fn tiled(images: &[f64], shown: usize, columns: usize, h: usize, w: usize) -> Result<Vec<u8>> {
    let rows = shown.div_ceil(columns);
    let scale = ((WIDTH / columns).clamp(*TILE.start(), *TILE.end()) / h.max(w)).max(1);
    let (tile_width, tile_height) = (w * scale + GAP, h * scale + GAP);
    let (width, height) = (columns * tile_width + GAP, rows * tile_height + GAP);

    let black = images.iter().copied().fold(0.0, f64::min);
    let white = images.iter().copied().fold(1.0, f64::max);
    let mut pixels = vec![GAP_GREY; width * height];
    let empty = vec![white; h * w];
    let tiles = images.chunks_exact(h * w).take(shown).chain(std::iter::repeat(&empty[..]));
    for (number, image) in tiles.take(rows * columns).enumerate() {
        let (left, top) = (GAP + number % columns * tile_width, GAP + number / columns * tile_height);
        for y in 0..h * scale {
            for x in 0..w * scale {
                let value = image[y / scale * w + x / scale];
                pixels[(top + y) * width + left + x] = ((value - black) / (white - black) * 255.0).round() as u8;
            }
        }
    }
    canvas::png(&pixels, width as u32, height as u32, ExtendedColorType::L8)
}
