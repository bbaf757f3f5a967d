//! The innermost loops, once for each kind of vector: a table of functions for a machine.
//!
//! - [`vector`]: what the loops ask of a machine; [`avx512`], [`avx2`] by [`intrinsics`], [`portable`]: the kinds of vectors
//! - [`tile`], [`dots`], [`transpose`]: the loops

pub use dots::Dots;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
pub use tile::Tile;
pub use transpose::Transpose;
use vector::Vector;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dots;
#[cfg(target_arch = "x86_64")]
mod intrinsics;
mod portable;
mod tile;
mod transpose;
mod vector;

/// The loops for one kind of vector. A table is only given out on machines that have the instructions.
pub struct Kernels<T: 'static> {
    pub lanes: usize,
    /// Of a tile, at most
    pub rows: usize,
    pub tile: unsafe fn(&Tile<T>),
    pub dots: unsafe fn(&Dots<T>),
    pub transpose: unsafe fn(&Transpose<T>),
}

macro_rules! table {
    ($name:ident: $element:ty, $vector:ty $(, $feature:literal)?) => {
        pub static $name: Kernels<$element> = {
            $(#[target_feature(enable = $feature)])?
            unsafe fn tile(t: &Tile<$element>) {
                // SAFETY: by the contract of the inner function, whose instructions this one has; so below.
                unsafe { tile::tile::<$vector>(t) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn dots(d: &Dots<$element>) {
                // SAFETY: as above.
                unsafe { dots::dots::<$vector, { <$vector>::LANES }>(d) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn transpose(t: &Transpose<$element>) {
                // SAFETY: as above.
                unsafe { transpose::transpose::<$vector, { <$vector>::LANES }>(t) }
            }
            Kernels { lanes: <$vector>::LANES, rows: <$vector>::ROWS, tile, dots, transpose }
        };
    };
}

#[cfg(target_arch = "x86_64")]
table!(AVX512_F32: f32, __m512, "avx512f");
#[cfg(target_arch = "x86_64")]
table!(AVX512_F64: f64, __m512d, "avx512f");
#[cfg(target_arch = "x86_64")]
table!(AVX2_F32: f32, __m256, "avx2,fma");
#[cfg(target_arch = "x86_64")]
table!(AVX2_F64: f64, __m256d, "avx2,fma");
table!(PORTABLE_F32: f32, [f32; 4]);
table!(PORTABLE_F64: f64, [f64; 2]);

/// The widest vectors first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Instructions {
    /// What this machine has, the best first.
    pub fn available() -> impl Iterator<Item = Instructions> {
        #[cfg(target_arch = "x86_64")]
        let wide = [
            is_x86_feature_detected!("avx512f").then_some(Instructions::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Instructions::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let wide = [];
        wide.into_iter().flatten().chain([Instructions::Portable])
    }

    pub fn best() -> Instructions {
        Instructions::available().next().unwrap_or(Instructions::Portable)
    }

    pub fn f32(self) -> &'static Kernels<f32> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => &AVX512_F32,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => &AVX2_F32,
            Instructions::Portable => &PORTABLE_F32,
        }
    }

    pub fn f64(self) -> &'static Kernels<f64> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => &AVX512_F64,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => &AVX2_F64,
            Instructions::Portable => &PORTABLE_F64,
        }
    }
}
