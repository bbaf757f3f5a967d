//! Queries of processes: `q(x(t) | x(0))`, `q(x(s) | x(t), x(0))`, `p(x(s) | x(t))`, `p(x(1))`.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::coefficient::Coefficient;
use super::finite_law::Impossible;
use super::transition::Moments;
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic};
use crate::check::model::{DensityId, Family, MemberQuery, ProcessKind, Query, VarId, Which};

impl Lowering<'_> {
    /// Whether a query speaks of the states of a process that is no chain of factors.
    pub(in crate::algebra) fn asks_for_process(&self, query: &Query) -> bool {
        let process = self.model.densities[query.density].process.as_ref();
        process.is_some_and(|process| !matches!(process.kind, ProcessKind::Chain))
    }

    pub(in crate::algebra) fn log_process_density(&mut self, query: &Query) -> Result<Array> {
        let distribution = self.process_conditional(query)?;
        let value = match &query.member_targets[..] {
            [MemberQuery { value: Some(value), .. }] => self.eval_array(value)?,
            [MemberQuery { var, which: Which::One(at), .. }] => {
                let data = crate::check::model::constant_time(at).and_then(|at| self.model.data_at(*var, at));
                match data {
                    Some(data) => self.variable(data)?,
                    None => return Err(Diagnostic::internal("a state without a value").at(query.span)),
                }
            }
            _ => return Err(no_rule(query)),
        };
        self.log_prob(&distribution, &value)
    }

    /// The distribution of the only target.
    pub(in crate::algebra) fn process_conditional(&mut self, query: &Query) -> Result<Distribution> {
        let ([target], true) = (&query.member_targets[..], query.targets.is_empty()) else { return Err(no_rule(query)) };
        let var = target.var;
        let to = self.moment(target)?;
        let given: Vec<(Array, Array, bool)> = query.member_given.iter().map(|given| self.given_state(given)).collect::<Result<_>>()?;
        let is_reverse = self.model.reverse(query.density).is_some();
        if self.has_finite_states(query.density) {
            return match &given[..] {
                [(t, x, _)] => self.finite_reverse(query.density, x, t, &to, Impossible::Undefined),
                [] => self.finite_prior(query.density),
                _ => Err(no_rule(query)),
            };
        }
        let moments = match (&given[..], is_reverse) {
            ([(from, x, _)], false) => {
                let transition = self.transition(query.density, from, &to)?;
                Moments { mean: self.transported(&transition, x)?, var: transition.var }
            }
            ([(t, x, false), (_, x0, true)] | [(_, x0, true), (t, x, false)], false) => self.bridge(query.density, x0, x, t, &to)?,
            ([(t, x, false)], true) => self.reverse_kernel(query.density, x, t, &to)?,
            ([], true) => self.prior(query.density)?,
            _ => return Err(no_rule(query)),
        };
        self.normal(var, moments)
    }

    fn moment(&mut self, member: &MemberQuery) -> Result<Array> {
        match &member.which {
            Which::One(at) => self.eval_array(at),
            Which::Range(..) => Err(Diagnostic::unsupported("a path of a process").at(member.span)),
        }
    }

    /// Time and state of what is given, and whether the time is the first.
    fn given_state(&mut self, member: &MemberQuery) -> Result<(Array, Array, bool)> {
        let time = self.moment(member)?;
        let constant = match &member.which {
            Which::One(at) => crate::check::model::constant_time(at),
            Which::Range(..) => None,
        };
        let first = self.model.times(member.var).is_some_and(|(first, _)| constant == Some(first));
        let data = constant.and_then(|at| self.model.data_at(member.var, at));
        let value = match (&member.value, data) {
            (Some(value), _) => self.eval_array(value)?,
            (None, Some(data)) => self.variable(data)?,
            (None, None) => return Err(Diagnostic::internal("a state without a value").at(member.span)),
        };
        Ok((time, value, first))
    }

    /// The state from which a reverse process starts: what the forward one leaves at the last time when nothing is left of the data.
    pub(super) fn prior(&mut self, density: DensityId) -> Result<Moments> {
        let last = self.last_time(density)?;
        let end = self.marginal_transition(density, &last)?;
        let mean = match end.shift {
            Some(shift) => shift,
            None => self.real(0.0),
        };
        Ok(Moments { mean, var: end.var })
    }

    /// The library's normal distribution over states of a family.
    pub(super) fn normal(&mut self, var: VarId, moments: Moments) -> Result<Distribution> {
        let shape = super::super::leaves::tensor_type(&self.model.vars[var].member_type())?.shape;
        match moments.var {
            Coefficient::Scalar(var) | Coefficient::Diagonal(var) => {
                let dist = self.gaussian_instance(&[]).ok_or_else(no_gaussian)?;
                let std = self.unary(UnaryOp::Sqrt, &var);
                Ok(Distribution { dist, params: vec![moments.mean, std], shape })
            }
            Coefficient::Matrix(cov) => {
                let dist = self.gaussian_instance(&shape).ok_or_else(no_gaussian)?;
                Ok(Distribution { dist, params: vec![moments.mean, cov], shape })
            }
        }
    }

    /// Whether times of a family are whole numbers.
    pub(super) fn in_steps(&self, var: VarId) -> bool {
        matches!(self.model.vars[var].family, Family::Chain { .. })
    }
}

fn no_gaussian() -> Diagnostic {
    Diagnostic::internal("no normal distribution was instantiated for a process")
}

fn no_rule(query: &Query) -> Diagnostic {
    Diagnostic::new(Code::NoRule, "no rule answers this query of a process")
        .label(query.span, "asked here")
        .help("known are q(x(t) | x(s)), q(x(s) | x(t), x(0)), and of a reverse process p(x(s) | x(t))")
}
