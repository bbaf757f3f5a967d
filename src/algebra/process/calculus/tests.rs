//! Primitives and their differences against quadrature, and solutions as they are.

use super::sum::{Base, Function};
use super::*;
use crate::graph::NodeId;
use std::f64::consts::PI;

const THETA: NodeId = NodeId(3);
const SIGMA: NodeId = NodeId(5);

fn t() -> Sum {
    Sum::time()
}

fn number(x: f64) -> Sum {
    Sum::from(x)
}

fn times(x: f64) -> Sum {
    t().scale(Number::from(x))
}

fn power(of: &Sum, numerator: i64, denominator: i64) -> Sum {
    of.pow(Number::ratio(numerator, denominator))
}

fn integrator() -> Integrator {
    let point = |i: usize| Point { time: 0.1 + 0.13 * i as f64, start: 0.0, atoms: [(THETA, 0.7), (SIGMA, 0.9)].into() };
    Integrator::new((0..6).map(point).collect())
}

/// Simpson's rule on many panels.
fn quadrature(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let panels = 4000;
    let h = (to - from) / f64::from(panels);
    let weight = |i: i32| if i == 0 || i == panels { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
    (0..=panels).map(|i| weight(i) * f(from + f64::from(i) * h)).sum::<f64>() * h / 3.0
}

/// The coefficient of the variance preserving process, and its integral.
fn beta() -> (Sum, Sum) {
    (&number(0.1) + &times(19.9), &times(0.1) + &t().squared().scale(Number::ratio(199, 20)))
}

/// One function for each rule, and those of the known diffusions.
fn integrands() -> Vec<(&'static str, Sum)> {
    let (beta, b) = beta();
    let (one, exp, log, sin, cos) = (Sum::one(), Sum::exp, Sum::log, Sum::sin, Sum::cos);
    let angle = times(PI / 2.0);
    let quadratic = &t().squared() + &number(2.0);
    vec![
        ("polynomial", &beta * &beta),
        ("root", power(&t(), 1, 2)),
        ("polynomial by exponential", &power(&t(), 3, 1) * &exp(&times(-2.5))),
        ("polynomial by Gaussian", &power(&t(), 3, 1) * &exp(&t().squared().scale(Number::ratio(-1, 2)))),
        ("wave", &(&t() * &exp(&times(-1.0))) * &sin(&times(3.0))),
        ("product of waves", &sin(&t()).squared() * &cos(&times(2.0))),
        ("tangent", sin(&angle).over(&cos(&angle))),
        ("squared secant", power(&cos(&angle), -2, 1)),
        ("tangent by squared secant", &sin(&angle) * &power(&cos(&angle), -3, 1)),
        ("squared tangent", &sin(&t()).squared() * &power(&cos(&t()), -2, 1)),
        ("odd power of sine", power(&sin(&t()), 3, 1).over(&cos(&t()))),
        ("power of a linear form", power(&(&number(2.0) - &t()), -3, 2)),
        ("with a polynomial", &t() * &power(&(&number(2.0) - &t()), -3, 2)),
        ("logarithm", (&number(2.0) - &t()).recip()),
        ("logarithm of what is negative", (&t() - &number(2.0)).recip()),
        ("inverse tangent", quadratic.recip()),
        ("power of a quadratic", power(&quadratic, -2, 1)),
        ("real roots", (&t().squared() - &number(2.0)).recip()),
        ("partial fractions", &(&t() + &one).recip() * &(&power(&(&t() + &number(3.0)), -2, 1) * &quadratic.recip())),
        ("by parts", &t().squared() * &log(&(&t() + &one))),
        ("squared logarithm", log(&t()).squared()),
        ("logarithmic substitution", log(&t()).over(&t())),
        ("logistic function", (&one + &exp(&times(-3.0))).recip()),
        ("logarithmic derivative", exp(&t()).over(&(&one + &exp(&t())))),
        ("root substitution", &beta * &power(&(&number(3.0) + &b), -1, 2)),
        ("exponential of a wave", &exp(&cos(&t())) * &sin(&t())),
        ("variance preserving", &exp(&b) * &beta),
        ("sub-VP", &(&exp(&b) * &beta) * &(&one - &exp(&b.scale(Number::from(-2))))),
    ]
}

#[test]
fn primitives_are_those_of_quadrature() {
    for (name, f) in integrands() {
        let primitive = integrator().primitive(&f).unwrap_or_else(|| panic!("{name}: {f:?} has no primitive"));
        let at = |sum: &Sum, start: f64, time: f64| sum.evaluate(&Point { start, time, ..Point::default() });
        let (from, to, near) = (0.2, 0.7, 0.2 + 1e-9);
        let wanted = quadrature(|time| at(&f, 0.0, time), from, to);
        let close = |found: f64, wanted: f64, within: f64| assert!((found / wanted - 1.0).abs() < within, "{name}: {found} and {wanted}");
        close(at(&primitive, 0.0, to) - at(&primitive, 0.0, from), wanted, 1e-10);
        close(at(&primitive.difference(), from, to), wanted, 1e-10);
        // h itself has lost half of its digits here, the difference no more.
        close(at(&primitive.difference(), from, near), at(&f, 0.0, from) * (near - from), 1e-8);
    }
}

#[test]
fn what_is_not_elementary_is_not_found() {
    for f in [Sum::exp(&-&t().squared()), Sum::sin(&t()).over(&t()), Sum::exp(&t()).over(&t()), Sum::exp(&Sum::sin(&t()))] {
        assert_eq!(integrator().primitive(&f), None, "{f:?}");
    }
}

/// Variances of the known diffusions, without a difference of large numbers.
#[test]
fn variances_are_simple() {
    let (beta, b) = beta();
    let (theta, sigma) = (Sum::atom(THETA), Sum::atom(SIGMA));
    let variance = |slope: &Sum, square: &Sum| {
        let solved = integrator().linear(&slope.scale(Number::from(2)), square).map(|linear| linear.accumulated());
        solved.unwrap_or_else(|| panic!("{slope:?} {square:?}")).at(Variable::Start, &Sum::zero()).at(Variable::Elapsed, &t())
    };
    let half = -&beta.scale(Number::ratio(1, 2));
    let passed = Sum::of(Base::Apply(Function::Expm1, -&b));
    assert_eq!(variance(&half, &beta), -&passed);
    let sub = &beta * &(&Sum::one() - &Sum::exp(&b.scale(Number::from(-2))));
    assert_eq!(variance(&half, &sub), passed.squared());
    assert_eq!(variance(&Sum::zero(), &times(2.0)), t().squared());
    let decay = Sum::of(Base::Apply(Function::Expm1, (&theta * &t()).scale(Number::from(-2))));
    assert_eq!(variance(&-&theta, &sigma.squared()), (&sigma.squared().over(&theta) * &decay).scale(Number::ratio(-1, 2)));
    let remaining = &Sum::one() - &t();
    assert_eq!(variance(&-&remaining.recip(), &number(0.49)), (&t() * &remaining).scale(Number::ratio(49, 100)));
}
