//! The parts of a formula.

use super::Formula;

impl Formula {
    /// This formula and all inside it.
    pub fn each(&self, visit: &mut dyn FnMut(&Formula)) {
        visit(self);
        self.parts().into_iter().for_each(|part| part.each(visit));
    }

    /// Whether a formula stands somewhere inside.
    pub fn mentions(&self, part: &Formula) -> bool {
        self == part || self.parts().into_iter().any(|inner| inner.mentions(part))
    }

    /// Whether an array is written by its elements.
    pub(super) fn has_list(&self) -> bool {
        let mut found = false;
        self.each(&mut |part| found |= matches!(part, Formula::List(_)));
        found
    }

    fn parts(&self) -> Vec<&Formula> {
        match self {
            Formula::Number(_) | Formula::Name(_) | Formula::Words(_) => vec![],
            Formula::Accent(_, a) | Formula::Neg(a) | Formula::Transpose(a) | Formula::Inverse(a) | Formula::Determinant(a) => vec![a],
            Formula::Abs(a) | Formula::Norm(a) | Formula::Labelled(_, a) | Formula::Entropy(a) => vec![a],
            Formula::Div(a, b) | Formula::Pow(a, b) | Formula::Divergence(a, b) | Formula::Relation(a, _, b) => vec![a, b],
            Formula::Gradient { wrt, body } => vec![wrt, body],
            Formula::Partial { of, wrt } => vec![of, wrt],
            Formula::Cases { condition, then, otherwise } => vec![condition, then, otherwise],
            Formula::Add(all) | Formula::Mul(all) | Formula::Elementwise(all) | Formula::Tuple(all) | Formula::List(all) => {
                all.iter().collect()
            }
            Formula::Index(base, all) | Formula::Apply(base, all) => std::iter::once(&**base).chain(all).collect(),
            Formula::Density { targets, given, .. } => targets.iter().chain(given).collect(),
            Formula::Distribution { value, params, .. } => value.as_deref().into_iter().chain(params).collect(),
            Formula::Expectation { draws, body } => draws.iter().chain([&**body]).collect(),
            Formula::Big { below, above, body, .. } => below.iter().chain(above.as_deref()).chain([&**body]).collect(),
        }
    }
}
