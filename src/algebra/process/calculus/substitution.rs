//! The substitution rule: ∫ g(u(t)) u'(t) dt = ∫ g(u) du, where u occurs in the integrand.

use super::integral::{Integrator, by_power, moving_bases};
use super::number::Number;
use super::sum::{Base, Factors, Function, Sum, Variable};
use super::trigonometric::pythagorean;
use std::collections::BTreeMap;

impl Integrator {
    pub(super) fn by_substitution(&self, f: &Sum, depth: usize) -> Option<Sum> {
        candidates(f).iter().find_map(|u| {
            let forms = match u.single().and_then(|(factors, _)| factors.keys().next()) {
                Some(Base::Apply(function @ (Function::Sin | Function::Cos), v)) => vec![pythagorean(f, v, *function)?],
                _ => vec![f.clone()],
            };
            forms.iter().find_map(|f| {
                let in_u = factor_of_slope(f, u)?;
                let found = self.over(u).integrate(&in_u, depth)?;
                Some(found.at(Variable::Time, u))
            })
        })
    }
}

/// Inner functions that occur, those in denominators first.
fn candidates(f: &Sum) -> Vec<Sum> {
    let mut found: Vec<Sum> = vec![];
    let mut bases = moving_bases(f);
    bases.sort_by_key(|base| by_power(f, base).first().map(|(power, _)| *power >= Number::ZERO));
    for base in bases {
        collect(&base, &mut found);
    }
    found.retain(|u| *u != Sum::time());
    found
}

fn collect(base: &Base, found: &mut Vec<Sum>) {
    let mut add = |u: Sum| {
        if !u.is_constant() && !found.contains(&u) {
            found.push(u);
        }
    };
    match base {
        Base::Atom(_) | Base::Variable(_) => {}
        Base::Apply(_, inner) => {
            add(Sum::of(base.clone()));
            add(inner.clone());
            moving_bases(inner).iter().for_each(|base| collect(base, found));
        }
        Base::Sum(inner) => {
            add(inner.clone());
            moving_bases(inner).iter().for_each(|base| collect(base, found));
        }
    }
}

/// g with f = g(u) u', in which time stands for u.
fn factor_of_slope(f: &Sum, u: &Sum) -> Option<Sum> {
    let slope = u.derivative(Variable::Time);
    if slope.len() == 1
        && let Some(quotient) = in_terms_of(&f.over(&slope), u)
    {
        return Some(quotient);
    }
    // f = Σ g(u) w, where each w is a multiple of u'
    let mut parts: BTreeMap<Sum, Sum> = BTreeMap::new();
    for (factors, coefficient) in f.terms() {
        let (mut outer, mut weight) = (Sum::one(), Factors::new());
        for (base, &power) in factors {
            match (base.is_free_of(Variable::Time), base) {
                (false, Base::Apply(..) | Base::Sum(_)) if in_terms_of(&Sum::power(base, power), u).is_some() => {
                    outer = &outer * &in_terms_of(&Sum::power(base, power), u)?;
                }
                _ => drop(weight.insert(base.clone(), power)),
            }
        }
        let part = parts.entry(outer).or_default();
        *part = &*part + &Sum::term(coefficient, weight);
    }
    parts.iter().try_fold(Sum::zero(), |total, (outer, weight)| Some(&total + &(outer * &multiple(weight, &slope)?)))
}

/// c with a = c b, not depending on time.
fn multiple(a: &Sum, b: &Sum) -> Option<Sum> {
    let split = |(factors, coefficient): (&Factors, Number)| -> (Factors, Sum) {
        let (fixed, moving) = factors.clone().into_iter().partition(|(base, _): &(Base, Number)| base.is_free_of(Variable::Time));
        (moving, Sum::term(coefficient, fixed))
    };
    let by_moving = |sum: &Sum| {
        let mut groups: BTreeMap<Factors, Sum> = BTreeMap::new();
        for (moving, weight) in sum.terms().map(split) {
            let group = groups.entry(moving).or_default();
            *group = &*group + &weight;
        }
        groups
    };
    let (a, b) = (by_moving(a), by_moving(b));
    let (moving, weight) = b.iter().next_back()?;
    let ratio = a.get(moving)?.over(weight);
    let same =
        a.len() == b.len() && a.iter().all(|(moving, weight)| b.get(moving).is_some_and(|other| (&(other * &ratio) - weight).is_zero()));
    same.then_some(ratio)
}

/// The sum as a function of u alone, in which time stands for u.
fn in_terms_of(sum: &Sum, u: &Sum) -> Option<Sum> {
    if sum.is_constant() {
        return Some(sum.clone());
    }
    if let Some(linear) = linear_in(sum, u) {
        return Some(linear);
    }
    let mut total = Sum::zero();
    for (factors, coefficient) in sum.terms() {
        let mut product = Sum::from(coefficient);
        for (base, &power) in factors {
            let value = if base.is_free_of(Variable::Time) { Sum::of(base.clone()) } else { base_in_terms_of(base, u)? };
            product = &product * &value.pow(power);
        }
        total = &total + &product;
    }
    Some(total)
}

fn base_in_terms_of(base: &Base, u: &Sum) -> Option<Sum> {
    if Sum::of(base.clone()) == *u {
        return Some(Sum::time());
    }
    match base {
        Base::Atom(_) | Base::Variable(_) => None,
        Base::Sum(sum) => in_terms_of(sum, u),
        Base::Apply(Function::Exp, exponent) => exponential_in(exponent, u).or_else(|| Some(Sum::exp(&in_terms_of(exponent, u)?))),
        Base::Apply(function, argument) => Some(Sum::apply(*function, &in_terms_of(argument, u)?)),
    }
}

/// exp(k w + d) is uᵏ exp(d), where u = exp(w).
fn exponential_in(exponent: &Sum, u: &Sum) -> Option<Sum> {
    let (factors, coefficient) = u.single()?;
    let (Base::Apply(Function::Exp, w), true) = (factors.keys().next()?, factors.len() == 1 && coefficient.is_one()) else { return None };
    let (factor, rest) = affine_in(exponent, w)?;
    Some(&Sum::time().pow(factor.number()?) * &Sum::exp(&rest))
}

/// c u + d, with time for u.
fn linear_in(sum: &Sum, u: &Sum) -> Option<Sum> {
    let (factor, rest) = affine_in(sum, u)?;
    Some(&(&factor * &Sum::time()) + &rest)
}

/// c and d, not depending on time, with sum = c u + d.
fn affine_in(sum: &Sum, u: &Sum) -> Option<(Sum, Sum)> {
    let moving = |of: &Sum| of.split().filter(|term| !term.is_constant()).fold(Sum::zero(), |total, term| &total + &term);
    let (own, other) = (moving(sum), moving(u));
    let factor = multiple(&own, &other)?;
    let rest = sum - &(&factor * u);
    rest.is_constant().then_some((factor, rest))
}
