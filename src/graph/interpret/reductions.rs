//! Operations along axes: reductions, cumulative sums, orders, contractions.

use super::Value;
use super::elementwise::{max, min};
use super::value::{row_major, walk};
use crate::base::op::ReduceOp;
use crate::graph::TensorType;
use crate::graph::infer::without;
use std::cmp::Ordering;

pub fn reduce(op: ReduceOp, x: &Value, axes: &[usize]) -> Value {
    let kept: Vec<usize> = (0..x.ty.rank()).filter(|axis| !axes.contains(axis)).collect();
    let strides = x.strides();
    let of = |axes: &[usize]| -> (Vec<usize>, Vec<isize>) { axes.iter().map(|&axis| (x.shape()[axis], strides[axis])).unzip() };
    let ((shape, outer), (reduced, inner)) = (of(&kept), of(axes));
    let (neutral, combine) = monoid(op);
    let mut totals = Vec::with_capacity(shape.iter().product());
    walk(&shape, [&outer], |[start]| {
        let mut total = neutral;
        walk(&reduced, [&inner], |[at]| total = combine(total, x.elements[(start + at) as usize]));
        totals.push(total);
    });
    Value::new(TensorType::new(x.ty.dtype, shape), totals)
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
    let strides = x.strides();
    let outer: Vec<isize> = (0..x.ty.rank()).filter(|&other| other != axis).map(|other| strides[other]).collect();
    let mut lanes = vec![];
    walk(&without(x.shape(), &[axis]), [&outer], |[start]| {
        let lane: Vec<f64> = (0..x.shape()[axis] as isize).map(|i| x.elements[(start + i * strides[axis]) as usize]).collect();
        lanes.push(f(&lane));
    });
    let mut ty = x.ty.clone();
    ty.shape[axis] = lanes.first().map_or(x.shape()[axis], Vec::len);
    // Lanes stand along the last axis until they are moved where they belong
    let (own, rest): (Vec<usize>, Vec<usize>) = (vec![ty.shape[axis]], without(&ty.shape, &[axis]));
    let mut back = row_major(&[rest, own].concat());
    back.insert(axis, 1);
    back.pop();
    let moved = Value::new(ty.clone(), lanes.concat());
    moved.strided(ty.shape, 0, &back)
}

/// Sums, over the labels that are not in `out`, of products.
pub fn contract(x: &Value, y: &Value, a: &[u8], b: &[u8], out: &[u8]) -> Value {
    let size = |label: &u8| {
        let of = |labels: &[u8], value: &Value| labels.iter().rposition(|l| l == label).map(|axis| value.shape()[axis]);
        of(b, y).or_else(|| of(a, x)).unwrap_or(1)
    };
    let shape = |labels: &[u8]| labels.iter().map(size).collect::<Vec<_>>();
    // How far an operand moves with each of some labels
    let strides = |over: &[u8], labels: &[u8], value: &Value| -> Vec<isize> {
        let own = value.strides();
        over.iter().map(|label| labels.iter().zip(&own).filter(|(l, _)| *l == label).map(|(_, stride)| stride).sum()).collect()
    };
    let summed: Vec<u8> = a.iter().copied().filter(|label| !out.contains(label)).collect();
    let (inner, inner_x, inner_y) = (shape(&summed), strides(&summed, a, x), strides(&summed, b, y));
    let ty = TensorType::real(shape(out));
    let mut sums = Vec::with_capacity(ty.len());
    walk(&ty.shape, [&strides(out, a, x), &strides(out, b, y)], |[row, column]| {
        let mut total = 0.0;
        walk(&inner, [&inner_x, &inner_y], |[i, j]| total += x.elements[(row + i) as usize] * y.elements[(column + j) as usize]);
        sums.push(total);
    });
    Value::new(ty, sums)
}
