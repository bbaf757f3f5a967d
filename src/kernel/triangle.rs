//! Products with triangular matrices, as densities of normal distributions with full covariances have them: what a line of the matrix
//! holds of zeros is not multiplied.

use super::Dim;
use super::contract::ResultAxis;
use crate::base::op::CompareOp;
use crate::graph::{Graph, NodeId, Op};
use std::ops::Range;

/// A contraction's operand whose entry for a line (a row of `a`, a column of `b`) and a term is zero where the term comes behind the place
/// `line / width`, or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triangle {
    /// The axis of the result that the lines are
    pub lines: ResultAxis,
    /// Lines side by side whose zeros are the same
    pub width: usize,
    /// Whether the zeros come last
    pub lower: bool,
    /// Lines before the first of a part
    pub before: usize,
}

impl Triangle {
    /// The terms that some lines need.
    pub fn terms(&self, lines: &Range<usize>, all: usize) -> Range<usize> {
        let place = |line: usize| ((self.before + line) / self.width).min(all);
        if self.lower { 0..all.min(place(lines.end.max(1) - 1) + 1) } else { place(lines.start)..all }
    }

    /// Of a part that begins with that line.
    pub fn from(self, line: usize) -> Triangle {
        Triangle { before: self.before + line, ..self }
    }
}

/// Two axes of an array, if it is zero wherever the index along the first is less than that along the second.
pub fn zero_where_less(graph: &Graph, id: NodeId) -> Option<[usize; 2]> {
    let node = graph.node(id);
    match &node.op {
        Op::TriangularSolve { transpose } if is_identity(graph, node.args[1]) => {
            let (row, column) = (node.ty.rank() - 2, node.ty.rank() - 1);
            Some(if *transpose { [column, row] } else { [row, column] })
        }
        Op::Transpose(perm) => {
            let moved = zero_where_less(graph, node.args[0])?.map(|axis| perm.iter().position(|&from| from == axis));
            Some([moved[0]?, moved[1]?])
        }
        Op::Broadcast { axes, .. } => Some(zero_where_less(graph, node.args[0])?.map(|axis| axes[axis])),
        _ => None,
    }
}

/// Whether an array holds, over its last two axes, ones on the diagonal and zeros elsewhere.
fn is_identity(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let rank = node.ty.rank();
    match &node.op {
        Op::Broadcast { axes, .. } => rank >= 2 && axes[..] == [rank - 2, rank - 1] && is_identity(graph, node.args[0]),
        Op::Cast(_) => is_identity(graph, node.args[0]),
        Op::Compare(CompareOp::Eq) => rank == 2 && [0, 1].map(|i| counts_along(graph, node.args[i])) == [Some(0), Some(1)],
        _ => false,
    }
}

/// The axis along which a matrix holds the numbers from 0.
fn counts_along(graph: &Graph, id: NodeId) -> Option<usize> {
    let node = graph.node(id);
    match &node.op {
        Op::Broadcast { axes, .. } if matches!(graph.node(node.args[0]).op, Op::Iota(_)) => axes.first().copied(),
        _ => None,
    }
}

impl Triangle {
    /// Of an operand of a contraction over so many terms along one axis, if `axis`, its own in the result, walks the matrix line by line.
    /// `stride` is that of an axis of the operand in the result, none for the axis of the terms.
    pub fn of(
        graph: &Graph,
        operand: NodeId,
        (lines, axis): (ResultAxis, Dim),
        terms: usize,
        stride: impl Fn(usize) -> Option<i64>,
    ) -> Option<Triangle> {
        let [less, more] = zero_where_less(graph, operand)?;
        let size = |axis: usize| graph.ty(operand).shape[axis];
        let (line, term, step, lower) = match (stride(less), stride(more)) {
            (Some(step), None) => (less, more, step, true),
            (None, Some(step)) => (more, less, step, false),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let width = usize::try_from(step.checked_div(axis.out)?).ok()?;
        let line_by_line = width > 0 && width as i64 * axis.out == step && width * size(line) == axis.size;
        (line_by_line && size(term) == terms).then_some(Triangle { lines, width, lower, before: 0 })
    }
}
