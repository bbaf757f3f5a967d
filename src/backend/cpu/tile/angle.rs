//! Sine and cosine: of half turns, and far from zero.

use super::logarithm::{multiply_add, pick};
use crate::backend::cpu::coefficients::DOUBLE;
use std::f64::consts::{FRAC_2_PI, PI};

/// sin(x) for |x| up to π/4.
#[inline(always)]
fn near_sine<const FUSED: bool>(x: f64) -> f64 {
    let square = x * x;
    let mut p = DOUBLE.sin[0];
    for coefficient in &DOUBLE.sin[1..] {
        p = multiply_add::<FUSED>(p, square, *coefficient);
    }
    multiply_add::<FUSED>(x * square, p, x)
}

/// cos(x) for |x| up to π/4.
#[inline(always)]
fn near_cosine<const FUSED: bool>(x: f64) -> f64 {
    let square = x * x;
    let mut p = DOUBLE.cos[0];
    for coefficient in &DOUBLE.cos[1..] {
        p = multiply_add::<FUSED>(p, square, *coefficient);
    }
    multiply_add::<FUSED>(square * square, p, multiply_add::<FUSED>(-0.5, square, 1.0))
}

/// sin(π f) for |f| up to 1/2.
#[inline(always)]
pub fn sin_half_turns<const FUSED: bool>(f: f64) -> f64 {
    let size = f.abs();
    let value = pick(size > 0.25, near_cosine::<FUSED>(PI * (0.5 - size)), near_sine::<FUSED>(PI * size));
    value.copysign(f)
}

/// cos(π f) for |f| up to 1/2.
#[inline(always)]
pub fn cos_half_turns<const FUSED: bool>(f: f64) -> f64 {
    let size = f.abs();
    pick(size > 0.25, near_sine::<FUSED>(PI * (0.5 - size)), near_cosine::<FUSED>(PI * size))
}

/// 2/π in binary, 32 bits from every eighth on, after those before the point (as in ARM's optimised routines).
const TWO_OVER_PI: [u32; 24] = [
    0xa2, 0xa2f9, 0xa2f983, 0xa2f9836e, 0xf9836e4e, 0x836e4e44, 0x6e4e4415, 0x4e441529, 0x441529fc, 0x1529fc27, 0x29fc2757, 0xfc2757d1,
    0x2757d1f5, 0x57d1f534, 0xd1f534dd, 0xf534ddc0, 0x34ddc0db, 0xddc0db62, 0xc0db6295, 0xdb629599, 0x6295993c, 0x95993c43, 0x993c4390,
    0x3c439041,
];
/// Above it x is reduced in whole numbers.
const FAR: f64 = 1000.0;

/// x = n π/2 + r for an x of f32: r, and n modulo 4. Far from zero as Payne and Hanek (SIGNUM Newsletter 18, 1983).
#[inline(always)]
fn reduced(x: f32) -> (f64, u64) {
    let bits = x.to_bits() & 0x7fff_ffff;
    let start = (bits >> 26 & 15) as usize;
    let fraction = u64::from((bits & 0x7f_ffff | 0x80_0000) << (bits >> 23 & 7));
    let [upper, middle, lower] = [start, start + 4, start + 8].map(|at| u64::from(TWO_OVER_PI[at]));
    let turns = (fraction.wrapping_mul(lower) >> 32 | fraction.wrapping_mul(upper) << 32).wrapping_add(fraction.wrapping_mul(middle));
    let n = turns.wrapping_add(1 << 61) >> 62;
    let rest = turns.wrapping_sub(n << 62) as i64;
    let far = rest as f64 * (PI / 2.0 / 4_611_686_018_427_387_904.0);
    // Near zero in f64
    let size = f64::from(x.abs());
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let shifted = size * FRAC_2_PI + MAGIC;
    let whole = shifted - MAGIC;
    let near = (size - whole * 1.570_796_326_734_125_6) - whole * 6.077_100_506_506_192e-11;
    let n = pick(size > FAR, n, shifted.to_bits());
    (pick(size > FAR, far, near), n)
}

/// sin(x + quarter π/2)
#[inline(always)]
fn turned<const FUSED: bool>(x: f32, quarter: u64) -> f32 {
    let (r, n) = reduced(x);
    let n = n.wrapping_add(quarter);
    let value = pick(n & 1 == 0, near_sine::<FUSED>(r), near_cosine::<FUSED>(r));
    let value = f64::from_bits(value.to_bits() ^ n << 62 & 1 << 63);
    pick(x.is_finite(), value as f32, f32::NAN)
}

#[inline(always)]
pub fn sin<const FUSED: bool>(x: f32) -> f32 {
    let value = turned::<FUSED>(x, 0);
    f32::from_bits(value.to_bits() ^ x.to_bits() & 1 << 31)
}

#[inline(always)]
pub fn cos<const FUSED: bool>(x: f32) -> f32 {
    turned::<FUSED>(x, 1)
}
