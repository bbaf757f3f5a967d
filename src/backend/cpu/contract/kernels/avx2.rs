//! Vectors of 256 bits.

use super::intrinsics::intrinsics;
use super::vector::Vector;
use std::arch::x86_64::*;

/// Ones in the first lanes, from that far before the zeros.
const MASK_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
const MASK_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// A mask of the first lanes, from a table of two vectors.
///
/// # Safety
/// The machine has the instructions.
#[inline(always)]
unsafe fn first<T, const TWO: usize>(table: &[T; TWO], count: usize) -> __m256i {
    const { assert!(size_of::<[T; TWO]>() == 64) }
    // SAFETY: by the contract of this function; at least one vector of the table follows.
    unsafe { _mm256_loadu_si256(table.as_ptr().add(TWO / 2 - count.min(TWO / 2)).cast()) }
}

// The shuffles interleave within halves.
intrinsics! {
    __m256: 8 f32, 6 rows; _mm256_set1_ps _mm256_add_ps _mm256_fmadd_ps;
    load_first |from, count| _mm256_maskload_ps(from, first(&MASK_32, count));
    store_first |x, to, count| _mm256_maskstore_ps(to, first(&MASK_32, count), x);
    interleave |a, b| {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
    }
}

intrinsics! {
    __m256d: 4 f64, 6 rows; _mm256_set1_pd _mm256_add_pd _mm256_fmadd_pd;
    load_first |from, count| _mm256_maskload_pd(from, first(&MASK_64, count));
    store_first |x, to, count| _mm256_maskstore_pd(to, first(&MASK_64, count), x);
    interleave |a, b| {
        let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
    }
}
