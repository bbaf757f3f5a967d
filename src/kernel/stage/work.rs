//! What a step costs, roughly, in nanoseconds on one thread: only comparisons with the cost of a barrier depend on it.

use crate::base::op::{BinaryOp, UnaryOp};
use crate::kernel::{InstrKind, Library, Loop, Step};

/// The cost of one turn, in additions.
pub fn weight(nest: &Loop) -> usize {
    let weight = |kind: &InstrKind| match kind {
        InstrKind::Unary(UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Not, _) => 1,
        InstrKind::Unary(UnaryOp::Sqrt | UnaryOp::Recip, _) | InstrKind::Binary(BinaryOp::Div, ..) => 4,
        InstrKind::Unary(..) | InstrKind::Binary(BinaryOp::Pow | BinaryOp::Rem | BinaryOp::FloorDiv, ..) => 16,
        InstrKind::Binary(..) | InstrKind::Compare(..) | InstrKind::Select(..) | InstrKind::Cast(_) => 1,
        InstrKind::Constant(_) | InstrKind::Index(_) | InstrKind::Load { .. } => 1,
    };
    nest.body.iter().map(|instr| weight(&instr.kind)).sum()
}

/// Nanoseconds of a step on one thread.
pub(super) fn work(step: &Step) -> usize {
    match step {
        Step::Loop(nest) => 20 + nest.axes.iter().map(|axis| axis.extent).product::<usize>() * weight(nest) / 16,
        Step::Contract(c) => {
            let terms: usize = c.inner.iter().chain(&c.batch).map(|dim| dim.size).product();
            100 + c.rows.size * c.columns.size * terms / 80
        }
        Step::Library(call) => 20 + call_work(call),
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => usize::MAX / 2,
    }
}

fn call_work(call: &Library) -> usize {
    match *call {
        Library::Copy { len, .. } => len / 8,
        Library::Gather { sizes, .. } => sizes.batch * sizes.picks * (4 + sizes.row / 8),
        Library::ScatterAdd { sizes, .. } => sizes.batch * (sizes.picks * (4 + sizes.row / 4) + sizes.size * sizes.row / 8),
        Library::Random { rows, row, .. } => rows * row.next_multiple_of(4),
        Library::Along { outer, size, inner, .. } => outer * size * inner * 4,
        Library::Cholesky { count, size, .. } => count * (20 + size * size * size / 4),
        Library::Assignment { count, size, .. } => count * (20 + size * size * size),
        Library::SymmetricEigen { count, size, .. } => count * (100 + 10 * size * size * size),
        Library::TriangularSolve { count, size, columns, .. } => count * (20 + size * size * columns / 2),
    }
}
