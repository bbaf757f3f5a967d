//! Operations along axes: reductions, cumulative sums, orders, contractions.

use super::elementwise::{max, min};
use super::value::indices;
use super::{Value, shapes};
use crate::base::op::{DType, ReduceOp};
use crate::graph::TensorType;
use crate::graph::infer::without;
use std::cmp::Ordering;

pub fn reduce(op: ReduceOp, x: &Value, axes: &[usize]) -> Value {
    let kept: Vec<usize> = (0..x.ty.rank()).filter(|axis| !axes.contains(axis)).collect();
    let reduced: Vec<usize> = axes.iter().map(|&axis| x.shape()[axis]).collect();
    let reduced = indices(&reduced);
    let (neutral, combine) = monoid(op);
    Value::from_fn(TensorType::new(x.ty.dtype, without(x.shape(), axes)), |outer| {
        let mut index = vec![0; x.ty.rank()];
        kept.iter().zip(outer).for_each(|(&axis, &i)| index[axis] = i);
        reduced.iter().fold(neutral, |total, inner| {
            axes.iter().zip(inner).for_each(|(&axis, &i)| index[axis] = i);
            combine(total, x.at(&index))
        })
    })
}

/// What a reduction over nothing gives, and how one more element is taken in.
fn monoid(op: ReduceOp) -> (f64, fn(f64, f64) -> f64) {
    match op {
        ReduceOp::Sum => (0.0, |a, b| a + b),
        ReduceOp::Prod => (1.0, |a, b| a * b),
        ReduceOp::Max => (f64::NEG_INFINITY, max),
        ReduceOp::Min => (f64::INFINITY, min),
        ReduceOp::And => (1.0, min),
        ReduceOp::Or => (0.0, max),
    }
}

pub fn cumsum(x: &Value, axis: usize, reverse: bool) -> Value {
    along(x, axis, |lane| {
        let mut total = 0.0;
        let mut step = |x: f64| {
            total += x;
            total
        };
        let mut sums: Vec<f64> =
            if reverse { lane.iter().rev().map(|&x| step(x)).collect() } else { lane.iter().map(|&x| step(x)).collect() };
        if reverse {
            sums.reverse();
        }
        sums
    })
}

pub fn sort(x: &Value, axis: usize) -> Value {
    along(x, axis, |lane| order(lane).into_iter().map(|i| lane[i]).collect())
}

pub fn argsort(x: &Value, axis: usize) -> Value {
    let order = along(x, axis, |lane| order(lane).into_iter().map(|i| i as f64).collect());
    Value::new(TensorType::int(x.shape()), order.elements)
}

/// 0 over nothing.
pub fn argmax(x: &Value, axis: usize) -> Value {
    let found = along(x, axis, |lane| {
        let first = (0..lane.len()).reduce(|best, i| if increasing(lane[best], lane[i]).is_lt() { i } else { best });
        vec![first.unwrap_or(0) as f64]
    });
    let ty = TensorType::int(without(x.shape(), &[axis]));
    if x.shape()[axis] == 0 { Value::fill(0.0, ty) } else { shapes::reshape(&found, &ty.shape).map(DType::Int, |i| i) }
}

/// The order in which the elements increase; equal elements keep theirs, NaN comes last.
fn order(lane: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lane.len()).collect();
    order.sort_by(|&i, &j| increasing(lane[i], lane[j]));
    order
}

fn increasing(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Replaces each lane along an axis by a function of it; all lanes become equally long.
fn along(x: &Value, axis: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Value {
    let lane_type = TensorType::new(x.ty.dtype, without(x.shape(), &[axis]));
    let mut size = x.shape()[axis];
    let mut lanes = std::collections::HashMap::new();
    for outer in indices(&lane_type.shape) {
        let lane: Vec<f64> = (0..x.shape()[axis]).map(|i| x.at(&inserted(&outer, axis, i))).collect();
        let lane = f(&lane);
        size = lane.len();
        lanes.insert(outer, lane);
    }
    let mut ty = x.ty.clone();
    ty.shape[axis] = size;
    Value::from_fn(ty, |index| lanes[&without(index, &[axis])][index[axis]])
}

fn inserted(index: &[usize], axis: usize, i: usize) -> Vec<usize> {
    [&index[..axis], &[i], &index[axis..]].concat()
}

/// Sums, over the labels that are not in `out`, of products.
pub fn contract(x: &Value, y: &Value, a: &[u8], b: &[u8], out: &[u8]) -> Value {
    let mut sizes = [1usize; 256];
    a.iter().zip(x.shape()).chain(b.iter().zip(y.shape())).for_each(|(&label, &n)| sizes[usize::from(label)] = n);
    let size = |labels: &[u8]| labels.iter().map(|&label| sizes[usize::from(label)]).collect::<Vec<_>>();
    let summed: Vec<u8> = a.iter().copied().filter(|label| !out.contains(label)).collect();
    let inner = indices(&size(&summed));
    let mut at = [0usize; 256];
    Value::from_fn(TensorType::real(size(out)), |index| {
        out.iter().zip(index).for_each(|(&label, &i)| at[usize::from(label)] = i);
        let product = |index: &Vec<usize>| {
            summed.iter().zip(index).for_each(|(&label, &i)| at[usize::from(label)] = i);
            let place = |labels: &[u8]| labels.iter().map(|&label| at[usize::from(label)]).collect::<Vec<_>>();
            x.at(&place(a)) * y.at(&place(b))
        };
        inner.iter().map(product).sum()
    })
}
