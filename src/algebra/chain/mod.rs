//! Queries of chains: joint densities over members as products of factors, out of which latent members are summed or integrated in
//! the order of time. Finite chains by the forward algorithm, linear-Gaussian ones by the Kalman filter.

mod draw;
mod finite;
mod kalman;
mod linear;
mod marginal;
mod moments;
mod network;
mod part;
mod record;
mod scan;
mod segment;
mod smoothing;

use super::lowering::Lowering;
use super::value::{Array, Distribution};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, ExprKind, MemberQuery, Query, VarId, Which};
use crate::check::types::{Support, Type};
use network::{Joint, Known, Network};
use part::Position;
pub(super) use part::Steps;
use record::Rule;
pub(super) use scan::{Inside, Turn};
use segment::Schedule;

impl<'m> Lowering<'m> {
    /// Whether a query speaks of members, or of variables that follow from members.
    pub(super) fn asks_for_chain(&self, query: &Query) -> bool {
        let chain = &self.model.densities[query.density].chain;
        let relates = |var: VarId| chain.iter().any(|f| f.target == var);
        !query.member_targets.is_empty()
            || !query.member_given.is_empty()
            || query.targets.iter().chain(&query.given).any(|(var, _)| relates(*var))
    }

    /// `log p(x)`, `log p(z, x)`, `log p(z[3] = 1 | x)` of a chain.
    pub(super) fn log_chain_density(&mut self, query: &Query) -> Result<Array> {
        let mut outside = vec![];
        let log = self.substituted(query, &mut outside, |this| match this.one_member(query) {
            Some((member, at)) if let Some(law) = this.chain_member(query, member, at)? => {
                let value = this.asked_value(member, at)?;
                this.log_prob(&law, &value)
            }
            Some((member, at)) if this.is_latent_and_finite(member.var) => this.log_member_marginal(query, member, at),
            Some((member, at)) if member_number(at).is_err() => this.log_varying_member(query, member, at),
            Some(_) | None => this.log_chain_ratio(query),
        })?;
        self.impossible(log, outside)
    }

    /// `p(z[t] | x)`, `p(x[t] | z[t])` as values.
    pub(super) fn chain_conditional(&mut self, query: &Query) -> Result<Distribution> {
        let Some((member, at)) = self.one_member(query) else {
            return Err(Diagnostic::unsupported("the distribution of a whole chain as a value")
                .at(query.span)
                .help("draw from it, or ask for its log-density"));
        };
        self.substituted(query, &mut vec![], |this| {
            if let Some(distribution) = this.chain_member(query, member, at)? {
                return Ok(distribution);
            }
            match this.declared_member(query, member, at)? {
                Some(distribution) => Ok(distribution),
                None => this.gaussian_member(query, member, at),
            }
        })
    }

    /// The factor of a member, where all that it is given has values and nothing else that is given depends on it.
    fn declared_member(&mut self, query: &Query, member: &MemberQuery, at: &Expr) -> Result<Option<Distribution>> {
        let Ok(number) = member_number(at) else { return Ok(None) };
        let mut known = self.given_of(query)?;
        known.push(Known { var: member.var, from: number, count: 1, value: None, target: true });
        let network = Network::new(self.model, query.density, known, query.span);
        let ratio = network.ratio()?;
        let schedule = Schedule::new(&network, &ratio.joint)?;
        let ([segment], []) = (&schedule.direct[..], &schedule.steps[..]) else { return Ok(None) };
        if ratio.evidence.is_some() {
            return Ok(None);
        }
        let steps = self.steps(segment);
        let d = self.part_distribution(&network, &segment.parts[0], &Position::All(steps), &|_, _| None)?;
        let params =
            d.params.iter().map(|param| if param.varies_over(steps.plate) { self.sum_over(param, &[steps.plate]) } else { param.clone() });
        Ok(Some(Distribution { params: params.collect(), ..d }))
    }

    /// `log p(z[t] = v | x)` of a continuous member, where t varies.
    fn log_varying_member(&mut self, query: &Query, member: &MemberQuery, at: &Expr) -> Result<Array> {
        let distribution = self.gaussian_member(query, member, at)?;
        let value = self.asked_value(member, at)?;
        self.log_prob(&distribution, &value)
    }

    /// The value of a member that a log-density asks for.
    fn asked_value(&mut self, member: &MemberQuery, at: &Expr) -> Result<Array> {
        match &member.value {
            Some(value) => self.eval_array(value),
            None => {
                let (first, _) = self.model.vars[member.var].members().unwrap_or((0, 0));
                let all = self.variable(member.var)?;
                self.member_of(&all, at, first)
            }
        }
    }

    fn is_latent_and_finite(&self, var: VarId) -> bool {
        let declared = &self.model.vars[var];
        declared.observed.is_none() && is_finite(&declared.member_type())
    }

    fn log_chain_ratio(&mut self, query: &Query) -> Result<Array> {
        let network = self.chain_network(query)?;
        let ratio = network.ratio()?;
        let Some(evidence) = &ratio.evidence else { return self.log_chain_joint(&network, &ratio.joint) };
        self.deriving(|this| {
            let joint = this.log_chain_joint(&network, &ratio.joint)?;
            let evidence = this.log_chain_joint(&network, evidence)?;
            this.note(query.span, "Bayes' rule: joint over evidence, both exact");
            Ok((this.sub(&joint, &evidence)?, this.bayes_step(&network, &ratio.joint)))
        })
    }

    fn log_chain_joint(&mut self, network: &Network<'m>, joint: &Joint) -> Result<Array> {
        let schedule = Schedule::new(network, joint)?;
        let rule = self.chain_rule_for(network, &schedule)?;
        self.record_joint(network, joint, &schedule, rule);
        let mut terms = vec![];
        for segment in &schedule.direct {
            let steps = self.steps(segment);
            let log = self.log_part(network, &segment.parts[0], steps, &|_, _| None)?;
            terms.push(self.sum_over(&log, &[steps.plate]));
        }
        match rule {
            Some(Rule::ForwardAlgorithm) => terms.extend(self.forward_algorithm(network, &schedule, None)?),
            Some(Rule::KalmanFilter) => terms.extend(self.kalman_filter(network, &schedule, None)?.0),
            None => {}
        }
        self.product(&terms)
    }

    /// The rule that sums or integrates the latent members, if there are any.
    fn chain_rule_for(&mut self, network: &Network<'m>, schedule: &Schedule) -> Result<Option<Rule>> {
        if schedule.steps.is_empty() {
            return Ok(None);
        }
        let latents: Vec<VarId> = schedule.memory.keys().copied().collect();
        let all = |is: fn(&Type) -> bool| latents.iter().all(|&var| is(&network.model.vars[var].member_type()));
        let names = self.names(&latents);
        if all(is_finite) {
            self.note(network.span, format!("forward algorithm: exact sum over all paths of {names}"));
            return Ok(Some(Rule::ForwardAlgorithm));
        }
        if all(is_continuous) {
            self.note(network.span, format!("Kalman filter: {names} integrated out, linear-Gaussian, exact"));
            return Ok(Some(Rule::KalmanFilter));
        }
        Err(self.no_chain_rule(network, schedule))
    }

    fn no_chain_rule(&self, network: &Network<'_>, schedule: &Schedule) -> Diagnostic {
        let names: Vec<VarId> = schedule.memory.keys().copied().collect();
        let z = self.names(&names);
        Diagnostic::new(Code::NoRule, format!("{z} cannot be integrated out of this chain"))
            .label(network.span, format!("{z} is neither given nor a target here"))
    }

    /// The density's variables with what the query says about them.
    fn chain_network(&mut self, query: &Query) -> Result<Network<'m>> {
        let mut known = self.given_of(query)?;
        for (var, _) in &query.targets {
            known.push(self.known_variable(*var, true)?);
        }
        for members in &query.member_targets {
            known.push(self.known_members(members, true)?);
        }
        Ok(Network::new(self.model, query.density, known, query.span))
    }

    fn given_of(&mut self, query: &Query) -> Result<Vec<Known>> {
        let mut known = vec![];
        for (var, _) in &query.given {
            known.push(self.known_variable(*var, false)?);
        }
        for members in &query.member_given {
            known.push(self.known_members(members, false)?);
        }
        Ok(known)
    }

    fn known_variable(&mut self, var: VarId, target: bool) -> Result<Known> {
        let value = self.variable(var)?;
        let (from, to) = self.model.vars[var].members().unwrap_or((0, 0));
        Ok(Known { var, from, count: (to - from + 1) as usize, value: Some(value), target })
    }

    fn known_members(&mut self, asked: &MemberQuery, target: bool) -> Result<Known> {
        let (from, to) = match &asked.which {
            Which::One(at) => (member_number(at)?, member_number(at)?),
            Which::Range(from, to) => (member_number(from)?, member_number(to)?),
        };
        let count = (to - from + 1) as usize;
        let (first, _) = self.model.vars[asked.var].members().unwrap_or((0, 0));
        let value = match (&asked.value, self.model.data_member(asked.var)) {
            (Some(value), _) => self.eval_array(value)?,
            (None, Some((data, at))) if at == from && to == from => self.variable(data)?,
            (None, _) => {
                let all = self.variable(asked.var)?;
                let node = self.node(&all);
                let node = self.b().slice_axis(node, all.plates.len(), (from - first) as usize, (to + 1 - first) as usize);
                return Ok(Known { var: asked.var, from, count, value: Some(self.array(node, all.plates)), target });
            }
        };
        let value = if matches!(asked.which, Which::One(_)) { self.with_member_axis(&value) } else { value };
        Ok(Known { var: asked.var, from, count, value: Some(value), target })
    }

    /// One member as a run of one.
    pub(super) fn with_member_axis(&mut self, member: &Array) -> Array {
        let shape = [&self.sizes(&member.plates)[..], &[1], &self.shape(member)].concat();
        let node = self.node(member);
        let node = self.b().reshape(node, &shape);
        self.array(node, member.plates.clone())
    }
}

/// Whether one member has finitely many values.
pub(super) fn is_finite(member: &Type) -> bool {
    match member {
        Type::Array(array) => match array.support {
            Support::Bit | Support::Spin | Support::Bool | Support::Cat(_) => true,
            Support::Real | Support::Positive | Support::Unit | Support::Int | Support::Simplex | Support::Cov | Support::Ordered => false,
        },
        Type::Tuple(_) | Type::Distribution(_) | Type::Error => false,
    }
}

/// Whether one member is an array of real numbers.
pub(super) fn is_continuous(member: &Type) -> bool {
    matches!(member, Type::Array(array) if array.support.is_real()) && !is_finite(member)
}

fn member_number(at: &Expr) -> Result<i64> {
    match at.kind {
        ExprKind::Int(number) => Ok(number),
        _ => Err(Diagnostic::unsupported("a member whose number is not known beforehand in this query").at(at.span)),
    }
}
