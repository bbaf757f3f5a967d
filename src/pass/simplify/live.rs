//! What is needed: nodes, and results of control nodes.

use crate::graph::{Graph, NodeId, Op};
use crate::pass::splice::input_nodes;
use std::collections::HashMap;

/// What the outputs of a graph need.
pub(super) struct Live {
    pub(super) nodes: Vec<bool>,
    /// Of control nodes, the results that are read
    results: HashMap<NodeId, Vec<bool>>,
}

impl Live {
    pub(super) fn of(graph: &Graph) -> Live {
        let mut live = Live { nodes: vec![false; graph.nodes.len()], results: HashMap::new() };
        for output in &graph.outputs {
            live.nodes[output.index()] = true;
        }
        for id in graph.ids().rev() {
            let node = graph.node(id);
            if !live.nodes[id.index()] {
                continue;
            }
            if let Op::Project(result) = node.op {
                let control = node.args[0];
                let count = graph.node(control).results.len();
                live.results.entry(control).or_insert_with(|| vec![false; count])[result] = true;
            }
            for arg in &node.args {
                live.nodes[arg.index()] = true;
            }
        }
        live
    }

    /// Which results of a control node are read.
    pub(super) fn results(&self, graph: &Graph, id: NodeId) -> Vec<bool> {
        self.results.get(&id).cloned().unwrap_or_else(|| vec![false; graph.node(id).results.len()])
    }
}

/// The graph without nodes that no output needs. Inputs stay.
pub fn sweep(graph: &Graph) -> Graph {
    let live = Live::of(graph).nodes;
    let mut numbers = vec![NodeId(0); graph.nodes.len()];
    let mut swept = Graph { inputs: graph.inputs.clone(), ..Graph::default() };
    for (id, node) in graph.ids().zip(&graph.nodes) {
        if live[id.index()] || matches!(node.op, Op::Input(_)) {
            numbers[id.index()] = NodeId(swept.nodes.len() as u32);
            let mut node = node.clone();
            node.args.iter_mut().for_each(|arg| *arg = numbers[arg.index()]);
            swept.nodes.push(node);
        }
    }
    swept.outputs = graph.outputs.iter().map(|output| numbers[output.index()]).collect();
    swept
}

/// Which inputs of a graph its outputs need.
pub(super) fn live_inputs(graph: &Graph) -> Vec<bool> {
    let live = Live::of(graph).nodes;
    input_nodes(graph).iter().map(|node| node.is_some_and(|id| live[id.index()])).collect()
}
