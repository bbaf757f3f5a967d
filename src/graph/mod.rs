//! The tensor language: pure, statically shaped, hash-consed. Operands stand before their users.
//!
//! A graph is a list of nodes; a node applies one [`Op`] to earlier nodes. A node has one result, except `Scan`, `While` and
//! `Cond`, whose results are read by `Project` only. Sub-graphs are closed: they see their own inputs and nothing else.
//! Evaluation order is free: operations have no effects, and random numbers are functions of their operands.
//!
//! - [`builder`]: the only way to make nodes; infers types, shares equal nodes
//! - [`mod@verify`]: judges a whole graph
//! - [`mod@print`], [`mod@parse`]: a text form, `%3 = add %1 %2 : Real[4]`
//! - [`mod@interpret`]: the definition of every operation, in f64

use crate::base::op::DType;
use crate::base::{Code, Diagnostic, Span};
use std::fmt;
use std::hash::{Hash, Hasher};

pub mod builder;
pub mod infer;
pub mod interpret;
pub mod op;
pub mod parse;
pub mod print;
#[doc(hidden)]
pub mod random;
pub mod verify;

pub use builder::Builder;
pub use interpret::{Value, interpret};
pub use op::{Literal, Op};
pub use parse::parse;
pub use print::{print, print_brief};
pub use verify::verify;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    pub dtype: DType,
    pub shape: Vec<usize>,
}

impl TensorType {
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> TensorType {
        TensorType { dtype, shape: shape.into() }
    }

    pub fn real(shape: impl Into<Vec<usize>>) -> TensorType {
        TensorType::new(DType::Real, shape)
    }

    pub fn int(shape: impl Into<Vec<usize>>) -> TensorType {
        TensorType::new(DType::Int, shape)
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `OutOfRange` where no memory could hold it: elements of larger arrays cannot even be counted.
    pub fn check_size(&self) -> Result<(), Diagnostic> {
        let bytes = self.shape.iter().try_fold(size_of::<f64>(), |bytes, &size| bytes.checked_mul(size.max(1)));
        match bytes.map(isize::try_from) {
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(Diagnostic::new(Code::OutOfRange, format!("an array {self} is larger than any memory"))),
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dtype)?;
        if !self.shape.is_empty() {
            write!(f, "{:?}", self.shape)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub args: Vec<NodeId>,
    /// The type of the result. For `Scan`, `While`, `Cond` the types of all results stand in `results`, and this is the first of them
    pub ty: TensorType,
    /// Only for `Scan`, `While`, `Cond`
    pub results: Vec<TensorType>,
    /// The source expression this came from
    pub span: Span,
}

impl Node {
    /// Whether it applies that operation to those operands, or in a contraction to the same ones the other way round.
    pub fn is(&self, op: &Op, args: &[NodeId]) -> bool {
        self.args == args && self.op == *op || Contraction::of(op, args).is_some_and(|it| Contraction::of(&self.op, &self.args) == Some(it))
    }
}

/// The one form of a contraction, whose operands may be exchanged and whose labels may have any names: the older operand first, labels
/// numbered as they occur.
#[derive(PartialEq, Eq, Hash)]
struct Contraction {
    args: [NodeId; 2],
    labels: [Vec<usize>; 3],
}

impl Contraction {
    fn of(op: &Op, args: &[NodeId]) -> Option<Contraction> {
        let (Op::Contract { a, b, out }, &[x, y]) = (op, args) else { return None };
        let (args, [a, b]) = if x <= y { ([x, y], [a, b]) } else { ([y, x], [b, a]) };
        let all: Vec<u8> = a.iter().chain(b).copied().collect();
        let numbered = |labels: &Vec<u8>| labels.iter().filter_map(|label| all.iter().position(|other| other == label)).collect();
        Some(Contraction { args, labels: [numbered(a), numbered(b), numbered(out)] })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GraphInput {
    pub name: String,
    pub ty: TensorType,
}

/// Equality and hash are structural over nodes, without spans: used to share equal sub-graphs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub inputs: Vec<GraphInput>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<NodeId>,
}

impl Graph {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub fn ty(&self, id: NodeId) -> &TensorType {
        &self.nodes[id.index()].ty
    }

    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Elements of the largest array that is computed, sub-graphs included.
    pub fn largest(&self) -> usize {
        let of = |node: &Node| match node.op {
            Op::Input(_) => 0,
            _ => node.op.subgraphs().iter().map(|(_, inner)| inner.largest()).chain([node.ty.len()]).max().unwrap_or(0),
        };
        self.nodes.iter().map(of).max().unwrap_or(0)
    }

    pub fn output_types(&self) -> Vec<TensorType> {
        self.outputs.iter().map(|&id| self.ty(id).clone()).collect()
    }
}

impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.inputs == other.inputs
            && self.outputs == other.outputs
            && self.nodes.len() == other.nodes.len()
            && self.nodes.iter().zip(&other.nodes).all(|(a, b)| a.op == b.op && a.args == b.args && a.ty == b.ty)
    }
}
impl Eq for Graph {}
impl Hash for Graph {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inputs.hash(state);
        self.outputs.hash(state);
        for node in &self.nodes {
            node.op.hash(state);
            node.args.hash(state);
        }
    }
}
