//! Operations along axes: reductions, cumulative sums, orders, contractions.

use super::Value;
use super::elementwise::{max, min};
use super::value::visit;
use crate::base::op::ReduceOp;
use crate::graph::TensorType;
use crate::graph::infer::without;
use std::cmp::Ordering;
use std::collections::HashMap;

pub fn reduce(op: ReduceOp, x: &Value, axes: &[usize]) -> Value {
    let kept: Vec<usize> = (0..x.ty.rank()).filter(|axis| !axes.contains(axis)).collect();
    let reduced: Vec<usize> = axes.iter().map(|&axis| x.shape()[axis]).collect();
    let (neutral, combine) = monoid(op);
    let mut index = vec![0; x.ty.rank()];
    Value::from_fn(TensorType::new(x.ty.dtype, without(x.shape(), axes)), |outer| {
        kept.iter().zip(outer).for_each(|(&axis, &i)| index[axis] = i);
        let mut total = neutral;
        visit(&reduced, |inner| {
            axes.iter().zip(inner).for_each(|(&axis, &i)| index[axis] = i);
            total = combine(total, x.at(&index));
        });
        total
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
        let mut sums = lane.to_vec();
        for i in 1..lane.len() {
            let (to, from) = if reverse { (lane.len() - 1 - i, lane.len() - i) } else { (i, i - 1) };
            sums[to] += sums[from];
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
    Value::new(TensorType::int(without(x.shape(), &[axis])), found.elements)
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
    let mut lanes = HashMap::new();
    visit(&without(x.shape(), &[axis]), |outer| {
        let lane: Vec<f64> = (0..x.shape()[axis]).map(|i| x.at(&inserted(outer, axis, i))).collect();
        lanes.insert(outer.to_vec(), f(&lane));
    });
    let mut ty = x.ty.clone();
    ty.shape[axis] = lanes.values().next().map_or(x.shape()[axis], Vec::len);
    Value::from_fn(ty, |index| lanes[&without(index, &[axis])][index[axis]])
}

fn inserted(index: &[usize], axis: usize, i: usize) -> Vec<usize> {
    [&index[..axis], &[i], &index[axis..]].concat()
}

/// Sums, over the labels that are not in `out`, of products.
pub fn contract(x: &Value, y: &Value, a: &[u8], b: &[u8], out: &[u8]) -> Value {
    let mut sizes = [1; 256];
    a.iter().zip(x.shape()).chain(b.iter().zip(y.shape())).for_each(|(&label, &n)| sizes[usize::from(label)] = n);
    let shape = |labels: &[u8]| labels.iter().map(|&label| sizes[usize::from(label)]).collect::<Vec<_>>();
    let summed: Vec<u8> = a.iter().copied().filter(|label| !out.contains(label)).collect();
    let inner = shape(&summed);
    let mut at = [0; 256];
    let set = |at: &mut [usize; 256], labels: &[u8], index: &[usize]| {
        labels.iter().zip(index).for_each(|(&label, &i)| at[usize::from(label)] = i);
    };
    let element = |value: &Value, labels: &[u8], at: &[usize; 256]| {
        let position = labels.iter().fold(0, |position, &label| position * sizes[usize::from(label)] + at[usize::from(label)]);
        value.elements[position]
    };
    Value::from_fn(TensorType::real(shape(out)), |outer| {
        set(&mut at, out, outer);
        let mut total = 0.0;
        visit(&inner, |index| {
            set(&mut at, &summed, index);
            total += element(x, a, &at) * element(y, b, &at);
        });
        total
    })
}
