//! Transposition, block by block in registers.

use super::vector::{Vector, transposed};

/// `to[column, row] = from[row, column]`, columns of `from` and rows of `to` side by side.
#[derive(Clone, Copy)]
pub struct Transpose<T> {
    pub rows: usize,
    pub columns: usize,
    pub from: *const T,
    pub from_row: isize,
    pub to: *mut T,
    pub to_column: isize,
}

/// # Safety
/// Every element lies in its array, and the machine has the vector's instructions, of so many lanes.
#[inline(always)]
pub unsafe fn transpose<V: Vector, const LANES: usize>(t: &Transpose<V::Element>) {
    for row in (0..t.rows).step_by(LANES) {
        for column in (0..t.columns).step_by(LANES) {
            let (height, width) = (LANES.min(t.rows - row), LANES.min(t.columns - column));
            // SAFETY: by the contract of this function.
            unsafe {
                let from = t.from.offset(row as isize * t.from_row).add(column);
                let to = t.to.offset(column as isize * t.to_column).add(row);
                let mut block = [V::splat(V::Element::default()); LANES];
                if (height, width) == (LANES, LANES) {
                    for (row, line) in block.iter_mut().enumerate() {
                        *line = V::load(from.offset(row as isize * t.from_row));
                    }
                    for (column, line) in transposed::<V, LANES>(block).into_iter().enumerate() {
                        line.store(to.offset(column as isize * t.to_column));
                    }
                } else {
                    for (row, line) in block.iter_mut().take(height).enumerate() {
                        *line = V::load_first(from.offset(row as isize * t.from_row), width);
                    }
                    for (column, line) in transposed::<V, LANES>(block).into_iter().take(width).enumerate() {
                        line.store_first(to.offset(column as isize * t.to_column), height);
                    }
                }
            }
        }
    }
}
