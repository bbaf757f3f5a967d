//! Scalar products, each summed along the lanes of a vector: for one or few columns.

use super::vector::{Vector, transposed};

/// `out[row] = Σ a[row, term] · b[term]`, terms side by side.
#[derive(Clone, Copy)]
pub struct Dots<T> {
    /// At least one, at most [`Vector::LANES`]
    pub rows: usize,
    pub terms: usize,
    pub a: *const T,
    pub a_row: isize,
    pub b: *const T,
    pub out: *mut T,
    pub out_row: isize,
}

/// # Safety
/// Every element lies in its array, and the machine has the vector's instructions, of so many lanes.
#[inline(always)]
pub unsafe fn dots<V: Vector, const LANES: usize>(d: &Dots<V::Element>) {
    // SAFETY: by the contract of this function. Rows beyond the last repeat the last.
    unsafe {
        let mut a = [d.a; LANES];
        for (row, a) in a.iter_mut().enumerate() {
            *a = d.a.offset(row.min(d.rows - 1) as isize * d.a_row);
        }
        let mut sums = [V::splat(V::Element::default()); LANES];
        let whole = d.terms / LANES * LANES;
        for term in (0..whole).step_by(LANES) {
            let b = V::load(d.b.add(term));
            for (sum, a) in sums.iter_mut().zip(&a) {
                *sum = V::load(a.add(term)).mul_add(b, *sum);
            }
        }
        let rest = d.terms - whole;
        if rest > 0 {
            let b = V::load_first(d.b.add(whole), rest);
            for (sum, a) in sums.iter_mut().zip(&a) {
                *sum = V::load_first(a.add(whole), rest).mul_add(b, *sum);
            }
        }
        let total = added_up(transposed::<V, LANES>(sums));
        if d.out_row == 1 {
            return total.store_first(d.out, d.rows);
        }
        let mut results = [V::Element::default(); LANES];
        total.store(results.as_mut_ptr());
        for (row, result) in results.into_iter().take(d.rows).enumerate() {
            *d.out.offset(row as isize * d.out_row) = result;
        }
    }
}

/// The sum of vectors, pairwise.
///
/// # Safety
/// The machine has the vector's instructions.
#[inline(always)]
unsafe fn added_up<V: Vector, const LANES: usize>(mut parts: [V; LANES]) -> V {
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = parts.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            // SAFETY: by the contract of this function.
            *low = unsafe { low.add(*high) };
        }
        half /= 2;
    }
    parts[0]
}
