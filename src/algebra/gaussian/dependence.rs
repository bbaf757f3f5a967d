//! How a value depends on a variable: not at all, with a derivative or in jumps, linearly or not.

use super::super::lowering::Lowering;
use super::super::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, ReduceOp, UnaryOp};
use crate::graph::{Graph, GraphInput, NodeId, Op};
use crate::pass::simplify;

impl Lowering<'_> {
    /// Whether z takes part in y in any way.
    pub(in crate::algebra) fn leads_to(&mut self, z: &Array, y: &Array) -> bool {
        let (z, y) = (self.node(z), self.node(y));
        path(self.b().graph(), z, y)[y.index()]
    }

    /// The first node on the way from z to y through which z passes without a derivative: a comparison, rounding, `stop`.
    pub(super) fn jump(&mut self, y: &Array, z: &Array) -> Option<NodeId> {
        let (z, y) = (self.node(z), self.node(y));
        let graph = self.b().graph();
        let on_path = path(graph, z, y);
        graph.ids().take(on_path.len()).find(|id| on_path[id.index()] && *id != z && is_jump(graph, *id))
    }

    /// The first node on the way from z to y that is not linear in what it is made of.
    pub(super) fn first_nonlinear(&mut self, y: &Array, z: &Array) -> NodeId {
        let (z, y) = (self.node(z), self.node(y));
        let graph = self.b().graph();
        let on_path = path(graph, z, y);
        let nonlinear = |id: &NodeId| on_path[id.index()] && *id != z && !is_linear(graph, *id, &on_path);
        graph.ids().take(on_path.len()).find(nonlinear).unwrap_or(y)
    }

    /// Whether y depends on one of the variables even after all simplifications, those inside loops included.
    pub(super) fn depends_really(&mut self, y: &Array, variables: &[Array]) -> Result<bool> {
        let leading: Vec<&Array> = variables.iter().filter(|z| self.leads_to(z, y)).collect();
        if leading.is_empty() {
            return Ok(false);
        }
        let (y, variables) = (self.node(y), leading.iter().map(|z| self.node(z)).collect::<Vec<_>>());
        let mut graph = self.b().graph().clone();
        let first = graph.inputs.len();
        for (i, id) in variables.iter().enumerate() {
            let node = &mut graph.nodes[id.index()];
            (node.op, node.args) = (Op::Input(first + i), vec![]);
            graph.inputs.push(GraphInput { name: format!("variable{i}"), ty: node.ty.clone() });
        }
        graph.outputs = vec![y];
        let simple = simplify::simplify(graph)?;
        let is_variable = |op: &Op| matches!(op, Op::Input(input) if *input >= first);
        let mut inputs = simple.ids().filter(|id| is_variable(&simple.node(*id).op));
        Ok(inputs.any(|input| path(&simple, input, simple.outputs[0]).get(simple.outputs[0].index()) == Some(&true)))
    }
}

/// For each node up to y, whether it lies on a way from z to y.
pub(super) fn path(graph: &Graph, z: NodeId, y: NodeId) -> Vec<bool> {
    let last = z.max(y);
    let mut below = vec![false; last.index() + 1];
    below[z.index()] = true;
    for index in z.index() + 1..=last.index() {
        below[index] = graph.nodes[index].args.iter().any(|arg| below[arg.index()]);
    }
    let mut on_path = vec![false; last.index() + 1];
    on_path[y.index()] = below[y.index()];
    for index in (0..=y.index()).rev().filter(|&i| below[i]) {
        if on_path[index] {
            graph.nodes[index].args.iter().for_each(|arg| on_path[arg.index()] = below[arg.index()]);
        }
    }
    on_path
}

/// Whether a change of an operand may leave no trace in the derivative.
fn is_jump(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    match &node.op {
        Op::Unary(UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Sign) | Op::Stop => true,
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => false,
        _ => node.ty.dtype != DType::Real,
    }
}

/// Whether a node is linear in those of its operands that are `moving`.
fn is_linear(graph: &Graph, id: NodeId, moving: &[bool]) -> bool {
    let node = graph.node(id);
    let moves = |i: usize| moving[node.args[i].index()];
    match &node.op {
        Op::Unary(op) => *op == UnaryOp::Neg,
        Op::Binary(op) => match op {
            BinaryOp::Add | BinaryOp::Sub => true,
            BinaryOp::Mul => !(moves(0) && moves(1)),
            BinaryOp::Div => !moves(1),
            BinaryOp::Pow | BinaryOp::Max | BinaryOp::Min | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::And | BinaryOp::Or => false,
        },
        Op::Contract { .. } => !(moves(0) && moves(1)),
        Op::Reduce { op, .. } => *op == ReduceOp::Sum,
        Op::Select => !moves(0),
        Op::TriangularSolve { .. } => !moves(0),
        Op::Gather { .. } => !moves(1),
        Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } | Op::Join { .. } => true,
        Op::Reverse { .. } | Op::CumSum { .. } | Op::ScatterAdd { .. } | Op::Project(_) => true,
        Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Random { .. } => true,
        Op::Compare(_)
        | Op::Cast(_)
        | Op::Sort { .. }
        | Op::ArgSort { .. }
        | Op::ArgMax { .. }
        | Op::Assignment
        | Op::Cholesky
        | Op::SymmetricEigen
        | Op::Stop => false,
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => false,
    }
}

/// What an operation is called where it is in the way.
pub(super) fn operation(op: &Op) -> String {
    match op {
        Op::Unary(op) => format!("{op:?}").to_lowercase(),
        Op::Binary(BinaryOp::Mul) | Op::Contract { .. } => "a product of random variables".into(),
        Op::Binary(BinaryOp::Div) => "a division by it".into(),
        Op::Binary(BinaryOp::Pow) => "a power".into(),
        Op::Compare(_) | Op::Select => "`if`".into(),
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => "a loop".into(),
        Op::Gather { .. } => "an index".into(),
        other => {
            let name = format!("{other:?}");
            name.chars().take_while(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
        }
    }
}
