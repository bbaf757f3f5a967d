//! Why a maximum is not known in closed form, in the user's terms.

use super::super::lost::depends;
use super::super::lowering::Lowering;
use super::super::value::Array;
use super::record::Record;
use super::rule::stands_in;
use super::{Weighted, slot::Slot};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::ParamId;

impl<'m> Lowering<'m> {
    /// A conditional density by Bayes' rule is a quotient: what maximises its factors does not maximise it.
    pub(super) fn refuse_evidence(&self, records: &[Record<'m>], span: Span) -> Result<()> {
        let twice = |record: &&Record<'m>| {
            record.factor.of_rows.is_some()
                && records.iter().filter(|other| std::ptr::eq(other.factor.dist, record.factor.dist)).count() > 1
        };
        match records.iter().find(twice) {
            Some(record) => {
                let names = self.names(&record.factor.vars[..1]);
                let message = format!("a conditional density by Bayes' rule has no maximum in closed form: {names} is on both sides of it");
                Err(Diagnostic::new(Code::NoRule, message)
                    .label(span, "a quotient of two densities")
                    .help("maximize the joint density, or follow the gradient: `with Adam(1e-2)`"))
            }
            None => Ok(()),
        }
    }

    /// Weights that depend on the parameters are those of a latent variable.
    pub(super) fn refuse_latents(&self, factors: &[Weighted<'m>], fitted: &[(ParamId, Array)], span: Span) -> Result<()> {
        let graph = self.frames.graph(0);
        let left = |factor: &Weighted<'m>| factor.learned.iter().any(|id| fitted.iter().all(|(known, _)| known != id));
        let latent = |factor: &&Weighted<'m>| {
            let moves = self.raw_params.keys().any(|id| depends(graph, factor.weight.node, self.raw_params[id].node));
            left(factor) && (moves || factor.record.points.is_some())
        };
        match factors.iter().find(latent) {
            Some(factor) => {
                let hidden = factor.record.factor.vars.iter();
                let hidden: Vec<_> = hidden.copied().filter(|&var| self.model.vars[var].observed.is_none()).collect();
                let z = if hidden.is_empty() { "a latent variable".to_owned() } else { self.names(&hidden) };
                Err(Diagnostic::new(Code::NoRule, format!("no exact maximum is known: {z} is not observed"))
                    .label(span, "summed over here")
                    .label(self.span_of(factor), "what is known of it depends on the parameters")
                    .help("iterate: `maximize log p(x) by em`"))
            }
            None => Ok(()),
        }
    }

    /// The first learned parameter without a maximum in closed form, and what stands in its way.
    pub(super) fn refuse_unsolved(
        &self,
        factors: &[Weighted<'m>],
        fitted: &[(ParamId, Array)],
        unsolved: &[ParamId],
        span: Span,
    ) -> Result<()> {
        if let Some(&id) = unsolved.first() {
            return Err(self.unsolved(factors, id, span));
        }
        let graph = self.frames.graph(0);
        let learned: Vec<ParamId> = fitted.iter().map(|(id, _)| *id).collect();
        for (id, value) in fitted {
            if let Some(&other) = learned.iter().find(|other| depends(graph, value.node, self.raw_params[other].node)) {
                let (name, other_name) = (self.param_name(*id), self.param_name(other));
                let message = format!("no exact maximum is known: the best `{name}` depends on `{other_name}`");
                return Err(Diagnostic::new(Code::NoRule, message)
                    .label(self.model.params[*id].span, format!("`{name}` would be found given `{other_name}`, which is learned too"))
                    .label(self.model.params[other].span, format!("`{other_name}` is declared here"))
                    .help("alternate between the two: `by em`, or follow the gradient: `with Adam(1e-2)`"));
            }
        }
        Ok(())
    }

    fn unsolved(&self, factors: &[Weighted<'m>], id: ParamId, span: Span) -> Diagnostic {
        let name = self.param_name(id);
        let problem = Diagnostic::new(Code::NoRule, format!("no exact maximum is known: `{name}` is in the way"));
        let here = factors.iter().find(|factor| factor.learned.contains(&id));
        let Some(factor) = here else { return problem.label(span, format!("`{name}` is not seen by the factors of this density")) };
        let dist = &self.model.dists[factor.record.distribution.dist].name;
        let stands = factor.slots.iter().flatten().any(|slot: &Slot| slot.param == id);
        let reason = match stands_in(factors, id) {
            1 if stands => format!("the library has no `rule maximum_likelihood` for this use of {dist}"),
            1 => format!("`{name}` is no parameter of {dist} as it stands, and the log-density is not quadratic in it"),
            _ => format!("`{name}` stands in several factors"),
        };
        problem
            .label(factor.record.factor.dist.span, reason)
            .label(self.model.params[id].span, format!("`{name}` is declared here"))
            .help("follow the gradient: `with Adam(1e-2)`, or optimise `over` the other parameters")
    }
}
