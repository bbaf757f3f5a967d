//! A matrix product as the kernels see it: lanes run along its columns, which may be the rows that were asked for.

use super::method::SEGMENT;
use super::operands::{Matrix, Operands};
use crate::kernel::contract::ResultAxis;
use crate::kernel::{Dim, Triangle};
use std::ops::Range;

/// An axis of the result: its size, and the steps along it in the operand that has it and in the result.
#[derive(Clone, Copy)]
pub struct Axis {
    pub size: usize,
    pub operand: isize,
    pub out: isize,
}

/// `out[row, column] = Σ a[row, term] · b[term, column]`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub rows: Axis,
    pub columns: Axis,
    /// The outer axes of the sum, and the innermost one
    outer: &'a [Dim],
    last: Dim,
    /// Of a sum along one axis in one segment
    triangle: Option<Triangle>,
    /// Whether rows and columns, and with them the operands, have changed places
    swapped: bool,
}

impl<'a> View<'a> {
    pub fn new(m: &Matrix<'a>, swapped: bool) -> View<'a> {
        let rows = Axis { size: m.rows.size, operand: m.rows.a as isize, out: m.rows.out as isize };
        let columns = Axis { size: m.columns.size, operand: m.columns.b as isize, out: m.columns.out as isize };
        let (rows, columns) = if swapped { (columns, rows) } else { (rows, columns) };
        let outer = m.inner.split_last().map_or(&[][..], |(_, outer)| outer);
        let last = m.last().unwrap_or(Dim { size: 1, a: 0, b: 0, out: 0 });
        let triangle = m.triangle.filter(|_| outer.is_empty() && last.size <= SEGMENT);
        View { rows, columns, outer, last, triangle, swapped }
    }

    /// Which of so many terms the elements of some rows and columns need.
    pub fn needed(&self, rows: &Range<usize>, columns: &Range<usize>, terms: usize) -> Range<usize> {
        self.triangle.map_or(0..terms, |triangle| {
            let along_rows = (triangle.lines == ResultAxis::Rows) != self.swapped;
            triangle.terms(if along_rows { rows } else { columns }, terms)
        })
    }

    /// The innermost axis of the sum: its size, and the steps along it in `a` and `b`.
    pub fn terms(&self) -> (usize, isize, isize) {
        let Dim { size, a, b, .. } = self.last;
        if self.swapped { (size, b as isize, a as isize) } else { (size, a as isize, b as isize) }
    }

    /// Turns of the outer axes of the sum.
    pub fn sums(&self) -> usize {
        self.outer.iter().map(|dim| dim.size).product()
    }

    /// The operands at a turn of the outer axes of the sum.
    pub fn operands<T>(&self, x: Operands<T>, sum: usize) -> Operands<T> {
        let at = x.at_turn(self.outer.iter().copied(), sum);
        if self.swapped { Operands { a: at.b, b: at.a, out: at.out } } else { at }
    }
}
