//! Scalar instructions on one element or on a vector of them: what the type of the operands says.
//!
//! `Real` is a float, `Int` an integer of the same width, `Bool` a mask: in vectors all bits of a lane, else 0 or 1 in 8 bits.

use super::scalar::{binary_symbol, externs, unary_symbol};
use crate::backend::Precision;
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use cranelift::codegen::ir::{ConstantData, Endianness, FuncRef};
use cranelift::prelude::*;
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Module};
use std::collections::HashMap;

/// Emits instructions into one function.
pub struct Emit<'f> {
    pub b: FunctionBuilder<'f>,
    pub precision: Precision,
    /// The machine has fused multiply-add
    pub fma: bool,
    pub module: &'f mut JITModule,
    pub externs: &'f HashMap<&'static str, FuncId>,
    pub imported: HashMap<FuncId, FuncRef>,
}

/// Elements in a vector of 128 bits.
pub fn vector_lanes(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 4,
        Precision::F64 => 2,
    }
}

pub fn element_bytes(precision: Precision) -> i64 {
    match precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    }
}

impl Emit<'_> {
    // Types

    fn vector_of(&self, scalar: Type, lanes: usize) -> Type {
        scalar.by(lanes as u32).unwrap_or(scalar)
    }

    pub fn real(&self, lanes: usize) -> Type {
        self.vector_of(if self.precision == Precision::F32 { types::F32 } else { types::F64 }, lanes)
    }

    pub fn int(&self, lanes: usize) -> Type {
        self.vector_of(if self.precision == Precision::F32 { types::I32 } else { types::I64 }, lanes)
    }

    /// The type of values in registers.
    pub fn ty(&self, dtype: DType, lanes: usize) -> Type {
        match dtype {
            DType::Real => self.real(lanes),
            DType::Int => self.int(lanes),
            DType::Bool if lanes == 1 => types::I8,
            DType::Bool => self.int(lanes),
        }
    }

    pub fn type_of(&self, x: Value) -> Type {
        self.b.func.dfg.value_type(x)
    }

    pub fn lanes(&self, x: Value) -> usize {
        self.type_of(x).lane_count() as usize
    }

    // Constants

    /// A float or an integer in every lane.
    pub fn number(&mut self, ty: Type, value: f64) -> Value {
        let lane = ty.lane_type();
        if ty.is_vector() {
            let bytes: Vec<u8> = match lane {
                types::F32 => (value as f32).to_le_bytes().to_vec(),
                types::F64 => value.to_le_bytes().to_vec(),
                types::I32 => (value as i64 as i32).to_le_bytes().to_vec(),
                _ => (value as i64).to_le_bytes().to_vec(),
            };
            return self.vector(ty, bytes.repeat(ty.lane_count() as usize));
        }
        match lane {
            types::F32 => self.b.ins().f32const(value as f32),
            types::F64 => self.b.ins().f64const(value),
            types::I32 => self.b.ins().iconst(lane, i64::from(value as i64 as i32)),
            _ => self.b.ins().iconst(lane, value as i64),
        }
    }

    fn vector(&mut self, ty: Type, bytes: Vec<u8>) -> Value {
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(bytes));
        self.b.ins().vconst(ty, constant)
    }

    /// 0, step, 2 step, … as integers
    pub fn counting(&mut self, lanes: usize, step: i64) -> Value {
        let ty = self.int(lanes);
        let count = |lane: usize| lane as i64 * step;
        let bytes = match self.precision {
            Precision::F32 => (0..lanes).flat_map(|lane| (count(lane) as i32).to_le_bytes()).collect(),
            Precision::F64 => (0..lanes).flat_map(|lane| count(lane).to_le_bytes()).collect(),
        };
        self.vector(ty, bytes)
    }

    pub fn constant(&mut self, dtype: DType, lanes: usize, value: f64) -> Value {
        let ty = self.ty(dtype, lanes);
        match dtype {
            DType::Bool if value != 0.0 && lanes > 1 => self.number(ty, -1.0),
            DType::Bool | DType::Real | DType::Int => self.number(ty, value),
        }
    }

    /// A scalar in every lane.
    pub fn splat(&mut self, dtype: DType, x: Value, lanes: usize) -> Value {
        let ty = self.ty(dtype, lanes);
        let x = if dtype == DType::Bool { self.mask_bits(x) } else { x };
        self.b.ins().splat(ty, x)
    }

    /// 0 or all ones in an integer, from a scalar mask.
    fn mask_bits(&mut self, mask: Value) -> Value {
        let ty = self.int(1);
        let wide = self.b.ins().uextend(ty, mask);
        self.b.ins().ineg(wide)
    }

    /// One lane of a vector, as a scalar.
    pub fn lane(&mut self, dtype: DType, x: Value, lane: usize) -> Value {
        let element = self.b.ins().extractlane(x, lane as u8);
        if dtype == DType::Bool { self.nonzero(element) } else { element }
    }

    fn nonzero(&mut self, x: Value) -> Value {
        let zero = self.number(self.type_of(x), 0.0);
        self.b.ins().icmp(IntCC::NotEqual, x, zero)
    }

    // Memory

    /// Loads `lanes` elements that lie `stride` apart.
    pub fn load(&mut self, dtype: DType, lanes: usize, address: Value, offset: i64, stride: i64) -> Value {
        let bytes = element_bytes(self.precision);
        let held = if dtype == DType::Real { self.real(1) } else { self.int(1) };
        let value = if lanes == 1 || stride == 1 {
            let ty = self.vector_of(held, lanes);
            self.load_at(ty, address, offset * bytes)
        } else {
            let first = self.load_at(held, address, offset * bytes);
            let mut value = self.b.ins().splat(held.by(lanes as u32).unwrap_or(held), first);
            for lane in 1..lanes {
                let element = self.load_at(held, address, (offset + lane as i64 * stride) * bytes);
                value = self.b.ins().insertlane(value, element, lane as u8);
            }
            value
        };
        if dtype == DType::Bool { self.nonzero(value) } else { value }
    }

    pub fn store(&mut self, dtype: DType, value: Value, address: Value, offset: i64, stride: i64) {
        let bytes = element_bytes(self.precision);
        let lanes = self.lanes(value);
        let value = if dtype == DType::Bool { self.as_int(value) } else { value };
        if lanes == 1 || stride == 1 {
            return self.store_at(value, address, offset * bytes);
        }
        for lane in 0..lanes {
            let element = self.b.ins().extractlane(value, lane as u8);
            self.store_at(element, address, (offset + lane as i64 * stride) * bytes);
        }
    }

    fn displaced(&mut self, address: Value, offset: i64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) => (address, offset),
            Err(_) => {
                let far = self.b.ins().iconst(types::I64, offset);
                (self.b.ins().iadd(address, far), 0)
            }
        }
    }

    fn load_at(&mut self, ty: Type, address: Value, offset: i64) -> Value {
        let (address, offset) = self.displaced(address, offset);
        self.b.ins().load(ty, MemFlagsData::new().with_notrap(), address, offset)
    }

    fn store_at(&mut self, value: Value, address: Value, offset: i64) {
        let (address, offset) = self.displaced(address, offset);
        self.b.ins().store(MemFlagsData::new().with_notrap(), value, address, offset);
    }

    // Masks

    /// A mask as integers 0 and 1.
    fn as_int(&mut self, mask: Value) -> Value {
        match self.lanes(mask) {
            1 => {
                let ty = self.int(1);
                self.b.ins().uextend(ty, mask)
            }
            lanes => {
                let one = self.number(self.int(lanes), 1.0);
                self.b.ins().band(mask, one)
            }
        }
    }

    pub fn not(&mut self, mask: Value) -> Value {
        if self.type_of(mask).is_vector() {
            return self.b.ins().bnot(mask);
        }
        let one = self.b.ins().iconst(types::I8, 1);
        self.b.ins().bxor(mask, one)
    }

    pub fn bits(&mut self, ty: Type, x: Value) -> Value {
        if self.type_of(x) == ty {
            return x;
        }
        self.b.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), x)
    }

    pub fn select(&mut self, mask: Value, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        if !ty.is_vector() {
            return self.b.ins().select(mask, a, b);
        }
        let mask = self.bits(ty, mask);
        self.b.ins().bitselect(mask, a, b)
    }

    pub fn fcmp(&mut self, op: FloatCC, a: Value, b: Value) -> Value {
        self.b.ins().fcmp(op, a, b)
    }

    // Operations

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
            _ if self.precision == Precision::F32 => self.inline_f32(op, x),
            _ => self.called(unary_symbol(op).unwrap_or("exp"), DType::Real, &[x]),
        }
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
            BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Pow => self.called(binary_symbol(op).unwrap_or("rem"), dtype, &[a, b]),
        }
    }

    /// `a` where it compares so with `b` or is NaN, else `b`.
    fn extreme(&mut self, op: CompareOp, dtype: DType, a: Value, b: Value) -> Value {
        let mut first = self.compare(op, dtype, a, b);
        if dtype == DType::Real {
            let nan = self.fcmp(FloatCC::Unordered, a, a);
            first = self.b.ins().bor(first, nan);
        }
        self.select(first, a, b)
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
                let ty = self.int(lanes);
                self.converted(ty, x, |emit, ty, x| emit.b.ins().fcvt_to_sint_sat(ty, x))
            }
            (DType::Int, DType::Real) => {
                let ty = self.real(lanes);
                self.converted(ty, x, |emit, ty, x| emit.b.ins().fcvt_from_sint(ty, x))
            }
            (DType::Bool, DType::Int) => self.as_int(x),
            (DType::Bool, DType::Real) => {
                let ty = self.real(lanes);
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
        let suffix = match (dtype, self.precision) {
            (DType::Real, Precision::F32) => "f32",
            (DType::Real, Precision::F64) => "f64",
            (_, Precision::F32) => "i32",
            (_, Precision::F64) => "i64",
        };
        let name = format!("{symbol}_{suffix}");
        let Some(function) = externs().find(|function| function.name == name) else { return args[0] };
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
