//! Sums of two reals, of which the second is below the last place of the first; the logarithm as one.

use std::f64::consts::LOG2_E;

/// One of two values that are both known: no branch.
#[inline(always)]
pub fn pick<T>(condition: bool, a: T, b: T) -> T {
    std::hint::select_unpredictable(condition, a, b)
}

/// high + low
#[derive(Clone, Copy)]
pub struct Pair {
    pub high: f64,
    pub low: f64,
}

/// a + b for |a| ≥ |b|.
#[inline(always)]
fn fast_sum(a: f64, b: f64) -> Pair {
    let high = a + b;
    Pair { high, low: (a - high) + b }
}

#[inline(always)]
fn sum(a: f64, b: f64) -> Pair {
    let high = a + b;
    let other = high - a;
    Pair { high, low: (a - (high - other)) + (b - other) }
}

/// a b, without multiply-add by Dekker's splitting (Numerische Mathematik 18, 1971).
#[inline(always)]
pub fn product<const FUSED: bool>(a: f64, b: f64) -> Pair {
    let high = a * b;
    if FUSED {
        return Pair { high, low: a.mul_add(b, -high) };
    }
    let split = |x: f64| {
        let far = 134_217_729.0 * x;
        let upper = far - (far - x);
        (upper, x - upper)
    };
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    Pair { high, low: a2 * b2 - (((high - a1 * b1) - a2 * b1) - a1 * b2) }
}

/// a b + c
#[inline(always)]
pub fn multiply_add<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Horner's rule, the highest coefficient first.
#[inline(always)]
pub fn polynomial<const FUSED: bool, const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = multiply_add::<FUSED>(sum, x, *coefficient);
    }
    sum
}

/// Adding it rounds to an integer, in the low bits: 1.5 · 2⁵²
const MAGIC: f64 = 6_755_399_441_055_744.0;
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// (log((1 + s) / (1 − s)) − 2 s − 2 s³ / 3) / s⁵ in s², fitted at Chebyshev points
const SERIES: [f64; 8] = [
    0.117_236_036_229_054_11,
    0.117_061_956_898_813_64,
    0.133_348_062_121_006_03,
    0.153_845_949_345_979_17,
    0.181_818_183_356_541_6,
    0.222_222_222_216_547_33,
    0.285_714_285_714_293_7,
    0.4,
];
const TWO_THIRDS: Pair = Pair { high: 2.0 / 3.0, low: 3.700_743_415_417_188e-17 };

/// log(x) of positive finite x, to about 2⁻⁶⁵ relative: log m of x = m 2ᵉ from s = (m − 1) / (m + 1). Anything of other x.
#[inline(always)]
pub fn log<const FUSED: bool>(x: f64) -> Pair {
    let subnormal = x < f64::MIN_POSITIVE;
    let normal = pick(subnormal, x * 18_014_398_509_481_984.0, x);
    let above = normal.to_bits().wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits());
    let exponent = above as i64 >> 52;
    let m = f64::from_bits(normal.to_bits().wrapping_sub((exponent << 52) as u64));
    let e = f64::from_bits(MAGIC.to_bits().wrapping_add(exponent as u64)) - MAGIC - pick(subnormal, 54.0, 0.0);
    let z = m - 1.0;
    let below = sum(m, 1.0);
    let s = z / below.high;
    let back = product::<FUSED>(s, below.high);
    let s_low = (((z - back.high) - back.low) - s * below.low) / below.high;
    let mut square = product::<FUSED>(s, s);
    square.low += 2.0 * s * s_low;
    let tail = square.high * polynomial::<FUSED, 8>(square.high, &SERIES);
    let mut slope = fast_sum(TWO_THIRDS.high, tail);
    slope.low += TWO_THIRDS.low;
    let mut cube = product::<FUSED>(s, square.high);
    cube.low += s * square.low + s_low * square.high;
    let mut rest = product::<FUSED>(cube.high, slope.high);
    rest.low += cube.high * slope.low + cube.low * slope.high;
    let of_m = fast_sum(2.0 * s, rest.high);
    let total = sum(e * LN2_HIGH, of_m.high);
    fast_sum(total.high, total.low + (of_m.low + (rest.low + 2.0 * s_low)) + e * LN2_LOW)
}

/// (exp(r) − 1 − r) / r² on |r| < 0.35: that of [`crate::backend::cpu::coefficients`], in the size that loops are unrolled for
const EXP: &[f64] = crate::backend::cpu::coefficients::DOUBLE.exp;

/// exp of a sum; 0 and ∞ at the ends.
#[inline(always)]
pub fn exp<const FUSED: bool>(x: Pair) -> f64 {
    let high = pick(x.high < -800.0, -800.0, x.high);
    let high = pick(high > 800.0, 800.0, high);
    let low = pick(high == x.high, x.low, 0.0);
    let shifted = high * LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = ((high - n * LN2_HIGH) - n * LN2_LOW) + low;
    let mut p = EXP[0];
    for coefficient in &EXP[1..] {
        p = multiply_add::<FUSED>(p, r, *coefficient);
    }
    let value = 1.0 + (r + r * r * p);
    let n = shifted.to_bits().wrapping_sub(MAGIC.to_bits()) as i64;
    let power = |n: i64| f64::from_bits((n.wrapping_add(1023) as u64) << 52);
    value * power(n >> 1) * power(n - (n >> 1))
}
