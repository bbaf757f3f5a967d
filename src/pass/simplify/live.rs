//! What is needed: nodes, and results of control nodes. Scans that differ in what they return only are one.

use super::super::splice::input_nodes;
use crate::base::Diagnostic;
use crate::graph::{Graph, NodeId, Op, TensorType};
use std::collections::HashMap;
use std::sync::Arc;

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
        for id in graph.ids().rev().filter(|id| graph.node(*id).args.len() + graph.node(*id).results.len() > 0) {
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

/// Scans over the same operands with the same body become one, which returns what any of them does. The reverse derivative makes
/// such scans: it runs the forward scan again and stacks its carries.
pub fn merge_scans(mut graph: Graph) -> Result<Graph, Diagnostic> {
    let mut groups: HashMap<(Vec<NodeId>, usize, bool), Vec<NodeId>> = HashMap::new();
    for (id, node) in graph.ids().zip(&graph.nodes) {
        if let Op::Scan { length, reverse, .. } = node.op {
            groups.entry((node.args.clone(), length, reverse)).or_default().push(id);
        }
    }
    for same_operands in groups.into_values().filter(|group| group.len() > 1) {
        let mut rest = same_operands;
        while let Some(&first) = rest.first() {
            let (same, others): (Vec<NodeId>, Vec<NodeId>) = rest.into_iter().partition(|&id| same_body(&graph, first, id));
            same[1..].iter().for_each(|&id| merge(&mut graph, first, id));
            rest = others;
        }
    }
    Ok(graph)
}

fn same_body(graph: &Graph, one: NodeId, other: NodeId) -> bool {
    let (Op::Scan { body: a, carries: c, sequences: s, .. }, Op::Scan { body: b, carries: d, sequences: t, .. }) =
        (&graph.node(one).op, &graph.node(other).op)
    else {
        return false;
    };
    let nodes = a.nodes.len() == b.nodes.len() && a.nodes.iter().zip(&b.nodes).all(|(x, y)| x.op == y.op && x.args == y.args);
    (c, s) == (d, t) && nodes && a.outputs[..*c] == b.outputs[..*c]
}

/// Lets `first` return all that `other` does, and turns readers of `other` to it. Both have the same operands, so all stand before.
fn merge(graph: &mut Graph, first: NodeId, other: NodeId) {
    let (Op::Scan { body: a, carries, length, .. }, Op::Scan { body: b, .. }) =
        (graph.node(first).op.clone(), graph.node(other).op.clone())
    else {
        return;
    };
    let mut body = (*a).clone();
    let mut results = graph.node(first).results.clone();
    let mut places: Vec<usize> = (0..carries).collect();
    for &output in &b.outputs[carries..] {
        let found = body.outputs[carries..].iter().position(|&o| o == output).map(|i| i + carries);
        places.push(found.unwrap_or_else(|| {
            let ty = body.ty(output);
            results.push(TensorType::new(ty.dtype, [&[length], &ty.shape[..]].concat()));
            body.outputs.push(output);
            body.outputs.len() - 1
        }));
    }
    let node = &mut graph.nodes[first.index()];
    node.results = results;
    if let Op::Scan { body: old, .. } = &mut node.op {
        *old = Arc::new(body);
    }
    for node in &mut graph.nodes {
        if let Op::Project(result) = &mut node.op
            && node.args[0] == other
        {
            *result = places[*result];
            node.args[0] = first;
        }
    }
}

/// Which inputs of a graph its outputs need.
pub(super) fn live_inputs(graph: &Graph) -> Vec<bool> {
    let live = Live::of(graph).nodes;
    input_nodes(graph).iter().map(|node| node.is_some_and(|id| live[id.index()])).collect()
}
