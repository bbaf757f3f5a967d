//! Into which pieces a contraction is cut.

use super::operands::{Matrix, Operands, Sum};
use crate::kernel::contract::ResultAxis;
use crate::kernel::{Contract, Dim};
use std::ops::Range;

/// Multiplications that are worth a part of their own: some microseconds.
const WORTH: usize = 1 << 20;
/// Parts of one product, at most.
const PARTS: usize = 16;

/// Columns of a panel on the machine with the widest vectors, and how many panels are enough.
const PANEL: usize = 32;
const ENOUGH: usize = 8;

/// Products of a batch, of each of them a range along one axis.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Of the batch, whose axis that is cut counts with the length of the range
    pub matrices: Range<usize>,
    cut: Option<(ResultAxis, Range<usize>)>,
    sum: Sum,
    /// Terms of the innermost axis of the sum before these
    skipped: usize,
}

impl Piece {
    /// A range along the axis of the result's rows.
    pub fn rows(c: &Contract, range: Range<usize>) -> Piece {
        Piece::of_range(c, c.row_axis().map(|axis| (axis, range)), Sum::Whole, 0)
    }

    /// Terms of a sum in chunks, within one chunk.
    pub fn terms(c: &Contract, range: Range<usize>) -> Option<Piece> {
        let (_, terms) = c.chunks()?;
        let (chunk, skipped) = (range.start / terms, range.start % terms);
        let sum = if skipped == 0 { Sum::First(range.len()) } else { Sum::Further(range.len()) };
        Some(Piece::of_range(c, Some((ResultAxis::Batch(0), chunk..chunk + 1)), sum, skipped))
    }

    fn of_range(c: &Contract, cut: Option<(ResultAxis, Range<usize>)>, sum: Sum, skipped: usize) -> Piece {
        let mut piece = Piece { matrices: 0..0, cut, sum, skipped };
        piece.matrices = 0..(0..c.batch.len()).map(|axis| piece.batch(c, axis).size).product();
        piece
    }

    fn shortened(&self, c: &Contract, axis: ResultAxis) -> Dim {
        let dim = axis.dim(c);
        match &self.cut {
            Some((cut, range)) if *cut == axis => Dim { size: range.len(), ..dim },
            Some(_) | None => dim,
        }
    }

    /// An axis of the batch.
    pub fn batch(&self, c: &Contract, axis: usize) -> Dim {
        self.shortened(c, ResultAxis::Batch(axis))
    }

    /// Each product of the piece.
    pub fn matrix<'a>(&self, c: &'a Contract) -> Matrix<'a> {
        let [rows, columns] = [ResultAxis::Rows, ResultAxis::Columns].map(|axis| self.shortened(c, axis));
        let first = |axis: ResultAxis| self.cut.iter().find(|(cut, _)| *cut == axis).map_or(0, |(_, range)| range.start);
        let triangle = c.triangle.map(|triangle| triangle.from(first(triangle.lines)));
        Matrix { rows, columns, inner: &c.inner, sum: self.sum, triangle }
    }

    /// Where the piece begins.
    pub fn start<T>(&self, c: &Contract, all: Operands<T>) -> Operands<T> {
        let start = self.cut.as_ref().map_or(all, |(axis, range)| all.advanced(&axis.dim(c), range.start));
        c.inner.last().map_or(start, |last| start.advanced(last, self.skipped))
    }
}

/// How a contraction is cut into parts.
pub struct Split {
    matrices: usize,
    /// Products of one part
    group: usize,
    /// Parts of one product
    parts: usize,
    /// Along which they lie, and how many units of how many of its elements there are
    axis: ResultAxis,
    unit: usize,
    units: usize,
}

impl Split {
    pub fn new(c: &Contract) -> Split {
        let matrices: usize = c.batch.iter().map(|dim| dim.size).product();
        let inner: usize = c.inner.iter().map(|dim| dim.size).product();
        let work = c.rows.size * c.columns.size * inner;
        let wanted = (work / WORTH).clamp(1, PARTS);
        // Columns where there are panels enough: a part then has its own lines of b and reads those of a one after another
        let (lanes, other) =
            if c.columns.out == 1 { (ResultAxis::Columns, ResultAxis::Rows) } else { (ResultAxis::Rows, ResultAxis::Columns) };
        let panels = lanes.dim(c).size / PANEL;
        // Rows would have each part rearrange all of b
        let side_by_side = if lanes == ResultAxis::Columns { c.columns.b == 1 } else { c.rows.a == 1 };
        let enough = if side_by_side { ENOUGH } else { 2 };
        let (axis, unit) = if panels >= wanted.min(enough) { (lanes, PANEL) } else { (other, 4) };
        let units = axis.dim(c).size.div_ceil(unit);
        let parts = wanted.min(units).max(1);
        let group = if parts > 1 { 1 } else { (WORTH / work.max(1)).clamp(1, matrices.max(1)) };
        Split { matrices, group, parts, axis, unit, units }
    }

    pub fn count(&self) -> usize {
        self.matrices.div_ceil(self.group) * self.parts
    }

    pub fn piece(&self, c: &Contract, part: usize) -> Piece {
        let (group, part) = (part / self.parts, part % self.parts);
        let matrices = group * self.group..((group + 1) * self.group).min(self.matrices);
        if self.parts == 1 {
            return Piece { matrices, cut: None, sum: Sum::Whole, skipped: 0 };
        }
        let edge = |part: usize| (part * self.units / self.parts * self.unit).min(self.axis.dim(c).size);
        Piece { matrices, cut: Some((self.axis, edge(part)..edge(part + 1))), sum: Sum::Whole, skipped: 0 }
    }
}
