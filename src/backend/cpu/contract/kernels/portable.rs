//! Vectors that the compiler maps to what every machine of the kind has.

use super::vector::Vector;

#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);

#[derive(Clone, Copy)]
pub struct F64x2([f64; 2]);

macro_rules! vectors {
    ($($name:ident($element:ty, $lanes:literal);)*) => { $(
        impl Vector for $name {
            type Element = $element;
            const LANES: usize = $lanes;
            const ROWS: usize = 6;

            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                $name([x; $lanes])
            }

            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: by the contract of the trait.
                $name(unsafe { from.cast::<[$element; $lanes]>().read_unaligned() })
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $element, count: usize) -> Self {
                let mut lanes = [0.0; $lanes];
                for (lane, to) in lanes.iter_mut().take(count).enumerate() {
                    // SAFETY: by the contract of the trait.
                    *to = unsafe { *from.add(lane) };
                }
                $name(lanes)
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: by the contract of the trait.
                unsafe { to.cast::<[$element; $lanes]>().write_unaligned(self.0) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $element, count: usize) {
                for (lane, x) in self.0.into_iter().take(count).enumerate() {
                    // SAFETY: by the contract of the trait.
                    unsafe { *to.add(lane) = x }
                }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                $name(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
            }

            #[inline(always)]
            unsafe fn mul_add(self, x: Self, y: Self) -> Self {
                // One rounding where the machine has the instruction; elsewhere it would be a call
                let fused = cfg!(target_arch = "aarch64");
                let lane = |lane: usize| match fused {
                    true => self.0[lane].mul_add(x.0[lane], y.0[lane]),
                    false => self.0[lane] * x.0[lane] + y.0[lane],
                };
                $name(std::array::from_fn(lane))
            }

            #[inline(always)]
            unsafe fn interleave(self, other: Self) -> (Self, Self) {
                let pick = |lane: usize| if lane % 2 == 0 { self.0[lane / 2] } else { other.0[lane / 2] };
                ($name(std::array::from_fn(pick)), $name(std::array::from_fn(|lane| pick(lane + $lanes))))
            }
        }
    )* };
}

vectors! {
    F32x4(f32, 4);
    F64x2(f64, 2);
}
