//! How a product is computed: a rule of shapes and strides, by estimates of time.

use super::kernels::Kernels;
use super::operands::{Matrix, Sum};
use super::view::View;

/// Terms of a sum whose lines of columns are rearranged in scratch at a time.
pub const SEGMENT: usize = 1024;

/// The order in which the terms of an element are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One after another: lanes are columns
    Tiles,
    /// Side by side: lanes are terms
    Dots,
}

/// The form, and whether rows and columns change places: elements have the same bits in either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    pub form: Form,
    pub swapped: bool,
}

impl Method {
    /// The method for a piece of a product. The form depends on the whole product alone, so that bits do not depend on the piece.
    pub fn of<T>(whole: &Matrix<'_>, piece: &Matrix<'_>, kernels: &Kernels<T>) -> Method {
        let narrow = whole.rows.size.min(whole.columns.size) <= kernels.lanes;
        let form = if narrow && piece.sum == Sum::Whole { best_form(whole, kernels) } else { Form::Tiles };
        Method { form, swapped: best_way(form, piece, kernels).1 }
    }
}

/// Where one vector holds all rows or all columns, lanes along terms may waste less.
fn best_form<T>(m: &Matrix<'_>, kernels: &Kernels<T>) -> Form {
    let (dots, tiles) = (best_way(Form::Dots, m, kernels), best_way(Form::Tiles, m, kernels));
    if dots.0 < tiles.0 { Form::Dots } else { Form::Tiles }
}

/// The time of the better way, and whether rows and columns change places in it.
fn best_way<T>(form: Form, m: &Matrix<'_>, kernels: &Kernels<T>) -> (usize, bool) {
    let way = |swapped: bool| {
        let view = View::new(m, swapped);
        let time = match form {
            Form::Tiles => Some(tiles(&view, kernels)),
            Form::Dots => dots(&view, kernels),
        };
        (time.unwrap_or(usize::MAX), swapped)
    };
    way(false).min(way(true))
}

// Estimates in half cycles: two multiplications of vectors start in a cycle, each takes four cycles; a vector takes five cycles to
// transpose, a single element two to move.
const LATENCY: usize = 8;
const TRANSPOSE: usize = 10;
const MOVE: usize = 4;

/// Time to rearrange elements whose steps along the two axes are given.
fn rearranging<T>(kernels: &Kernels<T>, columns: usize, rows: usize, row_step: isize) -> usize {
    if row_step == 1 { columns.div_ceil(kernels.lanes) * rows * TRANSPOSE } else { columns * rows * MOVE }
}

fn tiles<T>(v: &View<'_>, kernels: &Kernels<T>) -> usize {
    let (terms, _, b_step) = v.terms();
    let count = v.rows.size.div_ceil(kernels.rows);
    let rows = v.rows.size.div_ceil(count.max(1));
    let (panels, rest) = (v.columns.size / (2 * kernels.lanes), v.columns.size % (2 * kernels.lanes));
    let last = if rest == 0 { 0 } else { (rows * rest.div_ceil(kernels.lanes)).max(LATENCY) };
    let sums = v.sums() * terms * count * (panels * (2 * rows).max(LATENCY) + last);
    let lines = if v.columns.operand == 1 { 0 } else { rearranging(kernels, v.columns.size, v.sums() * terms, b_step) };
    let results = if v.columns.out == 1 { 0 } else { rearranging(kernels, v.columns.size, v.rows.size, v.rows.out) };
    sums + lines + results
}

/// None where operands do not allow it.
fn dots<T>(v: &View<'_>, kernels: &Kernels<T>) -> Option<usize> {
    let (terms, a_step, b_step) = v.terms();
    let fits = v.columns.size * terms <= terms.min(SEGMENT) * 2 * kernels.lanes;
    if v.sums() != 1 || a_step != 1 || !(b_step == 1 || fits) {
        return None;
    }
    let block = 2 * kernels.lanes * terms.div_ceil(kernels.lanes) + TRANSPOSE * kernels.lanes;
    let columns = if b_step == 1 { 0 } else { v.columns.size * terms * MOVE / 2 };
    Some(v.columns.size * v.rows.size.div_ceil(kernels.lanes) * block + columns)
}
