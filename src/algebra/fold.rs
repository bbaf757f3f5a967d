//! Comprehensions: `sum(e for i in D if c)` and `[e for i in D]`. Their indices are plates, reduced or turned into axes.

use super::lowering::{IndexPlate, Lowering, union};
use super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, ReduceOp};
use crate::check::model::{Expr, Fold, Index};

impl Lowering<'_> {
    /// The innermost `axes` leading axes of one example's value become plates (fresh ones, so the last in order).
    pub(super) fn lift(&mut self, x: &Array, axes: usize) -> (Array, Vec<PlateId>) {
        let sizes = self.shape(x)[..axes].to_vec();
        let lifted: Vec<PlateId> = sizes.into_iter().map(|size| self.plate(size)).collect();
        (self.lift_onto(x, &lifted), lifted)
    }

    /// The leading axes become these plates, which are newer than all that the array has.
    pub(super) fn lift_onto(&mut self, x: &Array, plates: &[PlateId]) -> Array {
        let node = self.node(x);
        let all = [&x.plates[..], plates].concat();
        self.sorted(node, all)
    }

    /// Plates become leading axes of one example's value.
    pub(super) fn lower_plates(&mut self, x: &Array, plates: &[PlateId]) -> Array {
        let rest: Vec<PlateId> = x.plates.iter().copied().filter(|p| !plates.contains(p)).collect();
        let all = union([&rest[..], plates]);
        let full = self.expanded(x, &all);
        let order: Vec<usize> =
            rest.iter().chain(plates).filter_map(|p| all.iter().position(|q| q == p)).chain(all.len()..self.ty(&full).rank()).collect();
        let node = self.node(&full);
        let node = self.b().transpose(node, &order);
        self.array(node, rest)
    }

    /// Binds comprehension indices to fresh plates, which are in scope until [`Lowering::leave_indices`].
    fn enter_indices(&mut self, indices: &[Index]) -> Vec<PlateId> {
        let mut plates = vec![];
        for index in indices {
            let plate = self.plate(index.count);
            let iota = self.b().iota(index.count);
            let first = self.b().fill(index.first as f64, DType::Int, &[index.count]);
            let node = if index.first == 0 { iota } else { self.b().add(iota, first) };
            let value = self.array(node, vec![plate]);
            self.locals.insert(index.local, value.into());
            self.indices.insert(index.local, IndexPlate { plate, first: index.first });
            self.scope.push(plate);
            plates.push(plate);
        }
        plates
    }

    fn leave_indices(&mut self, indices: &[Index]) {
        self.scope.truncate(self.scope.len() - indices.len());
        indices.iter().for_each(|index| {
            self.indices.remove(&index.local);
        });
    }

    /// `[e for i in D, j in K]`
    pub(super) fn comprehension(&mut self, indices: &[Index], body: &Expr) -> Result<Array> {
        let plates = self.enter_indices(indices);
        let value = self.eval_array(body);
        self.leave_indices(indices);
        Ok(self.lower_plates(&value?, &plates))
    }

    pub(super) fn fold(&mut self, fold: Fold, indices: &[Index], condition: Option<&Expr>, body: &Expr) -> Result<Array> {
        let plates = self.enter_indices(indices);
        let value = self.eval_array(body);
        let condition = condition.map(|c| self.eval_array(c)).transpose();
        self.leave_indices(indices);
        self.fold_plates(fold, &value?, condition?.as_ref(), &plates)
    }

    /// Reduces over plates; cells where the condition is false are left out.
    pub(super) fn fold_plates(&mut self, fold: Fold, x: &Array, condition: Option<&Array>, plates: &[PlateId]) -> Result<Array> {
        match fold {
            Fold::Reduce(op) => {
                let x = match condition {
                    Some(condition) => self.masked(op, x, condition)?,
                    None => x.clone(),
                };
                Ok(self.reduce(op, &x, plates))
            }
            Fold::Mean => {
                let total = self.fold_plates(Fold::Reduce(ReduceOp::Sum), x, condition, plates)?;
                let count = match condition {
                    Some(condition) => {
                        let ones = self.cast(condition, DType::Real);
                        self.reduce(ReduceOp::Sum, &ones, plates)
                    }
                    None => {
                        let count: usize = self.sizes(plates).iter().product();
                        self.real(count as f64)
                    }
                };
                self.binary(BinaryOp::Div, &total, &count)
            }
            Fold::LogSumExp => {
                let x = match condition {
                    Some(condition) => self.masked(ReduceOp::Max, x, condition)?,
                    None => x.clone(),
                };
                self.log_sum_exp(&x, plates)
            }
        }
    }

    fn masked(&mut self, op: ReduceOp, x: &Array, condition: &Array) -> Result<Array> {
        let neutral = match op {
            ReduceOp::Sum | ReduceOp::Or => 0.0,
            ReduceOp::Prod | ReduceOp::And => 1.0,
            ReduceOp::Max => f64::NEG_INFINITY,
            ReduceOp::Min => f64::INFINITY,
        };
        let dtype = self.dtype(x);
        let neutral = if dtype == DType::Int { neutral.clamp(-2147483648.0, 2147483647.0) } else { neutral };
        let node = self.b().fill(neutral, dtype, &[]);
        let neutral = self.array(node, vec![]);
        self.select(condition, x, &neutral)
    }

    /// Over plates that the array may lack: it is constant along those.
    pub(super) fn reduce(&mut self, op: ReduceOp, x: &Array, plates: &[PlateId]) -> Array {
        let all = union([&x.plates[..], plates]);
        let full = self.expanded(x, &all);
        let axes: Vec<usize> = (0..all.len()).filter(|&i| plates.contains(&all[i])).collect();
        let node = self.node(&full);
        let node = self.b().reduce(op, node, &axes);
        self.array(node, all.into_iter().filter(|p| !plates.contains(p)).collect())
    }

    pub(super) fn sum_over(&mut self, x: &Array, plates: &[PlateId]) -> Array {
        self.reduce(ReduceOp::Sum, x, plates)
    }

    pub(super) fn mean_over(&mut self, x: &Array, plates: &[PlateId]) -> Result<Array> {
        let plates: Vec<PlateId> = plates.iter().copied().filter(|&p| x.varies_over(p)).collect();
        if plates.is_empty() { Ok(x.clone()) } else { self.fold_plates(Fold::Mean, x, None, &plates) }
    }
}
