//! A factor over all steps of a segment at once: the steps are a plate.

use super::super::estimation::RecordedFactor;
use super::super::lowering::{IndexPlate, Lowering};
use super::super::value::{Array, Distribution, PlateId, Value};
use super::network::{Known, Network, State};
use super::segment::{Part, Segment};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::check::model::{At, LocalId, VarId};

/// A member of a factor, and what is known of it in a segment.
#[derive(Clone, Copy)]
struct Member {
    var: VarId,
    at: At,
    state: State,
}

/// What a latent member stands for in a factor: by its variable and how many steps ago it was.
pub(super) type Latents<'a> = &'a dyn Fn(VarId, i64) -> Option<Array>;

/// The plate of a segment's steps.
#[derive(Clone, Copy)]
pub(in crate::algebra) struct Steps {
    pub plate: PlateId,
    pub first: i64,
}

/// Where in a segment a factor is looked at.
#[derive(Clone)]
pub(super) enum Position {
    /// In all steps, along a plate
    All(Steps),
    /// In one step, whose number is a value; `first` is that of the segment's first step
    One { step: Array, first: i64 },
}

impl Position {
    fn first(&self) -> i64 {
        match self {
            Position::All(steps) => steps.first,
            Position::One { first, .. } => *first,
        }
    }
}

impl<'m> Lowering<'m> {
    /// A fresh plate for the steps of a segment.
    pub(super) fn steps(&mut self, segment: &Segment) -> Steps {
        Steps { plate: self.plate(segment.count), first: segment.first }
    }

    /// The distribution that a factor gives its target.
    pub(super) fn part_distribution(
        &mut self,
        network: &Network<'m>,
        part: &Part,
        at: &Position,
        latents: Latents<'_>,
    ) -> Result<Distribution> {
        let factor = network.factor(part.factor);
        let names = self.names_of_part(network, part, at, latents)?;
        let old: Vec<(LocalId, Option<Value>)> =
            names.into_iter().map(|(local, value)| (local, self.locals.insert(local, value))).collect();
        if let (Some(index), Position::All(steps)) = (&factor.index, at) {
            self.indices.insert(index.local, IndexPlate { plate: steps.plate, first: steps.first + part.shift });
        }
        let (frozen, scope) = (self.frozen, self.scope.len());
        self.frozen |= network.density.frozen;
        if let Position::All(steps) = at {
            self.scope.push(steps.plate);
        }
        let value = self.eval(&factor.dist);
        self.scope.truncate(scope);
        self.frozen = frozen;
        if let Some(index) = &factor.index {
            self.indices.remove(&index.local);
        }
        for (local, value) in old.into_iter().rev() {
            match value {
                Some(value) => self.locals.insert(local, value),
                None => self.locals.remove(&local),
            };
        }
        value?.distribution()
    }

    /// What the index and the members of a factor stand for.
    fn names_of_part(&mut self, network: &Network<'m>, part: &Part, at: &Position, latents: Latents<'_>) -> Result<Vec<(LocalId, Value)>> {
        let factor = network.factor(part.factor);
        let mut names: Vec<(LocalId, Value)> = vec![];
        if let Some(index) = &factor.index {
            names.push((index.local, self.index_value(at, part.shift)?.into()));
        }
        for (member, state) in factor.members.iter().zip(&part.states[1..]) {
            let value = self.member_value(network, Member { var: member.var, at: member.at, state: *state }, part, at, latents)?;
            names.push((member.local, value.into()));
        }
        Ok(names)
    }

    /// The values of a factor's target.
    pub(super) fn part_target(&mut self, network: &Network<'m>, part: &Part, at: &Position, latents: Latents<'_>) -> Result<Array> {
        let factor = network.factor(part.factor);
        let target = Member { var: factor.target, at: factor.at.unwrap_or(At::Number(0)), state: part.states[0] };
        self.member_value(network, target, part, at, latents)
    }

    /// The log-density of a factor in each step.
    pub(super) fn log_part(&mut self, network: &Network<'m>, part: &Part, steps: Steps, latents: Latents<'_>) -> Result<Array> {
        let at = Position::All(steps);
        let distribution = self.part_distribution(network, part, &at, latents)?;
        let target = self.part_target(network, part, &at, latents)?;
        let factor = network.factor(part.factor);
        let log = self.at(factor.dist.span, |this| this.log_prob(&distribution, &target))?;
        if self.records.is_none() || self.frozen || network.density.frozen {
            return Ok(log);
        }
        let names = self.names_of_part(network, part, &at, latents)?;
        let index = factor.index.as_ref().map(|index| (index.local, IndexPlate { plate: steps.plate, first: steps.first + part.shift }));
        let mut vars = vec![factor.target];
        vars.extend(factor.members.iter().map(|member| member.var));
        let made = RecordedFactor { dist: &factor.dist, span: factor.span, vars, of_rows: None };
        Ok(self.recorded_member(made, names, index, &distribution, &target, log))
    }

    fn member_value(&mut self, network: &Network<'m>, member: Member, part: &Part, at: &Position, latents: Latents<'_>) -> Result<Array> {
        let number = member.at.member(at.first() + part.shift);
        match member.state {
            State::Known(k) => self.known_value(network, &network.known[k], member.at, part.shift, at),
            State::Latent => {
                latents(member.var, at.first() - number).ok_or_else(|| Diagnostic::internal("a latent member without a value"))
            }
        }
    }

    /// What a segment meets of known members.
    fn known_value(&mut self, network: &Network<'m>, known: &Known, member: At, shift: i64, at: &Position) -> Result<Array> {
        let Some(value) = &known.value else { return Err(Diagnostic::internal("a member without a value")) };
        if network.model.vars[known.var].members().is_none() {
            return Ok(value.clone());
        }
        match (member, at) {
            (At::Number(number), _) => Ok(self.one_element(value, 0, (number - known.from) as usize)),
            (At::Offset(offset), Position::All(steps)) => {
                let from = steps.first + shift + offset - known.from;
                Ok(self.axis_to_plate(value, 0, steps.plate, from as usize))
            }
            (At::Offset(offset), Position::One { step, .. }) => {
                let from = self.int(shift + offset - known.from);
                let place = self.add(step, &from)?;
                self.gather(value, 0, &place)
            }
        }
    }

    fn index_value(&mut self, at: &Position, shift: i64) -> Result<Array> {
        match at {
            Position::All(steps) => Ok(self.counting(steps.plate, steps.first + shift)),
            Position::One { step, .. } => {
                let shift = self.int(shift);
                self.add(step, &shift)
            }
        }
    }

    /// first, first + 1, … along a plate.
    pub(in crate::algebra) fn counting(&mut self, plate: PlateId, first: i64) -> Array {
        let count = self.sizes(&[plate])[0];
        let (iota, first) = (self.b().iota(count), self.b().fill(first as f64, DType::Int, &[count]));
        let node = self.b().add(iota, first);
        self.array(node, vec![plate])
    }
}
