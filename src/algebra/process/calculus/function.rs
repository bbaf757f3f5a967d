//! Elementary functions of sums, and derivatives.

use super::number::Number;
use super::sum::{Base, Factors, Function, Sum, Variable};

impl Sum {
    pub fn apply(function: Function, argument: &Sum) -> Sum {
        match function {
            Function::Exp => Sum::exp(argument),
            Function::Log => Sum::log(argument),
            Function::Sin => Sum::sin(argument),
            Function::Cos => Sum::cos(argument),
            Function::Expm1 | Function::Log1p | Function::Atan => match argument.is_zero() {
                true => Sum::zero(),
                false => Sum::of(Base::Apply(function, argument.clone())),
            },
        }
    }

    /// exp(u); exp(c log v) is vᶜ, which waits for its inverse before it is multiplied out.
    pub fn exp(argument: &Sum) -> Sum {
        let mut rest = Sum::zero();
        let mut coefficient = Number::ONE;
        let mut powers = Factors::new();
        for (factors, own) in argument.terms() {
            let Some(inner) = logarithm(factors) else {
                rest = &rest + &Sum::term(own, factors.clone());
                continue;
            };
            let power = if inner.len() == 1 { inner.pow(own) } else { inner.kept(own) };
            if let Some((factors, content)) = power.single() {
                coefficient = coefficient * content;
                factors.iter().for_each(|(base, power)| *powers.entry(base.clone()).or_insert(Number::ZERO) = *power);
            }
        }
        if !rest.is_zero() {
            powers.insert(Base::Apply(Function::Exp, rest), Number::ONE);
        }
        Sum::term(coefficient, powers)
    }

    /// log(c ∏ bᵉ) = log c + Σ e log b, of what is positive.
    pub fn log(argument: &Sum) -> Sum {
        if let Some((factors, coefficient)) = argument.single()
            && coefficient > Number::ZERO
        {
            let log = |base: &Base| match base {
                Base::Apply(Function::Exp, argument) => argument.clone(),
                Base::Sum(sum) => Sum::log(sum),
                Base::Atom(_) | Base::Variable(_) | Base::Apply(..) => Sum::of(Base::Apply(Function::Log, Sum::of(base.clone()))),
            };
            let constant = Sum::from(coefficient.value().ln());
            return factors.iter().fold(constant, |sum, (base, &exponent)| &sum + &log(base).scale(exponent));
        }
        let size = argument.terms().next_back().map_or(Number::ONE, |(_, coefficient)| Number::from(coefficient.value().abs()));
        let inner = Sum::of(Base::Apply(Function::Log, argument.scale(size.recip())));
        &Sum::from(size.value().ln()) + &inner
    }

    pub fn sin(argument: &Sum) -> Sum {
        match argument.number() {
            Some(number) => Sum::from(number.value().sin()),
            None if is_negative(argument) => -&Sum::of(Base::Apply(Function::Sin, -argument)),
            None => Sum::of(Base::Apply(Function::Sin, argument.clone())),
        }
    }

    pub fn cos(argument: &Sum) -> Sum {
        match argument.number() {
            Some(number) => Sum::from(number.value().cos()),
            None if is_negative(argument) => Sum::of(Base::Apply(Function::Cos, -argument)),
            None => Sum::of(Base::Apply(Function::Cos, argument.clone())),
        }
    }

    /// The partial derivative.
    pub fn derivative(&self, by: Variable) -> Sum {
        let mut total = Sum::zero();
        for (factors, coefficient) in self.terms() {
            for (base, &exponent) in factors.iter().filter(|(base, _)| !base.is_free_of(by)) {
                let mut rest = factors.clone();
                rest.remove(base);
                let outer = &Sum::term(coefficient * exponent, rest) * &Sum::power(base, exponent - Number::ONE);
                total = &total + &(&outer * &base.derivative(by));
            }
        }
        total
    }
}

impl Base {
    fn derivative(&self, by: Variable) -> Sum {
        match self {
            Base::Atom(_) => Sum::zero(),
            Base::Variable(own) => {
                if *own == by {
                    Sum::one()
                } else {
                    Sum::zero()
                }
            }
            Base::Sum(sum) => sum.derivative(by),
            Base::Apply(function, argument) => {
                let outer = match function {
                    Function::Exp | Function::Expm1 => Sum::exp(argument),
                    Function::Log => argument.recip(),
                    Function::Log1p => (&Sum::one() + argument).recip(),
                    Function::Sin => Sum::cos(argument),
                    Function::Cos => -&Sum::sin(argument),
                    Function::Atan => (&Sum::one() + &argument.squared()).recip(),
                };
                &outer * &argument.derivative(by)
            }
        }
    }
}

/// v, of a term that is a multiple of log v.
fn logarithm(factors: &Factors) -> Option<&Sum> {
    match factors.iter().next() {
        Some((Base::Apply(Function::Log, inner), exponent)) if factors.len() == 1 && exponent.is_one() => Some(inner),
        _ => None,
    }
}

/// Whether the term by which signs are told is negative.
fn is_negative(sum: &Sum) -> bool {
    sum.terms().next_back().is_some_and(|(_, coefficient)| coefficient < Number::ZERO)
}
