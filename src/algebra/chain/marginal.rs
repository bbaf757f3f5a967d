//! Posterior marginals of finite chains: `p(z[t] | x)`, for one t or for all.
//!
//! The derivative of log p(x) with respect to a log-factor of z[t] is p(z[t] | x): the reverse mode through the forward algorithm is
//! the backward algorithm (Darwiche: A differential approach to inference in Bayesian networks, 2003, theorem 1; Eisner: Inside-outside
//! and forward-backward algorithms are just backprop, 2016). All marginals together cost as much as a few evaluations of log p(x).

use super::super::lowering::{Lowering, union};
use super::super::value::{Array, PlateId};
use super::finite::Potential;
use super::network::{Joint, Known, Network};
use super::segment::Schedule;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::check::Support;
use crate::check::model::{Expr, MemberQuery, Query, VarId, Which};
use crate::check::types::{ArrayType, Type};

impl<'m> Lowering<'m> {
    /// The only target of a query, where it is one member of a chain.
    pub(super) fn one_member<'q>(&self, query: &'q Query) -> Option<(&'q MemberQuery, &'q Expr)> {
        match (&query.targets[..], &query.member_targets[..]) {
            ([], [member]) => match &member.which {
                Which::One(at) => Some((member, at)),
                Which::Range(..) => None,
            },
            _ => None,
        }
    }

    /// `log p(z[t] = v | x)`, where z is latent and finite; t may vary.
    pub(super) fn log_member_marginal(&mut self, query: &Query, member: &MemberQuery, at: &Expr) -> Result<Array> {
        let value = match &member.value {
            Some(value) => self.eval_array(value)?,
            None => return Err(Diagnostic::internal("a member without a value")),
        };
        let (from, to) = self.model.vars[member.var].members().unwrap_or((0, 0));
        let asked = match super::member_number(at) {
            Ok(number) => (number, number),
            Err(_) => (from, to),
        };
        let mut known = self.given_of(query)?;
        known.push(Known { var: member.var, from: asked.0, count: (asked.1 - asked.0 + 1) as usize, value: None, target: true });
        let network = Network::new(self.model, query.density, known, query.span);
        let joint = Joint { targets_have_values: false, ..network.ratio()?.joint };
        let marginals = self.marginals(&network, &joint, member.var)?;
        let of_member = self.member_of(&marginals, at, from)?;
        let position = self.position(&value, member)?;
        let probability = self.gather(&of_member, 0, &position)?;
        Ok(self.unary(UnaryOp::Log, &probability))
    }

    /// p(z[t] | …) of all latent members of a variable, [members, values].
    fn marginals(&mut self, network: &Network<'m>, joint: &Joint, var: VarId) -> Result<Array> {
        let schedule = Schedule::new(network, joint)?;
        if !schedule.memory.keys().all(|&var| super::is_finite(&network.model.vars[var].member_type())) {
            return Err(self.no_chain_rule(network, &schedule));
        }
        let terms = self.forward_algorithm(network, &schedule, None)?;
        let plates = union(terms.iter().map(|term| &term.plates[..]));
        let potential = self.zero_potential(network, var, &plates)?;
        let terms = self.forward_algorithm(network, &schedule, Some(&potential))?;
        self.note(network.span, format!("forward-backward algorithm: exact marginals of {}", self.names(&[var])));
        self.derivative_by(&terms, &potential.value, &plates)
    }

    fn zero_potential(&mut self, network: &Network<'m>, var: VarId, plates: &[PlateId]) -> Result<Potential> {
        let declared = &network.model.vars[var];
        let (first, last) = declared.members().unwrap_or((0, 0));
        let Type::Array(ArrayType { support, shape }) = declared.member_type() else {
            return Err(Diagnostic::internal("a chain of tuples"));
        };
        let shape: Vec<usize> = shape.iter().filter_map(|size| size.known()).collect();
        let values = self.all_values(&support, &shape)?.map_or(1, |(_, plate)| self.sizes(&[plate])[0]);
        let value = self.zero_factor(plates, &[(last - first + 1) as usize, values]);
        Ok(Potential { var, first, value })
    }

    /// The entry of a leading axis of members whose first number is `from`.
    pub(in crate::algebra) fn member_of(&mut self, members: &Array, at: &Expr, from: i64) -> Result<Array> {
        if let Ok(number) = super::member_number(at) {
            return Ok(self.one_element(members, 0, (number - from) as usize));
        }
        if let Some((plate, first)) = self.affine_index(at)
            && !members.varies_over(plate)
            && let count = self.sizes(&[plate])[0] as i64
            && first >= from
            && first - from + count <= self.shape(members)[0] as i64
        {
            return Ok(self.axis_to_plate(members, 0, plate, (first - from) as usize));
        }
        let (at, from) = (self.eval_array(at)?, self.int(from));
        let position = self.sub(&at, &from)?;
        self.gather(members, 0, &position)
    }

    /// Where a value stands among all values of a member.
    fn position(&mut self, value: &Array, member: &MemberQuery) -> Result<Array> {
        let declared = &self.model.vars[member.var];
        let Type::Array(ArrayType { support, shape }) = declared.member_type() else {
            return Err(Diagnostic::internal("a chain of tuples"));
        };
        if !shape.is_empty() {
            return Err(Diagnostic::unsupported("a marginal of a member that is an array").at(member.span));
        }
        match support {
            Support::Spin => {
                let (one, half) = (self.real(1.0), self.real(0.5));
                let up = self.add(value, &one)?;
                let bit = self.binary(BinaryOp::Mul, &up, &half)?;
                Ok(self.cast(&bit, DType::Int))
            }
            _ => Ok(self.cast(value, DType::Int)),
        }
    }
}
