//! Vectors that are types of the machine: they differ by the names of its instructions alone.

/// Implements [`super::vector::Vector`] for a type of the machine.
macro_rules! intrinsics {
    ($vector:ty: $lanes:literal $element:ty, $rows:literal rows; $splat:ident $add:ident $mul_add:ident;
     load_first |$from:ident, $loaded:ident| $load_first:expr;
     store_first |$stored:ident, $to:ident, $count:ident| $store_first:expr;
     interleave |$a:ident, $b:ident| $interleave:expr) => {
        impl Vector for $vector {
            type Element = $element;
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;

            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: the machine has the instructions, by the contract of the trait; so below.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load_first($from: *const $element, $loaded: usize) -> Self {
                // SAFETY: by the contract of the trait; lanes off the mask are not touched.
                unsafe { $load_first }
            }

            #[inline(always)]
            unsafe fn store_first(self, $to: *mut $element, $count: usize) {
                let $stored = self;
                // SAFETY: as in `load_first`.
                unsafe { $store_first }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as in `splat`.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, x: Self, y: Self) -> Self {
                // SAFETY: as in `splat`.
                unsafe { $mul_add(self, x, y) }
            }

            #[inline(always)]
            unsafe fn interleave(self, $b: Self) -> (Self, Self) {
                let $a = self;
                // SAFETY: as in `splat`.
                unsafe { $interleave }
            }
        }
    };
}

pub(super) use intrinsics;
