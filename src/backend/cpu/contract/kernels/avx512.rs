//! Vectors of 512 bits.

use super::vector::Vector;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct F32x16(__m512);

#[derive(Clone, Copy)]
pub struct F64x8(__m512d);

fn first(count: usize) -> u16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

macro_rules! vectors {
    ($($name:ident($element:ty, $lanes:literal): $mask:ty, $splat:ident $load:ident $maskz:ident $store:ident $masked:ident $add:ident $fma:ident
       $permute:ident [$index:ty] $low:expr, $high:expr;)*) => { $(
        impl Vector for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const ROWS: usize = 12;

            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: the machine has the instructions; this holds for all methods.
                $name(unsafe { $splat(x) })
            }

            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: by the contract of the trait.
                $name(unsafe { $load(from) })
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                // SAFETY: by the contract of the trait; masked lanes are not touched.
                $name(unsafe { $maskz(first(count) as $mask, from) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: by the contract of the trait.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                // SAFETY: by the contract of the trait; masked lanes are not touched.
                unsafe { $masked(to, first(count) as $mask, self.0) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as in `splat`.
                $name(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            unsafe fn mul_add(self, x: Self, y: Self) -> Self {
                // SAFETY: as in `splat`.
                $name(unsafe { $fma(self.0, x.0, y.0) })
            }

            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                let (low, high): ([$index; $lanes], [$index; $lanes]) = ($low, $high);
                // SAFETY: as in `splat`; the tables have as many bytes as a vector.
                unsafe {
                    let (low, high) = (_mm512_loadu_si512(low.as_ptr().cast()), _mm512_loadu_si512(high.as_ptr().cast()));
                    ($name($permute(self.0, low, other.0)), $name($permute(self.0, high, other.0)))
                }
            }
        }
    )* };
}

vectors! {
    F32x16(f32, 16): u16, _mm512_set1_ps _mm512_loadu_ps _mm512_maskz_loadu_ps _mm512_storeu_ps _mm512_mask_storeu_ps _mm512_add_ps _mm512_fmadd_ps
        _mm512_permutex2var_ps [i32]
        [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23],
        [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31];
    F64x8(f64, 8): u8, _mm512_set1_pd _mm512_loadu_pd _mm512_maskz_loadu_pd _mm512_storeu_pd _mm512_mask_storeu_pd _mm512_add_pd _mm512_fmadd_pd
        _mm512_permutex2var_pd [i64]
        [0, 8, 1, 9, 2, 10, 3, 11],
        [4, 12, 5, 13, 6, 14, 7, 15];
}
