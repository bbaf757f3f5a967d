//! Graph -> Kernels: a step for each group of the fusion, operands before users.

use super::affine::{Affine, row_major};
use super::body::{Body, MustStore, contiguous, strided};
use super::contract::{ResultAxis, groups};
use super::fuse::{Fusion, Group, Nest, Root, core, fuse, is_source};
use super::layout::laid_out;
use super::place::place;
use super::{Axis, Buffer, BufferId, Contract, Instr, InstrKind, Kernels, Loop, Place, Region, Role, Step, Store, Triangle};
use crate::base::op::DType;
use crate::base::{Arena, Diagnostic, Span};
use crate::graph::{Graph, Node, NodeId, Op};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Plans a graph. `in_place` lists pairs (input, output) that share a buffer. Nodes that turn out to need a buffer get one in
/// another attempt.
pub fn lower(graph: &Graph, in_place: &[(usize, usize)]) -> Result<Kernels, Diagnostic> {
    let laid = laid_out(graph);
    let (graph, mut forced) = laid.as_ref().map_or((graph, HashSet::new()), |laid| (&laid.graph, laid.copies.clone()));
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
    pub origins: HashMap<BufferId, Span>,
    /// Of the node being lowered
    span: Span,
}

impl<'a> Lowering<'a> {
    fn new(graph: &'a Graph, fusion: &Fusion) -> Lowering<'a> {
        let mut lowering = Lowering {
            graph,
            buffers: Arena::default(),
            of: HashMap::new(),
            steps: vec![],
            origins: HashMap::new(),
            span: Span::default(),
        };
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
            lowering.origins.insert(buffer, node.span);
        }
        // Inputs that nothing reads have a place too: an output may update them
        let number = |buffer: &Buffer| if let Place::Input(number) = buffer.place { Some(number) } else { None };
        let placed: HashSet<usize> = lowering.buffers.values().filter_map(number).collect();
        for (number, input) in graph.inputs.iter().enumerate().filter(|(number, _)| !placed.contains(number)) {
            let place = Place::Input(number);
            lowering.buffers.push(Buffer { dtype: input.ty.dtype, len: input.ty.len(), place });
        }
        lowering
    }

    /// A buffer of no node.
    pub fn buffer(&mut self, dtype: DType, len: usize) -> BufferId {
        let buffer = self.buffers.push(Buffer { dtype, len, place: Place::Arena(0) });
        self.origins.insert(buffer, self.span);
        buffer
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
                Group::Nest(nest) => {
                    self.span = nest.roots.first().map_or(self.span, |root| self.graph.node(root.node()).span);
                    self.nest(nest)
                }
                Group::Single(id) => {
                    self.span = self.graph.node(*id).span;
                    self.single(*id)
                }
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
        let whole = |root: &Root| match root {
            Root::Node(id) => Some(*id),
            Root::Part { .. } => None,
        };
        let members: HashSet<NodeId> = nest.roots.iter().filter_map(whole).collect();
        let mut body = Body::new(self.graph, &self.of, &members, &nest.shape);
        let mut stores = vec![];
        for root in &nest.roots {
            stores.extend(match root {
                Root::Node(id) => self.store(*id, &mut body, &nest.shape)?,
                Root::Part { join, part, start } => Some(self.store_part(*join, *part, start, &mut body)?),
            });
        }
        let reduced = nest.reduced.as_deref().unwrap_or_default();
        let role = |axis: usize| if reduced.contains(&axis) { Role::Reduced } else { Role::Parallel };
        let axes = nest.shape.iter().enumerate().map(|(axis, &extent)| Axis { extent, role: role(axis) }).collect();
        let body = body.instrs;
        self.push_loop(Loop { axes, body, stores });
        Ok(())
    }

    /// Writes what a loop over `shape` computes for a root, if anybody reads it.
    fn store(&self, root: NodeId, body: &mut Body, shape: &[usize]) -> Result<Option<Store>, Failure> {
        let rank = shape.len();
        let identity = Affine::identity(rank);
        let node = self.graph.node(root);
        let (inner, reduced) = core(self.graph, root);
        let Op::Reduce { op, .. } = &node.op else {
            let Some(&buffer) = self.of.get(&root) else { return Ok(None) };
            let value = body.value(inner, &identity)?;
            return Ok(Some(Store { buffer, index: Affine::linear(&identity, shape, rank), value, reduce: None }));
        };
        let reduced = reduced.unwrap_or_default();
        let kept: Vec<Affine> = (0..rank).filter(|axis| !reduced.contains(axis)).map(|axis| identity[axis].clone()).collect();
        let index = Affine::linear(&kept, &node.ty.shape, rank);
        let value = body.value(inner, &identity)?;
        Ok(Some(Store { buffer: self.out(root)?, index, value, reduce: Some(*op) }))
    }

    /// Writes a node at a place inside of a larger array.
    fn store_part(&self, whole: NodeId, part: NodeId, start: &[usize], body: &mut Body) -> Result<Store, Failure> {
        let rank = start.len();
        let identity = Affine::identity(rank);
        let value = body.value(part, &identity)?;
        let place: Vec<Affine> = identity.into_iter().zip(start).map(|(map, &start)| map.shifted(start as i64)).collect();
        Ok(Store { buffer: self.out(whole)?, index: Affine::linear(&place, &self.graph.ty(whole).shape, rank), value, reduce: None })
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
        let members = HashSet::new();
        let mut body = Body::new(self.graph, &self.of, &members, inside);
        let stores = vec![self.store_part(id, node.args[0], before, &mut body)?];
        let axes = inside.iter().map(|&extent| Axis { extent, role: Role::Parallel }).collect();
        let body = body.instrs;
        self.push_loop(Loop { axes, body, stores });
        Ok(())
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
        let steps = row_major(&node.ty.shape);
        let sides = [(a, (ResultAxis::Rows, groups.rows)), (b, (ResultAxis::Columns, groups.columns))];
        let triangle = sides.iter().zip(&node.args).find_map(|((labels, lines), operand)| {
            let [terms] = groups.inner[..] else { return None };
            let stride = |axis: usize| out.iter().position(|label| *label == labels[axis]).map(|place| steps[place]);
            Triangle::of(self.graph, *operand, *lines, terms.size, stride)
        });
        let contract = Contract {
            dtype: node.ty.dtype,
            a: x,
            b: y,
            out: self.out(id)?,
            batch: groups.batch,
            rows: groups.rows,
            columns: groups.columns,
            inner: groups.inner,
            triangle,
        };
        let (contract, sum) = contract.chunked(node.ty.len(), |len| self.buffer(node.ty.dtype, len));
        self.steps.push(Step::Contract(contract));
        sum.into_iter().for_each(|sum| self.push_loop(sum));
        Ok(())
    }
}
