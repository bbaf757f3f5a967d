//! Graph -> Kernels: a step for each group of the fusion, operands before users.

use super::affine::Affine;
use super::body::{Body, MustStore, contiguous, strided};
use super::contract::groups;
use super::fuse::{Fusion, Group, Nest, core, fuse, is_source};
use super::place::place;
use super::{Axis, Buffer, BufferId, Contract, Instr, InstrKind, Kernels, Loop, Place, Region, Role, Step, Store};
use crate::base::op::DType;
use crate::base::{Arena, Diagnostic};
use crate::graph::{Graph, Node, NodeId, Op};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Plans a graph. `in_place` lists pairs (input, output) that share a buffer. Nodes that turn out to need a buffer get one in
/// another attempt.
pub fn lower(graph: &Graph, in_place: &[(usize, usize)]) -> Result<Kernels, Diagnostic> {
    let mut forced = HashSet::new();
    loop {
        let fusion = fuse(graph, &forced);
        let mut lowering = Lowering::new(graph, &fusion);
        let missing = lowering.steps(&fusion)?;
        if missing.is_empty() {
            return Ok(place(graph, lowering, in_place));
        }
        for id in missing {
            if !forced.insert(id) {
                return Err(broken(graph, id));
            }
        }
    }
}

/// The message of a node that no rule lowers.
pub(super) fn broken(graph: &Graph, id: NodeId) -> Diagnostic {
    let node = graph.node(id);
    Diagnostic::internal(format!("no kernel for {id:?} of type {}", node.ty)).at(node.span)
}

pub(super) enum Failure {
    MustStore(NodeId),
    Diagnostic(Diagnostic),
}

impl From<MustStore> for Failure {
    fn from(MustStore(id): MustStore) -> Failure {
        Failure::MustStore(id)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Failure::Diagnostic(diagnostic)
    }
}

pub(super) type Lowered = Result<(), Failure>;

/// The steps so far.
pub(super) struct Lowering<'a> {
    pub graph: &'a Graph,
    pub buffers: Arena<Buffer>,
    /// The buffers of sources and stored nodes
    pub of: HashMap<NodeId, BufferId>,
    pub steps: Vec<Step>,
}

impl<'a> Lowering<'a> {
    fn new(graph: &'a Graph, fusion: &Fusion) -> Lowering<'a> {
        let mut lowering = Lowering { graph, buffers: Arena::default(), of: HashMap::new(), steps: vec![] };
        for id in graph.ids() {
            let node = graph.node(id);
            let place = match &node.op {
                Op::Input(number) => Place::Input(*number),
                Op::Literal(literal) if is_source(graph, id) => Place::Constant(literal.values.clone()),
                _ if fusion.stored.contains(&id) && node.results.is_empty() && !matches!(node.op, Op::Project(_)) => Place::Arena(0),
                _ => continue,
            };
            let buffer = lowering.buffers.push(Buffer { dtype: node.ty.dtype, len: node.ty.len(), place });
            lowering.of.insert(id, buffer);
        }
        // Inputs that nothing reads have a place too: an output may update them
        for (number, input) in graph.inputs.iter().enumerate() {
            let place = Place::Input(number);
            if lowering.buffers.values().all(|buffer| buffer.place != place) {
                lowering.buffers.push(Buffer { dtype: input.ty.dtype, len: input.ty.len(), place });
            }
        }
        lowering
    }

    /// A buffer of no node.
    pub fn buffer(&mut self, dtype: DType, len: usize) -> BufferId {
        self.buffers.push(Buffer { dtype, len, place: Place::Arena(0) })
    }

    /// The buffer of a stored node.
    pub fn out(&self, id: NodeId) -> Result<BufferId, Failure> {
        self.of.get(&id).copied().ok_or(Failure::MustStore(id))
    }

    /// Where the elements of a node stand one after another.
    pub fn region(&self, id: NodeId) -> Result<Region, Failure> {
        let (node, offset) = contiguous(self.graph, id, |id| self.of.contains_key(&id)).ok_or(Failure::MustStore(id))?;
        Ok(Region { buffer: self.out(node)?, offset })
    }

    /// Lowers all groups; the nodes that turn out to need a buffer.
    fn steps(&mut self, fusion: &Fusion) -> Result<HashSet<NodeId>, Diagnostic> {
        let mut missing = HashSet::new();
        for group in &fusion.groups {
            let lowered = match group {
                Group::Nest(nest) => self.nest(nest),
                Group::Single(id) => self.single(*id),
            };
            match lowered {
                Ok(()) => (),
                Err(Failure::MustStore(id)) => missing.extend([id]),
                Err(Failure::Diagnostic(diagnostic)) => return Err(diagnostic),
            }
        }
        Ok(missing)
    }

    fn single(&mut self, id: NodeId) -> Lowered {
        let graph = self.graph;
        let node = graph.node(id);
        match &node.op {
            Op::Join { axis } => self.join(id, node, *axis),
            Op::Pad { before, .. } => self.pad(id, node, before),
            Op::Contract { a, b, out } => self.contract(id, node, [a, b, out]),
            Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => self.control(id, node),
            _ => self.library(id, node),
        }
    }

    fn push_loop(&mut self, nest: Loop) {
        self.steps.push(Step::Loop(nest.simplified()));
    }

    fn nest(&mut self, nest: &Nest) -> Lowered {
        let rank = nest.shape.len();
        let members: HashSet<NodeId> = nest.roots.iter().copied().collect();
        let mut body = Body::new(self.graph, &self.of, &members, &nest.shape);
        let identity = Affine::identity(rank);
        let mut stores = vec![];
        for &root in &nest.roots {
            let node = self.graph.node(root);
            let Op::Reduce { op, .. } = &node.op else {
                if let Some(&buffer) = self.of.get(&root) {
                    let value = body.value(core(self.graph, root).0, &identity)?;
                    stores.push(Store { buffer, index: Affine::linear(&identity, &nest.shape, rank), value, reduce: None });
                }
                continue;
            };
            let (inner, reduced) = core(self.graph, root);
            let reduced = reduced.unwrap_or_default();
            let kept: Vec<Affine> = (0..rank).filter(|axis| !reduced.contains(axis)).map(|axis| identity[axis].clone()).collect();
            let index = Affine::linear(&kept, &node.ty.shape, rank);
            let value = body.value(inner, &identity)?;
            stores.push(Store { buffer: self.out(root)?, index, value, reduce: Some(*op) });
        }
        let reduced = nest.reduced.as_deref().unwrap_or_default();
        let role = |axis: usize| if reduced.contains(&axis) { Role::Reduced } else { Role::Parallel };
        let axes = nest.shape.iter().enumerate().map(|(axis, &extent)| Axis { extent, role: role(axis) }).collect();
        let body = body.instrs;
        self.push_loop(Loop { axes, body, stores });
        Ok(())
    }

    /// A loop that writes a node at a place inside of a larger array.
    fn write_part(&mut self, part: NodeId, buffer: BufferId, shape: &[usize], start: &[usize]) -> Lowered {
        let extents = &self.graph.ty(part).shape;
        let rank = extents.len();
        let identity = Affine::identity(rank);
        let members = HashSet::new();
        let mut body = Body::new(self.graph, &self.of, &members, extents);
        let value = body.value(part, &identity)?;
        let place: Vec<Affine> = identity.into_iter().zip(start).map(|(map, &start)| map.shifted(start as i64)).collect();
        let stores = vec![Store { buffer, index: Affine::linear(&place, shape, rank), value, reduce: None }];
        let axes = extents.iter().map(|&extent| Axis { extent, role: Role::Parallel }).collect();
        let body = body.instrs;
        self.push_loop(Loop { axes, body, stores });
        Ok(())
    }

    fn join(&mut self, id: NodeId, node: &Node, axis: usize) -> Lowered {
        let out = self.out(id)?;
        let mut start = vec![0; node.ty.rank()];
        for &part in &node.args {
            self.write_part(part, out, &node.ty.shape, &start)?;
            start[axis] += self.graph.ty(part).shape[axis];
        }
        Ok(())
    }

    /// Zeros on the margins, axis by axis, then the operand inside of them.
    fn pad(&mut self, id: NodeId, node: &Node, before: &[usize]) -> Lowered {
        let out = self.out(id)?;
        let shape = &node.ty.shape;
        let inside = &self.graph.ty(node.args[0]).shape;
        for axis in 0..shape.len() {
            let after = before[axis] + inside[axis];
            for (from, to) in [(0, before[axis]), (after, shape[axis])] {
                let start: Vec<usize> =
                    (0..shape.len()).map(|d| if d < axis { before[d] } else { from * usize::from(d == axis) }).collect();
                let size = |d: usize| match d.cmp(&axis) {
                    Ordering::Less => inside[d],
                    Ordering::Equal => to - from,
                    Ordering::Greater => shape[d],
                };
                let extents: Vec<usize> = (0..shape.len()).map(size).collect();
                if from < to {
                    self.zero_part(node.ty.dtype, out, shape, &start, &extents);
                }
            }
        }
        self.write_part(node.args[0], out, shape, before)
    }

    fn zero_part(&mut self, dtype: DType, buffer: BufferId, shape: &[usize], start: &[usize], extents: &[usize]) {
        let rank = shape.len();
        let place: Vec<Affine> = (0..rank).map(|axis| Affine::axis(axis, rank).shifted(start[axis] as i64)).collect();
        let body = vec![Instr { dtype, kind: InstrKind::Constant(0) }];
        let stores = vec![Store { buffer, index: Affine::linear(&place, shape, rank), value: 0, reduce: None }];
        let axes = extents.iter().map(|&extent| Axis { extent, role: Role::Parallel }).collect();
        self.push_loop(Loop { axes, body, stores });
    }

    fn contract(&mut self, id: NodeId, node: &Node, [a, b, out]: [&Vec<u8>; 3]) -> Lowered {
        let operand = |id: NodeId| {
            let (base, map) = strided(self.graph, id, |id| self.of.contains_key(&id)).ok_or(Failure::MustStore(id))?;
            let offset = usize::try_from(map.offset).map_err(|_| Failure::MustStore(id))?;
            Ok::<_, Failure>((Region { buffer: self.out(base)?, offset }, map.strides))
        };
        let ((x, x_strides), (y, y_strides)) = (operand(node.args[0])?, operand(node.args[1])?);
        let (shape_a, shape_b) = (&self.graph.ty(node.args[0]).shape, &self.graph.ty(node.args[1]).shape);
        let sizes = |label: u8| {
            let axis = a.iter().position(|&l| l == label).map(|axis| shape_a[axis]);
            axis.or_else(|| b.iter().position(|&l| l == label).map(|axis| shape_b[axis])).unwrap_or(1)
        };
        let groups = groups((a, &x_strides), (b, &y_strides), out, sizes);
        self.steps.push(Step::Contract(Contract {
            dtype: node.ty.dtype,
            a: x,
            b: y,
            out: self.out(id)?,
            batch: groups.batch,
            rows: groups.rows,
            columns: groups.columns,
            inner: groups.inner,
        }));
        Ok(())
    }
}
