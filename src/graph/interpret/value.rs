//! A dense array of f64 in row-major order. `Int` holds whole numbers, exact up to 2^53; `Bool` holds 0 and 1.

use crate::base::op::DType;
use crate::graph::{Literal, TensorType};
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
        let elements = vec![value; ty.len()];
        Value::new(ty, elements)
    }

    /// The element at each index given by a function.
    pub fn from_fn(ty: TensorType, mut element: impl FnMut(&[usize]) -> f64) -> Value {
        let mut elements = Vec::with_capacity(ty.len());
        visit(&ty.shape, |index| elements.push(element(index)));
        Value::new(ty, elements)
    }

    /// A function of each element.
    pub fn map(&self, dtype: DType, f: impl Fn(f64) -> f64) -> Value {
        Value::new(TensorType::new(dtype, self.ty.shape.clone()), self.elements.iter().map(|&x| f(x)).collect::<Vec<_>>())
    }

    pub fn shape(&self) -> &[usize] {
        &self.ty.shape
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        self.elements[position(self.shape(), index)]
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

/// The place of an element in row-major order.
pub fn position(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |position, (&size, &i)| position * size + i)
}

/// Calls a function with each index of a shape, in row-major order.
pub fn visit(shape: &[usize], mut f: impl FnMut(&[usize])) {
    let mut index = vec![0; shape.len()];
    for _ in 0..shape.iter().product() {
        f(&index);
        for (i, &size) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < size {
                break;
            }
            *i = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_in_row_major_order() {
        let visited = |shape: &[usize]| {
            let mut all = vec![];
            visit(shape, |index| all.push(index.to_vec()));
            all
        };
        assert_eq!(visited(&[2, 2]), [[0, 0], [0, 1], [1, 0], [1, 1]]);
        assert_eq!(visited(&[]), [[0usize; 0]]);
        assert!(visited(&[3, 0]).is_empty());
        for (i, index) in visited(&[2, 3, 4]).iter().enumerate() {
            assert_eq!(position(&[2, 3, 4], index), i);
        }
    }
}
