//! Sums over all observations.

use super::{Big, Formula};

/// How a sum over all observations reads for one factor: Σₙ x, Σₙ rₙ‚ₖ x, Σₙ E_{z ∼ p(z | xₙ)}[x].
#[derive(Clone, Default)]
pub(in crate::algebra) struct Total {
    pub below: Vec<Formula>,
    pub weight: Option<Formula>,
    /// Continuous latent variables, drawn from their posterior
    pub draws: Vec<Formula>,
    /// What stands for its values: x by xₙ
    pub members: Vec<(Formula, Formula)>,
    pub remarks: Vec<Formula>,
}

impl Total {
    /// Σ of a formula in which the values stand as members already.
    pub fn sum(&self, of: Formula) -> Formula {
        let drawn = self.draws.iter().any(|draw| matches!(draw, Formula::Relation(z, ..) if of.mentions(z)));
        let body = match &self.weight {
            _ if drawn => Formula::expectation(self.draws.clone(), of),
            Some(weight) => weight.clone() * of,
            None => of,
        };
        Formula::Big { operator: Big::Sum, below: self.below.clone(), above: None, body: Box::new(body) }
    }

    pub fn member(&self, formula: Formula) -> Formula {
        self.members.iter().fold(formula, |formula, (from, to)| formula.substitute(from, to))
    }
}
