//! Special functions of one real argument in f64, to about 1e-15 relative unless said. `exp_m1`, `ln_1p` are in std.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The error function, within one unit in the last place (FreeBSD's `s_erf.c`).
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// log |Γ(x)|; +∞ at 0, −1, …. Relative to 1 near its zeros (FreeBSD's `e_lgamma_r.c`).
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// 1 / (1 + exp(−x))
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + exp(x)), without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The inverse of the error function on (−1, 1); ±∞ at ±1, NaN outside.
///
/// From the normal quantile PPND16 of Wichura (Algorithm AS 241, Applied Statistics 37, 1988): rational functions on three ranges.
pub fn erfinv(x: f64) -> f64 {
    let q = 0.5 * x;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return FRAC_1_SQRT_2 * q * ratio(&CENTRE, r);
    }
    let r = (-(0.5 - q.abs()).ln()).sqrt();
    let quantile = match r {
        f64::INFINITY => f64::INFINITY,
        _ if r <= 5.0 => ratio(&SHOULDER, r - 1.6),
        _ => ratio(&TAIL, r - 5.0),
    };
    FRAC_1_SQRT_2 * quantile.copysign(x)
}

/// Numerator and denominator, lowest power first.
pub type Ratio = [[f64; 8]; 2];

fn ratio([numerator, denominator]: &Ratio, x: f64) -> f64 {
    polynomial(numerator, x) / polynomial(denominator, x)
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// For [`erfinv`] up to |x| = 0.85, in 0.180625 − x²/4
pub const CENTRE: Ratio = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ],
];
/// Beyond, in r − 1.6, r the root of −log((1 − |x|) / 2)
pub const SHOULDER: Ratio = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];
/// For r > 5, in r − 5
pub const TAIL: Ratio = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_9,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];

/// Where the asymptotic series below reach f64.
const ASYMPTOTIC: f64 = 12.0;

/// Γ′(x) / Γ(x); NaN at 0, −1, …. Relative to 1 near its zeros.
///
/// Reflection, recurrence up to 12, then the asymptotic series (Abramowitz and Stegun 6.3.7, 6.3.5, 6.3.18).
pub fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        return if x == x.round() { f64::NAN } else { digamma(1.0 - x) - PI / (PI * (x - x.round())).tan() };
    }
    let (mut x, mut shift) = (x, 0.0);
    while x < ASYMPTOTIC {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    // B₂ₖ / 2k
    let series = [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];
    shift + x.ln() - 0.5 / x - r * polynomial(&series, r)
}

/// The derivative of [`digamma`]; +∞ at 0, −1, ….
///
/// Reflection, recurrence up to 12, then the asymptotic series (Abramowitz and Stegun 6.4.7, 6.4.6, 6.4.12).
pub fn trigamma(x: f64) -> f64 {
    if x <= 0.0 {
        return if x == x.round() { f64::INFINITY } else { (PI / (PI * (x - x.round())).sin()).powi(2) - trigamma(1.0 - x) };
    }
    let (mut x, mut shift) = (x, 0.0);
    while x < ASYMPTOTIC {
        shift += 1.0 / (x * x);
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    // B₂ₖ
    let series = [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2_730.0, 7.0 / 6.0];
    shift + 1.0 / x + 0.5 * r + r / x * polynomial(&series, r)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values computed with 40 digits and rounded.
    fn check(name: &str, f: fn(f64) -> f64, expected: &[(f64, f64)]) {
        for &(x, y) in expected {
            let error = (f(x) - y).abs() / y.abs().max(1e-300);
            assert!(error < 2e-15, "{name}({x}) = {:e}, expected {y:e}, relative error {error:e}", f(x));
        }
    }

    #[test]
    fn agree_with_known_values() {
        check("erf", erf, &[(1e-10, 1.128_379_167_095_512_6e-10), (0.5, 0.520_499_877_813_046_5), (-2.0, -0.995_322_265_018_952_7)]);
        check(
            "erfinv",
            erfinv,
            &[
                (0.1, 0.088_855_990_494_257_69),
                (-0.5, -0.476_936_276_204_469_9),
                (0.9, 1.163_087_153_676_674_3),
                (0.999, 2.326_753_765_513_524_6),
                (1.0 - 2f64.powi(-40), 5.051_254_085_249_39),
            ],
        );
        check("lgamma", lgamma, &[(0.25, 1.288_022_524_698_077_4), (123.456, 469.605_547_129_929_5), (-0.5, 1.265_512_123_484_645_4)]);
        check(
            "digamma",
            digamma,
            &[
                (1e-5, -100_000.577_199_215_67),
                (0.25, -4.227_453_533_376_265_5),
                (1.0, -0.577_215_664_901_532_9),
                (10.0, 2.251_752_589_066_721),
                (123.456, 4.811_829_323_828_985),
                (-3.7, -0.845_076_858_870_419_4),
            ],
        );
        check(
            "trigamma",
            trigamma,
            &[
                (1e-5, 10_000_000_001.644_909),
                (0.5, 4.934_802_200_544_679),
                (2.5, 0.490_357_756_100_234_85),
                (123.456, 0.008_132_945_834_278_198),
                (-3.7, 14.842_421_864_124_28),
            ],
        );
        check("softplus", softplus, &[(0.0, std::f64::consts::LN_2), (800.0, 800.0), (-40.0, (-40f64).exp())]);
        check("sigmoid", sigmoid, &[(0.0, 0.5), (-40.0, (-40f64).exp()), (40.0, 1.0)]);
    }

    #[test]
    fn erfinv_inverts_erf_and_ends_at_infinity() {
        for i in -99..=99 {
            let x = f64::from(i) / 100.0;
            assert!((erf(erfinv(x)) - x).abs() <= 2.0 * f64::EPSILON * x.abs().max(1e-3), "{x}");
        }
        assert_eq!((erfinv(1.0), erfinv(-1.0)), (f64::INFINITY, f64::NEG_INFINITY));
        assert!(erfinv(1.5).is_nan());
    }

    #[test]
    fn poles() {
        assert!(digamma(0.0).is_nan() && digamma(-2.0).is_nan());
        assert_eq!((lgamma(0.0), trigamma(-1.0)), (f64::INFINITY, f64::INFINITY));
    }
}
