//! A map y = f(u) as a graph of its own: lowered once on a placeholder for u, closed over what it uses from outside.

use super::Application;
use crate::algebra::frame::FrameId;
use crate::algebra::lowering::{Lowering, union};
use crate::algebra::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::graph::{Graph, Node, NodeId, Op, TensorType};

/// What f does with u.
pub(super) type Body<'f, 'm> = &'f dyn Fn(&mut Lowering<'m>, Array) -> Result<Array>;

pub(super) struct Map {
    /// The graph that was
    frame: FrameId,
    pub graph: Graph,
    /// Nodes of the enclosing graph behind the inputs from the second on; the first is u
    pub constants: Vec<NodeId>,
    /// Those over which u and y vary
    pub plates: Vec<PlateId>,
    pub argument: NodeId,
    pub output: NodeId,
    /// The uses of bijectors inside
    pub applications: Vec<Application>,
    /// Whether a node depends on u
    pub depends: Vec<bool>,
    /// Where the plates stand among the axes of a node that depends on u, as far as that is known
    plate_axes: Vec<Option<Vec<usize>>>,
}

impl Map {
    /// Lowers f for arguments of a shape that vary over `plates` and over those of what f uses.
    pub fn lower<'m>(lowering: &mut Lowering<'m>, body: Body<'_, 'm>, domain: &[usize], plates: &[PlateId]) -> Result<Map> {
        let mut plates = union([plates]);
        loop {
            let frame = lowering.frames.enter();
            let shape = [&lowering.sizes(&plates)[..], domain].concat();
            let argument = lowering.b().input("u", TensorType::real(shape));
            let u = lowering.array(argument, plates.clone());
            let y = body(lowering, u)?;
            let all = union([&plates[..], &y.plates]);
            let y = lowering.expanded(&y, &all);
            let output = lowering.node(&y);
            let closed = lowering.frames.leave(&[output])?;
            let (applications, others) = std::mem::take(&mut lowering.applications).into_iter().partition(|a| a.frame == frame);
            lowering.applications = others;
            // What f uses varies over more than u does: so does u, then.
            if all != plates {
                plates = all;
                continue;
            }
            let (graph, constants) = (closed.graph, closed.constants);
            refuse_randomness(&graph)?;
            let depends = dependent(&graph, argument);
            let plate_axes = plate_axes(&graph, argument, &depends, &plates, &applications);
            return Ok(Map { frame, graph, constants, plates, argument, output, applications, depends, plate_axes });
        }
    }

    pub fn node(&self, id: NodeId) -> &Node {
        self.graph.node(id)
    }

    /// The node of an array of this graph.
    pub fn node_of(&self, array: &Array) -> Option<NodeId> {
        (array.frame == self.frame).then_some(array.node)
    }

    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.graph.ty(id).shape
    }

    /// The same where they are known.
    pub fn axes(&self, id: NodeId) -> Vec<usize> {
        self.plate_axes[id.index()].clone().unwrap_or_default()
    }

    /// The axes of a node that are plates, in the order of the plates.
    pub fn plate_axes(&self, id: NodeId) -> Result<&[usize]> {
        let axes = self.plate_axes[id.index()].as_deref();
        axes.ok_or_else(|| Diagnostic::unsupported("inverting a map through this operation").at(self.node(id).span))
    }
}

/// A map that draws is another one each time.
fn refuse_randomness(graph: &Graph) -> Result<()> {
    match graph.nodes.iter().find(|node| matches!(node.op, Op::Random { .. })) {
        Some(node) => Err(Diagnostic::new(Code::NotInvertible, "a map that draws random numbers has no inverse")
            .label(node.span, "drawn here")
            .help("draw in the base of the pushforward, and give the draw to the map as its argument")),
        None => Ok(()),
    }
}

fn dependent(graph: &Graph, argument: NodeId) -> Vec<bool> {
    let mut depends = vec![false; graph.nodes.len()];
    for id in graph.ids() {
        depends[id.index()] = id == argument || graph.node(id).args.iter().any(|arg| depends[arg.index()]);
    }
    depends
}

fn plate_axes(
    graph: &Graph,
    argument: NodeId,
    depends: &[bool],
    plates: &[PlateId],
    applications: &[Application],
) -> Vec<Option<Vec<usize>>> {
    let mut all: Vec<Option<Vec<usize>>> = vec![None; graph.nodes.len()];
    all[argument.index()] = Some((0..plates.len()).collect());
    for id in graph.ids().filter(|id| depends[id.index()] && *id != argument) {
        let node = graph.node(id);
        // The results of bijectors, some of which come out of a loop
        if let Some(application) = applications.iter().find(|application| application.output.node == id) {
            let own = &application.output.plates;
            all[id.index()] = plates.iter().map(|plate| own.iter().position(|other| other == plate)).collect();
            continue;
        }
        let Some(at) = node.args.iter().position(|arg| depends[arg.index()]) else { continue };
        let from = node.args[at];
        all[id.index()] = all[from.index()].as_ref().and_then(|axes| carried(graph, node, at, axes));
    }
    all
}

/// Where the axes of an operand stand in the result.
fn carried(graph: &Graph, node: &Node, at: usize, axes: &[usize]) -> Option<Vec<usize>> {
    let operand = &graph.ty(node.args[at]).shape;
    let each = |f: &dyn Fn(usize) -> Option<usize>| axes.iter().map(|&axis| f(axis)).collect();
    match &node.op {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) | Op::Stop => Some(axes.to_vec()),
        Op::Slice { .. } | Op::Pad { .. } | Op::Join { .. } | Op::Reverse { .. } => Some(axes.to_vec()),
        Op::CumSum { .. } | Op::Sort { .. } | Op::ArgSort { .. } | Op::Cholesky | Op::SymmetricEigen | Op::TriangularSolve { .. } => {
            Some(axes.to_vec())
        }
        Op::Broadcast { axes: to, .. } => each(&|axis| to.get(axis).copied()),
        Op::Transpose(perm) => each(&|axis| perm.iter().position(|&from| from == axis)),
        Op::Reshape(shape) => reshaped(operand, shape, axes),
        Op::Reduce { axes: gone, .. } => each(&|axis| remaining(axis, gone)),
        Op::ArgMax { axis: gone } => each(&|axis| remaining(axis, &[*gone])),
        Op::Assignment => each(&|axis| remaining(axis, &[operand.len() - 1])),
        Op::Contract { a, b, out } => {
            let labels = if at == 0 { a } else { b };
            each(&|axis| out.iter().position(|label| *label == labels[axis]))
        }
        Op::Gather { batch } if at == 0 => {
            let indices = graph.ty(node.args[1]).rank() - batch;
            each(&|axis| match axis.cmp(batch) {
                std::cmp::Ordering::Less => Some(axis),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some(axis - 1 + indices),
            })
        }
        Op::Gather { .. } | Op::ScatterAdd { .. } | Op::Random { .. } => None,
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Project(_) => None,
        Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) => None,
    }
}

fn remaining(axis: usize, gone: &[usize]) -> Option<usize> {
    (!gone.contains(&axis)).then(|| axis - gone.iter().filter(|&&other| other < axis).count())
}

/// An axis is the same one after a reshape if as many elements stand before it and it has the same size.
fn reshaped(from: &[usize], to: &[usize], axes: &[usize]) -> Option<Vec<usize>> {
    let before = |shape: &[usize], axis: usize| shape[..axis].iter().product::<usize>();
    let mut next = 0;
    let mut found = vec![];
    for &axis in axes {
        let same = |&at: &usize| to[at] == from[axis] && before(to, at) == before(from, axis);
        let at = (next..to.len()).find(same)?;
        found.push(at);
        next = at + 1;
    }
    Some(found)
}
