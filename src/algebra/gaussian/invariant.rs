//! Values that do not vary along an axis, without that axis. A coefficient that was lowered among the rows of the data is repeated
//! over them; without the repetition, what is computed from it (a Cholesky factor) is computed once.

use crate::base::op::DType;
use crate::graph::{Builder, NodeId, Op};
use std::collections::HashMap;

/// Remembers what was found of which node and axis.
#[derive(Default)]
pub struct Invariance {
    known: HashMap<(NodeId, usize), Option<NodeId>>,
}

impl Invariance {
    /// The node without one of its axes, along which it provably holds equal values; `None` where that cannot be seen.
    pub fn without(&mut self, b: &mut Builder, id: NodeId, axis: usize) -> Option<NodeId> {
        if let Some(known) = self.known.get(&(id, axis)) {
            return *known;
        }
        let found = self.derived(b, id, axis);
        self.known.insert((id, axis), found);
        found
    }

    /// The node without all axes from `first` on: one number for all of them.
    pub fn scalar(&mut self, b: &mut Builder, id: NodeId, first: usize) -> Option<NodeId> {
        let mut node = id;
        while b.shape(node).len() > first {
            node = self.without(b, node, first)?;
        }
        Some(node)
    }

    fn derived(&mut self, b: &mut Builder, id: NodeId, axis: usize) -> Option<NodeId> {
        let node = b.graph().node(id).clone();
        let shape = without(&node.ty.shape, axis);
        let arg = |i: usize| node.args[i];
        match &node.op {
            Op::Fill { bits, dtype, .. } => Some(b.fill(f64::from_bits(*bits), *dtype, &shape)),
            Op::Literal(literal) if node.ty.dtype == DType::Real => {
                let inner: usize = literal.shape[axis + 1..].iter().product();
                let block = inner * literal.shape[axis];
                let at = |cell: usize| (cell / inner) * block + cell % inner;
                let kept: Vec<usize> = (0..literal.values.len() / literal.shape[axis].max(1)).map(at).collect();
                let value = |i: usize| literal.values[i].to_bits();
                let equal = kept.iter().all(|&i| (1..literal.shape[axis]).all(|k| value(i + k * inner) == value(i)));
                let values: Vec<f64> = kept.iter().map(|&i| literal.values[i]).collect();
                equal.then(|| b.literal(literal.dtype, &shape, &values))
            }
            Op::Broadcast { axes, .. } => {
                let (from, axes) = match axes.iter().position(|&a| a == axis) {
                    Some(own) => (self.without(b, arg(0), own)?, without(axes, own)),
                    None => (arg(0), axes.clone()),
                };
                let axes: Vec<usize> = axes.iter().map(|&a| if a > axis { a - 1 } else { a }).collect();
                Some(b.broadcast(from, &shape, &axes))
            }
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) | Op::Stop => {
                let args = node.args.iter().map(|&arg| self.without(b, arg, axis)).collect::<Option<Vec<_>>>()?;
                Some(b.push(node.op.clone(), &args))
            }
            Op::Transpose(perm) => {
                let from = self.without(b, arg(0), perm[axis])?;
                let moved = without(perm, axis).iter().map(|&p| if p > perm[axis] { p - 1 } else { p }).collect::<Vec<_>>();
                Some(b.transpose(from, &moved))
            }
            // A variable of a derivative, told apart from what it is a copy of
            Op::Reshape(_) if node.ty.shape == b.shape(arg(0)) => None,
            Op::Reshape(_) => {
                let before: usize = node.ty.shape[..axis].iter().product();
                let own = b.shape(arg(0)).to_vec();
                let same = (0..own.len()).find(|&i| own[..i].iter().product::<usize>() == before && own[i] == node.ty.shape[axis])?;
                let from = self.without(b, arg(0), same)?;
                Some(b.reshape(from, &shape))
            }
            Op::Reduce { op, axes } => {
                let kept: Vec<usize> = (0..b.shape(arg(0)).len()).filter(|i| !axes.contains(i)).collect();
                let from = self.without(b, arg(0), kept[axis])?;
                let axes: Vec<usize> = axes.iter().map(|&a| if a > kept[axis] { a - 1 } else { a }).collect();
                Some(b.reduce(*op, from, &axes))
            }
            Op::Contract { a, b: right, out } => {
                let label = out[axis];
                let mut sides = vec![];
                for (labels, operand) in [(a, arg(0)), (right, arg(1))] {
                    sides.push(match labels.iter().position(|l| *l == label) {
                        Some(own) => (self.without(b, operand, own)?, without(labels, own)),
                        None => (operand, labels.clone()),
                    });
                }
                Some(b.contract(sides[0].0, sides[1].0, &sides[0].1, &sides[1].1, &without(out, axis)))
            }
            Op::Cholesky | Op::SymmetricEigen | Op::TriangularSolve { .. } if axis + 2 < node.ty.rank() => {
                let args = node.args.iter().map(|&arg| self.without(b, arg, axis)).collect::<Option<Vec<_>>>()?;
                Some(b.push(node.op.clone(), &args))
            }
            Op::Join { axis: along } if *along != axis => {
                let args = node.args.iter().map(|&arg| self.without(b, arg, axis)).collect::<Option<Vec<_>>>()?;
                Some(b.join(&args, if *along > axis { along - 1 } else { *along }))
            }
            _ => None,
        }
    }
}

fn without<T: Copy>(list: &[T], at: usize) -> Vec<T> {
    list.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, item)| *item).collect()
}
