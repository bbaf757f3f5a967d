//! Coefficients and exponents: fractions of whole numbers as long as they fit, so that equal terms are found equal; otherwise f64.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Neg, Sub};

#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// In lowest terms, the denominator positive
    Ratio(i64, i64),
    /// No fraction that is short; rounded to [`BITS`] bits
    Real(f64),
}

/// Numbers that were computed in different orders meet in this many bits of their mantissa.
const BITS: u32 = 49;
/// Denominators up to here are looked for in decimal fractions.
const MOST_DENOMINATOR: i64 = 1_000_000;

impl Number {
    pub const ZERO: Number = Number::Ratio(0, 1);
    pub const ONE: Number = Number::Ratio(1, 1);

    pub fn ratio(numerator: i64, denominator: i64) -> Number {
        Number::of_wide(numerator.into(), denominator.into())
    }

    pub fn value(self) -> f64 {
        match self {
            Number::Ratio(n, d) => n as f64 / d as f64,
            Number::Real(x) => x,
        }
    }

    pub fn is_zero(self) -> bool {
        self.value() == 0.0
    }

    pub fn is_one(self) -> bool {
        matches!(self, Number::Ratio(1, 1))
    }

    /// A whole number that is not negative.
    pub fn natural(self) -> Option<u32> {
        self.whole().and_then(|n| u32::try_from(n).ok())
    }

    pub fn whole(self) -> Option<i64> {
        match self {
            Number::Ratio(n, 1) => Some(n),
            Number::Ratio(..) | Number::Real(_) => None,
        }
    }

    pub fn recip(self) -> Number {
        match self {
            Number::Ratio(n, d) if n != 0 => Number::of_wide(d.into(), n.into()),
            Number::Ratio(..) | Number::Real(_) => Number::rounded(1.0 / self.value()),
        }
    }

    pub fn pow(self, power: Number) -> Number {
        if let (Number::Ratio(n, d), Some(whole)) = (self, power.whole())
            && let Ok(size) = u32::try_from(whole.unsigned_abs())
            && let (Some(n), Some(d)) = (n.checked_pow(size), d.checked_pow(size))
        {
            let up = Number::of_wide(n.into(), d.into());
            return if whole < 0 { up.recip() } else { up };
        }
        Number::from(self.value().powf(power.value()))
    }

    fn of_wide(n: i128, d: i128) -> Number {
        let common = num_integer::gcd(n.unsigned_abs(), d.unsigned_abs()) as i128 * d.signum();
        if common == 0 {
            return Number::Real(n as f64 / d as f64);
        }
        match (i64::try_from(n / common), i64::try_from(d / common)) {
            (Ok(n), Ok(d)) => Number::Ratio(n, d),
            (Ok(_) | Err(_), _) => Number::rounded(n as f64 / d as f64),
        }
    }

    fn rounded(x: f64) -> Number {
        let lost = 52 - BITS;
        let half = 1u64 << (lost - 1);
        Number::Real(if x.is_finite() { f64::from_bits((x.to_bits() + half) >> lost << lost) } else { x })
    }
}

impl From<f64> for Number {
    /// The shortest fraction that is this number, by continued fractions.
    fn from(x: f64) -> Number {
        let (mut before, mut now) = ((0i64, 1i64), (1i64, 0i64));
        let mut rest = x.abs();
        while rest.is_finite() && rest < 1e12 {
            let whole = rest.floor() as i64;
            let next = |a: i64, b: i64| whole.checked_mul(b).and_then(|product| product.checked_add(a));
            let (Some(n), Some(d)) = (next(before.0, now.0), next(before.1, now.1)) else { break };
            if d > MOST_DENOMINATOR {
                break;
            }
            (before, now) = (now, (n, d));
            if (n as f64 / d as f64 - x.abs()).abs() <= 4.0 * f64::EPSILON * x.abs() {
                return Number::Ratio(if x < 0.0 { -n } else { n }, d);
            }
            rest = 1.0 / (rest - whole as f64);
        }
        Number::rounded(x)
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Number {
        Number::Ratio(n, 1)
    }
}

impl Add for Number {
    type Output = Number;

    fn add(self, other: Number) -> Number {
        match (self, other) {
            (Number::Ratio(a, b), Number::Ratio(c, d)) => {
                let (a, b, c, d) = (i128::from(a), i128::from(b), i128::from(c), i128::from(d));
                Number::of_wide(a * d + c * b, b * d)
            }
            (a, b) => {
                let (a, b) = (a.value(), b.value());
                // What is left of two numbers that were the same before rounding
                if (a + b).abs() <= 1e-13 * a.abs().max(b.abs()) { Number::ZERO } else { Number::from(a + b) }
            }
        }
    }
}

impl Mul for Number {
    type Output = Number;

    fn mul(self, other: Number) -> Number {
        match (self, other) {
            (Number::Ratio(a, b), Number::Ratio(c, d)) => Number::of_wide(i128::from(a) * i128::from(c), i128::from(b) * i128::from(d)),
            (a, b) => Number::from(a.value() * b.value()),
        }
    }
}

impl Neg for Number {
    type Output = Number;

    fn neg(self) -> Number {
        self * Number::from(-1)
    }
}

impl Sub for Number {
    type Output = Number;

    fn sub(self, other: Number) -> Number {
        self + -other
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        self.value().total_cmp(&other.value())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_fractions_are_exact() {
        assert_eq!(Number::from(20.0) - Number::from(0.1), Number::ratio(199, 10));
        assert!(matches!(Number::from(19.9) * Number::from(0.25), Number::Ratio(199, 40)));
        assert!(matches!(Number::from(std::f64::consts::PI), Number::Real(_)));
        assert!((Number::from(0.1) * Number::from(3.0) - Number::from(0.3)).is_zero());
        let pi = Number::from(std::f64::consts::PI);
        assert!((pi * Number::from(3.0) - pi - pi - pi).is_zero());
        assert!((pi * pi.recip() - Number::ONE).is_zero());
    }
}
