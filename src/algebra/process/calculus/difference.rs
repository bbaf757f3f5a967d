//! f(t) - f(s) in forms that keep their digits where t is near s: polynomials in the elapsed time h = t - s, expm1 and log1p.

use super::number::Number;
use super::sum::{Base, Factors, Function, Sum, Variable};

/// Exponents up to here are written as powers of one expm1.
const MOST_POWERS: i64 = 8;

impl Sum {
    /// f(t) - f(s), in terms of t, s and h.
    pub fn difference(&self) -> Sum {
        let each = |(factors, coefficient): (&Factors, Number)| {
            let (mut start, mut difference) = (Sum::from(coefficient), Sum::zero());
            for (base, &power) in factors {
                // D(f g) = Df g(s) + f(s) Dg + Df Dg
                let (own, moved) = (Sum::power(base, power).at_start(), base.difference(power));
                let end = &own + &moved;
                difference = &(&difference * &end) + &(&start * &moved);
                start = &start * &own;
            }
            difference
        };
        gathered(&self.terms().map(each).fold(Sum::zero(), |total, term| &total + &term))
    }

    pub fn at_start(&self) -> Sum {
        self.at(Variable::Time, &Sum::variable(Variable::Start))
    }
}

impl Base {
    /// b(t)ᵉ - b(s)ᵉ
    fn difference(&self, power: Number) -> Sum {
        if self.is_free_of(Variable::Time) {
            return Sum::zero();
        }
        if let Base::Apply(Function::Exp, u) = self {
            return &Sum::exp(&u.at_start()) * &Sum::apply(Function::Expm1, &u.scale(power).difference());
        }
        let (end, start, moved) = (Sum::of(self.clone()), Sum::of(self.clone()).at_start(), self.first_difference());
        if let Some(natural) = power.natural().filter(|&n| i64::from(n) <= MOST_POWERS) {
            return &(&start + &moved).pow(Number::from(i64::from(natural))) - &start.pow(power);
        }
        if let Some(whole) = power.whole() {
            let size = Number::from(-whole);
            let above = self.difference(size);
            return -&above.over(&(&end.pow(size) * &start.pow(size)));
        }
        if power == Number::ratio(1, 2) {
            return moved.over(&(&end.pow(power) + &start.pow(power)));
        }
        if (power + power).whole().is_some() {
            // w = √u, wⁿ
            let root = Sum::power(self, Number::ratio(1, 2));
            let (own, step) = (root.at_start(), self.difference(Number::ratio(1, 2)));
            let n = power + power;
            return match n > Number::ZERO {
                true => &(&own + &step).pow(n) - &own.pow(n),
                false => -&self.difference(-power).over(&(&end.pow(-power) * &start.pow(-power))),
            };
        }
        &end.pow(power) - &start.pow(power)
    }

    fn first_difference(&self) -> Sum {
        match self {
            Base::Atom(_) => Sum::zero(),
            Base::Variable(Variable::Time) => Sum::variable(Variable::Elapsed),
            Base::Variable(Variable::Start | Variable::Elapsed) => Sum::zero(),
            Base::Sum(sum) => sum.difference(),
            Base::Apply(function, u) => {
                let (start, moved) = (u.at_start(), u.difference());
                let half = moved.scale(Number::ratio(1, 2));
                let middle = &start + &half;
                match function {
                    Function::Exp | Function::Expm1 => &Sum::exp(&start) * &Sum::apply(Function::Expm1, &moved),
                    Function::Log => Sum::apply(Function::Log1p, &moved.over(&start)),
                    Function::Log1p => Sum::apply(Function::Log1p, &moved.over(&(&Sum::one() + &start))),
                    Function::Sin => (&Sum::cos(&middle) * &Sum::sin(&half)).scale(2),
                    Function::Cos => (&Sum::sin(&middle) * &Sum::sin(&half)).scale(-2),
                    // The angle of (1 + u(t) u(s), u(t) - u(s)), by half of it
                    Function::Atan => {
                        let x = &Sum::one() + &(&start * u);
                        let radius = (&(&Sum::one() + &start.squared()) * &(&Sum::one() + &u.squared())).pow(Number::ratio(1, 2));
                        Sum::apply(Function::Atan, &moved.over(&(&radius + &x))).scale(2)
                    }
                }
            }
        }
    }
}

/// Exponents that are multiples of one another, as powers of one expm1: expm1(2 u) = q² + 2 q with q = expm1(u), so that terms that
/// cancel do so before numbers are put in.
pub(super) fn gathered(sum: &Sum) -> Sum {
    let mut arguments = vec![];
    collect(sum, &mut arguments);
    let mut units: Vec<(Sum, Vec<Number>)> = vec![];
    for argument in arguments {
        match units.iter_mut().find_map(|(unit, all)| argument.ratio_to(unit).map(|ratio| (all, ratio))) {
            Some((all, ratio)) => all.push(ratio),
            None => units.push((argument, vec![Number::ONE])),
        }
    }
    let unit_of = |argument: &Sum| -> Option<(Sum, u32)> {
        let (unit, all) = units.iter().find(|(unit, _)| argument.ratio_to(unit).is_some())?;
        let own = argument.ratio_to(unit)?;
        let alike: Vec<Number> = all.iter().copied().filter(|ratio| (ratio.value() > 0.0) == (own.value() > 0.0)).collect();
        let step = alike.iter().copied().reduce(common_measure)?;
        let times = (own * step.recip()).natural().filter(|&n| i64::from(n) <= MOST_POWERS)?;
        Some((unit.scale(step), times))
    };
    sum.replace(&|base| match base {
        Base::Apply(Function::Expm1, argument) => {
            let (unit, times) = unit_of(argument).filter(|(_, times)| *times > 1)?;
            let q = Sum::apply(Function::Expm1, &unit);
            Some(&(&Sum::one() + &q).pow(Number::from(i64::from(times))) - &Sum::one())
        }
        Base::Atom(_) | Base::Variable(_) | Base::Apply(..) | Base::Sum(_) => None,
    })
}

fn collect(sum: &Sum, found: &mut Vec<Sum>) {
    for base in sum.terms().flat_map(|(factors, _)| factors.keys()) {
        if let Base::Apply(Function::Expm1, argument) = base
            && !found.contains(argument)
        {
            found.push(argument.clone());
        }
    }
}

/// The largest number of which both are multiples, with their sign.
fn common_measure(a: Number, b: Number) -> Number {
    match (a, b) {
        (Number::Ratio(..), Number::Ratio(..)) => {
            let (mut x, mut y) = (a, b);
            // Euclid's algorithm on fractions
            while !y.is_zero() {
                let times = Number::from((x.value() / y.value()).trunc() as i64);
                (x, y) = (y, x - y * times);
            }
            if (x.value() > 0.0) == (a.value() > 0.0) { x } else { -x }
        }
        (a, _) => a,
    }
}
