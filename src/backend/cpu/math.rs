//! Elementary functions, inline: the same formulas for every emitter of code, for one element and for a vector, in both precisions.
//! `tests/backend/accuracy.rs` says how far they are from the exact values.

use super::arithmetic::Arithmetic;
use super::coefficients::{Coefficients, LOG, LOG_DOUBLE, coefficients};
use crate::backend::Precision;
use crate::base::op::{CompareOp, UnaryOp};

impl<A: Arithmetic> Elementary for A {}

/// Elementary functions, of whatever [`Arithmetic`] emits.
pub trait Elementary: Arithmetic {
    /// A function of one real, if there is vector code for it.
    fn inline(&mut self, op: UnaryOp, x: Self::Value) -> Option<Self::Value> {
        Some(match op {
            UnaryOp::Exp => self.exp(x),
            UnaryOp::Expm1 => self.expm1(x),
            UnaryOp::Log => self.log(x),
            UnaryOp::Log1p => self.log1p(x),
            UnaryOp::Tanh => self.tanh(x),
            UnaryOp::Erf => self.erf(x),
            UnaryOp::Sigmoid => self.sigmoid(x),
            UnaryOp::Softplus => self.softplus(x),
            UnaryOp::Sin if self.fuses() => self.sine(x, 0, "sin"),
            UnaryOp::Cos if self.fuses() => self.sine(x, 1, "cos"),
            UnaryOp::Sin | UnaryOp::Cos | UnaryOp::ErfInv | UnaryOp::LogGamma | UnaryOp::Digamma | UnaryOp::Trigamma => return None,
            UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Sqrt | UnaryOp::Recip => return None,
            UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => return None,
        })
    }

    fn coefficients(&self) -> &'static Coefficients {
        coefficients(self.precision())
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
        let p = self.polynomial(r, self.coefficients().exp);
        self.multiply_add(p, square, r)
    }

    /// x = n log 2 + r: r, and n as real and as integer.
    fn remainder_of_log2(&mut self, x: Self::Value) -> (Self::Value, (Self::Value, Self::Value)) {
        let (whole, n) = self.rounded(x, std::f64::consts::LOG2_E);
        let r = self.coefficients().ln2.iter().fold(x, |r, part| {
            let part = self.real(x, -part);
            self.multiply_add(whole, part, r)
        });
        (r, (whole, n))
    }

    /// exp(x) = 2ⁿ exp(r).
    fn exp(&mut self, x: Self::Value) -> Self::Value {
        let (low, high) = self.coefficients().exp_range;
        let x = self.clamped(x, low, high);
        self.exp_in_range(x)
    }

    /// The same, between the ends of its range.
    fn exp_in_range(&mut self, x: Self::Value) -> Self::Value {
        let (r, power) = self.remainder_of_log2(x);
        let (small, one) = (self.exp_less_one(r), self.real(x, 1.0));
        let value = self.add(small, one);
        self.scaled(value, power)
    }

    /// 2ⁿ (exp(r) − 1) + (2ⁿ − 1), halved so that 2ⁿ does not overflow before the result does.
    fn expm1(&mut self, x: Self::Value) -> Self::Value {
        let near = self.exp_less_one(x);
        let far = self.clamped(x, -60.0, self.coefficients().exp_range.1);
        let (r, power) = self.remainder_of_log2(far);
        let (small, half) = (self.exp_less_one(r), self.real(x, 0.5));
        let power = self.scaled(half, power);
        let less = self.sub(power, half);
        let value = self.multiply_add(power, small, less);
        let far = self.add(value, value);
        let (size, limit) = (self.magnitude(x), self.real(x, 0.34));
        let is_near = self.compares(CompareOp::Lt, size, limit);
        self.choose(is_near, near, far)
    }

    /// log(x) = e log 2 + log(m), m in [√½, √2).
    fn log(&mut self, x: Self::Value) -> Self::Value {
        let value = self.log_inside(x);
        self.log_at_ends(x, value)
    }

    /// Of positive finite numbers.
    fn log_inside(&mut self, x: Self::Value) -> Self::Value {
        let (mantissa, e) = self.mantissa_and_exponent(x);
        let one = self.real(x, 1.0);
        let z = self.sub(mantissa, one);
        match self.precision() {
            Precision::F32 => self.log_by_powers(z, e),
            Precision::F64 => self.log_by_ratio(z, e),
        }
    }

    /// log(1 + z) + e log 2, with a polynomial in z.
    fn log_by_powers(&mut self, z: Self::Value, e: Self::Value) -> Self::Value {
        let square = self.mul(z, z);
        let p = self.polynomial(z, LOG);
        let cube = self.mul(z, square);
        let y = self.mul(cube, p);
        let [high, low] = self.coefficients().ln2;
        let [low, half, high] = [low, -0.5, high].map(|c| self.real(z, c));
        let y = self.multiply_add(e, low, y);
        let y = self.multiply_add(square, half, y);
        let value = self.add(z, y);
        self.multiply_add(e, high, value)
    }

    /// The same, with a polynomial in s = z / (2 + z); z²/2 is taken apart, since it is exact to more digits.
    fn log_by_ratio(&mut self, z: Self::Value, e: Self::Value) -> Self::Value {
        let [high, low] = self.coefficients().ln2;
        let [two, half, high, low] = [2.0, 0.5, high, low].map(|c| self.real(z, c));
        let below = self.add(two, z);
        let s = self.div(z, below);
        let square = self.mul(s, s);
        let p = self.polynomial(square, LOG_DOUBLE);
        let rest = self.mul(square, p);
        let halved = self.mul(z, half);
        let half_square = self.mul(halved, z);
        let sum = self.add(half_square, rest);
        let lower = self.mul(e, low);
        let correction = self.multiply_add(s, sum, lower);
        let minus = self.sub(half_square, correction);
        let value = self.sub(z, minus);
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
        let minus = self.at_least(minus, self.coefficients().exp_range.0);
        self.exp_in_range(minus)
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

    /// max(x, 0) + log(1 + u) with u = exp(−|x|).
    fn softplus(&mut self, x: Self::Value) -> Self::Value {
        let u = self.exp_of_minus_size(x);
        let zero = self.real(x, 0.0);
        let positive = self.compares(CompareOp::Gt, x, zero);
        let rest = self.choose(positive, x, zero);
        self.log1p_of_part(u, rest)
    }

    /// log(1 + u) + rest for u in [0, 1], as the logarithm of the rounded sum and what the rounding lost.
    fn log1p_of_part(&mut self, u: Self::Value, rest: Self::Value) -> Self::Value {
        let one = self.real(u, 1.0);
        let w = self.add(one, u);
        let kept = self.sub(w, one);
        let lost = self.sub(u, kept);
        let correction = self.div(lost, w);
        let log = self.log_inside(w);
        let value = self.add(log, correction);
        self.add(value, rest)
    }

    /// t / (t + 2) with t = exp(2|x|) − 1; where that is near 1, 1 − 2 / (t + 2).
    fn tanh(&mut self, x: Self::Value) -> Self::Value {
        let [two, one, limit] = [2.0, 1.0, 0.55].map(|c| self.real(x, c));
        let size = self.magnitude(x);
        let doubled = self.add(size, size);
        let t = self.expm1(doubled);
        let is_large = self.compares(CompareOp::Gt, size, limit);
        let (above, below) = (self.choose(is_large, two, t), self.add(t, two));
        let ratio = self.div(above, below);
        let rest = self.sub(one, ratio);
        let value = self.choose(is_large, rest, ratio);
        self.with_sign_of(value, x)
    }

    /// x P(x²) + x for |x| < 1, else ±(1 − exp(−x²) Q(t)).
    fn erf(&mut self, x: Self::Value) -> Self::Value {
        let square = self.mul(x, x);
        let slope = self.polynomial(square, self.coefficients().erf_near);
        let near = self.multiply_add(x, slope, x);
        let size = self.magnitude(x);
        let size = self.clamped(size, 0.0, self.coefficients().erf_range);
        let [two, three, one] = [2.0, 3.0, 1.0].map(|c| self.real(x, c));
        let (above, below) = (self.sub(size, two), self.add(size, three));
        let t = self.div(above, below);
        let q = self.polynomial(t, self.coefficients().erf_far);
        let minus = self.negated(size);
        let minus_square = self.mul(minus, size);
        let e = self.exp(minus_square);
        let tail = self.mul(e, q);
        let far = self.sub(one, tail);
        let far = self.with_sign_of(far, x);
        let is_near = self.compares(CompareOp::Lt, size, one);
        self.choose(is_near, near, far)
    }

    /// The sine of x + quarter · π/2: reduced to |r| ≤ π/4 with π/2 in three parts. Far from zero `symbol` is called.
    fn sine(&mut self, x: Self::Value, quarter: i64, symbol: &str) -> Self::Value {
        let (size, limit) = (self.magnitude(x), self.real(x, self.coefficients().far));
        let is_far = self.compares(CompareOp::Gt, size, limit);
        let near = self.reduced_sine(x, quarter);
        self.rarely(is_far, symbol, x, near)
    }

    fn reduced_sine(&mut self, x: Self::Value, quarter: i64) -> Self::Value {
        let (whole, n) = self.rounded(x, std::f64::consts::FRAC_2_PI);
        let r = self.coefficients().quarter_turn.iter().fold(x, |r, part| {
            let part = self.real(x, -part);
            self.multiply_add(whole, part, r)
        });
        let square = self.mul(r, r);
        let (p, q) = (self.polynomial(square, self.coefficients().sin), self.polynomial(square, self.coefficients().cos));
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
        let sign = self.shifted_left(upper, self.layout().sign_bit() - 1);
        self.flipped(value, sign)
    }
}
