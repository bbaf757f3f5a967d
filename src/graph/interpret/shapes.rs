//! Elements move, none is computed.

use super::Value;
use crate::graph::TensorType;

/// The value of the node's type whose axes `axes` hold the operand.
pub fn broadcast(x: &Value, shape: &[usize], axes: &[usize]) -> Value {
    let ty = TensorType::new(x.ty.dtype, shape);
    Value::from_fn(ty, |index| x.at(&axes.iter().map(|&axis| index[axis]).collect::<Vec<_>>()))
}

pub fn reshape(x: &Value, shape: &[usize]) -> Value {
    Value::new(TensorType::new(x.ty.dtype, shape), x.elements.clone())
}

pub fn transpose(x: &Value, perm: &[usize]) -> Value {
    let shape: Vec<usize> = perm.iter().map(|&axis| x.shape()[axis]).collect();
    Value::from_fn(TensorType::new(x.ty.dtype, shape), |index| {
        let mut source = vec![0; perm.len()];
        perm.iter().zip(index).for_each(|(&axis, &i)| source[axis] = i);
        x.at(&source)
    })
}

pub fn slice(x: &Value, start: &[usize], stop: &[usize]) -> Value {
    let shape: Vec<usize> = start.iter().zip(stop).map(|(a, b)| b - a).collect();
    Value::from_fn(TensorType::new(x.ty.dtype, shape), |index| x.at(&index.iter().zip(start).map(|(i, a)| i + a).collect::<Vec<_>>()))
}

pub fn pad(x: &Value, before: &[usize], after: &[usize]) -> Value {
    let shape: Vec<usize> = (0..x.ty.rank()).map(|i| before[i] + x.shape()[i] + after[i]).collect();
    Value::from_fn(TensorType::new(x.ty.dtype, shape), |index| {
        let inside = index.iter().zip(before).zip(x.shape()).all(|((&i, &b), &n)| b <= i && i < b + n);
        if inside { x.at(&index.iter().zip(before).map(|(i, b)| i - b).collect::<Vec<_>>()) } else { 0.0 }
    })
}

/// At least one part.
pub fn join(parts: &[&Value], axis: usize) -> Value {
    let mut ty = parts[0].ty.clone();
    ty.shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    Value::from_fn(ty, |index| {
        let mut index = index.to_vec();
        let mut part = 0;
        while index[axis] >= parts[part].shape()[axis] {
            index[axis] -= parts[part].shape()[axis];
            part += 1;
        }
        parts[part].at(&index)
    })
}

pub fn reverse(x: &Value, axes: &[usize]) -> Value {
    Value::from_fn(x.ty.clone(), |index| {
        let mut index = index.to_vec();
        axes.iter().for_each(|&axis| index[axis] = x.shape()[axis] - 1 - index[axis]);
        x.at(&index)
    })
}
