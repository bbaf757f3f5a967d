//! The record of a derivation: every rule that the algebra applies leaves a step, with the equation before and after in the user's
//! names. The compiled graph and the printed derivation come from the same place in the code.
//!
//! ```text
//! let before = self.log_density_formula(id, &[x], &[]);
//! let after = Formula::log(Formula::sum_over("k", …));
//! self.derive(Step::new("exact sum", before, after, span).with(Formula::from("k").equals(3)).source("…"));
//! ```
//!
//! Steps that a rule needs are recorded before the step that uses them; [`Lowering::deriving`] puts them inside it.

mod arithmetic;
mod bound;
mod described;
mod formula;
mod gradient;
mod name;
mod of_expr;
mod of_graph;
mod query;
mod total;
mod visit;

pub(super) use bound::{Closed, Treatment};
pub use described::Described;
pub use formula::{Accent, Big, Formula, Relation};
pub use gradient::gradient_derivation;
pub use name::greek;
pub use of_expr::Names;
pub use query::derivation_of;
pub(super) use total::Total;

use super::lowering::Lowering;
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Expr, VarId};

/// One application of a named rule: `before` = `after`.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// As a textbook calls it: `Bayes' rule`, `chain rule`
    pub rule: String,
    pub before: Formula,
    pub after: Formula,
    /// Between them: `Equal`, unless said otherwise
    pub relation: Relation,
    /// What stands for what: "with A = W, R = σ² I"
    pub remarks: Vec<Formula>,
    /// The literature source
    pub source: Option<String>,
    /// What of the user's file made it necessary
    pub span: Span,
    /// What was derived on the way
    pub steps: Vec<Step>,
}

impl Step {
    pub fn new(rule: impl Into<String>, before: Formula, after: Formula, span: Span) -> Step {
        Step { rule: rule.into(), before, after, relation: Relation::Equal, remarks: vec![], source: None, span, steps: vec![] }
    }

    /// Adds a where-clause.
    pub fn with(mut self, remark: Formula) -> Step {
        self.remarks.push(remark);
        self
    }

    pub fn source(mut self, source: impl Into<String>) -> Step {
        self.source = Some(source.into());
        self
    }

    /// `before` ∝ `after`, `before` ≈ `after`
    pub fn related(mut self, relation: Relation) -> Step {
        self.relation = relation;
        self
    }

    pub fn approximately(self) -> Step {
        self.related(Relation::Approximate)
    }

    /// Whether two derivations read the same.
    pub fn same(a: &[Step], b: &[Step]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same(b) && Step::same(&a.steps, &b.steps))
    }

    fn says_the_same(&self, other: &Step) -> bool {
        let same = self.rule == other.rule && self.before == other.before && self.after == other.after;
        same && self.relation == other.relation && self.remarks == other.remarks
    }

    fn contains(&self, other: &Step) -> bool {
        self.says_the_same(other) || self.steps.iter().any(|step| step.contains(other))
    }
}

impl<'m> Lowering<'m> {
    /// Records a step, once.
    pub(super) fn derive(&mut self, step: Step) {
        if !self.derivation.iter().any(|known| known.contains(&step)) {
            self.derivation.push(step);
        }
    }

    /// Records the step that `f` returns; what is derived inside `f` becomes its sub-steps.
    pub(super) fn deriving<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<(T, Step)>) -> Result<T> {
        let outer = std::mem::take(&mut self.derivation);
        let result = f(self);
        let inner = std::mem::replace(&mut self.derivation, outer);
        let (value, mut step) = result?;
        step.steps.extend(inner);
        self.derive(step);
        Ok(value)
    }

    /// The expression as mathematics, with the user's names.
    pub(super) fn formula(&self, expr: &Expr) -> Formula {
        Formula::of_expr(self.model, expr)
    }

    pub(super) fn var_formula(&self, var: VarId) -> Formula {
        Formula::from(self.model.vars[var].name.as_str())
    }

    /// p(targets | given): what is observed first, then by name, so that the same density is written the same way.
    pub(super) fn density_formula(&self, id: DensityId, targets: &[VarId], given: &[VarId]) -> Formula {
        let mut targets = targets.to_vec();
        targets.sort_by_key(|&var| (self.model.vars[var].observed.is_none(), self.model.vars[var].name.as_str()));
        let names = |vars: &[VarId]| vars.iter().map(|&var| self.var_formula(var)).collect();
        Formula::density_of(&self.model.densities[id].name, names(&targets), names(given))
    }

    /// log p(targets | given)
    pub(super) fn log_density_formula(&self, id: DensityId, targets: &[VarId], given: &[VarId]) -> Formula {
        Formula::log(self.density_formula(id, targets, given))
    }
}
