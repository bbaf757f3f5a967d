//! Sums as numbers, at points.

use super::sum::{Base, Function, Sum, Variable};
use crate::graph::NodeId;
use std::collections::HashMap;

/// A value for everything that a sum is made of.
#[derive(Clone, Debug, Default)]
pub struct Point {
    pub atoms: HashMap<NodeId, f64>,
    pub time: f64,
    pub start: f64,
}

impl Point {
    pub fn at(&self, time: f64) -> Point {
        Point { time, ..self.clone() }
    }
}

impl Sum {
    /// NaN where an atom has no value.
    pub fn evaluate(&self, point: &Point) -> f64 {
        let term = |factors: &super::sum::Factors| -> f64 {
            let power = |(base, exponent): (&Base, &super::number::Number)| match exponent.whole().and_then(|n| i32::try_from(n).ok()) {
                Some(whole) => base.evaluate(point).powi(whole),
                None => base.evaluate(point).powf(exponent.value()),
            };
            factors.iter().map(power).product()
        };
        self.terms().map(|(factors, coefficient)| coefficient.value() * term(factors)).sum()
    }
}

impl Base {
    fn evaluate(&self, point: &Point) -> f64 {
        match self {
            Base::Atom(node) => point.atoms.get(node).copied().unwrap_or(f64::NAN),
            Base::Variable(Variable::Time) => point.time,
            Base::Variable(Variable::Start) => point.start,
            Base::Variable(Variable::Elapsed) => point.time - point.start,
            Base::Sum(sum) => sum.evaluate(point),
            Base::Apply(function, argument) => {
                let x = argument.evaluate(point);
                match function {
                    Function::Exp => x.exp(),
                    Function::Expm1 => x.exp_m1(),
                    Function::Log => x.ln(),
                    Function::Log1p => x.ln_1p(),
                    Function::Sin => x.sin(),
                    Function::Cos => x.cos(),
                    Function::Atan => x.atan(),
                }
            }
        }
    }
}
