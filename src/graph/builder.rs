//! The only way to make nodes: infers types, shares equal nodes, remembers the first mistake instead of failing at each call,
//! so that rules read as equations. [`Builder::finish`] hands the mistake out.

use super::infer::infer;
use super::{Contraction, Graph, GraphInput, Literal, Node, NodeId, Op, TensorType};
use crate::base::op::{BinaryOp, CompareOp, DType, RandomKind, ReduceOp, UnaryOp};
use crate::base::{Diagnostic, Span};
use rustc_hash::FxBuildHasher;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    /// Nodes by the hash of operation and operands, or by the next number that is free
    shared: HashMap<u64, NodeId, FxBuildHasher>,
    error: Option<Diagnostic>,
    /// The source expression to which new nodes belong
    pub span: Span,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// What has been built so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn ty(&self, id: NodeId) -> &TensorType {
        self.graph.ty(id)
    }

    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.graph.ty(id).shape
    }

    pub fn input(&mut self, name: impl Into<String>, ty: TensorType) -> NodeId {
        self.graph.inputs.push(GraphInput { name: name.into(), ty: ty.clone() });
        let number = self.graph.inputs.len() - 1;
        let op = Op::Input(number);
        self.append(self.key(&op, &[]), op, vec![], vec![ty])
    }

    /// One node, or the equal one that exists. A type error is remembered and answered by a zero of some type.
    pub fn push(&mut self, op: Op, args: &[NodeId]) -> NodeId {
        let key = self.key(&op, args);
        if let Some(&id) = self.shared.get(&key) {
            return id;
        }
        let types = match &op {
            Op::Project(i) => self.projected(*i, args),
            _ => infer(&op, &args.iter().map(|&a| self.graph.ty(a)).collect::<Vec<_>>()),
        };
        match types {
            Ok(types) => {
                // The types are right: what is built on them goes on as if there were memory.
                if let Err(error) = types.iter().try_for_each(TensorType::check_size) {
                    self.error.get_or_insert(error.at(self.span));
                }
                self.append(key, op, args.to_vec(), types)
            }
            Err(message) => {
                let name = format!("{op:?}");
                let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
                let error = Diagnostic::internal(format!("{name}: {message}")).at(self.span);
                self.error.get_or_insert(error);
                self.real(0.0)
            }
        }
    }

    /// A node equal to `x` that is shared with no other: a variable with respect to which to differentiate, told apart from
    /// whatever else happens to have the same value.
    pub fn distinct(&mut self, x: NodeId) -> NodeId {
        let ty = self.ty(x).clone();
        let op = Op::Reshape(ty.shape.clone());
        self.append(self.key(&op, &[x]), op, vec![x], vec![ty])
    }

    fn append(&mut self, key: u64, op: Op, args: Vec<NodeId>, types: Vec<TensorType>) -> NodeId {
        let id = NodeId(self.graph.nodes.len() as u32);
        let ty = types.first().cloned().unwrap_or(TensorType::real([]));
        let control = op.is_control();
        self.shared.insert(key, id);
        self.graph.nodes.push(Node { op, args, ty, results: if control { types } else { vec![] }, span: self.span });
        id
    }

    /// Where a node stands or would stand in `shared`.
    fn key(&self, op: &Op, args: &[NodeId]) -> u64 {
        let mut key = match Contraction::of(op, args) {
            Some(contraction) => FxBuildHasher.hash_one(contraction),
            None => FxBuildHasher.hash_one((op, args)),
        };
        while self.shared.get(&key).is_some_and(|&id| !self.graph.node(id).is(op, args)) {
            key = key.wrapping_add(1);
        }
        key
    }

    fn projected(&self, index: usize, args: &[NodeId]) -> Result<Vec<TensorType>, String> {
        let results = args.first().map(|&a| &self.graph.node(a).results[..]).unwrap_or_default();
        results.get(index).map(|ty| vec![ty.clone()]).ok_or_else(|| format!("no result {index}"))
    }

    /// Ends the graph. The error is the first mistake that was made on the way.
    pub fn finish(mut self, outputs: &[NodeId]) -> Result<Graph, Diagnostic> {
        match self.error {
            Some(error) => Err(error),
            None => {
                self.graph.outputs = outputs.to_vec();
                Ok(self.graph)
            }
        }
    }

    // Constants

    pub fn fill(&mut self, value: f64, dtype: DType, shape: &[usize]) -> NodeId {
        self.push(Op::Fill { bits: value.to_bits(), dtype, shape: shape.to_vec() }, &[])
    }

    pub fn real(&mut self, value: f64) -> NodeId {
        self.fill(value, DType::Real, &[])
    }

    pub fn int(&mut self, value: i64) -> NodeId {
        self.fill(value as f64, DType::Int, &[])
    }

    pub fn bool(&mut self, value: bool) -> NodeId {
        self.fill(f64::from(u8::from(value)), DType::Bool, &[])
    }

    /// The value filled over the type and shape of another node.
    pub fn fill_like(&mut self, value: f64, like: NodeId) -> NodeId {
        let TensorType { dtype, shape } = self.ty(like).clone();
        self.fill(value, dtype, &shape)
    }

    pub fn literal(&mut self, dtype: DType, shape: &[usize], values: &[f64]) -> NodeId {
        self.push(Op::Literal(Literal { dtype, shape: shape.to_vec(), values: values.into() }), &[])
    }

    pub fn iota(&mut self, n: usize) -> NodeId {
        self.push(Op::Iota(n), &[])
    }

    // Elementwise

    pub fn unary(&mut self, op: UnaryOp, x: NodeId) -> NodeId {
        self.push(Op::Unary(op), &[x])
    }

    pub fn binary(&mut self, op: BinaryOp, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(op), &[a, b])
    }

    pub fn compare(&mut self, op: CompareOp, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Compare(op), &[a, b])
    }

    pub fn neg(&mut self, x: NodeId) -> NodeId {
        self.unary(UnaryOp::Neg, x)
    }

    pub fn exp(&mut self, x: NodeId) -> NodeId {
        self.unary(UnaryOp::Exp, x)
    }

    pub fn log(&mut self, x: NodeId) -> NodeId {
        self.unary(UnaryOp::Log, x)
    }

    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(BinaryOp::Add, a, b)
    }

    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(BinaryOp::Sub, a, b)
    }

    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(BinaryOp::Mul, a, b)
    }

    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(BinaryOp::Div, a, b)
    }

    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Select, &[condition, a, b])
    }

    pub fn cast(&mut self, x: NodeId, dtype: DType) -> NodeId {
        if self.ty(x).dtype == dtype { x } else { self.push(Op::Cast(dtype), &[x]) }
    }

    // Shapes

    /// Places axis i of `x` at `axes[i]` of `shape`; the same node where nothing repeats.
    pub fn broadcast(&mut self, x: NodeId, shape: &[usize], axes: &[usize]) -> NodeId {
        if self.shape(x) == shape {
            return x;
        }
        self.push(Op::Broadcast { shape: shape.to_vec(), axes: axes.to_vec() }, &[x])
    }

    /// A scalar repeated over a shape.
    pub fn spread(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        self.broadcast(x, shape, &[])
    }

    pub fn reshape(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        if self.shape(x) == shape { x } else { self.push(Op::Reshape(shape.to_vec()), &[x]) }
    }

    pub fn transpose(&mut self, x: NodeId, perm: &[usize]) -> NodeId {
        if perm.iter().copied().eq(0..perm.len()) { x } else { self.push(Op::Transpose(perm.to_vec()), &[x]) }
    }

    pub fn slice(&mut self, x: NodeId, start: &[usize], stop: &[usize]) -> NodeId {
        if start.iter().all(|&s| s == 0) && self.shape(x) == stop {
            return x;
        }
        self.push(Op::Slice { start: start.to_vec(), stop: stop.to_vec() }, &[x])
    }

    /// `from..to` of one axis, all of the others.
    pub fn slice_axis(&mut self, x: NodeId, axis: usize, from: usize, to: usize) -> NodeId {
        let mut stop = self.shape(x).to_vec();
        let mut start = vec![0; stop.len()];
        (start[axis], stop[axis]) = (from, to);
        self.slice(x, &start, &stop)
    }

    pub fn pad(&mut self, x: NodeId, before: &[usize], after: &[usize]) -> NodeId {
        if before.iter().chain(after).all(|&n| n == 0) {
            return x;
        }
        self.push(Op::Pad { before: before.to_vec(), after: after.to_vec() }, &[x])
    }

    pub fn join(&mut self, parts: &[NodeId], axis: usize) -> NodeId {
        if let [one] = parts { *one } else { self.push(Op::Join { axis }, parts) }
    }

    pub fn reverse(&mut self, x: NodeId, axes: &[usize]) -> NodeId {
        self.push(Op::Reverse { axes: axes.to_vec() }, &[x])
    }

    // Reductions, contractions, indexing

    pub fn reduce(&mut self, op: ReduceOp, x: NodeId, axes: &[usize]) -> NodeId {
        if axes.is_empty() { x } else { self.push(Op::Reduce { op, axes: axes.to_vec() }, &[x]) }
    }

    pub fn sum(&mut self, x: NodeId, axes: &[usize]) -> NodeId {
        self.reduce(ReduceOp::Sum, x, axes)
    }

    pub fn contract(&mut self, x: NodeId, y: NodeId, a: &[u8], b: &[u8], out: &[u8]) -> NodeId {
        self.push(Op::Contract { a: a.to_vec(), b: b.to_vec(), out: out.to_vec() }, &[x, y])
    }

    pub fn gather(&mut self, x: NodeId, index: NodeId, batch: usize) -> NodeId {
        self.push(Op::Gather { batch }, &[x, index])
    }

    pub fn scatter_add(&mut self, index: NodeId, y: NodeId, batch: usize, size: usize) -> NodeId {
        self.push(Op::ScatterAdd { batch, size }, &[index, y])
    }

    /// Keys: seed, step, turn, rows; see [`Op::Random`].
    pub fn random(&mut self, kind: RandomKind, site: u32, keys: [NodeId; 4], shape: &[usize]) -> NodeId {
        self.push(Op::Random { kind, site, shape: shape.to_vec() }, &keys)
    }

    pub fn stop(&mut self, x: NodeId) -> NodeId {
        self.push(Op::Stop, &[x])
    }

    // Control

    /// All results of a control node.
    fn results(&mut self, id: NodeId) -> Vec<NodeId> {
        let count = self.graph.node(id).results.len();
        (0..count).map(|i| self.push(Op::Project(i), &[id])).collect()
    }

    pub fn scan(
        &mut self,
        body: Graph,
        carries: &[NodeId],
        sequences: &[NodeId],
        constants: &[NodeId],
        length: usize,
        reverse: bool,
    ) -> Vec<NodeId> {
        let args = [carries, sequences, constants].concat();
        let op = Op::Scan { body: Arc::new(body), carries: carries.len(), sequences: sequences.len(), length, reverse };
        let id = self.push(op, &args);
        self.results(id)
    }

    pub fn while_loop(&mut self, condition: Graph, body: Graph, carries: &[NodeId], constants: &[NodeId]) -> Vec<NodeId> {
        let args = [carries, constants].concat();
        let op = Op::While { condition: Arc::new(condition), body: Arc::new(body), carries: carries.len() };
        let id = self.push(op, &args);
        self.results(id)
    }

    pub fn cond(&mut self, condition: NodeId, then: Graph, otherwise: Graph, operands: &[NodeId]) -> Vec<NodeId> {
        let args = [&[condition], operands].concat();
        let id = self.push(Op::Cond { then: Arc::new(then), otherwise: Arc::new(otherwise) }, &args);
        self.results(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Code;

    #[test]
    fn an_array_larger_than_any_memory_is_refused() {
        let mut b = Builder::new();
        let x = b.fill(1.0, DType::Real, &[1 << 40, 1 << 40]);
        let sum = b.sum(x, &[0, 1]);
        assert_eq!(b.finish(&[sum]).map_err(|problem| problem.code), Err(Code::OutOfRange));
    }
}
