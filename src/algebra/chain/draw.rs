//! Draws of whole chains, member by member, each given those that were drawn before it. Members that do not see each other are drawn
//! at once.

use super::super::lowering::{Lowering, union};
use super::super::value::{Array, PlateId};
use super::linear::Entry;
use super::network::{Joint, Known, Network, State};
use super::part::{Position, Steps};
use super::scan::Turn;
use super::segment::{Part, Segment};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::BinaryOp;
use crate::check::model::{At, Query, VarId};
use std::collections::BTreeMap;

/// The members drawn so far that are still needed, by how many steps ago they were drawn.
type Drawn = BTreeMap<Entry, Array>;

/// The order of drawing.
struct Order {
    segments: Vec<Segment>,
    memory: BTreeMap<VarId, i64>,
    /// Members are given later ones
    backward: bool,
}

impl<'m> Lowering<'m> {
    /// Whether `~ p(z)` draws a whole chain.
    pub(in crate::algebra) fn draws_chain(&self, query: &Query) -> Option<VarId> {
        match (&query.targets[..], &query.member_targets[..]) {
            ([(var, _)], []) if self.model.vars[*var].members().is_some() && self.asks_for_chain(query) => Some(*var),
            _ => None,
        }
    }

    /// A draw of all members of a chain.
    pub(in crate::algebra) fn draw_chain(&mut self, query: &Query, var: VarId) -> Result<Array> {
        self.substituted(query, &mut vec![], |this| this.draw_members(query, var))
    }

    fn draw_members(&mut self, query: &Query, var: VarId) -> Result<Array> {
        if self.differentiated {
            return Err(Diagnostic::unsupported("a draw of a whole chain where a gradient is taken").at(query.span));
        }
        let (from, to) = self.model.vars[var].members().unwrap_or((0, 0));
        let count = (to - from + 1) as usize;
        let mut known = vec![Known { var, from, count, value: None, target: true }];
        // Given members of the same chain take the place of the target.
        known.extend(self.given_of(query)?);
        let network = Network::new(self.model, query.density, known, query.span);
        let ratio = network.ratio()?;
        if ratio.evidence.is_some() {
            let problem = Diagnostic::unsupported("a draw of a chain given what depends on it").at(query.span);
            return Err(problem.help("ask for the marginals of its members: `p(z[t] | x)`"));
        }
        let joint = Joint { targets_have_values: false, ..ratio.joint };
        let order = order(&network, &joint)?;
        let mut pieces: Vec<(i64, Array)> = network.known[1..]
            .iter()
            .filter(|known| known.var == var)
            .filter_map(|known| Some((known.from, known.value.clone()?)))
            .collect();
        let mut drawn = Drawn::new();
        for segment in &order.segments {
            pieces.extend(self.draw_segment(&network, &order, segment, var, &mut drawn)?);
        }
        pieces.sort_by_key(|(number, _)| *number);
        let pieces: Vec<Array> = pieces.into_iter().map(|(_, piece)| piece).collect();
        Ok(self.joined(&pieces))
    }

    /// The members of the wanted variable that a segment draws, with an axis of members, and the number of the first.
    fn draw_segment(
        &mut self,
        network: &Network<'m>,
        order: &Order,
        segment: &Segment,
        var: VarId,
        drawn: &mut Drawn,
    ) -> Result<Option<(i64, Array)>> {
        let wanted = segment.parts.iter().any(|part| network.factor(part.factor).target == var);
        let lowest = if order.backward { segment.first - (segment.count as i64 - 1) } else { segment.first };
        let steps = self.steps(segment);
        if segment.count == 1 {
            let step = self.int(segment.first);
            self.draw_step(network, segment, Position::One { step, first: segment.first }, drawn)?;
            let value = drawn.get(&(var, 0)).cloned();
            forget(drawn, order);
            return Ok(value.filter(|_| wanted).map(|value| (lowest, self.with_member_axis(&value))));
        }
        let members = if order.memory.values().all(|memory| *memory == 0) {
            let all = Position::All(Steps { first: lowest, ..steps });
            self.scope.push(steps.plate);
            let done = self.draw_step(network, segment, all, drawn);
            self.scope.pop();
            done?;
            let value = drawn.get(&(var, 0)).cloned();
            drawn.clear();
            return Ok(value.filter(|_| wanted).map(|value| (lowest, self.lower_plates(&value, &[steps.plate]))));
        } else {
            self.draw_scan(network, order, segment, steps, var, drawn)?
        };
        Ok(members.map(|members| {
            let lowered = self.lower_plates(&members, &[steps.plate]);
            (lowest, if order.backward { self.reversed(&lowered) } else { lowered })
        }))
    }

    /// All members of one step, parents first.
    fn draw_step(&mut self, network: &Network<'m>, segment: &Segment, at: Position, drawn: &mut Drawn) -> Result<()> {
        *drawn = std::mem::take(drawn).into_iter().map(|((var, lag), value)| ((var, lag + 1), value)).collect();
        let mut waiting: Vec<&Part> = segment.parts.iter().collect();
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|part| self.is_ready(network, segment, part, drawn)).unwrap_or(0);
            let part = waiting.remove(ready);
            let here = drawn.clone();
            let distribution = self.part_distribution(network, part, &at, &|var, lag| here.get(&(var, lag.abs())).cloned())?;
            let value = self.draw(&distribution)?;
            drawn.insert((network.factor(part.factor).target, 0), value);
        }
        Ok(())
    }

    fn is_ready(&self, network: &Network<'m>, segment: &Segment, part: &Part, drawn: &Drawn) -> bool {
        let factor = network.factor(part.factor);
        let given = factor.members.iter().zip(&part.states[1..]).filter(|(_, state)| **state == State::Latent);
        given.into_iter().all(|(member, _)| {
            let lag = segment.first - member.at.member(segment.first + part.shift);
            drawn.contains_key(&(member.var, lag.abs()))
        })
    }

    /// Step after step; returns the draws of the wanted variable along the steps' plate.
    fn draw_scan(
        &mut self,
        network: &Network<'m>,
        order: &Order,
        segment: &Segment,
        steps: Steps,
        var: VarId,
        drawn: &mut Drawn,
    ) -> Result<Option<Array>> {
        let of_known = network.known.iter().filter_map(|known| known.value.as_ref()).map(|value| &value.plates[..]);
        let plates: Vec<PlateId> = union(drawn.values().map(|value| &value.plates[..]).chain(of_known).chain([&self.scope[..]]));
        let entries: Vec<Entry> = drawn.keys().copied().collect();
        let carries: Vec<Array> = drawn.values().map(|value| self.expanded(value, &plates)).collect();
        let direction = if order.backward { -1 } else { 1 };
        let done = self.over_steps(steps, &carries, &[], |this, inside| {
            let (direction, first) = (this.int(direction), this.int(segment.first));
            let moved = this.binary(BinaryOp::Mul, &inside.number, &direction)?;
            let step = this.add(&moved, &first)?;
            let mut now: Drawn = entries.iter().copied().zip(inside.carries).collect();
            this.draw_step(network, segment, Position::One { step, first: segment.first }, &mut now)?;
            let kept: Vec<Array> = now.get(&(var, 0)).map(|value| this.expanded(value, &plates)).into_iter().collect();
            forget(&mut now, order);
            Ok(Turn { carries: entries.iter().filter_map(|entry| now.get(entry).cloned()).collect(), kept })
        })?;
        *drawn = entries.into_iter().zip(done.carries).collect();
        Ok(done.kept.into_iter().next())
    }

    /// Along the first axis, over the union of plates.
    pub(in crate::algebra) fn joined(&mut self, pieces: &[Array]) -> Array {
        let plates = union(pieces.iter().map(|piece| &piece.plates[..]));
        let nodes: Vec<_> = pieces
            .iter()
            .map(|piece| {
                let shape = self.shape(piece);
                self.expand(piece, &plates, &shape)
            })
            .collect();
        let node = self.b().join(&nodes, plates.len());
        self.array(node, plates)
    }

    fn reversed(&mut self, members: &Array) -> Array {
        let node = self.node(members);
        let node = self.b().reverse(node, &[members.plates.len()]);
        self.array(node, members.plates.clone())
    }
}

/// What no later member is given.
fn forget(drawn: &mut Drawn, order: &Order) {
    drawn.retain(|(var, lag), _| order.memory.get(var).is_some_and(|memory| lag < memory));
}

/// The latent members of a joint density in an order in which each stands after those it is given.
fn order(network: &Network<'_>, joint: &Joint) -> Result<Order> {
    let mut steps: BTreeMap<i64, Vec<Part>> = BTreeMap::new();
    let mut memory: BTreeMap<VarId, i64> = BTreeMap::new();
    let (mut earlier, mut later) = (false, false);
    for (at, factor) in network.density.chain.iter().enumerate() {
        for index in factor.indices() {
            let target = factor.at.map_or(0, |at| at.member(index));
            if network.state(joint, factor.target, target) != State::Latent || !network.is_active(joint, factor.target, target) {
                continue;
            }
            let mut states = vec![State::Latent];
            for member in &factor.members {
                let number = member.at.member(index);
                let state = network.state(joint, member.var, number);
                states.push(state);
                if state == State::Latent {
                    (earlier, later) = (earlier || number < target, later || number > target);
                    let lag = memory.entry(member.var).or_default();
                    *lag = (*lag).max((target - number).abs());
                    if matches!(member.at, At::Number(_)) && factor.index.is_some() && factor.indices().count() > 1 {
                        return Err(Diagnostic::unsupported("a draw of members that are all given one member").at(factor.span));
                    }
                }
            }
            memory.entry(factor.target).or_default();
            steps.entry(target).or_default().push(Part { factor: at, shift: index - target, states });
        }
    }
    if earlier && later {
        return Err(Diagnostic::unsupported("a draw of members that are given both earlier and later ones").at(network.span));
    }
    let segments = runs(network, joint, steps, &memory, later);
    Ok(Order { segments, memory, backward: later })
}

/// Consecutive steps with the same factors, in the order of drawing.
fn runs(
    network: &Network<'_>,
    joint: &Joint,
    steps: BTreeMap<i64, Vec<Part>>,
    memory: &BTreeMap<VarId, i64>,
    backward: bool,
) -> Vec<Segment> {
    let mut segments: Vec<Segment> = vec![];
    let in_order: Vec<(i64, Vec<Part>)> = if backward { steps.into_iter().rev().collect() } else { steps.into_iter().collect() };
    let direction = if backward { -1 } else { 1 };
    for (step, parts) in in_order {
        let window = memory.iter().flat_map(|(&var, &lag)| (1..=lag).map(move |lag| (var, lag)));
        let is_drawn = |(var, lag): &(VarId, i64)| {
            let number = step - direction * lag;
            network.is_active(joint, *var, number) && network.state(joint, *var, number) == State::Latent
        };
        let alive: Vec<(VarId, i64)> = window.filter(is_drawn).collect();
        match segments.last_mut() {
            Some(last) if last.parts == parts && last.alive == alive && last.first + direction * last.count as i64 == step => {
                last.count += 1
            }
            _ => segments.push(Segment { first: step, count: 1, parts, alive }),
        }
    }
    segments
}
