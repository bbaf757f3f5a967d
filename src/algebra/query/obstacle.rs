//! What is said where no rule answers a query.

use super::super::lowering::Lowering;
use super::product::{Block, Obstacle};
use super::relation::Question;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Density, DensityId, VarId};

impl<'m> Lowering<'m> {
    pub(in crate::algebra) fn names(&self, vars: &[VarId]) -> String {
        vars.iter().map(|&var| self.model.vars[var].name.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(in crate::algebra) fn no_factor(&self, density: &Density, var: VarId, span: Span) -> Diagnostic {
        let name = &self.model.vars[var].name;
        Diagnostic::new(Code::UnknownVariable, format!("{} has no factor for {name}", density.name))
            .label(span, format!("{name} is asked for here"))
            .help(format!("declare `{}({name} | …) = …`", density.name))
    }

    /// A variable that the density is given, and the query is not.
    pub(super) fn must_be_given(&self, density: &Density, var: VarId, parent: VarId, span: Span) -> Diagnostic {
        let [x, t] = [var, parent].map(|var| &self.model.vars[var].name);
        let p = &density.name;
        let declared = density.factor_of(var).map_or(span, |factor| factor.span);
        Diagnostic::new(Code::UnknownVariable, format!("this query of {p} needs {t}, of which {p} has no factor"))
            .label(span, format!("{t} is not given here"))
            .label(declared, format!("{x} depends on {t}"))
            .help(format!("have it given, `{p}(… | {t})`, or declare `{p}({t}) = …` to integrate over it"))
    }

    /// A log-density whose latent variables no rule integrates out.
    pub(super) fn no_integral(&self, block: &Block<'m>, obstacles: &[Obstacle]) -> Diagnostic {
        let density = &self.model.densities[block.density];
        let (p, z) = (&density.name, self.names(&block.latents));
        let children: Vec<VarId> = block.factors.iter().flat_map(|f| f.targets.clone()).filter(|v| !block.latents.contains(v)).collect();
        let x = self.names(&children);
        let (are, have) = if block.latents.len() == 1 { ("is", "has") } else { ("are", "have") };
        let message = match self.records {
            Some(_) => format!("no rule gives the expectations under the posterior of {z} that this estimate needs"),
            None => format!("log {p}({x}) has no closed form: {z} would have to be integrated out"),
        };
        let problem = Diagnostic::new(Code::NoRule, message).label(block.span, format!("{z} {are} neither given nor a target here"));
        let declared = block.latents.first().and_then(|&var| density.factor_of(var));
        let problem = match declared {
            Some(factor) => problem.label(factor.span, format!("{z} {have} more values than can be summed over")),
            None => problem,
        };
        let gradient = if self.records.is_some() { "follow the gradient of what has a closed form: `with Adam(1e-2)`; or " } else { "" };
        because(problem, obstacles)
            .help(format!("{gradient}bound it with `ELBO({p}, q)` or `IWAE({p}, q, samples: …)` after declaring `q({z} | {x})`"))
    }

    /// A distribution that no rule gives.
    pub(super) fn no_distribution(&self, id: DensityId, target: VarId, question: &Question, obstacles: &[Obstacle]) -> Diagnostic {
        let density = &self.model.densities[id];
        let (p, x) = (&density.name, &self.model.vars[target].name);
        let in_the_way = question.latents.iter().chain(&question.evidence).copied().find(|&var| var != target);
        let z = self.names(in_the_way.as_slice());
        let declared = density.factor_of(target).map_or(question.span, |factor| factor.span);
        let given = density.factor_of(target).map_or(String::new(), |factor| self.names(&factor.given));
        let problem = Diagnostic::new(Code::NoRule, format!("no rule gives this distribution of {x}: {z} is in the way"))
            .label(question.span, "neither a declared factor nor a closed form")
            .label(declared, format!("{x} is declared given {}", if given.is_empty() { "nothing" } else { &given }));
        because(problem, obstacles).help(format!("bound it with `ELBO({p}, q)` after declaring `q({x} | …)`, or draw from it"))
    }
}

/// Each reason at its place, once.
fn because(mut problem: Diagnostic, obstacles: &[Obstacle]) -> Diagnostic {
    for (i, obstacle) in obstacles.iter().enumerate() {
        if !obstacles[..i].iter().any(|other| other.span == obstacle.span) {
            let mut reasons: Vec<&str> = vec![];
            for other in obstacles[i..].iter().filter(|other| other.span == obstacle.span) {
                if !reasons.contains(&other.reason.as_str()) {
                    reasons.push(&other.reason);
                }
            }
            problem = problem.label(obstacle.span, reasons.join("; "));
        }
    }
    problem
}
