//! Primitives against the integrals that quadrature finds.
use super::*;

fn t() -> Sum {
    Sum::time()
}
fn n(x: f64) -> Sum {
    Sum::from(x)
}
fn integrator() -> Integrator {
    let points = (0..6).map(|i| Point { time: 0.1 + 0.13 * i as f64, ..Point::default() }).collect();
    Integrator { points }
}

/// Gauss and Legendre, five nodes on many panels.
fn quadrature(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let nodes = [(0.0, 128.0 / 225.0), (0.538469310105683, 0.478628670499366), (0.906179845938664, 0.236926885056189)];
    let panels = 200;
    let h = (to - from) / f64::from(panels);
    (0..panels)
        .map(|i| {
            let middle = from + (f64::from(i) + 0.5) * h;
            nodes
                .iter()
                .map(|&(x, w)| if x == 0.0 { w * f(middle) } else { w * (f(middle + x * h / 2.0) + f(middle - x * h / 2.0)) })
                .sum::<f64>()
                * h
                / 2.0
        })
        .sum()
}

fn check(name: &str, f: &Sum) -> String {
    let Some(p) = integrator().primitive(f) else { return format!("{name}: NOT FOUND {f:?}") };
    let at = |s: &Sum, time| s.evaluate(&Point { time, ..Point::default() });
    let (a, b) = (0.2, 0.7);
    let (found, wanted) = (at(&p, b) - at(&p, a), quadrature(|x| at(f, x), a, b));
    let point = Point { start: a, time: b, ..Point::default() };
    let difference = p.difference().evaluate(&point);
    let near = p.difference().evaluate(&Point { start: a, time: a + 1e-9, ..Point::default() });
    if (difference - wanted).abs() > 1e-10 * wanted.abs().max(1.0) || (near / (at(f, a) * 1e-9) - 1.0).abs() > 1e-7 {
        return format!("{name}: difference {difference} instead of {wanted}, near {near} {} {p:?}", at(f, a) * 1e-9);
    }
    if (found - wanted).abs() < 1e-10 * wanted.abs().max(1.0) { String::new() } else { format!("{name}: {found} instead of {wanted}") }
}

#[test]
fn all() {
    let beta = &n(0.1) + &t().scale(Number::from(19.9));
    let big = &t().scale(Number::from(0.1)) + &t().squared().scale(Number::from(9.95));
    let e = |x: &Sum| Sum::exp(x);
    let s = |x: &Sum| Sum::sin(x);
    let c = |x: &Sum| Sum::cos(x);
    let pi = |x: f64| t().scale(Number::from(std::f64::consts::PI * x));
    let one = Sum::one();
    let cases: Vec<(&str, Sum)> = vec![
        ("poly", &beta * &beta),
        ("vp", &e(&big) * &beta),
        ("subvp", &(&e(&big) * &beta) * &(&one - &e(&big.scale(Number::from(-2))))),
        ("exp poly", &t().pow(Number::from(3)) * &e(&t().scale(Number::from(-2.5)))),
        ("gauss", &t().pow(Number::from(3)) * &e(&t().squared().scale(Number::from(-0.5)))),
        ("exp sin", &(&t() * &e(&t().scale(Number::from(-1)))) * &s(&t().scale(Number::from(3)))),
        ("sin2cos", &s(&t()).squared() * &c(&t().scale(Number::from(2)))),
        ("tan", s(&pi(0.5)).over(&c(&pi(0.5)))),
        ("sec2", c(&pi(0.5)).pow(Number::from(-2))),
        ("tan sec2", &s(&pi(0.5)) * &c(&pi(0.5)).pow(Number::from(-3))),
        ("tan2", &s(&t()).squared() * &c(&t()).pow(Number::from(-2))),
        ("sin3", s(&t()).pow(Number::from(3)).over(&c(&t()))),
        ("linear power", (&n(2.0) - &t()).pow(Number::ratio(-3, 2))),
        ("t linear power", &t() * &(&n(2.0) - &t()).pow(Number::ratio(-3, 2))),
        ("log", (&n(2.0) - &t()).recip()),
        ("log neg", (&t() - &n(2.0)).recip()),
        ("atan", (&t().squared() + &n(2.0)).recip()),
        ("atan2", (&t().squared() + &n(2.0)).pow(Number::from(-2))),
        ("partial", &(&t() + &n(1.0)).recip() * &(&(&t() + &n(3.0)).pow(Number::from(-2)) * &(&t().squared() + &n(2.0)).recip())),
        ("log by parts", &t().squared() * &Sum::log(&(&t() + &n(1.0)))),
        ("log squared", Sum::log(&t()).squared()),
        ("log over t", Sum::log(&t()).over(&t())),
        ("sigmoid", (&one + &e(&t().scale(Number::from(-3)))).recip()),
        ("logistic", e(&t()).over(&(&one + &e(&t())))),
        ("u'/u", &beta * &(&n(3.0) + &big).recip()),
        ("u'/u^2", &beta * &(&n(3.0) + &big).pow(Number::ratio(-1, 2))),
        ("exp tan", &e(&c(&t())) * &s(&t())),
        ("sqrt", t().pow(Number::ratio(1, 2))),
    ];
    let bad: Vec<String> = cases.iter().map(|(name, f)| check(name, f)).filter(|s| !s.is_empty()).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn kernels() {
    let two = Number::from(2);
    let beta = &n(0.1) + &t().scale(Number::from(19.9));
    let b = &t().scale(Number::from(0.1)) + &t().squared().scale(Number::from(9.95));
    let half = -&beta.scale(Number::ratio(1, 2));
    let sub = &beta * &(&Sum::one() - &Sum::exp(&b.scale(Number::from(-2))));
    let theta = Sum::atom(crate::graph::NodeId(3));
    let sigma = Sum::atom(crate::graph::NodeId(5));
    let pi = t().scale(Number::from(std::f64::consts::FRAC_PI_2));
    let tan = Sum::sin(&pi).over(&Sum::cos(&pi)).scale(Number::from(std::f64::consts::PI));
    let cases = [
        ("vp", half.clone(), beta.clone()),
        ("subvp", half, sub),
        ("ve", Sum::zero(), Sum::exp(&t().scale(Number::from(9.21))).scale(Number::from(1e-3))),
        ("ou", -&theta, sigma.squared()),
        ("edm", Sum::zero(), t().scale(two)),
        ("cosine", -&tan.scale(Number::ratio(1, 2)), tan),
        ("bridge", -&(&Sum::one() - &t()).recip(), n(0.49)),
        ("sin", Sum::sin(&t().scale(two)), Sum::cos(&t()).squared()),
    ];
    for (name, f, g2) in cases {
        let mut integrator = integrator();
        integrator.points.iter_mut().for_each(|p| p.atoms = [(crate::graph::NodeId(3), 0.7), (crate::graph::NodeId(5), 0.9)].into());
        match integrator.linear(&f.scale(two), &g2) {
            Some(l) => println!("{name}: {:?}\n   {:?}\n   {:?}", l.factor(), l.particular, l.from_zero()),
            None => println!("{name}: NOT FOUND"),
        }
    }
}
