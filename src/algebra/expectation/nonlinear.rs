//! Sampled expectations under a nonlinearity: the square of an unbiased estimate is no unbiased estimate of the square (Jensen's
//! inequality). Whether a value is linear in an estimate is decided on the graph. A product of two estimates is linear in each, and
//! unbiased: their draws are independent.

use super::super::lowering::Lowering;
use super::super::value::Array;
use crate::base::Span;
use crate::base::op::{BinaryOp, DType, ReduceOp, UnaryOp};
use crate::graph::{Graph, NodeId, Op};

/// The value of an expectation, and the draws that the remarks about it stand at.
pub(in crate::algebra) struct Estimate {
    value: NodeId,
    draws: Vec<Span>,
}

impl Lowering<'_> {
    /// Remembers the value of an expectation that is not inside another graph.
    pub(super) fn remember_estimate(&mut self, value: &Array, draws: Vec<Span>) {
        if self.frames.current() == 0 && value.frame == 0 {
            self.estimates.push(Estimate { value: value.node, draws });
        }
    }

    /// Corrects the remarks about those estimates in which this value is not linear.
    pub(in crate::algebra) fn judge_estimates(&mut self, value: &Array) {
        if self.frames.current() != 0 || value.frame != 0 {
            return;
        }
        for estimate in std::mem::take(&mut self.estimates) {
            let graph = self.frames.builder().graph();
            if is_linear(graph, estimate.value, value.node) && !is_undone(graph, estimate.value, value.node) {
                continue;
            }
            let about = self.notes.iter_mut().filter(|note| estimate.draws.contains(&note.span) && note.text.starts_with("E over "));
            about.for_each(|note| note.text = note.text.replacen(", unbiased", ", biased (inside a nonlinearity)", 1));
        }
    }
}

/// Whether y is made of the operand of the function x, not of x: a logarithm has undone the exponential.
fn is_undone(graph: &Graph, x: NodeId, y: NodeId) -> bool {
    let node = graph.node(x);
    matches!(node.op, Op::Unary(op) if op != UnaryOp::Neg) && !follow(graph, x, y).0 && follow(graph, node.args[0], y).0
}

/// Whether y is linear in x, with coefficients that do not depend on x.
fn is_linear(graph: &Graph, x: NodeId, y: NodeId) -> bool {
    follow(graph, x, y).1
}

/// Whether y depends on x, and whether it is linear in it.
fn follow(graph: &Graph, x: NodeId, y: NodeId) -> (bool, bool) {
    let mut moving = vec![false; graph.nodes.len()];
    let mut linear = vec![true; graph.nodes.len()];
    for id in graph.ids() {
        if id == x {
            moving[id.index()] = true;
            continue;
        }
        let args = &graph.node(id).args;
        // Whether a value is finite only guards against 0 · ∞.
        let guards = graph.node(id).op == Op::Unary(UnaryOp::IsFinite);
        let moves: Vec<bool> = args.iter().map(|arg| moving[arg.index()] && !guards).collect();
        moving[id.index()] = moves.contains(&true);
        linear[id.index()] = args.iter().zip(&moves).all(|(arg, moves)| !moves || linear[arg.index()])
            && (!moving[id.index()] || keeps_linear(&graph.node(id).op, &moves));
    }
    (moving[y.index()], linear[y.index()])
}

/// Whether an operation is linear in those of its operands that move.
fn keeps_linear(op: &Op, moves: &[bool]) -> bool {
    let only = |at: usize| moves.iter().enumerate().all(|(i, moves)| i == at || !moves);
    match op {
        Op::Unary(op) => *op == UnaryOp::Neg,
        Op::Binary(BinaryOp::Add | BinaryOp::Sub) => true,
        Op::Binary(BinaryOp::Mul) | Op::Contract { .. } => only(0) || only(1),
        Op::Binary(BinaryOp::Div) | Op::Gather { .. } => only(0),
        Op::Binary(BinaryOp::Pow | BinaryOp::Max | BinaryOp::Min | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::And | BinaryOp::Or) => {
            false
        }
        Op::Select => !moves.first().is_some_and(|moves| *moves),
        Op::TriangularSolve { .. } => only(1),
        Op::Cast(dtype) => *dtype == DType::Real,
        Op::Reduce { op, .. } => *op == ReduceOp::Sum,
        Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } | Op::Join { .. } => true,
        Op::Reverse { .. } | Op::CumSum { .. } | Op::Stop | Op::Project(_) => true,
        Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Compare(_) | Op::Random { .. } => false,
        Op::Sort { .. } | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::ScatterAdd { .. } | Op::Assignment => false,
        Op::Cholesky | Op::SymmetricEigen | Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => false,
    }
}
