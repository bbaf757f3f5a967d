//! Sums over all paths of finite chains, by the forward algorithm in the logarithmic domain (Rabiner: A tutorial on hidden Markov
//! models and selected applications in speech recognition, 1989, equations 19 to 21, scaled as in section V.A). The cost is linear in
//! the number of members.

use super::super::lowering::{Lowering, union};
use super::super::value::{Array, PlateId};
use super::network::Network;
use super::part::Steps;
use super::scan::Turn;
use super::segment::{Schedule, Segment};
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic};
use crate::check::model::VarId;
use crate::check::types::{ArrayType, Type};
use std::collections::BTreeMap;

/// The plates of latent members: a variable so many steps ago.
type Window = BTreeMap<(VarId, i64), (PlateId, Array)>;

/// A zero log-factor of every member of a latent variable, [members, values]: the derivative by it is the posterior marginal.
pub(super) struct Potential {
    pub var: VarId,
    pub first: i64,
    pub value: Array,
}

/// What has been summed up to some step.
struct Forward {
    /// Normalised over the plates of the window; none before the first step
    message: Option<Array>,
    /// The logarithms of the normalisers so far
    total: Vec<Array>,
}

impl<'m> Lowering<'m> {
    /// log of the sum over all values of the latent members.
    pub(super) fn forward_algorithm(
        &mut self,
        network: &Network<'m>,
        schedule: &Schedule,
        potential: Option<&Potential>,
    ) -> Result<Vec<Array>> {
        let window = self.window(network, schedule)?;
        let mut forward = Forward { message: None, total: vec![] };
        for segment in &schedule.steps {
            self.forward_segment(network, schedule, segment, &window, potential, &mut forward)?;
        }
        Ok(forward.total)
    }

    /// All values of every latent variable at every distance that factors look back.
    fn window(&mut self, network: &Network<'m>, schedule: &Schedule) -> Result<Window> {
        let mut window = Window::new();
        for (&var, &memory) in &schedule.memory {
            let declared = &network.model.vars[var];
            let Type::Array(ArrayType { support, shape }) = declared.member_type() else {
                return Err(Diagnostic::internal("a chain of tuples"));
            };
            let shape: Vec<usize> = shape.iter().filter_map(|size| size.known()).collect();
            for lag in 0..=memory {
                let Some((values, plate)) = self.all_values(&support, &shape)? else {
                    let message = format!("one member of `{}` has more values than can be summed over", declared.name);
                    return Err(Diagnostic::new(Code::NoRule, message)
                        .label(network.span, "neither given nor a target here")
                        .label(declared.span, format!("each member is {}", declared.member_type())));
                };
                window.insert((var, lag), (plate, values));
            }
        }
        Ok(window)
    }

    fn forward_segment(
        &mut self,
        network: &Network<'m>,
        schedule: &Schedule,
        segment: &Segment,
        window: &Window,
        potential: Option<&Potential>,
        forward: &mut Forward,
    ) -> Result<()> {
        let steps = self.steps(segment);
        let latent = |var: VarId, lag: i64| window.get(&(var, lag)).map(|(_, values)| values.clone());
        let mut terms = segment.parts.iter().map(|part| self.log_part(network, part, steps, &latent)).collect::<Result<Vec<_>>>()?;
        if let Some(potential) = potential {
            terms.extend(self.potential_of(network, segment, steps, window, potential));
        }
        // What no later step needs is summed out of all steps at once.
        let here: Vec<PlateId> = schedule.memory.iter().filter(|(_, memory)| **memory == 0).map(|(&var, _)| window[&(var, 0)].0).collect();
        self.sum_out(&mut terms, &here)?;
        let remembered = schedule.memory.values().any(|memory| *memory > 0);
        if !remembered {
            let product = self.product(&terms)?;
            forward.total.push(self.sum_over(&product, &[steps.plate]));
            return Ok(());
        }
        if segment.count == 1 {
            terms = terms.iter().map(|term| self.sum_over(term, &[steps.plate])).collect();
            let message = forward.message.take();
            let (message, scale) = self.forward_step(schedule, window, message.as_ref(), terms)?;
            forward.total.push(scale);
            forward.message = Some(message);
            return Ok(());
        }
        self.forward_scan(schedule, segment, steps, window, terms, forward)
    }

    /// One step: the message of the step before times the step's factors, with the oldest members summed out.
    fn forward_step(
        &mut self,
        schedule: &Schedule,
        window: &Window,
        message: Option<&Array>,
        mut terms: Vec<Array>,
    ) -> Result<(Array, Array)> {
        terms.extend(message.map(|message| self.aged(window, message)));
        let oldest: Vec<PlateId> = schedule.memory.iter().map(|(&var, &memory)| window[&(var, memory)].0).collect();
        self.sum_out(&mut terms, &oldest)?;
        let message = self.product(&terms)?;
        let all: Vec<PlateId> = window.values().map(|(plate, _)| *plate).filter(|&plate| message.varies_over(plate)).collect();
        let scale = self.log_sum_exp(&message, &all)?;
        // Where all paths have probability zero, there is nothing to normalise.
        let (finite, zero) = (self.unary(UnaryOp::IsFinite, &scale), self.real(0.0));
        let shift = self.select(&finite, &scale, &zero)?;
        Ok((self.sub(&message, &shift)?, scale))
    }

    /// All steps of a segment in a loop whose body sees one of them.
    fn forward_scan(
        &mut self,
        schedule: &Schedule,
        segment: &Segment,
        steps: Steps,
        window: &Window,
        terms: Vec<Array>,
        forward: &mut Forward,
    ) -> Result<()> {
        let message = forward.message.take().unwrap_or_else(|| self.real(0.0));
        let in_window: Vec<PlateId> = window.values().map(|(plate, _)| *plate).collect();
        let touched = union(terms.iter().chain([&message]).map(|term| &term.plates[..]));
        let others: Vec<PlateId> = touched.into_iter().filter(|p| *p != steps.plate && !in_window.contains(p)).collect();
        let alive: Vec<PlateId> = segment.alive.iter().filter_map(|&(var, lag)| window.get(&(var, lag - 1)).map(|w| w.0)).collect();
        let start = self.expanded(&message, &union([&others[..], &alive]));
        let done = self.over_steps(steps, &[start], &terms, |this, inside| {
            let (message, scale) = this.forward_step(schedule, window, inside.carries.first(), inside.inputs)?;
            Ok(Turn { carries: vec![message], kept: vec![this.expanded(&scale, &others)] })
        })?;
        forward.total.extend(done.kept.iter().map(|scales| self.sum_over(scales, &[steps.plate])));
        forward.message = done.carries.into_iter().next();
        Ok(())
    }

    /// The message one step later: what was so many steps ago is now one more.
    fn aged(&mut self, window: &Window, message: &Array) -> Array {
        let older = |plate: &PlateId| {
            let known = window.iter().find(|(_, (own, _))| own == plate);
            known.and_then(|(&(var, lag), _)| window.get(&(var, lag + 1))).map_or(*plate, |(plate, _)| *plate)
        };
        let node = self.node(message);
        let plates = message.plates.iter().map(older).collect();
        self.sorted(node, plates)
    }

    /// The log-factors of a potential in a segment, where its variable is latent there.
    fn potential_of(
        &mut self,
        network: &Network<'m>,
        segment: &Segment,
        steps: Steps,
        window: &Window,
        potential: &Potential,
    ) -> Option<Array> {
        let (plate, _) = window.get(&(potential.var, 0))?;
        let (from, to) = network.model.vars[potential.var].members()?;
        if !(from..=to).contains(&segment.first) {
            return None;
        }
        let slice = self.axis_to_plate(&potential.value, 0, steps.plate, (segment.first - potential.first) as usize);
        Some(self.lift_onto(&slice, &[*plate]))
    }
}
