//! The scalar operations, on one element or on every lane of a vector.

use super::arithmetic::Arithmetic;
use super::lanes::Emit;
use super::math::Elementary;
use super::scalar::{by_name, symbol};
use crate::backend::Precision;
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use cranelift::prelude::*;
use cranelift_module::Module;

impl Emit<'_> {
    pub fn unary(&mut self, op: UnaryOp, dtype: DType, x: Value) -> Value {
        match (op, dtype) {
            (UnaryOp::Not, _) => self.not(x),
            (UnaryOp::Neg, DType::Real) => self.b.ins().fneg(x),
            (UnaryOp::Neg, _) => self.b.ins().ineg(x),
            (UnaryOp::Abs, DType::Real) => self.b.ins().fabs(x),
            (UnaryOp::Abs, _) => self.b.ins().iabs(x),
            (UnaryOp::Sign, _) => self.sign(dtype, x),
            (UnaryOp::Sqrt, _) => self.b.ins().sqrt(x),
            (UnaryOp::Recip, _) => {
                let one = self.number(self.type_of(x), 1.0);
                self.b.ins().fdiv(one, x)
            }
            (UnaryOp::Floor, _) => self.b.ins().floor(x),
            (UnaryOp::Ceil, _) => self.b.ins().ceil(x),
            (UnaryOp::Round, _) => self.b.ins().nearest(x),
            (UnaryOp::IsFinite, _) => {
                let (magnitude, infinite) = (self.b.ins().fabs(x), self.number(self.type_of(x), f64::INFINITY));
                self.fcmp(FloatCC::LessThan, magnitude, infinite)
            }
            (UnaryOp::Exp | UnaryOp::Expm1 | UnaryOp::Log | UnaryOp::Log1p | UnaryOp::Sin | UnaryOp::Cos, _) => self.function(op, x),
            (UnaryOp::Tanh | UnaryOp::Sigmoid | UnaryOp::Softplus | UnaryOp::Erf | UnaryOp::ErfInv, _) => self.function(op, x),
            (UnaryOp::LogGamma | UnaryOp::Digamma | UnaryOp::Trigamma, _) => self.function(op, x),
        }
    }

    /// A function of one real: vector code where there is some, else a call.
    fn function(&mut self, op: UnaryOp, x: Value) -> Value {
        self.inline(op, x).unwrap_or_else(|| symbol(op).map_or(x, |symbol| self.called(symbol, DType::Real, &[x])))
    }

    fn sign(&mut self, dtype: DType, x: Value) -> Value {
        let ty = self.type_of(x);
        let [zero, one, minus] = [0.0, 1.0, -1.0].map(|v| self.number(ty, v));
        let (above, below) = match dtype {
            DType::Real => (self.fcmp(FloatCC::GreaterThan, x, zero), self.fcmp(FloatCC::LessThan, x, zero)),
            DType::Int | DType::Bool => {
                (self.b.ins().icmp(IntCC::SignedGreaterThan, x, zero), self.b.ins().icmp(IntCC::SignedLessThan, x, zero))
            }
        };
        // Zero and NaN stay as they are
        let rest = self.select(below, minus, x);
        self.select(above, one, rest)
    }

    pub fn binary(&mut self, op: BinaryOp, dtype: DType, a: Value, b: Value) -> Value {
        let real = dtype == DType::Real;
        match op {
            BinaryOp::Add if real => self.b.ins().fadd(a, b),
            BinaryOp::Add => self.b.ins().iadd(a, b),
            BinaryOp::Sub if real => self.b.ins().fsub(a, b),
            BinaryOp::Sub => self.b.ins().isub(a, b),
            BinaryOp::Mul if real => self.b.ins().fmul(a, b),
            BinaryOp::Mul => self.b.ins().imul(a, b),
            BinaryOp::Div => self.b.ins().fdiv(a, b),
            BinaryOp::Max => self.extreme(CompareOp::Gt, dtype, a, b),
            BinaryOp::Min => self.extreme(CompareOp::Lt, dtype, a, b),
            BinaryOp::And => self.b.ins().band(a, b),
            BinaryOp::Or => self.b.ins().bor(a, b),
            BinaryOp::FloorDiv => self.called("div", dtype, &[a, b]),
            BinaryOp::Rem => self.called("rem", dtype, &[a, b]),
            BinaryOp::Pow => self.called("pow", dtype, &[a, b]),
        }
    }

    /// `a` where it compares so with `b`, else `b`; NaN if either is.
    fn extreme(&mut self, op: CompareOp, dtype: DType, a: Value, b: Value) -> Value {
        if dtype != DType::Real {
            let first = self.compare(op, dtype, a, b);
            return self.select(first, a, b);
        }
        // A single instruction, which gives b if either is NaN
        let first = if op == CompareOp::Gt { self.fcmp(FloatCC::LessThan, b, a) } else { self.fcmp(FloatCC::LessThan, a, b) };
        let value = self.select(first, a, b);
        let nan = self.fcmp(FloatCC::Unordered, a, a);
        let ty = self.type_of(a);
        if !ty.is_vector() {
            return self.select(nan, a, value);
        }
        // All bits set are a NaN
        let nan = self.bits(ty, nan);
        self.b.ins().bor(value, nan)
    }

    pub fn compare(&mut self, op: CompareOp, dtype: DType, a: Value, b: Value) -> Value {
        use CompareOp::*;
        match dtype {
            DType::Real => {
                let condition = match op {
                    Eq => FloatCC::Equal,
                    Ne => FloatCC::NotEqual,
                    Lt => FloatCC::LessThan,
                    Le => FloatCC::LessThanOrEqual,
                    Gt => FloatCC::GreaterThan,
                    Ge => FloatCC::GreaterThanOrEqual,
                };
                self.fcmp(condition, a, b)
            }
            DType::Int => {
                let condition = match op {
                    Eq => IntCC::Equal,
                    Ne => IntCC::NotEqual,
                    Lt => IntCC::SignedLessThan,
                    Le => IntCC::SignedLessThanOrEqual,
                    Gt => IntCC::SignedGreaterThan,
                    Ge => IntCC::SignedGreaterThanOrEqual,
                };
                self.b.ins().icmp(condition, a, b)
            }
            DType::Bool => {
                let (not_a, not_b) = (self.not(a), self.not(b));
                match op {
                    Eq => self.b.ins().bxor(a, not_b),
                    Ne => self.b.ins().bxor(a, b),
                    Lt => self.b.ins().band(not_a, b),
                    Le => self.b.ins().bor(not_a, b),
                    Gt => self.b.ins().band(a, not_b),
                    Ge => self.b.ins().bor(a, not_b),
                }
            }
        }
    }

    pub fn cast(&mut self, from: DType, to: DType, x: Value) -> Value {
        let lanes = self.lanes(x);
        match (from, to) {
            (DType::Real, DType::Int) => {
                let ty = self.int_type(lanes);
                self.converted(ty, x, |emit, ty, x| emit.b.ins().fcvt_to_sint_sat(ty, x))
            }
            (DType::Int, DType::Real) => {
                let ty = self.real_type(lanes);
                self.converted(ty, x, |emit, ty, x| emit.b.ins().fcvt_from_sint(ty, x))
            }
            (DType::Bool, DType::Int) => self.as_int(x),
            (DType::Bool, DType::Real) => {
                let ty = self.real_type(lanes);
                let (one, zero) = (self.number(ty, 1.0), self.number(ty, 0.0));
                self.select(x, one, zero)
            }
            (DType::Real, DType::Bool) => {
                let zero = self.number(self.type_of(x), 0.0);
                self.fcmp(FloatCC::NotEqual, x, zero)
            }
            (DType::Int, DType::Bool) => self.nonzero(x),
            (DType::Real, DType::Real) | (DType::Int, DType::Int) | (DType::Bool, DType::Bool) => x,
        }
    }

    /// A conversion that vectors of two lanes do not have.
    fn converted(&mut self, ty: Type, x: Value, convert: impl Fn(&mut Self, Type, Value) -> Value) -> Value {
        if ty.lane_count() != 2 {
            return convert(self, ty, x);
        }
        self.lane_by_lane(ty, &[x], |emit, x| convert(emit, ty.lane_type(), x[0]))
    }

    /// Applies a scalar operation to each lane.
    fn lane_by_lane(&mut self, ty: Type, args: &[Value], mut apply: impl FnMut(&mut Self, &[Value]) -> Value) -> Value {
        let mut result = None;
        for lane in 0..ty.lane_count() as u8 {
            let scalars: Vec<Value> = args.iter().map(|&arg| self.b.ins().extractlane(arg, lane)).collect();
            let value = apply(self, &scalars);
            result = Some(match result {
                None => self.b.ins().splat(ty, value),
                Some(vector) => self.b.ins().insertlane(vector, value, lane),
            });
        }
        result.unwrap_or(args[0])
    }

    /// Calls a function of [`super::scalar`], lane by lane.
    pub fn called(&mut self, symbol: &str, dtype: DType, args: &[Value]) -> Value {
        let Some((_, function)) = by_name(symbol, dtype, self.precision) else { return args[0] };
        let id = self.externs[function.name];
        let callee = match self.imported.get(&id) {
            Some(&callee) => callee,
            None => {
                let callee = self.module.declare_func_in_func(id, self.b.func);
                self.imported.insert(id, callee);
                callee
            }
        };
        let ty = self.type_of(args[0]);
        let call = |emit: &mut Self, args: &[Value]| {
            let call = emit.b.ins().call(callee, args);
            emit.b.inst_results(call)[0]
        };
        if ty.is_vector() { self.lane_by_lane(ty, args, call) } else { call(self, args) }
    }

    /// One step of a reduction.
    pub fn combine(&mut self, op: ReduceOp, dtype: DType, a: Value, b: Value) -> Value {
        let op = match op {
            ReduceOp::Sum => BinaryOp::Add,
            ReduceOp::Prod => BinaryOp::Mul,
            ReduceOp::Max => BinaryOp::Max,
            ReduceOp::Min => BinaryOp::Min,
            ReduceOp::And => BinaryOp::And,
            ReduceOp::Or => BinaryOp::Or,
        };
        self.binary(op, dtype, a, b)
    }

    /// What a reduction starts from.
    pub fn initial(&mut self, op: ReduceOp, dtype: DType, lanes: usize) -> Value {
        let least = match (dtype, self.precision) {
            (DType::Int, Precision::F32) => f64::from(i32::MIN),
            (DType::Int, Precision::F64) => i64::MIN as f64,
            (DType::Real | DType::Bool, _) => f64::NEG_INFINITY,
        };
        let most = match (dtype, self.precision) {
            (DType::Int, Precision::F32) => f64::from(i32::MAX),
            (DType::Int, Precision::F64) => i64::MAX as f64,
            (DType::Real | DType::Bool, _) => f64::INFINITY,
        };
        let value = match op {
            ReduceOp::Sum | ReduceOp::Or => 0.0,
            ReduceOp::Prod | ReduceOp::And => 1.0,
            ReduceOp::Max => least,
            ReduceOp::Min => most,
        };
        self.constant(dtype, lanes, value)
    }
}

impl Arithmetic for Emit<'_> {
    type Value = Value;

    fn precision(&self) -> Precision {
        self.precision
    }

    fn real(&mut self, like: Value, value: f64) -> Value {
        let ty = self.real_type(self.lanes(like));
        self.number(ty, value)
    }

    fn int(&mut self, like: Value, value: i64) -> Value {
        let ty = self.int_type(self.lanes(like));
        self.number(ty, value as f64)
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fadd(a, b)
    }

    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fsub(a, b)
    }

    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fmul(a, b)
    }

    fn div(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fdiv(a, b)
    }

    fn fuses(&self) -> bool {
        self.fma
    }

    fn multiply_add(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.fma {
            return self.b.ins().fma(a, b, c);
        }
        let product = self.b.ins().fmul(a, b);
        self.b.ins().fadd(product, c)
    }

    fn negated(&mut self, x: Value) -> Value {
        self.b.ins().fneg(x)
    }

    fn magnitude(&mut self, x: Value) -> Value {
        self.b.ins().fabs(x)
    }

    fn compares(&mut self, op: CompareOp, a: Value, b: Value) -> Value {
        self.compare(op, DType::Real, a, b)
    }

    fn both(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().band(a, b)
    }

    fn choose(&mut self, mask: Value, a: Value, b: Value) -> Value {
        self.select(mask, a, b)
    }

    fn add_int(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().iadd(a, b)
    }

    fn sub_int(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().isub(a, b)
    }

    fn and_int(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().band(a, b)
    }

    fn shifted_left(&mut self, x: Value, by: u8) -> Value {
        let by = self.b.ins().iconst(types::I32, i64::from(by));
        self.b.ins().ishl(x, by)
    }

    fn shifted_right(&mut self, x: Value, by: u8) -> Value {
        let by = self.b.ins().iconst(types::I32, i64::from(by));
        self.b.ins().sshr(x, by)
    }

    fn is_nonzero(&mut self, x: Value) -> Value {
        self.nonzero(x)
    }

    fn real_bits(&mut self, x: Value) -> Value {
        let ty = self.int_type(self.lanes(x));
        self.bits(ty, x)
    }

    fn with_bits(&mut self, like: Value, bits: Value) -> Value {
        self.bits(self.type_of(like), bits)
    }

    fn flipped(&mut self, x: Value, bits: Value) -> Value {
        let ty = self.type_of(x);
        let x = self.real_bits(x);
        let flipped = self.b.ins().bxor(x, bits);
        self.bits(ty, flipped)
    }

    /// A call of the scalar function, in a branch.
    fn rarely(&mut self, mask: Value, symbol: &str, x: Value, usual: Value) -> Value {
        let ty = self.type_of(x);
        let (call, done) = (self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(done, ty);
        let any = if ty.is_vector() { self.b.ins().vany_true(mask) } else { mask };
        self.b.ins().brif(any, call, &[], done, &[usual.into()]);
        self.b.seal_block(call);
        self.b.set_cold_block(call);
        self.b.switch_to_block(call);
        let exact = self.called(symbol, DType::Real, &[x]);
        let value = self.select(mask, exact, usual);
        self.b.ins().jump(done, &[value.into()]);
        self.b.seal_block(done);
        self.b.switch_to_block(done);
        result
    }
}
