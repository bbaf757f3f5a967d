//! What an equation does to the state over a piece of time, and pieces one after the other: A = A₂ A₁, b = A₂ b₁ + b₂,
//! V = A₂ V₁ A₂' + V₂. Of A the difference E = A - I is kept, so that short times keep their digits.

use super::super::coefficient::Coefficient;
use super::super::transition::Transition;
use super::equation::Equation;
use super::matrix::{Constant, TERMS};
use crate::algebra::lowering::Lowering;
use crate::algebra::value::{Array, PlateId};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;

/// A - I, b and V of x(t) = A x(s) + b + noise of covariance V.
pub(super) struct Piece {
    pub growth: Array,
    pub shift: Option<Array>,
    pub var: Array,
}

impl<'m> Lowering<'m> {
    /// A short piece of an equation with constant coefficients: A = Σ (F τ)ʲ / j!, V = Σ τʲ⁺¹ / (j + 1)! Lʲ(Q) with L(Q) = F Q + Q F'.
    pub(super) fn series(&mut self, constant: &Constant, size: &Array, time: &Array) -> Result<Piece> {
        let (slope, square) = (self.mul(&constant.slope, size)?, self.mul(&constant.square, size)?);
        let source = constant.shift.as_ref().map(|shift| self.mul(shift, size)).transpose()?;
        let mut power = time.clone();
        let (mut linear, mut growth) = (slope.clone(), self.mul(&slope, time)?);
        let (mut spread, mut var) = (square.clone(), self.mul(&square, time)?);
        let mut carried = source.clone();
        let mut shift = source.map(|source| self.mul(&source, time)).transpose()?;
        for term in 2..=TERMS {
            power = self.mul(&power, time)?;
            let inverse = self.real(1.0 / term as f64);
            let scaled = self.mul(&slope, &inverse)?;
            linear = self.matmul(&linear, &scaled)?;
            let next = self.mul(&linear, &power)?;
            growth = self.add(&growth, &next)?;
            let half = self.matmul(&scaled, &spread)?;
            let other = self.transpose_last(&half);
            spread = self.add(&half, &other)?;
            let next = self.mul(&spread, &power)?;
            var = self.add(&var, &next)?;
            if let (Some(vector), Some(sum)) = (&carried, &shift) {
                let vector = self.matmul(&scaled, vector)?;
                let next = self.mul(&vector, &power)?;
                shift = Some(self.add(sum, &next)?);
                carried = Some(vector);
            }
        }
        Ok(Piece { growth, shift, var })
    }

    /// One piece of time after another.
    pub(super) fn followed(&mut self, first: &Piece, second: &Piece) -> Result<Piece> {
        let product = self.matmul(&second.growth, &first.growth)?;
        let sum = self.add(&first.growth, &second.growth)?;
        let growth = self.add(&sum, &product)?;
        let shift = match (&first.shift, &second.shift) {
            (Some(a), Some(b)) => {
                let carried = self.matmul(&second.growth, a)?;
                let sum = self.add(a, b)?;
                Some(self.add(&sum, &carried)?)
            }
            (None, shift) => shift.clone(),
            (Some(a), None) => {
                let carried = self.matmul(&second.growth, a)?;
                Some(self.add(a, &carried)?)
            }
        };
        // (I + E) V (I + E)' = V + E V + V E' + E V E'
        let left = self.matmul(&second.growth, &first.var)?;
        let back = self.transpose_last(&second.growth);
        let both = self.matmul(&left, &back)?;
        let right = self.transpose_last(&left);
        let sum = self.add(&left, &right)?;
        let carried = self.add(&sum, &both)?;
        let sum = self.add(&first.var, &second.var)?;
        Ok(Piece { growth, shift, var: self.add(&sum, &carried)? })
    }

    pub(super) fn matrix_transition(&mut self, equation: &Equation<'_, 'm>, piece: Piece) -> Result<Transition> {
        let identity = self.identity_matrix(equation.count());
        let signal = self.add(&identity, &piece.growth)?;
        let shift = piece.shift.map(|shift| self.flattened(&shift, &equation.shape));
        Ok(Transition { signal: Coefficient::Matrix(signal), shift, var: Coefficient::Matrix(piece.var) })
    }

    pub(super) fn identity_matrix(&mut self, n: usize) -> Array {
        let values: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
        let node = self.b().literal(DType::Real, &[n, n], &values);
        self.array(node, vec![])
    }

    /// Pieces along a plate as one, neighbours first.
    pub(super) fn all_together(&mut self, mut pieces: Piece, mut plate: PlateId, mut count: usize) -> Result<Piece> {
        while count > 1 {
            count /= 2;
            let half = self.plate(count);
            let mut first = vec![];
            let mut second = vec![];
            for array in [Some(&pieces.growth), pieces.shift.as_ref(), Some(&pieces.var)] {
                let halves = array.map(|array| self.halves(array, plate, half, count));
                let (a, b) = halves.unzip();
                first.push(a);
                second.push(b);
            }
            let piece = |parts: Vec<Option<Array>>| -> Result<Piece> {
                let lost = || Diagnostic::internal("a piece without moments");
                let mut parts = parts.into_iter();
                let mut next = || parts.next().flatten();
                let (growth, shift, var) = (next(), next(), next());
                Ok(Piece { growth: growth.ok_or_else(lost)?, shift, var: var.ok_or_else(lost)? })
            };
            pieces = self.followed(&piece(first)?, &piece(second)?)?;
            plate = half;
        }
        let one = |this: &mut Self, array: &Array| this.sum_over(array, &[plate]);
        Ok(Piece {
            growth: one(self, &pieces.growth),
            shift: pieces.shift.as_ref().map(|shift| one(self, shift)),
            var: one(self, &pieces.var),
        })
    }

    /// Cells 0, 2, … and cells 1, 3, … of a plate, over a plate of half its size.
    fn halves(&mut self, x: &Array, plate: PlateId, half: PlateId, count: usize) -> (Array, Array) {
        let shape = self.shape(x);
        let lowered = self.lower_plates(x, &[plate]);
        let pairs = self.flattened(&lowered, &[&[count, 2], &shape[..]].concat());
        let mut cell = |at: usize| {
            let axis = pairs.plates.len() + 1;
            let node = self.node(&pairs);
            let node = self.b().slice_axis(node, axis, at, at + 1);
            let array = self.array(node, pairs.plates.clone());
            let flat = self.flattened(&array, &[&[count], &shape[..]].concat());
            self.lift_onto(&flat, &[half])
        };
        (cell(0), cell(1))
    }
}
