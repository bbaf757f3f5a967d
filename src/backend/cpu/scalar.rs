//! Functions that compiled loops call where no inline code exists.
//!
//! Each comes for one element and for a tile. A tile is the 64 bytes of one wide vector: 16 elements of 4 bytes or 8 of 8 bytes.
//! A function of tiles is handed a pointer to its operands, one tile after another, aligned to 64 bytes, and replaces the first
//! of them by its result. Lanes that a loop does not use hold any bits: they may be computed, and must not trap.

use super::tile;
use crate::backend::Precision;
use crate::base::op::{DType, UnaryOp};
use crate::base::special;

/// A function as compiled code sees it: its symbol, address and number of operands. All operands and the result have one type.
#[derive(Clone, Copy)]
pub struct Extern {
    pub name: &'static str,
    pub address: *const u8,
    /// Of the same function on every element of a tile, an [`OnTiles`]
    pub tile: *const u8,
    pub operands: usize,
}

/// A function of tiles.
pub type OnTiles = unsafe extern "C" fn(*mut u8);

/// The bytes of a tile.
pub const TILE: usize = 64;

/// The name, without its type, of the function that computes an operation; `None` where instructions do.
pub fn symbol(op: UnaryOp) -> Option<&'static str> {
    Some(match op {
        UnaryOp::Sin => "sin",
        UnaryOp::Cos => "cos",
        UnaryOp::ErfInv => "erfinv",
        UnaryOp::LogGamma => "lgamma",
        UnaryOp::Digamma => "digamma",
        UnaryOp::Trigamma => "trigamma",
        UnaryOp::Exp | UnaryOp::Expm1 | UnaryOp::Log | UnaryOp::Log1p | UnaryOp::Tanh | UnaryOp::Sigmoid => return None,
        UnaryOp::Softplus | UnaryOp::Erf => return None,
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Sqrt | UnaryOp::Recip => return None,
        UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => return None,
    })
}

/// Functions of one or two operands, in both precisions, from their meaning in f64.
macro_rules! externs {
    ($($single:ident $double:ident = |$($x:ident),+| $value:expr, $tiles:expr;)*) => {
        $(
            extern "C" fn $single($($x: f32),+) -> f32 {
                $(let $x = f64::from($x);)+
                $value as f32
            }
            extern "C" fn $double($($x: f64),+) -> f64 {
                $value
            }
        )*

        /// Every function of reals.
        const REALS: &[Extern] = &[$(
            extern_of(stringify!($single), $single as *const u8, $tiles[0], [$(stringify!($x)),+].len()),
            extern_of(stringify!($double), $double as *const u8, $tiles[1], [$(stringify!($x)),+].len()),
        )*];
    };
}

const fn extern_of(name: &'static str, address: *const u8, tile: OnTiles, operands: usize) -> Extern {
    Extern { name, address, tile: tile as *const u8, operands }
}

externs! {
    sin_f32 sin_f64 = |x| x.sin(), tile::SIN;
    cos_f32 cos_f64 = |x| x.cos(), tile::COS;
    erfinv_f32 erfinv_f64 = |x| special::erfinv(x), tile::ERFINV;
    lgamma_f32 lgamma_f64 = |x| special::lgamma(x), tile::LGAMMA;
    digamma_f32 digamma_f64 = |x| special::digamma(x), tile::DIGAMMA;
    trigamma_f32 trigamma_f64 = |x| special::trigamma(x), tile::TRIGAMMA;
    pow_f32 pow_f64 = |x, y| x.powf(y), tile::POW;
    rem_f32 rem_f64 = |x, y| remainder(x, y), tile::REM;
}

/// The remainder with the sign of the divisor.
pub fn remainder(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
}

/// Division towards −∞; by 0 the quotient is 0.
pub fn divided(x: i64, y: i64) -> i64 {
    if y == 0 {
        return 0;
    }
    let quotient = x.wrapping_div(y);
    if x.wrapping_rem(y) != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient }
}

/// What division towards −∞ leaves, with the sign of the divisor; the dividend where that is 0.
pub fn left(x: i64, y: i64) -> i64 {
    x.wrapping_sub(divided(x, y).wrapping_mul(y))
}

extern "C" fn div_i32(x: i32, y: i32) -> i32 {
    divided(x.into(), y.into()) as i32
}

extern "C" fn rem_i32(x: i32, y: i32) -> i32 {
    left(x.into(), y.into()) as i32
}

extern "C" fn div_i64(x: i64, y: i64) -> i64 {
    divided(x, y)
}

extern "C" fn rem_i64(x: i64, y: i64) -> i64 {
    left(x, y)
}

const INTEGERS: &[Extern] = &[
    extern_of("div_i32", div_i32 as *const u8, tile::DIV[0], 2),
    extern_of("div_i64", div_i64 as *const u8, tile::DIV[1], 2),
    extern_of("rem_i32", rem_i32 as *const u8, tile::INT_REM[0], 2),
    extern_of("rem_i64", rem_i64 as *const u8, tile::INT_REM[1], 2),
];

pub fn externs() -> impl Iterator<Item = &'static Extern> {
    REALS.iter().chain(INTEGERS)
}

/// The function of that name for elements of a type, and its number among [`externs`].
pub fn by_name(name: &str, dtype: DType, precision: Precision) -> Option<(usize, &'static Extern)> {
    let suffix = match (dtype, precision) {
        (DType::Real, Precision::F32) => "f32",
        (DType::Real, Precision::F64) => "f64",
        (DType::Int | DType::Bool, Precision::F32) => "i32",
        (DType::Int | DType::Bool, Precision::F64) => "i64",
    };
    externs().enumerate().find(|(_, function)| function.name.rsplit_once('_') == Some((name, suffix)))
}
