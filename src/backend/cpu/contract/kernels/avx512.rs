//! Vectors of 512 bits.

use super::intrinsics::intrinsics;
use super::vector::Vector;
use std::arch::x86_64::*;

/// Where the lanes of two vectors come from, of which the second's follow the first's: in turn, from the first halves and from the second.
const TURNS_32: [[i32; 16]; 2] =
    [[0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23], [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31]];
const TURNS_64: [[i64; 8]; 2] = [[0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]];

/// A mask of the first lanes.
fn first(count: usize) -> u16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

/// # Safety
/// The machine has the instructions. Tables have as many bytes as a vector.
#[inline(always)]
unsafe fn table<T>(of: &T) -> __m512i {
    const { assert!(size_of::<T>() == 64) }
    // SAFETY: by the contract of this function.
    unsafe { _mm512_loadu_si512(std::ptr::from_ref(of).cast()) }
}

intrinsics! {
    __m512: 16 f32, 12 rows; _mm512_set1_ps _mm512_add_ps _mm512_fmadd_ps;
    load_first |from, count| _mm512_maskz_loadu_ps(first(count), from);
    store_first |x, to, count| _mm512_mask_storeu_ps(to, first(count), x);
    interleave |a, b| (_mm512_permutex2var_ps(a, table(&TURNS_32[0]), b), _mm512_permutex2var_ps(a, table(&TURNS_32[1]), b))
}

intrinsics! {
    __m512d: 8 f64, 12 rows; _mm512_set1_pd _mm512_add_pd _mm512_fmadd_pd;
    load_first |from, count| _mm512_maskz_loadu_pd(first(count) as u8, from);
    store_first |x, to, count| _mm512_mask_storeu_pd(to, first(count) as u8, x);
    interleave |a, b| (_mm512_permutex2var_pd(a, table(&TURNS_64[0]), b), _mm512_permutex2var_pd(a, table(&TURNS_64[1]), b))
}
