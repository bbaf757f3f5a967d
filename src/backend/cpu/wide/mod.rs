//! Loops as AVX-512 code: 16 elements of f32 or 8 of f64 at a time.
//!
//! The portable road through Cranelift has vectors of 128 bits. Where the processor has wider ones, loops are emitted here: without
//! loops over single elements, since what remains after whole vectors is done under a mask, and with instructions for exponents,
//! gathers and masks that narrow vectors lack. Both roads share the formulas of [`super::math`].
//!
//! - [`schedule`]: the axis along the lanes
//! - [`nest`], [`access`], [`reduce`], [`values`]: a loop and its operations as [`code`] over virtual registers; [`print`]: its text
//! - [`allocate`]: registers for values
//! - [`emit`], [`operands`], [`control`]: machine instructions; [`opcode`], [`assembler`]: their bytes

use super::jit::Outer;
use super::lanes::element_bytes;
use super::scalar::TILE;
use crate::backend::Precision;
use crate::kernel::Loop;
use allocate::Homes;
use schedule::Schedule;

mod access;
mod allocate;
mod assembler;
mod code;
mod control;
mod emit;
mod nest;
mod opcode;
mod operands;
mod print;
mod reduce;
mod schedule;
#[cfg(test)]
mod tests;
mod values;

/// The function of a loop.
pub struct Function {
    /// Position-independent, its constants behind it; to be placed at a multiple of 64
    pub bytes: Vec<u8>,
    /// The code before registers are given out, and the instructions, if asked for
    pub text: Option<(String, String)>,
    /// Of the divided axis; 1 if there is none
    pub turns: usize,
    /// Parts of the turns had best start at multiples of this
    pub multiple: usize,
}

/// Whether this processor runs what is emitted here.
pub fn is_supported() -> bool {
    #[cfg(all(target_arch = "x86_64", not(windows)))]
    {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(all(target_arch = "x86_64", not(windows))))]
    {
        false
    }
}

/// Compiles a loop, for ranges of turns of the parallel axis `outer`, or else of the outermost one. They may begin and end
/// anywhere. `None` if it is a loop that is not taken: with addresses beyond 2 GiB from a buffer's start.
pub fn compile(nest: &Loop, precision: Precision, outer: Option<Outer>, with_text: bool) -> Option<Function> {
    let schedule = Schedule::new(nest, TILE / element_bytes(precision) as usize, outer);
    let code = nest::build(nest, &schedule, precision)?;
    let homes = Homes::find(&code);
    let (bytes, machine) = emit::emit(&code, &homes, precision, with_text)?;
    let turns = schedule.divided.map_or(1, |axis| nest.axes[axis].extent);
    let along_lanes = schedule.vector.is_some_and(|position| schedule.divided == Some(schedule.order[position]));
    let multiple = if along_lanes { schedule.lanes * schedule.copies } else { 1 };
    let text = machine.map(|machine| (code.to_string(), machine));
    Some(Function { bytes, text, turns, multiple })
}
