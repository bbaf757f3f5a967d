//! Values as operands of instructions: in registers, or in memory where an instruction can read them there.

use super::allocate::Home;
use super::assembler::{Encoding, Extent, Masking, Operands, Rm};
use super::code::Value;
use super::emit::{Emitter, SCRATCH, SCRATCH_MASK, SECOND_SCRATCH, TAIL};
use super::opcode::{Move, Op, Shape, accumulating, factor_last};

impl Emitter<'_> {
    /// The vector register with a value, which is loaded into `scratch` if it has none.
    pub fn vector(&mut self, value: Value, scratch: u8) -> u8 {
        match self.homes.of(value) {
            Home::Register(register) => return register,
            Home::Pool => self.load_constant(value, scratch),
            Home::Slot(number) => self.move_vector(Move::Load, scratch, self.slot(number), Masking::default(), Extent::Vector),
            Home::Memory(place) => {
                let from = self.dense(place);
                self.move_vector(Move::Load, scratch, from, Masking::default(), Extent::Vector);
            }
            Home::Nowhere => (),
        }
        scratch
    }

    /// A value as last operand.
    fn last(&mut self, value: Value) -> (Rm, Extent) {
        match self.homes.of(value) {
            Home::Register(register) => (Rm::Register(register), Extent::Vector),
            Home::Pool => self.pool(value),
            Home::Slot(number) => (self.slot(number), Extent::Vector),
            Home::Memory(place) => (self.dense(place), Extent::Vector),
            Home::Nowhere => (Rm::Register(SCRATCH), Extent::Vector),
        }
    }

    fn in_register(&self, value: Value) -> bool {
        matches!(self.homes.of(value), Home::Register(_))
    }

    /// The mask register with a value.
    pub fn mask(&mut self, value: Value, scratch: u8) -> u8 {
        match self.homes.of(value) {
            Home::Register(register) => register,
            Home::Slot(number) => {
                self.load_mask(scratch, self.mask_slot(number));
                scratch
            }
            Home::Pool | Home::Memory(_) | Home::Nowhere => scratch,
        }
    }

    /// The register that an instruction is to write for a value.
    pub fn target(&self, value: Value) -> u8 {
        match self.homes.of(value) {
            Home::Register(register) => register,
            Home::Slot(_) | Home::Pool | Home::Memory(_) | Home::Nowhere => SECOND_SCRATCH,
        }
    }

    /// Writes a vector that was computed to where it lives.
    pub fn settle(&mut self, value: Value, register: u8) {
        if let Home::Slot(number) = self.homes.of(value) {
            self.move_vector(Move::Store, register, self.slot(number), Masking::default(), Extent::Vector);
        }
    }

    fn mask_target(&self, value: Value) -> u8 {
        match self.homes.of(value) {
            Home::Register(register) => register,
            Home::Slot(_) | Home::Pool | Home::Memory(_) | Home::Nowhere => SCRATCH_MASK,
        }
    }

    fn settle_mask(&mut self, value: Value, register: u8) {
        if let Home::Slot(number) = self.homes.of(value) {
            self.store_mask(self.mask_slot(number), register);
        }
    }

    pub fn compute(&mut self, op: Op, result: Value, operands: &[Value]) {
        let (name, encoding) = op.encoding(self.precision);
        let immediate = op.immediate();
        let plain = Operands { reg: 0, first: 0, rm: Rm::Register(0), masking: Masking::default(), extent: Extent::Vector, immediate };
        match (op.shape(), operands) {
            (Shape::Binary | Shape::Compare, &[a, b]) => {
                let exchange = op.commutes() && !self.in_register(a) && self.in_register(b);
                let (a, b) = if exchange { (b, a) } else { (a, b) };
                let first = self.vector(a, SCRATCH);
                let (rm, extent) = if a == b { (Rm::Register(first), Extent::Vector) } else { self.broadcastable(op, b) };
                self.write(name, encoding, result, op, Operands { first, rm, extent, ..plain });
            }
            (Shape::Unary | Shape::Class, &[x]) => {
                let (rm, extent) = self.last(x);
                self.write(name, encoding, result, op, Operands { rm, extent, ..plain });
            }
            (Shape::Shift(extension), &[x]) => {
                let (rm, extent) = self.last(x);
                let to = self.target(result);
                self.vector_instruction(name, encoding, Operands { reg: extension, first: to, rm, extent, ..plain });
                self.settle(result, to);
            }
            (Shape::Choose, &[mask, a, b]) => {
                let register = self.mask(mask, SCRATCH_MASK);
                let first = self.vector(b, SCRATCH);
                let (rm, extent) = if a == b { (Rm::Register(first), Extent::Vector) } else { self.last(a) };
                self.write(
                    name,
                    encoding,
                    result,
                    op,
                    Operands { first, rm, extent, masking: Masking { register, zeroing: false }, ..plain },
                );
            }
            (Shape::Pick, &[a, lanes, b]) => {
                // The result overwrites the first table, and must not be one of the others before they are read
                let first = self.vector(lanes, SCRATCH);
                let from = self.vector(a, SECOND_SCRATCH);
                self.copy_vector(SECOND_SCRATCH, from);
                let (rm, extent) = self.last(b);
                self.vector_instruction(name, encoding, Operands { reg: SECOND_SCRATCH, first, rm, extent, ..plain });
                let to = self.target(result);
                self.copy_vector(to, SECOND_SCRATCH);
                self.settle(result, to);
            }
            (Shape::FromMask, &[mask]) => {
                let rm = Rm::Register(self.mask(mask, SCRATCH_MASK));
                self.write(name, encoding, result, op, Operands { rm, ..plain });
            }
            (Shape::MultiplyAdd, &[a, b, c]) => self.multiply_add(result, [a, b, c]),
            (Shape::Masks, masks) => self.masks(name, encoding, result, masks),
            _ => (),
        }
    }

    /// A last operand of instructions that repeat one element in all lanes, or do not.
    fn broadcastable(&mut self, op: Op, value: Value) -> (Rm, Extent) {
        match op {
            Op::Rotate(_) => (Rm::Register(self.vector(value, SECOND_SCRATCH)), Extent::Vector),
            _ => self.last(value),
        }
    }

    /// An instruction whose result stands in ModRM.reg.
    fn write(&mut self, name: &str, encoding: Encoding, result: Value, op: Op, operands: Operands) {
        if op.is_mask() {
            let to = self.mask_target(result);
            self.vector_instruction_to(name, encoding, Operands { reg: to, ..operands }, "k");
            self.settle_mask(result, to);
        } else {
            let to = self.target(result);
            self.vector_instruction(name, encoding, Operands { reg: to, ..operands });
            self.settle(result, to);
        }
    }

    /// a b + c: the result overwrites one operand, and one of the others may lie in memory.
    fn multiply_add(&mut self, result: Value, [a, b, c]: [Value; 3]) {
        let to = self.target(result);
        // The factor in memory, if one is, comes last
        let (a, b) = if self.in_register(a) || !self.in_register(b) { (a, b) } else { (b, a) };
        let plain =
            Operands { reg: to, first: 0, rm: Rm::Register(0), masking: Masking::default(), extent: Extent::Vector, immediate: None };
        let is_target = |this: &Self, value: Value| this.homes.of(value) == Home::Register(to);
        let ((name, encoding), first, (rm, extent)) = if is_target(self, c) {
            let first = self.vector(a, SCRATCH);
            (accumulating(self.precision), first, self.last(b))
        } else if is_target(self, b) {
            let first = self.vector(a, SCRATCH);
            (Op::MultiplyAdd.encoding(self.precision), first, self.last(c))
        } else {
            if !is_target(self, a) {
                let from = self.vector(a, to);
                self.copy_vector(to, from);
            }
            if self.in_register(b) || a == b || !self.in_register(c) {
                let first = if a == b { to } else { self.vector(b, SCRATCH) };
                (Op::MultiplyAdd.encoding(self.precision), first, self.last(c))
            } else {
                let first = self.vector(c, SCRATCH);
                (factor_last(self.precision), first, self.last(b))
            }
        };
        self.vector_instruction(name, encoding, Operands { first, rm, extent, ..plain });
        self.settle(result, to);
    }

    fn masks(&mut self, name: &str, encoding: Encoding, result: Value, masks: &[Value]) {
        let to = self.mask_target(result);
        let (first, last) = match *masks {
            [a, b] => (self.mask(a, 0), self.mask(b, SCRATCH_MASK)),
            [a] => (0, self.mask(a, SCRATCH_MASK)),
            _ => return,
        };
        self.a.vex(encoding, masks.len() == 2, to, first, Rm::Register(last));
        self.a.note(|| if masks.len() == 2 { format!("\t{name} k{to}, k{first}, k{last}") } else { format!("\t{name} k{to}, k{last}") });
        self.settle_mask(result, to);
    }

    /// Overwrites the register of a value.
    pub fn assign(&mut self, target: Value, value: Value, masked: bool) {
        let masking = Masking { register: if masked { TAIL } else { 0 }, zeroing: false };
        match self.homes.of(target) {
            Home::Register(to) if masked => {
                let from = self.vector(value, SCRATCH);
                self.move_vector(Move::Load, to, Rm::Register(from), masking, Extent::Vector);
            }
            Home::Register(to) => {
                let from = self.vector(value, to);
                self.copy_vector(to, from);
            }
            Home::Slot(number) => {
                let from = self.vector(value, SCRATCH);
                self.move_vector(Move::Store, from, self.slot(number), masking, Extent::Vector);
            }
            Home::Pool | Home::Memory(_) | Home::Nowhere => (),
        }
    }

    // Instructions

    pub fn copy_vector(&mut self, to: u8, from: u8) {
        if to != from {
            self.move_vector(Move::Load, to, Rm::Register(from), Masking::default(), Extent::Vector);
        }
    }

    pub fn clear(&mut self, register: u8) {
        let (name, encoding) = Op::Xor.encoding(self.precision);
        let rm = Rm::Register(register);
        let masking = Masking::default();
        self.vector_instruction(
            name,
            encoding,
            Operands { reg: register, first: register, rm, masking, extent: Extent::Vector, immediate: None },
        );
    }

    pub fn move_vector(&mut self, kind: Move, register: u8, rm: Rm, masking: Masking, extent: Extent) {
        let (name, encoding) = kind.encoding(self.precision);
        self.a.evex(encoding, &Operands { reg: register, first: 0, rm, masking, extent, immediate: None });
        self.a.note(|| {
            let other = rm.text(|number| if kind == Move::Splat { format!("r{number}") } else { format!("zmm{number}") });
            let mask = mask_text(masking);
            match kind {
                Move::Store | Move::Scatter | Move::StoreElement => format!("\t{name} {other}{mask}, zmm{register}"),
                Move::Load | Move::Broadcast | Move::Splat | Move::Gather => format!("\t{name} zmm{register}{mask}, {other}"),
            }
        });
    }

    fn vector_instruction(&mut self, name: &str, encoding: Encoding, operands: Operands) {
        self.vector_instruction_to(name, encoding, operands, "zmm");
    }

    fn vector_instruction_to(&mut self, name: &str, encoding: Encoding, operands: Operands, class: &str) {
        self.a.evex(encoding, &operands);
        self.a.note(|| {
            let Operands { reg, first, rm, masking, extent, immediate } = operands;
            let mut last = rm.text(|number| format!("zmm{number}"));
            if extent == Extent::Broadcast {
                last.push_str(if encoding.w { "{1to8}" } else { "{1to16}" });
            }
            let immediate = immediate.map_or(String::new(), |immediate| format!(", {immediate}"));
            format!("\t{name} {class}{reg}{}, zmm{first}, {last}{immediate}", mask_text(masking))
        });
    }
}

fn mask_text(masking: Masking) -> String {
    let zeroing = if masking.zeroing { "{z}" } else { "" };
    if masking.register == 0 { String::new() } else { format!("{{k{}}}{zeroing}", masking.register) }
}
