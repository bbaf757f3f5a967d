//! Constant folding: what depends on no input is evaluated by the reference interpreter.

use super::sweep;
use crate::base::Diagnostic;
use crate::graph::interpret::{Value, interpret};
use crate::graph::{Builder, Graph, Literal, NodeId, Op};

/// Larger results are computed when the program runs.
const LARGEST: usize = 1 << 14;

/// Replaces constant sub-expressions by literals. Random numbers are left to the program.
pub(super) fn fold_constants(graph: Graph) -> Result<Graph, Diagnostic> {
    let constant = constants(&graph);
    let mut wanted: Vec<NodeId> = graph.outputs.iter().copied().filter(|id| constant[id.index()]).collect();
    for (id, node) in graph.ids().zip(&graph.nodes) {
        if !constant[id.index()] {
            wanted.extend(node.args.iter().filter(|arg| constant[arg.index()]));
        }
    }
    wanted.retain(|&id| is_worth_a_literal(&graph, id));
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(graph);
    }
    let values = interpret(&without_inputs(&graph, &constant, &wanted)?, &[]);
    Ok(replaced(graph, &wanted, &values))
}

/// Nodes that depend on constants only, through values of moderate size.
fn constants(graph: &Graph) -> Vec<bool> {
    let mut constant = vec![false; graph.nodes.len()];
    for (id, node) in graph.ids().zip(&graph.nodes) {
        let sizes = node.ty.len() <= LARGEST && node.results.iter().all(|ty| ty.len() <= LARGEST);
        let foldable = !matches!(node.op, Op::Input(_) | Op::Random { .. } | Op::Scan { .. } | Op::While { .. } | Op::Cond { .. });
        constant[id.index()] = sizes && foldable && node.args.iter().all(|arg| constant[arg.index()]);
    }
    constant
}

/// Whether a literal is better than what is there.
fn is_worth_a_literal(graph: &Graph, id: NodeId) -> bool {
    !matches!(graph.node(id).op, Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Broadcast { .. } | Op::Reshape(_))
}

/// The constant part of a graph, returning the wanted nodes.
fn without_inputs(graph: &Graph, constant: &[bool], wanted: &[NodeId]) -> Result<Graph, Diagnostic> {
    let mut b = Builder::new();
    let mut copies: Vec<Option<NodeId>> = vec![None; graph.nodes.len()];
    for (id, node) in graph.ids().zip(&graph.nodes).filter(|(id, _)| constant[id.index()]) {
        let args: Vec<NodeId> = node.args.iter().filter_map(|arg| copies[arg.index()]).collect();
        copies[id.index()] = Some(b.push(node.op.clone(), &args));
    }
    let outputs: Vec<NodeId> = wanted.iter().filter_map(|id| copies[id.index()]).collect();
    Ok(sweep(&b.finish(&outputs)?))
}

fn replaced(mut graph: Graph, wanted: &[NodeId], values: &[Value]) -> Graph {
    for (&id, value) in wanted.iter().zip(values) {
        let node = &mut graph.nodes[id.index()];
        node.op = Op::Literal(Literal::from(value));
        node.args.clear();
    }
    graph
}

/// The number in every place of a literal, where it is one.
pub(super) fn uniform(literal: &Literal) -> Option<f64> {
    let first = *literal.values.first()?;
    literal.values.iter().all(|value| value.to_bits() == first.to_bits()).then_some(first)
}
