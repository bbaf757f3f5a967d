//! Integrals over the latent members of linear-Gaussian chains by the Kalman filter: log p(x) is the sum of the log-densities of each
//! observation given the ones before it (prediction-error decomposition; Särkkä: Bayesian filtering and smoothing, 2013, theorem
//! 4.2 and equation 12.11; Durbin, Koopman: Time series analysis by state space methods, 2012, section 7.2). The cost is linear in the
//! number of members.

use super::super::lowering::{Lowering, union};
use super::super::value::{Array, PlateId};
use super::linear::{Entry, LinearFactor, LinearPart};
use super::moments::{Moments, Tilt};
use super::network::Network;
use super::part::Steps;
use super::scan::Turn;
use super::segment::{Schedule, Segment};
use crate::base::diagnostic::Result;
use crate::check::model::VarId;

/// Zero log-factors of every member of a latent variable: see [`Tilt`]. Arrays lead with an axis of members.
pub(super) struct Tilts {
    pub var: VarId,
    /// The number of the first member
    pub first: i64,
    pub linear: Array,
    pub quadratic: Option<(Array, Array)>,
}

/// A segment's factors, with its steps as a plate.
struct LinearSegment<'s> {
    segment: &'s Segment,
    steps: Steps,
    factors: Vec<LinearFactor>,
}

/// How elements are represented: as plates, or in vectors and matrices.
#[derive(Clone)]
pub(super) enum Elements {
    Plates(Vec<PlateId>),
    Vectors,
}

/// The filter so far.
struct Filter {
    state: Moments,
    total: Vec<Array>,
}

impl<'m> Lowering<'m> {
    /// log of the integral over all latent members: terms whose sum it is, and how elements were represented.
    pub(super) fn kalman_filter(
        &mut self,
        network: &Network<'m>,
        schedule: &Schedule,
        tilts: Option<&Tilts>,
    ) -> Result<(Vec<Array>, Elements)> {
        let mut segments = vec![];
        for segment in &schedule.steps {
            let steps = self.steps(segment);
            segments.push(LinearSegment { segment, steps, factors: self.linear_factors(network, segment, steps)? });
        }
        let elements = self.elements(&segments);
        let mut filter = Filter { state: Moments::default(), total: vec![] };
        for linear in &segments {
            self.filter_segment(schedule, linear, &elements, tilts, &mut filter)?;
        }
        Ok((filter.total, elements))
    }

    fn elements(&mut self, segments: &[LinearSegment<'_>]) -> Elements {
        let mut factors = segments.iter().flat_map(|segment| &segment.factors);
        let Some(shape) = factors.clone().next().map(|factor| factor.shape.clone()) else { return Elements::Vectors };
        match factors.all(|factor| factor.is_elementwise(&shape)) {
            true => Elements::Plates(shape.iter().map(|&size| self.plate(size)).collect()),
            false => Elements::Vectors,
        }
    }

    fn filter_segment(
        &mut self,
        schedule: &Schedule,
        linear: &LinearSegment<'_>,
        elements: &Elements,
        tilts: Option<&Tilts>,
        filter: &mut Filter,
    ) -> Result<()> {
        let LinearSegment { segment, steps, factors } = linear;
        let mut parts = vec![];
        for factor in factors {
            parts.push(match elements {
                Elements::Plates(plates) => self.over_elements(factor, plates)?,
                Elements::Vectors => self.as_matrices(factor)?,
            });
        }
        let tilt = tilts.and_then(|tilts| self.tilts_of(segment, *steps, elements, tilts, &parts));
        let remembered = schedule.memory.values().any(|memory| *memory > 0);
        if remembered && segment.count > 1 {
            return self.filter_scan(schedule, *steps, elements, parts, tilt, filter);
        }
        if remembered {
            let mut here = |x: &Array| self.sum_over(x, &[steps.plate]);
            parts = parts.iter().map(|part| part.map(&mut here)).collect();
            let tilt = tilt.map(|(entry, tilt)| (entry, tilt.map(&mut here)));
            let log = self.filter_step(schedule, elements, &mut filter.state, &parts, tilt.as_ref())?;
            filter.total.push(log);
            return Ok(());
        }
        // Steps that do not see each other
        let log = self.filter_step(schedule, elements, &mut Moments::default(), &parts, tilt.as_ref())?;
        filter.total.push(self.sum_over(&log, &[steps.plate]));
        Ok(())
    }

    /// One step: predictions, updates, and what no later factor mentions is dropped. Returns the log-density of what was observed.
    fn filter_step(
        &mut self,
        schedule: &Schedule,
        elements: &Elements,
        state: &mut Moments,
        parts: &[LinearPart],
        tilt: Option<&(Entry, Tilt)>,
    ) -> Result<Array> {
        *state = std::mem::take(state).aged();
        let mut log = self.real(0.0);
        for part in parts {
            match part.value {
                None => self.predict(state, part)?,
                Some(_) => {
                    let seen = self.update(state, part)?;
                    log = self.add(&log, &seen)?;
                }
            }
        }
        if let Some((entry, tilt)) = tilt {
            let tilted = self.tilt(state, *entry, tilt)?;
            log = self.add(&log, &tilted)?;
        }
        state.keep(|(var, lag)| schedule.memory.get(var).is_some_and(|memory| lag < memory));
        Ok(match elements {
            Elements::Plates(plates) => self.sum_over(&log, plates),
            Elements::Vectors => log,
        })
    }

    fn filter_scan(
        &mut self,
        schedule: &Schedule,
        steps: Steps,
        elements: &Elements,
        parts: Vec<LinearPart>,
        tilt: Option<(Entry, Tilt)>,
        filter: &mut Filter,
    ) -> Result<()> {
        let state = std::mem::take(&mut filter.state);
        let without_steps = |plates: Vec<PlateId>| plates.into_iter().filter(|&p| p != steps.plate).collect::<Vec<_>>();
        let precision = tilt.iter().filter_map(|(_, tilt)| tilt.quadratic.as_ref().map(|(precision, _)| precision));
        let spread = parts.iter().flat_map(LinearPart::spread).chain(state.covs.values()).chain(precision);
        let spread = without_steps(union(spread.map(|x| &x.plates[..])));
        let of_tilt = tilt.iter().flat_map(|(_, tilt)| tilt.arrays());
        let level = parts.iter().flat_map(LinearPart::level).chain(state.means.values());
        let level = without_steps(union(level.map(|x| &x.plates[..]).chain(of_tilt.map(|x| &x.plates[..])).chain([&spread[..]])));
        let means: Vec<Array> = state.means.values().map(|mean| self.expanded(mean, &level)).collect();
        let covs: Vec<Array> = state.covs.values().map(|cov| self.expanded(cov, &spread)).collect();
        let carries = [means, covs].concat();

        let mut inputs: Vec<Array> = vec![];
        let mut noted = |x: &Array| {
            inputs.push(x.clone());
            x.clone()
        };
        parts.iter().for_each(|part| drop(part.map(&mut noted)));
        tilt.iter().for_each(|(_, tilt)| drop(tilt.map(&mut noted)));
        let done = self.over_steps(steps, &carries, &inputs, |this, inside| {
            let mut inputs = inside.inputs.into_iter();
            let mut next = |x: &Array| inputs.next().unwrap_or_else(|| x.clone());
            let parts: Vec<LinearPart> = parts.iter().map(|part| part.map(&mut next)).collect();
            let tilt = tilt.as_ref().map(|(entry, tilt)| (*entry, tilt.map(&mut next)));
            let mut now = state.with(inside.carries.into_iter());
            let log = this.filter_step(schedule, elements, &mut now, &parts, tilt.as_ref())?;
            Ok(Turn { carries: now.arrays(), kept: vec![log] })
        })?;
        filter.state = state.with(done.carries.into_iter());
        filter.total.extend(done.kept.iter().map(|log| self.sum_over(log, &[steps.plate])));
        Ok(())
    }

    /// The tilt of the member of each step of a segment, where its variable is latent there.
    fn tilts_of(
        &mut self,
        segment: &Segment,
        steps: Steps,
        elements: &Elements,
        tilts: &Tilts,
        parts: &[LinearPart],
    ) -> Option<(Entry, Tilt)> {
        let entry = (tilts.var, 0);
        if !parts.iter().any(|part| part.target == entry && part.value.is_none()) {
            return None;
        }
        let mut slice = |x: &Array| {
            let slice = self.axis_to_plate(x, 0, steps.plate, (segment.first - tilts.first) as usize);
            match elements {
                Elements::Plates(plates) => self.lift_onto(&slice, plates),
                Elements::Vectors => slice,
            }
        };
        let linear = slice(&tilts.linear);
        let quadratic = tilts.quadratic.as_ref().map(|(precision, centre)| (slice(precision), slice(centre)));
        Some((entry, Tilt { linear, quadratic }))
    }
}

impl Tilt {
    pub fn arrays(&self) -> impl Iterator<Item = &Array> {
        std::iter::once(&self.linear).chain(self.quadratic.iter().flat_map(|(precision, centre)| [precision, centre]))
    }

    pub fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> Tilt {
        let linear = f(&self.linear);
        Tilt { linear, quadratic: self.quadratic.as_ref().map(|(precision, centre)| (f(precision), f(centre))) }
    }
}
