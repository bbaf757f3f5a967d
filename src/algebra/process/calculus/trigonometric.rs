//! Integrals with sines and cosines.

use super::integral::{Integrator, moving_bases};
use super::number::Number;
use super::polynomial::Polynomial;
use super::sum::{Base, Factors, Function, Sum, Variable};

/// p(t) exp(u) cos(v) and p(t) exp(u) sin(v) with linear u and v, as real and imaginary part of ∫ p exp(w t), w = u' + i v':
/// exp(w t) (p / w - p' / w² + …).
pub(super) fn linear(f: &Sum) -> Option<Sum> {
    let is_angle = |base: &Base| matches!(base, Base::Apply(Function::Sin | Function::Cos, _));
    if !moving_bases(f).iter().any(is_angle) {
        return None;
    }
    let mut total = Sum::zero();
    for term in products_to_sums(f)?.split() {
        let (factors, coefficient) = term.single()?;
        let (mut weight, mut exponent, mut angle) = (Factors::new(), Sum::zero(), None);
        for (base, power) in factors {
            match base {
                Base::Apply(Function::Exp, u) if !u.is_constant() => exponent = u.clone(),
                Base::Apply(function @ (Function::Sin | Function::Cos), v) if !v.is_constant() => angle = Some((*function, v.clone())),
                _ => drop(weight.insert(base.clone(), *power)),
            }
        }
        let (function, angle) = angle.unwrap_or((Function::Cos, Sum::zero()));
        total = &total + &wave(&Sum::term(coefficient, weight), &exponent, function, &angle)?;
    }
    Some(total)
}

fn wave(weight: &Sum, exponent: &Sum, function: Function, angle: &Sum) -> Option<Sum> {
    let slope = |of: &Sum| Polynomial::of(of).filter(|p| p.degree() <= Some(1)).map(|p| p.coefficient(1));
    let (a, b) = (slope(exponent)?, slope(angle)?);
    let size = &a.squared() + &b.squared();
    let mut rest = Polynomial::of(weight)?;
    if size.is_zero() {
        return Some(&rest.antiderivative().sum() * &Sum::exp(exponent));
    }
    // 1 / w
    let inverse = (a.over(&size), (-&b).over(&size));
    let (mut re, mut im) = (Sum::zero(), Sum::zero());
    let mut power = inverse.clone();
    while !rest.is_zero() {
        (re, im) = (&re + &(&rest.sum() * &power.0), &im + &(&rest.sum() * &power.1));
        power = (&(&power.1 * &inverse.1) - &(&power.0 * &inverse.0), -&(&(&power.0 * &inverse.1) + &(&power.1 * &inverse.0)));
        rest = rest.derivative();
    }
    let (cos, sin) = (Sum::cos(angle), Sum::sin(angle));
    let value = match function {
        Function::Sin => &(&re * &sin) + &(&im * &cos),
        _ => &(&re * &cos) - &(&im * &sin),
    };
    Some(&value * &Sum::exp(exponent))
}

/// Products and natural powers of sines and cosines as sums of single ones.
fn products_to_sums(f: &Sum) -> Option<Sum> {
    let mut total = Sum::zero();
    for (factors, coefficient) in f.terms() {
        let (mut rest, mut waves) = (Factors::new(), vec![]);
        for (base, power) in factors {
            match base {
                Base::Apply(function @ (Function::Sin | Function::Cos), v) if !v.is_constant() => {
                    let natural = power.natural().filter(|&n| n <= 8)?;
                    waves.extend(std::iter::repeat_n((*function, v.clone()), natural as usize));
                }
                _ => drop(rest.insert(base.clone(), *power)),
            }
        }
        let waves = waves.into_iter().fold(Sum::one(), |sum, wave| times(&sum, wave));
        total = &total + &(&Sum::term(coefficient, rest) * &waves);
    }
    Some(total)
}

/// A sum of constants and single waves, times one more wave.
fn times(sum: &Sum, (function, v): (Function, Sum)) -> Sum {
    let half = Number::ratio(1, 2);
    let mut total = Sum::zero();
    for (factors, coefficient) in sum.terms() {
        let wave = factors.iter().find_map(|(base, _)| match base {
            Base::Apply(known @ (Function::Sin | Function::Cos), u) if !u.is_constant() => Some((base, *known, u)),
            _ => None,
        });
        let Some((base, known, u)) = wave else {
            total = &total + &(&Sum::term(coefficient, factors.clone()) * &Sum::apply(function, &v));
            continue;
        };
        let (plus, minus) = (u + &v, u - &v);
        let product = match (known, function) {
            (Function::Sin, Function::Sin) => &Sum::cos(&minus) - &Sum::cos(&plus),
            (Function::Sin, _) => &Sum::sin(&plus) + &Sum::sin(&minus),
            (_, Function::Sin) => &Sum::sin(&plus) - &Sum::sin(&minus),
            (_, _) => &Sum::cos(&plus) + &Sum::cos(&minus),
        };
        let mut rest = factors.clone();
        rest.remove(base);
        total = &total + &(&Sum::term(coefficient * half, rest) * &product);
    }
    total
}

/// f as a polynomial or rational function of one of sin v, cos v, tan v times its derivative: which one, what it is called, and
/// the factor, still in terms of sines and cosines.
pub(super) fn pythagorean(f: &Sum, v: &Sum, keep: Function) -> Option<Sum> {
    let (other, kept) = match keep {
        Function::Cos => (Function::Sin, Function::Cos),
        _ => (Function::Cos, Function::Sin),
    };
    let other = Base::Apply(other, v.clone());
    let square = &Sum::one() - &Sum::of(Base::Apply(kept, v.clone())).squared();
    let mut total = Sum::zero();
    for (factors, coefficient) in f.terms() {
        let mut rest = factors.clone();
        let power = rest.remove(&other).unwrap_or(Number::ZERO).whole()?;
        let odd = power.rem_euclid(2);
        let even = square.pow(Number::from((power - odd) / 2));
        let product = &Sum::term(coefficient, rest) * &even;
        total = &total + &(&product * &Sum::power(&other, Number::from(odd)));
    }
    Some(total)
}

/// sinᵐ v cosⁿ v with m + n even, not both natural, and v linear: in powers of u = tan v, du = (1 + u²) v' dt.
pub(super) fn tangents(integrator: &Integrator, f: &Sum, depth: usize) -> Option<Sum> {
    let angles = moving_bases(f).into_iter().map(|base| match base {
        Base::Apply(Function::Sin | Function::Cos, v) => Some(v),
        Base::Atom(_) | Base::Variable(_) | Base::Apply(..) | Base::Sum(_) => None,
    });
    let mut angles = angles.collect::<Option<Vec<Sum>>>()?;
    angles.dedup();
    let [v] = &angles[..] else { return None };
    let slope = Polynomial::of(v).filter(|p| p.degree() == Some(1))?.coefficient(1);
    let (sin, cos) = (Base::Apply(Function::Sin, v.clone()), Base::Apply(Function::Cos, v.clone()));
    let tangent = &Sum::of(sin.clone()) * &Sum::of(cos.clone()).recip();
    let secant = &Sum::one() + &Sum::time().squared();
    let (mut in_tangent, mut rest) = (Sum::zero(), Sum::zero());
    for (factors, coefficient) in f.terms() {
        let mut fixed = factors.clone();
        let mut take = |base: &Base| fixed.remove(base).unwrap_or(Number::ZERO).whole();
        let (m, n) = (take(&sin)?, take(&cos)?);
        let fixed = Sum::term(coefficient, fixed);
        if (m + n) % 2 != 0 {
            return None;
        }
        if m + n <= -2 {
            let power = &Sum::time().pow(Number::from(m)) * &secant.pow(Number::from(-(m + n + 2) / 2));
            in_tangent = &in_tangent + &(&fixed * &power);
        } else {
            rest = &rest + &Sum::term(coefficient, factors.clone());
        }
    }
    if in_tangent.is_zero() && rest.terms().any(|(factors, _)| factors.contains_key(&sin) && factors.contains_key(&cos)) {
        // What is left has one of them to a positive even power.
        let keep = if rest.terms().any(|(factors, _)| factors.get(&cos).is_some_and(|n| *n < Number::ZERO)) {
            Function::Cos
        } else {
            Function::Sin
        };
        return integrator.integrate(&pythagorean(&rest, v, keep)?, depth);
    }
    let inner = integrator.over(&tangent).integrate(&in_tangent.over(&slope), depth)?.at(Variable::Time, &tangent);
    Some(&inner + &integrator.integrate(&rest, depth)?)
}
