//! Weighted sums of u u': the matrix is symmetric, so that about half of the products of a row are enough.

use crate::base::op::DType;
use crate::pass::term::Term;

/// Below that many components the saving is not worth its loops.
const LEAST: usize = 8;

/// `Σ w u[i] u[j]` over the rows, over the axes i, j and then those of `kept`. `axis` is that of the components in u, labelled
/// with `own`; w has the labels of `kept` and those of the rows, which u has too.
///
/// The products `u[i] u[(i + s) mod D]` for the shifts s from 0 to D/2 are all there are: the shift D - s has those of s. None
/// where u is short.
pub(super) fn second_moment<'a>(w: (Term<'a>, &[u8]), u: (Term<'a>, &[u8]), own: u8, kept: &[u8]) -> Option<Term<'a>> {
    let (w, w_labels) = w;
    let (u, u_labels) = u;
    let axis = u_labels.iter().position(|&label| label == own)?;
    let size = u.shape()[axis];
    if size < LEAST {
        return None;
    }
    let part = |x: Term<'a>, from: usize| x.make(|b| b.slice_axis(x.id, axis, from, from + size));
    let head = u.make(|b| b.slice_axis(u.id, axis, 0, size / 2));
    let around = u.make(|b| b.join(&[u.id, head.id], axis));
    let products: Vec<_> = (0..=size / 2).map(|shift| (u * part(around, shift)).id).collect();
    let products = u.make(|b| b.join(&products, axis));
    let sums = products.contract(w, u_labels, w_labels, &[&[own], kept].concat());
    let index: Vec<f64> = (0..size).flat_map(|i| (0..size).map(move |j| place(i, j, size) as f64)).collect();
    let all = sums.make(|b| {
        let index = b.literal(DType::Int, &[size * size], &index);
        b.gather(sums.id, index, 0)
    });
    Some(all.reshape(&[&[size, size], &sums.shape()[1..]].concat()))
}

/// Where the product of two components stands among those of all shifts.
fn place(i: usize, j: usize, size: usize) -> usize {
    let shift = (j + size - i) % size;
    if shift <= size / 2 { shift * size + i } else { (size - shift) * size + j }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn every_pair_has_its_product() {
        for size in [8, 9] {
            for (i, j) in (0..size).flat_map(|i| (0..size).map(move |j| (i, j))) {
                let (shift, first) = (place(i, j, size) / size, place(i, j, size) % size);
                let pair = [first, (first + shift) % size];
                assert!(pair == [i, j] || pair == [j, i], "{i} {j} of {size}");
            }
        }
    }
}
