//! A factor over all steps of a segment at once: the steps are a plate.

use super::super::lowering::{IndexPlate, Lowering};
use super::super::value::{Array, Distribution, PlateId, Value};
use super::network::{Known, Network, State};
use super::segment::{Part, Segment};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::check::model::{At, LocalId, VarId};

/// What a latent member stands for in a factor: by its variable and how many steps ago it was.
pub(super) type Latents<'a> = &'a dyn Fn(VarId, i64) -> Option<Array>;

/// The plate of a segment's steps.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub plate: PlateId,
    pub first: i64,
}

impl Lowering<'_> {
    /// A fresh plate for the steps of a segment.
    pub(super) fn steps(&mut self, segment: &Segment) -> Steps {
        Steps { plate: self.plate(segment.count), first: segment.first }
    }

    /// The distribution that a factor gives its target in each step.
    pub(super) fn part_distribution(
        &mut self,
        network: &Network<'_>,
        part: &Part,
        steps: Steps,
        latents: Latents<'_>,
    ) -> Result<Distribution> {
        let factor = network.factor(part.factor);
        let mut old: Vec<(LocalId, Option<Value>)> = vec![];
        if let Some(index) = &factor.index {
            let first = steps.first + part.shift;
            let value = self.counting(steps.plate, first);
            old.push((index.local, self.locals.insert(index.local, value.into())));
            self.indices.insert(index.local, IndexPlate { plate: steps.plate, first });
        }
        for (member, state) in factor.members.iter().zip(&part.states[1..]) {
            let value = self.member_value(network, member.var, member.at, *state, part, steps, latents)?;
            old.push((member.local, self.locals.insert(member.local, value.into())));
        }
        let frozen = self.frozen;
        self.frozen |= network.density.frozen;
        self.scope.push(steps.plate);
        let value = self.eval(&factor.dist);
        self.scope.pop();
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

    /// The values of a factor's target in each step.
    pub(super) fn part_target(&mut self, network: &Network<'_>, part: &Part, steps: Steps, latents: Latents<'_>) -> Result<Array> {
        let factor = network.factor(part.factor);
        self.member_value(network, factor.target, factor.at.unwrap_or(At::Number(0)), part.states[0], part, steps, latents)
    }

    /// The log-density of a factor in each step.
    pub(super) fn log_part(&mut self, network: &Network<'_>, part: &Part, steps: Steps, latents: Latents<'_>) -> Result<Array> {
        let distribution = self.part_distribution(network, part, steps, latents)?;
        let target = self.part_target(network, part, steps, latents)?;
        self.at(network.factor(part.factor).dist.span, |this| this.log_prob(&distribution, &target))
    }

    #[allow(clippy::too_many_arguments)]
    fn member_value(
        &mut self,
        network: &Network<'_>,
        var: VarId,
        at: At,
        state: State,
        part: &Part,
        steps: Steps,
        latents: Latents<'_>,
    ) -> Result<Array> {
        let number = at.member(steps.first + part.shift);
        match state {
            State::Known(k) => self.known_value(network, &network.known[k], at, number, steps),
            State::Latent => latents(var, steps.first - number).ok_or_else(|| Diagnostic::internal("a latent member without a value")),
        }
    }

    /// The slice of known members that a segment meets, along its plate.
    fn known_value(&mut self, network: &Network<'_>, known: &Known, at: At, number: i64, steps: Steps) -> Result<Array> {
        let Some(value) = &known.value else { return Err(Diagnostic::internal("a member without a value")) };
        if network.model.vars[known.var].members().is_none() {
            return Ok(value.clone());
        }
        let from = (number - known.from) as usize;
        Ok(match at {
            At::Number(_) => self.one_element(value, 0, from),
            At::Offset(_) => self.axis_to_plate(value, 0, steps.plate, from),
        })
    }

    /// first, first + 1, … along a plate.
    pub(super) fn counting(&mut self, plate: PlateId, first: i64) -> Array {
        let count = self.sizes(&[plate])[0];
        let (iota, first) = (self.b().iota(count), self.b().fill(first as f64, DType::Int, &[count]));
        let node = self.b().add(iota, first);
        self.array(node, vec![plate])
    }
}
