//! Elements found by computed positions.

use super::Value;
use super::value::{position, visit};
use crate::graph::TensorType;

/// `(x: B ++ [n] ++ R, index: B ++ I) -> B ++ I ++ R`
pub fn gather(x: &Value, index: &Value, batch: usize) -> Value {
    let rank = index.ty.rank();
    let shape = [index.shape(), &x.shape()[batch + 1..]].concat();
    Value::from_fn(TensorType::new(x.ty.dtype, shape), |place| {
        let (at, rest) = place.split_at(rank);
        let row = clamped(index.at(at), x.shape()[batch]);
        x.at(&[&at[..batch], &[row], rest].concat())
    })
}

/// `(index: B ++ I, y: B ++ I ++ R) -> B ++ [size] ++ R`
pub fn scatter_add(index: &Value, y: &Value, batch: usize, size: usize) -> Value {
    let rank = index.ty.rank();
    let shape = [&y.shape()[..batch], &[size], &y.shape()[rank..]].concat();
    let ty = TensorType::new(y.ty.dtype, shape);
    let mut sums = vec![0.0; ty.len()];
    visit(y.shape(), |place| {
        let (at, rest) = place.split_at(rank);
        let row = clamped(index.at(at), size);
        sums[position(&ty.shape, &[&at[..batch], &[row], rest].concat())] += y.at(place);
    });
    Value::new(ty, sums)
}

/// The nearest of 0..n.
fn clamped(index: f64, n: usize) -> usize {
    index.clamp(0.0, n as f64 - 1.0) as usize
}
