//! Loops as AVX-512 code: 16 elements of f32 or 8 of f64 at a time.
//!
//! The portable road through Cranelift has vectors of 128 bits. Where the processor has wider ones, loops are emitted here: without
//! loops over single elements, since what remains after whole vectors is done under a mask, and with instructions for exponents,
//! gathers and masks that narrow vectors lack. Both roads share the formulas of [`super::math`].
//!
//! - [`schedule`]: the axis along the lanes
//! - [`nest`], [`values`]: a loop and its operations as [`code`] over virtual registers
//! - [`allocate`]: registers
//! - [`emit`], [`operands`], [`control`]: machine instructions; [`opcode`], [`assembler`]: their bytes

use super::lanes::element_bytes;
use super::scalar::TILE;
use crate::backend::Precision;
use crate::kernel::Loop;
use allocate::Homes;
use schedule::Schedule;
use std::fmt::Write;

mod allocate;
mod assembler;
mod code;
mod control;
mod emit;
mod nest;
mod opcode;
mod operands;
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
    /// Turns of the axis of which parts are run; 1 if there is no parallel one
    pub turns: usize,
    /// Parts of the turns start at multiples of this
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

/// Compiles a loop, for turns of that axis if one is given; `None` if it is one that is not taken: with addresses beyond 2 GiB from a buffer's start.
pub fn compile(nest: &Loop, precision: Precision, outer: Option<usize>, with_text: bool) -> Option<Function> {
    let schedule = Schedule::new(nest, TILE / element_bytes(precision) as usize, outer);
    let code = nest::build(nest, &schedule, precision)?;
    let homes = Homes::find(&code);
    let (bytes, machine) = emit::emit(&code, &homes, precision, with_text)?;
    let divided = schedule.order.get(schedule.divided).filter(|_| schedule.parallel > 0);
    let turns = divided.map_or(1, |&axis| nest.axes[axis].extent);
    let multiple = if divided.is_some() && schedule.vector == Some(schedule.divided) { schedule.lanes * schedule.copies } else { 1 };
    let text = machine.map(|machine| (listing(&code), machine));
    Some(Function { bytes, text, turns, multiple })
}

/// One item a line.
fn listing(code: &code::Code) -> String {
    code.items.iter().fold(String::new(), |mut text, item| {
        // Writing into a string does not fail
        let _ = writeln!(text, "{item:?}");
        text
    })
}
