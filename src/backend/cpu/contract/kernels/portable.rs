//! Arrays, which the compiler maps to what every machine of the kind has.

use super::vector::Vector;
use std::array::from_fn;
use std::ops::{Add, Mul};

/// An element of such an array.
pub trait Lane: Copy + Default + Add<Output = Self> + Mul<Output = Self> {
    /// `self · x + y` with one rounding.
    fn fused(self, x: Self, y: Self) -> Self;
}

impl Lane for f32 {
    #[inline(always)]
    fn fused(self, x: f32, y: f32) -> f32 {
        self.mul_add(x, y)
    }
}

impl Lane for f64 {
    #[inline(always)]
    fn fused(self, x: f64, y: f64) -> f64 {
        self.mul_add(x, y)
    }
}

impl<T: Lane, const LANES: usize> Vector for [T; LANES] {
    type Element = T;
    const LANES: usize = LANES;
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        [x; LANES]
    }

    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        let mut lanes = [T::default(); LANES];
        for (lane, to) in lanes.iter_mut().take(count).enumerate() {
            // SAFETY: by the contract of the trait.
            *to = unsafe { *from.add(lane) };
        }
        lanes
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        for (lane, x) in self.into_iter().take(count).enumerate() {
            // SAFETY: by the contract of the trait.
            unsafe { *to.add(lane) = x }
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        from_fn(|lane| self[lane] + other[lane])
    }

    #[inline(always)]
    unsafe fn mul_add(self, x: Self, y: Self) -> Self {
        // One rounding where the machine has the instruction; elsewhere it would be a call
        let fused = cfg!(target_arch = "aarch64");
        from_fn(|lane| if fused { self[lane].fused(x[lane], y[lane]) } else { self[lane] * x[lane] + y[lane] })
    }

    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        let pick = |lane: usize| if lane % 2 == 0 { self[lane / 2] } else { other[lane / 2] };
        (from_fn(pick), from_fn(|lane| pick(lane + LANES)))
    }
}
