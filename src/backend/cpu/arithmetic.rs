//! The instructions that elementary functions are made of, on every lane at once. Each emitter of code implements them, so that
//! [`super::math`] states each polynomial once.

use crate::backend::Precision;
use crate::base::op::CompareOp;

/// How a real is laid out: sign, biased exponent, fraction.
pub struct Layout {
    /// Bits of the fraction
    fraction: u8,
    bias: i64,
    /// Adding it rounds to an integer, in the low bits: 1.5 · 2^fraction
    magic: f64,
    magic_bits: i64,
    /// The least normal number, and what lifts subnormal ones to it and above
    least: f64,
    lift: f64,
    /// The bits of √½, or nearly
    root_half: i64,
    sign: i64,
}

impl Layout {
    /// The number of the sign bit
    pub fn sign_bit(&self) -> u8 {
        self.sign.trailing_zeros() as u8
    }
}

const SINGLE: Layout = Layout {
    fraction: 23,
    bias: 127,
    magic: 12_582_912.0,
    magic_bits: 0x4b40_0000,
    least: f32::MIN_POSITIVE as f64,
    lift: 23.0,
    root_half: 0x3f35_04f3,
    sign: i32::MIN as i64,
};
const DOUBLE: Layout = Layout {
    fraction: 52,
    bias: 1023,
    magic: 6_755_399_441_055_744.0,
    magic_bits: 0x4338_0000_0000_0000,
    least: f64::MIN_POSITIVE,
    lift: 54.0,
    root_half: 0x3fe6_a09e_0000_0000,
    sign: i64::MIN,
};

/// Emits instructions on values of three kinds: reals, integers of the same width, and masks. Constants take the lanes of `like`.
pub trait Arithmetic {
    type Value: Copy;

    fn precision(&self) -> Precision;

    fn layout(&self) -> &'static Layout {
        match self.precision() {
            Precision::F32 => &SINGLE,
            Precision::F64 => &DOUBLE,
        }
    }

    fn real(&mut self, like: Self::Value, value: f64) -> Self::Value;
    fn int(&mut self, like: Self::Value, value: i64) -> Self::Value;

    // Reals

    fn add(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn sub(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn mul(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn div(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// Whether [`Arithmetic::multiply_add`] rounds once
    fn fuses(&self) -> bool;
    /// a b + c
    fn multiply_add(&mut self, a: Self::Value, b: Self::Value, c: Self::Value) -> Self::Value;
    fn negated(&mut self, x: Self::Value) -> Self::Value;
    fn magnitude(&mut self, x: Self::Value) -> Self::Value;

    // Masks

    fn compares(&mut self, op: CompareOp, a: Self::Value, b: Self::Value) -> Self::Value;
    fn both(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `a` where the mask holds, else `b`; all bits equal
    fn choose(&mut self, mask: Self::Value, a: Self::Value, b: Self::Value) -> Self::Value;

    // Integers

    fn add_int(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn sub_int(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn and_int(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    fn shifted_left(&mut self, x: Self::Value, by: u8) -> Self::Value;
    /// Keeps the sign
    fn shifted_right(&mut self, x: Self::Value, by: u8) -> Self::Value;
    fn is_nonzero(&mut self, x: Self::Value) -> Self::Value;
    /// The bits of a real
    fn real_bits(&mut self, x: Self::Value) -> Self::Value;
    /// The real of these bits; `like` is a real
    fn with_bits(&mut self, like: Self::Value, bits: Self::Value) -> Self::Value;
    /// A real with the bits that are set in the integer turned over
    fn flipped(&mut self, x: Self::Value, bits: Self::Value) -> Self::Value;

    // What some machines have an instruction for

    /// Not below a number; NaN stays.
    fn at_least(&mut self, x: Self::Value, low: f64) -> Self::Value {
        let low = self.real(x, low);
        let below = self.compares(CompareOp::Lt, x, low);
        self.choose(below, low, x)
    }

    /// To a range; NaN stays.
    fn clamped(&mut self, x: Self::Value, low: f64, high: f64) -> Self::Value {
        let x = self.at_least(x, low);
        let high = self.real(x, high);
        let above = self.compares(CompareOp::Gt, x, high);
        self.choose(above, high, x)
    }

    /// The integer nearest to x · scale, as real and as integer; below 2²² in size in f32, 2⁵¹ in f64.
    fn rounded(&mut self, x: Self::Value, scale: f64) -> (Self::Value, Self::Value) {
        let layout = self.layout();
        let (magic, scale) = (self.real(x, layout.magic), self.real(x, scale));
        let shifted = self.multiply_add(x, scale, magic);
        let (bits, base) = (self.real_bits(shifted), self.int(x, layout.magic_bits));
        (self.sub(shifted, magic), self.sub_int(bits, base))
    }

    /// value · 2ⁿ with n as [`Arithmetic::rounded`] gives it, for −252 ≤ n ≤ 254 in f32, −2044 ≤ n ≤ 2046 in f64: in two factors, so
    /// that results reach infinity and the subnormal numbers.
    fn scaled(&mut self, value: Self::Value, (_, n): (Self::Value, Self::Value)) -> Self::Value {
        let half = self.shifted_right(n, 1);
        let rest = self.sub_int(n, half);
        let layout = self.layout();
        [half, rest].into_iter().fold(value, |value, n| {
            let bias = self.int(value, layout.bias);
            let biased = self.add_int(n, bias);
            let bits = self.shifted_left(biased, layout.fraction);
            let power = self.with_bits(value, bits);
            self.mul(value, power)
        })
    }

    /// (m, e) with x = m 2ᵉ and m in [√½, √2), both as reals, for positive finite x.
    fn mantissa_and_exponent(&mut self, x: Self::Value) -> (Self::Value, Self::Value) {
        let layout = self.layout();
        let (least, scale) = (self.real(x, layout.least), self.real(x, layout.lift.exp2()));
        let subnormal = self.compares(CompareOp::Lt, x, least);
        let lifted = self.mul(x, scale);
        let normal = self.choose(subnormal, lifted, x);
        let (bits, root) = (self.real_bits(normal), self.int(x, layout.root_half));
        let above = self.sub_int(bits, root);
        let exponent = self.shifted_right(above, layout.fraction);
        let removed = self.shifted_left(exponent, layout.fraction);
        let mantissa = self.sub_int(bits, removed);
        let mantissa = self.with_bits(x, mantissa);
        let e = self.small_int_to_real(x, exponent);
        let (lift, none) = (self.real(x, layout.lift), self.real(x, 0.0));
        let lift = self.choose(subnormal, lift, none);
        (mantissa, self.sub(e, lift))
    }

    /// An integer far below 2²² in size; `like` is a real.
    fn small_int_to_real(&mut self, like: Self::Value, x: Self::Value) -> Self::Value {
        let layout = self.layout();
        let (base, magic) = (self.int(like, layout.magic_bits), self.real(like, layout.magic));
        let bits = self.add_int(x, base);
        let shifted = self.with_bits(like, bits);
        self.sub(shifted, magic)
    }

    /// The size of one real with the sign of another.
    fn with_sign_of(&mut self, size: Self::Value, x: Self::Value) -> Self::Value {
        let (bits, sign) = (self.real_bits(x), self.int(x, self.layout().sign));
        let sign = self.and_int(bits, sign);
        self.flipped(size, sign)
    }

    /// The value of log(x), given for positive finite x: −∞ at 0, NaN below, ∞ at ∞.
    fn log_at_ends(&mut self, x: Self::Value, value: Self::Value) -> Self::Value {
        let [zero, infinite, low, nan] = [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|c| self.real(x, c));
        let is_zero = self.compares(CompareOp::Eq, x, zero);
        let other = self.choose(is_zero, low, nan);
        let positive = self.compares(CompareOp::Gt, x, zero);
        let value = self.choose(positive, value, other);
        let is_infinite = self.compares(CompareOp::Eq, x, infinite);
        self.choose(is_infinite, infinite, value)
    }

    /// `usual`, or where the mask holds, which is rare, the function of that name of `x`.
    fn rarely(&mut self, mask: Self::Value, symbol: &str, x: Self::Value, usual: Self::Value) -> Self::Value;
}
