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

/// What of the signal, a²/b² at the last time, sampling from noise alone may leave out without a remark: of data of variance 1, the
/// divergence of the last state from noise is half of it for each element.
const MUCH_SIGNAL: f64 = 1e-3;

/// From this ratio on, sampling does not start from noise.
const MOST_SIGNAL: f64 = 1.0;

impl Lowering<'_> {
    /// Whether a query speaks of the states of a process that is no chain of factors.
    pub(in crate::algebra) fn asks_for_process(&self, query: &Query) -> bool {
        let process = self.model.densities[query.density].process.as_ref();
        process.is_some_and(|process| !matches!(process.kind, ProcessKind::Chain))
    }

    pub(in crate::algebra) fn log_process_density(&mut self, query: &Query) -> Result<Array> {
        if let Some(factor) = self.asks_for_state_factor(query) {
            return self.log_given_state(query, factor);
        }
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
        if let Some(factor) = self.asks_for_state_factor(query) {
            let (t, x, _) = self.given_state(&query.member_given[0])?;
            return self.state_factor_distribution(factor, &x, &t);
        }
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
        if let Some(initial) = self.model.densities[self.model.forward(query.density)].initial.as_ref().filter(|_| !query.given.is_empty())
        {
            if is_reverse || !query.given.iter().all(|(var, _)| initial.given.contains(var)) || query.given.len() != initial.given.len() {
                return Err(no_rule(query));
            }
            let moments = self.substituted(query, &mut vec![], |this| this.given_data(query, &given, &to))?;
            return self.normal(var, moments);
        }
        let moments = match (&given[..], is_reverse) {
            ([(from, x, _)], false) => {
                let transition = self.transition(query.density, from, &to)?;
                Moments { mean: self.transported(&transition, x)?, var: transition.var }
            }
            ([(t, x, false), (_, x0, true)] | [(_, x0, true), (t, x, false)], false) => self.bridge(query.density, x0, x, t, &to)?,
            ([(t, x, false)], true) => {
                self.record_kernel(query.density);
                self.reverse_kernel(query.density, x, t, &to)?
            }
            ([], true) => self.prior(query.density)?,
            _ => return Err(no_rule(query)),
        };
        self.normal(var, moments)
    }

    /// x(t), or x(s) given x(t), given the variables from which the first state follows.
    fn given_data(&mut self, query: &Query, states: &[(Array, Array, bool)], to: &Array) -> Result<Moments> {
        let Some(initial) = self.initial_moments(query.density)? else { return Err(no_rule(query)) };
        match states {
            [] => {
                let transition = self.from_data(query.density, to)?;
                Ok(Moments { mean: self.transported(&transition, &initial.mean)?, var: transition.var })
            }
            [(t, x, _)] => {
                let (before, step) = (self.from_data(query.density, to)?, self.transition(query.density, to, t)?);
                self.between(&before, &step, &initial.mean, x)
            }
            _ => Err(no_rule(query)),
        }
    }

    fn moment(&mut self, member: &MemberQuery) -> Result<Array> {
        match &member.which {
            Which::One(at) => self.eval_array(at),
            Which::Range(..) => Err(Diagnostic::unsupported("a path of a process").at(member.span)),
        }
    }

    /// Time and state of what is given, and whether the time is the first.
    pub(super) fn given_state(&mut self, member: &MemberQuery) -> Result<(Array, Array, bool)> {
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
        let process = self.forward_process(density)?;
        if let ProcessKind::Interpolant { end: Some(_), .. } = process.kind {
            let name = &self.model.densities[density].name;
            let problem = Diagnostic::new(Code::NoRule, format!("`{name}` starts from data, which has no known density"));
            return Err(problem.label(process.span, "the last state is data").help(format!("draw a row: `x = {name}.initial()`")));
        }
        let last = self.sampled_from(density)?;
        let last = self.time_number(density, last);
        let end = self.from_data(density, &last)?;
        self.remark_signal(density);
        let mean = match end.shift {
            Some(shift) => shift,
            None => self.real(0.0),
        };
        Ok(Moments { mean, var: end.var })
    }

    /// The same for sampling, which it cannot do where more is left of the signal than there is noise.
    pub(super) fn sampled_prior(&mut self, density: DensityId) -> Result<Moments> {
        if let Some(snr) = self.snr_left(density).filter(|snr| *snr >= MOST_SIGNAL) {
            let (made, forward) = (&self.model.densities[density], self.forward_process(density)?.span);
            let message = format!("`{}` cannot start from noise: at the last time the signal-to-noise ratio is {}", made.name, shown(snr));
            let problem = Diagnostic::new(Code::OutOfRange, message);
            return Err(problem
                .label(forward, "more is left of the data than noise was added")
                .help("let time run longer, or add more noise; at most 0.001 is left unnoticed"));
        }
        self.prior(density)
    }

    fn remark_signal(&mut self, density: DensityId) {
        let Some(snr) = self.snr_left(density).filter(|snr| (MUCH_SIGNAL..MOST_SIGNAL).contains(snr)) else { return };
        let Ok(forward) = self.forward_process(density).map(|process| process.span) else { return };
        let text = format!("at the last time the signal-to-noise ratio is {}: sampling from noise alone leaves that out", shown(snr));
        self.note(forward, text);
    }

    fn snr_left(&mut self, density: DensityId) -> Option<f64> {
        self.schedule(density).and_then(|schedule| schedule.last_snr())
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

/// A ratio with two digits.
fn shown(ratio: f64) -> String {
    if ratio < 0.01 { format!("{ratio:.1e}") } else { format!("{ratio:.2}") }
}

fn no_gaussian() -> Diagnostic {
    Diagnostic::internal("no normal distribution was instantiated for a process")
}

fn no_rule(query: &Query) -> Diagnostic {
    Diagnostic::new(Code::NoRule, "no rule answers this query of a process")
        .label(query.span, "asked here")
        .help("known are q(x(t) | x(s)), q(x(s) | x(t), x(0)), and of a reverse process p(x(s) | x(t))")
}
