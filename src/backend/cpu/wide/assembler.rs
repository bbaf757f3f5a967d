//! Machine code of x86-64 with AVX-512: instructions as bytes, labels, and a pool of constants behind the code.
//!
//! Encodings after the Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, sections 2.3 (VEX) and 2.7 (EVEX).

use std::fmt::Display;

/// A general register, by its number in encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gpr(pub u8);

pub const RAX: Gpr = Gpr(0);
pub const RCX: Gpr = Gpr(1);
pub const RDX: Gpr = Gpr(2);
pub const RBX: Gpr = Gpr(3);
pub const RSP: Gpr = Gpr(4);
pub const RBP: Gpr = Gpr(5);
pub const RSI: Gpr = Gpr(6);
pub const RDI: Gpr = Gpr(7);

/// A general register times a scale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Index {
    pub register: Gpr,
    pub scale: u8,
}

/// The last operand of an instruction, which may lie in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rm {
    /// A vector, mask or general register
    Register(u8),
    Memory {
        base: Gpr,
        index: Option<Index>,
        offset: i32,
    },
    /// One address a lane: `base + offset + index[lane] · scale`
    Lanes {
        base: Gpr,
        index: u8,
        scale: u8,
        offset: i32,
    },
    /// At that byte of the pool
    Pool(usize),
}

/// How much of memory an instruction reads, by which short offsets are scaled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    Vector,
    /// One element, repeated in every lane by the operand
    Broadcast,
    /// One element, or one at a time
    Element,
}

/// The opcode of an instruction: prefix (0, 0x66, 0xf3, 0xf2 as 0 to 3), map (0x0f, 0x0f38, 0x0f3a as 1 to 3), W and opcode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoding {
    pub prefix: u8,
    pub map: u8,
    pub w: bool,
    pub opcode: u8,
}

/// The writemask of an instruction: k0 for none; lanes that are off keep what they have, or become zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Masking {
    pub register: u8,
    pub zeroing: bool,
}

/// The operands of an EVEX instruction.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// In ModRM.reg: a register, or the extension of the opcode
    pub reg: u8,
    /// In EVEX.vvvv
    pub first: u8,
    pub rm: Rm,
    pub masking: Masking,
    pub extent: Extent,
    pub immediate: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label(usize);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    Equal = 4,
    NotEqual = 5,
    LessOrEqual = 14,
    Greater = 15,
}

pub struct Assembler {
    pub bytes: Vec<u8>,
    /// One line an instruction, if asked for
    pub text: Option<String>,
    element: usize,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
    pool: Vec<u8>,
    /// Where an offset stands that reaches into the pool, what of the pool, and how many bytes of the instruction follow it
    references: Vec<(usize, usize, usize)>,
}

impl Assembler {
    /// For elements of that many bytes.
    pub fn new(element: usize, with_text: bool) -> Assembler {
        Assembler {
            bytes: vec![],
            text: with_text.then(String::new),
            element,
            labels: vec![],
            jumps: vec![],
            pool: vec![],
            references: vec![],
        }
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            text.push_str(&line());
            text.push('\n');
        }
    }

    /// Puts bytes into the pool, once.
    pub fn constant(&mut self, bytes: &[u8]) -> usize {
        let known = self.pool.chunks_exact(bytes.len()).position(|chunk| chunk == bytes);
        known.map_or_else(
            || {
                self.pool.resize(self.pool.len().next_multiple_of(bytes.len()), 0);
                self.pool.extend_from_slice(bytes);
                self.pool.len() - bytes.len()
            },
            |at| at * bytes.len(),
        )
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some(self.bytes.len());
        self.note(|| format!("L{}:", label.0));
    }

    /// The code with its pool, all offsets filled in. `None` if a label is nowhere.
    pub fn finish(mut self) -> Option<(Vec<u8>, Option<String>)> {
        for (at, label) in std::mem::take(&mut self.jumps) {
            let target = self.labels[label.0]?;
            self.patch(at, target as i64 - at as i64 - 4);
        }
        let pool = self.bytes.len().next_multiple_of(64);
        self.bytes.resize(pool, 0xcc);
        for (at, place, behind) in std::mem::take(&mut self.references) {
            self.patch(at, (pool + place) as i64 - (at + 4 + behind) as i64);
        }
        self.bytes.extend_from_slice(&self.pool);
        Some((self.bytes, self.text))
    }

    fn patch(&mut self, at: usize, offset: i64) {
        self.bytes[at..at + 4].copy_from_slice(&(offset as i32).to_le_bytes());
    }

    // Vectors

    /// An EVEX instruction on 512 bits.
    pub fn evex(&mut self, encoding: Encoding, operands: &Operands) {
        let Operands { reg, first, rm, masking, extent, immediate } = *operands;
        // X and B extend a register as bits 4 and 3, an address as those of index and base
        let (x, b, high) = match rm {
            Rm::Register(register) => (register >> 4 & 1, register >> 3 & 1, first >> 4 & 1),
            Rm::Memory { base, index, .. } => (index.map_or(0, |index| index.register.0 >> 3), base.0 >> 3, first >> 4 & 1),
            Rm::Lanes { base, index, .. } => (index >> 3 & 1, base.0 >> 3, index >> 4 & 1),
            Rm::Pool(_) => (0, 0, first >> 4 & 1),
        };
        let inverted = |bit: u8, place: u8| (bit & 1 ^ 1) << place;
        let broadcast = u8::from(extent == Extent::Broadcast && !matches!(rm, Rm::Register(_)));
        self.bytes.extend([
            0x62,
            inverted(reg >> 3, 7) | inverted(x, 6) | inverted(b, 5) | inverted(reg >> 4, 4) | encoding.map,
            u8::from(encoding.w) << 7 | (!first & 15) << 3 | 4 | encoding.prefix,
            u8::from(masking.zeroing) << 7 | 0x40 | broadcast << 4 | inverted(high, 3) | masking.register,
            encoding.opcode,
        ]);
        let unit = if extent == Extent::Vector { 64 } else { self.element as i32 };
        self.address(reg, rm, unit, usize::from(immediate.is_some()));
        self.bytes.extend(immediate);
    }

    /// A VEX instruction, of mask registers.
    pub fn vex(&mut self, encoding: Encoding, long: bool, reg: u8, first: u8, rm: Rm) {
        let b = match rm {
            Rm::Register(register) => register >> 3,
            Rm::Memory { base, .. } | Rm::Lanes { base, .. } => base.0 >> 3,
            Rm::Pool(_) => 0,
        };
        self.bytes.extend([
            0xc4,
            (reg >> 3 & 1 ^ 1) << 7 | 0x40 | (b & 1 ^ 1) << 5 | encoding.map,
            u8::from(encoding.w) << 7 | (!first & 15) << 3 | u8::from(long) << 2 | encoding.prefix,
            encoding.opcode,
        ]);
        self.address(reg, rm, 1, 0);
    }

    /// ModRM, SIB and offset. Short offsets count in `unit`; `behind` bytes of the instruction follow.
    fn address(&mut self, reg: u8, rm: Rm, unit: i32, behind: usize) {
        let reg = (reg & 7) << 3;
        let (base, index, offset) = match rm {
            Rm::Register(register) => return self.bytes.push(0xc0 | reg | register & 7),
            Rm::Pool(place) => {
                self.bytes.push(reg | 5);
                self.references.push((self.bytes.len(), place, behind));
                return self.bytes.extend([0; 4]);
            }
            Rm::Memory { base, index, offset } => (base, index.map(|index| (index.register.0, index.scale)), offset),
            Rm::Lanes { base, index, scale, offset } => (base, Some((index, scale)), offset),
        };
        let short = (offset % unit == 0).then(|| i8::try_from(offset / unit).ok()).flatten();
        let mode = match short {
            Some(0) if base.0 & 7 != 5 => 0,
            Some(_) => 0x40,
            None => 0x80,
        };
        // The stack pointer as base needs the longer form
        let long = index.is_some() || base.0 & 7 == 4;
        self.bytes.push(mode | reg | if long { 4 } else { base.0 & 7 });
        if long {
            let (index, scale) = index.unwrap_or((4, 1));
            self.bytes.push((scale.trailing_zeros() as u8) << 6 | (index & 7) << 3 | base.0 & 7);
        }
        match (mode, short) {
            (0, _) => (),
            (0x40, Some(short)) => self.bytes.push(short as u8),
            _ => self.bytes.extend(offset.to_le_bytes()),
        }
    }

    // General registers, 64 bits

    fn general(&mut self, opcode: &[u8], reg: u8, rm: Rm, behind: usize) {
        let (x, b) = match rm {
            Rm::Register(register) => (0, register >> 3),
            Rm::Memory { base, index, .. } => (index.map_or(0, |index| index.register.0 >> 3), base.0 >> 3),
            Rm::Lanes { base, .. } => (0, base.0 >> 3),
            Rm::Pool(_) => (0, 0),
        };
        self.bytes.push(0x48 | (reg >> 3) << 2 | x << 1 | b);
        self.bytes.extend_from_slice(opcode);
        self.address(reg, rm, 1, behind);
    }

    pub fn load(&mut self, to: Gpr, from: Rm) {
        self.general(&[0x8b], to.0, from, 0);
        self.note(|| format!("\tmov {}, {}", to.text(), from.general_text()));
    }

    pub fn store(&mut self, to: Rm, from: Gpr) {
        self.general(&[0x89], from.0, to, 0);
        self.note(|| format!("\tmov {}, {}", to.general_text(), from.text()));
    }

    pub fn store_number(&mut self, to: Rm, value: i32) {
        self.general(&[0xc7], 0, to, 4);
        self.bytes.extend(value.to_le_bytes());
        self.note(|| format!("\tmov qword ptr {}, {value}", to.general_text()));
    }

    pub fn load_address(&mut self, to: Gpr, from: Rm) {
        self.general(&[0x8d], to.0, from, 0);
        self.note(|| format!("\tlea {}, {}", to.text(), from.general_text()));
    }

    /// One of add, and, sub, cmp with a number.
    fn with_number(&mut self, name: &str, extension: u8, to: Rm, value: i32) {
        self.general(&[0x81], extension, to, 4);
        self.bytes.extend(value.to_le_bytes());
        self.note(|| format!("\t{name} {}, {value}", to.general_text()));
    }

    pub fn add_number(&mut self, to: Rm, value: i32) {
        self.with_number("add", 0, to, value);
    }

    pub fn and_number(&mut self, to: Rm, value: i32) {
        self.with_number("and", 4, to, value);
    }

    pub fn sub_number(&mut self, to: Rm, value: i32) {
        self.with_number("sub", 5, to, value);
    }

    pub fn compare_number(&mut self, to: Rm, value: i32) {
        self.with_number("cmp", 7, to, value);
    }

    fn with_operand(&mut self, name: &str, opcode: u8, to: Gpr, from: Rm) {
        self.general(&[opcode], to.0, from, 0);
        self.note(|| format!("\t{name} {}, {}", to.text(), from.general_text()));
    }

    pub fn add(&mut self, to: Gpr, from: Rm) {
        self.with_operand("add", 0x03, to, from);
    }

    pub fn sub(&mut self, to: Gpr, from: Rm) {
        self.with_operand("sub", 0x2b, to, from);
    }

    pub fn compare(&mut self, to: Gpr, from: Rm) {
        self.with_operand("cmp", 0x3b, to, from);
    }

    pub fn multiply(&mut self, to: Gpr, from: Rm, by: i32) {
        self.general(&[0x69], to.0, from, 4);
        self.bytes.extend(by.to_le_bytes());
        self.note(|| format!("\timul {}, {}, {by}", to.text(), from.general_text()));
    }

    pub fn number(&mut self, to: Gpr, value: i64) {
        self.bytes.extend([0x48 | to.0 >> 3, 0xb8 | to.0 & 7]);
        self.bytes.extend(value.to_le_bytes());
        self.note(|| format!("\tmov {}, {value}", to.text()));
    }

    pub fn push(&mut self, register: Gpr) {
        self.bytes.extend([0x40 | register.0 >> 3, 0x50 | register.0 & 7]);
        self.note(|| format!("\tpush {}", register.text()));
    }

    pub fn pop(&mut self, register: Gpr) {
        self.bytes.extend([0x40 | register.0 >> 3, 0x58 | register.0 & 7]);
        self.note(|| format!("\tpop {}", register.text()));
    }

    pub fn call(&mut self, register: Gpr) {
        self.bytes.extend([0x40 | register.0 >> 3, 0xff, 0xd0 | register.0 & 7]);
        self.note(|| format!("\tcall {}", register.text()));
    }

    pub fn jump(&mut self, to: Label) {
        self.bytes.push(0xe9);
        self.target(to);
        self.note(|| format!("\tjmp L{}", to.0));
    }

    pub fn jump_if(&mut self, condition: Condition, to: Label) {
        self.bytes.extend([0x0f, 0x80 | condition as u8]);
        self.target(to);
        self.note(|| format!("\tj{} L{}", format!("{condition:?}").to_lowercase(), to.0));
    }

    fn target(&mut self, to: Label) {
        self.jumps.push((self.bytes.len(), to));
        self.bytes.extend([0; 4]);
    }

    /// Clears the upper halves of vectors, which code for older processors expects, and returns.
    pub fn leave(&mut self) {
        self.zero_upper();
        self.bytes.push(0xc3);
        self.note(|| "\tret".into());
    }

    pub fn zero_upper(&mut self) {
        self.bytes.extend([0xc5, 0xf8, 0x77]);
        self.note(|| "\tvzeroupper".into());
    }
}

impl Gpr {
    pub fn text(self) -> String {
        const NAMES: [&str; 8] = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
        NAMES.get(usize::from(self.0)).map_or_else(|| format!("r{}", self.0), |name| (*name).to_string())
    }
}

impl Rm {
    /// As an operand, with the name of registers of its kind.
    pub fn text(self, register: impl Fn(u8) -> String) -> String {
        let place = |base: Gpr, index: Option<String>, offset: i32| {
            let index = index.map_or(String::new(), |index| format!(" + {index}"));
            let offset =
                if offset == 0 { String::new() } else { format!(" {} {}", if offset < 0 { '-' } else { '+' }, offset.unsigned_abs()) };
            format!("[{}{index}{offset}]", base.text())
        };
        let scaled = |index: &dyn Display, scale: u8| format!("{index} * {scale}");
        match self {
            Rm::Register(number) => register(number),
            Rm::Memory { base, index, offset } => place(base, index.map(|i| scaled(&i.register.text(), i.scale)), offset),
            Rm::Lanes { base, index, scale, offset } => place(base, Some(scaled(&format_args!("zmm{index}"), scale)), offset),
            Rm::Pool(at) => format!("[pool + {at}]"),
        }
    }

    fn general_text(self) -> String {
        self.text(|number| Gpr(number).text())
    }
}
