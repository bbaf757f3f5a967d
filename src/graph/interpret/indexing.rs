//! Elements found by computed positions.

use super::Value;
use crate::graph::TensorType;

/// `(x: B ++ [n] ++ R, index: B ++ I) -> B ++ I ++ R`
pub fn gather(x: &Value, index: &Value, batch: usize) -> Value {
    let shape = [index.shape(), &x.shape()[batch + 1..]].concat();
    let rows = Rows::of(x.shape(), index, batch);
    let elements: Vec<f64> = (0..index.elements.len()).flat_map(|pick| &x.elements[rows.at(pick)..][..rows.len]).copied().collect();
    Value::new(TensorType::new(x.ty.dtype, shape), elements)
}

/// `(index: B ++ I, y: B ++ I ++ R) -> B ++ [size] ++ R`
pub fn scatter_add(index: &Value, y: &Value, batch: usize, size: usize) -> Value {
    let shape = [&y.shape()[..batch], &[size], &y.shape()[index.ty.rank()..]].concat();
    let rows = Rows::of(&shape, index, batch);
    let ty = TensorType::new(y.ty.dtype, shape);
    let mut sums = vec![0.0; ty.len()];
    for pick in 0..index.elements.len() {
        let row = &mut sums[rows.at(pick)..][..rows.len];
        row.iter_mut().zip(&y.elements[pick * rows.len..]).for_each(|(sum, y)| *sum += y);
    }
    Value::new(ty, sums)
}

/// Which row of an array `B ++ [n] ++ R` each element of `index: B ++ I` picks.
struct Rows<'a> {
    index: &'a Value,
    /// Elements of the index for each element of B
    picks: usize,
    count: usize,
    len: usize,
}

impl<'a> Rows<'a> {
    fn of(shape: &[usize], index: &'a Value, batch: usize) -> Rows<'a> {
        let picks = index.shape()[batch..].iter().product();
        Rows { index, picks, count: shape[batch], len: shape[batch + 1..].iter().product() }
    }

    /// The place of the first element; the nearest row where there is none.
    fn at(&self, pick: usize) -> usize {
        let row = self.index.elements[pick].clamp(0.0, self.count as f64 - 1.0) as usize;
        (pick / self.picks * self.count + row) * self.len
    }
}
