//! Graphs copied into graphs under construction.

use crate::graph::{Builder, Graph, NodeId, Op};

/// Copies a graph into the builder with its inputs replaced by `args`; returns where its outputs went.
pub fn splice(b: &mut Builder, graph: &Graph, args: &[NodeId]) -> Vec<NodeId> {
    let span = b.span;
    let mut copies: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        b.span = node.span;
        let copy = match &node.op {
            Op::Input(number) => args[*number],
            op => {
                let operands: Vec<NodeId> = node.args.iter().map(|arg| copies[arg.index()]).collect();
                b.push(op.clone(), &operands)
            }
        };
        copies.push(copy);
    }
    b.span = span;
    graph.outputs.iter().map(|output| copies[output.index()]).collect()
}

/// The node of each input of a graph; `None` where nothing reads it any more.
pub fn input_nodes(graph: &Graph) -> Vec<Option<NodeId>> {
    let mut nodes = vec![None; graph.inputs.len()];
    for (id, node) in graph.ids().zip(&graph.nodes) {
        if let Op::Input(number) = node.op {
            nodes[number] = Some(id);
        }
    }
    nodes
}
