//! What a distribution of global variables that is conjugate to a factor says of it: the factor's expected log-density, and the posterior
//! after observations that count by weights. Both follow from the library's rule for the posterior.

use super::super::lowering::{Lowering, union};
use super::super::observations::Observations;
use super::super::value::{Array, PlateId};
use super::conjugate::Family;
use super::pair::Known;
use super::product::Attempt;
use crate::base::diagnostic::Result;
use crate::check::model::{ConjugateKind, Factor};
use crate::pass;

/// The logarithm of a factor under a distribution of the variables that it is given.
pub(super) struct Expected {
    /// E[log p(x | θ)], in each cell of x
    pub log: Array,
    /// log p(x | θ) at one value of θ, as a constant
    pub at_centre: Array,
}

impl<'m> Lowering<'m> {
    /// E_q[log p(x | θ)]. Where x counts ε times, ∫ q(θ) p(x | θ)^ε dθ = q(θ) p(x | θ)^ε / q_ε(θ) for every θ, q_ε being the posterior
    /// (Besag: A candidate's formula, 1989). The derivative of its logarithm at ε = 0 is the expectation.
    pub(super) fn expected_log_factor(&mut self, family: &Family<'m>, q: &Known, child: &'m Factor) -> Result<Attempt<Expected>> {
        let (rule, likelihood) = match self.matched(ConjugateKind::Posterior, family, q, child)? {
            Attempt::Done(found) => found,
            Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let zero = self.real(0.0);
        let count = self.of_its_own(&zero);
        let observations = Observations { plates: likelihood.plates.clone(), weight: Some(count.clone()) };
        let posterior = self.conclude(rule, q, &likelihood, observations)?;
        let centre: Vec<Array> = self.centre(q)?.iter().map(|value| self.stop(value)).collect();
        let log = self.log_prob_of_each(&posterior, &centre)?;
        let mut slope = self.slope_of_cells(&log, &count)?;
        if let Some(of_class) = &likelihood.weight {
            slope = self.mul(&slope, of_class)?;
        }
        let slope = self.sum_over(&slope, &q.plates);
        let values: Vec<Array> = centre.iter().map(|value| self.lower_plates(value, &q.plates)).collect();
        let old = self.bind_all(&family.prior.targets, values);
        let at_centre = self.log_factor(family.density, child);
        self.restore_all(old);
        let at_centre = at_centre?;
        let log = self.sub(&at_centre, &slope)?;
        Ok(Attempt::Done(Expected { log, at_centre }))
    }

    /// The derivative of every cell with respect to one number.
    fn slope_of_cells(&mut self, of: &Array, by: &Array) -> Result<Array> {
        let (y, x) = (self.node(of), self.node(by));
        let one = self.b().fill_like(1.0, x);
        let slope = pass::tangent(self.b(), &[y], &[x], &[one])?;
        Ok(self.array(slope[0], of.plates.clone()))
    }

    /// The posterior after observations of several kinds, each cell of them counting by its weight.
    pub(super) fn weighted_posterior(
        &mut self,
        family: &Family<'m>,
        prior: &Known,
        observed: &[(&'m Factor, Array)],
    ) -> Result<Attempt<Known>> {
        let mut posterior = prior.clone();
        for (child, weight) in observed {
            let (rule, likelihood) = match self.matched(ConjugateKind::Posterior, family, &posterior, child)? {
                Attempt::Done(found) => found,
                Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
            };
            let weight = match &likelihood.weight {
                Some(of_class) => self.mul(weight, of_class)?,
                None => weight.clone(),
            };
            let seen = likelihood.params.iter().chain([&likelihood.observed, &weight]).map(|array| &array.plates[..]);
            let cells = union(seen.chain([&likelihood.plates[..]]));
            let plates: Vec<PlateId> = cells.into_iter().filter(|plate| !posterior.plates.contains(plate)).collect();
            posterior = self.conclude(rule, &posterior, &likelihood, Observations { plates, weight: Some(weight) })?;
        }
        Ok(Attempt::Done(posterior))
    }
}
