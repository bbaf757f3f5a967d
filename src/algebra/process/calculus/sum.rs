//! The terms in which functions of time are integrated: sums of products of powers.
//!
//! A [`Sum`] is Σ c ∏ bᵉ, with numbers c and e. Bases are variables, whatever does not depend on time, elementary functions of
//! sums, and sums themselves where they stand under a power that is not multiplied out. Products are distributed, exponentials
//! of one product are one exponential, and equal terms are one term, so that equal functions mostly are equal sums.

use super::number::Number;
use crate::graph::NodeId;
use std::collections::BTreeMap;
use std::ops::{Add, Mul, Neg, Sub};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// t, over which is integrated
    Time,
    /// s, where the integral begins
    Start,
    /// t - s
    Elapsed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    Exp,
    /// exp(x) - 1
    Expm1,
    Log,
    /// log(1 + x)
    Log1p,
    Sin,
    Cos,
    Atan,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// A node of the graph that does not depend on time
    Atom(NodeId),
    Variable(Variable),
    Apply(Function, Sum),
    /// A sum of several terms
    Sum(Sum),
}

/// ∏ bᵉ, exponents not zero
pub type Factors = BTreeMap<Base, Number>;

/// Σ c ∏ bᵉ, coefficients not zero
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum(BTreeMap<Factors, Number>);

/// Powers of sums up to here are multiplied out, where this many terms at most come of it.
const MOST_EXPANDED: u32 = 8;
const MOST_TERMS: usize = 200;

impl Sum {
    pub fn zero() -> Sum {
        Sum::default()
    }

    pub fn one() -> Sum {
        Sum::from(Number::ONE)
    }

    pub fn time() -> Sum {
        Sum::of(Base::Variable(Variable::Time))
    }

    pub fn variable(variable: Variable) -> Sum {
        Sum::of(Base::Variable(variable))
    }

    pub fn atom(node: NodeId) -> Sum {
        Sum::of(Base::Atom(node))
    }

    pub fn of(base: Base) -> Sum {
        Sum::term(Number::ONE, Factors::from([(base, Number::ONE)]))
    }

    /// One term as it stands.
    pub fn term(coefficient: Number, factors: Factors) -> Sum {
        let mut sum = Sum::zero();
        sum.push(coefficient, factors);
        sum
    }

    pub fn terms(&self) -> impl DoubleEndedIterator<Item = (&Factors, Number)> {
        self.0.iter().map(|(factors, &coefficient)| (factors, coefficient))
    }

    /// Each term by itself.
    pub fn split(&self) -> impl Iterator<Item = Sum> + '_ {
        self.terms().map(|(factors, coefficient)| Sum::term(coefficient, factors.clone()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// The only term.
    pub fn single(&self) -> Option<(&Factors, Number)> {
        let mut terms = self.terms();
        terms.next().filter(|_| self.len() == 1)
    }

    pub fn number(&self) -> Option<Number> {
        match self.single() {
            None => self.is_zero().then_some(Number::ZERO),
            Some((factors, coefficient)) => factors.is_empty().then_some(coefficient),
        }
    }

    /// Whether it does not change with a variable.
    pub fn is_free_of(&self, variable: Variable) -> bool {
        self.0.keys().all(|factors| factors.keys().all(|base| base.is_free_of(variable)))
    }

    pub fn is_constant(&self) -> bool {
        self.is_free_of(Variable::Time)
    }

    fn push(&mut self, coefficient: Number, factors: Factors) {
        let sum = self.0.remove(&factors).unwrap_or(Number::ZERO) + coefficient;
        if !sum.is_zero() {
            self.0.insert(factors, sum);
        }
    }

    pub fn scale(&self, by: impl Into<Number>) -> Sum {
        let by = by.into();
        let mut scaled = Sum::zero();
        self.terms().for_each(|(factors, coefficient)| scaled.push(coefficient * by, factors.clone()));
        scaled
    }

    pub fn recip(&self) -> Sum {
        self.pow(Number::from(-1))
    }

    /// The quotient; of multiples of one sum, their ratio.
    pub fn over(&self, other: &Sum) -> Sum {
        if other.len() > 1
            && let Some(ratio) = self.ratio_to(other)
        {
            return Sum::from(ratio);
        }
        self * &other.recip()
    }

    pub fn squared(&self) -> Sum {
        self * self
    }

    /// The sum to a power. Roots are positive.
    pub fn pow(&self, power: Number) -> Sum {
        if power.is_zero() {
            return Sum::one();
        }
        if power.is_one() || (self.is_zero() && power > Number::ZERO) {
            return self.clone();
        }
        if let Some((factors, coefficient)) = self.single()
            && (coefficient > Number::ZERO || power.whole().is_some())
        {
            return factors
                .iter()
                .fold(Sum::from(coefficient.pow(power)), |product, (base, &exponent)| &product * &Sum::power(base, exponent * power));
        }
        if let Some(natural) = self.expands(power) {
            return (1..natural).fold(self.clone(), |product, _| &product * self);
        }
        self.kept(power)
    }

    /// The power of a sum of several terms as a factor of its own, with coefficients such that multiples of one sum meet.
    pub(super) fn kept(&self, power: Number) -> Sum {
        let leading = self.terms().next_back().map_or(Number::ONE, |(_, coefficient)| coefficient);
        let content = if power.whole().is_some() { leading } else { Number::from(leading.value().abs()) };
        let factors = Factors::from([(Base::Sum(self.scale(content.recip())), power)]);
        Sum::term(content.pow(power), factors)
    }

    /// c with self = c other, a number.
    pub fn ratio_to(&self, other: &Sum) -> Option<Number> {
        let (factors, coefficient) = other.terms().next()?;
        let ratio = *self.0.get(factors)? * coefficient.recip();
        (&other.scale(ratio) - self).is_zero().then_some(ratio)
    }

    /// The power, where it is to be multiplied out.
    fn expands(&self, power: Number) -> Option<u32> {
        power.natural().filter(|&n| n <= MOST_EXPANDED && self.len().saturating_pow(n) <= MOST_TERMS)
    }

    /// One base to a power.
    pub fn power(base: &Base, exponent: Number) -> Sum {
        match base {
            _ if exponent.is_zero() => Sum::one(),
            Base::Apply(Function::Exp, argument) => Sum::exp(&argument.scale(exponent)),
            Base::Sum(sum) if exponent.natural().is_some() => sum.pow(exponent),
            Base::Atom(_) | Base::Variable(_) | Base::Apply(..) | Base::Sum(_) => {
                Sum::term(Number::ONE, Factors::from([(base.clone(), exponent)]))
            }
        }
    }

    /// The same with another value for each base that `f` knows.
    pub fn replace(&self, f: &dyn Fn(&Base) -> Option<Sum>) -> Sum {
        let mut total = Sum::zero();
        for (factors, coefficient) in self.terms() {
            let product = factors.iter().fold(Sum::from(coefficient), |product, (base, &exponent)| {
                let value = f(base).unwrap_or_else(|| match base {
                    Base::Apply(function, argument) => Sum::apply(*function, &argument.replace(f)),
                    Base::Sum(sum) => sum.replace(f),
                    Base::Atom(_) | Base::Variable(_) => Sum::of(base.clone()),
                });
                &product * &value.pow(exponent)
            });
            total = &total + &product;
        }
        total
    }

    /// With a value for a variable.
    pub fn at(&self, variable: Variable, value: &Sum) -> Sum {
        self.replace(&|base| (*base == Base::Variable(variable)).then(|| value.clone()))
    }
}

impl Base {
    pub fn is_free_of(&self, variable: Variable) -> bool {
        match self {
            Base::Atom(_) => true,
            Base::Variable(own) => *own != variable,
            Base::Apply(_, sum) | Base::Sum(sum) => sum.is_free_of(variable),
        }
    }
}

impl From<Number> for Sum {
    fn from(number: Number) -> Sum {
        Sum::term(number, Factors::new())
    }
}

impl From<f64> for Sum {
    fn from(number: f64) -> Sum {
        Sum::from(Number::from(number))
    }
}

impl Add for &Sum {
    type Output = Sum;

    fn add(self, other: &Sum) -> Sum {
        let mut sum = self.clone();
        other.terms().for_each(|(factors, coefficient)| sum.push(coefficient, factors.clone()));
        sum
    }
}

impl Neg for &Sum {
    type Output = Sum;

    fn neg(self) -> Sum {
        self.scale(-1)
    }
}

impl Sub for &Sum {
    type Output = Sum;

    fn sub(self, other: &Sum) -> Sum {
        self + &-other
    }
}

impl Mul for &Sum {
    type Output = Sum;

    fn mul(self, other: &Sum) -> Sum {
        let mut sum = Sum::zero();
        for (a, c) in self.terms() {
            for (b, d) in other.terms() {
                let product = product(a, b);
                product.terms().for_each(|(factors, coefficient)| sum.push(coefficient * c * d, factors.clone()));
            }
        }
        sum
    }
}

/// Exponents of equal bases add; exponentials become one; powers of sums that become natural are multiplied out.
fn product(a: &Factors, b: &Factors) -> Sum {
    let mut factors = a.clone();
    let mut exponent = Sum::zero();
    for (base, &power) in b {
        let total = factors.remove(base).unwrap_or(Number::ZERO) + power;
        if !total.is_zero() {
            factors.insert(base.clone(), total);
        }
    }
    let exponentials: Vec<Base> = factors.keys().filter(|base| matches!(base, Base::Apply(Function::Exp, _))).cloned().collect();
    if exponentials.len() > 1 || exponentials.first().is_some_and(|base| factors.get(base) != Some(&Number::ONE)) {
        for base in exponentials {
            if let (Base::Apply(_, argument), Some(power)) = (&base, factors.remove(&base)) {
                exponent = &exponent + &argument.scale(power);
            }
        }
    }
    let natural = |(base, power): &(&Base, &Number)| {
        a.contains_key(base) && b.contains_key(base) && matches!(base, Base::Sum(sum) if sum.expands(**power).is_some())
    };
    let expanded: Vec<(Base, Number)> = factors.iter().filter(natural).map(|(base, power)| (base.clone(), *power)).collect();
    expanded.iter().for_each(|(base, _)| factors.retain(|own, _| own != base));
    let mut product = Sum::term(Number::ONE, factors);
    if !exponent.is_zero() {
        product = &product * &Sum::exp(&exponent);
    }
    expanded.iter().fold(product, |product, (base, power)| &product * &Sum::power(base, *power))
}
