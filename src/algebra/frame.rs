//! The graphs under construction: the root, and inside it the bodies of loops. A body is closed: when it uses a value of an outer
//! graph, the value becomes one of the body's constants.

use crate::base::{Diagnostic, Span};
use crate::graph::{Builder, Graph, NodeId, Op, TensorType};
use std::collections::HashMap;

/// Frames are numbered in the order in which they were opened; a number is never used twice.
pub type FrameId = u32;

struct Frame {
    id: FrameId,
    builder: Builder,
    /// Nodes of the enclosing frame, in the order of this frame's constants, and their inputs here
    imports: Vec<(NodeId, NodeId)>,
    known: HashMap<NodeId, NodeId>,
}

/// Bodies put aside.
pub struct Suspended(Vec<Frame>);

pub struct Frames {
    open: Vec<Frame>,
    next: FrameId,
}

/// A finished body, with the nodes of the enclosing graph that it takes as constants.
pub struct Closed {
    pub graph: Graph,
    pub constants: Vec<NodeId>,
}

impl Frames {
    pub fn new() -> Frames {
        let mut frames = Frames { open: vec![], next: 0 };
        frames.enter();
        frames
    }

    pub fn enter(&mut self) -> FrameId {
        let id = self.next;
        self.next += 1;
        let mut builder = Builder::new();
        builder.span = self.open.last().map_or_else(Span::default, |frame| frame.builder.span);
        self.open.push(Frame { id, builder, imports: vec![], known: HashMap::new() });
        id
    }

    /// Ends the innermost body.
    pub fn leave(&mut self, outputs: &[NodeId]) -> Result<Closed, Diagnostic> {
        let frame = self.open.pop().ok_or_else(|| Diagnostic::internal("no open graph"))?;
        let graph = frame.builder.finish(outputs)?;
        Ok(Closed { graph, constants: frame.imports.into_iter().map(|(outer, _)| outer).collect() })
    }

    /// Puts the bodies under construction aside, so that the root is built on; [`Frames::resume`] brings them back.
    pub fn suspend(&mut self) -> Suspended {
        Suspended(self.open.split_off(1))
    }

    pub fn resume(&mut self, bodies: Suspended) {
        self.open.extend(bodies.0);
    }

    pub fn current(&self) -> FrameId {
        self.open.last().map_or(0, |frame| frame.id)
    }

    pub fn builder(&mut self) -> &mut Builder {
        let last = self.open.len() - 1;
        &mut self.open[last].builder
    }

    pub fn root(&mut self) -> &mut Builder {
        &mut self.open[0].builder
    }

    /// The node as seen from the innermost graph.
    pub fn node(&mut self, frame: FrameId, node: NodeId) -> NodeId {
        match self.open.iter().position(|f| f.id == frame) {
            Some(depth) => (depth + 1..self.open.len()).fold(node, |node, at| self.import(at, node)),
            None => node,
        }
    }

    fn import(&mut self, at: usize, node: NodeId) -> NodeId {
        if let Some(&here) = self.open[at].known.get(&node) {
            return here;
        }
        let outer = self.open[at - 1].builder.graph().node(node).clone();
        let frame = &mut self.open[at];
        let here = match outer.op {
            Op::Fill { .. } | Op::Iota(_) => frame.builder.push(outer.op, &[]),
            _ => {
                let input = frame.builder.input(format!("outer{}", node.0), outer.ty);
                frame.imports.push((node, input));
                input
            }
        };
        frame.known.insert(node, here);
        here
    }

    /// Whether a node of the innermost graph depends on `on`, a node of an outer graph, through another constant of a body: a value
    /// that was computed from it outside.
    pub fn depends_through_constants(&self, node: NodeId, frame: FrameId, on: NodeId) -> bool {
        let Some(home) = self.open.iter().position(|f| f.id == frame) else { return false };
        // `on` as each of the frames from its own inwards knows it
        let mut known = vec![Some(on)];
        for frame in &self.open[home + 1..] {
            known.push(known[known.len() - 1].and_then(|outer| frame.known.get(&outer).copied()));
        }
        let mut from = vec![node];
        for at in (home + 1..self.open.len()).rev() {
            let seen = ancestors(self.open[at].builder.graph(), from);
            let constants = self.open[at].imports.iter().filter(|(_, here)| seen[here.index()]).map(|(outer, _)| *outer);
            from = constants.filter(|outer| Some(*outer) != known[at - 1 - home]).collect();
        }
        home + 1 < self.open.len() && ancestors(self.open[home].builder.graph(), from)[on.index()]
    }

    /// How many graphs are open, the root included.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// The graphs from the root inwards.
    pub fn graph_at(&self, depth: usize) -> &Graph {
        self.open[depth].builder.graph()
    }

    /// The node of the enclosing graph behind an input of a body.
    pub fn imported(&self, depth: usize, here: NodeId) -> Option<NodeId> {
        self.open[depth].imports.iter().find(|(_, input)| *input == here).map(|(outer, _)| *outer)
    }

    pub fn graph(&self, frame: FrameId) -> &Graph {
        let at = self.open.iter().position(|f| f.id == frame).unwrap_or(0);
        self.open[at].builder.graph()
    }

    pub fn ty(&self, frame: FrameId, node: NodeId) -> TensorType {
        self.graph(frame).node(node).ty.clone()
    }
}

/// What the nodes depend on, themselves included.
fn ancestors(graph: &Graph, mut open: Vec<NodeId>) -> Vec<bool> {
    let mut seen = vec![false; graph.nodes.len()];
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut seen[id.index()], true) {
            open.extend(&graph.node(id).args);
        }
    }
    seen
}

impl Default for Frames {
    fn default() -> Self {
        Frames::new()
    }
}
