//! Rare functions on tiles: without branches over the lanes, so that the compiler finds vector code, which is compiled for the widest
//! vectors and chosen when it is called.
//!
//! All are computed in f64, in f32 therefore nearly always rounded correctly.
//!
//! - [`gamma`], [`power`], [`angle`], [`whole`]: the functions
//! - [`logarithm`]: logarithm and exponential with some digits more than f64

use super::scalar::{OnTiles, TILE, divided, left, remainder};

mod angle;
mod gamma;
mod logarithm;
mod power;
mod whole;

/// Elements in a tile.
const fn lanes<T>() -> usize {
    TILE / size_of::<T>()
}

/// A function on tiles from its value in one lane. Where a lane does not meet the condition, the whole tile takes the other value.
macro_rules! tiles {
    (($($x:ident),+): $element:ty = $value:expr; if $met:expr; else $other:expr) => {{
        /// All lanes.
        ///
        /// # Safety
        /// As for [`OnTiles`].
        #[inline(always)]
        unsafe fn every<const FUSED: bool, const LANES: usize>(operands: *mut u8) {
            let place = operands.cast::<[$element; LANES]>();
            let mut operand = 0;
            // SAFETY: a tile for each operand lies behind the pointer.
            $(let $x = unsafe { *place.add(operand) }; operand += 1;)+
            let _ = operand;
            let meets = |lane: usize| {
                $(let $x = $x[lane]; let _ = $x;)+
                $met
            };
            let all = (0..LANES).fold(true, |all, lane| all & meets(lane));
            let mut result = [<$element>::default(); LANES];
            if all {
                for lane in 0..LANES {
                    $(let $x = $x[lane];)+
                    result[lane] = $value;
                }
            } else {
                for lane in 0..LANES {
                    $(let $x = $x[lane];)+
                    result[lane] = $other;
                }
            }
            // SAFETY: the result takes the place of the first operand.
            unsafe { *place = result };
        }
        chosen!(every, $element)
    }};
    (($($x:ident),+): $element:ty = $value:expr) => {
        tiles!(($($x),+): $element = $value; if true; else $value)
    };
}

/// The code for the widest vectors of this processor.
macro_rules! chosen {
    ($every:ident, $element:ty) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512dq,avx512vl,fma")]
        unsafe fn avx512(operands: *mut u8) {
            // SAFETY: as for this function.
            unsafe { $every::<true, { lanes::<$element>() }>(operands) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2(operands: *mut u8) {
            // SAFETY: as for this function.
            unsafe { $every::<true, { lanes::<$element>() }>(operands) }
        }
        unsafe extern "C" fn any(operands: *mut u8) {
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
                    // SAFETY: the processor has AVX-512; the operands are those of the caller.
                    return unsafe { avx512(operands) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has AVX2 and FMA; the operands are those of the caller.
                    return unsafe { avx2(operands) };
                }
            }
            // SAFETY: as for this function.
            unsafe { $every::<false, { lanes::<$element>() }>(operands) }
        }
        any
    }};
}

/// A function of reals, in f32 and in f64.
pub type Reals = [OnTiles; 2];

pub const LGAMMA: Reals = [tiles!((x): f32 = gamma::lgamma::<FUSED>(f64::from(x)) as f32), tiles!((x): f64 = gamma::lgamma::<FUSED>(x))];
pub const DIGAMMA: Reals = [tiles!((x): f32 = gamma::digamma::<FUSED>(f64::from(x)) as f32), tiles!((x): f64 = gamma::digamma::<FUSED>(x))];
pub const TRIGAMMA: Reals =
    [tiles!((x): f32 = gamma::trigamma::<FUSED>(f64::from(x)) as f32), tiles!((x): f64 = gamma::trigamma::<FUSED>(x))];
pub const ERFINV: Reals = [tiles!((x): f32 = power::erfinv::<FUSED>(f64::from(x)) as f32), tiles!((x): f64 = power::erfinv::<FUSED>(x))];
pub const POW: Reals =
    [tiles!((x, y): f32 = power::pow::<FUSED>(f64::from(x), f64::from(y)) as f32), tiles!((x, y): f64 = power::pow::<FUSED>(x, y))];
pub const SIN: Reals = [tiles!((x): f32 = angle::sin::<FUSED>(x)), tiles!((x): f64 = x.sin())];
pub const COS: Reals = [tiles!((x): f32 = angle::cos::<FUSED>(x)), tiles!((x): f64 = x.cos())];
pub const REM: Reals = [
    tiles!((x, y): f32 = power::rem::<FUSED>(f64::from(x), f64::from(y)) as f32;
        if (x / y).abs() < WHOLE as f32; else remainder(f64::from(x), f64::from(y)) as f32),
    tiles!((x, y): f64 = power::rem::<FUSED>(x, y); if (x / y).abs() < WHOLE; else remainder(x, y)),
];

/// Quotients below it are exact to the last digit before the point: 2⁵⁰
const WHOLE: f64 = 1_125_899_906_842_624.0;

/// Of integers, with as many bits as the reals of f32 and f64.
pub type Integers = [OnTiles; 2];

pub const DIV: Integers = [tiles!((x, y): i32 = whole::div(x, y)), tiles!((x, y): i64 = divided(x, y))];
pub const INT_REM: Integers = [tiles!((x, y): i32 = whole::rem(x, y)), tiles!((x, y): i64 = left(x, y))];
