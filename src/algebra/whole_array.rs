//! Expressions on whole arrays: products of matrices, joining and stacking, and the primitives that the library may call.

use super::leaves::tensor_type;
use super::lowering::{Lowering, union};
use super::value::{Array, PlateId};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, ReduceOp};
use crate::check::model::{Expr, ExprKind, Primitive};
use crate::check::types::Type;
use crate::graph::Op;

impl Lowering<'_> {
    /// Contraction over the last axis of `a` and the first (of a vector) or last but one (of a matrix) of `b`.
    pub(super) fn matmul(&mut self, a: &Array, b: &Array) -> Result<Array> {
        let (ra, rb) = (self.shape(a).len(), self.shape(b).len());
        if ra == 0 || rb == 0 || ra > 2 || rb > 2 {
            return Err(Diagnostic::unsupported(format!("`@` of arrays with {ra} and {rb} axes")));
        }
        let plates = union([&a.plates[..], &b.plates[..]]);
        let label = |p: &PlateId| plates.iter().position(|q| q == p).unwrap_or(0) as u8;
        let base = plates.len() as u8;
        let [row, inner, column] = [base, base + 1, base + 2];
        let axes = |array: &Array, own: Vec<u8>| array.plates.iter().map(label).chain(own).collect::<Vec<u8>>();
        let left = axes(a, if ra == 2 { vec![row, inner] } else { vec![inner] });
        let right = axes(b, if rb == 2 { vec![inner, column] } else { vec![inner] });
        let mut out: Vec<u8> = (0..base).collect();
        out.extend((ra == 2).then_some(row));
        out.extend((rb == 2).then_some(column));
        let (x, y) = (self.node(a), self.node(b));
        let node = self.b().contract(x, y, &left, &right, &out);
        Ok(self.array(node, plates))
    }

    pub(super) fn transpose_last(&mut self, x: &Array) -> Array {
        let rank = self.ty(x).rank();
        if self.shape(x).len() < 2 {
            return x.clone();
        }
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 1, rank - 2);
        let node = self.node(x);
        let node = self.b().transpose(node, &perm);
        self.array(node, x.plates.clone())
    }

    /// Along the last axis; scalars are vectors of length 1.
    pub(super) fn join(&mut self, a: &Array, b: &Array) -> Array {
        let plates = union([&a.plates[..], &b.plates[..]]);
        let mut parts = vec![];
        for array in [a, b] {
            let mut shape = self.shape(array);
            let node = self.expand(array, &plates, &shape.clone());
            if shape.is_empty() {
                shape.push(1);
            }
            let full = [&self.sizes(&plates)[..], &shape].concat();
            parts.push(self.b().reshape(node, &full));
        }
        let axis = self.b().ty(parts[0]).rank() - 1;
        let node = self.b().join(&parts, axis);
        self.array(node, plates)
    }

    /// `[a, b, c]`: a new leading axis.
    pub(super) fn stack(&mut self, parts: &[Expr]) -> Result<Array> {
        if let Some(literal) = self.literal_stack(parts) {
            return Ok(literal);
        }
        let arrays = parts.iter().map(|part| self.eval_array(part)).collect::<Result<Vec<_>>>()?;
        let (nodes, plates) = self.align(&arrays.iter().collect::<Vec<_>>())?;
        let axis = plates.len();
        let rows: Vec<_> = nodes
            .into_iter()
            .map(|node| {
                let mut shape = self.b().shape(node).to_vec();
                shape.insert(axis, 1);
                self.b().reshape(node, &shape)
            })
            .collect();
        let node = self.b().join(&rows, axis);
        Ok(self.array(node, plates))
    }

    /// A list of numbers as one literal.
    fn literal_stack(&mut self, parts: &[Expr]) -> Option<Array> {
        let values: Option<Vec<(f64, DType)>> = parts
            .iter()
            .map(|part| match part.kind {
                ExprKind::Real(value) => Some((value, DType::Real)),
                ExprKind::Int(value) => Some((value as f64, DType::Int)),
                _ => None,
            })
            .collect();
        let values = values?;
        let dtype = values.first()?.1;
        if values.iter().any(|(_, other)| *other != dtype) {
            return None;
        }
        let numbers: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
        let node = self.b().literal(dtype, &[numbers.len()], &numbers);
        Some(self.array(node, vec![]))
    }

    pub(super) fn primitive(&mut self, primitive: Primitive, args: &[Expr], ty: &Type) -> Result<Array> {
        let arrays = args.iter().map(|arg| self.eval_array(arg)).collect::<Result<Vec<_>>>()?;
        let axis = arrays.first().map_or(0, |x| x.plates.len());
        match (primitive, &arrays[..]) {
            (Primitive::CumSum, [x]) => Ok(self.apply(Op::CumSum { axis, reverse: false }, x)),
            (Primitive::Sort, [x]) => Ok(self.apply(Op::Sort { axis }, x)),
            (Primitive::ArgMax, [x]) => Ok(self.apply(Op::ArgMax { axis }, x)),
            (Primitive::Cholesky, [x]) => Ok(self.apply(Op::Cholesky, x)),
            (Primitive::SolveLower, [l, b]) => self.solve(l, b, false),
            (Primitive::SolveUpper, [l, b]) => self.solve(l, b, true),
            (Primitive::Diagonal, [x]) => self.diagonal(x),
            (Primitive::Identity, []) => {
                let shape = tensor_type(ty)?.shape;
                let [.., n, _] = shape[..] else { return Err(Diagnostic::internal("identity of a vector")) };
                let values: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
                let node = self.b().literal(DType::Real, &[n, n], &values);
                let node = self.b().broadcast(node, &shape, &[shape.len() - 2, shape.len() - 1]);
                Ok(self.array(node, vec![]))
            }
            (primitive, _) => Err(Diagnostic::internal(format!("{} arguments for {primitive:?}", arrays.len()))),
        }
    }

    pub(super) fn apply(&mut self, op: Op, x: &Array) -> Array {
        let node = self.node(x);
        let node = self.b().push(op, &[node]);
        self.array(node, x.plates.clone())
    }

    /// L y = b or Lᵀ y = b.
    pub(super) fn solve(&mut self, l: &Array, b: &Array, transpose: bool) -> Result<Array> {
        let extra: Vec<PlateId> = b.plates.iter().copied().filter(|&plate| !l.varies_over(plate)).collect();
        let plates = union([&l.plates[..], &b.plates[..]]);
        let (shape_l, shape_b) = (self.shape(l), self.shape(b));
        let (factor, right) = (self.expand(l, &l.plates, &shape_l), self.expand(b, &plates, &shape_b));
        // Plates of b alone are further columns, so that L is not repeated along them.
        let place = |plate: &PlateId| plates.iter().position(|p| p == plate).unwrap_or(0);
        let own = (0..shape_b.len()).map(|axis| plates.len() + axis);
        let order: Vec<usize> = l.plates.iter().map(place).chain(own).chain(extra.iter().map(place)).collect();
        let right = self.b().transpose(right, &order);
        let moved = self.b().shape(right).to_vec();
        let rows = l.plates.len() + 1;
        let columns = moved[rows..].iter().product();
        let right = self.b().reshape(right, &[&moved[..rows], &[columns]].concat());
        let node = self.b().push(Op::TriangularSolve { transpose }, &[factor, right]);
        let node = self.b().reshape(node, &moved);
        let back: Vec<usize> = (0..order.len()).map(|axis| order.iter().position(|&from| from == axis).unwrap_or(axis)).collect();
        let node = self.b().transpose(node, &back);
        Ok(self.array(node, plates))
    }

    pub(super) fn diagonal(&mut self, x: &Array) -> Result<Array> {
        let shape = self.shape(x);
        let [n, m] = shape[..] else { return Err(Diagnostic::internal("diagonal of what is not a matrix")) };
        let values: Vec<f64> = (0..n * m).map(|i| f64::from(u8::from(i / m == i % m))).collect();
        let mask = self.b().literal(DType::Real, &[n, m], &values);
        let mask = self.array(mask, vec![]);
        let masked = self.binary(BinaryOp::Mul, x, &mask)?;
        let node = self.node(&masked);
        let axis = masked.plates.len() + 1;
        let node = self.b().reduce(ReduceOp::Sum, node, &[axis]);
        Ok(self.array(node, masked.plates))
    }
}
