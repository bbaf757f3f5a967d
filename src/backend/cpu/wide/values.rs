//! The operations of a loop's body as wide instructions.

use super::code::{Code, Item, Kind, Value};
use super::opcode::{Op, int_predicate, predicate};
use crate::backend::Precision;
use crate::backend::cpu::arithmetic::Arithmetic;
use crate::backend::cpu::math::Elementary;
use crate::backend::cpu::scalar::{by_name, symbol};
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};

const NEAREST: Op = Op::Round(0x08);
const FLOOR: Op = Op::Round(0x09);
const CEILING: Op = Op::Round(0x0a);
/// True where a comparison has a NaN
const UNORDERED: Op = Op::Compare(0x03);
/// ±0 and ∞
const ENDS_OF_LOG: Op = Op::Class(0x0e);

/// Adds instructions to a loop's code.
pub struct Values {
    pub code: Code,
    pub precision: Precision,
    /// A function was asked for that there is not
    pub missing: bool,
}

impl Values {
    // Constants

    fn bits(&mut self, bits: u64) -> Value {
        self.code.constant(Kind::Constant(bits))
    }

    fn sign_bit(&mut self) -> Value {
        self.bits(match self.precision {
            Precision::F32 => 1 << 31,
            Precision::F64 => 1 << 63,
        })
    }

    pub fn integer(&mut self, value: i64) -> Value {
        self.bits(match self.precision {
            Precision::F32 => u64::from(value as u32),
            Precision::F64 => value as u64,
        })
    }

    pub fn number(&mut self, value: f64) -> Value {
        self.bits(match self.precision {
            Precision::F32 => u64::from((value as f32).to_bits()),
            Precision::F64 => value.to_bits(),
        })
    }

    pub fn constant(&mut self, dtype: DType, value: f64) -> Value {
        match dtype {
            DType::Real => self.number(value),
            DType::Int => self.integer(value as i64),
            DType::Bool => {
                let value = self.integer(i64::from(value != 0.0));
                self.is_nonzero(value)
            }
        }
    }

    /// As it lies in memory: a mask as integers 0 and 1.
    pub fn stored(&mut self, dtype: DType, x: Value) -> Value {
        if dtype != DType::Bool {
            return x;
        }
        let (all, one) = (self.code.compute(Op::FromMask, &[x]), self.integer(1));
        self.code.compute(Op::And, &[all, one])
    }

    // Operations

    pub fn unary(&mut self, op: UnaryOp, dtype: DType, x: Value) -> Value {
        match op {
            UnaryOp::Not => self.code.compute(Op::MaskNot, &[x]),
            UnaryOp::Neg if dtype == DType::Real => self.negated(x),
            UnaryOp::Neg => {
                let zero = self.integer(0);
                self.sub_int(zero, x)
            }
            UnaryOp::Abs if dtype == DType::Real => self.magnitude(x),
            UnaryOp::Abs => self.code.compute(Op::IntAbs, &[x]),
            UnaryOp::Sign => self.sign(dtype, x),
            UnaryOp::Sqrt => self.code.compute(Op::Sqrt, &[x]),
            UnaryOp::Recip => {
                let one = self.number(1.0);
                self.div(one, x)
            }
            UnaryOp::Floor => self.code.compute(FLOOR, &[x]),
            UnaryOp::Ceil => self.code.compute(CEILING, &[x]),
            UnaryOp::Round => self.code.compute(NEAREST, &[x]),
            UnaryOp::IsFinite => {
                let (magnitude, infinite) = (self.magnitude(x), self.number(f64::INFINITY));
                self.compares(CompareOp::Lt, magnitude, infinite)
            }
            UnaryOp::Exp | UnaryOp::Expm1 | UnaryOp::Log | UnaryOp::Log1p | UnaryOp::Sin | UnaryOp::Cos => self.function(op, x),
            UnaryOp::Tanh | UnaryOp::Sigmoid | UnaryOp::Softplus | UnaryOp::Erf | UnaryOp::ErfInv => self.function(op, x),
            UnaryOp::LogGamma | UnaryOp::Digamma | UnaryOp::Trigamma => self.function(op, x),
        }
    }

    /// A function of one real: inline where there is a formula, else a call.
    fn function(&mut self, op: UnaryOp, x: Value) -> Value {
        self.inline(op, x).unwrap_or_else(|| self.called(symbol(op).unwrap_or_default(), DType::Real, &[x]))
    }

    fn called(&mut self, name: &str, dtype: DType, operands: &[Value]) -> Value {
        let result = self.code.value(Kind::Vector);
        let Some((function, _)) = by_name(name, dtype, self.precision) else {
            self.missing = true;
            return result;
        };
        self.code.items.push(Item::Call { result, function, operands: operands.to_vec() });
        result
    }

    fn sign(&mut self, dtype: DType, x: Value) -> Value {
        let [zero, one, minus] = [0.0, 1.0, -1.0].map(|v| self.constant(dtype, v));
        let (above, below) = (self.compare(CompareOp::Gt, dtype, x, zero), self.compare(CompareOp::Lt, dtype, x, zero));
        // Zero and NaN stay as they are
        let rest = self.choose(below, minus, x);
        self.choose(above, one, rest)
    }

    pub fn binary(&mut self, op: BinaryOp, dtype: DType, a: Value, b: Value) -> Value {
        let real = dtype == DType::Real;
        let simple = match op {
            BinaryOp::Add if real => Op::Add,
            BinaryOp::Add => Op::IntAdd,
            BinaryOp::Sub if real => Op::Sub,
            BinaryOp::Sub => Op::IntSub,
            BinaryOp::Mul if real => Op::Mul,
            BinaryOp::Mul => Op::IntMul,
            BinaryOp::Div => Op::Div,
            BinaryOp::Max if real => return self.extreme(Op::Max, a, b),
            BinaryOp::Max => Op::IntMax,
            BinaryOp::Min if real => return self.extreme(Op::Min, a, b),
            BinaryOp::Min => Op::IntMin,
            BinaryOp::And => Op::MaskAnd,
            BinaryOp::Or => Op::MaskOr,
            BinaryOp::FloorDiv => return self.called("div", dtype, &[a, b]),
            BinaryOp::Rem => return self.called("rem", dtype, &[a, b]),
            BinaryOp::Pow => return self.called("pow", dtype, &[a, b]),
        };
        self.code.compute(simple, &[a, b])
    }

    /// NaN if either is: the instruction gives the second operand if one is NaN.
    fn extreme(&mut self, op: Op, a: Value, b: Value) -> Value {
        let (value, nan) = (self.code.compute(op, &[a, b]), self.code.compute(UNORDERED, &[a, a]));
        self.choose(nan, a, value)
    }

    pub fn compare(&mut self, op: CompareOp, dtype: DType, a: Value, b: Value) -> Value {
        let (on_masks, negate_a, negate_b) = match (dtype, op) {
            (DType::Real, _) => return self.compares(op, a, b),
            (DType::Int, _) => return self.code.compute(Op::IntCompare(int_predicate(op)), &[a, b]),
            (DType::Bool, CompareOp::Eq) => (Op::MaskXor, false, true),
            (DType::Bool, CompareOp::Ne) => (Op::MaskXor, false, false),
            (DType::Bool, CompareOp::Lt) => (Op::MaskAnd, true, false),
            (DType::Bool, CompareOp::Le) => (Op::MaskOr, true, false),
            (DType::Bool, CompareOp::Gt) => (Op::MaskAnd, false, true),
            (DType::Bool, CompareOp::Ge) => (Op::MaskOr, false, true),
        };
        let a = if negate_a { self.code.compute(Op::MaskNot, &[a]) } else { a };
        let b = if negate_b { self.code.compute(Op::MaskNot, &[b]) } else { b };
        self.code.compute(on_masks, &[a, b])
    }

    pub fn select(&mut self, dtype: DType, mask: Value, a: Value, b: Value) -> Value {
        if dtype != DType::Bool {
            return self.choose(mask, a, b);
        }
        let not = self.code.compute(Op::MaskNot, &[mask]);
        let (a, b) = (self.both(mask, a), self.both(not, b));
        self.code.compute(Op::MaskOr, &[a, b])
    }

    pub fn cast(&mut self, from: DType, to: DType, x: Value) -> Value {
        match (from, to) {
            (DType::Real, DType::Int) => self.real_to_int(x),
            (DType::Int, DType::Real) => self.code.compute(Op::FromInt, &[x]),
            (DType::Bool, DType::Int) => self.stored(DType::Bool, x),
            (DType::Bool, DType::Real) => {
                let (one, zero) = (self.number(1.0), self.number(0.0));
                self.choose(x, one, zero)
            }
            (DType::Real, DType::Bool) => {
                let zero = self.number(0.0);
                self.compares(CompareOp::Ne, x, zero)
            }
            (DType::Int, DType::Bool) => self.is_nonzero(x),
            (DType::Real, DType::Real) | (DType::Int, DType::Int) | (DType::Bool, DType::Bool) => x,
        }
    }

    /// Truncated; the nearest integer that fits where it is too large, 0 of NaN.
    fn real_to_int(&mut self, x: Value) -> Value {
        let (limit, most) = match self.precision {
            Precision::F32 => (2f64.powi(31), i64::from(i32::MAX)),
            Precision::F64 => (2f64.powi(63), i64::MAX),
        };
        // Too small numbers give the least integer, as do too large ones and NaN
        let value = self.code.compute(Op::ToIntTruncated, &[x]);
        let (limit, most, zero) = (self.number(limit), self.integer(most), self.integer(0));
        let large = self.compares(CompareOp::Ge, x, limit);
        let value = self.choose(large, most, value);
        let nan = self.code.compute(UNORDERED, &[x, x]);
        self.choose(nan, zero, value)
    }

    // Reductions. A Bool is accumulated as integer 0 or 1.

    /// The type in which values of that type are accumulated.
    pub fn accumulated(dtype: DType) -> DType {
        if dtype == DType::Real { DType::Real } else { DType::Int }
    }

    /// One step of a reduction, of values as they lie in memory.
    pub fn combine(&mut self, op: ReduceOp, dtype: DType, a: Value, b: Value) -> Value {
        let dtype = Values::accumulated(dtype);
        match op {
            ReduceOp::Sum => self.binary(BinaryOp::Add, dtype, a, b),
            ReduceOp::Prod => self.binary(BinaryOp::Mul, dtype, a, b),
            ReduceOp::Max => self.binary(BinaryOp::Max, dtype, a, b),
            ReduceOp::Min => self.binary(BinaryOp::Min, dtype, a, b),
            ReduceOp::And => self.code.compute(Op::And, &[a, b]),
            ReduceOp::Or => self.code.compute(Op::Or, &[a, b]),
        }
    }

    /// What a reduction starts from.
    pub fn initial(&mut self, op: ReduceOp, dtype: DType) -> Value {
        let dtype = Values::accumulated(dtype);
        let (least, most) = match self.precision {
            Precision::F32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Precision::F64 => (i64::MIN, i64::MAX),
        };
        match (op, dtype) {
            (ReduceOp::Sum | ReduceOp::Or, _) => self.constant(dtype, 0.0),
            (ReduceOp::Prod | ReduceOp::And, _) => self.constant(dtype, 1.0),
            (ReduceOp::Max, DType::Real) => self.number(f64::NEG_INFINITY),
            (ReduceOp::Min, DType::Real) => self.number(f64::INFINITY),
            (ReduceOp::Max, DType::Int | DType::Bool) => self.integer(least),
            (ReduceOp::Min, DType::Int | DType::Bool) => self.integer(most),
        }
    }
}

impl Arithmetic for Values {
    type Value = Value;

    fn precision(&self) -> Precision {
        self.precision
    }

    fn real(&mut self, _like: Value, value: f64) -> Value {
        self.number(value)
    }

    fn int(&mut self, _like: Value, value: i64) -> Value {
        self.integer(value)
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::Add, &[a, b])
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::Sub, &[a, b])
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::Mul, &[a, b])
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::Div, &[a, b])
    }

    fn fuses(&self) -> bool {
        true
    }

    fn multiply_add(&mut self, a: Value, b: Value, c: Value) -> Value {
        self.code.compute(Op::MultiplyAdd, &[a, b, c])
    }

    fn negated(&mut self, x: Value) -> Value {
        let sign = self.sign_bit();
        self.code.compute(Op::Xor, &[x, sign])
    }

    fn magnitude(&mut self, x: Value) -> Value {
        let rest = self.integer(match self.precision {
            Precision::F32 => i64::from(i32::MAX),
            Precision::F64 => i64::MAX,
        });
        self.code.compute(Op::And, &[x, rest])
    }

    fn compares(&mut self, op: CompareOp, a: Value, b: Value) -> Value {
        self.code.compute(Op::Compare(predicate(op)), &[a, b])
    }

    fn both(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::MaskAnd, &[a, b])
    }

    fn choose(&mut self, mask: Value, a: Value, b: Value) -> Value {
        self.code.compute(Op::Choose, &[mask, a, b])
    }

    fn add_int(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::IntAdd, &[a, b])
    }

    fn sub_int(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::IntSub, &[a, b])
    }

    fn and_int(&mut self, a: Value, b: Value) -> Value {
        self.code.compute(Op::And, &[a, b])
    }

    fn shifted_left(&mut self, x: Value, by: u8) -> Value {
        self.code.compute(Op::ShiftLeft(by), &[x])
    }

    fn shifted_right(&mut self, x: Value, by: u8) -> Value {
        self.code.compute(Op::ShiftRight(by), &[x])
    }

    fn is_nonzero(&mut self, x: Value) -> Value {
        self.code.compute(Op::Test, &[x, x])
    }

    fn real_bits(&mut self, x: Value) -> Value {
        x
    }

    fn with_bits(&mut self, _like: Value, bits: Value) -> Value {
        bits
    }

    fn flipped(&mut self, x: Value, bits: Value) -> Value {
        self.code.compute(Op::Xor, &[x, bits])
    }

    fn at_least(&mut self, x: Value, low: f64) -> Value {
        let low = self.number(low);
        self.code.compute(Op::Max, &[low, x])
    }

    fn clamped(&mut self, x: Value, low: f64, high: f64) -> Value {
        let x = self.at_least(x, low);
        let high = self.number(high);
        self.code.compute(Op::Min, &[high, x])
    }

    fn rounded(&mut self, x: Value, scale: f64) -> (Value, Value) {
        let scale = self.number(scale);
        let product = self.mul(x, scale);
        (self.code.compute(NEAREST, &[product]), self.code.compute(Op::ToIntNearest, &[product]))
    }

    fn scaled(&mut self, value: Value, (n, _): (Value, Value)) -> Value {
        self.code.compute(Op::Scale, &[value, n])
    }

    fn mantissa_and_exponent(&mut self, x: Value) -> (Value, Value) {
        let (mantissa, exponent) = (self.code.compute(Op::Mantissa, &[x]), self.code.compute(Op::Exponent, &[x]));
        let [root, half, one] = [std::f64::consts::SQRT_2, 0.5, 1.0].map(|c| self.number(c));
        let above = self.compares(CompareOp::Gt, mantissa, root);
        let (halved, next) = (self.mul(mantissa, half), self.add(exponent, one));
        (self.choose(above, halved, mantissa), self.choose(above, next, exponent))
    }

    /// The exponent is −∞ of 0 and ∞ of ∞; the mantissa of negative numbers is NaN.
    fn log_at_ends(&mut self, x: Value, value: Value) -> Value {
        let (ends, exponent) = (self.code.compute(ENDS_OF_LOG, &[x]), self.code.compute(Op::Exponent, &[x]));
        self.choose(ends, exponent, value)
    }

    fn rarely(&mut self, mask: Value, symbol: &str, x: Value, usual: Value) -> Value {
        let result = self.code.value(Kind::Vector);
        let Some((function, _)) = by_name(symbol, DType::Real, self.precision) else {
            self.missing = true;
            return result;
        };
        self.code.items.push(Item::Rarely { result, function, mask, operand: x, usual });
        result
    }
}
