//! One matrix product by the kernels.

use super::kernels::{Dots, Kernels, Tile};
use super::lines::Lines;
use super::method::{Form, Method, SEGMENT};
use super::operands::{Matrix, Operands, Sum};
use super::view::View;
use std::ops::Range;

/// Bytes of `a` that stay in the cache of a core while all columns are computed.
const BLOCK: usize = 384 << 10;
/// Rows for which it pays to copy the crowded lines of columns.
const MANY: usize = 64;

/// Elements of scratch for a product of so many terms.
pub fn scratch_elements<T>(kernels: &Kernels<T>, terms: usize) -> usize {
    (terms.min(SEGMENT) + kernels.rows) * 2 * kernels.lanes
}

/// Whether lines that lie so many elements apart share few places of a cache: they come a multiple of 4 KiB apart.
fn crowded<T>(step: isize) -> bool {
    (step.unsigned_abs() * size_of::<T>()).is_multiple_of(4096)
}

/// Computes a product. `scratch` has [`scratch_elements`].
///
/// # Safety
/// Every element lies in its array, and nobody else has to do with those of the result and of scratch meanwhile.
pub unsafe fn dense<T: Copy>(kernels: &Kernels<T>, method: Method, m: &Matrix<'_>, x: Operands<T>, scratch: *mut T) {
    let further = matches!(m.sum, Sum::Further(_));
    let job = Job { kernels, view: View::new(m, method.swapped), x, further, scratch };
    // SAFETY: by the contract of this function.
    unsafe {
        match method.form {
            Form::Tiles => job.blocks(),
            Form::Dots => job.dots(),
        }
    }
}

struct Job<'a, T: 'static> {
    kernels: &'a Kernels<T>,
    view: View<'a>,
    x: Operands<T>,
    /// Whether the result holds other terms of the sums
    further: bool,
    scratch: *mut T,
}

/// Some rows and some terms of the sum: where the operands begin for the terms, and whether other terms came before.
struct Segment<T> {
    rows: Range<usize>,
    terms: usize,
    x: Operands<T>,
    add: bool,
}

/// Ranges of rows, at most `most` long and as equal as can be.
fn tiles(rows: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = rows.len().div_ceil(most).max(1);
    let (size, longer) = (rows.len() / count, rows.len() % count);
    let mut start = rows.start;
    (0..count).map(move |number| {
        let from = start;
        start += size + usize::from(number < longer);
        from..start
    })
}

// The contract of the functions below is that of `dense`.
impl<T: Copy> Job<'_, T> {
    fn width(&self) -> usize {
        2 * self.kernels.lanes
    }

    /// Block of rows by block of rows, in each segment of terms by segment.
    unsafe fn blocks(&self) {
        let v = &self.view;
        let (terms, a_step, b_step) = v.terms();
        let most = BLOCK / (terms.min(SEGMENT) * size_of::<T>());
        for rows in tiles(0..v.rows.size, most.max(self.kernels.rows)) {
            for sum in 0..v.sums() {
                let x = v.operands(self.x, sum);
                for term in (0..terms).step_by(SEGMENT) {
                    let (a, b) = (x.a.wrapping_offset(term as isize * a_step), x.b.wrapping_offset(term as isize * b_step));
                    let (x, terms) = (Operands { a, b, out: x.out }, SEGMENT.min(terms - term));
                    let segment = Segment { rows: rows.clone(), terms, x, add: self.further || sum + term > 0 };
                    // SAFETY: by the contract of `dense`.
                    unsafe {
                        for column in (0..v.columns.size).step_by(self.width()) {
                            self.panel(column..(column + self.width()).min(v.columns.size), &segment);
                        }
                    }
                }
            }
        }
    }

    /// Up to two vectors of columns.
    unsafe fn panel(&self, columns: Range<usize>, segment: &Segment<T>) {
        let v = &self.view;
        let (_, a_term, b_step) = v.terms();
        let at = segment.x.b.wrapping_offset(columns.start as isize * v.columns.operand);
        let mut b = Lines { at: at.cast_mut(), row: b_step, column: v.columns.operand };
        if b.column != 1 || crowded::<T>(b.row) && segment.rows.len() >= MANY {
            let lines = Lines { at: self.scratch, row: self.width() as isize, column: 1 };
            // SAFETY: by the contract of `dense`; scratch begins with room for the lines of a segment.
            unsafe { b.copy(lines, segment.terms, columns.len(), self.kernels) };
            b = lines;
        }
        for rows in tiles(segment.rows.clone(), self.kernels.rows) {
            let needed = v.needed(&rows, &columns, segment.terms);
            let (first, term) = (rows.start as isize, needed.start as isize);
            let a = segment.x.a.wrapping_offset(first * v.rows.operand + term * a_term);
            let out = segment.x.out.wrapping_offset(first * v.rows.out + columns.start as isize * v.columns.out);
            let (rows, lanes, terms) = (rows.len(), columns.len(), needed.len());
            let (a_row, b_term, out_row, add) = (v.rows.operand, b.row, v.rows.out, segment.add);
            let b = b.at.cast_const().wrapping_offset(term * b_term);
            let tile = Tile { rows, lanes, terms, a, a_row, a_term, b, b_term, out, out_row, add };
            // SAFETY: by the contract of `dense`; tables of kernels are of this machine.
            unsafe { if v.columns.out == 1 { (self.kernels.tile)(&tile) } else { self.turned(&tile) } }
        }
    }

    /// A tile whose lanes do not lie side by side in the result.
    unsafe fn turned(&self, tile: &Tile<T>) {
        let at = self.scratch.wrapping_add(SEGMENT.min(self.view.terms().0) * self.width());
        let sums = Lines { at, row: self.width() as isize, column: 1 };
        let out = Lines { at: tile.out, row: self.view.rows.out, column: self.view.columns.out };
        // SAFETY: by the contract of `dense`; after the lines scratch has room for a tile.
        unsafe {
            if tile.add {
                out.copy(sums, tile.rows, tile.lanes, self.kernels);
            }
            (self.kernels.tile)(&Tile { out: at, out_row: sums.row, ..*tile });
            sums.copy(out, tile.rows, tile.lanes, self.kernels);
        }
    }

    unsafe fn dots(&self) {
        let x = self.view.operands(self.x, 0);
        let (terms, _, b_step) = self.view.terms();
        let (rows, columns) = (self.view.rows, self.view.columns);
        let mut b = Lines { at: x.b.cast_mut(), row: columns.operand, column: b_step };
        if b_step != 1 {
            let lines = Lines { at: self.scratch, row: terms as isize, column: 1 };
            // SAFETY: by the contract of `dense`; the method is chosen only where scratch has the room.
            unsafe { b.copy(lines, columns.size, terms, self.kernels) };
            b = lines;
        }
        for row in (0..rows.size).step_by(self.kernels.lanes) {
            for column in 0..columns.size {
                let dots = Dots {
                    rows: self.kernels.lanes.min(rows.size - row),
                    terms,
                    a: x.a.wrapping_offset(row as isize * rows.operand),
                    a_row: rows.operand,
                    b: b.at.wrapping_offset(column as isize * b.row),
                    out: x.out.wrapping_offset(row as isize * rows.out + column as isize * columns.out),
                    out_row: rows.out,
                };
                // SAFETY: by the contract of `dense`; tables of kernels are of this machine.
                unsafe { (self.kernels.dots)(&dots) };
            }
        }
    }
}
