//! The instructions that elementary functions are made of, on every lane at once. Each emitter of code implements them, so that
//! [`super::math`] states each polynomial once.

use crate::base::op::CompareOp;

/// Emits instructions on values of three kinds: reals, integers of the same width, and masks. Constants take the lanes of `like`.
pub trait Arithmetic {
    type Value: Copy;

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
    fn int_to_real(&mut self, x: Self::Value) -> Self::Value;
    /// The bits of a real
    fn real_bits(&mut self, x: Self::Value) -> Self::Value;
    /// The real of these bits; `like` is a real
    fn from_bits(&mut self, like: Self::Value, bits: Self::Value) -> Self::Value;
    /// A real with the bits that are set in the integer turned over
    fn flipped(&mut self, x: Self::Value, bits: Self::Value) -> Self::Value;

    // What some machines have an instruction for

    /// To a range; NaN stays.
    fn clamped(&mut self, x: Self::Value, low: f64, high: f64) -> Self::Value {
        let (low, high) = (self.real(x, low), self.real(x, high));
        let below = self.compares(CompareOp::Lt, x, low);
        let x = self.choose(below, low, x);
        let above = self.compares(CompareOp::Gt, x, high);
        self.choose(above, high, x)
    }

    /// The integer nearest to x · scale, as real and as integer; in f32 below 2²² in size.
    fn rounded(&mut self, x: Self::Value, scale: f64) -> (Self::Value, Self::Value) {
        /// Adding it rounds to an integer, in the low bits: 1.5 · 2²³
        const MAGIC: f64 = 12_582_912.0;
        let (magic, scale) = (self.real(x, MAGIC), self.real(x, scale));
        let shifted = self.multiply_add(x, scale, magic);
        let (bits, base) = (self.real_bits(shifted), self.int(x, i64::from((MAGIC as f32).to_bits())));
        (self.sub(shifted, magic), self.sub_int(bits, base))
    }

    /// value · 2ⁿ with n as [`Arithmetic::rounded`] gives it, for −252 ≤ n ≤ 254 in f32: in two factors, so that results reach
    /// infinity and the subnormal numbers.
    fn scaled(&mut self, value: Self::Value, (_, n): (Self::Value, Self::Value)) -> Self::Value {
        let half = self.shifted_right(n, 1);
        let rest = self.sub_int(n, half);
        [half, rest].into_iter().fold(value, |value, n| {
            let bias = self.int(value, 127);
            let biased = self.add_int(n, bias);
            let bits = self.shifted_left(biased, 23);
            let power = self.from_bits(value, bits);
            self.mul(value, power)
        })
    }

    /// (m, e) with x = m 2ᵉ and m in [√½, √2), both as reals, for positive finite x in f32.
    fn mantissa_and_exponent(&mut self, x: Self::Value) -> (Self::Value, Self::Value) {
        let (least, scale) = (self.real(x, f64::from(f32::MIN_POSITIVE)), self.real(x, 8_388_608.0));
        let subnormal = self.compares(CompareOp::Lt, x, least);
        let lifted = self.mul(x, scale);
        let normal = self.choose(subnormal, lifted, x);
        let (bits, root) = (self.real_bits(normal), self.int(x, 0x3f35_04f3));
        let above = self.sub_int(bits, root);
        let exponent = self.shifted_right(above, 23);
        let removed = self.shifted_left(exponent, 23);
        let mantissa = self.sub_int(bits, removed);
        let mantissa = self.from_bits(x, mantissa);
        let e = self.int_to_real(exponent);
        let (lift, none) = (self.real(x, 23.0), self.real(x, 0.0));
        let lift = self.choose(subnormal, lift, none);
        (mantissa, self.sub(e, lift))
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
