//! Elementary functions in f32, inline: the same instructions for one element and for a vector.
//!
//! Polynomials after the Cephes library (Moshier) unless said; within a few units in the last place.
//! Comparisons select instead of `fmin` and `fmax`, and rounding adds 1.5 · 2²³: both are far fewer instructions on x86.

use super::lanes::Emit;
use crate::base::op::{DType, UnaryOp};
use cranelift::prelude::*;

/// Adding it rounds to an integer, in the low bits.
const MAGIC: f64 = 12_582_912.0;
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

impl Emit<'_> {
    /// A function of one real in f32, if there is vector code for it.
    pub fn inline_f32(&mut self, op: UnaryOp, x: Value) -> Option<Value> {
        Some(match op {
            UnaryOp::Exp => self.exp(x),
            UnaryOp::Expm1 => self.expm1(x),
            UnaryOp::Log => self.log(x),
            UnaryOp::Log1p => self.log1p(x),
            UnaryOp::Tanh => self.odd_ratio(x, 9.0, TANH),
            UnaryOp::Erf => self.odd_ratio(x, 4.0, ERF),
            UnaryOp::Sigmoid => self.sigmoid(x),
            UnaryOp::Softplus => self.softplus(x),
            UnaryOp::Sin if self.fma => self.sine(x, 0.0, "sin"),
            UnaryOp::Cos if self.fma => self.sine(x, 1.0, "cos"),
            UnaryOp::Sin | UnaryOp::Cos | UnaryOp::ErfInv | UnaryOp::LogGamma | UnaryOp::Digamma | UnaryOp::Trigamma => return None,
            UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Sqrt | UnaryOp::Recip => return None,
            UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => return None,
        })
    }

    fn like(&mut self, x: Value, value: f64) -> Value {
        let ty = self.type_of(x);
        self.number(ty, value)
    }

    fn ints(&mut self, x: Value) -> Type {
        self.int(self.lanes(x))
    }

    /// a b + c
    fn multiply_add(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.fma {
            return self.b.ins().fma(a, b, c);
        }
        let product = self.b.ins().fmul(a, b);
        self.b.ins().fadd(product, c)
    }

    /// Horner's rule, the highest coefficient first.
    fn polynomial(&mut self, x: Value, coefficients: &[f64]) -> Value {
        let first = self.like(x, coefficients[0]);
        coefficients[1..].iter().fold(first, |sum, &coefficient| {
            let next = self.like(x, coefficient);
            self.multiply_add(sum, x, next)
        })
    }

    /// To a range; NaN stays.
    fn clamped(&mut self, x: Value, low: f64, high: f64) -> Value {
        let (low, high) = (self.like(x, low), self.like(x, high));
        let below = self.fcmp(FloatCC::LessThan, x, low);
        let x = self.select(below, low, x);
        let above = self.fcmp(FloatCC::GreaterThan, x, high);
        self.select(above, high, x)
    }

    /// The nearest integer of x · scale, as float and as integer; below 2²² in size.
    fn rounded(&mut self, x: Value, scale: f64) -> (Value, Value) {
        let (magic, scale) = (self.like(x, MAGIC), self.like(x, scale));
        let shifted = self.multiply_add(x, scale, magic);
        let ty = self.ints(x);
        let (bits, base) = (self.bits(ty, shifted), self.number(ty, f64::from((MAGIC as f32).to_bits())));
        (self.b.ins().fsub(shifted, magic), self.b.ins().isub(bits, base))
    }

    /// 2ⁿ for −126 ≤ n ≤ 127.
    fn power_of_two(&mut self, x: Value, n: Value) -> Value {
        let ty = self.ints(x);
        let bias = self.number(ty, 127.0);
        let biased = self.b.ins().iadd(n, bias);
        let bits = self.shifted_left(biased, 23);
        self.bits(self.type_of(x), bits)
    }

    fn shifted_left(&mut self, x: Value, by: i64) -> Value {
        let by = self.b.ins().iconst(types::I32, by);
        self.b.ins().ishl(x, by)
    }

    fn shifted_right(&mut self, x: Value, by: i64) -> Value {
        let by = self.b.ins().iconst(types::I32, by);
        self.b.ins().sshr(x, by)
    }

    /// r² P(r) + r, which is exp(r) − 1 for |r| below 0.35.
    fn exp_less_one(&mut self, r: Value) -> Value {
        let square = self.b.ins().fmul(r, r);
        let p = self.polynomial(r, EXP);
        self.multiply_add(p, square, r)
    }

    /// exp(x) = 2ⁿ exp(r); the power in two factors, so that results reach infinity and the subnormal numbers.
    fn exp(&mut self, x: Value) -> Value {
        let x = self.clamped(x, -104.0, 89.0);
        let (whole, n) = self.rounded(x, std::f64::consts::LOG2_E);
        let (high, low) = (self.like(x, -LN2_HIGH), self.like(x, -LN2_LOW));
        let r = self.multiply_add(whole, high, x);
        let r = self.multiply_add(whole, low, r);
        let (small, one) = (self.exp_less_one(r), self.like(x, 1.0));
        let value = self.b.ins().fadd(small, one);
        let half = self.shifted_right(n, 1);
        let rest = self.b.ins().isub(n, half);
        let (half, rest) = (self.power_of_two(x, half), self.power_of_two(x, rest));
        let value = self.b.ins().fmul(value, half);
        self.b.ins().fmul(value, rest)
    }

    fn expm1(&mut self, x: Value) -> Value {
        let near = self.exp_less_one(x);
        let (far, one) = (self.exp(x), self.like(x, 1.0));
        let far = self.b.ins().fsub(far, one);
        let (size, limit) = (self.b.ins().fabs(x), self.like(x, 0.34));
        let is_near = self.fcmp(FloatCC::LessThan, size, limit);
        self.select(is_near, near, far)
    }

    /// log(x) = e log 2 + log(m), m in [√½, √2).
    fn log(&mut self, x: Value) -> Value {
        let ty = self.ints(x);
        let (least, scale) = (self.like(x, f64::from(f32::MIN_POSITIVE)), self.like(x, 8_388_608.0));
        let subnormal = self.fcmp(FloatCC::LessThan, x, least);
        let scaled = self.b.ins().fmul(x, scale);
        let normal = self.select(subnormal, scaled, x);
        let (bits, root) = (self.bits(ty, normal), self.number(ty, f64::from(0x3f35_04f3)));
        let above = self.b.ins().isub(bits, root);
        let exponent = self.shifted_right(above, 23);
        let removed = self.shifted_left(exponent, 23);
        let mantissa = self.b.ins().isub(bits, removed);
        let mantissa = self.bits(self.type_of(x), mantissa);
        let e = self.cast(DType::Int, DType::Real, exponent);
        let (lifted, unlifted) = (self.like(x, 23.0), self.like(x, 0.0));
        let lift = self.select(subnormal, lifted, unlifted);
        let e = self.b.ins().fsub(e, lift);
        let value = self.log_of_mantissa(mantissa, e);
        self.log_at_ends(x, value)
    }

    fn log_of_mantissa(&mut self, mantissa: Value, e: Value) -> Value {
        let one = self.like(mantissa, 1.0);
        let z = self.b.ins().fsub(mantissa, one);
        let square = self.b.ins().fmul(z, z);
        let p = self.polynomial(z, LOG);
        let cube = self.b.ins().fmul(z, square);
        let y = self.b.ins().fmul(cube, p);
        let [low, half, high] = [LN2_LOW, -0.5, LN2_HIGH].map(|c| self.like(mantissa, c));
        let y = self.multiply_add(e, low, y);
        let y = self.multiply_add(square, half, y);
        let value = self.b.ins().fadd(z, y);
        self.multiply_add(e, high, value)
    }

    /// −∞ at 0, NaN below, ∞ at ∞.
    fn log_at_ends(&mut self, x: Value, value: Value) -> Value {
        let [zero, infinite, low, nan] = [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|c| self.like(x, c));
        let is_zero = self.fcmp(FloatCC::Equal, x, zero);
        let other = self.select(is_zero, low, nan);
        let positive = self.fcmp(FloatCC::GreaterThan, x, zero);
        let value = self.select(positive, value, other);
        let is_infinite = self.fcmp(FloatCC::Equal, x, infinite);
        self.select(is_infinite, infinite, value)
    }

    /// log(w) for w = 1 + x as rounded, and the first-order effect of the rounding.
    fn log1p(&mut self, x: Value) -> Value {
        let one = self.like(x, 1.0);
        let w = self.b.ins().fadd(one, x);
        let kept = self.b.ins().fsub(w, one);
        let lost = self.b.ins().fsub(x, kept);
        let correction = self.b.ins().fdiv(lost, w);
        let [zero, most] = [0.0, f64::from(f32::MAX)].map(|c| self.like(x, c));
        let (positive, finite) = (self.fcmp(FloatCC::GreaterThan, w, zero), self.fcmp(FloatCC::LessThanOrEqual, w, most));
        let usual = self.b.ins().band(positive, finite);
        let correction = self.select(usual, correction, zero);
        let log = self.log(w);
        self.b.ins().fadd(log, correction)
    }

    /// exp(−|x|), which sigmoid and softplus of one operand share.
    fn exp_of_minus_size(&mut self, x: Value) -> Value {
        let size = self.b.ins().fabs(x);
        let minus = self.b.ins().fneg(size);
        self.exp(minus)
    }

    /// 1 / (1 + u) for x ≥ 0, else u / (1 + u), with u = exp(−|x|).
    fn sigmoid(&mut self, x: Value) -> Value {
        let u = self.exp_of_minus_size(x);
        let [one, zero] = [1.0, 0.0].map(|c| self.like(x, c));
        let negative = self.fcmp(FloatCC::LessThan, x, zero);
        let above = self.select(negative, u, one);
        let below = self.b.ins().fadd(u, one);
        self.b.ins().fdiv(above, below)
    }

    /// max(x, 0) + log(1 + u) with u = exp(−|x|), and log(1 + u) = 2 atanh(u / (2 + u)).
    fn softplus(&mut self, x: Value) -> Value {
        let u = self.exp_of_minus_size(x);
        let (two, zero) = (self.like(x, 2.0), self.like(x, 0.0));
        let below = self.b.ins().fadd(u, two);
        let s = self.b.ins().fdiv(u, below);
        let square = self.b.ins().fmul(s, s);
        let series = self.polynomial(square, ATANH);
        let double = self.b.ins().fadd(s, s);
        let positive = self.fcmp(FloatCC::GreaterThan, x, zero);
        let rest = self.select(positive, x, zero);
        self.multiply_add(double, series, rest)
    }

    /// x P(x²) / Q(x²), for |x| up to the limit where the function is 1.
    fn odd_ratio(&mut self, x: Value, limit: f64, (above, below): (&[f64], &[f64])) -> Value {
        let x = self.clamped(x, -limit, limit);
        let square = self.b.ins().fmul(x, x);
        let p = self.polynomial(square, above);
        let q = self.polynomial(square, below);
        // The quotient first: x may be subnormal
        let slope = self.b.ins().fdiv(p, q);
        self.b.ins().fmul(x, slope)
    }

    /// The sine of x + quarter · π/2: reduced to |r| ≤ π/4 with π/2 in three parts. Far from zero the scalar `symbol` is called.
    fn sine(&mut self, x: Value, quarter: f64, symbol: &str) -> Value {
        let ty = self.type_of(x);
        let (near, far, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(done, ty);
        let (size, limit) = (self.b.ins().fabs(x), self.like(x, FAR));
        let is_far = self.fcmp(FloatCC::GreaterThan, size, limit);
        let any_far = if ty.is_vector() { self.b.ins().vany_true(is_far) } else { is_far };
        self.b.ins().brif(any_far, far, &[], near, &[]);
        self.b.seal_block(near);
        self.b.seal_block(far);
        self.b.set_cold_block(far);
        self.b.switch_to_block(far);
        let value = self.called(symbol, DType::Real, &[x]);
        self.b.ins().jump(done, &[value.into()]);
        self.b.switch_to_block(near);
        let value = self.reduced_sine(x, quarter);
        self.b.ins().jump(done, &[value.into()]);
        self.b.seal_block(done);
        self.b.switch_to_block(done);
        result
    }

    fn reduced_sine(&mut self, x: Value, quarter: f64) -> Value {
        let (whole, n) = self.rounded(x, std::f64::consts::FRAC_2_PI);
        let high = f64::from(std::f32::consts::FRAC_PI_2);
        let middle = f64::from((std::f64::consts::FRAC_PI_2 - high) as f32);
        let low = std::f64::consts::FRAC_PI_2 - high - middle;
        let r = [high, middle, low].iter().fold(x, |r, part| {
            let part = self.like(x, -part);
            self.multiply_add(whole, part, r)
        });
        let square = self.b.ins().fmul(r, r);
        let (p, q) = (self.polynomial(square, SIN), self.polynomial(square, COS));
        let cube = self.b.ins().fmul(r, square);
        let sine = self.multiply_add(p, cube, r);
        let [half, one] = [-0.5, 1.0].map(|c| self.like(x, c));
        let cosine = self.multiply_add(square, half, one);
        let fourth = self.b.ins().fmul(square, square);
        let cosine = self.multiply_add(q, fourth, cosine);
        let ty = self.ints(x);
        let [zero, one, two, quarter] = [0.0, 1.0, 2.0, quarter].map(|c| self.number(ty, c));
        let n = self.b.ins().iadd(n, quarter);
        let (odd, upper) = (self.b.ins().band(n, one), self.b.ins().band(n, two));
        let odd = self.b.ins().icmp(IntCC::NotEqual, odd, zero);
        let value = self.select(odd, cosine, sine);
        let sign = self.shifted_left(upper, 30);
        let bits = self.bits(ty, value);
        let bits = self.b.ins().bxor(bits, sign);
        self.bits(self.type_of(x), bits)
    }
}
