//! Polynomials in time, their coefficients sums that do not depend on it.

use super::number::Number;
use super::sum::{Base, Factors, Sum, Variable};

/// From the constant term on; the last coefficient is not zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial(Vec<Sum>);

const TIME: Base = Base::Variable(Variable::Time);

impl Polynomial {
    pub fn new(mut coefficients: Vec<Sum>) -> Polynomial {
        while coefficients.last().is_some_and(Sum::is_zero) {
            coefficients.pop();
        }
        Polynomial(coefficients)
    }

    /// `None` where the sum is no polynomial.
    pub fn of(sum: &Sum) -> Option<Polynomial> {
        let mut coefficients: Vec<Sum> = vec![];
        for (factors, coefficient) in sum.terms() {
            let power = factors.get(&TIME).map_or(Some(0), |power| power.natural())? as usize;
            let rest: Factors = factors.iter().filter(|(base, _)| **base != TIME).map(|(base, power)| (base.clone(), *power)).collect();
            if rest.keys().any(|base| !base.is_free_of(Variable::Time)) || power > 64 {
                return None;
            }
            if coefficients.len() <= power {
                coefficients.resize(power + 1, Sum::zero());
            }
            coefficients[power] = &coefficients[power] + &Sum::term(coefficient, rest);
        }
        Some(Polynomial::new(coefficients))
    }

    pub fn sum(&self) -> Sum {
        self.at(&Sum::time())
    }

    /// By Horner's rule.
    pub fn at(&self, x: &Sum) -> Sum {
        self.0.iter().rev().fold(Sum::zero(), |value, coefficient| &(&value * x) + coefficient)
    }

    /// `None` of zero.
    pub fn degree(&self) -> Option<usize> {
        self.0.len().checked_sub(1)
    }

    pub fn coefficient(&self, power: usize) -> Sum {
        self.0.get(power).cloned().unwrap_or_default()
    }

    pub fn leading(&self) -> Sum {
        self.0.last().cloned().unwrap_or_default()
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub fn monomial(coefficient: Sum, power: usize) -> Polynomial {
        let mut coefficients = vec![Sum::zero(); power];
        coefficients.push(coefficient);
        Polynomial::new(coefficients)
    }

    pub fn derivative(&self) -> Polynomial {
        Polynomial::new(self.0.iter().enumerate().skip(1).map(|(power, c)| c.scale(power as i64)).collect())
    }

    pub fn antiderivative(&self) -> Polynomial {
        let higher = self.0.iter().enumerate().map(|(power, c)| c.scale(Number::ratio(1, power as i64 + 1)));
        Polynomial::new([Sum::zero()].into_iter().chain(higher).collect())
    }

    pub fn minus(&self, other: &Polynomial) -> Polynomial {
        let count = self.0.len().max(other.0.len());
        Polynomial::new((0..count).map(|power| &self.coefficient(power) - &other.coefficient(power)).collect())
    }

    pub fn times(&self, other: &Polynomial) -> Polynomial {
        let mut product = vec![Sum::zero(); (self.0.len() + other.0.len()).saturating_sub(1)];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                product[i + j] = &product[i + j] + &(a * b);
            }
        }
        Polynomial::new(product)
    }

    /// Quotient and remainder; `None` by zero.
    pub fn divided(&self, by: &Polynomial) -> Option<(Polynomial, Polynomial)> {
        let degree = by.degree()?;
        let inverse = by.leading().recip();
        let mut rest = self.0.clone();
        let mut quotient = vec![Sum::zero(); (rest.len()).saturating_sub(degree)];
        while rest.len() > degree {
            let Some(top) = rest.pop() else { break };
            let shift = rest.len() - degree;
            let factor = &top * &inverse;
            for power in 0..degree {
                rest[shift + power] = &rest[shift + power] - &(&factor * &by.coefficient(power));
            }
            quotient[shift] = factor;
        }
        Some((Polynomial::new(quotient), Polynomial::new(rest)))
    }
}
