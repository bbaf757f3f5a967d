//! The bytes of instructions, read back by a disassembler.

use super::assembler::{Assembler, Encoding, Extent, Gpr, Index, Masking, Operands, RAX, RBP, RBX, RDX, RSP, Rm};
use super::opcode::{Move, Op, Shape, accumulating, factor_last};
use crate::backend::Precision;
use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

const OPS: &[Op] = &[
    Op::Add,
    Op::Sub,
    Op::Mul,
    Op::Div,
    Op::Min,
    Op::Max,
    Op::Scale,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::IntAdd,
    Op::IntSub,
    Op::IntMul,
    Op::IntMin,
    Op::IntMax,
    Op::Rotate(3),
    Op::Sqrt,
    Op::Round(9),
    Op::Exponent,
    Op::Mantissa,
    Op::FromInt,
    Op::ToIntTruncated,
    Op::ToIntNearest,
    Op::IntAbs,
    Op::ShiftLeft(23),
    Op::ShiftRight(31),
    Op::MultiplyAdd,
    Op::Compare(0x1e),
    Op::IntCompare(6),
    Op::Test,
    Op::Class(0x0e),
    Op::Choose,
];

fn places() -> Vec<Rm> {
    let mut places = vec![Rm::Pool(0)];
    for base in [RAX, RBX, RSP, RBP, Gpr(12), Gpr(13)] {
        for index in [None, Some(Index { register: RDX, scale: 4 }), Some(Index { register: Gpr(9), scale: 8 })] {
            places.extend([0, 64, -128, 100, 8192, -100_000].map(|offset| Rm::Memory { base, index, offset }));
        }
    }
    places
}

fn decoded(bytes: &[u8]) -> Instruction {
    Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode()
}

fn general(register: Gpr) -> Register {
    const NAMES: [Register; 8] =
        [Register::RAX, Register::RCX, Register::RDX, Register::RBX, Register::RSP, Register::RBP, Register::RSI, Register::RDI];
    const LATE: [Register; 8] =
        [Register::R8, Register::R9, Register::R10, Register::R11, Register::R12, Register::R13, Register::R14, Register::R15];
    let number = usize::from(register.0);
    if number < 8 { NAMES[number] } else { LATE[number - 8] }
}

fn vector(number: u8) -> Register {
    Register::ZMM0 + u32::from(number)
}

/// An instruction reads back with the same name, registers, mask and address.
fn check(name: &str, encoding: Encoding, bytes_of_element: usize, operands: Operands, registers: &[Register]) {
    let mut assembler = Assembler::new(bytes_of_element, false);
    if let Rm::Pool(_) = operands.rm {
        assembler.constant(&[0; 64]);
    }
    assembler.evex(encoding, &operands);
    let len = assembler.bytes.len();
    let (bytes, _) = assembler.finish().expect("no labels");
    let found = decoded(&bytes);
    let title = format!("{name} {operands:?}: {:02x?}", &bytes[..len]);
    assert_eq!(format!("{:?}", found.mnemonic()).to_lowercase(), name, "{title}");
    assert_eq!((found.len(), found.zeroing_masking()), (len, operands.masking.zeroing), "{title}");
    let mask = if operands.masking.register == 0 { Register::None } else { Register::K0 + u32::from(operands.masking.register) };
    assert_eq!(found.op_mask(), mask, "{title}");
    let read: Vec<Register> =
        (0..found.op_count()).filter(|&at| found.op_kind(at) == OpKind::Register).map(|at| found.op_register(at)).collect();
    assert_eq!(read, registers, "{title}");
    match operands.rm {
        Rm::Register(_) => (),
        Rm::Pool(_) => assert_eq!(found.memory_displacement64(), 64, "{title}"),
        Rm::Memory { base, index, offset } => {
            let index = index.map_or((Register::None, 1), |index| (general(index.register), u32::from(index.scale)));
            assert_eq!(
                (found.memory_base(), found.memory_index(), found.memory_index_scale()),
                (general(base), index.0, index.1),
                "{title}"
            );
            assert_eq!(found.memory_displacement64() as i64, i64::from(offset), "{title}");
        }
        Rm::Lanes { base, index, scale, offset } => {
            assert_eq!((found.memory_base(), found.memory_index()), (general(base), vector(index)), "{title}");
            assert_eq!(
                (found.memory_index_scale(), found.memory_displacement64() as i64),
                (u32::from(scale), i64::from(offset)),
                "{title}"
            );
        }
    }
    assert_eq!(found.is_broadcast(), operands.extent == Extent::Broadcast && !matches!(operands.rm, Rm::Register(_)), "{title}");
}

fn check_op(op: Op, precision: Precision) {
    let (name, encoding) = op.encoding(precision);
    let bytes = if precision == Precision::F32 { 4 } else { 8 };
    let mut cases: Vec<(Rm, Extent)> = [3, 12, 17, 31].map(|register| (Rm::Register(register), Extent::Vector)).to_vec();
    cases.extend(places().into_iter().flat_map(|rm| [(rm, Extent::Vector), (rm, Extent::Broadcast)]));
    for (rm, extent) in cases {
        for number in [1, 9, 18, 30] {
            let is_mask = op.is_mask();
            let reg = if is_mask { number & 7 } else { number };
            let to = if is_mask { Register::K0 + u32::from(reg) } else { vector(reg) };
            let first = 31 - number;
            let masking = Masking { register: if is_mask { 0 } else { 1 + number % 7 }, zeroing: !is_mask && number > 9 };
            let plain = Operands { reg, first, rm, masking, extent, immediate: op.immediate() };
            let (operands, mut registers) = match op.shape() {
                Shape::Binary | Shape::Compare | Shape::Choose | Shape::MultiplyAdd => (plain, vec![to, vector(first)]),
                Shape::Unary | Shape::Class => (Operands { first: 0, ..plain }, vec![to]),
                Shape::Shift(extension) => (Operands { reg: extension, ..plain }, vec![vector(first)]),
                Shape::FromMask | Shape::Masks => return,
            };
            // `valign` of elements has no other forms here than those of registers
            if let Rm::Register(register) = rm {
                registers.push(vector(register));
            }
            check(name, encoding, bytes, operands, &registers);
            if op == Op::MultiplyAdd {
                for (name, encoding) in [accumulating(precision), factor_last(precision)] {
                    check(name, encoding, bytes, operands, &registers);
                }
            }
        }
    }
}

#[test]
fn vector_instructions_read_back() {
    for precision in [Precision::F32, Precision::F64] {
        OPS.iter().for_each(|&op| check_op(op, precision));
    }
}

#[test]
fn moves_read_back() {
    for (precision, element) in [(Precision::F32, 4), (Precision::F64, 8)] {
        for kind in [Move::Load, Move::Store, Move::Broadcast, Move::Gather, Move::Scatter, Move::StoreElement] {
            let (name, encoding) = kind.encoding(precision);
            let lanes = |base, offset| Rm::Lanes { base, index: 27, scale: element, offset };
            let (rms, extent) = match kind {
                Move::Load | Move::Store => (places(), Extent::Vector),
                Move::Broadcast | Move::StoreElement => (places(), Extent::Element),
                Move::Gather | Move::Scatter => (vec![lanes(RAX, 0), lanes(Gpr(13), 12), lanes(RBX, -4096)], Extent::Element),
                Move::Splat => continue,
            };
            for (number, rm) in rms.into_iter().enumerate() {
                let reg = [2, 11, 20, 29][number % 4];
                let is_masked = matches!(kind, Move::Gather | Move::Scatter | Move::Load);
                let masking = Masking { register: if is_masked { 7 } else { 0 }, zeroing: kind == Move::Load };
                let operands = Operands { reg, first: 0, rm, masking, extent, immediate: None };
                let register = if kind == Move::StoreElement { Register::XMM0 + u32::from(reg) } else { vector(reg) };
                check(name, encoding, usize::from(element), operands, &[register]);
            }
        }
    }
}

#[test]
fn general_instructions_read_back() {
    let mut assembler = Assembler::new(4, true);
    let place = Rm::Memory { base: RSP, index: None, offset: 200 };
    let far = Rm::Memory { base: Gpr(13), index: Some(Index { register: RDX, scale: 4 }), offset: 0 };
    assembler.push(Gpr(14));
    assembler.load(Gpr(9), far);
    assembler.store(place, RBP);
    assembler.store_number(place, -7);
    assembler.load_address(RAX, far);
    assembler.add_number(Rm::Register(12), 1000);
    assembler.and_number(Rm::Register(RSP.0), -64);
    assembler.sub_number(place, 1);
    assembler.compare_number(Rm::Register(RDX.0), 5);
    assembler.add(RAX, place);
    assembler.sub(RAX, Rm::Register(10));
    assembler.compare(RDX, place);
    assembler.multiply(RAX, Rm::Register(9), 24);
    assembler.number(RAX, 0x1234_5678_9abc);
    assembler.call(RAX);
    assembler.pop(Gpr(14));
    assembler.leave();
    let (bytes, text) = assembler.finish().expect("no labels");
    let mut decoder = Decoder::with_ip(64, &bytes, 0, DecoderOptions::NONE);
    let expected = text.unwrap_or_default();
    let names: Vec<&str> = expected.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let found: Vec<Instruction> = names.iter().map(|_| decoder.decode()).collect();
    let read: Vec<String> = found.iter().map(|instruction| format!("{:?}", instruction.mnemonic()).to_lowercase()).collect();
    assert_eq!(read, names);
    assert_eq!((found[0].op0_register(), found[1].op0_register(), found[1].memory_base()), (Register::R14, Register::R9, Register::R13));
    assert_eq!((found[2].op1_register(), found[2].memory_displacement64()), (Register::RBP, 200));
    assert_eq!((found[3].immediate(1) as i64, found[5].op0_register(), found[5].immediate(1)), (-7, Register::R12, 1000));
    assert_eq!((found[12].op1_register(), found[12].immediate(2)), (Register::R9, 24));
    assert_eq!((found[13].immediate(1), found[14].op0_register()), (0x1234_5678_9abc, Register::RAX));
}
