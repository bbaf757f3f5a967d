//! Joint densities: a product of factors out of which latent variables are integrated.
//!
//! Finite latent variables are bound to all their values, each along a plate. Continuous ones are then integrated out in blocks, by
//! the first rule that applies. What is left is a product of tables over the plates of the finite variables, which are summed out one
//! by one (variable elimination; Koller, Friedman: Probabilistic graphical models, 2009, section 9.3).

use super::super::derivation::{Big, Formula, Step};
use super::super::distribution::finite_support;
use super::super::leaves::tensor_type;
use super::super::lowering::{Lowering, union};
use super::super::value::{Array, Distribution, PlateId, Value};
use super::relation::Question;
use crate::base::Diagnostic;
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Factor, Place, VarId};
use crate::check::types::Type;

/// Latent variables to be integrated out together, with all the factors that mention them. Every other variable is bound.
pub(in crate::algebra) struct Block<'m> {
    pub density: DensityId,
    /// Parents first
    pub latents: Vec<VarId>,
    /// Parents first
    pub factors: Vec<&'m Factor>,
    pub span: Span,
}

/// What a rule says: its result, or why it does not apply, in the user's terms.
pub(in crate::algebra) enum Attempt<T> {
    Done(T),
    Obstacle(Obstacle),
}

/// Why a rule does not apply, as the end of a sentence: "p(x | z) is not linear-Gaussian in z, because it passes through `dec`".
pub(in crate::algebra) struct Obstacle {
    pub span: Span,
    pub reason: String,
}

/// A finite latent variable under enumeration.
pub(super) struct Enumerated {
    pub var: VarId,
    pub plate: PlateId,
    pub old: Option<Value>,
}

impl<'m> Lowering<'m> {
    /// log d(vars | given): the log of the product of the factors of all variables, integrated over the latents.
    pub(in crate::algebra) fn log_joint(
        &mut self,
        id: DensityId,
        vars: &[VarId],
        given: &[VarId],
        latents: &[VarId],
        span: Span,
    ) -> Result<Array> {
        self.derive_joint(id, vars, given, latents, span)?;
        let mut enumerated = vec![];
        let result = (|| {
            let continuous = self.enumerate_latents(latents, &mut enumerated)?;
            let mut terms = self.integrated(id, vars, latents, &continuous, &enumerated, span)?;
            // Each row has its own values of a local variable; a global one has the same in all rows.
            let (global, local): (Vec<&Enumerated>, Vec<&Enumerated>) = enumerated.iter().partition(|e| self.model.vars[e.var].global);
            self.eliminate(&mut terms, &local, span)?;
            let rows = self.whole_plates();
            let summed = terms.iter().map(|term| {
                let own: Vec<PlateId> = rows.iter().copied().filter(|&plate| term.varies_over(plate)).collect();
                self.sum_over(term, &own)
            });
            let mut terms = summed.collect();
            self.eliminate(&mut terms, &global, span)?;
            self.product(&terms)
        })();
        enumerated.into_iter().rev().for_each(|e| self.restore(Place::Var(e.var), e.old));
        result
    }

    /// The distribution of one continuous variable given all the evidence: its density is proportional to the joint density with the
    /// other latent variables integrated out.
    pub(in crate::algebra) fn posterior(&mut self, id: DensityId, target: VarId, question: &Question) -> Result<Distribution> {
        let block = self.posterior_block(id, target, question);
        let mut obstacles = vec![];
        for rule in [Self::conjugate_distribution, Self::gaussian_distribution] {
            match rule(self, target, &block)? {
                Attempt::Done(distribution) => return Ok(distribution),
                Attempt::Obstacle(obstacle) => obstacles.push(obstacle),
            }
        }
        Err(self.no_distribution(id, target, question, &obstacles))
    }

    /// The target and the latent variables of a question, with all factors that relate them to what is known.
    pub(super) fn posterior_block(&self, id: DensityId, target: VarId, question: &Question) -> Block<'m> {
        let density = &self.model.densities[id];
        let mut unknown = vec![target];
        unknown.extend(question.latents.iter().filter(|&&v| v != target));
        let unknown = density.parents_first(unknown);
        let known = question.evidence.iter().copied();
        let order = density.parents_first(unknown.iter().copied().chain(known).collect());
        let mut factors: Vec<&Factor> = vec![];
        for factor in order.iter().filter_map(|&var| density.factor_of(var)) {
            if !factors.iter().any(|known| std::ptr::eq(*known, factor)) {
                factors.push(factor);
            }
        }
        Block { density: id, latents: unknown, factors, span: question.span }
    }

    /// Binds the finite latent variables to their values; the others are returned.
    pub(super) fn enumerate_latents(&mut self, latents: &[VarId], enumerated: &mut Vec<Enumerated>) -> Result<Vec<VarId>> {
        let mut continuous = vec![];
        for &var in latents {
            match self.values_of(var)? {
                Some((values, plate)) => {
                    let old = self.bind(Place::Var(var), values);
                    enumerated.push(Enumerated { var, plate, old });
                }
                None => continuous.push(var),
            }
        }
        Ok(continuous)
    }

    pub(super) fn is_finite(&self, var: VarId) -> bool {
        matches!(&self.model.vars[var].ty, Type::Array(array) if finite_support(&array.support).is_some())
    }

    fn values_of(&mut self, var: VarId) -> Result<Option<(Array, PlateId)>> {
        match &self.model.vars[var].ty {
            Type::Array(array) => self.all_values(&array.support, &tensor_type(&self.model.vars[var].ty)?.shape),
            Type::Tuple(_) | Type::Distribution(_) | Type::Error => Ok(None),
        }
    }

    /// The log-factors of the variables, with the continuous latent variables integrated out.
    fn integrated(
        &mut self,
        id: DensityId,
        vars: &[VarId],
        latents: &[VarId],
        continuous: &[VarId],
        enumerated: &[Enumerated],
        span: Span,
    ) -> Result<Vec<Array>> {
        let density = &self.model.densities[id];
        let order = density.parents_first(latents.iter().chain(vars).copied().collect());
        let mut factors = vec![];
        for &var in &order {
            let factor = density.factor_of(var).ok_or_else(|| self.no_factor(density, var, span))?;
            if !factors.iter().any(|known: &&Factor| std::ptr::eq(*known, factor)) {
                factors.push(factor);
            }
        }
        let (blocks, outside) = blocks(id, continuous, factors, span);
        let mut terms = vec![];
        for factor in outside {
            terms.push(self.log_factor(id, factor)?);
        }
        for block in &blocks {
            let summed: Vec<VarId> = enumerated.iter().map(|e| e.var).collect();
            self.refuse_mixed(block, &summed)?;
            terms.push(self.integrate(block)?);
        }
        Ok(terms)
    }

    /// The steps of a joint density: the sum or integral over latent variables, then the product of the declared factors.
    fn derive_joint(&mut self, id: DensityId, vars: &[VarId], given: &[VarId], latents: &[VarId], span: Span) -> Result<()> {
        let density = &self.model.densities[id];
        let all = [latents, vars].concat();
        let mut declared: Vec<&Factor> = vec![];
        for &var in &all {
            let factor = density.factor_of(var).ok_or_else(|| self.no_factor(density, var, span))?;
            if !declared.iter().any(|known| std::ptr::eq(*known, factor)) {
                declared.push(factor);
            }
        }
        let factors: Vec<Formula> = declared.iter().map(|factor| self.density_formula(id, &factor.targets, &factor.given)).collect();
        if !latents.is_empty() {
            let before = self.log_density_formula(id, vars, given);
            let (finite, continuous): (Vec<VarId>, Vec<VarId>) = latents.iter().partition(|&&var| self.is_finite(var));
            let mut body = self.density_formula(id, &[vars, latents].concat(), given);
            for (operator, over) in [(Big::Integral, continuous), (Big::Sum, finite)] {
                let below: Vec<Formula> = over.iter().map(|&var| self.var_formula(var)).collect();
                if !below.is_empty() {
                    body = Formula::Big { operator, below, above: None, body: Box::new(body) };
                }
            }
            self.derive(Step::new("marginalisation", before, Formula::log(body), span));
        }
        if factors.len() > 1 {
            let joint = self.density_formula(id, &[vars, latents].concat(), given);
            self.derive(Step::new("chain rule", joint, Formula::product(factors), span));
        }
        // Factors that no rule integrates out are evaluated, and their log-densities are steps of their own.
        let continuous: Vec<VarId> = latents.iter().copied().filter(|&var| !self.is_finite(var)).collect();
        let integrated =
            |factor: &&Factor| factor.targets.len() > 1 || factor.targets.iter().chain(&factor.given).any(|var| continuous.contains(var));
        for factor in declared.into_iter().filter(integrated) {
            let targets: Vec<Formula> = factor.targets.iter().map(|&var| self.var_formula(var)).collect();
            let value = if let [one] = &targets[..] { one.clone() } else { Formula::Tuple(targets) };
            let dist = self.formula(&factor.dist).at(value);
            self.derive(Step::new("declared factor", self.density_formula(id, &factor.targets, &factor.given), dist, factor.span));
        }
        Ok(())
    }

    /// The log-density of a factor at the values of its variables.
    pub(in crate::algebra) fn log_factor(&mut self, id: DensityId, factor: &'m Factor) -> Result<Array> {
        let distribution = self.factor_distribution(id, factor)?;
        let value = match factor.targets[..] {
            [target] => self.variable(target)?,
            _ => {
                let values = factor.targets.iter().map(|&var| self.variable(var)).collect::<Result<Vec<_>>>()?;
                return self.log_prob_of_tuple(&distribution, values);
            }
        };
        self.derive_log_factor(id, factor);
        let log = self.log_prob(&distribution, &value)?;
        Ok(self.recorded(id, factor, &distribution, &value, log))
    }

    /// log ∫ of the product of a block's factors over its latent variables.
    fn integrate(&mut self, block: &Block<'m>) -> Result<Array> {
        let mut obstacles = vec![];
        for rule in [Self::conjugate_integral, Self::gaussian_integral] {
            match rule(self, block)? {
                Attempt::Done(log) => return Ok(log),
                Attempt::Obstacle(obstacle) => obstacles.push(obstacle),
            }
        }
        Err(self.no_integral(block, &obstacles))
    }

    /// Sums finite latent variables out of a product of tables.
    pub(super) fn eliminate(&mut self, terms: &mut Vec<Array>, enumerated: &[&Enumerated], span: Span) -> Result<()> {
        let plates: Vec<PlateId> = enumerated.iter().map(|e| e.plate).collect();
        self.sum_out(terms, &plates)?;
        for e in enumerated {
            let (values, name) = (self.sizes(&[e.plate])[0], self.names(&[e.var]));
            self.note(span, format!("exact sum over {values} values of {name}"));
        }
        Ok(())
    }

    /// Sums plates out of a product of tables, the one next whose product of tables is smallest. Plates over which no table varies
    /// are left out.
    pub(in crate::algebra) fn sum_out(&mut self, terms: &mut Vec<Array>, plates: &[PlateId]) -> Result<()> {
        let mut left: Vec<PlateId> = plates.iter().copied().filter(|&plate| terms.iter().any(|t| t.varies_over(plate))).collect();
        while !left.is_empty() {
            let cost = |plate: PlateId| -> usize {
                let touched = union(terms.iter().filter(|t| t.varies_over(plate)).map(|t| &t.plates[..]));
                self.sizes(&touched).iter().product()
            };
            let next = (0..left.len()).min_by_key(|&i| cost(left[i])).unwrap_or(0);
            let plate = left.remove(next);
            let (touched, others): (Vec<Array>, Vec<Array>) = terms.drain(..).partition(|t| t.varies_over(plate));
            *terms = others;
            let product = self.product(&touched)?;
            terms.push(self.log_sum_exp(&product, &[plate])?);
        }
        Ok(())
    }

    /// The sum of log-factors.
    pub(in crate::algebra) fn product(&mut self, terms: &[Array]) -> Result<Array> {
        let (first, rest) = terms.split_first().ok_or_else(|| Diagnostic::internal("a product of no factors"))?;
        rest.iter().try_fold(first.clone(), |sum, term| self.add(&sum, term))
    }
}

/// The continuous latent variables grouped by the factors they share; the factors that mention none of them.
fn blocks<'m>(density: DensityId, latents: &[VarId], factors: Vec<&'m Factor>, span: Span) -> (Vec<Block<'m>>, Vec<&'m Factor>) {
    let mentions = |factor: &Factor, block: &[VarId]| factor.targets.iter().chain(&factor.given).any(|var| block.contains(var));
    let (inside, outside): (Vec<&Factor>, Vec<&Factor>) = factors.into_iter().partition(|factor| mentions(factor, latents));
    let mut groups: Vec<Vec<VarId>> = latents.iter().map(|&var| vec![var]).collect();
    for factor in &inside {
        let (joined, mut apart): (Vec<Vec<VarId>>, Vec<Vec<VarId>>) = groups.into_iter().partition(|group| mentions(factor, group));
        apart.push(joined.concat());
        groups = apart;
    }
    let in_order = |group: Vec<VarId>| latents.iter().copied().filter(|var| group.contains(var)).collect::<Vec<_>>();
    let block = |latents: Vec<VarId>| {
        let factors = inside.iter().copied().filter(|factor| mentions(factor, &latents)).collect();
        Block { density, latents, factors, span }
    };
    (groups.into_iter().map(in_order).filter(|group| !group.is_empty()).map(block).collect(), outside)
}
