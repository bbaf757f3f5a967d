//! Random well-typed graphs over all operations, to compare interpreter, passes and back ends.
//!
//! Results of steps stay within ±[`BOUND`], arguments inside smooth domains, and discontinuous operations away from their jumps, so that two
//! correct evaluations agree up to a modest multiple of rounding.

use super::{Builder, Graph, NodeId, TensorType, Value};
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::base::philox::{philox4x32, uniform};

mod arrays;
mod control;
mod scalars;

/// No `Real` result of a step is larger.
pub const BOUND: f64 = 5.0;

/// About `size` steps of random operations, sub-graphs apart, and inputs for them. The same for the same arguments.
pub fn random_graph(seed: u64, size: usize) -> (Graph, Vec<Value>) {
    let mut source = Source { key: [seed as u32, (seed >> 32) as u32], count: 0 };
    let mut generator = Generator::new(&mut source, 0);
    let mut inputs = vec![];
    for number in 0..3 {
        let shape = generator.shape();
        let value = Value::real(&shape, generator.reals(shape.iter().product()));
        generator.input(&format!("x{number}"), &value.ty);
        inputs.push(value);
    }
    let indices: Vec<i64> = (0..3).map(|_| generator.source.below(5) as i64).collect();
    inputs.push(Value::int(&[3], &indices));
    generator.input("index", &TensorType::int([3]));
    for _ in 0..size {
        generator.step();
    }
    let outputs: Vec<NodeId> = generator.pool.iter().rev().take(3.max(size / 2)).copied().collect();
    (generator.builder.finish(&outputs).expect("random graphs are well typed"), inputs)
}

/// A stream of random words.
struct Source {
    key: [u32; 2],
    count: u32,
}

impl Source {
    fn word(&mut self) -> u32 {
        self.count += 1;
        philox4x32([self.count, 0, 0, 0], self.key)[0]
    }

    fn below(&mut self, n: usize) -> usize {
        self.word() as usize % n.max(1)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn choose<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// In (−2, 2).
    fn real(&mut self) -> f64 {
        4.0 * uniform(self.word()) - 2.0
    }
}

struct Generator<'a> {
    source: &'a mut Source,
    builder: Builder,
    /// Results of earlier steps. There is always a `Real`
    pool: Vec<NodeId>,
    /// Of sub-graphs in each other
    depth: usize,
}

impl<'a> Generator<'a> {
    fn new(source: &'a mut Source, depth: usize) -> Generator<'a> {
        let mut builder = Builder::new();
        let pool = vec![builder.real(0.75)];
        Generator { source, builder, pool, depth }
    }

    fn input(&mut self, name: &str, ty: &TensorType) -> NodeId {
        let input = self.builder.input(name, ty.clone());
        self.pool.push(input);
        input
    }

    /// One more result, of a random operation.
    fn step(&mut self) {
        let families = if self.depth < 2 { 20 } else { 19 };
        let result = match self.source.below(families) {
            0..6 => self.elementwise(),
            6..8 => self.integers(),
            8..10 => self.booleans(),
            10..13 => self.movement(),
            13..15 => self.along_axes(),
            15 => self.contraction(),
            16 => self.indexing(),
            17 => self.random_numbers(),
            18 => self.linear_algebra(),
            _ => self.control(),
        };
        self.pool.push(result);
    }

    // Operands

    /// An earlier result of the type, or one made from nothing.
    fn any(&mut self, dtype: DType) -> NodeId {
        let found: Vec<NodeId> = self.pool.iter().copied().filter(|&id| self.builder.ty(id).dtype == dtype).collect();
        if found.is_empty() || self.source.below(8) == 0 {
            let shape = self.shape();
            return self.literal(dtype, &shape);
        }
        self.source.choose(&found)
    }

    fn any_real(&mut self) -> NodeId {
        self.any(DType::Real)
    }

    /// Of exactly this type: an earlier result, a scalar spread over the shape, or a literal.
    fn of_type(&mut self, dtype: DType, shape: &[usize]) -> NodeId {
        let ty = TensorType::new(dtype, shape);
        let found: Vec<NodeId> = self.pool.iter().copied().filter(|&id| *self.builder.ty(id) == ty).collect();
        if !found.is_empty() && self.source.below(4) != 0 {
            return self.source.choose(&found);
        }
        if self.source.below(4) != 0 {
            return self.literal(dtype, shape);
        }
        let scalar = TensorType::new(dtype, []);
        let found = self.pool.iter().copied().find(|&id| *self.builder.ty(id) == scalar);
        let scalar = found.unwrap_or_else(|| self.builder.fill(1.0, dtype, &[]));
        self.builder.spread(scalar, shape)
    }

    fn literal(&mut self, dtype: DType, shape: &[usize]) -> NodeId {
        let len = shape.iter().product();
        let values = match dtype {
            DType::Real => self.reals(len),
            DType::Int => (0..len).map(|_| self.source.below(9) as f64 - 3.0).collect(),
            DType::Bool => (0..len).map(|_| self.source.below(2) as f64).collect(),
        };
        self.builder.literal(dtype, shape, &values)
    }

    fn reals(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.source.real()).collect()
    }

    /// Up to three short axes; now and then one is longer than any vector register.
    fn shape(&mut self) -> Vec<usize> {
        let rank = self.source.below(4);
        let mut shape: Vec<usize> = (0..rank).map(|_| 1 + self.source.below(5)).collect();
        if rank > 0 && self.source.below(6) == 0 {
            shape[rank - 1] = 17 + self.source.below(20);
        }
        shape
    }

    fn dtype(&mut self) -> DType {
        self.source.choose(&[DType::Real, DType::Real, DType::Int, DType::Bool])
    }

    // Bounds

    /// x times a constant, plus a constant.
    fn affine(&mut self, x: NodeId, scale: f64, shift: f64) -> NodeId {
        let (scale, shift) = (self.builder.fill_like(scale, x), self.builder.fill_like(shift, x));
        let scaled = self.builder.mul(x, scale);
        self.builder.add(scaled, shift)
    }

    /// Anything of moderate size, brought back below 1.
    fn tame(&mut self, x: NodeId) -> NodeId {
        if self.source.coin() {
            let x = self.affine(x, 0.3, 0.0);
            return self.builder.unary(UnaryOp::Tanh, x);
        }
        let size = self.builder.unary(UnaryOp::Abs, x);
        let size = self.affine(size, 1.0, 1.0);
        self.builder.div(x, size)
    }

    /// In (0.5, 6).
    fn positive(&mut self, x: NodeId) -> NodeId {
        let x = self.builder.unary(UnaryOp::Softplus, x);
        self.affine(x, 1.0, 0.5)
    }

    /// Shifted by a generic constant of its own for each element, so that no two are equal and none is a whole number.
    fn apart(&mut self, x: NodeId) -> NodeId {
        let shape = self.builder.shape(x).to_vec();
        let offsets = self.literal(DType::Real, &shape);
        self.builder.add(x, offsets)
    }

    /// An `Int` brought into 0..7.
    fn small(&mut self, x: NodeId) -> NodeId {
        let seven = self.builder.fill_like(7.0, x);
        self.builder.binary(BinaryOp::Rem, x, seven)
    }
}
