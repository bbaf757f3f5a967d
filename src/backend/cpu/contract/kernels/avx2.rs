//! Vectors of 256 bits.

use super::vector::Vector;
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
pub struct F32x8(__m256);

#[derive(Clone, Copy)]
pub struct F64x4(__m256d);

/// Ones in the first lanes, from that far before the zeros.
const MASK_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
const MASK_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

macro_rules! vectors {
    ($($name:ident($element:ty, $lanes:literal): $mask:ident, $splat:ident $load:ident $load_masked:ident $store:ident $store_masked:ident
       $add:ident $fma:ident $low:ident $high:ident $join:ident;)*) => { $(
        impl Vector for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const ROWS: usize = 6;

            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: the machine has the instructions, by the contract of the trait; so below.
                $name(unsafe { $splat(x) })
            }

            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: by the contract of the trait.
                $name(unsafe { $load(from) })
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                // SAFETY: by the contract of the trait; lanes off the mask are not touched. The table has two vectors.
                $name(unsafe { $load_masked(from, _mm256_loadu_si256($mask.as_ptr().add($lanes - count.min($lanes)).cast())) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: by the contract of the trait.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                // SAFETY: as in `load_first`.
                unsafe { $store_masked(to, _mm256_loadu_si256($mask.as_ptr().add($lanes - count.min($lanes)).cast()), self.0) }
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
                // SAFETY: as in `splat`. The shuffles interleave within halves.
                unsafe {
                    let (low, high) = ($low(self.0, other.0), $high(self.0, other.0));
                    ($name($join::<0x20>(low, high)), $name($join::<0x31>(low, high)))
                }
            }
        }
    )* };
}

vectors! {
    F32x8(f32, 8): MASK_32, _mm256_set1_ps _mm256_loadu_ps _mm256_maskload_ps _mm256_storeu_ps _mm256_maskstore_ps
        _mm256_add_ps _mm256_fmadd_ps _mm256_unpacklo_ps _mm256_unpackhi_ps _mm256_permute2f128_ps;
    F64x4(f64, 4): MASK_64, _mm256_set1_pd _mm256_loadu_pd _mm256_maskload_pd _mm256_storeu_pd _mm256_maskstore_pd
        _mm256_add_pd _mm256_fmadd_pd _mm256_unpacklo_pd _mm256_unpackhi_pd _mm256_permute2f128_pd;
}
