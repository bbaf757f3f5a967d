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
        // A distribution that was updated before keeps the names of the rule.
        if let (true, Some(args)) = (before.is_empty(), arguments(&family.prior.dist)) {
            for (&local, arg) in rule.parameters.iter().zip(args) {
                names.bind(local, self.formula(arg));
            }
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

    /// log p(x) from prior, likelihood and posterior.
    pub(super) fn derive_evidence(&mut self, family: &Family<'m>, span: Span) {
        let observed: Vec<VarId> = family.children.iter().flat_map(|child| child.targets.clone()).collect();
        let (id, latents) = (family.density, &family.prior.targets);
        let before = self.log_density_formula(id, &observed, &family.prior.given);
        let likelihood = self.log_density_formula(id, &observed, latents);
        let prior = self.log_density_formula(id, latents, &family.prior.given);
        let after = likelihood + prior - self.log_density_formula(id, latents, &observed);
        let source = "Besag: A candidate's formula (1989); Chib: Marginal likelihood from the Gibbs output (1995), equation 5";
        self.derive(Step::new("Bayes' rule, at any value of the latent variables", before, after, span).source(source));
    }
}
