//! Functions that compiled loops call where no inline code exists: rare functions, and all of them in f64.
//!
//! Each comes for one element and for a tile. A tile is the 64 bytes of one wide vector: 16 elements of 4 bytes or 8 of 8 bytes.
//! A function of tiles is handed a pointer to its operands, one tile after another, aligned to 64 bytes, and replaces the first
//! of them by its result. Lanes that a loop does not use hold any bits: they may be computed, and must not trap.

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
        UnaryOp::Exp => "exp",
        UnaryOp::Expm1 => "expm1",
        UnaryOp::Log => "log",
        UnaryOp::Log1p => "log1p",
        UnaryOp::Sin => "sin",
        UnaryOp::Cos => "cos",
        UnaryOp::Tanh => "tanh",
        UnaryOp::Sigmoid => "sigmoid",
        UnaryOp::Softplus => "softplus",
        UnaryOp::Erf => "erf",
        UnaryOp::ErfInv => "erfinv",
        UnaryOp::LogGamma => "lgamma",
        UnaryOp::Digamma => "digamma",
        UnaryOp::Trigamma => "trigamma",
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Sqrt | UnaryOp::Recip => return None,
        UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => return None,
    })
}

/// The function of tiles behind a function of one type's elements.
macro_rules! on_tiles {
    ($function:ident($($x:ident),+): $element:ty) => {{
        unsafe extern "C" fn tile(operands: *mut u8) {
            const LANES: usize = TILE / size_of::<$element>();
            let operands = operands.cast::<$element>();
            for lane in 0..LANES {
                let mut place = lane;
                // SAFETY: a tile for each operand lies behind the pointer, aligned and owned by the caller.
                $(let $x = unsafe { *operands.add(place) }; place += LANES;)+
                let _ = place;
                // SAFETY: likewise.
                unsafe { *operands.add(lane) = $function($($x),+) };
            }
        }
        tile as OnTiles as *const u8
    }};
}

/// Functions of one or two operands, in both precisions, from their meaning in f64.
macro_rules! externs {
    ($($single:ident $double:ident = |$($x:ident),+| $value:expr;)*) => {
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
            Extern { name: stringify!($single), address: $single as *const u8, tile: on_tiles!($single($($x),+): f32), operands: [$(stringify!($x)),+].len() },
            Extern { name: stringify!($double), address: $double as *const u8, tile: on_tiles!($double($($x),+): f64), operands: [$(stringify!($x)),+].len() },
        )*];
    };
}

externs! {
    exp_f32 exp_f64 = |x| x.exp();
    expm1_f32 expm1_f64 = |x| x.exp_m1();
    log_f32 log_f64 = |x| x.ln();
    log1p_f32 log1p_f64 = |x| x.ln_1p();
    sin_f32 sin_f64 = |x| x.sin();
    cos_f32 cos_f64 = |x| x.cos();
    tanh_f32 tanh_f64 = |x| x.tanh();
    sigmoid_f32 sigmoid_f64 = |x| special::sigmoid(x);
    softplus_f32 softplus_f64 = |x| special::softplus(x);
    erf_f32 erf_f64 = |x| special::erf(x);
    erfinv_f32 erfinv_f64 = |x| special::erfinv(x);
    lgamma_f32 lgamma_f64 = |x| special::lgamma(x);
    digamma_f32 digamma_f64 = |x| special::digamma(x);
    trigamma_f32 trigamma_f64 = |x| special::trigamma(x);
    pow_f32 pow_f64 = |x, y| x.powf(y);
    rem_f32 rem_f64 = |x, y| remainder(x, y);
}

/// The remainder with the sign of the divisor.
fn remainder(x: f64, y: f64) -> f64 {
    let r = x % y;
    if r != 0.0 && (r < 0.0) != (y < 0.0) { r + y } else { r }
}

/// Division of integers towards −∞, and its remainder; by 0 the quotient is 0.
macro_rules! integers {
    ($($int:ty: $div:ident $rem:ident;)*) => {
        $(
            extern "C" fn $div(x: $int, y: $int) -> $int {
                if y == 0 { return 0; }
                let quotient = x.wrapping_div(y);
                if x.wrapping_rem(y) != 0 && (x < 0) != (y < 0) { quotient - 1 } else { quotient }
            }
            extern "C" fn $rem(x: $int, y: $int) -> $int {
                if y == 0 { return x; }
                let r = x.wrapping_rem(y);
                if r != 0 && (r < 0) != (y < 0) { r + y } else { r }
            }
        )*

        const INTEGERS: &[Extern] = &[$(
            Extern { name: stringify!($div), address: $div as *const u8, tile: on_tiles!($div(x, y): $int), operands: 2 },
            Extern { name: stringify!($rem), address: $rem as *const u8, tile: on_tiles!($rem(x, y): $int), operands: 2 },
        )*];
    };
}

integers! {
    i32: div_i32 rem_i32;
    i64: div_i64 rem_i64;
}

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
