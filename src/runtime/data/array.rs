//! An array of data as compactly as its source holds it.

use crate::backend::{Elements, Precision, Tensor};
use crate::base::op::DType;
use crate::graph::TensorType;
use std::sync::Arc;

/// Row-major values. Images and labels stay bytes until a plan asks for its own element type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Bytes(Vec<u8>),
    Ints(Vec<i64>),
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(v) => v.len(),
            Values::Ints(v) => v.len(),
            Values::Singles(v) => v.len(),
            Values::Doubles(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, index: usize) -> f64 {
        match self {
            Values::Bytes(v) => f64::from(v[index]),
            Values::Ints(v) => v[index] as f64,
            Values::Singles(v) => f64::from(v[index]),
            Values::Doubles(v) => v[index],
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The first value of which a condition holds.
    pub fn position(&self, holds: impl Fn(f64) -> bool) -> Option<usize> {
        match self {
            Values::Bytes(v) => {
                let known: Vec<bool> = (0..=u8::MAX).map(|byte| holds(f64::from(byte))).collect();
                v.iter().position(|&byte| known[usize::from(byte)])
            }
            Values::Ints(v) => v.iter().position(|&x| holds(x as f64)),
            Values::Singles(v) => v.iter().position(|&x| holds(f64::from(x))),
            Values::Doubles(v) => v.iter().position(|&x| holds(x)),
        }
    }

    /// The values at these places, in this order.
    pub fn gather(&self, places: impl Iterator<Item = usize>) -> Values {
        match self {
            Values::Bytes(v) => Values::Bytes(places.map(|i| v[i]).collect()),
            Values::Ints(v) => Values::Ints(places.map(|i| v[i]).collect()),
            Values::Singles(v) => Values::Singles(places.map(|i| v[i]).collect()),
            Values::Doubles(v) => Values::Doubles(places.map(|i| v[i]).collect()),
        }
    }
}

/// Data with its rows along the first axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// As the user wrote the source, for messages: `mnist().binary`
    pub name: String,
    /// [rows, …]; as many values as its product
    pub shape: Vec<usize>,
    pub values: Values,
}

impl Array {
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, values: Values) -> Array {
        Array { name: name.into(), shape: shape.into(), values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The shape of one row.
    pub fn row_shape(&self) -> &[usize] {
        self.shape.get(1..).unwrap_or(&[])
    }

    /// With rows of one axis, row-major, where that is what a declared row has: images as vectors of pixels.
    pub fn flattened(mut self, declared: &[usize]) -> Array {
        let pixels: usize = self.row_shape().iter().product();
        if self.row_shape().len() > 1 && declared == [pixels] {
            self.shape = vec![self.rows(), pixels];
        }
        self
    }

    /// Whether the source holds integers, so that nothing is lost in `Int`.
    pub fn is_integer(&self) -> bool {
        match self.values {
            Values::Bytes(_) | Values::Ints(_) => true,
            Values::Singles(_) | Values::Doubles(_) => false,
        }
    }

    /// These rows, in this order.
    pub fn take(&self, rows: &[u32]) -> Array {
        let width: usize = self.row_shape().iter().product();
        let places = rows.iter().flat_map(|&row| (0..width).map(move |column| row as usize * width + column));
        let mut shape = self.shape.clone();
        if let Some(first) = shape.first_mut() {
            *first = rows.len();
        }
        Array { name: self.name.clone(), shape, values: self.values.gather(places) }
    }

    /// As a plan wants it. `Real` in single precision moves singles without a copy.
    pub fn into_tensor(self, dtype: DType, precision: Precision) -> Tensor {
        let ty = TensorType::new(dtype, self.shape);
        match (dtype, precision, self.values) {
            (DType::Real, Precision::F32, Values::Singles(values)) => Tensor { ty, elements: Elements::F32(Arc::new(values)) },
            (DType::Real, Precision::F64, Values::Doubles(values)) => Tensor { ty, elements: Elements::F64(Arc::new(values)) },
            (_, _, Values::Bytes(values)) => Tensor::new(ty, precision, values.into_iter().map(f64::from)),
            (_, _, Values::Ints(values)) => Tensor::new(ty, precision, values.into_iter().map(|x| x as f64)),
            (_, _, Values::Singles(values)) => Tensor::new(ty, precision, values.into_iter().map(f64::from)),
            (_, _, Values::Doubles(values)) => Tensor::new(ty, precision, values),
        }
    }
}
