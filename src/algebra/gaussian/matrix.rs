//! Matrices in every cell of their plates. One number is a matrix as well: its factorisation is a square root.

use super::super::lowering::{Lowering, union};
use super::super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::graph::Op;

impl Lowering<'_> {
    /// How many numbers one cell holds.
    pub(in crate::algebra) fn count(&self, x: &Array) -> usize {
        self.shape(x).iter().product()
    }

    /// The elements of one cell in another shape.
    pub(in crate::algebra) fn flattened(&mut self, x: &Array, shape: &[usize]) -> Array {
        let full = [&self.sizes(&x.plates)[..], shape].concat();
        let node = self.node(x);
        let node = self.b().reshape(node, &full);
        self.array(node, x.plates.clone())
    }

    /// A scalar or an array of a shape, as the vector of its elements.
    pub(in crate::algebra) fn vector(&mut self, x: &Array, shape: &[usize]) -> Array {
        let node = self.expand(x, &x.plates, shape);
        let full = self.array(node, x.plates.clone());
        self.flattened(&full, &[shape.iter().product()])
    }

    pub(in crate::algebra) fn identity(&mut self, n: usize) -> Array {
        let values: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
        let node = self.b().literal(DType::Real, &[n, n], &values);
        self.array(node, vec![])
    }

    /// The diagonal matrix of a vector.
    pub(in crate::algebra) fn diagonal_matrix(&mut self, d: &Array) -> Result<Array> {
        let n = self.count(d);
        if n == 1 {
            return Ok(self.flattened(d, &[1, 1]));
        }
        let identity = self.identity(n);
        self.scale_columns(&identity, d)
    }

    /// M diag(d)
    pub(in crate::algebra) fn scale_columns(&mut self, m: &Array, d: &Array) -> Result<Array> {
        self.scaled(BinaryOp::Mul, m, d, 1)
    }

    /// diag(d) M
    pub(in crate::algebra) fn scale_rows(&mut self, m: &Array, d: &Array) -> Result<Array> {
        self.scaled(BinaryOp::Mul, m, d, 0)
    }

    /// diag(d)⁻¹ M
    pub(super) fn divide_rows(&mut self, m: &Array, d: &Array) -> Result<Array> {
        self.scaled(BinaryOp::Div, m, d, 0)
    }

    /// A vector repeated along the other axis of a matrix.
    fn scaled(&mut self, op: BinaryOp, m: &Array, d: &Array, axis: usize) -> Result<Array> {
        let shape = self.shape(m);
        let repeated = self.placed(d, &shape, &[axis]);
        self.binary(op, m, &repeated)
    }

    /// The axes of one cell at some axes of a shape, repeated over the others.
    pub(in crate::algebra) fn placed(&mut self, x: &Array, shape: &[usize], axes: &[usize]) -> Array {
        let plates = x.plates.len();
        let target = [&self.sizes(&x.plates)[..], shape].concat();
        let axes: Vec<usize> = (0..plates).chain(axes.iter().map(|axis| plates + axis)).collect();
        let node = self.node(x);
        let node = self.b().broadcast(node, &target, &axes);
        self.array(node, x.plates.clone())
    }

    /// Aᵀ B
    pub(in crate::algebra) fn transposed_product(&mut self, a: &Array, b: &Array) -> Result<Array> {
        let a = self.transpose_last(a);
        self.matmul(&a, b)
    }

    /// The squared length of a vector.
    pub(in crate::algebra) fn squared_norm(&mut self, x: &Array) -> Result<Array> {
        let squares = self.mul(x, x)?;
        let (lifted, axes) = self.lift(&squares, 1);
        Ok(self.sum_over(&lifted, &axes))
    }

    /// The sum of the elements of one cell.
    pub(in crate::algebra) fn sum_of_elements(&mut self, x: &Array) -> Array {
        let rank = self.shape(x).len();
        let (lifted, axes) = self.lift(x, rank);
        self.sum_over(&lifted, &axes)
    }

    /// The lower Cholesky factor.
    pub(in crate::algebra) fn cholesky_factor(&mut self, m: &Array) -> Array {
        if self.count(m) == 1 { self.unary(UnaryOp::Sqrt, m) } else { self.apply(Op::Cholesky, m) }
    }

    /// log det L of a triangular matrix.
    pub(in crate::algebra) fn log_det_triangular(&mut self, l: &Array) -> Result<Array> {
        let diagonal = if self.count(l) == 1 { self.flattened(l, &[1]) } else { self.diagonal(l)? };
        let logs = self.unary(UnaryOp::Log, &diagonal);
        Ok(self.sum_of_elements(&logs))
    }

    /// L⁻¹ b or L⁻ᵀ b, of a vector or a matrix. Cells of `b` that share a matrix are its columns, so that L is not repeated.
    pub(in crate::algebra) fn solve_triangular(&mut self, l: &Array, b: &Array, transpose: bool) -> Result<Array> {
        let shape = self.shape(b);
        if self.count(l) == 1 {
            let vector = self.flattened(l, &[1]);
            return match shape.len() {
                1 => self.binary(BinaryOp::Div, b, &vector),
                _ => self.divide_rows(b, &vector),
            };
        }
        let own: Vec<PlateId> = b.plates.iter().copied().filter(|plate| !l.varies_over(*plate)).collect();
        if own.is_empty() || shape.len() != 1 {
            return self.solve(l, b, transpose);
        }
        let columns: usize = self.sizes(&own).iter().product();
        let lowered = self.lower_plates(b, &own);
        let rows = self.flattened(&lowered, &[columns, shape[0]]);
        let right = self.transpose_last(&rows);
        let solved = self.solve(l, &right, transpose)?;
        let back = self.transpose_last(&solved);
        let sizes = [&self.sizes(&own)[..], &shape].concat();
        let unfolded = self.flattened(&back, &sizes);
        Ok(self.lift_onto(&unfolded, &own))
    }

    /// (L Lᵀ)⁻¹ b
    pub(in crate::algebra) fn solve_factored(&mut self, l: &Array, b: &Array) -> Result<Array> {
        let half = self.solve_triangular(l, b, false)?;
        self.solve_triangular(l, &half, true)
    }

    /// Blocks beside each other (`axis` 1) or below each other (0), over the union of their plates.
    pub(super) fn blocks(&mut self, parts: &[Array], axis: usize) -> Array {
        if let [only] = parts {
            return only.clone();
        }
        let plates = union(parts.iter().map(|part| &part.plates[..]));
        let nodes: Vec<_> = parts
            .iter()
            .map(|part| {
                let shape = self.shape(part);
                self.expand(part, &plates, &shape)
            })
            .collect();
        let node = self.b().join(&nodes, plates.len() + axis);
        self.array(node, plates)
    }
}
