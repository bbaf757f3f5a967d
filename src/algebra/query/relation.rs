//! What a query needs of a density: which variables depend on which, and which must be integrated out.

use super::super::lowering::Lowering;
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::check::model::{Density, Factor, VarId};

/// `d(targets | given)` as a ratio of two joint densities: that of `targets` and `evidence` over that of `evidence`, both given
/// the rest. Without evidence it is a product of factors.
pub(in crate::algebra) struct Question {
    pub targets: Vec<VarId>,
    /// The given variables that are not evidence
    pub rest: Vec<VarId>,
    /// Those of the given variables that depend on a target or on a latent variable
    pub evidence: Vec<VarId>,
    /// To be integrated out of the joint density of targets and evidence, parents first
    pub latents: Vec<VarId>,
    /// To be integrated out of the evidence alone
    pub latents_of_evidence: Vec<VarId>,
    pub span: Span,
}

impl Lowering<'_> {
    pub(in crate::algebra) fn question(&self, density: &Density, targets: &[VarId], given: &[VarId], span: Span) -> Result<Question> {
        let (mut evidence, mut rest) = (vec![], given.to_vec());
        let (mut both, mut latents) = (targets.to_vec(), self.latents(density, targets, given, span)?);
        // What depends on a target or a latent variable is evidence; its own latent variables may make more of the given evidence.
        loop {
            let inner = [&both[..], &latents].concat();
            let (below, others): (Vec<VarId>, Vec<VarId>) = rest
                .iter()
                .partition(|&&g| !inner.contains(&g) && inner.iter().any(|&v| density.depends_on(g, v) || density.share_a_factor(g, v)));
            if below.is_empty() {
                break;
            }
            evidence.extend(&below);
            rest = others;
            both.extend(below);
            latents = self.latents(density, &both, &rest, span)?;
        }
        let latents_of_evidence = if evidence.is_empty() { vec![] } else { self.latents(density, &evidence, &rest, span)? };
        Ok(Question { targets: targets.to_vec(), rest, evidence, latents, latents_of_evidence, span })
    }

    /// The variables over which a query of these targets must be integrated, parents first.
    fn latents(&self, density: &Density, targets: &[VarId], given: &[VarId], span: Span) -> Result<Vec<VarId>> {
        let mut found = vec![];
        let mut open: Vec<VarId> = targets.to_vec();
        while let Some(var) = open.pop() {
            let factor = density.factor_of(var).ok_or_else(|| self.no_factor(density, var, span))?;
            for &parent in factor.given.iter().chain(&factor.targets) {
                if given.contains(&parent) || targets.contains(&parent) || found.contains(&parent) {
                    continue;
                }
                if density.factor_of(parent).is_none() {
                    return Err(self.must_be_given(density, var, parent, span));
                }
                found.push(parent);
                open.push(parent);
            }
        }
        Ok(density.parents_first(found))
    }
}

impl Density {
    pub fn factor_of(&self, var: VarId) -> Option<&Factor> {
        self.factors.iter().find(|factor| factor.targets.contains(&var))
    }

    /// Whether two variables are drawn together.
    pub fn share_a_factor(&self, a: VarId, b: VarId) -> bool {
        a != b && self.factor_of(a).is_some_and(|factor| factor.targets.contains(&b))
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
