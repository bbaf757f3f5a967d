//! Elementary functions in f32, inline: the same formulas for every emitter of code, for one element and for a vector.
//!
//! Polynomials after the Cephes library (Moshier) unless said; within a few units in the last place.

use super::arithmetic::Arithmetic;
use crate::base::op::{CompareOp, UnaryOp};

const LN2_HIGH: f64 = 0.693_359_375;
const LN2_LOW: f64 = -2.121_944_4e-4;

const EXP: &[f64] = &[1.987_569_15e-4, 1.398_199_950_7e-3, 8.333_451_907_3e-3, 4.166_579_589_4e-2, 1.666_666_545_9e-1, 5.000_000_120_1e-1];
const LOG: &[f64] = &[
    7.037_683_629_2e-2,
    -1.151_461_031e-1,
    1.167_699_874e-1,
    -1.242_014_084_6e-1,
    1.424_932_278_7e-1,
    -1.666_805_766_5e-1,
    2.000_071_476_5e-1,
    -2.499_999_399_3e-1,
    3.333_333_117_4e-1,
];
/// The series of atanh(s) / s in s², for s up to 1/3
const ATANH: &[f64] = &[1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
const SIN: &[f64] = &[-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_665_461_1e-1];
const COS: &[f64] = &[2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2];
/// A rational function of odd degree over one of even degree, on |x| < 9 (as in Eigen)
const TANH: (&[f64], &[f64]) = (
    &[
        -2.760_768_477_423_55e-16,
        2.000_187_904_824_77e-13,
        -8.604_671_522_137_35e-11,
        5.122_297_090_371_14e-8,
        1.485_722_357_179_79e-5,
        6.372_619_288_754_36e-4,
        4.893_524_558_917_86e-3,
    ],
    &[1.198_258_394_667_02e-6, 1.185_347_056_866_54e-4, 2.268_434_632_439e-3, 4.893_525_185_543_85e-3],
);
/// Likewise on |x| < 4
const ERF: (&[f64], &[f64]) = (
    &[
        -2.726_142_258_013_06e-10,
        2.770_681_424_959_02e-8,
        -2.101_024_020_825_08e-6,
        -5.692_506_394_623_46e-5,
        -7.349_906_303_268_55e-4,
        -2.954_599_808_540_25e-3,
        -1.609_603_332_624_15e-2,
    ],
    &[-1.456_607_184_649_96e-5, -2.133_740_552_789_05e-4, -1.682_826_974_382_03e-3, -7.373_329_167_204_68e-3, -1.426_473_905_141_89e-2],
);
/// Beyond it sine and cosine are reduced by the scalar function
const FAR: f64 = 100_000.0;

impl<A: Arithmetic> Elementary for A {}

/// Elementary functions, of whatever [`Arithmetic`] emits.
pub trait Elementary: Arithmetic {
    /// A function of one real in f32, if there is vector code for it.
    fn inline_f32(&mut self, op: UnaryOp, x: Self::Value) -> Option<Self::Value> {
        Some(match op {
            UnaryOp::Exp => self.exp(x),
            UnaryOp::Expm1 => self.expm1(x),
            UnaryOp::Log => self.log(x),
            UnaryOp::Log1p => self.log1p(x),
            UnaryOp::Tanh => self.odd_ratio(x, 9.0, TANH),
            UnaryOp::Erf => self.odd_ratio(x, 4.0, ERF),
            UnaryOp::Sigmoid => self.sigmoid(x),
            UnaryOp::Softplus => self.softplus(x),
            UnaryOp::Sin if self.fuses() => self.sine(x, 0, "sin"),
            UnaryOp::Cos if self.fuses() => self.sine(x, 1, "cos"),
            UnaryOp::Sin | UnaryOp::Cos | UnaryOp::ErfInv | UnaryOp::LogGamma | UnaryOp::Digamma | UnaryOp::Trigamma => return None,
            UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Sqrt | UnaryOp::Recip => return None,
            UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => return None,
        })
    }

    /// Horner's rule, the highest coefficient first.
    fn polynomial(&mut self, x: Self::Value, coefficients: &[f64]) -> Self::Value {
        let first = self.real(x, coefficients[0]);
        coefficients[1..].iter().fold(first, |sum, &coefficient| {
            let next = self.real(x, coefficient);
            self.multiply_add(sum, x, next)
        })
    }

    /// r² P(r) + r, which is exp(r) − 1 for |r| below 0.35.
    fn exp_less_one(&mut self, r: Self::Value) -> Self::Value {
        let square = self.mul(r, r);
        let p = self.polynomial(r, EXP);
        self.multiply_add(p, square, r)
    }

    /// exp(x) = 2ⁿ exp(r).
    fn exp(&mut self, x: Self::Value) -> Self::Value {
        let x = self.clamped(x, -104.0, 89.0);
        let (whole, n) = self.rounded(x, std::f64::consts::LOG2_E);
        let (high, low) = (self.real(x, -LN2_HIGH), self.real(x, -LN2_LOW));
        let r = self.multiply_add(whole, high, x);
        let r = self.multiply_add(whole, low, r);
        let (small, one) = (self.exp_less_one(r), self.real(x, 1.0));
        let value = self.add(small, one);
        self.scaled(value, (whole, n))
    }

    fn expm1(&mut self, x: Self::Value) -> Self::Value {
        let near = self.exp_less_one(x);
        let (far, one) = (self.exp(x), self.real(x, 1.0));
        let far = self.sub(far, one);
        let (size, limit) = (self.magnitude(x), self.real(x, 0.34));
        let is_near = self.compares(CompareOp::Lt, size, limit);
        self.choose(is_near, near, far)
    }

    /// log(x) = e log 2 + log(m), m in [√½, √2).
    fn log(&mut self, x: Self::Value) -> Self::Value {
        let (mantissa, e) = self.mantissa_and_exponent(x);
        let value = self.log_of_mantissa(mantissa, e);
        self.log_at_ends(x, value)
    }

    fn log_of_mantissa(&mut self, mantissa: Self::Value, e: Self::Value) -> Self::Value {
        let one = self.real(mantissa, 1.0);
        let z = self.sub(mantissa, one);
        let square = self.mul(z, z);
        let p = self.polynomial(z, LOG);
        let cube = self.mul(z, square);
        let y = self.mul(cube, p);
        let [low, half, high] = [LN2_LOW, -0.5, LN2_HIGH].map(|c| self.real(mantissa, c));
        let y = self.multiply_add(e, low, y);
        let y = self.multiply_add(square, half, y);
        let value = self.add(z, y);
        self.multiply_add(e, high, value)
    }

    /// log(w) for w = 1 + x as rounded, and the first-order effect of the rounding.
    fn log1p(&mut self, x: Self::Value) -> Self::Value {
        let one = self.real(x, 1.0);
        let w = self.add(one, x);
        let kept = self.sub(w, one);
        let lost = self.sub(x, kept);
        let correction = self.div(lost, w);
        let [zero, most] = [0.0, f64::from(f32::MAX)].map(|c| self.real(x, c));
        let (positive, finite) = (self.compares(CompareOp::Gt, w, zero), self.compares(CompareOp::Le, w, most));
        let usual = self.both(positive, finite);
        let correction = self.choose(usual, correction, zero);
        let log = self.log(w);
        self.add(log, correction)
    }

    /// exp(−|x|), which sigmoid and softplus of one operand share.
    fn exp_of_minus_size(&mut self, x: Self::Value) -> Self::Value {
        let size = self.magnitude(x);
        let minus = self.negated(size);
        self.exp(minus)
    }

    /// 1 / (1 + u) for x ≥ 0, else u / (1 + u), with u = exp(−|x|).
    fn sigmoid(&mut self, x: Self::Value) -> Self::Value {
        let u = self.exp_of_minus_size(x);
        let [one, zero] = [1.0, 0.0].map(|c| self.real(x, c));
        let negative = self.compares(CompareOp::Lt, x, zero);
        let above = self.choose(negative, u, one);
        let below = self.add(u, one);
        self.div(above, below)
    }

    /// max(x, 0) + log(1 + u) with u = exp(−|x|), and log(1 + u) = 2 atanh(u / (2 + u)).
    fn softplus(&mut self, x: Self::Value) -> Self::Value {
        let u = self.exp_of_minus_size(x);
        let (two, zero) = (self.real(x, 2.0), self.real(x, 0.0));
        let below = self.add(u, two);
        let s = self.div(u, below);
        let square = self.mul(s, s);
        let series = self.polynomial(square, ATANH);
        let double = self.add(s, s);
        let positive = self.compares(CompareOp::Gt, x, zero);
        let rest = self.choose(positive, x, zero);
        self.multiply_add(double, series, rest)
    }

    /// x P(x²) / Q(x²), for |x| up to the limit where the function is 1.
    fn odd_ratio(&mut self, x: Self::Value, limit: f64, (above, below): (&[f64], &[f64])) -> Self::Value {
        let x = self.clamped(x, -limit, limit);
        let square = self.mul(x, x);
        let p = self.polynomial(square, above);
        let q = self.polynomial(square, below);
        // The quotient first: x may be subnormal
        let slope = self.div(p, q);
        self.mul(x, slope)
    }

    /// The sine of x + quarter · π/2: reduced to |r| ≤ π/4 with π/2 in three parts. Far from zero the scalar `symbol` is called.
    fn sine(&mut self, x: Self::Value, quarter: i64, symbol: &str) -> Self::Value {
        let (size, limit) = (self.magnitude(x), self.real(x, FAR));
        let is_far = self.compares(CompareOp::Gt, size, limit);
        let near = self.reduced_sine(x, quarter);
        self.rarely(is_far, symbol, x, near)
    }

    fn reduced_sine(&mut self, x: Self::Value, quarter: i64) -> Self::Value {
        let (whole, n) = self.rounded(x, std::f64::consts::FRAC_2_PI);
        let high = f64::from(std::f32::consts::FRAC_PI_2);
        let middle = f64::from((std::f64::consts::FRAC_PI_2 - high) as f32);
        let low = std::f64::consts::FRAC_PI_2 - high - middle;
        let r = [high, middle, low].iter().fold(x, |r, part| {
            let part = self.real(x, -part);
            self.multiply_add(whole, part, r)
        });
        let square = self.mul(r, r);
        let (p, q) = (self.polynomial(square, SIN), self.polynomial(square, COS));
        let cube = self.mul(r, square);
        let sine = self.multiply_add(p, cube, r);
        let [half, one] = [-0.5, 1.0].map(|c| self.real(x, c));
        let cosine = self.multiply_add(square, half, one);
        let fourth = self.mul(square, square);
        let cosine = self.multiply_add(q, fourth, cosine);
        let [one, two, quarter] = [1, 2, quarter].map(|c| self.int(x, c));
        let n = self.add_int(n, quarter);
        let (odd, upper) = (self.and_int(n, one), self.and_int(n, two));
        let odd = self.is_nonzero(odd);
        let value = self.choose(odd, cosine, sine);
        let sign = self.shifted_left(upper, 30);
        self.flipped(value, sign)
    }
}
