//! Values during lowering: a node together with the plates over which it varies.
//!
//! A plate is an axis that the user never writes: the rows of the data, the samples of an expectation, a comprehension index, the
//! elements over which a scalar distribution is repeated. Plates are aligned by identity. A node's shape is the sizes of its plates,
//! in increasing order of their ids, then the shape of one example's value.

use super::frame::FrameId;
use crate::base::{Diagnostic, Id};
use crate::check::model::DistId;
use crate::graph::NodeId;

#[derive(Clone, Debug)]
pub struct Plate {
    pub size: usize,
}

pub type PlateId = Id<Plate>;

/// An array of one example, in every cell of its plates.
#[derive(Clone, Debug)]
pub struct Array {
    /// In the graph of this frame
    pub frame: FrameId,
    pub node: NodeId,
    /// Increasing
    pub plates: Vec<PlateId>,
}

impl Array {
    pub fn varies_over(&self, plate: PlateId) -> bool {
        self.plates.contains(&plate)
    }
}

/// A distribution with its parameters. `shape` is that of one value: the axes over which the distribution is repeated, then
/// those of its event. Each parameter has all of the repeated axes, or none.
#[derive(Clone, Debug)]
pub struct Distribution {
    pub dist: DistId,
    pub params: Vec<Array>,
    pub shape: Vec<usize>,
}

#[derive(Clone, Debug)]
pub enum Value {
    Array(Array),
    Tuple(Vec<Value>),
    Distribution(Distribution),
}

impl Value {
    pub fn array(self) -> Result<Array, Diagnostic> {
        match self {
            Value::Array(array) => Ok(array),
            Value::Tuple(_) => Err(Diagnostic::internal("a tuple where an array is needed")),
            Value::Distribution(_) => Err(Diagnostic::internal("a distribution where an array is needed")),
        }
    }

    pub fn distribution(self) -> Result<Distribution, Diagnostic> {
        match self {
            Value::Distribution(distribution) => Ok(distribution),
            Value::Array(_) | Value::Tuple(_) => Err(Diagnostic::internal("a value where a distribution is needed")),
        }
    }

    /// All arrays inside, in order.
    pub fn arrays(&self) -> Vec<&Array> {
        match self {
            Value::Array(array) => vec![array],
            Value::Tuple(values) => values.iter().flat_map(Value::arrays).collect(),
            Value::Distribution(distribution) => distribution.params.iter().collect(),
        }
    }

    /// The same value with every array replaced.
    pub fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> Value {
        match self {
            Value::Array(array) => Value::Array(f(array)),
            Value::Tuple(values) => Value::Tuple(values.iter().map(|v| v.map(f)).collect()),
            Value::Distribution(d) => {
                Value::Distribution(Distribution { params: d.params.iter().map(f).collect(), shape: d.shape.clone(), dist: d.dist })
            }
        }
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Value {
        Value::Array(array)
    }
}
