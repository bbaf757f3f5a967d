//! Sums and products of formulas by Rust's operators. Zeros, ones, double signs and nested sums are tidied away, nothing else: the
//! reader finds the terms as the rule wrote them.

use super::formula::{Formula, Relation};
use super::name;
use crate::base::op::BinaryOp;
use std::ops::{Add, Div, Mul, Neg, Sub};

impl From<&str> for Formula {
    /// A name, see [`Formula::parse_name`].
    fn from(text: &str) -> Formula {
        name::parse(text)
    }
}

impl From<String> for Formula {
    fn from(text: String) -> Formula {
        name::parse(&text)
    }
}

impl From<&Formula> for Formula {
    fn from(formula: &Formula) -> Formula {
        formula.clone()
    }
}

impl From<f64> for Formula {
    fn from(value: f64) -> Formula {
        Formula::Number(value)
    }
}

impl From<i32> for Formula {
    fn from(value: i32) -> Formula {
        Formula::Number(value.into())
    }
}

impl From<usize> for Formula {
    fn from(value: usize) -> Formula {
        Formula::Number(value as f64)
    }
}

impl Formula {
    /// An operation on numbers as it is written.
    pub(super) fn of_binary(op: BinaryOp, a: Formula, b: Formula) -> Formula {
        match op {
            BinaryOp::Add => a + b,
            BinaryOp::Sub => a - b,
            BinaryOp::Mul => a * b,
            BinaryOp::Div => a / b,
            BinaryOp::Pow => a.pow(b),
            BinaryOp::FloorDiv => Formula::apply("floor", [a / b]),
            BinaryOp::Rem => Formula::apply("mod", [a, b]),
            BinaryOp::Max => Formula::apply("max", [a, b]),
            BinaryOp::Min => Formula::apply("min", [a, b]),
            BinaryOp::And => a.related(Relation::And, b),
            BinaryOp::Or => a.related(Relation::Or, b),
        }
    }

    pub fn is_number(&self, value: f64) -> bool {
        matches!(self, Formula::Number(own) if *own == value)
    }

    /// e^power
    pub fn pow(self, power: impl Into<Formula>) -> Formula {
        let power = power.into();
        if power.is_number(1.0) || self.is_number(1.0) {
            return self;
        }
        Formula::Pow(Box::new(self), Box::new(power))
    }

    /// e²; of a root, what is under it.
    pub fn squared(self) -> Formula {
        match self {
            Formula::Number(value) if (value * value).fract() == 0.0 => Formula::Number(value * value),
            Formula::Apply(function, mut args) if *function == Formula::Name("sqrt".into()) && args.len() == 1 => args.remove(0),
            other => other.pow(2),
        }
    }

    /// a ⊙ b
    pub fn elementwise(self, other: impl Into<Formula>) -> Formula {
        let mut factors = match self {
            Formula::Elementwise(factors) => factors,
            one => vec![one],
        };
        match other.into() {
            Formula::Elementwise(more) => factors.extend(more),
            one => factors.push(one),
        }
        Formula::Elementwise(factors)
    }

    fn terms(self) -> Vec<Formula> {
        match self {
            Formula::Add(terms) => terms,
            Formula::Number(0.0) => vec![],
            other => vec![other],
        }
    }

    /// All terms with a plus between them.
    pub fn total(terms: impl IntoIterator<Item = Formula>) -> Formula {
        let mut terms: Vec<Formula> = terms.into_iter().flat_map(Formula::terms).collect();
        match terms.len() {
            0 => Formula::Number(0.0),
            1 => terms.remove(0),
            _ => Formula::Add(terms),
        }
    }

    /// All factors side by side.
    pub fn product(factors: impl IntoIterator<Item = Formula>) -> Formula {
        factors.into_iter().fold(Formula::Number(1.0), |a, b| a * b)
    }
}

impl<T: Into<Formula>> Add<T> for Formula {
    type Output = Formula;

    fn add(self, other: T) -> Formula {
        Formula::total([self, other.into()])
    }
}

impl<T: Into<Formula>> Sub<T> for Formula {
    type Output = Formula;

    fn sub(self, other: T) -> Formula {
        match other.into() {
            Formula::Number(0.0) => self,
            other => Formula::total([self, -other]),
        }
    }
}

impl<T: Into<Formula>> Mul<T> for Formula {
    type Output = Formula;

    fn mul(self, other: T) -> Formula {
        let factors = |formula| match formula {
            Formula::Mul(factors) => factors,
            other => vec![other],
        };
        match (self, other.into()) {
            (Formula::Number(1.0), other) | (other, Formula::Number(1.0)) => other,
            (Formula::Number(0.0), _) | (_, Formula::Number(0.0)) => Formula::Number(0.0),
            (Formula::Number(a), Formula::Number(b)) => Formula::Number(a * b),
            (Formula::Number(a), b) if a < 0.0 => -(Formula::Number(-a) * b),
            (Formula::Neg(a), Formula::Neg(b)) => *a * *b,
            (Formula::Neg(a), b) => -(*a * b),
            (a, Formula::Neg(b)) => -(a * *b),
            (a, b) => numbers_first([factors(a), factors(b)].concat()),
        }
    }
}

/// Numbers stand first, as one.
fn numbers_first(factors: Vec<Formula>) -> Formula {
    let number = |factor: &Formula| if let Formula::Number(value) = factor { Some(*value) } else { None };
    let product: f64 = factors.iter().filter_map(number).product();
    let mut others: Vec<Formula> = factors.into_iter().filter(|factor| number(factor).is_none()).collect();
    // sqrt(2)² / 2 is 1.
    if (product - 1.0).abs() > 1e-12 {
        others.insert(0, Formula::Number(product));
    }
    if others.len() == 1 { others.remove(0) } else { Formula::Mul(others) }
}

impl<T: Into<Formula>> Div<T> for Formula {
    type Output = Formula;

    fn div(self, other: T) -> Formula {
        match (self, other.into()) {
            (a, Formula::Number(1.0)) => a,
            (Formula::Number(a), Formula::Number(2.0)) if a.abs() == 1.0 => Formula::Number(a / 2.0),
            (Formula::Number(a), Formula::Number(b)) if (a / b).fract() == 0.0 => Formula::Number(a / b),
            (Formula::Number(a), b) if a < 0.0 => -(Formula::Number(-a) / b),
            (Formula::Neg(a), b) => -(*a / b),
            (a, b) => Formula::Div(Box::new(a), Box::new(b)),
        }
    }
}

impl Neg for Formula {
    type Output = Formula;

    fn neg(self) -> Formula {
        match self {
            Formula::Neg(inner) => *inner,
            Formula::Number(value) => Formula::Number(-value),
            other => Formula::Neg(Box::new(other)),
        }
    }
}
