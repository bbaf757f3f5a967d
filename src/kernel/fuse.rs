//! Fusion: which nodes are stored in buffers, and which of them are computed by one loop.
//!
//! Elementwise operations and views are not stored but computed where they are read, unless that would repeat expensive work.
//! Stored nodes over the same index space share a loop where one reads the other at the same index, or both read the same operand.

use super::body::{contiguous, strided};
use crate::base::op::{BinaryOp, UnaryOp};
use crate::graph::{Graph, Node, NodeId, Op};
use std::collections::{HashMap, HashSet};

/// What becomes one step or a few of them, in order of evaluation.
#[derive(Debug)]
pub enum Group {
    Nest(Nest),
    /// Any other operation
    Single(NodeId),
}

/// Nodes computed in one loop over `shape`: elementwise nodes of that shape, reductions of it along `reduced`, and parts of joins.
#[derive(Debug)]
pub struct Nest {
    pub shape: Vec<usize>,
    pub reduced: Option<Vec<usize>>,
    pub roots: Vec<Root>,
    reads: HashSet<NodeId>,
    weight: usize,
}

/// What a loop writes.
#[derive(Clone, Debug)]
pub enum Root {
    Node(NodeId),
    /// A part of a join, into the join's buffer from `start` on
    Part {
        join: NodeId,
        part: NodeId,
        start: Vec<usize>,
    },
}

impl Root {
    /// The node that it computes
    pub fn node(&self) -> NodeId {
        match self {
            Root::Node(id) | Root::Part { part: id, .. } => *id,
        }
    }
}

#[derive(Debug)]
pub struct Fusion {
    pub groups: Vec<Group>,
    /// Roots whose values are read outside of their loop
    pub stored: HashSet<NodeId>,
}

/// A loop takes no further root beyond these limits: registers and cache ways are few.
const MAX_ROOTS: usize = 8;
const MAX_WEIGHT: usize = 160;
/// A tree is cut into loops of at most that many operations.
const MAX_TREE: usize = 64;
/// A node used more than once is computed again if it takes no more operations than this.
const CHEAP: usize = 3;
/// A transposed array is copied if it is read more often.
const REPEATED: usize = 64;
/// How many groups back a loop is sought that may take a new root.
const REACH: usize = 48;

/// Evaluated where it is read, at the same index.
pub fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) | Op::Stop)
}

pub fn is_view(op: &Op) -> bool {
    matches!(op, Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Reverse { .. } | Op::Stop)
}

/// Has a buffer from the start. Scalar literals are constants of the body.
pub fn is_source(graph: &Graph, id: NodeId) -> bool {
    match &graph.node(id).op {
        Op::Input(_) => true,
        Op::Literal(literal) => literal.values.len() != 1,
        _ => false,
    }
}

/// Can be computed inside of a loop.
fn is_inlined(graph: &Graph, id: NodeId) -> bool {
    let op = &graph.node(id).op;
    is_elementwise(op) || is_view(op) || matches!(op, Op::Fill { .. } | Op::Iota(_) | Op::Literal(_)) && !is_source(graph, id)
}

/// Costs many times an addition.
fn is_expensive(op: &Op) -> bool {
    match op {
        Op::Unary(op) => !matches!(op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Not | UnaryOp::IsFinite),
        Op::Binary(op) => matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Pow),
        _ => false,
    }
}

/// Plans the loops of a graph; nodes of `forced` are stored in any case.
pub fn fuse(graph: &Graph, forced: &HashSet<NodeId>) -> Fusion {
    let live = live_nodes(graph);
    let mut roots = required(graph, forced, &live);
    let needed = roots.clone();
    roots.extend(shared(graph, &live, &roots));
    group(graph, &live, &roots, needed)
}

fn live_nodes(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|id| live[id.index()] = true);
    for id in graph.ids().rev().filter(|id| matches!(graph.node(*id).op, Op::Input(_))) {
        live[id.index()] = true;
    }
    for id in graph.ids().rev() {
        if live[id.index()] {
            graph.node(id).args.iter().for_each(|arg| live[arg.index()] = true);
        }
    }
    live
}

/// Nodes that need a buffer: outputs, results of library calls, and what these read.
fn required(graph: &Graph, forced: &HashSet<NodeId>, live: &[bool]) -> HashSet<NodeId> {
    let mut stored = forced.clone();
    stored.extend(graph.outputs.iter().copied().filter(|&id| !is_source(graph, id)));
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        if !is_inlined(graph, id) && !is_source(graph, id) {
            stored.insert(id);
        }
        if is_inlined(graph, id) || matches!(node.op, Op::Reduce { .. } | Op::Join { .. } | Op::Pad { .. } | Op::Project(_)) {
            continue;
        }
        for &arg in &node.args {
            let is_base = |id: NodeId| stored.contains(&id) || !is_view(&graph.node(id).op);
            let base = match node.op {
                Op::Contract { .. } => strided(graph, arg, is_base).map(|(base, _)| base),
                _ => contiguous(graph, arg, is_base).map(|(base, _)| base),
            };
            let base = base.unwrap_or(arg);
            if !is_source(graph, base) {
                stored.insert(base);
            }
        }
    }
    stored
}

/// Nodes that are worth computing once: used more than once, or spread over a larger space, and not cheap.
fn shared(graph: &Graph, live: &[bool], stored: &HashSet<NodeId>) -> HashSet<NodeId> {
    let mut uses = vec![0usize; graph.nodes.len()];
    let mut spread = vec![false; graph.nodes.len()];
    let mut across = HashSet::new();
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        for arg in &node.args {
            uses[arg.index()] += 1;
            spread[arg.index()] |= matches!(node.op, Op::Broadcast { .. }) && node.ty.len() > graph.ty(*arg).len();
            if is_read_across(graph, node, *arg) {
                across.insert(*arg);
            }
        }
    }
    let mut result = HashSet::new();
    // Operations in the tree under each node down to stored nodes, and whether one of them is expensive
    let mut trees = vec![(0usize, false); graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = graph.node(id);
        if across.contains(&id) {
            result.insert(id);
        }
        if stored.contains(&id) || is_source(graph, id) || across.contains(&id) {
            trees[id.index()] = (1, false);
            continue;
        }
        let own = usize::from(is_elementwise(&node.op) && node.op != Op::Stop);
        let args = node.args.iter().map(|arg| trees[arg.index()]);
        let (weight, expensive) = args.fold((own, is_expensive(&node.op)), |(w, e), (weight, expensive)| (w + weight, e | expensive));
        let again = uses[id.index()] > 1 && is_elementwise(&node.op);
        let once = again && (expensive || weight > CHEAP) || spread[id.index()] && expensive || weight > MAX_TREE;
        trees[id.index()] = if once { (1, false) } else { (weight, expensive) };
        if once {
            result.insert(id);
        }
    }
    result
}

/// Whether a node repeats a transposed array so often that it is worth a copy in the order in which it is read.
fn is_read_across(graph: &Graph, node: &Node, arg: NodeId) -> bool {
    let Op::Transpose(perm) = &graph.node(arg).op else { return false };
    let repeated = matches!(node.op, Op::Broadcast { .. }) && node.ty.len() >= REPEATED * graph.ty(arg).len().max(1);
    repeated && perm.last().is_some_and(|&axis| axis + 1 != perm.len())
}

/// What a root computes in each turn of its loop: the node whose tree is the body, over its own shape, and the axes that are reduced.
/// Reshapes at the root only rename the places that are written.
pub fn core(graph: &Graph, root: NodeId) -> (NodeId, Option<Vec<usize>>) {
    let node = graph.node(root);
    let unshaped = |mut id: NodeId| {
        while let Op::Reshape(_) = graph.node(id).op {
            id = graph.node(id).args[0];
        }
        id
    };
    let Op::Reduce { axes, .. } = &node.op else { return (unshaped(root), None) };
    let operand = node.args[0];
    let inner = unshaped(operand);
    match axes.len() == graph.ty(operand).rank() {
        true => (inner, Some((0..graph.ty(inner).rank()).collect())),
        false => (operand, Some(axes.clone())),
    }
}

/// A stored node that a root reads, and whether only at the index of the loop itself.
type Reads = HashMap<NodeId, bool>;

/// What the tree of a root reads.
fn reads(graph: &Graph, root: NodeId, roots: &HashSet<NodeId>) -> Reads {
    let (inner, _) = core(graph, root);
    let args = |id: NodeId| graph.node(id).args.iter().map(move |&arg| (arg, is_elementwise(&graph.node(id).op)));
    reads_of(graph, if inner == root { args(root).collect() } else { vec![(inner, true)] }, roots)
}

fn reads_of(graph: &Graph, mut pending: Vec<(NodeId, bool)>, roots: &HashSet<NodeId>) -> Reads {
    let mut found = Reads::new();
    let mut seen = HashSet::new();
    while let Some((id, same_index)) = pending.pop() {
        if roots.contains(&id) || is_source(graph, id) {
            *found.entry(id).or_insert(true) &= same_index;
        } else if seen.insert((id, same_index)) {
            let node = graph.node(id);
            let same_index = same_index && is_elementwise(&node.op);
            pending.extend(node.args.iter().map(|&arg| (arg, same_index)));
        }
    }
    found
}

/// Puts the roots, in order, into loops.
fn group(graph: &Graph, live: &[bool], roots: &HashSet<NodeId>, stored: HashSet<NodeId>) -> Fusion {
    let mut grouping = Grouping { graph, roots, groups: Vec::new(), place: HashMap::new(), stored };
    for id in graph.ids().filter(|id| live[id.index()] && roots.contains(id)) {
        let at = match &graph.node(id).op {
            Op::Project(_) => grouping.place.get(&graph.node(id).args[0]).copied().unwrap_or(0),
            Op::Join { axis } => grouping.join(id, *axis),
            Op::Reduce { .. } => grouping.node(id),
            _ if is_inlined(graph, id) => grouping.node(id),
            _ => grouping.single(id),
        };
        grouping.place.insert(id, at);
    }
    Fusion { groups: grouping.groups, stored: grouping.stored }
}

struct Grouping<'a> {
    graph: &'a Graph,
    roots: &'a HashSet<NodeId>,
    groups: Vec<Group>,
    /// The last group that writes a node
    place: HashMap<NodeId, usize>,
    stored: HashSet<NodeId>,
}

impl Grouping<'_> {
    fn single(&mut self, id: NodeId) -> usize {
        self.stored.extend(reads(self.graph, id, self.roots).keys());
        self.groups.push(Group::Single(id));
        self.groups.len() - 1
    }

    fn node(&mut self, id: NodeId) -> usize {
        let (inner, reduced) = core(self.graph, id);
        let reads = reads(self.graph, id, self.roots);
        let weight = weight(self.graph, self.graph.node(id).args.clone(), self.roots);
        let shape = self.graph.ty(inner).shape.clone();
        self.put(Nest { shape, reduced, roots: vec![Root::Node(id)], reads: HashSet::new(), weight }, &reads)
    }

    /// Each part by a loop of its own, or by one that reads the same.
    fn join(&mut self, join: NodeId, axis: usize) -> usize {
        let mut start = vec![0; self.graph.ty(join).rank()];
        let mut last = 0;
        for &part in &self.graph.node(join).args {
            let reads = reads_of(self.graph, vec![(part, true)], self.roots);
            let shape = self.graph.ty(part).shape.clone();
            let length = shape[axis];
            let weight = weight(self.graph, vec![part], self.roots);
            let roots = vec![Root::Part { join, part, start: start.clone() }];
            last = last.max(self.put(Nest { shape, reduced: None, roots, reads: HashSet::new(), weight }, &reads));
            start[axis] += length;
        }
        last
    }

    fn put(&mut self, mut own: Nest, reads: &Reads) -> usize {
        own.reads.extend(reads.keys());
        let at = host(self.graph, &self.groups, &self.place, &own, reads).unwrap_or(self.groups.len());
        // Values read at another index, or outside of the loop that makes them, need a buffer
        self.stored.extend(reads.iter().filter(|(id, same)| self.place.get(*id) != Some(&at) || !**same).map(|(id, _)| id));
        match self.groups.get_mut(at) {
            Some(Group::Nest(nest)) => nest.take(own),
            _ => self.groups.push(Group::Nest(own)),
        }
        at
    }
}

impl Nest {
    fn take(&mut self, other: Nest) {
        self.roots.extend(other.roots);
        self.reads.extend(other.reads);
        self.weight += other.weight;
        self.reduced = self.reduced.take().or(other.reduced);
    }
}

/// Operations in the trees of some nodes, and one.
fn weight(graph: &Graph, mut pending: Vec<NodeId>, roots: &HashSet<NodeId>) -> usize {
    let mut seen = HashSet::new();
    while let Some(id) = pending.pop() {
        if !roots.contains(&id) && seen.insert(id) {
            pending.extend(&graph.node(id).args);
        }
    }
    seen.len() + 1
}

/// The latest loop that can take the root: everything else that the root reads is made before.
fn host(graph: &Graph, groups: &[Group], place: &HashMap<NodeId, usize>, own: &Nest, reads: &Reads) -> Option<usize> {
    let earliest = reads.keys().filter_map(|id| place.get(id)).max().copied().unwrap_or(0);
    let len: usize = own.shape.iter().product();
    (earliest.max(groups.len().saturating_sub(REACH))..groups.len()).rev().find(|&at| {
        let Group::Nest(nest) = &groups[at] else { return false };
        let fits = nest.shape == own.shape
            && (nest.reduced.is_none() || own.reduced.is_none() || nest.reduced == own.reduced)
            && nest.roots.len() < MAX_ROOTS
            && nest.weight + own.weight <= MAX_WEIGHT;
        let ready = reads.iter().all(|(id, &same_index)| {
            place.get(id) != Some(&at) || same_index && !matches!(graph.node(*id).op, Op::Reduce { .. } | Op::Join { .. })
        });
        let related = reads.keys().any(|id| place.get(id) == Some(&at) || nest.reads.contains(id) && graph.ty(*id).len() >= len);
        fits && ready && (related || len == 1)
    })
}
