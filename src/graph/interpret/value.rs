//! A dense array of f64 in row-major order. `Int` holds whole numbers, exact up to 2^53; `Bool` holds 0 and 1.

use crate::base::op::DType;
use crate::graph::{Literal, TensorType};
use std::iter::repeat_n;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub ty: TensorType,
    /// Shared: a clone is cheap
    pub elements: Arc<[f64]>,
}

impl Value {
    /// As many elements as the type has.
    pub fn new(ty: TensorType, elements: impl Into<Arc<[f64]>>) -> Value {
        let elements = elements.into();
        debug_assert_eq!(ty.len(), elements.len(), "elements of {ty}");
        Value { ty, elements }
    }

    pub fn real(shape: &[usize], elements: impl Into<Arc<[f64]>>) -> Value {
        Value::new(TensorType::real(shape), elements)
    }

    pub fn int(shape: &[usize], elements: &[i64]) -> Value {
        Value::new(TensorType::int(shape), elements.iter().map(|&i| i as f64).collect::<Vec<_>>())
    }

    pub fn scalar(value: f64, dtype: DType) -> Value {
        Value::new(TensorType::new(dtype, []), [value])
    }

    pub fn fill(value: f64, ty: TensorType) -> Value {
        let elements = repeat_n(value, ty.len()).collect::<Arc<[f64]>>();
        Value::new(ty, elements)
    }

    /// A function of each element.
    pub fn map(&self, dtype: DType, f: impl Fn(f64) -> f64) -> Value {
        Value::new(TensorType::new(dtype, self.ty.shape.clone()), self.elements.iter().map(|&x| f(x)).collect::<Arc<[f64]>>())
    }

    /// The elements that stand at `start + Σ strides[k] · i[k]`, for each index i of a shape.
    pub fn strided(&self, shape: Vec<usize>, start: isize, strides: &[isize]) -> Value {
        let mut value = Value::fill(0.0, TensorType::new(self.ty.dtype, shape));
        let shape = &value.ty.shape;
        let (outer, run, step) = match (shape.split_last(), strides.split_last()) {
            (Some((&run, outer)), Some((&step, _))) => (outer, run, step),
            (None, _) | (_, None) => (&[][..], 1, 1),
        };
        // Row by row: most are copies, or repeat one element
        let mut rows = Arc::make_mut(&mut value.elements).chunks_exact_mut(run.max(1));
        walk(outer, [strides], |[at]| {
            let (Some(row), first) = (rows.next(), (start + at) as usize) else { return };
            match step {
                0 => row.fill(self.elements[first]),
                1 => row.copy_from_slice(&self.elements[first..first + run]),
                _ => row.iter_mut().zip(0..).for_each(|(to, i)| *to = self.elements[(start + at + i * step) as usize]),
            }
        });
        value
    }

    /// The distance of neighbours along each axis.
    pub fn strides(&self) -> Vec<isize> {
        row_major(self.shape())
    }

    pub fn shape(&self) -> &[usize] {
        &self.ty.shape
    }

    /// The only element of a scalar; the first of an array.
    pub fn first(&self) -> f64 {
        self.elements[0]
    }

    pub fn to_f64(&self) -> Vec<f64> {
        self.elements.to_vec()
    }

    pub fn is_finite(&self) -> bool {
        self.elements.iter().all(|x| x.is_finite())
    }
}

impl From<&Literal> for Value {
    fn from(literal: &Literal) -> Value {
        Value::new(TensorType::new(literal.dtype, literal.shape.clone()), literal.values.clone())
    }
}

impl From<&Value> for Literal {
    fn from(value: &Value) -> Literal {
        Literal { dtype: value.ty.dtype, shape: value.ty.shape.clone(), values: value.elements.clone() }
    }
}

/// The distance of neighbours along each axis of an array in row-major order.
pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Visits the indices of a shape in row-major order. `f` is told `Σ strides[k] · i[k]` for each of several lists of strides.
pub fn walk<const N: usize>(shape: &[usize], strides: [&[isize]; N], mut f: impl FnMut([isize; N])) {
    let Some((&inner, outer)) = shape.split_last() else { return f([0; N]) };
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; outer.len()];
    let mut at = [0; N];
    let shift = |at: &mut [isize; N], axis: usize, by: isize| at.iter_mut().zip(strides).for_each(|(at, s)| *at += s[axis] * by);
    loop {
        let mut here = at;
        for _ in 0..inner {
            f(here);
            shift(&mut here, outer.len(), 1);
        }
        // The last axis that has not come to its end takes a step, those after it start again
        let Some(axis) = (0..outer.len()).rev().find(|&axis| index[axis] + 1 < outer[axis]) else { return };
        for (later, turns) in index.iter_mut().enumerate().skip(axis + 1) {
            shift(&mut at, later, -(*turns as isize));
            *turns = 0;
        }
        index[axis] += 1;
        shift(&mut at, axis, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_in_row_major_order() {
        let walked = |shape: &[usize], strides: [&[isize]; 2]| {
            let mut all = vec![];
            walk(shape, strides, |at| all.push(at));
            all
        };
        assert_eq!(walked(&[2, 2], [&[2, 1], &[1, -5]]), [[0, 0], [1, -5], [2, 1], [3, -4]]);
        assert_eq!(walked(&[], [&[], &[]]), [[0, 0]]);
        assert!(walked(&[3, 0], [&[0, 1], &[0, 1]]).is_empty());
        let places: Vec<isize> = walked(&[2, 3, 4], [&row_major(&[2, 3, 4]), &[0, 0, 0]]).iter().map(|at| at[0]).collect();
        assert_eq!(places, (0..24).collect::<Vec<_>>());
    }
}
