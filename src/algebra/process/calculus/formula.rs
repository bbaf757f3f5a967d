//! Sums as they are written: by powers of what depends on time, numbers as fractions.

use super::number::Number;
use super::sum::{Base, Factors, Function, Sum, Variable};
use super::to_graph::common_factor;
use crate::algebra::derivation::Formula;
use crate::graph::NodeId;
use std::collections::{BTreeMap, HashMap};

/// Denominators up to here are written as fractions, others as decimals.
const MOST_DENOMINATOR: i64 = 12;

impl Sum {
    /// With names for atoms; those without one are c₁, c₂, ….
    pub fn formula(&self, names: &HashMap<NodeId, Formula>) -> Formula {
        let mut parts: BTreeMap<Factors, Sum> = BTreeMap::new();
        for (factors, coefficient) in self.terms() {
            let (fixed, moving): (Factors, Factors) =
                factors.iter().map(|(base, power)| (base.clone(), *power)).partition(|(base, _)| base.is_free_of(Variable::Time));
            let part = parts.entry(moving).or_default();
            *part = &*part + &Sum::term(coefficient, fixed);
        }
        // Positive terms first
        let mut terms: Vec<(&Factors, &Sum)> = parts.iter().collect();
        terms.reverse();
        terms.sort_by_key(|(_, weight)| weight.terms().all(|(_, c)| c < Number::ZERO));
        Formula::total(terms.into_iter().map(|(moving, weight)| constant_formula(weight, names).over_under(moving, names)))
    }
}

/// Of what does not depend on time: a common number stands first.
fn constant_formula(sum: &Sum, names: &HashMap<NodeId, Formula>) -> Formula {
    let (common, rest) = common_factor(sum);
    let first = rest.terms().map(|(_, c)| c).find(|c| *c > Number::ZERO).or_else(|| rest.terms().map(|(_, c)| c).next());
    let size = first.map_or(Number::ONE, |c| Number::from(c.value().abs()));
    let same = rest.len() > 1 && rest.terms().all(|(_, c)| c == size || c == -size);
    let (number, rest) = if same { (size, rest.scale(size.recip())) } else { (Number::ONE, rest) };
    let mut terms: Vec<(&Factors, Number)> = rest.terms().collect();
    terms.sort_by_key(|(_, c)| *c < Number::ZERO);
    let total = Formula::total(terms.into_iter().map(|(factors, c)| number_formula(c).over_under(factors, names)));
    (number_formula(number) * total).over_under(&common, names)
}

fn number_formula(number: Number) -> Formula {
    match number {
        Number::Ratio(n, d) if d > 2 && d <= MOST_DENOMINATOR => {
            let size = Formula::Div(Box::new(Formula::from(n.unsigned_abs() as f64)), Box::new(Formula::from(d as f64)));
            if n < 0 { -size } else { size }
        }
        Number::Real(x) => {
            let turns = Number::from(x / std::f64::consts::PI);
            match turns {
                Number::Ratio(..) => number_formula(turns) * Formula::from("pi"),
                Number::Real(_) => Formula::from(x),
            }
        }
        Number::Ratio(..) => Formula::from(number.value()),
    }
}

impl Formula {
    /// Times a product, what has a negative exponent below the line.
    fn over_under(self, factors: &Factors, names: &HashMap<NodeId, Formula>) -> Formula {
        let power = |base: &Base, exponent: Number| -> Formula {
            let value = base_formula(base, names);
            if exponent == Number::ratio(1, 2) { Formula::sqrt(value) } else { value.pow(number_formula(exponent)) }
        };
        let (below, above): (Vec<_>, Vec<_>) = factors.iter().partition(|(_, exponent)| **exponent < Number::ZERO);
        // Atoms come before functions of time.
        let above = above.into_iter().fold(self, |product, (base, exponent)| product * power(base, *exponent));
        let below = Formula::product(below.into_iter().map(|(base, exponent)| power(base, -*exponent)));
        above / below
    }
}

fn base_formula(base: &Base, names: &HashMap<NodeId, Formula>) -> Formula {
    match base {
        Base::Atom(node) => names.get(node).cloned().unwrap_or_else(|| {
            let mut unnamed: Vec<&NodeId> = names.keys().filter(|other| *other < node).collect();
            unnamed.sort();
            Formula::from("c").index([Formula::from(unnamed.len() + 1)])
        }),
        Base::Variable(Variable::Time) => "t".into(),
        Base::Variable(Variable::Start) => "s".into(),
        Base::Variable(Variable::Elapsed) => Formula::from("t") - Formula::from("s"),
        Base::Sum(sum) => sum.formula(names),
        Base::Apply(function, argument) => {
            let argument = argument.formula(names);
            match function {
                Function::Exp => Formula::exp(argument),
                Function::Expm1 => Formula::exp(argument) - Formula::from(1),
                Function::Log => Formula::log(argument),
                Function::Log1p => Formula::log(Formula::from(1) + argument),
                Function::Sin => Formula::apply("sin", [argument]),
                Function::Cos => Formula::apply("cos", [argument]),
                Function::Atan => Formula::apply("arctan", [argument]),
            }
        }
    }
}
