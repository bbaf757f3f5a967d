//! A tile of a product: some rows times up to two vectors of columns, the sums in registers.

use super::vector::Vector;

/// `out[row, lane] = Σ a[row, term] · b[term, lane]`, lanes of `b` and of `out` side by side.
#[derive(Clone, Copy)]
pub struct Tile<T> {
    /// At most [`Vector::ROWS`]
    pub rows: usize,
    /// At most two vectors
    pub lanes: usize,
    pub terms: usize,
    pub a: *const T,
    /// Steps between rows and between terms
    pub a_row: isize,
    pub a_term: isize,
    pub b: *const T,
    pub b_term: isize,
    pub out: *mut T,
    pub out_row: isize,
    /// Whether the sums go on from what `out` holds
    pub add: bool,
}

/// Each third row of `a` has a pointer; an address of the machine adds one or two steps of a row.
const GROUP: usize = 3;

/// # Safety
/// Every element of the tile lies in its array, and the machine has the vector's instructions.
#[inline(always)]
pub unsafe fn tile<V: Vector>(t: &Tile<V::Element>) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match (t.rows, t.lanes > V::LANES) {
                // SAFETY: by the contract of this function; a row has one vector or two.
                $(($rows, false) => unsafe { sums::<V, $rows, 1>(t) }, ($rows, true) => unsafe { sums::<V, $rows, 2>(t) },)*
                (_, _) => (),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// # Safety
/// As for [`tile`], which has so many rows of so many vectors.
#[inline(always)]
unsafe fn sums<V: Vector, const ROWS: usize, const VECTORS: usize>(t: &Tile<V::Element>) {
    if ROWS > V::ROWS {
        return;
    }
    let last = t.lanes - (VECTORS - 1) * V::LANES;
    // SAFETY: by the contract of this function.
    unsafe {
        let mut sums = [[V::splat(V::Element::default()); VECTORS]; ROWS];
        if t.add {
            for (row, sums) in sums.iter_mut().enumerate() {
                *sums = line(t.out.offset(row as isize * t.out_row), last);
            }
        }
        let mut a = [t.a; 12usize.div_ceil(GROUP)];
        for (group, a) in a.iter_mut().enumerate() {
            *a = t.a.wrapping_offset((group * GROUP) as isize * t.a_row);
        }
        let mut b = t.b;
        for _ in 0..t.terms {
            let line: [V; VECTORS] = line(b, last);
            for (row, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*a[row / GROUP].wrapping_offset((row % GROUP) as isize * t.a_row));
                for (sum, &b) in sums.iter_mut().zip(&line) {
                    *sum = factor.mul_add(b, *sum);
                }
            }
            a.iter_mut().for_each(|a| *a = a.wrapping_offset(t.a_term));
            b = b.wrapping_offset(t.b_term);
        }
        for (row, sums) in sums.iter().enumerate() {
            let to = t.out.offset(row as isize * t.out_row);
            for (vector, &sum) in sums.iter().enumerate() {
                let to = to.add(vector * V::LANES);
                if vector + 1 == VECTORS { sum.store_first(to, last) } else { sum.store(to) }
            }
        }
    }
}

/// Vectors side by side, of the last one its first `last` lanes.
///
/// # Safety
/// So many elements lie there, and the machine has the vector's instructions.
#[inline(always)]
unsafe fn line<V: Vector, const VECTORS: usize>(from: *const V::Element, last: usize) -> [V; VECTORS] {
    // SAFETY: by the contract of this function.
    unsafe {
        let mut line = [V::splat(V::Element::default()); VECTORS];
        for (vector, to) in line.iter_mut().enumerate() {
            let from = from.add(vector * V::LANES);
            *to = if vector + 1 == VECTORS { V::load_first(from, last) } else { V::load(from) };
        }
        line
    }
}
