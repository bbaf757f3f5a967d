//! An einsum as a batch of matrix products: labels that all operands walk alike are merged, no operand is copied.

use super::affine::row_major;
use super::{Contract, Dim};

/// The index groups of a contraction.
#[derive(Debug)]
pub struct Groups {
    pub batch: Vec<Dim>,
    pub rows: Dim,
    pub columns: Dim,
    pub inner: Vec<Dim>,
}

/// One axis of length 1.
const UNIT: Dim = Dim { size: 1, a: 0, b: 0, out: 0 };

/// Labels of both operands and the result, with the strides of the operands along their axes.
pub fn groups(a: (&[u8], &[i64]), b: (&[u8], &[i64]), out: &[u8], sizes: impl Fn(u8) -> usize) -> Groups {
    let shape: Vec<usize> = out.iter().map(|&label| sizes(label)).collect();
    let out_strides = row_major(&shape);
    let stride = |labels: &[u8], strides: &[i64], label: u8| labels.iter().position(|&l| l == label).map(|i| strides[i]);
    let mut batch = vec![];
    let mut rows = vec![];
    let mut columns = vec![];
    let mut inner = vec![];
    let summed = a.0.iter().filter(|label| !out.contains(label));
    for &label in out.iter().chain(summed) {
        let (in_a, in_b, in_out) = (stride(a.0, a.1, label), stride(b.0, b.1, label), stride(out, &out_strides, label));
        let dim = Dim { size: sizes(label), a: in_a.unwrap_or(0), b: in_b.unwrap_or(0), out: in_out.unwrap_or(0) };
        match (in_a.is_some(), in_b.is_some(), in_out.is_some()) {
            _ if dim.size == 1 => (),
            (true, true, true) => batch.push(dim),
            (true, false, _) => rows.push(dim),
            (false, _, _) => columns.push(dim),
            (true, true, false) => inner.push(dim),
        }
    }
    let [mut batch, mut rows, mut columns, mut inner] = [batch, rows, columns, inner].map(merged);
    let row = rows.pop().unwrap_or(UNIT);
    let column = columns.pop().unwrap_or(UNIT);
    batch.splice(0..0, rows.into_iter().chain(columns));
    if inner.is_empty() {
        inner.push(UNIT);
    }
    Groups { batch, rows: row, columns: column, inner }
}

/// An axis of the result of a contraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultAxis {
    Rows,
    Columns,
    Batch(usize),
}

impl ResultAxis {
    pub fn dim(self, c: &Contract) -> Dim {
        match self {
            ResultAxis::Rows => c.rows,
            ResultAxis::Columns => c.columns,
            ResultAxis::Batch(number) => c.batch[number],
        }
    }
}

impl Contract {
    /// The axis along which the result is a sequence of rows, one dense piece of memory after another. Its strides tell what a row
    /// reads: where the stride of an operand is 0, every row reads all of it. None where the result has one element.
    pub fn row_axis(&self) -> Option<ResultAxis> {
        let batch = (0..self.batch.len()).map(ResultAxis::Batch);
        let axes = [ResultAxis::Rows, ResultAxis::Columns].into_iter().chain(batch).filter(|axis| axis.dim(self).size > 1);
        axes.max_by_key(|axis| axis.dim(self).out)
    }
}

/// Joins axes that are walked as one; the longest comes last.
fn merged(mut dims: Vec<Dim>) -> Vec<Dim> {
    let follows = |outer: &Dim, inner: &Dim| {
        let size = inner.size as i64;
        outer.a == inner.a * size && outer.b == inner.b * size && outer.out == inner.out * size
    };
    while let Some((outer, inner)) = pairs(dims.len()).find(|&(i, j)| follows(&dims[i], &dims[j])) {
        dims[inner].size *= dims[outer].size;
        dims.remove(outer);
    }
    dims.sort_by_key(|dim| dim.size);
    dims
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_the_rows_of_a_dense_layer() {
        // btd,de->bte over 2 × 3 × 4 and 4 × 5: one product of 6 × 4 by 4 × 5
        let sizes = |label: u8| [2, 3, 4, 5][usize::from(label)];
        let groups = groups((&[0, 1, 2], &[12, 4, 1]), (&[2, 3], &[5, 1]), &[0, 1, 3], sizes);
        assert_eq!(groups.batch, []);
        assert_eq!(groups.rows, Dim { size: 6, a: 4, b: 0, out: 5 });
        assert_eq!(groups.columns, Dim { size: 5, a: 0, b: 1, out: 1 });
        assert_eq!(groups.inner, [Dim { size: 4, a: 1, b: 5, out: 0 }]);
    }
}
