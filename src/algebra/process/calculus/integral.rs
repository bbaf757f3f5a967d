//! Primitives of functions of time in elementary functions, where one of the rules finds them.
//!
//! Each rule takes a whole sum; one that no rule knows is taken apart. What is found is tried: its derivative must be the integrand at
//! random points, or it counts as not found. References: Bronstein: Symbolic integration I, 2nd edition (2005), section 5.6 for the
//! equation q' + q u' = p; Gradshteyn and Ryzhik: Table of integrals, series, and products, section 2.1 for powers of quadratics.

use super::evaluate::Point;
use super::number::Number;
use super::polynomial::Polynomial;
use super::sum::{Base, Factors, Function, Sum, Variable};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Finds primitives over time.
pub struct Integrator {
    points: Vec<Point>,
    /// Sums that may still be looked at: the search ends
    fuel: Rc<Cell<usize>>,
}

/// Rules may use each other's results this many times over.
const DEPTH: usize = 8;
const FUEL: usize = 1000;
/// Longer sums are not looked at.
const MOST_TERMS: usize = 200;
/// Of the integrand, the largest error at a point, relative to it
const TOLERANCE: f64 = 1e-8;

impl Integrator {
    /// `points`: where signs are decided and results tried, at different times and for different values of what is learned.
    pub fn new(points: Vec<Point>) -> Integrator {
        Integrator { points, fuel: Rc::new(Cell::new(FUEL)) }
    }

    /// A function whose derivative by time is `f`; `None` where none was found.
    pub fn primitive(&self, f: &Sum) -> Option<Sum> {
        self.fuel.set(FUEL);
        self.integrate(f, DEPTH).filter(|primitive| self.is_primitive(primitive, f))
    }

    /// The same, where time stands for u.
    pub(super) fn over(&self, u: &Sum) -> Integrator {
        Integrator { points: self.points.iter().map(|point| point.at(u.evaluate(point))).collect(), fuel: self.fuel.clone() }
    }

    pub(super) fn first_value(&self, v: &Sum) -> Option<f64> {
        self.points.iter().map(|point| v.evaluate(point)).find(|value| value.is_finite())
    }

    /// log |v|, by its sign where it has one first.
    pub(super) fn logarithm(&self, v: &Sum) -> Sum {
        let first = self.first_value(v);
        Sum::log(&if first.is_some_and(|value| value < 0.0) { -v } else { v.clone() })
    }

    /// Whether the derivative of one sum is the other, at all points where both have a value, and there are some.
    fn is_primitive(&self, primitive: &Sum, f: &Sum) -> bool {
        let derivative = primitive.derivative(Variable::Time);
        let pairs = self.points.iter().map(|point| (derivative.evaluate(point), f.evaluate(point)));
        let finite: Vec<(f64, f64)> = pairs.filter(|(_, wanted)| wanted.is_finite()).collect();
        let largest = finite.iter().fold(0.0, |largest: f64, (_, wanted)| largest.max(wanted.abs()));
        let close = |&(found, wanted): &(f64, f64)| (found - wanted).abs() <= TOLERANCE * (wanted.abs() + 1e-3 * largest);
        !finite.is_empty() && finite.iter().all(close)
    }

    /// Zero for all values of its atoms.
    pub(super) fn vanishes(&self, sum: &Sum) -> bool {
        let size = |point: &Point| sum.split().map(|term| term.evaluate(point).abs()).sum::<f64>();
        sum.is_zero() || self.points.iter().all(|point| sum.evaluate(point).abs() <= 1e-11 * size(point))
    }

    pub(super) fn integrate(&self, f: &Sum, depth: usize) -> Option<Sum> {
        if f.is_zero() {
            return Some(Sum::zero());
        }
        let deeper = depth.checked_sub(1).filter(|_| f.len() <= MOST_TERMS)?;
        self.fuel.set(self.fuel.get().checked_sub(1)?);
        let rules: [&dyn Fn() -> Option<Sum>; 7] = [
            &|| self.powers(f),
            &|| self.exponential(f),
            &|| super::trigonometric::linear(f),
            &|| self.rational(f),
            &|| super::trigonometric::tangents(self, f, deeper),
            &|| self.by_substitution(f, deeper),
            &|| self.by_parts(f, deeper),
        ];
        rules.iter().find_map(|rule| rule()).or_else(|| self.apart(f, deeper))
    }

    /// ∫ (f + g) = ∫ f + ∫ g, taken apart along exponentials, then along all functions, then term by term.
    fn apart(&self, f: &Sum, depth: usize) -> Option<Sum> {
        let is_exponential = |base: &Base| matches!(base, Base::Apply(Function::Exp, _));
        let keys: [&dyn Fn(&Base) -> bool; 3] = [&is_exponential, &|base| !matches!(base, Base::Variable(_)), &|_| true];
        let parts = keys.iter().map(|key| grouped(f, key)).find(|parts| parts.len() > 1)?;
        parts.iter().try_fold(Sum::zero(), |total, part| Some(&total + &self.integrate(part, depth)?))
    }

    /// Of p(t) tʳ, or of p(t) (c + d t)ʳ, with any r.
    fn powers(&self, f: &Sum) -> Option<Sum> {
        let linear = moving_bases(f).into_iter().filter(|base| matches!(base, Base::Sum(_))).collect::<Vec<_>>();
        match &linear[..] {
            [] => f.split().try_fold(Sum::zero(), |total, term| Some(&total + &self.power_of_time(&term)?)),
            [base @ Base::Sum(sum)] => {
                // With v = c + d t, dt = dv / d
                let polynomial = Polynomial::of(sum).filter(|p| p.degree() == Some(1))?;
                let (c, d) = (polynomial.coefficient(0), polynomial.coefficient(1));
                let time = (&Sum::time() - &c).over(&d);
                let in_v = f.split().try_fold(Sum::zero(), |total, term| {
                    let (factors, coefficient) = term.single()?;
                    let power = factors.get(base).copied().unwrap_or(Number::ZERO);
                    let mut rest = factors.clone();
                    rest.remove(base);
                    let rest = Polynomial::of(&Sum::term(coefficient, rest))?.at(&time);
                    Some(&total + &(&rest * &Sum::power(&Base::Variable(Variable::Time), power)))
                })?;
                let found = self.over(sum).powers(&in_v.over(&d))?;
                // Powers of v stay powers of c + d t, to be told again
                Some(found.replace(&|base| (*base == Base::Variable(Variable::Time)).then(|| sum.clone())))
            }
            _ => None,
        }
    }

    /// c tʳ
    fn power_of_time(&self, term: &Sum) -> Option<Sum> {
        let (factors, coefficient) = term.single()?;
        let mut rest = factors.clone();
        let power = rest.remove(&Base::Variable(Variable::Time)).unwrap_or(Number::ZERO);
        let rest = Sum::term(coefficient, rest);
        if !rest.is_constant() {
            return None;
        }
        let next = power + Number::ONE;
        Some(match next.is_zero() {
            true => &rest * &self.logarithm(&Sum::time()),
            false => &rest.scale(next.recip()) * &Sum::power(&Base::Variable(Variable::Time), next),
        })
    }

    /// ∫ p exp(u) = q exp(u) where q' + q u' = p, of polynomials: from the highest power down.
    fn exponential(&self, f: &Sum) -> Option<Sum> {
        let is_moving = |base: &&Base| matches!(base, Base::Apply(Function::Exp, u) if !u.is_constant());
        let base = moving_bases(f).into_iter().find(|base| is_moving(&base))?;
        let Base::Apply(_, exponent) = &base else { return None };
        let slope = Polynomial::of(exponent)?.derivative();
        let parts = by_power(f, &base);
        let [(Number::Ratio(1, 1), weight)] = &parts[..] else { return None };
        let (mut rest, mut found) = (Polynomial::of(weight)?, Sum::zero());
        while let Some(degree) = rest.degree() {
            let power = degree.checked_sub(slope.degree()?)?;
            let next = Polynomial::monomial(rest.leading().over(&slope.leading()), power);
            found = &found + &next.sum();
            let reduced = rest.minus(&next.derivative()).minus(&next.times(&slope));
            // The leading terms cancel, whatever the coefficients look like.
            rest = self.without_zeros(&Polynomial::new((0..degree).map(|power| reduced.coefficient(power)).collect()));
        }
        Some(&found * &Sum::exp(exponent))
    }

    /// ∫ w Lⁿ = W Lⁿ - ∫ W n Lⁿ⁻¹ L', of a logarithm or an inverse tangent L.
    fn by_parts(&self, f: &Sum, depth: usize) -> Option<Sum> {
        let is_late = |base: &&Base| matches!(base, Base::Apply(Function::Log | Function::Atan, _));
        let base = moving_bases(f).into_iter().find(|base| is_late(&base))?;
        let mut total = Sum::zero();
        for (power, weight) in by_power(f, &base) {
            let natural = power.natural()?;
            let outer = self.integrate(&weight, depth)?;
            total = &total + &(&outer * &Sum::power(&base, power));
            if natural > 0 {
                let inner = &Sum::power(&base, power - Number::ONE) * &Sum::of(base.clone()).derivative(Variable::Time);
                let inner = &outer.scale(power) * &inner;
                total = &total - &self.integrate(&inner, depth)?;
            }
        }
        Some(total)
    }
}

/// The bases of all terms that depend on time.
pub(super) fn moving_bases(f: &Sum) -> Vec<Base> {
    let mut bases: Vec<Base> =
        f.terms().flat_map(|(factors, _)| factors.keys()).filter(|base| !base.is_free_of(Variable::Time)).cloned().collect();
    bases.sort();
    bases.dedup();
    bases
}

/// f = Σ w bᵉ: exponents and weights.
pub(super) fn by_power(f: &Sum, base: &Base) -> Vec<(Number, Sum)> {
    let mut parts: BTreeMap<Number, Sum> = BTreeMap::new();
    for (factors, coefficient) in f.terms() {
        let mut rest = factors.clone();
        let power = rest.remove(base).unwrap_or(Number::ZERO);
        let part = parts.entry(power).or_default();
        *part = &*part + &Sum::term(coefficient, rest);
    }
    parts.into_iter().collect()
}

/// Terms that agree in those moving bases that `key` picks.
fn grouped(f: &Sum, key: &dyn Fn(&Base) -> bool) -> Vec<Sum> {
    let mut groups: BTreeMap<Factors, Sum> = BTreeMap::new();
    for (factors, coefficient) in f.terms() {
        let picked = factors.iter().filter(|(base, _)| !base.is_free_of(Variable::Time) && key(base));
        let group = groups.entry(picked.map(|(base, power)| (base.clone(), *power)).collect()).or_default();
        *group = &*group + &Sum::term(coefficient, factors.clone());
    }
    groups.into_values().collect()
}
