//! Which nodes a derivative passes through.

use crate::base::op::DType;
use crate::graph::{Builder, Graph, NodeId, Op};
use std::cell::RefCell;

/// For each node up to the last of `targets`, whether it depends on one of `wrt` and leads to one of `targets`.
pub(in crate::pass) fn between(b: &RefCell<Builder>, wrt: &[NodeId], targets: &[NodeId]) -> Vec<bool> {
    let Some(&last) = targets.iter().max() else { return vec![] };
    let b = b.borrow();
    leads(b.graph(), targets, &depends(b.graph(), wrt, last))
}

/// For each node up to `last`, whether its value depends, through real numbers, on that of one of `wrt`.
pub(super) fn depends(graph: &Graph, wrt: &[NodeId], last: NodeId) -> Vec<bool> {
    let mut depends = vec![false; last.index() + 1];
    let wrt = wrt.iter().filter(|&&id| id <= last && graph.ty(id).dtype == DType::Real);
    let mut first = depends.len();
    for id in wrt {
        depends[id.index()] = true;
        first = first.min(id.index());
    }
    for index in first..depends.len() {
        let node = &graph.nodes[index];
        depends[index] |= carries_derivative(graph, NodeId(index as u32)) && node.args.iter().any(|arg| depends[arg.index()]);
    }
    depends
}

/// The nodes of `depends` from which one of `targets` is reached.
pub(super) fn leads(graph: &Graph, targets: &[NodeId], depends: &[bool]) -> Vec<bool> {
    let mut leads = vec![false; depends.len()];
    for id in targets {
        leads[id.index()] = depends[id.index()];
    }
    for index in (0..leads.len()).rev().filter(|&i| depends[i]) {
        if leads[index] {
            for arg in &graph.nodes[index].args {
                leads[arg.index()] = depends[arg.index()];
            }
        }
    }
    leads
}

/// Whether derivatives pass through a node at all: not through integers and conditions, nor through `Stop`.
fn carries_derivative(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    match node.op {
        Op::Stop => false,
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => node.results.iter().any(|ty| ty.dtype == DType::Real),
        _ => node.ty.dtype == DType::Real,
    }
}
