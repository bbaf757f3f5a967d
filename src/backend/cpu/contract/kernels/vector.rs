//! What the kernels ask of a machine: vectors of one element type.

/// A vector of floating-point elements: in memory its lanes, one after another.
///
/// # Safety
/// Methods may only be called on machines that have the instructions. Pointers must be to as many elements as are read or
/// written.
pub trait Vector: Copy {
    type Element: Copy + Default;
    const LANES: usize;
    /// Rows of a tile: its sums, two vectors a row, stay in registers.
    const ROWS: usize;
    unsafe fn splat(x: Self::Element) -> Self;

    #[inline(always)]
    unsafe fn load(from: *const Self::Element) -> Self {
        // SAFETY: by the contract of the trait.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    /// The first `count` lanes, and zeros.
    unsafe fn load_first(from: *const Self::Element, count: usize) -> Self;

    #[inline(always)]
    unsafe fn store(self, to: *mut Self::Element) {
        // SAFETY: by the contract of the trait.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    /// The first `count` lanes alone.
    unsafe fn store_first(self, to: *mut Self::Element, count: usize);
    unsafe fn add(self, other: Self) -> Self;
    /// `self · x + y`
    unsafe fn mul_add(self, x: Self, y: Self) -> Self;
    /// Lanes of both in turn: those of the first halves, those of the second halves.
    unsafe fn interleave(self, other: Self) -> (Self, Self);
}

/// Transposes a block of as many vectors as a vector has lanes, by perfect shuffles.
///
/// # Safety
/// The machine has the vector's instructions.
#[inline(always)]
pub unsafe fn transposed<V: Vector, const LANES: usize>(mut block: [V; LANES]) -> [V; LANES] {
    let mut stage = 1;
    while stage < LANES {
        let from = block;
        for (pair, to) in block.chunks_exact_mut(2).enumerate() {
            // SAFETY: by the contract of this function.
            (to[0], to[1]) = unsafe { from[pair].interleave(from[pair + LANES / 2]) };
        }
        stage *= 2;
    }
    block
}
