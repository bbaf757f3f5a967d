//! Nodes with overloaded operators, so that a rule of the table reads as the equation it is.

use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use crate::graph::{Builder, NodeId, Op, TensorType};
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A node of a graph under construction.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    builder: &'a RefCell<Builder>,
    pub id: NodeId,
}

/// Runs `f` with the builder behind a cell that [`Term`]s can share.
pub fn with_terms<R>(b: &mut Builder, f: impl FnOnce(&RefCell<Builder>) -> R) -> R {
    let cell = RefCell::new(std::mem::take(b));
    let result = f(&cell);
    *b = cell.into_inner();
    result
}

impl<'a> Term<'a> {
    pub fn new(builder: &'a RefCell<Builder>, id: NodeId) -> Term<'a> {
        Term { builder, id }
    }

    pub fn builder(self) -> &'a RefCell<Builder> {
        self.builder
    }

    /// A node made by the builder, among the others.
    pub fn make(self, f: impl FnOnce(&mut Builder) -> NodeId) -> Term<'a> {
        let id = f(&mut self.builder.borrow_mut());
        Term { builder: self.builder, id }
    }

    pub fn ty(self) -> TensorType {
        self.builder.borrow().ty(self.id).clone()
    }

    pub fn shape(self) -> Vec<usize> {
        self.ty().shape
    }

    pub fn rank(self) -> usize {
        self.builder.borrow().shape(self.id).len()
    }

    /// The operation applied to this node alone.
    pub fn apply(self, op: Op) -> Term<'a> {
        self.make(|b| b.push(op, &[self.id]))
    }

    pub fn unary(self, op: UnaryOp) -> Term<'a> {
        self.apply(Op::Unary(op))
    }

    pub fn binary(self, op: BinaryOp, other: Term<'a>) -> Term<'a> {
        self.make(|b| b.binary(op, self.id, other.id))
    }

    pub fn compare(self, op: CompareOp, other: Term<'a>) -> Term<'a> {
        self.make(|b| b.compare(op, self.id, other.id))
    }

    /// The number in every place of this node's type.
    pub fn number(self, value: f64) -> Term<'a> {
        self.make(|b| b.fill_like(value, self.id))
    }

    pub fn zeros(self) -> Term<'a> {
        self.number(0.0)
    }

    /// `self` is a condition.
    pub fn select(self, yes: Term<'a>, no: Term<'a>) -> Term<'a> {
        self.make(|b| b.select(self.id, yes.id, no.id))
    }

    /// This node where the condition holds, 0 elsewhere: nothing that is not chosen leaks, not even NaN.
    pub fn only_where(self, condition: Term<'a>) -> Term<'a> {
        condition.select(self, self.zeros())
    }

    /// This node where the condition does not hold, 0 elsewhere.
    pub fn except_where(self, condition: Term<'a>) -> Term<'a> {
        condition.select(self.zeros(), self)
    }

    /// Takes apart what [`Term::only_where`] (true) or [`Term::except_where`] (false) made: condition, value, which.
    pub fn masked(self) -> Option<(Term<'a>, Term<'a>, bool)> {
        let b = self.builder.borrow();
        let node = b.graph().node(self.id);
        let [condition, yes, no] = node.args[..] else { return None };
        let zero = |id| matches!(b.graph().node(id).op, Op::Fill { bits: 0, .. });
        let term = |id| Term::new(self.builder, id);
        match node.op {
            Op::Select if zero(no) => Some((term(condition), term(yes), true)),
            Op::Select if zero(yes) => Some((term(condition), term(no), false)),
            _ => None,
        }
    }

    pub fn exp(self) -> Term<'a> {
        self.unary(UnaryOp::Exp)
    }

    pub fn log(self) -> Term<'a> {
        self.unary(UnaryOp::Log)
    }

    pub fn pow(self, exponent: Term<'a>) -> Term<'a> {
        self.binary(BinaryOp::Pow, exponent)
    }

    pub fn cast(self, dtype: DType) -> Term<'a> {
        self.make(|b| b.cast(self.id, dtype))
    }

    pub fn sum(self, axes: &[usize]) -> Term<'a> {
        self.make(|b| b.reduce(ReduceOp::Sum, self.id, axes))
    }

    pub fn reshape(self, shape: &[usize]) -> Term<'a> {
        self.make(|b| b.reshape(self.id, shape))
    }

    pub fn transpose(self, perm: &[usize]) -> Term<'a> {
        self.make(|b| b.transpose(self.id, perm))
    }

    pub fn broadcast(self, shape: &[usize], axes: &[usize]) -> Term<'a> {
        self.make(|b| b.broadcast(self.id, shape, axes))
    }

    /// Repeats a reduced value along the axes that its reduction removed from `shape`.
    pub fn spread_back(self, shape: &[usize], reduced: &[usize]) -> Term<'a> {
        let kept: Vec<usize> = (0..shape.len()).filter(|axis| !reduced.contains(axis)).collect();
        self.broadcast(shape, &kept)
    }

    pub fn contract(self, other: Term<'a>, a: &[u8], b: &[u8], out: &[u8]) -> Term<'a> {
        self.make(|builder| builder.contract(self.id, other.id, a, b, out))
    }

    pub fn gather(self, index: Term<'a>, batch: usize) -> Term<'a> {
        self.make(|b| b.gather(self.id, index.id, batch))
    }

    /// Sums of this node's entries that fall on each of `size` places.
    pub fn scatter_add(self, index: Term<'a>, batch: usize, size: usize) -> Term<'a> {
        self.make(|b| b.scatter_add(index.id, self.id, batch, size))
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident;)*) => { $(
        impl<'a> $trait for Term<'a> {
            type Output = Term<'a>;
            fn $method(self, other: Term<'a>) -> Term<'a> {
                self.binary(BinaryOp::$trait, other)
            }
        }
        impl<'a> $trait<f64> for Term<'a> {
            type Output = Term<'a>;
            fn $method(self, other: f64) -> Term<'a> {
                self.binary(BinaryOp::$trait, self.number(other))
            }
        }
        impl<'a> $trait<Term<'a>> for f64 {
            type Output = Term<'a>;
            fn $method(self, other: Term<'a>) -> Term<'a> {
                other.number(self).binary(BinaryOp::$trait, other)
            }
        }
    )* };
}

operator! { Add add; Sub sub; Mul mul; Div div; }

impl<'a> Neg for Term<'a> {
    type Output = Term<'a>;
    fn neg(self) -> Term<'a> {
        self.unary(UnaryOp::Neg)
    }
}
