//! Operations that move elements or combine them along axes.

use super::Generator;
use crate::base::op::{DType, RandomKind, ReduceOp};
use crate::graph::{NodeId, Op};

/// Results with more elements are cut down.
const LARGEST: usize = 200;

impl Generator<'_> {
    pub(super) fn movement(&mut self) -> NodeId {
        let dtype = self.dtype();
        let x = self.any(dtype);
        let shape = self.builder.shape(x).to_vec();
        let rank = shape.len();
        match self.source.below(7) {
            0 => self.broadcast(x),
            1 => {
                let mut new = shape.clone();
                new.insert(self.source.below(rank + 1), 1);
                let flat = [shape.iter().product()];
                if self.source.coin() { self.builder.reshape(x, &flat) } else { self.builder.reshape(x, &new) }
            }
            2 => {
                let mut perm: Vec<usize> = (0..rank).collect();
                (1..rank).for_each(|i| perm.swap(i, self.source.below(i + 1)));
                self.builder.transpose(x, &perm)
            }
            3 => self.cut(x),
            4 if self.builder.ty(x).len() < LARGEST => {
                let (before, after): (Vec<usize>, Vec<usize>) = shape.iter().map(|_| (self.source.below(3), self.source.below(2))).unzip();
                self.builder.pad(x, &before, &after)
            }
            5 if rank > 0 && self.builder.ty(x).len() < LARGEST => {
                let axis = self.source.below(rank);
                let mut other = shape.clone();
                other[axis] = 1 + self.source.below(3);
                let other = self.of_type(dtype, &other);
                self.builder.join(&[x, other, x], axis)
            }
            _ => {
                let axes: Vec<usize> = (0..rank).filter(|_| self.source.coin()).collect();
                self.builder.reverse(x, &axes)
            }
        }
    }

    fn broadcast(&mut self, x: NodeId) -> NodeId {
        let x = if self.builder.shape(x).len() > 2 { self.cut(x) } else { x };
        let mut shape = self.builder.shape(x).to_vec();
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        let place = self.source.below(shape.len() + 1);
        shape.insert(place, 1 + self.source.below(4));
        axes.iter_mut().filter(|axis| **axis >= place).for_each(|axis| *axis += 1);
        self.builder.broadcast(x, &shape, &axes)
    }

    /// A box of at least one element.
    fn cut(&mut self, x: NodeId) -> NodeId {
        let shape = self.builder.shape(x).to_vec();
        let start: Vec<usize> = shape.iter().map(|&n| self.source.below(n)).collect();
        let stop: Vec<usize> = shape.iter().zip(&start).map(|(&n, &a)| a + 1 + self.source.below((n - a).min(4))).collect();
        self.builder.slice(x, &start, &stop)
    }

    /// A value with at least one axis, and one of its axes.
    fn with_axis(&mut self, dtype: DType) -> (NodeId, usize) {
        let x = self.any(dtype);
        match self.builder.shape(x).len() {
            0 => (self.builder.spread(x, &[3]), 0),
            rank => (x, self.source.below(rank)),
        }
    }

    pub(super) fn along_axes(&mut self) -> NodeId {
        let choice = self.source.below(8);
        let number = self.source.choose(&[DType::Real, DType::Real, DType::Int]);
        let dtype = if choice == 0 { DType::Bool } else { number };
        let (x, axis) = self.with_axis(dtype);
        match choice {
            0..4 => self.reduction(x, axis),
            4 => {
                let reverse = self.source.coin();
                let sums = self.builder.push(Op::CumSum { axis, reverse }, &[x]);
                self.bounded(sums)
            }
            5 => self.builder.push(Op::Sort { axis }, &[x]),
            _ => {
                let x = if dtype == DType::Real { self.apart(x) } else { x };
                let op = if choice == 6 { Op::ArgSort { axis } } else { Op::ArgMax { axis } };
                self.builder.push(op, &[x])
            }
        }
    }

    fn reduction(&mut self, x: NodeId, axis: usize) -> NodeId {
        let rank = self.builder.shape(x).len();
        let axes: Vec<usize> = (0..rank).filter(|&i| i == axis || self.source.coin()).collect();
        let op = match self.builder.ty(x).dtype {
            DType::Bool => self.source.choose(&[ReduceOp::And, ReduceOp::Or]),
            DType::Int => self.source.choose(&[ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min]),
            DType::Real => self.source.choose(&[ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min]),
        };
        let x = if op == ReduceOp::Prod { self.tame(x) } else { x };
        let y = self.builder.reduce(op, x, &axes);
        self.bounded(y)
    }

    fn bounded(&mut self, x: NodeId) -> NodeId {
        match self.builder.ty(x).dtype {
            DType::Real => self.tame(x),
            DType::Int => self.small(x),
            DType::Bool => x,
        }
    }

    /// Labels of an earlier result, shared with the second operand or not, summed or not.
    pub(super) fn contraction(&mut self) -> NodeId {
        let x = self.any_real();
        let x = if self.builder.ty(x).len() > 30 { self.cut(x) } else { x };
        let shape = self.builder.shape(x).to_vec();
        let a: Vec<u8> = (0..shape.len() as u8).collect();
        let (mut b, mut out) = (vec![], vec![]);
        for &label in &a {
            let shared = self.source.coin();
            if shared {
                b.push(label);
            }
            if !shared || self.source.below(3) == 0 {
                out.push(label);
            }
        }
        let mut sizes: Vec<usize> = b.iter().map(|&label| shape[usize::from(label)]).collect();
        for label in 0..self.source.below(2) as u8 {
            let place = self.source.below(b.len() + 1);
            b.insert(place, 10 + label);
            sizes.insert(place, 1 + self.source.below(4));
            out.insert(self.source.below(out.len() + 1), 10 + label);
        }
        if self.source.coin() {
            out.reverse();
        }
        let y = self.of_type(DType::Real, &sizes);
        let product = self.builder.contract(x, y, &a, &b, &out);
        self.tame(product)
    }

    pub(super) fn indexing(&mut self) -> NodeId {
        let (x, _) = self.with_axis(DType::Real);
        let x = if self.builder.ty(x).len() > 30 { self.cut(x) } else { x };
        let shape = self.builder.shape(x).to_vec();
        let batch = if shape.len() > 1 { self.source.below(2) } else { 0 };
        if self.source.coin() {
            let index = if batch == 0 { self.any(DType::Int) } else { self.of_type(DType::Int, &shape[..1]) };
            let index = if self.builder.ty(index).len() > 20 { self.cut(index) } else { index };
            self.builder.gather(x, index, batch)
        } else {
            let rank = (batch + self.source.below(2)).min(shape.len());
            let index = self.of_type(DType::Int, &shape[..rank]);
            let size = 1 + self.source.below(4);
            let sums = self.builder.scatter_add(index, x, batch, size);
            self.tame(sums)
        }
    }

    pub(super) fn random_numbers(&mut self) -> NodeId {
        let kind = self.source.choose(&[RandomKind::Uniform, RandomKind::Normal]);
        let seed = self.builder.int(7);
        let (step, turn) = (self.of_type(DType::Int, &[]), self.of_type(DType::Int, &[]));
        let (step, turn) = (self.small(step), self.small(turn));
        let count = 1 + self.source.below(4);
        let rows = self.builder.iota(count);
        let (site, shape) = (self.source.below(100) as u32, [self.source.below(6)]);
        let shape = if shape == [0] { &[][..] } else { &shape };
        let draws = self.builder.random(kind, site, [seed, step, turn, rows], shape);
        self.tame(draws)
    }

    /// The factor of M Mᵀ + 2, a solution with it, or the eigenvalues; eigenvectors may turn far for a small error.
    pub(super) fn linear_algebra(&mut self) -> NodeId {
        let n = 1 + self.source.below(4);
        let leading: Vec<usize> = if self.source.coin() { vec![] } else { vec![1 + self.source.below(3)] };
        let shape = |rest: [usize; 2]| [&leading[..], &rest].concat();
        let m = self.of_type(DType::Real, &shape([n, n]));
        let m = self.tame(m);
        let labels = |i: u8, j: u8| [&[9][..leading.len()], &[i, j]].concat();
        let product = self.builder.contract(m, m, &labels(0, 1), &labels(2, 1), &labels(0, 2));
        let identity: Vec<f64> = (0..n * n).map(|i| if i / n == i % n { 2.0 } else { 0.0 }).collect();
        let identity = self.builder.literal(DType::Real, &[n, n], &identity);
        let identity = self.builder.broadcast(identity, &shape([n, n]), &[leading.len(), leading.len() + 1]);
        let matrix = self.builder.add(product, identity);
        if self.source.below(4) == 0 {
            let spectrum = self.builder.push(Op::SymmetricEigen, &[matrix]);
            let values = self.builder.slice_axis(spectrum, leading.len(), 0, 1);
            return self.tame(values);
        }
        let factor = self.builder.push(Op::Cholesky, &[matrix]);
        if self.source.coin() {
            return self.tame(factor);
        }
        let columns = 1 + self.source.below(3);
        let b = self.of_type(DType::Real, &shape([n, columns]));
        let transpose = self.source.coin();
        let solution = self.builder.push(Op::TriangularSolve { transpose }, &[factor, b]);
        self.tame(solution)
    }
}
