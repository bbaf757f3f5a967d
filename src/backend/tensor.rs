//! Dense arrays as back ends hold them, in row-major order.

use crate::base::op::DType;
use crate::graph::TensorType;
use std::sync::Arc;

/// The working precision of a plan: how `Real` is computed. `Int` and `Bool` are as wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    #[default]
    F32,
    F64,
}

/// Elements, shared until written. `Bool` is held as 0 and 1 in `I32` or `I64`.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    F32(Arc<Vec<f32>>),
    F64(Arc<Vec<f64>>),
    I32(Arc<Vec<i32>>),
    I64(Arc<Vec<i64>>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub ty: TensorType,
    pub elements: Elements,
}

impl Tensor {
    /// From f64 values in row-major order, rounded to the precision; as many as the type has elements.
    pub fn new(ty: TensorType, precision: Precision, values: impl IntoIterator<Item = f64>) -> Tensor {
        let values = values.into_iter();
        let elements = match (ty.dtype, precision) {
            (DType::Real, Precision::F32) => Elements::F32(Arc::new(values.map(|v| v as f32).collect())),
            (DType::Real, Precision::F64) => Elements::F64(Arc::new(values.collect())),
            (DType::Int | DType::Bool, Precision::F32) => Elements::I32(Arc::new(values.map(|v| v as i32).collect())),
            (DType::Int | DType::Bool, Precision::F64) => Elements::I64(Arc::new(values.map(|v| v as i64).collect())),
        };
        Tensor { ty, elements }
    }

    pub fn zeros(ty: TensorType, precision: Precision) -> Tensor {
        let len = ty.len();
        // Memory that comes zeroed takes no place until it is written
        let elements = match (ty.dtype, precision) {
            (DType::Real, Precision::F32) => Elements::F32(Arc::new(vec![0.0; len])),
            (DType::Real, Precision::F64) => Elements::F64(Arc::new(vec![0.0; len])),
            (DType::Int | DType::Bool, Precision::F32) => Elements::I32(Arc::new(vec![0; len])),
            (DType::Int | DType::Bool, Precision::F64) => Elements::I64(Arc::new(vec![0; len])),
        };
        Tensor { ty, elements }
    }

    pub fn scalar(value: f64, dtype: DType, precision: Precision) -> Tensor {
        Tensor::new(TensorType::new(dtype, []), precision, [value])
    }

    pub fn shape(&self) -> &[usize] {
        &self.ty.shape
    }

    /// All elements as f64.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.elements {
            Elements::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Elements::F64(v) => v.to_vec(),
            Elements::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Elements::I64(v) => v.iter().map(|&x| x as f64).collect(),
        }
    }

    /// The only element of a scalar, the first of an array; NaN if there is none. Does not allocate.
    pub fn first(&self) -> f64 {
        match &self.elements {
            Elements::F32(v) => v.first().map_or(f64::NAN, |&x| f64::from(x)),
            Elements::F64(v) => v.first().copied().unwrap_or(f64::NAN),
            Elements::I32(v) => v.first().map_or(f64::NAN, |&x| f64::from(x)),
            Elements::I64(v) => v.first().map_or(f64::NAN, |&x| x as f64),
        }
    }

    /// Overwrites all elements in place, rounded to the precision; copies them first if someone shares them.
    pub fn write(&mut self, values: &[f64]) {
        match &mut self.elements {
            Elements::F32(v) => Arc::make_mut(v).iter_mut().zip(values).for_each(|(x, &value)| *x = value as f32),
            Elements::F64(v) => Arc::make_mut(v).iter_mut().zip(values).for_each(|(x, &value)| *x = value),
            Elements::I32(v) => Arc::make_mut(v).iter_mut().zip(values).for_each(|(x, &value)| *x = value as i32),
            Elements::I64(v) => Arc::make_mut(v).iter_mut().zip(values).for_each(|(x, &value)| *x = value as i64),
        }
    }

    /// There are as many elements as the type says.
    pub fn holds_its_type(&self) -> bool {
        let held = match &self.elements {
            Elements::F32(v) => v.len(),
            Elements::F64(v) => v.len(),
            Elements::I32(v) => v.len(),
            Elements::I64(v) => v.len(),
        };
        held == self.ty.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ty.is_empty()
    }

    pub fn len(&self) -> usize {
        self.ty.len()
    }
}
