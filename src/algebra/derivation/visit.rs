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

    /// With one formula in place of another, wherever it stands.
    pub fn substitute(&self, from: &Formula, to: &Formula) -> Formula {
        if self == from {
            return to.clone();
        }
        let one = |part: &Formula| Box::new(part.substitute(from, to));
        let all = |parts: &[Formula]| parts.iter().map(|part| part.substitute(from, to)).collect::<Vec<_>>();
        match self {
            Formula::Number(_) | Formula::Name(_) | Formula::Words(_) => self.clone(),
            // z_i of z by z_s is z_{s,i}.
            Formula::Index(base, indices) => base.substitute(from, to).index(all(indices)),
            Formula::Accent(accent, a) => Formula::Accent(*accent, one(a)),
            Formula::Neg(a) => Formula::Neg(one(a)),
            Formula::Transpose(a) => Formula::Transpose(one(a)),
            Formula::Inverse(a) => Formula::Inverse(one(a)),
            Formula::Determinant(a) => Formula::Determinant(one(a)),
            Formula::Abs(a) => Formula::Abs(one(a)),
            Formula::Norm(a) => Formula::Norm(one(a)),
            Formula::Labelled(label, a) => Formula::Labelled(label.clone(), one(a)),
            Formula::Entropy(a) => Formula::Entropy(one(a)),
            Formula::Div(a, b) => Formula::Div(one(a), one(b)),
            Formula::Pow(a, b) => Formula::Pow(one(a), one(b)),
            // What a divergence averages over is its own.
            Formula::Divergence(a, b) => {
                Formula::Divergence(Box::new(a.substitute_given(from, to)), Box::new(b.substitute_given(from, to)))
            }
            Formula::Relation(a, relation, b) => Formula::Relation(one(a), *relation, one(b)),
            Formula::Gradient { wrt, body } => Formula::Gradient { wrt: one(wrt), body: one(body) },
            Formula::Partial { of, wrt } => Formula::Partial { of: one(of), wrt: one(wrt) },
            Formula::Cases { condition, then, otherwise } => {
                Formula::Cases { condition: one(condition), then: one(then), otherwise: one(otherwise) }
            }
            Formula::Add(parts) => Formula::Add(all(parts)),
            Formula::Mul(parts) => Formula::Mul(all(parts)),
            Formula::Elementwise(parts) => Formula::Elementwise(all(parts)),
            Formula::Tuple(parts) => Formula::Tuple(all(parts)),
            Formula::List(parts) => Formula::List(all(parts)),
            Formula::Apply(function, args) => Formula::Apply(one(function), all(args)),
            Formula::Density { name, targets, given } => Formula::Density { name: name.clone(), targets: all(targets), given: all(given) },
            Formula::Distribution { family, value, params } => {
                Formula::Distribution { family: family.clone(), value: value.as_deref().map(one), params: all(params) }
            }
            Formula::Expectation { draws, body } => Formula::Expectation { draws: all(draws), body: one(body) },
            Formula::Big { operator, below, above, body } => {
                Formula::Big { operator: *operator, below: all(below), above: above.as_deref().map(one), body: one(body) }
            }
        }
    }

    /// Of a density, only what it is given.
    fn substitute_given(&self, from: &Formula, to: &Formula) -> Formula {
        match self {
            Formula::Density { name, targets, given } => {
                let given = given.iter().map(|part| part.substitute(from, to)).collect();
                Formula::Density { name: name.clone(), targets: targets.clone(), given }
            }
            other => other.substitute(from, to),
        }
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
