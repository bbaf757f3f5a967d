//! Nodes of a graph as sums: scalar functions of time, and arrays every element of which is one function of time and of arrays that
//! do not depend on it.

use super::number::Number;
use super::sum::Sum;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::graph::{Builder, NodeId, Op};
use std::collections::HashMap;

/// Reads nodes as functions of one scalar node.
pub struct Reader<'b> {
    builder: &'b mut Builder,
    time: NodeId,
    depends: HashMap<NodeId, bool>,
    known: HashMap<NodeId, Option<Sum>>,
}

impl<'b> Reader<'b> {
    pub fn new(builder: &'b mut Builder, time: NodeId) -> Reader<'b> {
        Reader { builder, time, depends: HashMap::new(), known: HashMap::new() }
    }

    /// `None` where the node depends on time through an operation that is not elementary. Atoms are scalars or have the
    /// shape of the node.
    pub fn read(&mut self, node: NodeId) -> Option<Sum> {
        if let Some(known) = self.known.get(&node) {
            return known.clone();
        }
        let sum = self.compute(node);
        self.known.insert(node, sum.clone());
        sum
    }

    fn depends(&mut self, node: NodeId) -> bool {
        if let Some(&known) = self.depends.get(&node) {
            return known;
        }
        let args = self.builder.graph().node(node).args.clone();
        let depends = node == self.time || args.into_iter().any(|arg| self.depends(arg));
        self.depends.insert(node, depends);
        depends
    }

    fn compute(&mut self, id: NodeId) -> Option<Sum> {
        if id == self.time {
            return Some(Sum::time());
        }
        let node = self.builder.graph().node(id).clone();
        let found = match node.op {
            Op::Fill { bits, dtype: DType::Real | DType::Int, .. } => Some(Sum::from(f64::from_bits(bits))),
            Op::Unary(op) => self.unary(op, node.args[0]),
            Op::Binary(op) => self.binary(op, node.args[0], node.args[1]),
            Op::Cast(DType::Real) => self.read(node.args[0]),
            Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Reverse { .. } => {
                let inner = self.read(node.args[0]);
                inner.map(|inner| self.moved(&inner, &node.op))
            }
            _ => None,
        };
        if found.is_none() && !self.depends(id) { Some(Sum::atom(id)) } else { found }
    }

    /// What rearranges elements rearranges those of atoms.
    fn moved(&mut self, sum: &Sum, op: &Op) -> Sum {
        let mut atoms = HashMap::new();
        collect_atoms(sum, &mut |atom| {
            let to = if self.builder.shape(atom).is_empty() { atom } else { self.builder.push(op.clone(), &[atom]) };
            atoms.insert(atom, to);
        });
        sum.replace(&|base| match base {
            super::sum::Base::Atom(atom) => atoms.get(atom).map(|to| Sum::atom(*to)),
            super::sum::Base::Variable(_) | super::sum::Base::Apply(..) | super::sum::Base::Sum(_) => None,
        })
    }

    fn unary(&mut self, op: UnaryOp, x: NodeId) -> Option<Sum> {
        use UnaryOp::*;
        let x = self.read(x)?;
        let two = Number::from(2);
        Some(match op {
            Neg => -&x,
            Exp => Sum::exp(&x),
            Expm1 => &Sum::exp(&x) - &Sum::one(),
            Log => Sum::log(&x),
            Log1p => Sum::log(&(&Sum::one() + &x)),
            Sqrt => x.pow(Number::ratio(1, 2)),
            Recip => x.recip(),
            Sin => Sum::sin(&x),
            Cos => Sum::cos(&x),
            // 1 - 2 / (1 + exp(2 x))
            Tanh => &Sum::one() - &(&Sum::one() + &Sum::exp(&x.scale(two))).recip().scale(two),
            Sigmoid => (&Sum::one() + &Sum::exp(&-&x)).recip(),
            Softplus => Sum::log(&(&Sum::one() + &Sum::exp(&x))),
            Abs | Sign | Erf | ErfInv | LogGamma | Digamma | Trigamma | Floor | Ceil | Round | Not | IsFinite => return None,
        })
    }

    fn binary(&mut self, op: BinaryOp, a: NodeId, b: NodeId) -> Option<Sum> {
        let (a, b) = (self.read(a)?, self.read(b)?);
        Some(match op {
            BinaryOp::Add => &a + &b,
            BinaryOp::Sub => &a - &b,
            BinaryOp::Mul => &a * &b,
            BinaryOp::Div => a.over(&b),
            BinaryOp::Pow => match b.number() {
                Some(power) => a.pow(power),
                None => Sum::exp(&(&b * &Sum::log(&a))),
            },
            BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Max | BinaryOp::Min | BinaryOp::And | BinaryOp::Or => return None,
        })
    }
}

/// Calls a function with each atom.
pub fn collect_atoms(sum: &Sum, f: &mut dyn FnMut(NodeId)) {
    use super::sum::Base;
    for base in sum.terms().flat_map(|(factors, _)| factors.keys()) {
        match base {
            Base::Atom(atom) => f(*atom),
            Base::Variable(_) => {}
            Base::Apply(_, inner) => collect_atoms(inner, f),
            Base::Sum(inner) => collect_atoms(inner, f),
        }
    }
}
