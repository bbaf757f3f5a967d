//! Library calls: what they read and write, and ranges of their outermost axis.

use super::{AlongOp, BufferId, Indexing, Library, Region};
use std::ops::Range;

fn whole(buffer: BufferId) -> Region {
    Region { buffer, offset: 0 }
}

fn shifted(region: Region, by: usize) -> Region {
    Region { offset: region.offset + by, ..region }
}

impl Library {
    /// The length of the axis whose turns the call computes one by one.
    pub fn outermost(&self) -> usize {
        match *self {
            Library::Copy { len, .. } => len,
            Library::Gather { sizes: Indexing { batch: 1, picks, .. }, .. } => picks,
            Library::Gather { sizes, .. } | Library::ScatterAdd { sizes, .. } => sizes.batch,
            Library::Random { rows, .. } => rows,
            Library::Along { outer, .. } => outer,
            Library::Cholesky { count, .. }
            | Library::Assignment { count, .. }
            | Library::SymmetricEigen { count, .. }
            | Library::TriangularSolve { count, .. } => count,
        }
    }

    /// Each operand with its length, and whether a turn of the outermost axis reads only its own part of it.
    pub fn operands(&self, visit: &mut dyn FnMut(Region, usize, bool)) {
        match *self {
            Library::Copy { from, len, .. } => visit(from, len, true),
            Library::Gather { x, index, sizes: Indexing { batch, size, picks, row }, .. } => {
                visit(x, batch * size * row, batch > 1);
                visit(index, batch * picks, true);
            }
            Library::ScatterAdd { index, y, sizes: Indexing { batch, picks, row, .. }, .. } => {
                visit(index, batch * picks, true);
                visit(y, batch * picks * row, true);
            }
            Library::Random { keys: [seed, step, turn, numbers], rows, .. } => {
                [seed, step, turn].into_iter().for_each(|key| visit(key, 1, false));
                visit(numbers, rows, true);
            }
            Library::Along { x, outer, size, inner, .. } => visit(x, outer * size * inner, true),
            Library::Cholesky { x, count, size, .. }
            | Library::Assignment { x, count, size, .. }
            | Library::SymmetricEigen { x, count, size, .. } => visit(x, count * size * size, true),
            Library::TriangularSolve { l, b, count, size, columns, .. } => {
                visit(l, count * size * size, true);
                visit(b, count * size * columns, true);
            }
        }
    }

    /// Where the result goes, and its length.
    pub fn result(&self) -> (Region, usize) {
        match *self {
            Library::Copy { to, len, .. } => (to, len),
            Library::Gather { out, sizes: Indexing { batch, picks, row, .. }, .. } => (whole(out), batch * picks * row),
            Library::ScatterAdd { out, sizes: Indexing { batch, size, row, .. }, .. } => (whole(out), batch * size * row),
            Library::Random { out, rows, row, .. } => (whole(out), rows * row),
            Library::Along { op: AlongOp::ArgMax, out, outer, inner, .. } => (whole(out), outer * inner),
            Library::Along { op: AlongOp::CumSum { .. } | AlongOp::Sort | AlongOp::ArgSort, out, outer, size, inner, .. } => {
                (whole(out), outer * size * inner)
            }
            Library::Cholesky { out, count, size, .. } => (whole(out), count * size * size),
            Library::Assignment { out, count, size, .. } => (whole(out), count * size),
            Library::SymmetricEigen { out, count, size, .. } => (whole(out), count * (size + 1) * size),
            Library::TriangularSolve { out, count, size, columns, .. } => (whole(out), count * size * columns),
        }
    }

    /// The call for those turns of the outermost axis, and where in its result theirs begins.
    pub fn part(&self, turns: Range<usize>) -> (Library, usize) {
        let outermost = self.outermost().max(1);
        let at = |region: Region, len: usize| shifted(region, len / outermost * turns.start);
        let shift = self.result().1 / outermost * turns.start;
        let mut part = self.clone();
        match &mut part {
            Library::Copy { from, to, len } => {
                (*from, *to, *len) = (shifted(*from, turns.start), shifted(*to, turns.start), turns.len());
                return (part, 0);
            }
            Library::Gather { index, sizes: Indexing { batch: 1, picks, .. }, .. } => {
                (*index, *picks) = (at(*index, *picks), turns.len());
            }
            Library::Gather { x, index, sizes: Indexing { batch, size, picks, row }, .. } => {
                (*x, *index) = (at(*x, *batch * *size * *row), at(*index, *batch * *picks));
                *batch = turns.len();
            }
            Library::ScatterAdd { index, y, sizes: Indexing { batch, picks, row, .. }, .. } => {
                (*index, *y) = (at(*index, *batch * *picks), at(*y, *batch * *picks * *row));
                *batch = turns.len();
            }
            Library::Random { keys, rows, .. } => (keys[3], *rows) = (at(keys[3], *rows), turns.len()),
            Library::Along { x, outer, size, inner, .. } => (*x, *outer) = (at(*x, *outer * *size * *inner), turns.len()),
            Library::Cholesky { x, count, size, .. }
            | Library::Assignment { x, count, size, .. }
            | Library::SymmetricEigen { x, count, size, .. } => (*x, *count) = (at(*x, *count * *size * *size), turns.len()),
            Library::TriangularSolve { l, b, count, size, columns, .. } => {
                (*l, *b) = (at(*l, *count * *size * *size), at(*b, *count * *size * *columns));
                *count = turns.len();
            }
        }
        (part, shift)
    }
}
