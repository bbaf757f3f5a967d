//! The vector instructions of wide loops: what each computes, and how it is encoded for elements of 32 and of 64 bits.

use super::assembler::Encoding;
use crate::backend::Precision;
use crate::base::op::CompareOp;

/// An instruction on every lane. Operands and results are vectors unless said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    /// The second operand if either is NaN
    Min,
    /// Likewise
    Max,
    /// a 2^⌊b⌋
    Scale,
    And,
    Or,
    Xor,
    IntAdd,
    IntSub,
    IntMul,
    IntMin,
    IntMax,
    /// Lane i of the result is lane i + n of the operand, around
    Rotate(u8),
    /// Numbers of lanes, x: those lanes of x
    Permute,
    /// a, numbers of lanes, b: those lanes of a and, counted on behind them, of b
    Pick,
    Sqrt,
    /// To an integer, by the rounding mode of `vrndscale`
    Round(u8),
    /// ⌊log₂ |x|⌋, as a real
    Exponent,
    /// x 2^−Exponent(x) in [1, 2); NaN of negative numbers
    Mantissa,
    FromInt,
    ToIntTruncated,
    ToIntNearest,
    IntAbs,
    ShiftLeft(u8),
    /// Keeps the sign
    ShiftRight(u8),
    /// a b + c, rounded once
    MultiplyAdd,
    /// Mask of a comparison of reals, by its predicate
    Compare(u8),
    /// Mask of a comparison of integers, by its predicate
    IntCompare(u8),
    /// Mask of where a & b has a bit set
    Test,
    /// Mask of the classes of reals that are listed in the bits of `vfpclass`
    Class(u8),
    /// Mask, a, b: a where the mask is set, else b
    Choose,
    /// All bits of a lane
    FromMask,
    MaskAnd,
    MaskOr,
    MaskXor,
    MaskNot,
}

/// How operands stand in an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// result = a, b; b may lie in memory
    Binary,
    /// result = a; it may lie in memory
    Unary,
    /// The result in vvvv, the number in ModRM.reg extends the opcode
    Shift(u8),
    MultiplyAdd,
    /// As `Binary`, the result a mask
    Compare,
    /// As `Unary`, the result a mask
    Class,
    Choose,
    /// The result overwrites the first operand; the last may lie in memory
    Pick,
    FromMask,
    Masks,
}

impl Op {
    pub fn shape(self) -> Shape {
        match self {
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Min | Op::Max | Op::Scale => Shape::Binary,
            Op::And | Op::Or | Op::Xor | Op::IntAdd | Op::IntSub | Op::IntMul | Op::IntMin | Op::IntMax => Shape::Binary,
            Op::Rotate(_) | Op::Permute => Shape::Binary,
            Op::Pick => Shape::Pick,
            Op::Sqrt | Op::Round(_) | Op::Exponent | Op::Mantissa | Op::FromInt | Op::ToIntTruncated | Op::ToIntNearest => Shape::Unary,
            Op::IntAbs => Shape::Unary,
            Op::ShiftLeft(_) => Shape::Shift(6),
            Op::ShiftRight(_) => Shape::Shift(4),
            Op::MultiplyAdd => Shape::MultiplyAdd,
            Op::Compare(_) | Op::IntCompare(_) | Op::Test => Shape::Compare,
            Op::Class(_) => Shape::Class,
            Op::Choose => Shape::Choose,
            Op::FromMask => Shape::FromMask,
            Op::MaskAnd | Op::MaskOr | Op::MaskXor | Op::MaskNot => Shape::Masks,
        }
    }

    /// Whether the result is a mask.
    pub fn is_mask(self) -> bool {
        matches!(self.shape(), Shape::Compare | Shape::Class | Shape::Masks)
    }

    /// Whether a and b may change places.
    pub fn commutes(self) -> bool {
        matches!(self, Op::Add | Op::Mul | Op::And | Op::Or | Op::Xor | Op::IntAdd | Op::IntMul | Op::IntMin | Op::IntMax | Op::Test)
    }

    pub fn immediate(self) -> Option<u8> {
        match self {
            Op::Rotate(n) | Op::Round(n) | Op::ShiftLeft(n) | Op::ShiftRight(n) => Some(n),
            Op::Compare(n) | Op::IntCompare(n) | Op::Class(n) => Some(n),
            // The interval [1, 2), and NaN of negative numbers but +1 of −0
            Op::Mantissa => Some(0b1100),
            Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Min | Op::Max | Op::Scale | Op::And | Op::Or | Op::Xor => None,
            Op::IntAdd | Op::IntSub | Op::IntMul | Op::IntMin | Op::IntMax | Op::Sqrt | Op::Exponent | Op::FromInt => None,
            Op::ToIntTruncated | Op::ToIntNearest | Op::IntAbs | Op::MultiplyAdd | Op::Test | Op::Choose | Op::FromMask => None,
            Op::Permute | Op::Pick => None,
            Op::MaskAnd | Op::MaskOr | Op::MaskXor | Op::MaskNot => None,
        }
    }

    /// The mnemonic and the encoding.
    pub fn encoding(self, precision: Precision) -> (&'static str, Encoding) {
        let double = precision == Precision::F64;
        // In map 0x0f the prefix tells single from double precision
        let real = |names: [&'static str; 2], opcode| {
            (names[usize::from(double)], Encoding { prefix: u8::from(double), map: 1, w: double, opcode })
        };
        let sized = |names: [&'static str; 2], map, opcode| (names[usize::from(double)], Encoding { prefix: 1, map, w: double, opcode });
        let pair = |single: (&'static str, [u8; 3]), pair: (&'static str, [u8; 3])| {
            let (name, [prefix, map, opcode]) = if double { pair } else { single };
            (name, Encoding { prefix, map, w: double, opcode })
        };
        let mask = |name, opcode| (name, Encoding { prefix: 0, map: 1, w: false, opcode });
        match self {
            Op::Add => real(["vaddps", "vaddpd"], 0x58),
            Op::Sub => real(["vsubps", "vsubpd"], 0x5c),
            Op::Mul => real(["vmulps", "vmulpd"], 0x59),
            Op::Div => real(["vdivps", "vdivpd"], 0x5e),
            Op::Min => real(["vminps", "vminpd"], 0x5d),
            Op::Max => real(["vmaxps", "vmaxpd"], 0x5f),
            Op::Sqrt => real(["vsqrtps", "vsqrtpd"], 0x51),
            Op::Scale => sized(["vscalefps", "vscalefpd"], 2, 0x2c),
            Op::And => sized(["vpandd", "vpandq"], 1, 0xdb),
            Op::Or => sized(["vpord", "vporq"], 1, 0xeb),
            Op::Xor => sized(["vpxord", "vpxorq"], 1, 0xef),
            Op::IntAdd => pair(("vpaddd", [1, 1, 0xfe]), ("vpaddq", [1, 1, 0xd4])),
            Op::IntSub => pair(("vpsubd", [1, 1, 0xfa]), ("vpsubq", [1, 1, 0xfb])),
            Op::IntMul => sized(["vpmulld", "vpmullq"], 2, 0x40),
            Op::IntMin => sized(["vpminsd", "vpminsq"], 2, 0x39),
            Op::IntMax => sized(["vpmaxsd", "vpmaxsq"], 2, 0x3d),
            Op::Rotate(_) => sized(["valignd", "valignq"], 3, 0x03),
            Op::Permute => sized(["vpermps", "vpermpd"], 2, 0x16),
            Op::Pick => sized(["vpermt2ps", "vpermt2pd"], 2, 0x7f),
            Op::Round(_) => pair(("vrndscaleps", [1, 3, 0x08]), ("vrndscalepd", [1, 3, 0x09])),
            Op::Exponent => sized(["vgetexpps", "vgetexppd"], 2, 0x42),
            Op::Mantissa => sized(["vgetmantps", "vgetmantpd"], 3, 0x26),
            Op::FromInt => pair(("vcvtdq2ps", [0, 1, 0x5b]), ("vcvtqq2pd", [2, 1, 0xe6])),
            Op::ToIntTruncated => pair(("vcvttps2dq", [2, 1, 0x5b]), ("vcvttpd2qq", [1, 1, 0x7a])),
            Op::ToIntNearest => pair(("vcvtps2dq", [1, 1, 0x5b]), ("vcvtpd2qq", [1, 1, 0x7b])),
            Op::IntAbs => pair(("vpabsd", [1, 2, 0x1e]), ("vpabsq", [1, 2, 0x1f])),
            Op::ShiftLeft(_) => pair(("vpslld", [1, 1, 0x72]), ("vpsllq", [1, 1, 0x73])),
            Op::ShiftRight(_) => sized(["vpsrad", "vpsraq"], 1, 0x72),
            Op::MultiplyAdd => sized(["vfmadd213ps", "vfmadd213pd"], 2, 0xa8),
            Op::Compare(_) => real(["vcmpps", "vcmppd"], 0xc2),
            Op::IntCompare(_) => sized(["vpcmpd", "vpcmpq"], 3, 0x1f),
            Op::Test => sized(["vptestmd", "vptestmq"], 2, 0x27),
            Op::Class(_) => sized(["vfpclassps", "vfpclasspd"], 3, 0x66),
            Op::Choose => sized(["vblendmps", "vblendmpd"], 2, 0x65),
            Op::FromMask => pair(("vpmovm2d", [2, 2, 0x38]), ("vpmovm2q", [2, 2, 0x38])),
            Op::MaskAnd => mask("kandw", 0x41),
            Op::MaskOr => mask("korw", 0x45),
            Op::MaskXor => mask("kxorw", 0x47),
            Op::MaskNot => mask("knotw", 0x44),
        }
    }
}

/// The encoding of [`Op::MultiplyAdd`] that overwrites the addend (a b + c -> c), where 213 overwrites a factor (a b + c -> a).
pub fn accumulating(precision: Precision) -> (&'static str, Encoding) {
    let (_, encoding) = Op::MultiplyAdd.encoding(precision);
    (if encoding.w { "vfmadd231pd" } else { "vfmadd231ps" }, Encoding { opcode: 0xb8, ..encoding })
}

/// The encoding of [`Op::MultiplyAdd`] whose last operand is a factor (a b + c -> a, with c in front of b).
pub fn factor_last(precision: Precision) -> (&'static str, Encoding) {
    let (_, encoding) = Op::MultiplyAdd.encoding(precision);
    (if encoding.w { "vfmadd132pd" } else { "vfmadd132ps" }, Encoding { opcode: 0x98, ..encoding })
}

/// Moves between registers and memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    Load,
    Store,
    /// One element to every lane
    Broadcast,
    /// A general register to every lane
    Splat,
    Gather,
    Scatter,
    /// The first lane
    StoreElement,
}

impl Move {
    pub fn encoding(self, precision: Precision) -> (&'static str, Encoding) {
        let double = precision == Precision::F64;
        let prefix = u8::from(double);
        let (names, prefix, map, opcode): ([&'static str; 2], u8, u8, u8) = match self {
            Move::Load => (["vmovups", "vmovupd"], prefix, 1, 0x10),
            Move::Store => (["vmovups", "vmovupd"], prefix, 1, 0x11),
            Move::Broadcast => (["vbroadcastss", "vbroadcastsd"], 1, 2, 0x18 + prefix),
            Move::Splat => (["vpbroadcastd", "vpbroadcastq"], 1, 2, 0x7c),
            Move::Gather => (["vgatherdps", "vgatherqpd"], 1, 2, 0x92 + prefix),
            Move::Scatter => (["vscatterdps", "vscatterqpd"], 1, 2, 0xa2 + prefix),
            Move::StoreElement => (["vmovss", "vmovsd"], 2 + prefix, 1, 0x11),
        };
        (names[usize::from(double)], Encoding { prefix, map, w: double, opcode })
    }
}

/// The predicate of `vcmp`: false for NaN, except of `Ne`.
pub fn predicate(op: CompareOp) -> u8 {
    match op {
        CompareOp::Eq => 0x00,
        CompareOp::Ne => 0x04,
        CompareOp::Lt => 0x11,
        CompareOp::Le => 0x12,
        CompareOp::Gt => 0x1e,
        CompareOp::Ge => 0x1d,
    }
}

/// The predicate of `vpcmp`.
pub fn int_predicate(op: CompareOp) -> u8 {
    match op {
        CompareOp::Eq => 0,
        CompareOp::Ne => 4,
        CompareOp::Lt => 1,
        CompareOp::Le => 2,
        CompareOp::Gt => 6,
        CompareOp::Ge => 5,
    }
}
