//! What derivations say about conjugate pairs, with the names that the user gave.

use super::super::derivation::{Formula, Names, Step};
use super::super::lowering::Lowering;
use super::conjugate::Family;
use crate::base::Span;
use crate::check::model::{Conjugate, ConjugateArgument, Expr, ExprKind, Factor, VarId};

/// The parameters of a distribution as an expression, if it is written with its name.
fn arguments(dist: &Expr) -> Option<&[Expr]> {
    match &dist.kind {
        ExprKind::Dist(_, args) => Some(args),
        ExprKind::Block(_, tail) => arguments(tail),
        _ => None,
    }
}

impl<'m> Lowering<'m> {
    /// One variable, or the tuple of several.
    pub(super) fn joint_formula(&self, vars: &[VarId]) -> Formula {
        match vars {
            [one] => self.var_formula(*one),
            several => Formula::tuple(several.iter().map(|&var| self.var_formula(var))),
        }
    }

    /// Prior or likelihood as it was declared.
    fn derive_declared(&mut self, family: &Family<'m>, factor: &'m Factor) {
        let dist = self.formula(&factor.dist).at(self.joint_formula(&factor.targets));
        let before = self.density_formula(family.density, &factor.targets, &factor.given);
        self.derive(Step::new("declared factor", before, dist, factor.span));
    }

    /// A rule's distribution of the latent variables, or of `asked`, given what was observed before and now.
    pub(super) fn derive_pair(
        &mut self,
        rule: &'m Conjugate,
        family: &Family<'m>,
        child: &'m Factor,
        before: &[VarId],
        asked: Option<VarId>,
        span: Span,
    ) {
        if before.is_empty() {
            self.derive_declared(family, family.prior);
        }
        self.derive_declared(family, child);
        let mut names = Names::new(self.model);
        let mut remarks = vec![];
        let updated = if before.is_empty() { None } else { self.updated_parameters(family, before) };
        let written = arguments(&family.prior.dist).map(|args| args.iter().map(|arg| self.formula(arg)).collect());
        for (&local, parameter) in rule.parameters.iter().zip(updated.or(written).unwrap_or_default()) {
            names.bind(local, parameter);
        }
        for (&local, &var) in rule.latents.iter().zip(&family.prior.targets) {
            names.bind(local, self.var_formula(var));
        }
        names.bind(rule.observed, self.joint_formula(&child.targets));
        for (argument, arg) in rule.arguments.iter().zip(arguments(&child.dist).unwrap_or_default()) {
            let written = self.formula(arg);
            match argument {
                ConjugateArgument::Known(local) => names.bind(*local, written),
                ConjugateArgument::Latent(_) => {}
                ConjugateArgument::Scaled(_, local) => {
                    let latent = self.joint_formula(&family.prior.targets);
                    if written == latent {
                        names.bind(*local, 1.into());
                    } else {
                        remarks.push(Formula::from(self.model.locals[*local].name.as_str()).equals(Formula::partial(written, latent)));
                    }
                }
            }
        }
        let result = names.expr(&rule.result);
        let observed: Vec<VarId> = before.iter().chain(&child.targets).copied().filter(|&var| Some(var) != asked).collect();
        let targets = asked.map_or(family.prior.targets.clone(), |var| vec![var]);
        let value = result.at(self.joint_formula(&targets));
        let mut step = Step::new("conjugate pair", self.density_formula(family.density, &targets, &observed), value, span);
        step.source.clone_from(&rule.source);
        step.remarks = remarks;
        self.derive(step);
    }

    /// The parameters of the posterior given what was observed before, as its step shows them.
    fn updated_parameters(&self, family: &Family<'m>, before: &[VarId]) -> Option<Vec<Formula>> {
        let posterior = self.density_formula(family.density, &family.prior.targets, before);
        let step = self.derivation.iter().rev().find(|step| step.before == posterior)?;
        let Formula::Distribution { family, params, .. } = &step.after else { return None };
        // The library takes a standard deviation where formulas show a variance.
        let own = |(at, param): (usize, &Formula)| match (family.as_str(), at) {
            ("Normal", 1) => Formula::sqrt(param.clone()),
            _ => param.clone(),
        };
        Some(params.iter().enumerate().map(own).collect())
    }

    /// log p(x) from prior, likelihood and posterior.
    pub(super) fn derive_evidence(&mut self, family: &Family<'m>, span: Span) {
        let observed: Vec<VarId> = family.children.iter().flat_map(|child| child.targets.clone()).collect();
        let (id, latents) = (family.density, &family.prior.targets);
        let before = self.log_density_formula(id, &observed, &family.prior.given);
        // What all rows share is seen in each of them.
        let global = latents.iter().any(|&var| self.model.vars[var].global);
        let likelihood = Formula::total(family.children.iter().map(|child| {
            let log = self.log_density_formula(id, &child.targets, &child.given);
            if global { Formula::sum_over("n", log) } else { log }
        }));
        let prior = self.log_density_formula(id, latents, &family.prior.given);
        let after = likelihood + prior - self.log_density_formula(id, latents, &observed);
        let source = "Besag: A candidate's formula (1989); Chib: Marginal likelihood from the Gibbs output (1995), equation 5";
        self.derive(Step::new("Bayes' rule, at any value of the latent variables", before, after, span).source(source));
    }
}
