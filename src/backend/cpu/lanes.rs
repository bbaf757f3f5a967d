//! Values in registers, one element or a vector of them as their type says: constants, loads and stores, masks.
//!
//! `Real` is a float, `Int` an integer of the same width, `Bool` a mask: in vectors all bits of a lane, else 0 or 1 in 8 bits.

use crate::backend::Precision;
use crate::base::op::DType;
use cranelift::codegen::ir::{ConstantData, Endianness, FuncRef};
use cranelift::prelude::*;
use cranelift_jit::JITModule;
use cranelift_module::FuncId;
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

    pub fn real_type(&self, lanes: usize) -> Type {
        self.vector_of(if self.precision == Precision::F32 { types::F32 } else { types::F64 }, lanes)
    }

    pub fn int_type(&self, lanes: usize) -> Type {
        self.vector_of(if self.precision == Precision::F32 { types::I32 } else { types::I64 }, lanes)
    }

    /// The type of values in registers.
    pub fn ty(&self, dtype: DType, lanes: usize) -> Type {
        match dtype {
            DType::Real => self.real_type(lanes),
            DType::Int => self.int_type(lanes),
            DType::Bool if lanes == 1 => types::I8,
            DType::Bool => self.int_type(lanes),
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
        let ty = self.int_type(lanes);
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
        let ty = self.int_type(1);
        let wide = self.b.ins().uextend(ty, mask);
        self.b.ins().ineg(wide)
    }

    /// One lane of a vector, as a scalar.
    pub fn lane(&mut self, dtype: DType, x: Value, lane: usize) -> Value {
        let element = self.b.ins().extractlane(x, lane as u8);
        if dtype == DType::Bool { self.nonzero(element) } else { element }
    }

    pub fn nonzero(&mut self, x: Value) -> Value {
        let zero = self.number(self.type_of(x), 0.0);
        self.b.ins().icmp(IntCC::NotEqual, x, zero)
    }

    // Memory

    /// Loads `lanes` elements that lie `stride` apart.
    pub fn load(&mut self, dtype: DType, lanes: usize, address: Value, offset: i64, stride: i64) -> Value {
        let bytes = element_bytes(self.precision);
        let held = if dtype == DType::Real { self.real_type(1) } else { self.int_type(1) };
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
    pub fn as_int(&mut self, mask: Value) -> Value {
        match self.lanes(mask) {
            1 => {
                let ty = self.int_type(1);
                self.b.ins().uextend(ty, mask)
            }
            lanes => {
                let one = self.number(self.int_type(lanes), 1.0);
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
}
