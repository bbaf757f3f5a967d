//! Rational functions: partial fractions, then logarithms and inverse tangents.

use super::integral::{Integrator, by_power, moving_bases};
use super::number::Number;
use super::polynomial::Polynomial;
use super::sum::{Base, Sum, Variable};

/// One denominator: a polynomial to a power.
type Pole = (Polynomial, u32);

impl Integrator {
    /// Of p / (a b² …) with denominators of degree 1 and 2.
    pub(super) fn rational(&self, f: &Sum) -> Option<Sum> {
        let bases = moving_bases(f);
        let mut groups = vec![(vec![], f.clone())];
        for base in &bases {
            let polynomial = match base {
                Base::Variable(Variable::Time) => Polynomial::of(&Sum::time())?,
                Base::Sum(sum) => Polynomial::of(sum).filter(|p| p.degree() <= Some(2))?,
                Base::Atom(_) | Base::Variable(_) | Base::Apply(..) => return None,
            };
            let mut next = vec![];
            for (poles, weight) in groups {
                let mut numerator = Sum::zero();
                for (power, part) in by_power(&weight, base) {
                    match power.whole()? {
                        n if n < 0 => next.push(([&poles[..], &[(polynomial.clone(), n.unsigned_abs() as u32)]].concat(), part)),
                        _ => numerator = &numerator + &(&part * &Sum::power(base, power)),
                    }
                }
                next.push((poles, numerator));
            }
            groups = next;
        }
        groups
            .into_iter()
            .try_fold(Sum::zero(), |total, (poles, numerator)| Some(&total + &self.fraction(&Polynomial::of(&numerator)?, &poles)?))
    }

    /// ∫ p / ∏ qᵏ
    fn fraction(&self, numerator: &Polynomial, poles: &[Pole]) -> Option<Sum> {
        if numerator.is_zero() {
            return Some(Sum::zero());
        }
        match poles {
            [] => Some(numerator.antiderivative().sum()),
            [(pole, power)] => self.single(numerator, pole, *power),
            [(first, m), (second, n), rest @ ..] => {
                // 1 = x a + y b, so 1 / (aᵐ bⁿ) = x / (aᵐ⁻¹ bⁿ) + y / (aᵐ bⁿ⁻¹)
                let (x, y) = self.bezout(first, second)?;
                let less = |first_power: u32, second_power: u32| -> Vec<Pole> {
                    let both = [(first.clone(), first_power), (second.clone(), second_power)];
                    both.into_iter().filter(|(_, power)| *power > 0).chain(rest.iter().cloned()).collect()
                };
                let left = self.fraction(&numerator.times(&x), &less(m - 1, *n))?;
                let right = self.fraction(&numerator.times(&y), &less(*m, n - 1))?;
                Some(&left + &right)
            }
        }
    }

    /// x and y with x a + y b = 1, by Euclid's algorithm; `None` where a and b have a common root.
    fn bezout(&self, a: &Polynomial, b: &Polynomial) -> Option<(Polynomial, Polynomial)> {
        let (zero, one) = (Polynomial::new(vec![]), Polynomial::new(vec![Sum::one()]));
        let (mut before, mut now) = ((a.clone(), one.clone(), zero.clone()), (b.clone(), zero, one));
        loop {
            match now.0.degree()? {
                0 => {
                    let inverse = now.0.leading().recip();
                    let scaled = |p: &Polynomial| p.times(&Polynomial::new(vec![inverse.clone()]));
                    return Some((scaled(&now.1), scaled(&now.2)));
                }
                _ => {
                    let (quotient, rest) = before.0.divided(&now.0)?;
                    let rest = self.without_zeros(&rest);
                    let next = (rest, before.1.minus(&quotient.times(&now.1)), before.2.minus(&quotient.times(&now.2)));
                    before = std::mem::replace(&mut now, next);
                }
            }
        }
    }

    /// Coefficients that vanish for all values of their atoms are zero.
    pub(super) fn without_zeros(&self, p: &Polynomial) -> Polynomial {
        let count = p.degree().map_or(0, |degree| degree + 1);
        let tidy = |power| Some(p.coefficient(power)).filter(|c| !self.vanishes(c)).unwrap_or_default();
        Polynomial::new((0..count).map(tidy).collect())
    }

    /// ∫ p / qⁿ: p in powers of q, with coefficients of lower degree.
    fn single(&self, numerator: &Polynomial, pole: &Polynomial, power: u32) -> Option<Sum> {
        let (mut rest, mut left, mut total) = (numerator.clone(), i64::from(power), Sum::zero());
        while !rest.is_zero() {
            let (quotient, remainder) = rest.divided(pole)?;
            if left <= 0 {
                let whole = (0..-left).fold(rest.clone(), |product, _| product.times(pole));
                return Some(&total + &whole.antiderivative().sum());
            }
            let remainder = self.without_zeros(&remainder);
            if pole.degree() == Some(1) {
                let inverse = pole.coefficient(1).recip();
                total = &total + &(&(&remainder.coefficient(0) * &inverse) * &self.integral_of_power(pole, left));
            } else {
                // α + β t = β / (2 c) q' + γ
                let (b, c) = (pole.coefficient(1), pole.coefficient(2));
                let slope = remainder.coefficient(1).over(&c).scale(Number::ratio(1, 2));
                let constant = &remainder.coefficient(0) - &(&slope * &b);
                total = &total + &(&slope * &self.integral_of_power(pole, left));
                total = &total + &(&constant * &self.quadratic(pole, left)?);
            }
            (rest, left) = (quotient, left - 1);
        }
        Some(total)
    }

    /// ∫ 1 / qⁿ of q = a + b t + c t², with D = 4 a c - b².
    fn quadratic(&self, q: &Polynomial, power: i64) -> Option<Sum> {
        let (a, b, c) = (q.coefficient(0), q.coefficient(1), q.coefficient(2));
        let d = &(&a * &c).scale(4) - &b.squared();
        let slope = &b + &(&c * &Sum::time()).scale(2);
        if self.vanishes(&d) {
            // q = c (t + b / 2c)²
            let root = &Sum::time() + &b.over(&c.scale(2));
            let linear = self.integral_of_power(&Polynomial::of(&root)?, 2 * power);
            return Some(&linear * &c.pow(Number::from(-power)));
        }
        if power > 1 {
            let n = power - 1;
            let inverse = d.scale(n).recip();
            let first = &(&slope * &q.sum().pow(Number::from(-n))) * &inverse;
            let rest = self.quadratic(q, n)?.scale(2 * (2 * n - 1));
            return Some(&first + &(&(&rest * &c) * &inverse));
        }
        let sign = self.first_value(&d)?;
        if sign > 0.0 {
            let root = d.pow(Number::ratio(1, 2));
            Some(&Sum::apply(super::sum::Function::Atan, &slope.over(&root)) * &root.recip().scale(2))
        } else {
            let root = (-&d).pow(Number::ratio(1, 2));
            let log = &self.logarithm(&(&slope - &root)) - &self.logarithm(&(&slope + &root));
            Some(log.over(&root))
        }
    }

    /// ∫ v' v⁻ⁿ dt
    fn integral_of_power(&self, v: &Polynomial, power: i64) -> Sum {
        match 1 - power {
            0 => self.logarithm(&v.sum()),
            next => v.sum().pow(Number::from(next)).scale(Number::ratio(1, next)),
        }
    }
}
