//! Virtual registers and control -> machine code.
//!
//! The function follows the System V convention. Its frame is aligned to vectors: tiles for calls, room for what is saved around
//! them, values that found no register, then counters, limits and pointers. `rdx` counts elements along the lanes, `rax` is scratch,
//! as are zmm30, zmm31 and k7; k1 is the mask of the tail.

use super::allocate::{Home, Homes, MASKS, VECTORS};
use super::assembler::{Assembler, Extent, Gpr, Index, Masking, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, Rm};
use super::code::{Access, Code, Item, Kind, Place, Value};
use super::control::Running;
use super::opcode::Move;
use crate::backend::Precision;
use crate::backend::cpu::lanes::element_bytes;
use crate::backend::cpu::scalar::TILE;

/// Registers that the convention lets a callee change only if it restores them.
const KEPT: [Gpr; 6] = [RBX, RBP, Gpr(12), Gpr(13), Gpr(14), Gpr(15)];
/// Registers for pointers; the table of buffers arrives in the last of them.
pub const POINTERS: [Gpr; 13] = [RBX, RBP, Gpr(12), Gpr(13), Gpr(14), Gpr(15), Gpr(8), Gpr(9), Gpr(10), Gpr(11), RCX, RSI, RDI];
pub const TAIL: u8 = 1;
pub const SCRATCH_MASK: u8 = 7;
pub const SCRATCH: u8 = VECTORS;
pub const SECOND_SCRATCH: u8 = VECTORS + 1;
/// Operands of a call
const MAX_OPERANDS: usize = 2;

/// Where things stand in the frame, in bytes from the stack pointer.
pub struct Frame {
    /// Vectors and masks that outlive a call
    pub saved: i32,
    /// Likewise the mask of the tail, a mask, and general registers
    pub kept: i32,
    slots: i32,
    mask_slots: i32,
    counters: i32,
    pointers: i32,
    pub begin: i32,
    pub end: i32,
    stack: i32,
    size: i32,
}

pub struct Emitter<'a> {
    pub a: Assembler,
    pub code: &'a Code,
    pub homes: &'a Homes,
    pub precision: Precision,
    pub frame: Frame,
    /// The register of each pointer that has one
    pub pointers: Vec<Option<Gpr>>,
    pub running: Vec<Option<Running>>,
}

/// An operand on the stack.
pub fn stack(offset: i32) -> Rm {
    Rm::Memory { base: RSP, index: None, offset }
}

impl Frame {
    fn new(code: &Code, homes: &Homes, loops: usize) -> Frame {
        let saved = (MAX_OPERANDS * TILE) as i32;
        let kept = saved + (usize::from(VECTORS) + MASKS.len()) as i32 * TILE as i32;
        let slots = kept + 2 * TILE as i32;
        let mask_slots = slots + (homes.vector_slots * TILE) as i32;
        let counters = mask_slots + 8 * homes.mask_slots as i32;
        let pointers = counters + 8 * loops as i32;
        let begin = pointers + 8 * code.pointers.len() as i32;
        Frame {
            saved,
            kept,
            slots,
            mask_slots,
            counters,
            pointers,
            begin,
            end: begin + 8,
            stack: begin + 16,
            size: (begin + 24).div_euclid(TILE as i32) * TILE as i32 + TILE as i32,
        }
    }
}

/// The bytes of a loop's function, and its text if asked for.
pub fn emit(code: &Code, homes: &Homes, precision: Precision, with_text: bool) -> Option<(Vec<u8>, Option<String>)> {
    let loops = code.items.iter().filter_map(Item::loop_number).max().map_or(0, |most| most + 1);
    let mut emitter = Emitter {
        a: Assembler::new(element_bytes(precision) as usize, with_text),
        code,
        homes,
        precision,
        frame: Frame::new(code, homes, loops),
        pointers: pointer_registers(code),
        running: (0..loops).map(|_| None).collect(),
    };
    emitter.enter();
    for (at, item) in code.items.iter().enumerate() {
        emitter.item(at, item);
    }
    emitter.leave();
    emitter.a.finish()
}

/// The first pointers that are used get registers.
fn pointer_registers(code: &Code) -> Vec<Option<Gpr>> {
    let mut registers = vec![None; code.pointers.len()];
    let mut free = POINTERS.into_iter();
    // Those that the most items use come first
    let uses = |pointer: usize| code.items.iter().filter(|item| item.place().is_some_and(|place| place.pointer == pointer)).count();
    let mut order: Vec<(usize, usize)> =
        (0..code.pointers.len()).map(|pointer| (uses(pointer), pointer)).filter(|&(uses, _)| uses > 0).collect();
    order.sort_by_key(|&(uses, pointer)| (std::cmp::Reverse(uses), pointer));
    for (_, pointer) in order {
        registers[pointer] = free.next();
    }
    registers
}

impl Emitter<'_> {
    fn enter(&mut self) {
        KEPT.into_iter().for_each(|register| self.a.push(register));
        self.a.load(RAX, Rm::Register(RSP.0));
        self.a.sub_number(Rm::Register(RSP.0), self.frame.size);
        self.a.and_number(Rm::Register(RSP.0), -(TILE as i32));
        self.a.store(stack(self.frame.stack), RAX);
        self.a.store(stack(self.frame.begin), RSI);
        self.a.store(stack(self.frame.end), RDX);
        // The table is in the register that is given out last
        let mut order: Vec<usize> = (0..self.pointers.len()).collect();
        order.sort_by_key(|&pointer| self.pointers[pointer] == Some(RDI));
        for pointer in order {
            let target = self.pointers[pointer].unwrap_or(RAX);
            match self.code.pointers[pointer] {
                Some(buffer) => self.a.load(target, Rm::Memory { base: RDI, index: None, offset: buffer as i32 * 8 }),
                None => self.a.store_number(Rm::Register(target.0), 0),
            }
            if self.pointers[pointer].is_none() {
                self.a.store(self.pointer_slot(pointer), RAX);
            }
        }
        for &value in &self.homes.loaded {
            if let Home::Register(register) = self.homes.of(value) {
                self.load_constant(value, register);
            }
        }
    }

    fn leave(&mut self) {
        self.a.load(RSP, stack(self.frame.stack));
        KEPT.into_iter().rev().for_each(|register| self.a.pop(register));
        self.a.leave();
    }

    fn item(&mut self, at: usize, item: &Item) {
        match item {
            Item::Compute { op, result, operands } => self.compute(*op, *result, operands),
            Item::Load { result, place, access, masked } => self.load(*result, *place, *access, *masked),
            Item::Number { result, place } => self.number(*result, *place),
            Item::Store { value, place, access, masked } => self.store(*value, *place, *access, *masked),
            Item::Assign { target, value, masked } => self.assign(*target, *value, *masked),
            Item::Call { result, function, operands } => self.call(at, *result, *function, operands),
            Item::Rarely { result, function, mask, operand, usual } => self.rarely(at, *result, *function, [*mask, *operand, *usual]),
            Item::Control(control) => self.control(*control),
        }
    }

    // Memory

    pub fn slot(&self, number: usize) -> Rm {
        stack(self.frame.slots + (number * TILE) as i32)
    }

    pub fn mask_slot(&self, number: usize) -> Rm {
        stack(self.frame.mask_slots + number as i32 * 8)
    }

    pub fn counter(&self, number: usize) -> Rm {
        stack(self.frame.counters + number as i32 * 8)
    }

    pub fn pointer_slot(&self, pointer: usize) -> Rm {
        stack(self.frame.pointers + pointer as i32 * 8)
    }

    /// A register with the value of a pointer.
    fn pointer(&mut self, pointer: usize) -> Gpr {
        self.pointers[pointer].unwrap_or_else(|| {
            self.a.load(RAX, self.pointer_slot(pointer));
            RAX
        })
    }

    fn element(&self) -> u8 {
        element_bytes(self.precision) as u8
    }

    /// The address of consecutive elements, from the first lane of a place on.
    pub fn dense(&mut self, place: Place) -> Rm {
        if place.stride != i32::from(self.element()) {
            self.first_lane(place);
            return Rm::Memory { base: RAX, index: None, offset: place.offset };
        }
        let index = Some(Index { register: RDX, scale: self.element() });
        Rm::Memory { base: self.pointer(place.pointer), index, offset: place.offset }
    }

    fn single(&mut self, place: Place) -> Rm {
        Rm::Memory { base: self.pointer(place.pointer), index: None, offset: place.offset }
    }

    /// `rax` at the first lane of a place, without its offset.
    fn first_lane(&mut self, place: Place) {
        self.a.multiply(RAX, Rm::Register(RDX.0), place.stride);
        let pointer = self.pointers[place.pointer].map_or_else(|| self.pointer_slot(place.pointer), |register| Rm::Register(register.0));
        self.a.add(RAX, pointer);
    }

    fn lanes(&mut self, place: Place, steps: Value) -> Rm {
        let index = self.vector(steps, SCRATCH);
        self.first_lane(place);
        Rm::Lanes { base: RAX, index, scale: self.element(), offset: place.offset }
    }

    /// The lanes that a gather or scatter is to visit, in the scratch mask, which it uses up.
    fn lane_mask(&mut self, masked: bool) -> Masking {
        if masked {
            self.copy_mask(SCRATCH_MASK, TAIL)
        } else {
            self.all_lanes(SCRATCH_MASK)
        }
        Masking { register: SCRATCH_MASK, zeroing: false }
    }

    fn load(&mut self, result: Value, place: Place, access: Access, masked: bool) {
        if let Home::Memory(_) | Home::Nowhere = self.homes.of(result) {
            return;
        }
        let to = self.target(result);
        match access {
            Access::Dense => {
                let masking = if masked { Masking { register: TAIL, zeroing: true } } else { Masking::default() };
                let from = self.dense(place);
                self.move_vector(Move::Load, to, from, masking, Extent::Vector);
            }
            // Nothing is loaded in parts but the lanes of the tail
            Access::Lanes(_) => (),
            Access::Single => {
                let from = self.single(place);
                self.move_vector(Move::Broadcast, to, from, Masking::default(), Extent::Element);
            }
            Access::Strided(steps) => {
                // The gather keeps lanes that it does not visit
                self.clear(to);
                let from = self.lanes(place, steps);
                let masking = self.lane_mask(masked);
                self.move_vector(Move::Gather, to, from, masking, Extent::Element);
            }
        }
        self.settle(result, to);
    }

    fn store(&mut self, value: Value, place: Place, access: Access, masked: bool) {
        let from = self.vector(value, SECOND_SCRATCH);
        match access {
            Access::Dense => {
                let masking = Masking { register: if masked { TAIL } else { 0 }, zeroing: false };
                let to = self.dense(place);
                self.move_vector(Move::Store, from, to, masking, Extent::Vector);
            }
            Access::Lanes(lanes) => {
                let mask = self.a.constant(&lanes.to_le_bytes());
                self.load_mask(SCRATCH_MASK, Rm::Pool(mask));
                let to = self.dense(place);
                self.move_vector(Move::Store, from, to, Masking { register: SCRATCH_MASK, zeroing: false }, Extent::Vector);
            }
            Access::Single => {
                let to = self.single(place);
                self.move_vector(Move::StoreElement, from, to, Masking::default(), Extent::Element);
            }
            Access::Strided(steps) => {
                let to = self.lanes(place, steps);
                let masking = self.lane_mask(masked);
                self.move_vector(Move::Scatter, from, to, masking, Extent::Element);
            }
        }
    }

    fn number(&mut self, result: Value, place: Place) {
        if place.stride != 0 {
            self.first_lane(place);
        } else {
            let pointer =
                self.pointers[place.pointer].map_or_else(|| self.pointer_slot(place.pointer), |register| Rm::Register(register.0));
            self.a.load(RAX, pointer);
        }
        if place.offset != 0 {
            self.a.add_number(Rm::Register(RAX.0), place.offset);
        }
        let to = self.target(result);
        self.move_vector(Move::Splat, to, Rm::Register(RAX.0), Masking::default(), Extent::Vector);
        self.settle(result, to);
    }

    /// A constant from the pool into a register.
    pub fn load_constant(&mut self, value: Value, to: u8) {
        let (from, extent) = self.pool(value);
        let kind = if extent == Extent::Vector { Move::Load } else { Move::Broadcast };
        self.move_vector(kind, to, from, Masking::default(), if extent == Extent::Vector { extent } else { Extent::Element });
    }

    /// Where a constant lies in the pool.
    pub fn pool(&mut self, value: Value) -> (Rm, Extent) {
        let bytes = usize::from(self.element());
        match &self.code.kinds[value.index()] {
            Kind::Lanes(lanes) => {
                let all: Vec<u8> = lanes.iter().flat_map(|lane| lane.to_le_bytes()[..bytes].to_vec()).collect();
                (Rm::Pool(self.a.constant(&all)), Extent::Vector)
            }
            Kind::Constant(bits) => (Rm::Pool(self.a.constant(&bits.to_le_bytes()[..bytes])), Extent::Broadcast),
            Kind::Vector | Kind::Mask => (Rm::Pool(0), Extent::Vector),
        }
    }
}
