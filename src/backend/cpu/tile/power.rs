//! Powers, the inverse of the error function, remainders.

use super::logarithm::{exp, log, pick, product};
use crate::base::special::{CENTRE, SHOULDER, TAIL};
use std::f64::consts::FRAC_1_SQRT_2;

/// x^y as in IEEE 754: exp(y log |x|), the logarithm and the product as sums of two reals.
#[inline(always)]
pub fn pow<const FUSED: bool>(x: f64, y: f64) -> f64 {
    let size = x.abs();
    let l = log::<FUSED>(size);
    let mut p = product::<FUSED>(y, l.high);
    p.low += y * l.low;
    let whole = y.floor() == y;
    let odd = whole && (0.5 * y).floor() != 0.5 * y;
    let value = exp::<FUSED>(p);
    let rises = (size > 1.0) == (y > 0.0);
    let extreme = pick(rises, f64::INFINITY, 0.0);
    // The logarithm of 0 and ∞, and infinite exponents
    let value = pick(size == 0.0 || size == f64::INFINITY || y.abs() == f64::INFINITY, extreme, value);
    let negative = pick(odd, -value, value);
    let negative = pick(whole, negative, f64::NAN);
    let below = x < 0.0 && size != f64::INFINITY;
    let value = pick(below && y.abs() != f64::INFINITY, negative, value);
    let value = pick((size == 0.0 || x == f64::NEG_INFINITY) && odd, value.copysign(x), value);
    let value = pick(x.is_nan() || y.is_nan(), f64::NAN, value);
    pick(y == 0.0 || x == 1.0 || x == -1.0 && y.abs() == f64::INFINITY, 1.0, value)
}

/// As [`crate::base::special::erfinv`], all three ranges at once.
#[inline(always)]
pub fn erfinv<const FUSED: bool>(x: f64) -> f64 {
    let q = 0.5 * x;
    let left = 0.5 - q.abs();
    let r = (-log::<FUSED>(left).high).sqrt();
    let (centre, middle) = (q.abs() <= 0.425, r <= 5.0);
    let argument = pick(middle, r - 1.6, r - 5.0);
    let argument = pick(centre, 0.180_625 - q * q, argument);
    let (mut above, mut below) = (0.0, 0.0);
    for k in (0..8).rev() {
        let chosen = |which: usize| {
            let tail = pick(middle, SHOULDER[which][k], TAIL[which][k]);
            pick(centre, CENTRE[which][k], tail)
        };
        above = above * argument + chosen(0);
        below = below * argument + chosen(1);
    }
    let quantile = above / below;
    let value = pick(centre, q * quantile, quantile.copysign(x));
    let value = pick(left == 0.0, f64::INFINITY.copysign(x), FRAC_1_SQRT_2 * value);
    pick(left < 0.0, f64::NAN, value)
}

/// The remainder with the sign of the divisor, for quotients below 2⁵².
#[inline(always)]
pub fn rem<const FUSED: bool>(x: f64, y: f64) -> f64 {
    let q = (x / y).trunc();
    let back = product::<FUSED>(q, y);
    let r = (x - back.high) - back.low;
    // The quotient may have been rounded up to a whole number
    let r = pick(r != 0.0 && (r < 0.0) != (x < 0.0), r + y.abs().copysign(x), r);
    let r = pick(y.abs() == f64::INFINITY && x.is_finite(), x, r);
    let r = pick(r == 0.0, r.copysign(x), r);
    pick(r != 0.0 && (r < 0.0) != (y < 0.0), r + y, r)
}
