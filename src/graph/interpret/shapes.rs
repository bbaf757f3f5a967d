//! Elements move, none is computed.

use super::Value;
use super::value::{row_major, walk};
use crate::graph::TensorType;
use std::sync::Arc;

/// The value of the node's type whose axes `axes` hold the operand.
pub fn broadcast(x: &Value, shape: &[usize], axes: &[usize]) -> Value {
    let mut strides = vec![0; shape.len()];
    axes.iter().zip(x.strides()).for_each(|(&axis, stride)| strides[axis] = stride);
    x.strided(shape.to_vec(), 0, &strides)
}

pub fn reshape(x: &Value, shape: &[usize]) -> Value {
    Value::new(TensorType::new(x.ty.dtype, shape), x.elements.clone())
}

pub fn transpose(x: &Value, perm: &[usize]) -> Value {
    let strides = x.strides();
    let permuted: Vec<isize> = perm.iter().map(|&axis| strides[axis]).collect();
    x.strided(perm.iter().map(|&axis| x.shape()[axis]).collect(), 0, &permuted)
}

pub fn slice(x: &Value, start: &[usize], stop: &[usize]) -> Value {
    let strides = x.strides();
    x.strided(start.iter().zip(stop).map(|(a, b)| b - a).collect(), offset(start, &strides), &strides)
}

pub fn pad(x: &Value, before: &[usize], after: &[usize]) -> Value {
    let shape: Vec<usize> = (0..x.ty.rank()).map(|i| before[i] + x.shape()[i] + after[i]).collect();
    let strides = row_major(&shape);
    let mut padded = Value::fill(0.0, TensorType::new(x.ty.dtype, shape));
    put(x, Arc::make_mut(&mut padded.elements), offset(before, &strides), &strides);
    padded
}

/// At least one part.
pub fn join(parts: &[&Value], axis: usize) -> Value {
    let mut ty = parts[0].ty.clone();
    ty.shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    let strides = row_major(&ty.shape);
    let mut joined = Value::fill(0.0, ty);
    let mut start = 0;
    for part in parts {
        put(part, Arc::make_mut(&mut joined.elements), start * strides[axis], &strides);
        start += part.shape()[axis] as isize;
    }
    joined
}

pub fn reverse(x: &Value, axes: &[usize]) -> Value {
    let mut strides = x.strides();
    let last: isize = axes.iter().map(|&axis| (x.shape()[axis] as isize - 1) * strides[axis]).sum();
    axes.iter().for_each(|&axis| strides[axis] = -strides[axis]);
    x.strided(x.shape().to_vec(), last, &strides)
}

/// The place of an index.
fn offset(index: &[usize], strides: &[isize]) -> isize {
    index.iter().zip(strides).map(|(&i, stride)| i as isize * stride).sum()
}

/// Writes a value into a larger array from a place on.
fn put(x: &Value, into: &mut [f64], start: isize, strides: &[isize]) {
    walk(x.shape(), [&x.strides(), strides], |[from, to]| into[(start + to) as usize] = x.elements[from as usize]);
}
