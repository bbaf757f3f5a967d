//! The path a x(0) + shift + b e on which x(t) lies between its two ends: its derivative by the time, and draws of the other end.

use super::super::leaves::tensor_type;
use super::super::lowering::{Lowering, union};
use super::super::value::Array;
use super::interpolant::Interpolation;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::check::model::{DensityId, Noise, ProcessKind};
use crate::graph::Op;

impl Lowering<'_> {
    /// a' x0 + shift' + b' e: what `flow_matching` regresses on (Lipman et al.: Flow matching for generative modeling, 2023, theorem 3).
    pub(super) fn rate_of_path(&mut self, density: DensityId, x0: &Array, e: &Array, t: &Array) -> Result<Array> {
        let process = self.forward_process(density)?;
        let rate = match process.kind {
            ProcessKind::Interpolant { .. } => self.interpolation_and_rate(process, t)?.1,
            ProcessKind::Chain => {
                let message = format!("the velocity of `{}`, which runs in discrete steps", self.model.densities[density].name);
                return Err(Diagnostic::unsupported(message).help("declare the process in continuous time: `var x(t in 0..1)`"));
            }
            ProcessKind::Ito { .. } | ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                let t = &self.own_time(t);
                let marginal = self.marginal(density, t)?;
                let shift = marginal.shift.as_ref().map(|shift| self.array_rate(shift, t)).transpose()?;
                Interpolation { a: self.rate(&marginal.signal, t)?, b: self.rate(&marginal.spread, t)?, shift }
            }
        };
        let (x0, e) = (self.coefficient_times(&rate.a, x0)?, self.coefficient_times(&rate.b, e)?);
        let moved = self.add(&x0, &e)?;
        match &rate.shift {
            Some(shift) => self.add(&moved, shift),
            None => Ok(moved),
        }
    }

    /// Standard normal noise, or one of the rows of `data x(1)`, whatever the row of x(0).
    pub(super) fn other_end(&mut self, density: DensityId) -> Result<Array> {
        let process = self.forward_process(density)?;
        if let ProcessKind::Interpolant { end: Some(end), .. } = process.kind {
            return self.drawn_row(end);
        }
        let shape = tensor_type(&self.model.vars[process.var].member_type())?.shape;
        self.noise(Noise::Normal, &shape)
    }

    /// The x1 of the rows of this run, rearranged: the pairs (x0, x1) of least total squared distance. No gradient passes the choice.
    pub(super) fn coupled(&mut self, x0: &Array, x1: &Array) -> Result<Array> {
        let plates = union([&x0.plates[..], &x1.plates[..]]);
        let (Some(rows), [plate]) = (self.rows, &plates[..]) else {
            return Err(Diagnostic::unsupported("optimal transport but between the two ends of the rows of a minibatch"));
        };
        if rows != *plate {
            return Err(Diagnostic::unsupported("optimal transport between other things than the rows of a minibatch"));
        }
        let [ends, others] = [x0, x1].map(|x| self.lower_plates(x, &[rows]));
        let (shape, count) = (self.shape(&others), self.plates[rows].size);
        let size = shape.iter().product::<usize>() / count.max(1);
        let [flat, other] = [&ends, &others].map(|x| self.flattened(x, &[count, size]));
        // Σ |x0 − x1|² is least where Σ x0 · x1 is greatest.
        let other = self.transpose_last(&other);
        let likeness = self.matmul(&flat, &other)?;
        let costs = self.unary(UnaryOp::Neg, &likeness);
        let costs = self.stop(&costs);
        let chosen = self.apply(Op::Assignment, &costs);
        let (table, chosen) = (self.node(&others), self.node(&chosen));
        let node = self.b().gather(table, chosen, 0);
        Ok(self.array(node, vec![rows]))
    }
}
