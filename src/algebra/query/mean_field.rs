//! Mean-field approximations of the posterior of global variables, q(θ₁) q(θ₂) …, each factor conjugate to what depends on it
//! (Bishop: Pattern recognition and machine learning, 2006, section 10.2; Winn, Bishop: Variational message passing, 2005).
//!
//! Finite local variables have no factor in q: the best one, q(z | x) ∝ exp E[log p(x, z | θ)], is summed out of the bound
//! log Σ_z exp E[log p(x, z | θ)] − Σ KL(q(θᵢ) || p(θᵢ)), and its probabilities are the derivatives of this logarithm.

use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use super::conjugate::Family;
use super::expected::Expected;
use super::pair::Known;
use super::product::{Attempt, Enumerated, Obstacle};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Bound, Density, DensityId, Factor, Place, RuleKind, VarId};
use crate::pass::derivative;

/// One factor of q, with the prior of its variables and all that depends on them.
pub(in crate::algebra) struct Component<'m> {
    pub family: Family<'m>,
    /// As q declares it
    pub declared: &'m Factor,
    pub q: Known,
    pub prior: Known,
}

pub(in crate::algebra) struct MeanField<'m> {
    pub density: DensityId,
    /// q
    pub approximation: DensityId,
    pub components: Vec<Component<'m>>,
    /// Finite variables that each row has of its own
    pub locals: Vec<VarId>,
    /// The factors of p between data, local variables and global ones
    pub factors: Vec<&'m Factor>,
    pub span: Span,
}

/// The bound at q, and the best value of each factor of q given the others.
pub(in crate::algebra) struct Ascent {
    pub bound: Array,
    pub posteriors: Vec<Known>,
    /// What of p was computed, with the global variables held constant
    pub model: Vec<Array>,
}

/// E[log p(· | ·)] of a factor of p
struct Term<'m> {
    factor: &'m Factor,
    component: Option<usize>,
    expected: Expected,
}

impl<'m> Lowering<'m> {
    /// q as a mean field for p.
    pub(in crate::algebra) fn mean_field(&mut self, bound: &Bound, span: Span) -> Result<MeanField<'m>> {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        if !p.chain.is_empty() {
            return Err(Diagnostic::unsupported("`by vbem` of chains").at(span));
        }
        let is_data = |var: &VarId| self.model.vars[*var].observed.is_some();
        let observed: Vec<VarId> = p.factors.iter().flat_map(|f| f.targets.iter().copied()).filter(is_data).collect();
        // A bound is given whatever data p has no factors of.
        let related = p.factors.iter().flat_map(|f| f.given.iter().copied());
        let given: Vec<VarId> = related.filter(|var| is_data(var) && p.factor_of(*var).is_none()).collect();
        let latents = self.question(p, &observed, &given, span)?.latents;
        let (globals, locals): (Vec<VarId>, Vec<VarId>) = latents.iter().partition(|&&var| self.model.vars[var].global);
        let related = |vars: &[VarId]| distinct(p.factors.iter().filter(|f| f.targets.iter().any(|var| vars.contains(var))));
        let factors = related(&[&observed[..], &locals].concat());
        let priors = related(&globals);
        self.refuse_other_factors(q, &globals)?;
        let mut components = vec![];
        for prior in priors {
            components.push(self.component(bound, prior, &factors, span)?);
        }
        Ok(MeanField { density: bound.p, approximation: bound.q, components, locals, factors, span })
    }

    fn component(&mut self, bound: &Bound, prior: &'m Factor, factors: &[&'m Factor], span: Span) -> Result<Component<'m>> {
        let q = &self.model.densities[bound.q];
        let names = self.names(&prior.targets);
        let Some(declared) = q.factors.iter().find(|factor| factor.targets == prior.targets) else {
            let problem = Diagnostic::new(Code::NoRule, format!("{} has no factor for {names}", q.name)).label(span, "in this bound");
            let help = format!("declare `{}({names}) = …`, of the same distribution as its prior", q.name);
            return Err(problem.label(prior.span, "the prior").help(help));
        };
        if let Some(&parent) = declared.given.iter().chain(&prior.given).next() {
            let what = format!("`by vbem` where the distribution of {names} depends on {}", self.names(&[parent]));
            let span = if declared.given.is_empty() { prior.span } else { declared.span };
            return Err(Diagnostic::unsupported(what).at(span).help("leave `by vbem` out: `maximize ELBO(p, q)` follows the gradient"));
        }
        let children = factors.iter().copied().filter(|f| f.given.iter().any(|var| prior.targets.contains(var))).collect();
        let family = Family { density: bound.p, prior, children };
        let own = self.factor_distribution(bound.q, declared)?;
        let of_prior = self.factor_distribution(bound.p, prior)?;
        if own.dist != of_prior.dist || own.shape != of_prior.shape {
            let [own, of_prior] = [own.dist, of_prior.dist].map(|dist| &self.model.dists[dist].name);
            let message = format!("{names} is {of_prior} in the prior and {own} in {}", q.name);
            return Err(Diagnostic::new(Code::NoRule, message)
                .label(declared.span, format!("`by vbem` needs {of_prior} here"))
                .label(prior.span, "the prior")
                .help(format!("write `{}({names}) = {of_prior}(…)`, or leave `by vbem` out and follow the gradient", q.name)));
        }
        Ok(Component { family, declared, q: self.known(&own)?, prior: self.known(&of_prior)? })
    }

    /// q has factors of the global variables, and of nothing else.
    fn refuse_other_factors(&self, q: &Density, globals: &[VarId]) -> Result<()> {
        let Some(other) = q.factors.iter().find(|f| !f.targets.iter().any(|var| globals.contains(var))) else { return Ok(()) };
        let names = self.names(&other.targets);
        let help = "leave it out: the best one is found exactly for finite variables; or leave `by vbem` out and follow the gradient";
        let message = format!("`by vbem` finds distributions of global variables, and {names} is none that the data depend on");
        Err(Diagnostic::new(Code::NoRule, message).label(other.span, "this factor").help(help))
    }

    /// The bound, and all factors of q updated at once given the present ones: q(z | x) is optimal for the present q(θ), and each new
    /// q(θᵢ) is optimal for that q(z | x).
    pub(in crate::algebra) fn ascend_mean_field(&mut self, field: &MeanField<'m>) -> Result<Ascent> {
        self.with_whole_data(|this| {
            let mut enumerated = vec![];
            let result = this.enumerate_latents(&field.locals, &mut enumerated).and_then(|continuous| {
                this.refuse_continuous(field, &continuous)?;
                this.ascent(field, &enumerated.iter().collect::<Vec<_>>())
            });
            enumerated.into_iter().rev().for_each(|e| this.restore(Place::Var(e.var), e.old));
            result
        })
    }

    /// The bound of each row where q leaves out finite local variables of p, and nothing else.
    pub(in crate::algebra) fn collapsed_bound(&mut self, bound: &Bound, span: Span) -> Result<Option<Array>> {
        let (p, q) = (&self.model.densities[bound.p], &self.model.densities[bound.q]);
        let is_global = |var: &VarId| self.model.vars[*var].global;
        let known = |var: &VarId| self.model.vars[*var].observed.is_some() || self.vars.contains_key(var) || q.factor_of(*var).is_some();
        let mut left_out = p.factors.iter().flat_map(|f| &f.targets).filter(|var| !known(var));
        if !q.factors.iter().flat_map(|f| &f.targets).all(is_global) || !left_out.any(|var| !is_global(var) && self.is_finite(*var)) {
            return Ok(None);
        }
        let field = self.mean_field(bound, span)?;
        self.derive_collapsed(&field);
        let mut enumerated = vec![];
        let result = self.enumerate_latents(&field.locals, &mut enumerated).and_then(|continuous| {
            self.refuse_continuous(&field, &continuous)?;
            let terms = field.factors.iter().map(|factor| self.term(&field, factor)).collect::<Result<Vec<_>>>()?;
            let mut tables = terms.into_iter().map(|term| term.expected.log).collect();
            self.eliminate(&mut tables, &enumerated.iter().collect::<Vec<_>>(), span)?;
            let rows = self.product(&tables)?;
            field.components.iter().try_fold(rows, |rows, component| {
                let divergence = self.divergence_from_prior(&field, component)?;
                let part = self.part_of_one_row(bound.p, divergence)?;
                self.sub(&rows, &part)
            })
        });
        enumerated.into_iter().rev().for_each(|e| self.restore(Place::Var(e.var), e.old));
        result.map(Some)
    }

    fn ascent(&mut self, field: &MeanField<'m>, enumerated: &[&Enumerated]) -> Result<Ascent> {
        self.derive_collapsed(field);
        let terms = field.factors.iter().map(|factor| self.term(field, factor)).collect::<Result<Vec<_>>>()?;
        let mut tables: Vec<Array> = terms.iter().map(|term| term.expected.log.clone()).collect();
        self.eliminate(&mut tables, enumerated, field.span)?;
        let rows = self.whole_plates();
        let summed = tables.iter().map(|table| {
            let own: Vec<PlateId> = rows.iter().copied().filter(|&plate| table.varies_over(plate)).collect();
            self.sum_over(table, &own)
        });
        let summed: Vec<Array> = summed.collect();
        let mut bound = self.product(&summed)?;
        let weights = self.responsibilities(&terms, &bound)?;
        let mut posteriors = vec![];
        for (at, component) in field.components.iter().enumerate() {
            let observed = terms.iter().zip(&weights).filter(|(term, _)| term.component == Some(at));
            let observed: Vec<_> = observed.map(|(term, weight)| (term.factor, weight.clone())).collect();
            posteriors.push(match self.weighted_posterior(&component.family, &component.prior, &observed)? {
                Attempt::Done(posterior) => posterior,
                Attempt::Obstacle(obstacle) => return Err(not_conjugate(field, obstacle)),
            });
            self.derive_update(field, component);
            let divergence = self.divergence_from_prior(field, component)?;
            bound = self.sub(&bound, &divergence)?;
        }
        let bound = self.part_of_one_row(field.density, bound)?;
        let priors = field.components.iter().flat_map(|component| component.prior.params.iter().cloned());
        let model = terms.into_iter().map(|term| term.expected.at_centre).chain(priors).collect();
        Ok(Ascent { bound, posteriors, model })
    }

    fn term(&mut self, field: &MeanField<'m>, factor: &'m Factor) -> Result<Term<'m>> {
        let given = |(_, c): &(usize, &Component<'m>)| factor.given.iter().any(|var| c.family.prior.targets.contains(var));
        let mut above = field.components.iter().enumerate().filter(given);
        let (component, Expected { log, at_centre }) = match (above.next(), above.next()) {
            (None, _) => {
                let log = self.log_factor(field.density, factor)?;
                (None, Expected { at_centre: log.clone(), log })
            }
            (Some((at, component)), None) => match self.expected_log_factor(&component.family, &component.q, factor)? {
                Attempt::Done(expected) => {
                    self.derive_expected(field, factor);
                    (Some(at), expected)
                }
                Attempt::Obstacle(obstacle) => return Err(not_conjugate(field, obstacle)),
            },
            (Some((_, a)), Some((_, b))) => {
                let [a, b] = [a, b].map(|component| self.names(&component.family.prior.targets));
                let what = format!("`by vbem` where {} depends on both {a} and {b}", self.names(&factor.targets));
                let problem = Diagnostic::unsupported(what).at(factor.span);
                let help = format!("give them one factor, `p({a}, {b}) = …`, or leave `by vbem` out and follow the gradient");
                return Err(problem.help(help));
            }
        };
        let log = self.of_its_own(&log);
        Ok(Term { factor, component, expected: Expected { log, at_centre } })
    }

    /// How much each cell of a factor counts: the derivatives of the bound with respect to the expected log-densities.
    fn responsibilities(&mut self, terms: &[Term<'m>], bound: &Array) -> Result<Vec<Array>> {
        let total = self.node(bound);
        let cells: Vec<_> = terms.iter().map(|term| self.node(&term.expected.log)).collect();
        let weights = derivative::gradient(self.b(), total, &cells, None)?;
        Ok(weights.into_iter().zip(terms).map(|(weight, term)| self.array(weight, term.expected.log.plates.clone())).collect())
    }

    /// KL(q(θ) || p(θ))
    fn divergence_from_prior(&mut self, field: &MeanField<'m>, component: &Component<'m>) -> Result<Array> {
        let (q, p) = (self.lowered(&component.q), self.lowered(&component.prior));
        if let Some(divergence) = self.closed_form(RuleKind::Kl, &[&q, &p])? {
            let names = self.names(&component.declared.targets);
            self.note(component.declared.span, format!("KL of {names} from its prior: closed form"));
            self.derive_divergence_from_prior(field, component);
            return Ok(divergence);
        }
        let dist = &self.model.dists[q.dist].name;
        let message = format!("the library has no divergence between two distributions {dist}");
        let problem = Diagnostic::new(Code::NoRule, message).label(component.declared.span, "from the prior");
        Err(problem.help(format!("add a `rule KL({dist}(…) || {dist}(…)) = …`")))
    }

    fn refuse_continuous(&self, field: &MeanField<'m>, continuous: &[VarId]) -> Result<()> {
        let Some(&var) = continuous.first() else { return Ok(()) };
        let what = format!("`by vbem` with {}, which is not finite and which each row has of its own", self.names(&[var]));
        Err(Diagnostic::unsupported(what).at(field.span).help("give it a factor in q and leave `by vbem` out: follow the gradient"))
    }
}

fn not_conjugate(field: &MeanField<'_>, obstacle: Obstacle) -> Diagnostic {
    let problem = Diagnostic::new(Code::NoRule, "the factors of q are not conjugate to those of p");
    let problem = problem.label(obstacle.span, obstacle.reason).label(field.span, "in this bound");
    problem.help("leave `by vbem` out, and declare a factor of q for every variable: `maximize ELBO(p, q)` follows the gradient")
}

/// A factor of several targets only once.
fn distinct<'m>(factors: impl Iterator<Item = &'m Factor>) -> Vec<&'m Factor> {
    factors.fold(vec![], |mut found, factor| {
        if !found.iter().any(|known| std::ptr::eq(*known, factor)) {
            found.push(factor);
        }
        found
    })
}
