//! Division of integers of 32 bits, through f64: the quotient lies further from a whole number above it than it is rounded.

use super::logarithm::pick;

/// Towards −∞; 0 where the divisor is 0.
#[inline(always)]
pub fn div(x: i32, y: i32) -> i32 {
    let quotient = (f64::from(x) / f64::from(y)).floor();
    // Modulo 2³², as additions are
    pick(y == 0, 0, pick(y == 0, 0.0, quotient) as i64 as i32)
}

/// With the sign of the divisor; the dividend where that is 0.
#[inline(always)]
pub fn rem(x: i32, y: i32) -> i32 {
    x.wrapping_sub(div(x, y).wrapping_mul(y))
}
