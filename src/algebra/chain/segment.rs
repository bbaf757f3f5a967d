//! A joint density of chain members, ordered by time and cut into runs of equal steps.
//!
//! The factor of a member takes part in the step of the latest latent member that it mentions, so the direction in which the
//! factors point does not matter. After each step the latent members that no later factor mentions are summed out.

use super::network::{Joint, Network, State};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::{At, VarId};
use std::collections::BTreeMap;

/// Consecutive steps with the same factors.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The member number of the first step; of factors without latent members, the first value of the index
    pub first: i64,
    pub count: usize,
    pub parts: Vec<Part>,
    /// Latent members of earlier steps that are still needed: variable and how many steps ago, at least 1
    pub alive: Vec<(VarId, i64)>,
}

/// A factor in every step of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub factor: usize,
    /// The factor's index is the step plus this
    pub shift: i64,
    /// Of the target, then of the given members
    pub states: Vec<State>,
}

/// The order in which a joint density is computed.
pub(super) struct Schedule {
    /// Factors whose members all have values
    pub direct: Vec<Segment>,
    pub steps: Vec<Segment>,
    /// For each latent variable: after how many steps the last factor that mentions it has come
    pub memory: BTreeMap<VarId, i64>,
}

impl Schedule {
    pub fn new(network: &Network<'_>, joint: &Joint) -> Result<Schedule> {
        let mut direct: BTreeMap<(usize, i64), Part> = BTreeMap::new();
        let mut timed: BTreeMap<i64, Vec<Part>> = BTreeMap::new();
        let mut memory: BTreeMap<VarId, i64> = BTreeMap::new();
        for (at, factor) in network.density.chain.iter().enumerate() {
            for index in factor.indices() {
                let target = factor.at.map_or(0, |at| at.member(index));
                if !network.node(factor.target, target).is_some_and(|node| joint.active[node]) {
                    continue;
                }
                let members = factor.members.iter().map(|m| (m.var, m.at));
                let members: Vec<(VarId, At)> = [(factor.target, factor.at.unwrap_or(At::Number(0)))].into_iter().chain(members).collect();
                let states: Vec<State> = members.iter().map(|&(var, at)| network.state(joint, var, at.member(index))).collect();
                let latent: Vec<(VarId, i64)> =
                    members.iter().zip(&states).filter(|(_, s)| **s == State::Latent).map(|(&(v, at), _)| (v, at.member(index))).collect();
                let Some(step) = latent.iter().map(|(_, number)| *number).max() else {
                    direct.insert((at, index), Part { factor: at, shift: 0, states });
                    continue;
                };
                for &(var, number) in &latent {
                    refuse_single(network, var)?;
                    let lag = memory.entry(var).or_default();
                    *lag = (*lag).max(step - number);
                }
                timed.entry(step).or_default().push(Part { factor: at, shift: index - step, states });
            }
        }
        refuse_long_memory(network, &memory)?;
        let steps = cut(network, joint, timed, &memory);
        Ok(Schedule { direct: runs(direct), steps, memory })
    }
}

/// Runs of a factor without latent members over consecutive values of its index.
fn runs(direct: BTreeMap<(usize, i64), Part>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = vec![];
    for ((_, index), part) in direct {
        match segments.last_mut() {
            Some(last) if last.parts[0] == part && last.first + last.count as i64 == index => last.count += 1,
            _ => segments.push(Segment { first: index, count: 1, parts: vec![part], alive: vec![] }),
        }
    }
    segments
}

fn cut(network: &Network<'_>, joint: &Joint, timed: BTreeMap<i64, Vec<Part>>, memory: &BTreeMap<VarId, i64>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = vec![];
    for (step, parts) in timed {
        let is_latent = |var: VarId, number: i64| {
            let node = network.node(var, number);
            node.is_some_and(|node| joint.active[node]) && network.state(joint, var, number) == State::Latent
        };
        let window = memory.iter().flat_map(|(&var, &lag)| (1..=lag).map(move |lag| (var, lag)));
        let alive: Vec<(VarId, i64)> = window.filter(|&(var, lag)| is_latent(var, step - lag)).collect();
        match segments.last_mut() {
            Some(last) if last.parts == parts && last.alive == alive && last.first + last.count as i64 == step => last.count += 1,
            _ => segments.push(Segment { first: step, count: 1, parts, alive }),
        }
    }
    segments
}

/// Steps are summed out exactly when few earlier members matter to each.
const LONGEST_MEMORY: i64 = 64;

fn refuse_long_memory(network: &Network<'_>, memory: &BTreeMap<VarId, i64>) -> Result<()> {
    let Some((&var, lag)) = memory.iter().find(|(_, lag)| **lag > LONGEST_MEMORY) else { return Ok(()) };
    let declared = &network.model.vars[var];
    let problem =
        Diagnostic::new(Code::NoRule, format!("{} steps after it, `{}` still matters: it cannot be summed out", lag, declared.name));
    Err(problem
        .label(network.span, "asked for here")
        .label(declared.span, "declared here")
        .help("let factors mention members that stand near each other"))
}

fn refuse_single(network: &Network<'_>, var: VarId) -> Result<()> {
    let declared = &network.model.vars[var];
    if declared.members().is_some() {
        return Ok(());
    }
    let what = format!("a latent variable beside a chain: `{}`", declared.name);
    Err(Diagnostic::unsupported(what).label(network.span, "asked for here").label(declared.span, "declared here"))
}
