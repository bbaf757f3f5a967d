//! Posterior moments of members of linear-Gaussian chains: `p(z[t] | x)`, for one t or for all; smoothing, filtering and prediction
//! alike, as what is given says.
//!
//! With the log-factor J·z[t] in the chain, ∂ log p(x) / ∂J = E[z[t] | x]; with −½ (z[t] − c)² Λ, where c is that mean, the derivative by Λ
//! is −½ Var[z[t] | x]. The reverse mode through the Kalman filter thus gives what the smoother of Rauch, Tung and Striebel gives
//! (Särkkä: Bayesian filtering and smoothing, 2013, theorem 8.2), for all members at the cost of a few filters, and without the
//! difference of large numbers that second moments about zero would be.

use super::super::leaves::tensor_type;
use super::super::lowering::{Lowering, union};
use super::super::value::{Array, Distribution, PlateId};
use super::kalman::{Elements, Tilts};
use super::network::{Joint, Known, Network};
use super::segment::Schedule;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{DType, UnaryOp};
use crate::check::model::{Expr, MemberQuery, Query, VarId};
use crate::graph::NodeId;
use crate::pass::derivative;

/// Moments of all members of a variable, along a leading axis.
struct MemberMoments {
    mean: Array,
    /// Variances of independent elements, or covariances of vectors
    spread: Array,
    independent: bool,
}

impl<'m> Lowering<'m> {
    /// `p(z[t] | x)` as a distribution, where all that is integrated out is linear-Gaussian; t may vary.
    pub(super) fn gaussian_member(&mut self, query: &Query, member: &MemberQuery, at: &Expr) -> Result<Distribution> {
        let declared = &self.model.vars[member.var];
        let (from, to) = declared.members().unwrap_or((0, 0));
        let asked = super::member_number(at).map_or((from, to), |number| (number, number));
        let mut known = self.given_of(query)?;
        known.push(Known { var: member.var, from: asked.0, count: (asked.1 - asked.0 + 1) as usize, value: None, target: true });
        let network = Network::new(self.model, query.density, known, query.span);
        let joint = Joint { targets_have_values: false, ..network.ratio()?.joint };
        let schedule = Schedule::new(&network, &joint)?;
        if !schedule.memory.keys().all(|&var| super::is_continuous(&self.model.vars[var].member_type())) {
            return Err(self.no_chain_rule(&network, &schedule));
        }
        let shape = tensor_type(&declared.member_type())?.shape;
        let moments = self.member_moments(&network, &schedule, member.var, &shape)?;
        self.note(query.span, format!("{}: linear-Gaussian chain, exact", self.names(&[member.var])));
        let Some(family) = self.gaussian_instance(if moments.independent || shape.is_empty() { &[] } else { &shape }) else {
            return Err(Diagnostic::unsupported("a distribution of members with correlated elements that are not vectors").at(query.span));
        };
        let mean = self.member_of(&moments.mean, at, from)?;
        let spread = self.member_of(&moments.spread, at, from)?;
        let params = if moments.independent {
            vec![mean, self.unary(UnaryOp::Sqrt, &spread)]
        } else if shape.is_empty() {
            let variance = self.flattened(&spread, &[]);
            vec![self.flattened(&mean, &[]), self.unary(UnaryOp::Sqrt, &variance)]
        } else {
            vec![mean, spread]
        };
        Ok(Distribution { dist: family, params, shape })
    }

    fn member_moments(&mut self, network: &Network<'m>, schedule: &Schedule, var: VarId, shape: &[usize]) -> Result<MemberMoments> {
        let (first, last) = self.model.vars[var].members().unwrap_or((0, 0));
        let count = (last - first + 1) as usize;
        let (terms, elements) = self.kalman_filter(network, schedule, None)?;
        let plates = union(terms.iter().map(|term| &term.plates[..]));
        let independent = matches!(elements, Elements::Plates(_));
        let size: usize = shape.iter().product();
        let vector = if independent { shape.to_vec() } else { vec![size] };
        let linear = self.zero_factor(&plates, &[&[count], &vector[..]].concat());
        let mut tilts = Tilts { var, first, linear: linear.clone(), quadratic: None };
        let (terms, _) = self.kalman_filter(network, schedule, Some(&tilts))?;
        let mean = self.derivative_by(&terms, &linear, &plates)?;

        let matrix = if independent { vector.clone() } else { vec![size, size] };
        let precision = self.zero_factor(&plates, &[&[count], &matrix[..]].concat());
        let centre = self.stop(&mean);
        tilts.quadratic = Some((precision.clone(), centre));
        let (terms, _) = self.kalman_filter(network, schedule, Some(&tilts))?;
        let slope = self.derivative_by(&terms, &precision, &plates)?;
        let factor = self.real(-2.0);
        let spread = self.mul(&factor, &slope)?;
        let spread = if independent { spread } else { self.symmetric(&spread)? };
        Ok(MemberMoments { mean, spread, independent })
    }

    /// Zeros that are a variable of their own.
    pub(super) fn zero_factor(&mut self, plates: &[PlateId], shape: &[usize]) -> Array {
        let shape = [&self.sizes(plates)[..], shape].concat();
        let zero = self.b().fill(0.0, DType::Real, &shape);
        let zero = self.b().stop(zero);
        let node = self.b().distinct(zero);
        self.array(node, plates.to_vec())
    }

    /// The derivative of a sum of terms by an array over the same plates, in each cell.
    pub(super) fn derivative_by(&mut self, terms: &[Array], x: &Array, plates: &[PlateId]) -> Result<Array> {
        let log = self.product(terms)?;
        let log = self.expanded(&log, plates);
        let (y, x): (NodeId, NodeId) = (self.node(&log), self.node(x));
        let ones = self.b().fill_like(1.0, y);
        let found = derivative::gradient(self.b(), y, &[x], Some(ones))?[0];
        Ok(self.array(found, plates.to_vec()))
    }

    fn symmetric(&mut self, matrices: &Array) -> Result<Array> {
        let (other, half) = (self.transpose_last(matrices), self.real(0.5));
        let sum = self.add(matrices, &other)?;
        self.mul(&half, &sum)
    }
}
