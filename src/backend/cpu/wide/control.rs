//! The control of loops, mask registers, and calls, as machine code.

use super::assembler::{Condition, Encoding, Extent, Gpr, Label, Masking, Operands, RAX, RDI, RDX, Rm};
use super::code::{Control, Kind, Value};
use super::emit::{Emitter, POINTERS, SCRATCH, SCRATCH_MASK, TAIL, stack};
use super::opcode::{Move, Op, int_predicate};
use crate::backend::cpu::lanes::element_bytes;
use crate::backend::cpu::scalar::{TILE, externs};
use crate::base::op::CompareOp;

/// A loop that is being emitted: its first instruction, and what stands behind it.
#[derive(Clone, Copy)]
pub struct Running {
    head: Label,
    exit: Label,
    /// Of a loop over whole vectors; with no end to the last turn to run
    whole: Option<(usize, Option<usize>)>,
    /// Its body is run once
    once: bool,
}

/// Registers that a callee may change.
fn is_volatile(register: Gpr) -> bool {
    matches!(register.0, 0..=2 | 6..=11)
}

impl Emitter<'_> {
    pub fn control(&mut self, control: Control) {
        match control {
            Control::Start { number, turns } => self.start(number, turns),
            Control::Advance { pointer, by } => {
                let home = self.pointer_home(pointer);
                self.a.add_number(home, by as i32);
            }
            Control::Begin { pointer, by } => self.begin(pointer, by as i32),
            Control::Repeat { number } => {
                let Some(running) = self.running[number] else { return };
                self.a.sub_number(self.counter(number), 1);
                self.a.jump_if(Condition::NotEqual, running.head);
                self.a.bind(running.exit);
            }
            Control::First { at: Some(at) } => self.a.store_number(Rm::Register(RDX.0), at as i32),
            Control::First { at: None } => self.a.load(RDX, stack(self.frame.begin)),
            Control::Whole { number, step, end, once } => self.whole(number, step, end, once),
            Control::Rest { number, end, left } => self.rest(number, end, left),
            Control::Next { number, step } => self.next(number, step as i32),
        }
    }

    fn pointer_home(&self, pointer: usize) -> Rm {
        self.pointers[pointer].map_or_else(|| self.pointer_slot(pointer), |register| Rm::Register(register.0))
    }

    fn begin(&mut self, pointer: usize, by: i32) {
        self.a.multiply(RAX, stack(self.frame.begin), by);
        let home = self.pointer_home(pointer);
        self.a.add(RAX, home);
        self.a.store(home, RAX);
    }

    fn start(&mut self, number: usize, turns: Option<usize>) {
        let running = Running { head: self.a.label(), exit: self.a.label(), whole: None, once: false };
        match turns {
            Some(turns) => self.a.store_number(self.counter(number), turns as i32),
            None => {
                self.a.load(RAX, stack(self.frame.end));
                self.a.sub(RAX, stack(self.frame.begin));
                self.a.compare_number(Rm::Register(RAX.0), 0);
                self.a.jump_if(Condition::LessOrEqual, running.exit);
                self.a.store(self.counter(number), RAX);
            }
        }
        self.a.bind(running.head);
        self.running[number] = Some(running);
    }

    /// Compares the end of the next step with the end of the loop.
    fn compare_end(&mut self, step: usize, end: Option<usize>) {
        self.a.load_address(RAX, Rm::Memory { base: RDX, index: None, offset: step as i32 });
        match end {
            Some(end) => self.a.compare_number(Rm::Register(RAX.0), end as i32),
            None => self.a.compare(RAX, stack(self.frame.end)),
        }
    }

    fn whole(&mut self, number: usize, step: usize, end: Option<usize>, once: bool) {
        let running = Running { head: self.a.label(), exit: self.a.label(), whole: Some((step, end)), once };
        if end.is_none() {
            self.compare_end(step, end);
            self.a.jump_if(Condition::Greater, running.exit);
        }
        self.a.bind(running.head);
        self.running[number] = Some(running);
    }

    fn rest(&mut self, number: usize, end: Option<usize>, left: Option<usize>) {
        let running = Running { head: self.a.label(), exit: self.a.label(), whole: None, once: left.is_some() };
        self.a.bind(running.head);
        self.running[number] = Some(running);
        if let Some(left) = left {
            let mask = self.a.constant(&(((1u32 << left) - 1) as u16).to_le_bytes());
            return self.load_mask(TAIL, Rm::Pool(mask));
        }
        match end {
            Some(end) => self.a.store_number(Rm::Register(RAX.0), end as i32),
            None => self.a.load(RAX, stack(self.frame.end)),
        }
        self.a.sub(RAX, Rm::Register(RDX.0));
        self.a.compare_number(Rm::Register(RAX.0), 0);
        self.a.jump_if(Condition::LessOrEqual, running.exit);
        self.lanes_below_rax();
    }

    /// The mask of the tail: lanes whose number is below `rax`.
    fn lanes_below_rax(&mut self) {
        let bytes = element_bytes(self.precision) as usize;
        let numbers: Vec<u8> = (0..TILE / bytes).flat_map(|lane| (lane as u64).to_le_bytes()[..bytes].to_vec()).collect();
        let rm = Rm::Pool(self.a.constant(&numbers));
        self.move_vector(Move::Splat, SCRATCH, Rm::Register(RAX.0), Masking::default(), Extent::Vector);
        let op = Op::IntCompare(int_predicate(CompareOp::Gt));
        let (name, encoding) = op.encoding(self.precision);
        let masking = Masking::default();
        self.a.evex(encoding, &Operands { reg: TAIL, first: SCRATCH, rm, masking, extent: Extent::Vector, immediate: op.immediate() });
        self.a.note(|| format!("\t{name} k{TAIL}, zmm{SCRATCH}, {}", rm.text(|number| format!("zmm{number}"))));
    }

    fn next(&mut self, number: usize, step: i32) {
        let Some(running) = self.running[number] else { return };
        if !running.once || running.whole.is_some() {
            self.a.add_number(Rm::Register(RDX.0), step);
        }
        match running.whole {
            _ if running.once => (),
            Some((step, end)) => {
                self.compare_end(step, end);
                self.a.jump_if(Condition::LessOrEqual, running.head);
            }
            None => self.a.jump(running.head),
        }
        self.a.bind(running.exit);
    }

    // Mask registers

    fn mask_move(&mut self, opcode: u8, register: u8, rm: Rm) {
        self.a.vex(Encoding { prefix: 0, map: 1, w: false, opcode }, false, register, 0, rm);
        self.a.note(|| {
            let (mask, other) = (format!("k{register}"), rm.text(|number| format!("k{number}")));
            if opcode == 0x91 { format!("\tkmovw {other}, {mask}") } else { format!("\tkmovw {mask}, {other}") }
        });
    }

    pub fn load_mask(&mut self, to: u8, from: Rm) {
        self.mask_move(0x90, to, from);
    }

    pub fn store_mask(&mut self, to: Rm, from: u8) {
        self.mask_move(0x91, from, to);
    }

    pub fn copy_mask(&mut self, to: u8, from: u8) {
        self.mask_move(0x90, to, Rm::Register(from));
    }

    pub fn all_lanes(&mut self, register: u8) {
        self.a.vex(Encoding { prefix: 0, map: 1, w: false, opcode: 0x46 }, true, register, register, Rm::Register(register));
        self.a.note(|| format!("\tkxnorw k{register}, k{register}, k{register}"));
    }

    // Calls

    fn tile(number: usize) -> Rm {
        stack((number * TILE) as i32)
    }

    /// Runs `inside` with everything that is live kept in the frame.
    fn saving(&mut self, at: usize, inside: impl FnOnce(&mut Self)) {
        let live = self.homes.live_across(at);
        let saved = self.frame.saved;
        let place = |number: usize| stack(saved + (number * TILE) as i32);
        let places: Vec<(bool, u8, Rm)> = live
            .iter()
            .enumerate()
            .map(|(number, &(value, register))| (self.code.kinds[value.index()] == Kind::Mask, register, place(number)))
            .collect();
        let general: Vec<Gpr> = POINTERS
            .into_iter()
            .filter(|register| is_volatile(*register) && self.pointers.contains(&Some(*register)))
            .chain([RDX])
            .collect();
        let masks = self.frame.kept;
        self.store_mask(stack(masks), TAIL);
        for &(is_mask, register, place) in &places {
            if is_mask {
                self.store_mask(place, register)
            } else {
                self.move_vector(Move::Store, register, place, Masking::default(), Extent::Vector)
            }
        }
        for (number, &register) in general.iter().enumerate() {
            self.a.store(stack(masks + 16 + number as i32 * 8), register);
        }
        inside(self);
        for (number, &register) in general.iter().enumerate() {
            self.a.load(register, stack(masks + 16 + number as i32 * 8));
        }
        for &(is_mask, register, place) in &places {
            if is_mask {
                self.load_mask(register, place)
            } else {
                self.move_vector(Move::Load, register, place, Masking::default(), Extent::Vector)
            }
        }
        self.load_mask(TAIL, stack(masks));
    }

    fn call_function(&mut self, number: usize) {
        let address = externs().nth(number).map_or(0, |function| function.tile as i64);
        self.a.load_address(RDI, Self::tile(0));
        self.a.number(RAX, address);
        self.a.call(RAX);
    }

    pub fn call(&mut self, at: usize, result: Value, function: usize, operands: &[Value]) {
        for (number, &operand) in operands.iter().enumerate() {
            let from = self.vector(operand, SCRATCH);
            self.move_vector(Move::Store, from, Self::tile(number), Masking::default(), Extent::Vector);
        }
        self.saving(at, |this| this.call_function(function));
        let to = self.target(result);
        self.move_vector(Move::Load, to, Self::tile(0), Masking::default(), Extent::Vector);
        self.settle(result, to);
    }

    /// `[mask, operand, usual]`
    pub fn rarely(&mut self, at: usize, result: Value, function: usize, [mask, operand, usual]: [Value; 3]) {
        let to = self.target(result);
        let from = self.vector(usual, to);
        self.copy_vector(to, from);
        let register = self.mask(mask, SCRATCH_MASK);
        let done = self.a.label();
        self.a.vex(Encoding { prefix: 0, map: 1, w: false, opcode: 0x98 }, false, register, 0, Rm::Register(register));
        self.a.note(|| format!("\tkortestw k{register}, k{register}"));
        self.a.jump_if(Condition::Equal, done);
        let from = self.vector(operand, SCRATCH);
        self.move_vector(Move::Store, from, Self::tile(0), Masking::default(), Extent::Vector);
        // The tile behind the operand keeps the mask and the usual values
        let (kept, kept_mask) = (Self::tile(1), stack(self.frame.kept + 8));
        self.move_vector(Move::Store, to, kept, Masking::default(), Extent::Vector);
        self.store_mask(kept_mask, register);
        self.saving(at, |this| this.call_function(function));
        self.load_mask(SCRATCH_MASK, kept_mask);
        self.move_vector(Move::Load, to, kept, Masking::default(), Extent::Vector);
        let masking = Masking { register: SCRATCH_MASK, zeroing: false };
        self.move_vector(Move::Load, to, Self::tile(0), masking, Extent::Vector);
        self.a.bind(done);
        self.settle(result, to);
    }
}
