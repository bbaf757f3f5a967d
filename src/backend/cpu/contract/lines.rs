//! Copying matrices between layouts.

use super::kernels::{Kernels, Transpose};

/// A matrix in memory: its first element, and the steps from row to row and from column to column.
#[derive(Clone, Copy)]
pub struct Lines<T> {
    pub at: *mut T,
    pub row: isize,
    pub column: isize,
}

impl<T: Copy> Lines<T> {
    fn turned(self) -> Lines<T> {
        Lines { row: self.column, column: self.row, ..self }
    }

    /// Copies rows × columns elements.
    ///
    /// # Safety
    /// All of them lie in their arrays, those of `to` are nobody else's meanwhile, and the kernels are of this machine.
    pub unsafe fn copy(self, to: Lines<T>, rows: usize, columns: usize, kernels: &Kernels<T>) {
        // SAFETY: by the contract of this function.
        unsafe {
            match (self.row, self.column, to.row, to.column) {
                (_, 1, _, 1) => self.copy_rows(to, rows, columns),
                (1, _, 1, _) => self.turned().copy_rows(to.turned(), columns, rows),
                (_, 1, 1, _) => (kernels.transpose)(&self.transpose(to, rows, columns)),
                (1, _, _, 1) => (kernels.transpose)(&self.turned().transpose(to.turned(), columns, rows)),
                (_, _, _, _) => self.copy_elements(to, rows, columns),
            }
        }
    }

    fn transpose(self, to: Lines<T>, rows: usize, columns: usize) -> Transpose<T> {
        Transpose { rows, columns, from: self.at, from_row: self.row, to: to.at, to_column: to.column }
    }

    /// # Safety
    /// As for [`Lines::copy`]; columns lie side by side in both.
    unsafe fn copy_rows(self, to: Lines<T>, rows: usize, columns: usize) {
        for row in 0..rows as isize {
            // SAFETY: by the contract of this function.
            unsafe { std::ptr::copy_nonoverlapping(self.at.offset(row * self.row), to.at.offset(row * to.row), columns) };
        }
    }

    /// # Safety
    /// As for [`Lines::copy`].
    unsafe fn copy_elements(self, to: Lines<T>, rows: usize, columns: usize) {
        for row in 0..rows as isize {
            for column in 0..columns as isize {
                // SAFETY: by the contract of this function.
                unsafe { *to.at.offset(row * to.row + column * to.column) = *self.at.offset(row * self.row + column * self.column) };
            }
        }
    }
}
