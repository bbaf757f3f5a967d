//! Nodes of a graph as sums: scalar functions of time, and arrays every element of which is one function of time and of arrays that
//! do not depend on it.

use super::number::Number;
use super::sum::Sum;
use crate::algebra::bijection::dependence::{moved, ravel, reduced, unravel};
use crate::base::op::{BinaryOp, DType, ReduceOp, UnaryOp};
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
    /// `atoms` are not looked into.
    pub fn new(builder: &'b mut Builder, time: NodeId, atoms: &[NodeId]) -> Reader<'b> {
        let known = atoms.iter().map(|&atom| (atom, Some(Sum::atom(atom)))).collect();
        Reader { builder, time, depends: HashMap::new(), known }
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
            Op::Unary(op) => self.read(node.args[0]).and_then(|x| unary(op, &x)),
            Op::Binary(op) => {
                let a = self.read(node.args[0]);
                let b = self.read(node.args[1]);
                a.zip(b).and_then(|(a, b)| binary(op, &a, &b))
            }
            Op::Cast(DType::Real) => self.read(node.args[0]),
            Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Reverse { .. } => {
                let inner = self.read(node.args[0]);
                inner.map(|inner| self.moved(&inner, &node.op))
            }
            _ => None,
        };
        if found.is_none() && !self.depends(id) { Some(Sum::atom(self.builder.cast(id, DType::Real))) } else { found }
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

    /// One element of an array.
    pub fn element(&mut self, id: NodeId, index: &[usize]) -> Option<Sum> {
        if id == self.time {
            return Some(Sum::time());
        }
        let node = self.builder.graph().node(id).clone();
        let shapes: Vec<Vec<usize>> = node.args.iter().map(|arg| self.builder.shape(*arg).to_vec()).collect();
        match &node.op {
            Op::Literal(literal) => Some(Sum::from(*literal.values.get(ravel(index, &literal.shape))?)),
            _ if !self.depends(id) => {
                let stop: Vec<usize> = index.iter().map(|i| i + 1).collect();
                let one = self.builder.slice(id, index, &stop);
                let scalar = self.builder.reshape(one, &[]);
                self.read(scalar)
            }
            Op::Unary(op) => unary(*op, &self.element(node.args[0], index)?),
            Op::Binary(op) => binary(*op, &self.element(node.args[0], index)?, &self.element(node.args[1], index)?),
            Op::Cast(DType::Real) => self.element(node.args[0], index),
            Op::Reshape(shape) => self.element(node.args[0], &unravel(ravel(index, shape), &shapes[0])),
            Op::Broadcast { .. } | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } | Op::Reverse { .. } => {
                match moved(&node.op, index, &shapes[0]) {
                    Some(from) => self.element(node.args[0], &from),
                    None => Some(Sum::zero()),
                }
            }
            Op::Join { axis } => {
                let (mut part, mut from) = (0, index.to_vec());
                while from[*axis] >= shapes[part][*axis] {
                    from[*axis] -= shapes[part][*axis];
                    part += 1;
                }
                self.element(node.args[part], &from)
            }
            Op::Reduce { op: ReduceOp::Sum, axes } => {
                let all = reduced(index, axes, &shapes[0]);
                all.iter().try_fold(Sum::zero(), |sum, from| Some(&sum + &self.element(node.args[0], from)?))
            }
            Op::Contract { a, b, out } => self.contracted(&node.args, [a, b, out], index),
            _ => None,
        }
    }

    /// Σ a b over the labels that are not in `out`.
    fn contracted(&mut self, args: &[NodeId], [a, b, out]: [&[u8]; 3], index: &[usize]) -> Option<Sum> {
        let shape = self.builder.shape(args[0]).to_vec();
        let summed: Vec<(u8, usize)> = a.iter().copied().zip(shape).filter(|(label, _)| !out.contains(label)).collect();
        let sizes: Vec<usize> = summed.iter().map(|(_, size)| *size).collect();
        let mut total = Sum::zero();
        for turn in 0..sizes.iter().product() {
            let turns = unravel(turn, &sizes);
            let position = |label: &u8| match out.iter().position(|own| own == label) {
                Some(axis) => index[axis],
                None => summed.iter().position(|(own, _)| own == label).map_or(0, |axis| turns[axis]),
            };
            let left = self.element(args[0], &a.iter().map(position).collect::<Vec<_>>())?;
            if !left.is_zero() {
                total = &total + &(&left * &self.element(args[1], &b.iter().map(position).collect::<Vec<_>>())?);
            }
        }
        Some(total)
    }
}

fn unary(op: UnaryOp, x: &Sum) -> Option<Sum> {
    use UnaryOp::*;
    let two = Number::from(2);
    Some(match op {
        Neg => -x,
        Exp => Sum::exp(x),
        Expm1 => &Sum::exp(x) - &Sum::one(),
        Log => Sum::log(x),
        Log1p => Sum::log(&(&Sum::one() + x)),
        Sqrt => x.pow(Number::ratio(1, 2)),
        Recip => x.recip(),
        Sin => Sum::sin(x),
        Cos => Sum::cos(x),
        // 1 - 2 / (1 + exp(2 x))
        Tanh => &Sum::one() - &(&Sum::one() + &Sum::exp(&x.scale(two))).recip().scale(two),
        Sigmoid => (&Sum::one() + &Sum::exp(&-x)).recip(),
        Softplus => Sum::log(&(&Sum::one() + &Sum::exp(x))),
        Abs | Sign | Erf | ErfInv | LogGamma | Digamma | Trigamma | Floor | Ceil | Round | Not | IsFinite => return None,
    })
}

fn binary(op: BinaryOp, a: &Sum, b: &Sum) -> Option<Sum> {
    Some(match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a.over(b),
        BinaryOp::Pow => match b.number() {
            Some(power) => a.pow(power),
            None => Sum::exp(&(b * &Sum::log(a))),
        },
        BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Max | BinaryOp::Min | BinaryOp::And | BinaryOp::Or => return None,
    })
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
