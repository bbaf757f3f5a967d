//! Queries `d(A | B)`: a declared factor, a product of factors by the chain rule, sums over finite latent variables, Bayes' rule where
//! the evidence is such a sum. Nothing is approximated: where no rule applies, the error names the variable in the way.

use super::derivation::{Big, Formula, Step};
use super::lowering::Lowering;
use super::value::{Array, Distribution, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Density, DensityId, Expr, Factor, Place, Query, VarId};

impl Lowering<'_> {
    /// `log p(x | z)`
    pub(super) fn log_density(&mut self, query: &Query) -> Result<Array> {
        let targets: Vec<VarId> = query.targets.iter().map(|(var, _)| *var).collect();
        let given: Vec<VarId> = query.given.iter().map(|(var, _)| *var).collect();
        self.substituted(query, |this| this.log_conditional(query.density, &targets, &given, query.span))
    }

    /// `p(x | z)` as a value: a declared factor.
    pub(super) fn conditional(&mut self, query: &Query) -> Result<Distribution> {
        let density = &self.model.densities[query.density];
        let given: Vec<VarId> = query.given.iter().map(|(var, _)| *var).collect();
        let [(target, _)] = query.targets[..] else {
            return Err(Diagnostic::unsupported("a joint distribution of several variables as a value").at(query.span));
        };
        let factor = density.factor_of(target).ok_or_else(|| self.no_factor(density, target, query.span))?;
        let extra = given.iter().find(|var| !factor.given.contains(var) && density.depends_on(**var, target));
        let missing = factor.given.iter().find(|var| !given.contains(var));
        if let Some(&obstacle) = missing.or(extra) {
            return Err(self.no_distribution(density, target, obstacle, query.span));
        }
        self.substituted(query, |this| this.factor_distribution(query.density, factor))
    }

    /// With the substitutions `p(x = y | z = w)` in force.
    fn substituted<T>(&mut self, query: &Query, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let pairs = query.targets.iter().chain(&query.given);
        let values = pairs.filter_map(|(var, value)| value.as_ref().map(|value| (*var, value)));
        // All values are computed before any name changes its meaning.
        let values = values.map(|(var, value): (VarId, &Expr)| Ok((var, self.eval_array(value)?))).collect::<Result<Vec<_>>>()?;
        let old: Vec<(VarId, Option<Value>)> = values.into_iter().map(|(var, value)| (var, self.bind(Place::Var(var), value))).collect();
        let result = f(self);
        old.into_iter().rev().for_each(|(var, value)| self.restore(Place::Var(var), value));
        result
    }

    pub(super) fn factor_distribution(&mut self, density: DensityId, factor: &Factor) -> Result<Distribution> {
        let frozen = self.frozen || self.model.densities[density].frozen;
        let outer = std::mem::replace(&mut self.frozen, frozen);
        let distribution = self.eval(&factor.dist);
        self.frozen = outer;
        distribution?.distribution()
    }

    fn log_conditional(&mut self, id: DensityId, targets: &[VarId], given: &[VarId], span: Span) -> Result<Array> {
        let density = &self.model.densities[id];
        let (mut evidence, mut rest) = (vec![], given.to_vec());
        let (mut both, mut latents) = (targets.to_vec(), self.latents(density, targets, given, span)?);
        // What depends on a target or a latent variable is evidence; its own latent variables may make more of the given evidence.
        loop {
            let inner = [&both[..], &latents].concat();
            let (below, others): (Vec<VarId>, Vec<VarId>) =
                rest.iter().partition(|&&g| !inner.contains(&g) && inner.iter().any(|&v| density.depends_on(g, v)));
            if below.is_empty() {
                break;
            }
            evidence.extend(&below);
            rest = others;
            both.extend(below);
            latents = self.latents(density, &both, &rest, span)?;
        }
        if evidence.is_empty() {
            return self.log_joint(id, targets, given, &latents, span);
        }
        self.deriving(|this| {
            let joint = this.log_joint(id, &both, &rest, &latents, span)?;
            let latents = this.latents(density, &evidence, &rest, span)?;
            let log_evidence = this.log_joint(id, &evidence, &rest, &latents, span)?;
            this.note(span, "Bayes' rule: joint over evidence, both exact");
            let quotient = this.log_density_formula(id, &both, &rest) - this.log_density_formula(id, &evidence, &rest);
            let step = Step::new("Bayes' rule", this.log_density_formula(id, targets, given), quotient, span);
            Ok((this.sub(&joint, &log_evidence)?, step))
        })
    }

    /// The variables over which a query of these targets must sum, parents first.
    fn latents(&self, density: &Density, targets: &[VarId], given: &[VarId], span: Span) -> Result<Vec<VarId>> {
        let mut found = vec![];
        let mut open: Vec<VarId> = targets.to_vec();
        while let Some(var) = open.pop() {
            let factor = density.factor_of(var).ok_or_else(|| self.no_factor(density, var, span))?;
            for &parent in &factor.given {
                let has_factor = density.factor_of(parent).is_some();
                if has_factor && !given.contains(&parent) && !targets.contains(&parent) && !found.contains(&parent) {
                    found.push(parent);
                    open.push(parent);
                }
            }
        }
        Ok(density.parents_first(found))
    }

    /// log of the product of the factors of targets and latents, summed over the latents.
    fn log_joint(&mut self, id: DensityId, targets: &[VarId], given: &[VarId], latents: &[VarId], span: Span) -> Result<Array> {
        self.derive_joint(id, targets, given, latents, span)?;
        let density = &self.model.densities[id];
        let mut total: Option<Array> = None;
        let mut plates: Vec<PlateId> = vec![];
        let mut old: Vec<(VarId, Option<Value>)> = vec![];
        let result = (|| {
            for &var in latents.iter().chain(targets) {
                let factor = density.factor_of(var).ok_or_else(|| self.no_factor(density, var, span))?;
                let distribution = self.factor_distribution(id, factor)?;
                if latents.contains(&var) {
                    let Some((values, plate)) = self.enumerate(&distribution)? else {
                        return Err(self.no_sum(density, targets, var, span));
                    };
                    old.push((var, self.bind(Place::Var(var), values)));
                    plates.push(plate);
                }
                let value = self.variable(var)?;
                let term = self.log_prob(&distribution, &value)?;
                total = Some(match total {
                    Some(sum) => self.add(&sum, &term)?,
                    None => term,
                });
            }
            let total = total.take().ok_or_else(|| Diagnostic::internal("a query without targets"))?;
            if plates.is_empty() {
                return Ok(total);
            }
            self.note(span, format!("exact sum over {} values of {}", self.sizes(&plates).iter().product::<usize>(), self.names(latents)));
            self.log_sum_exp(&total, &plates)
        })();
        old.into_iter().rev().for_each(|(var, value)| self.restore(Place::Var(var), value));
        result
    }

    /// The steps of a joint density: the sum over latent variables, then the product of the declared factors.
    fn derive_joint(&mut self, id: DensityId, targets: &[VarId], given: &[VarId], latents: &[VarId], span: Span) -> Result<()> {
        let density = &self.model.densities[id];
        let all = [latents, targets].concat();
        let mut factors = vec![];
        for &var in &all {
            let factor = density.factor_of(var).ok_or_else(|| self.no_factor(density, var, span))?;
            factors.push(self.density_formula(id, &[var], &factor.given));
        }
        let before = self.log_density_formula(id, targets, given);
        if !latents.is_empty() {
            let indices = latents.iter().map(|&var| self.var_formula(var)).collect();
            let body = Box::new(self.density_formula(id, &[targets, latents].concat(), given));
            let sum = Formula::Big { operator: Big::Sum, below: indices, above: None, body };
            self.derive(Step::new("exact sum", before, Formula::log(sum), span));
        }
        if factors.len() > 1 {
            let joint = self.density_formula(id, &[targets, latents].concat(), given);
            self.derive(Step::new("chain rule", joint, Formula::product(factors), span));
        }
        for &var in &all {
            if let Some(factor) = density.factor_of(var) {
                let dist = self.formula(&factor.dist);
                let dist = dist.at(self.var_formula(var));
                self.derive(Step::new("declared factor", self.density_formula(id, &[var], &factor.given), dist, factor.span));
            }
        }
        Ok(())
    }

    pub(super) fn names(&self, vars: &[VarId]) -> String {
        vars.iter().map(|&var| self.model.vars[var].name.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn no_factor(&self, density: &Density, var: VarId, span: Span) -> Diagnostic {
        let name = &self.model.vars[var].name;
        Diagnostic::new(Code::UnknownVariable, format!("{} has no factor for {name}", density.name))
            .label(span, format!("{name} is asked for here"))
            .help(format!("declare `{}({name} | …) = …`", density.name))
    }

    fn no_sum(&self, density: &Density, targets: &[VarId], latent: VarId, span: Span) -> Diagnostic {
        let (p, z, x) = (&density.name, &self.model.vars[latent].name, self.names(targets));
        let declared = density.factor_of(latent).map_or(span, |factor| factor.span);
        Diagnostic::new(Code::NoRule, format!("log {p}({x}) has no closed form: {z} would have to be integrated out"))
            .label(span, format!("{z} is neither given nor a target here"))
            .label(declared, format!("{z} has more values than can be summed over"))
            .help(format!("bound it with `ELBO({p}, q)` or `IWAE({p}, q, samples: …)` after declaring `q({z} | {x})`"))
    }

    fn no_distribution(&self, density: &Density, target: VarId, obstacle: VarId, span: Span) -> Diagnostic {
        let (p, x, z) = (&density.name, &self.model.vars[target].name, &self.model.vars[obstacle].name);
        let declared = density.factor_of(target).map_or(span, |factor| factor.span);
        let given = density.factor_of(target).map_or(String::new(), |factor| self.names(&factor.given));
        Diagnostic::new(Code::NoRule, format!("no declared factor gives this distribution of {x}: {z} is in the way"))
            .label(span, "as a value, a declared factor or the distribution of a finite variable is known so far")
            .label(declared, format!("{x} is declared given {}", if given.is_empty() { "nothing" } else { &given }))
            .help(format!("its log-density `log {p}({x} | …)` may still be computed"))
    }
}

impl Density {
    pub fn factor_of(&self, var: VarId) -> Option<&Factor> {
        self.factors.iter().find(|factor| factor.targets.contains(&var))
    }

    /// Whether `ancestor` is reached from `var` by going to what it is given.
    pub fn depends_on(&self, var: VarId, ancestor: VarId) -> bool {
        self.factor_of(var).is_some_and(|f| f.given.iter().any(|&parent| parent == ancestor || self.depends_on(parent, ancestor)))
    }

    /// The variables ordered so that each stands after those it depends on.
    pub fn parents_first(&self, mut vars: Vec<VarId>) -> Vec<VarId> {
        let mut ordered: Vec<VarId> = vec![];
        while !vars.is_empty() {
            let ready = vars.iter().position(|&v| !vars.iter().any(|&other| other != v && self.depends_on(v, other))).unwrap_or(0);
            ordered.push(vars.remove(ready));
        }
        ordered
    }
}
