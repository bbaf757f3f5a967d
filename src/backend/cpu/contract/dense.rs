//! One matrix product by the kernels.

use super::kernels::{Dots, Kernels, Tile, Transpose};
use super::method::{Form, Method, SEGMENT};
use super::operands::{Matrix, Operands};
use super::view::View;
use std::ops::Range;

/// Bytes of `a` that stay in the cache of a core while all columns are computed.
const BLOCK: usize = 384 << 10;
/// Lines of columns that lie multiples of so many bytes apart share few places of the cache.
const ALIASED: usize = 4096;
/// Rows for which it pays to copy such lines.
const MANY: usize = 64;

/// Elements of scratch for a product of so many terms.
pub fn scratch_elements<T>(kernels: &Kernels<T>, terms: usize) -> usize {
    (terms.min(SEGMENT) + kernels.rows) * 2 * kernels.lanes
}

/// Computes a product. `scratch` has [`scratch_elements`].
///
/// # Safety
/// Every element lies in its array, and nobody else has to do with those of the result and of scratch meanwhile.
pub unsafe fn dense<T: Copy>(kernels: &Kernels<T>, method: Method, m: &Matrix<'_>, x: Operands<T>, scratch: *mut T) {
    let view = View::new(m, method.swapped);
    let job = Job { kernels, view, x, scratch };
    // SAFETY: by the contract of `dense`.
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
    scratch: *mut T,
}

/// A range of `size` cut into `count` parts as equal as can be.
fn part(size: usize, count: usize, number: usize) -> Range<usize> {
    number * size / count..(number + 1) * size / count
}

/// Some terms of the sum: the operands where they begin, and whether others came before.
#[derive(Clone, Copy)]
struct Segment<T> {
    x: Operands<T>,
    terms: usize,
    add: bool,
}

// The contract of the functions below is that of `dense`.
impl<T: Copy> Job<'_, T> {
    fn width(&self) -> usize {
        2 * self.kernels.lanes
    }

    /// Block of rows by block of rows, in each panel of columns by panel, in each segment of terms by segment.
    unsafe fn blocks(&self) {
        let v = &self.view;
        let (terms, a_step, b_step) = v.terms();
        let bytes = v.rows.size * terms.min(SEGMENT) * size_of::<T>();
        let blocks = bytes.div_ceil(BLOCK).clamp(1, v.rows.size.div_ceil(self.kernels.rows).max(1));
        for block in 0..blocks {
            let rows = part(v.rows.size, blocks, block);
            for column in (0..v.columns.size).step_by(self.width()) {
                let columns = column..(column + self.width()).min(v.columns.size);
                for sum in 0..v.sums() {
                    let x = v.operands(self.x, sum);
                    for term in (0..terms).step_by(SEGMENT) {
                        let (a, b) = (x.a.wrapping_offset(term as isize * a_step), x.b.wrapping_offset(term as isize * b_step));
                        let x = Operands { a, b, out: x.out };
                        let segment = Segment { x, terms: SEGMENT.min(terms - term), add: sum + term > 0 };
                        // SAFETY: by the contract of `dense`.
                        unsafe { self.panel(rows.clone(), columns.clone(), segment) };
                    }
                }
            }
        }
    }

    unsafe fn panel(&self, rows: Range<usize>, columns: Range<usize>, segment: Segment<T>) {
        let v = &self.view;
        let (_, a_term, b_step) = v.terms();
        let start = segment.x.b.wrapping_offset(columns.start as isize * v.columns.operand);
        let aliased = (b_step.unsigned_abs() * size_of::<T>()).is_multiple_of(ALIASED) && rows.len() >= MANY;
        let (b, b_term) = if v.columns.operand == 1 && !aliased {
            (start, b_step)
        } else {
            let from = Lines { at: start.cast_mut(), row: b_step, column: v.columns.operand };
            let lines = Lines { at: self.scratch, row: self.width() as isize, column: 1 };
            // SAFETY: by the contract of `dense`; scratch begins with room for a segment's lines.
            unsafe { self.rearrange(from, lines, segment.terms, columns.len()) };
            (self.scratch.cast_const(), lines.row)
        };
        let tiles = rows.len().div_ceil(self.kernels.rows);
        for number in 0..tiles {
            let part = part(rows.len(), tiles, number);
            let first = (rows.start + part.start) as isize;
            let tile = Tile {
                rows: part.len(),
                lanes: columns.len(),
                terms: segment.terms,
                a: segment.x.a.wrapping_offset(first * v.rows.operand),
                a_row: v.rows.operand,
                a_term,
                b,
                b_term,
                out: segment.x.out.wrapping_offset(first * v.rows.out + columns.start as isize * v.columns.out),
                out_row: v.rows.out,
                add: segment.add,
            };
            // SAFETY: by the contract of `dense`; tables of kernels are of this machine.
            unsafe { if v.columns.out == 1 { (self.kernels.tile)(&tile) } else { self.turned(&tile) } }
        }
    }

    /// A tile whose lanes do not lie side by side in the result.
    unsafe fn turned(&self, tile: &Tile<T>) {
        let sums = self.scratch.wrapping_add(SEGMENT.min(self.view.terms().0) * self.width());
        let lines = Lines { at: sums, row: self.width() as isize, column: 1 };
        let out = Lines { at: tile.out, row: self.view.rows.out, column: self.view.columns.out };
        // SAFETY: by the contract of `dense`; scratch ends with room for a tile.
        unsafe {
            if tile.add {
                self.rearrange(out, lines, tile.rows, tile.lanes);
            }
            (self.kernels.tile)(&Tile { out: sums, out_row: lines.row, ..*tile });
            self.rearrange(lines, out, tile.rows, tile.lanes);
        }
    }

    unsafe fn dots(&self) {
        let (terms, _, b_step) = self.view.terms();
        let x = self.view.operands(self.x, 0);
        let (rows, columns) = (self.view.rows, self.view.columns);
        let mut b = Lines { at: x.b.cast_mut(), row: columns.operand, column: b_step };
        if b_step != 1 {
            let lines = Lines { at: self.scratch, row: terms as isize, column: 1 };
            // SAFETY: by the contract of `dense`; the method is chosen only where scratch has the room.
            unsafe { self.rearrange(b, lines, columns.size, terms) };
            b = lines;
        }
        for row in (0..rows.size).step_by(self.kernels.lanes) {
            for column in 0..columns.size {
                let out = x.out.wrapping_offset(row as isize * rows.out + column as isize * columns.out);
                let dots = Dots {
                    rows: self.kernels.lanes.min(rows.size - row),
                    terms,
                    a: x.a.wrapping_offset(row as isize * rows.operand),
                    a_row: rows.operand,
                    b: b.at.wrapping_offset(column as isize * b.row),
                    out,
                    out_row: rows.out,
                };
                // SAFETY: by the contract of `dense`; tables of kernels are of this machine.
                unsafe { (self.kernels.dots)(&dots) };
            }
        }
    }

    /// Copies a matrix.
    unsafe fn rearrange(&self, from: Lines<T>, to: Lines<T>, rows: usize, columns: usize) {
        let transpose = |from: Lines<T>, to: Lines<T>, rows: usize, columns: usize| {
            let t = Transpose { rows, columns, from: from.at, from_row: from.row, to: to.at, to_column: to.column };
            // SAFETY: by the contract of `dense`; tables of kernels are of this machine.
            unsafe { (self.kernels.transpose)(&t) };
        };
        if from.column == 1 && to.row == 1 {
            return transpose(from, to, rows, columns);
        }
        if from.row == 1 && to.column == 1 {
            return transpose(from.turned(), to.turned(), columns, rows);
        }
        for row in 0..rows as isize {
            for column in 0..columns as isize {
                // SAFETY: by the contract of `dense`.
                unsafe { *to.at.offset(row * to.row + column * to.column) = *from.at.offset(row * from.row + column * from.column) };
            }
        }
    }
}

/// A matrix in memory: its first element, and the steps from row to row and from column to column.
#[derive(Clone, Copy)]
struct Lines<T> {
    at: *mut T,
    row: isize,
    column: isize,
}

impl<T: Copy> Lines<T> {
    fn turned(self) -> Lines<T> {
        Lines { row: self.column, column: self.row, ..self }
    }
}
