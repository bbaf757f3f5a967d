//! The scalar body of a loop: the tree of a root node down to stored nodes, with views folded into index maps.

use super::affine::{Affine, row_major};
use super::{BufferId, Instr, InstrKind, ValueId};
use crate::base::op::DType;
use crate::graph::{Graph, Node, NodeId, Op};
use std::collections::{HashMap, HashSet};

/// Builds the body of one loop.
pub struct Body<'a> {
    pub graph: &'a Graph,
    /// The buffers of stored nodes
    pub buffers: &'a HashMap<NodeId, BufferId>,
    /// Nodes that this loop computes itself at the identity index
    pub members: &'a HashSet<NodeId>,
    /// Extents of the axes
    pub extents: &'a [usize],
    pub instrs: Vec<Instr>,
    shared: HashMap<Instr, ValueId>,
    values: HashMap<(NodeId, Vec<Affine>), ValueId>,
}

/// A node that cannot be part of the body, since its index map is not affine: it must be stored.
#[derive(Debug)]
pub struct MustStore(pub NodeId);

impl<'a> Body<'a> {
    pub fn new(graph: &'a Graph, buffers: &'a HashMap<NodeId, BufferId>, members: &'a HashSet<NodeId>, extents: &'a [usize]) -> Body<'a> {
        Body { graph, buffers, members, extents, instrs: vec![], shared: HashMap::new(), values: HashMap::new() }
    }

    fn push(&mut self, dtype: DType, kind: InstrKind) -> ValueId {
        let instr = Instr { dtype, kind };
        let next = self.instrs.len();
        let id = *self.shared.entry(instr.clone()).or_insert(next);
        if id == next {
            self.instrs.push(instr);
        }
        id
    }

    /// The value of a node at an index, one map for each of its axes.
    pub fn value(&mut self, id: NodeId, index: &[Affine]) -> Result<ValueId, MustStore> {
        if let Some(&value) = self.values.get(&(id, index.to_vec())) {
            return Ok(value);
        }
        let value = match self.buffers.get(&id) {
            Some(&buffer) if !(self.members.contains(&id) && index == Affine::identity(self.extents.len())) => {
                let node = self.graph.node(id);
                let index = Affine::linear(index, &node.ty.shape, self.extents.len());
                self.push(node.ty.dtype, InstrKind::Load { buffer, index })
            }
            _ => self.computed(id, index)?,
        };
        self.values.insert((id, index.to_vec()), value);
        Ok(value)
    }

    /// The value of a node from those of its operands, whether or not it is stored too.
    pub fn computed(&mut self, id: NodeId, index: &[Affine]) -> Result<ValueId, MustStore> {
        let graph = self.graph;
        let node = graph.node(id);
        let dtype = node.ty.dtype;
        let args = &node.args;
        let kind = match &node.op {
            Op::Fill { bits, .. } => InstrKind::Constant(*bits),
            Op::Literal(literal) => InstrKind::Constant(literal.values.first().copied().unwrap_or(0.0).to_bits()),
            Op::Iota(_) => InstrKind::Index(index[0].clone()),
            Op::Unary(op) => InstrKind::Unary(*op, self.value(args[0], index)?),
            Op::Binary(op) => InstrKind::Binary(*op, self.value(args[0], index)?, self.value(args[1], index)?),
            Op::Compare(op) => InstrKind::Compare(*op, self.value(args[0], index)?, self.value(args[1], index)?),
            Op::Select => {
                let condition = self.value(args[0], index)?;
                InstrKind::Select(condition, self.value(args[1], index)?, self.value(args[2], index)?)
            }
            Op::Cast(_) => InstrKind::Cast(self.value(args[0], index)?),
            Op::Reshape(_) => return self.reshaped(node, index),
            _ => {
                let index = viewed(graph, node, index, self.extents.len()).ok_or(MustStore(id))?;
                return self.value(args[0], &index);
            }
        };
        Ok(self.push(dtype, kind))
    }

    /// Reads the operand of a reshape: at the same row-major position if it is stored, else along its own axes.
    fn reshaped(&mut self, node: &Node, index: &[Affine]) -> Result<ValueId, MustStore> {
        let operand = node.args[0];
        let position = Affine::linear(index, &node.ty.shape, self.extents.len());
        if let Some(&buffer) = self.buffers.get(&operand)
            && !self.members.contains(&operand)
        {
            return Ok(self.push(node.ty.dtype, InstrKind::Load { buffer, index: position }));
        }
        let places = unflattened(position, &self.graph.ty(operand).shape, self.extents).ok_or(MustStore(operand))?;
        self.value(operand, &places)
    }
}

/// The index at which a view reads its operand. None for operations that are no views.
pub fn viewed(graph: &Graph, node: &Node, index: &[Affine], axes: usize) -> Option<Vec<Affine>> {
    let shape = node.args.first().map(|&arg| &graph.ty(arg).shape)?;
    Some(match &node.op {
        Op::Broadcast { axes, .. } => axes.iter().map(|&axis| index[axis].clone()).collect(),
        Op::Transpose(perm) => {
            let mut result = vec![Affine::constant(0, axes); index.len()];
            perm.iter().zip(index).for_each(|(&axis, map)| result[axis] = map.clone());
            result
        }
        Op::Slice { start, .. } => index.iter().zip(start).map(|(map, &start)| map.clone().shifted(start as i64)).collect(),
        Op::Reverse { axes } => (0..index.len())
            .map(|axis| match axes.contains(&axis) {
                true => index[axis].clone().scaled(-1).shifted(shape[axis] as i64 - 1),
                false => index[axis].clone(),
            })
            .collect(),
        Op::Stop => index.to_vec(),
        _ => return None,
    })
}

/// Where the elements of a view stand among those of a node that `is_stored`: an offset and one stride for each axis.
/// None where that is not affine or the view is of nothing stored.
pub fn strided(graph: &Graph, id: NodeId, is_stored: impl Fn(NodeId) -> bool) -> Option<(NodeId, Affine)> {
    let shape = &graph.ty(id).shape;
    let rank = shape.len();
    let mut index = Affine::identity(rank);
    let mut at = id;
    loop {
        let node = graph.node(at);
        if is_stored(at) {
            return Some((at, Affine::linear(&index, &node.ty.shape, rank)));
        }
        index = match &node.op {
            Op::Reshape(_) => {
                let position = Affine::linear(&index, &node.ty.shape, rank);
                if is_stored(node.args[0]) {
                    return Some((node.args[0], position));
                }
                unflattened(position, &graph.ty(node.args[0]).shape, shape)?
            }
            _ => viewed(graph, node, &index, rank)?,
        };
        at = node.args[0];
    }
}

/// As [`strided`], where the elements stand one after another; the offset of the first.
pub fn contiguous(graph: &Graph, id: NodeId, is_stored: impl Fn(NodeId) -> bool) -> Option<(NodeId, usize)> {
    let (node, map) = strided(graph, id, is_stored)?;
    let shape = &graph.ty(id).shape;
    let dense = row_major(shape).iter().zip(&map.strides).zip(shape).all(|((a, b), &size)| a == b || size <= 1);
    (dense && map.offset >= 0).then_some((node, map.offset as usize))
}

/// The index in an array of that shape of a row-major position, where it is affine over axes of those extents.
fn unflattened(mut position: Affine, shape: &[usize], extents: &[usize]) -> Option<Vec<Affine>> {
    let mut places = vec![Affine::constant(0, extents.len()); shape.len()];
    for axis in (1..shape.len()).rev() {
        let (quotient, remainder) = position.divide(shape[axis].max(1), extents)?;
        places[axis] = remainder;
        position = quotient;
    }
    if let Some(first) = places.first_mut() {
        *first = position;
    }
    Some(places)
}
