//! Scans that differ only in what they return become one. The reverse derivative makes such scans: it runs the forward scan again
//! and stacks its carries.

use crate::base::Diagnostic;
use crate::graph::infer::infer;
use crate::graph::{Builder, Graph, NodeId, Op, TensorType};
use crate::pass::splice::splice;
use std::collections::HashMap;
use std::sync::Arc;

/// Merges scans over the same operands whose bodies give the same carries. The merged one returns what any of them does.
pub(super) fn merge_scans(mut graph: Graph) -> Result<Graph, Diagnostic> {
    let mut groups: HashMap<(Vec<NodeId>, [usize; 3], bool), Vec<NodeId>> = HashMap::new();
    for (id, node) in graph.ids().zip(&graph.nodes) {
        if let Op::Scan { carries, sequences, length, reverse, .. } = node.op {
            groups.entry((node.args.clone(), [carries, sequences, length], reverse)).or_default().push(id);
        }
    }
    for group in groups.into_values() {
        for (i, &first) in group.iter().enumerate() {
            for &other in &group[i + 1..] {
                if let Some(merged) = Merged::of(&graph, first, other)? {
                    merged.replace(&mut graph, first, other)?;
                }
            }
        }
    }
    Ok(graph)
}

struct Merged {
    body: Graph,
    /// Where the results of the second scan stand among those of the merged one
    places: Vec<usize>,
}

impl Merged {
    /// Both bodies in one builder, which shares what is equal; `None` if their carries differ.
    fn of(graph: &Graph, first: NodeId, other: NodeId) -> Result<Option<Merged>, Diagnostic> {
        let (Op::Scan { body: one, carries, .. }, Op::Scan { body: two, .. }) = (&graph.node(first).op, &graph.node(other).op) else {
            return Ok(None);
        };
        let mut b = Builder::new();
        let inputs: Vec<NodeId> = one.inputs.iter().map(|input| b.input(input.name.clone(), input.ty.clone())).collect();
        let mut outputs = splice(&mut b, one, &inputs);
        let others = splice(&mut b, two, &inputs);
        if outputs[..*carries] != others[..*carries] {
            return Ok(None);
        }
        let mut places: Vec<usize> = (0..*carries).collect();
        for &output in &others[*carries..] {
            let found = outputs[*carries..].iter().position(|&o| o == output);
            places.push(found.map_or(outputs.len(), |i| i + carries));
            if found.is_none() {
                outputs.push(output);
            }
        }
        Ok(Some(Merged { body: b.finish(&outputs)?, places }))
    }

    /// Puts the merged scan in the place of the first one, and turns readers of the second to it. Their operands stand before both.
    fn replace(self, graph: &mut Graph, first: NodeId, other: NodeId) -> Result<(), Diagnostic> {
        let node = &mut graph.nodes[first.index()];
        if let Op::Scan { body, .. } = &mut node.op {
            *body = Arc::new(self.body);
        }
        let node = graph.node(first);
        let types: Vec<&TensorType> = node.args.iter().map(|&arg| graph.ty(arg)).collect();
        graph.nodes[first.index()].results = infer(&node.op, &types).map_err(Diagnostic::internal)?;
        for node in &mut graph.nodes {
            if let Op::Project(result) = &mut node.op
                && node.args[0] == other
            {
                *result = self.places[*result];
                node.args[0] = first;
            }
        }
        Ok(())
    }
}
