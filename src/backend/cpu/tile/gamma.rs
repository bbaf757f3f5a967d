//! log |Γ| and its derivatives, without branches: shifted by recurrence to where a polynomial or an asymptotic series holds,
//! reflected for negative arguments.

use super::angle::{cos_half_turns, sin_half_turns};
use super::logarithm::{log, multiply_add, pick, polynomial};
use std::f64::consts::PI;

/// y / 2 + y P(y) / Q(y) is log Γ(2 + y) on [0, 1] (FreeBSD's `e_lgamma_r.c`)
const ABOVE: [f64; 7] = [
    3.194_753_265_841_009e-5,
    1.840_284_514_073_377e-3,
    2.664_227_030_336_386e-2,
    1.463_504_726_524_644_4e-1,
    3.257_787_964_089_31e-1,
    2.149_824_159_606_088_6e-1,
    -7.721_566_490_153_287e-2,
];
const BELOW: [f64; 7] = [
    7.326_684_307_446_256e-6,
    7.779_424_963_818_936e-4,
    1.864_591_917_156_529e-2,
    1.719_338_656_328_030_8e-1,
    7.219_355_475_671_381e-1,
    1.392_005_334_676_210_5,
    1.0,
];
/// log Γ(x) − (x − 1/2)(log x − 1) less its constant, over 1/x, in 1/x², for x ≥ 8 (as above)
const STIRLING: [f64; 6] = [
    -1.630_929_340_965_752_7e-3,
    8.363_399_189_962_821e-4,
    -5.951_875_574_503_4e-4,
    7.936_505_586_430_196e-4,
    -2.777_777_777_287_755_4e-3,
    8.333_333_333_333_297e-2,
];
/// (log 2π − 1) / 2
const CONSTANT: f64 = 4.189_385_332_046_727e-1;
/// From here on the asymptotic series.
const LARGE: f64 = 8.0;

/// log |Γ(x)|; +∞ at 0, −1, …. Relative to 1 near its zeros.
#[inline(always)]
pub fn lgamma<const FUSED: bool>(x: f64) -> f64 {
    let size = x.abs();
    let of_size = lgamma_of_positive::<FUSED>(size);
    // log |Γ(−a)| = log(π / (a |sin πa|)) − log Γ(a)
    let sine = sin_half_turns::<FUSED>(size - size.round_ties_even()).abs();
    let beside = log::<FUSED>(PI / (size * sine)).high - of_size;
    let reflected = pick(sine == 0.0, f64::INFINITY, beside);
    let value = pick(x < 0.0, reflected, of_size);
    pick(size == f64::INFINITY || size == 0.0, f64::INFINITY, value)
}

#[inline(always)]
fn lgamma_of_positive<const FUSED: bool>(x: f64) -> f64 {
    let large = x >= LARGE;
    let whole = pick(large, 2.0, x.floor());
    let y = pick(large, 0.0, x - whole);
    // Γ(x) = (y + 2) … (x − 1) Γ(2 + y), or Γ(2 + y) / x, or Γ(2 + y) / (x (x + 1))
    let mut product = 1.0;
    for k in 2..7 {
        product *= pick(whole > k as f64, y + k as f64, 1.0);
    }
    let quotient = pick(whole == 0.0, x * (x + 1.0), x);
    let shifted = pick(whole < 2.0, quotient, product);
    let log = log::<FUSED>(pick(large, x, shifted));
    let ratio = polynomial::<FUSED, 7>(y, &ABOVE) * y / polynomial::<FUSED, 7>(y, &BELOW);
    let of_rest = multiply_add::<FUSED>(0.5, y, ratio);
    let near = pick(whole < 2.0, (of_rest - log.high) - log.low, (of_rest + log.low) + log.high);
    let inverse = 1.0 / x;
    let series = multiply_add::<FUSED>(inverse, polynomial::<FUSED, 6>(inverse * inverse, &STIRLING), CONSTANT);
    let far = multiply_add::<FUSED>(x - 0.5, (log.high - 1.0) + log.low, series);
    pick(large, far, near)
}

/// −B₂ₖ / 2k, k from 8 to 1: ψ(x) − log x + 1 / 2x in 1/x² (Abramowitz and Stegun 6.3.18)
const DIGAMMA: [f64; 8] =
    [3617.0 / 8160.0, -1.0 / 12.0, 691.0 / 32_760.0, -1.0 / 132.0, 1.0 / 240.0, -1.0 / 252.0, 1.0 / 120.0, -1.0 / 12.0];
/// B₂ₖ, k from 8 to 1 (Abramowitz and Stegun 6.4.12)
const TRIGAMMA: [f64; 8] = [-3617.0 / 510.0, 7.0 / 6.0, -691.0 / 2_730.0, 5.0 / 66.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 1.0 / 6.0];
/// From here on the asymptotic series of the derivatives.
const FAR: f64 = 12.0;
/// (x + k)(x + 11 − k) = x² + 11 x + that
const PAIRS: [f64; 6] = [0.0, 10.0, 18.0, 24.0, 28.0, 30.0];

/// Γ′(x) / Γ(x); NaN at 0, −1, …. Relative to 1 near its zeros.
#[inline(always)]
pub fn digamma<const FUSED: bool>(x: f64) -> f64 {
    let reflected = x <= 0.0;
    let a = pick(reflected, 1.0 - x, x);
    let small = a < FAR;
    // 1 / x + … + 1 / (x + 11), two at a time
    let (u, both) = (a * (a + 11.0), 2.0 * a + 11.0);
    let shift: f64 = PAIRS.iter().map(|pair| both / (u + pair)).sum();
    let z = pick(small, a + FAR, a);
    let inverse = 1.0 / z;
    let square = inverse * inverse;
    let log = log::<FUSED>(z);
    let series = multiply_add::<FUSED>(square, polynomial::<FUSED, 8>(square, &DIGAMMA), -0.5 * inverse);
    let value = log.high + (series + log.low) - pick(small, shift, 0.0);
    let value = pick(a == f64::INFINITY, a, value);
    let f = x - x.round_ties_even();
    let beside = value - PI * cos_half_turns::<FUSED>(f) / sin_half_turns::<FUSED>(f);
    let beside = pick(f == 0.0 || a == f64::INFINITY, f64::NAN, beside);
    pick(reflected, beside, value)
}

/// The derivative of [`digamma`]; +∞ at 0, −1, ….
#[inline(always)]
pub fn trigamma<const FUSED: bool>(x: f64) -> f64 {
    let reflected = x <= 0.0;
    let a = pick(reflected, 1.0 - x, x);
    let small = a < FAR;
    // 1 / x² + … + 1 / (x + 11)², two at a time
    let u = a * (a + 11.0);
    let pair = |c: f64| (2.0 * u + (121.0 - 2.0 * c)) / ((u + c) * (u + c));
    let shift: f64 = PAIRS.iter().map(|&c| pair(c)).sum();
    let z = pick(small, a + FAR, a);
    let inverse = 1.0 / z;
    let square = inverse * inverse;
    let series = inverse + multiply_add::<FUSED>(square * inverse, polynomial::<FUSED, 8>(square, &TRIGAMMA), 0.5 * square);
    let value = series + pick(small, shift, 0.0);
    let slope = PI / sin_half_turns::<FUSED>(x - x.round_ties_even());
    let beside = pick(x == x.round_ties_even(), f64::INFINITY, slope * slope - value);
    pick(reflected, beside, value)
}
