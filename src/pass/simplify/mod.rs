//! Simplification: identities of algebra, stable forms, constants, contractions, sharing and dead code.
//!
//! Rules are tables over [`View`]s of a node, one file per family. A rule returns an equal, simpler node, which is simplified in turn;
//! the number of rewritings per node is bounded, so that no set of rules can loop. Identities are those of a textbook: they hold for
//! real numbers where both sides are defined. `0 * x` is 0 and `x / x` is 1, also where x is infinite or NaN.

use super::derivative::activity;
use super::term::with_terms;
use crate::base::Diagnostic;
use crate::graph::{Builder, Graph, NodeId, Op};
use rewriter::Rewriter;
use std::cell::RefCell;

mod arithmetic;
mod contraction;
mod control;
mod elementwise;
mod fold;
mod indexing;
mod joins;
mod live;
mod merge;
mod moments;
mod products;
mod reductions;
mod rewriter;
mod shape;
mod solve;
mod stable;
mod symmetric;
mod unread;

pub use live::sweep;

/// Rounds over a whole graph. One does nearly everything; further ones follow while they make the graph smaller.
const ROUNDS: usize = 5;

/// The same function with fewer and better operations, sub-graphs included. `Stop` disappears: derivatives come before.
pub fn simplify(mut graph: Graph) -> Result<Graph, Diagnostic> {
    for number in 0..ROUNDS {
        let size = graph.nodes.len();
        graph = sweep(&fold::fold_constants(round(&merge::merge_scans(graph)?)?)?);
        if number > 0 && graph.nodes.len() >= size {
            break;
        }
    }
    Ok(graph)
}

/// Every live node, rewritten once, operands first.
fn round(graph: &Graph) -> Result<Graph, Diagnostic> {
    let live = live::Live::of(graph);
    let windows = unread::windows(graph, &live.nodes);
    let mut b = Builder::new();
    let inputs: Vec<NodeId> = graph.inputs.iter().map(|input| b.input(input.name.clone(), input.ty.clone())).collect();
    let cell = RefCell::new(b);
    let rewriter = Rewriter::of_whole_graph(&cell);
    // The results of control nodes; one node for others
    let mut forms: Vec<Vec<Option<NodeId>>> = vec![vec![]; graph.nodes.len()];
    for id in graph.ids().filter(|id| live.nodes[id.index()]) {
        let node = graph.node(id);
        cell.borrow_mut().span = node.span;
        let args: Vec<NodeId> = match node.op {
            Op::Project(_) => vec![],
            _ => node.args.iter().filter_map(|arg| forms[arg.index()][0]).collect(),
        };
        forms[id.index()] = match &node.op {
            Op::Input(number) => vec![Some(inputs[*number])],
            Op::Project(result) => vec![forms[node.args[0].index()][*result]],
            Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => {
                control::rebuild(&mut cell.borrow_mut(), &node.op, &args, &live.results(graph, id))?
            }
            op => {
                let mut plain = cell.borrow_mut().push(op.clone(), &args);
                if let Some(window) = &windows[id.index()] {
                    plain = unread::narrowed(&mut cell.borrow_mut(), plain, window);
                }
                vec![Some(rewriter.simplest(plain))]
            }
        };
    }
    let outputs: Vec<NodeId> = graph.outputs.iter().filter_map(|output| forms[output.index()][0]).collect();
    drop(rewriter);
    cell.into_inner().finish(&outputs)
}

/// Where `targets` go when what depends on `wrt` is simplified, in place. What they still depend on shows in the result.
pub fn simplified(b: &mut Builder, wrt: &[NodeId], targets: &[NodeId]) -> Vec<NodeId> {
    with_terms(b, |cell| {
        let active = activity::between(cell, wrt, targets);
        simplify_between(cell, wrt, &active, targets)
    })
}

/// Simplifies, in place, what leads from `wrt` to `targets`, so that derivatives are taken of stable forms. Nodes of `wrt`, and
/// all nodes that do not depend on them, stay as they are. Returns where the targets went.
pub(super) fn simplify_between(b: &RefCell<Builder>, wrt: &[NodeId], active: &[bool], targets: &[NodeId]) -> Vec<NodeId> {
    let rewriter = Rewriter::of_part(b, wrt, active);
    let span = b.borrow().span;
    for index in (0..active.len()).filter(|&i| active[i]) {
        let node_span = b.borrow().graph().nodes[index].span;
        b.borrow_mut().span = node_span;
        rewriter.simplest(NodeId(index as u32));
    }
    b.borrow_mut().span = span;
    targets.iter().map(|&target| rewriter.simplest(target)).collect()
}
