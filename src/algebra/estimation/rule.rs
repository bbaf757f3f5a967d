//! The M-step by the rules of the library: `rule maximum_likelihood(x ~ Normal(m, s)) = …`.

use super::super::leaves::tensor_type;
use super::super::lowering::{Lowering, union};
use super::super::observations::{Observations, Sample};
use super::super::value::{Array, Distribution, PlateId, Value};
use super::Weighted;
use super::record::Record;
use super::slot::Slot;
use crate::base::diagnostic::Result;
use crate::base::op::{CompareOp, DType};
use crate::base::{Diagnostic, Span};
use crate::check::model::{ParamId, Rule, RuleKind};
use crate::graph::Op;

/// Which observations belong to which entry of a fitted parameter.
struct Cells {
    /// The plates of the entries: of the values that choose, then of the axes over which the distribution is repeated
    own: Vec<PlateId>,
    observations: Observations,
}

impl<'m> Lowering<'m> {
    /// Factors all of whose learned parameters stand as they are: by one rule for all of these together.
    pub(super) fn fit_by_rules(&mut self, factors: &[Weighted<'m>], fitted: &mut Vec<(ParamId, Array)>) -> Result<()> {
        for factor in factors {
            let positions: Vec<usize> = (0..factor.slots.len()).filter(|&i| factor.slots[i].is_some()).collect();
            let shared = factor.learned.iter().any(|&id| stands_in(factors, id) > 1);
            let done = fitted.iter().any(|(id, _)| factor.learned.contains(id));
            if done || positions.is_empty() || positions.len() < factor.learned.len() || shared {
                continue;
            }
            fitted.extend(self.fit_together(factor, &positions, &[])?.unwrap_or_default());
        }
        Ok(())
    }

    /// The parameters that are left, one after the other, given those fitted so far: each step raises the likelihood
    /// (Meng, Rubin: Maximum likelihood estimation via the ECM algorithm, 1993).
    pub(super) fn fit_in_turn(&mut self, factors: &[Weighted<'m>], fitted: &mut Vec<(ParamId, Array)>) -> Result<()> {
        for factor in factors {
            for (position, slot) in factor.slots.iter().enumerate() {
                let Some(slot) = slot else { continue };
                let done = fitted.iter().any(|(id, _)| *id == slot.param);
                if !done && stands_in(factors, slot.param) == 1 {
                    let found = self.fit_together(factor, &[position], fitted)?;
                    fitted.extend(found.unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// The parameters at these positions by the rule that fits just them, the others having the values in `known`.
    fn fit_together(
        &mut self,
        factor: &Weighted<'m>,
        positions: &[usize],
        known: &[(ParamId, Array)],
    ) -> Result<Option<Vec<(ParamId, Array)>>> {
        let Some(rule) = self.likelihood_rule(&factor.record.distribution, positions) else { return Ok(None) };
        let slots: Vec<&Slot> = positions.iter().filter_map(|&i| factor.slots[i].as_ref()).collect();
        let span = self.span_of(factor);
        let uses = std::iter::once((&factor.record, &factor.weight)).chain(factor.others.iter().map(|(record, weight)| (record, weight)));
        let (mut own, mut samples) = (None, vec![]);
        for (record, weight) in uses {
            let sample = self.replayed(record, known, |this, record| {
                let d = this.distribution_of(record)?;
                if slots.iter().any(|slot| !same_choice(slots[0], slot)) || !this.all_repeated_alike(&d, positions)? {
                    return Ok(None);
                }
                this.sample(record, &d, slots[0], this.is_repeated(&d, positions[0])?, weight.clone()).map(Some)
            })?;
            let Some((plates, sample)) = sample else { return Ok(None) };
            // The entries of the parameter must be the same plates for all uses.
            if own.get_or_insert_with(|| plates.clone()) != &plates {
                return Ok(None);
            }
            samples.push(sample);
        }
        let Some(result) = self.apply_rule(rule, positions, &own.unwrap_or_default(), samples)? else { return Ok(None) };
        let fitted = slots.iter().zip(result).map(|(slot, value)| (slot.param, value)).collect();
        self.note_rule(span, rule, &slots);
        self.derive_rule(&factor.record, rule, &slots);
        Ok(Some(fitted))
    }

    fn likelihood_rule(&self, d: &Distribution, positions: &[usize]) -> Option<&'m Rule> {
        let fits = |rule: &&Rule| rule.kind == RuleKind::MaximumLikelihood && rule.dists == [d.dist] && rule.fitted == positions;
        self.model.rules.iter().find(fits)
    }

    /// Whether all the parameters have the axes over which the distribution is repeated, or none of them has.
    fn all_repeated_alike(&mut self, d: &Distribution, positions: &[usize]) -> Result<bool> {
        let repeated = positions.iter().map(|&i| self.is_repeated(d, i)).collect::<Result<Vec<_>>>()?;
        Ok(repeated.windows(2).all(|pair| pair[0] == pair[1]))
    }

    fn is_repeated(&self, d: &Distribution, position: usize) -> Result<bool> {
        let local = self.model.dists[d.dist].params[position];
        Ok(self.shape(&d.params[position]).len() > tensor_type(&self.model.locals[local].ty)?.rank())
    }

    /// The arguments of a rule at the values of a record, and which observations belong to which entry.
    fn sample(
        &mut self,
        record: &Record<'m>,
        d: &Distribution,
        slot: &Slot,
        own_axes: bool,
        weight: Array,
    ) -> Result<(Vec<PlateId>, Sample)> {
        let (params, repeated) = self.lift_params(d)?;
        let value = self.lift_value(d, &record.value, &repeated)?;
        let mut seen: Vec<&Array> = vec![&value];
        let arrays: Vec<Array> = params.iter().map(|param| param.clone().array()).collect::<Result<_>>()?;
        seen.extend(&arrays);
        let all = union(seen.iter().map(|array| &array.plates[..]).chain([&weight.plates[..], &repeated]));
        let cells = self.cells(slot, weight, &all, if own_axes { &repeated } else { &[] })?;
        let args = std::iter::once(Value::Array(value)).chain(params).collect();
        Ok((cells.own, Sample { args, observations: cells.observations }))
    }

    /// The fitted parameters at some positions, shaped as the learned parameters that stand there; `own`: the plates of their entries.
    fn apply_rule(&mut self, rule: &Rule, positions: &[usize], own: &[PlateId], samples: Vec<Sample>) -> Result<Option<Vec<Array>>> {
        let result = self.call_over_all(rule.function, samples)?.distribution()?;
        let mut fitted = vec![];
        for &position in positions {
            let array = &result.params[position];
            if array.plates.iter().any(|plate| !own.contains(plate)) {
                return Ok(None);
            }
            fitted.push(self.lower_plates(array, own));
        }
        Ok(Some(fitted))
    }

    /// The entries along the plate of an enumerated variable are that plate; along any other choice, an observation counts for the entry
    /// that it chooses.
    fn cells(&mut self, slot: &Slot, weight: Array, all: &[PlateId], repeated: &[PlateId]) -> Result<Cells> {
        let (mut own, mut weight) = (vec![], weight);
        let shape = tensor_type(&self.model.params[slot.param].ty)?.shape;
        for (index, &size) in slot.indices.iter().zip(&shape) {
            if let [plate] = index.plates[..]
                && matches!(self.frames.graph(index.frame).node(index.node).op, Op::Iota(n) if n == size)
                && !own.contains(&plate)
            {
                own.push(plate);
                continue;
            }
            let entry = self.plate(size);
            let places = self.b().iota(size);
            let places = self.array(places, vec![entry]);
            let chosen = self.compare(CompareOp::Eq, index, &places)?;
            let chosen = self.cast(&chosen, DType::Real);
            weight = self.mul(&weight, &chosen)?;
            own.push(entry);
        }
        own.extend(repeated);
        let plates = all.iter().copied().filter(|plate| !own.contains(plate)).collect();
        Ok(Cells { own, observations: Observations { plates, weight: Some(weight) } })
    }

    fn note_rule(&mut self, span: Span, rule: &Rule, slots: &[&Slot]) {
        let names: Vec<&str> = slots.iter().map(|slot| self.param_name(slot.param)).collect();
        let dist = &self.model.dists[rule.dists[0]].name;
        let source = rule.source.as_ref().map_or(String::new(), |source| format!(" ({source})"));
        self.note(span, format!("{}: maximum likelihood of {dist} in closed form{source}", names.join(", ")));
    }

    fn lift_value(&mut self, d: &Distribution, x: &Array, repeated: &[PlateId]) -> Result<Array> {
        let event = tensor_type(&self.model.dists[d.dist].event)?;
        let x = self.cast(x, event.dtype);
        match self.shape(&x).len().checked_sub(event.rank()) {
            Some(0) => Ok(x),
            Some(_) => Ok(self.lift_onto(&x, repeated)),
            None => Err(Diagnostic::internal("a value with fewer axes than an event")),
        }
    }
}

/// In how many factors a parameter stands.
pub(super) fn stands_in(factors: &[Weighted<'_>], id: ParamId) -> usize {
    factors.iter().filter(|factor| factor.learned.contains(&id)).count()
}

/// Whether two parameters are chosen by the same values.
fn same_choice(a: &Slot, b: &Slot) -> bool {
    a.chooses_as(&Slot { param: a.param, indices: b.indices.clone() })
}
