//! Baselines of the score-function estimator: what the other samples say of the value, which has the same mean and takes no part in
//! this sample's score.

use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp};

impl Lowering<'_> {
    /// What multiplies ∇ log q of a sample: its value, less the mean of the others
    /// (Kool, van Hoof, Welling: Buy 4 REINFORCE samples, get a baseline for free!, 2019, equation 8).
    pub(super) fn learning_signal(&mut self, value: &Array, samples: Option<PlateId>) -> Result<Array> {
        let value = self.stop(value);
        let Some(plate) = samples else { return Ok(value) };
        let sum = self.sum_over(&value, &[plate]);
        let rest = self.sub(&sum, &value)?;
        let others = self.real(self.sizes(&[plate])[0] as f64 - 1.0);
        let baseline = self.binary(BinaryOp::Div, &rest, &others)?;
        self.sub(&value, &baseline)
    }

    /// What multiplies ∇ log q of a sample in the log of a mean of weights: by how much that is above the same with the sample's weight
    /// replaced by the geometric mean of the others
    /// (Mnih, Rezende: Variational inference for Monte Carlo objectives, 2016, equations 9 and 10).
    pub(super) fn weighted_signal(&mut self, log_weights: &Array, samples: PlateId) -> Result<Array> {
        let log_weights = self.stop(log_weights);
        let count = self.sizes(&[samples])[0];
        // The same weights along a plate of their own: one row of them for each sample that is left out.
        let others = self.plate(count);
        let plates = log_weights.plates.iter().map(|&plate| if plate == samples { others } else { plate }).collect();
        let node = self.node(&log_weights);
        let row = self.sorted(node, plates);
        let [own, other] = [samples, others].map(|plate| {
            let node = self.b().iota(count);
            self.array(node, vec![plate])
        });
        let left_out = self.compare(CompareOp::Eq, &own, &other)?;
        let zero = self.real(0.0);
        let kept = self.select(&left_out, &zero, &row)?;
        let sum = self.sum_over(&kept, &[others]);
        let number = self.real(count as f64 - 1.0);
        let geometric = self.binary(BinaryOp::Div, &sum, &number)?;
        let replaced = self.select(&left_out, &geometric, &row)?;
        let without = self.log_sum_exp(&replaced, &[others])?;
        let with = self.log_sum_exp(&log_weights, &[samples])?;
        self.sub(&with, &without)
    }
}
