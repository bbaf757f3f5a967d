//! Pure rules of shapes: what an operation makes of the shapes of its operands. Errors have no place; the caller adds it.
//! Sizes that still hold variables (a generic definition checked alone) are not compared: the uses decide.

use crate::base::diagnostic::Result;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic};

/// Whether two sizes are the same number as far as is known.
pub fn may_equal(a: &Size, b: &Size) -> bool {
    (a.clone() - b.clone()).constant().is_none_or(|difference| difference == 0)
}

pub fn same_shape(a: &[Size], b: &[Size]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| may_equal(a, b))
}

/// Elementwise: the same shape, or one is a scalar that stretches.
pub fn elementwise(left: &[Size], right: &[Size]) -> Result<Vec<Size>> {
    match (left, right) {
        ([], shape) | (shape, []) => Ok(shape.to_vec()),
        _ if same_shape(left, right) => Ok(left.to_vec()),
        _ => Err(Diagnostic::new(Code::ShapeMismatch, format!("shapes {} and {} do not agree", show(left), show(right)))),
    }
}

/// `@`: the last axis of the left with the first of the right; vectors and matrices.
pub fn matmul(left: &[Size], right: &[Size]) -> Result<Vec<Size>> {
    let fail = || Diagnostic::new(Code::ShapeMismatch, format!("`@` cannot multiply shapes {} and {}", show(left), show(right)));
    if !(1..=2).contains(&left.len()) || !(1..=2).contains(&right.len()) {
        return Err(fail());
    }
    let (rows, inner) = left.split_at(left.len() - 1);
    if !may_equal(&inner[0], &right[0]) {
        return Err(fail());
    }
    Ok([rows, &right[1..]].concat())
}

/// `++`: along the last axis, the others equal; scalars count as vectors of length 1.
pub fn join(left: &[Size], right: &[Size]) -> Result<Vec<Size>> {
    let vector = |shape: &[Size]| if shape.is_empty() { vec![Size::from(1usize)] } else { shape.to_vec() };
    let (left, right) = (vector(left), vector(right));
    let (l, r) = (left.len() - 1, right.len() - 1);
    if !same_shape(&left[..l], &right[..r]) {
        let message = format!("`++` joins along the last axis; the other axes of {} and {} differ", show(&left), show(&right));
        return Err(Diagnostic::new(Code::ShapeMismatch, message));
    }
    Ok([&left[..l], &[left[l].clone() + right[r].clone()]].concat())
}

/// `x'`: the last two axes change places.
pub fn transpose(shape: &[Size]) -> Vec<Size> {
    let mut shape = shape.to_vec();
    let rank = shape.len();
    if rank >= 2 {
        shape.swap(rank - 2, rank - 1);
    }
    shape
}

/// `[3, n]`, as it stands in messages.
pub fn show(shape: &[Size]) -> String {
    let sizes: Vec<String> = shape.iter().map(Size::to_string).collect();
    if sizes.is_empty() { "of a scalar".into() } else { format!("[{}]", sizes.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sizes: &[usize]) -> Vec<Size> {
        sizes.iter().map(|&n| n.into()).collect()
    }

    #[test]
    fn only_scalars_stretch() {
        assert_eq!(elementwise(&shape(&[3]), &shape(&[])), Ok(shape(&[3])));
        assert!(elementwise(&shape(&[3]), &shape(&[3, 1])).is_err());
        assert!(elementwise(&shape(&[1]), &shape(&[3])).is_err());
        assert!(elementwise(&[Size::variable("n")], &shape(&[3])).is_ok(), "not decidable yet");
    }

    #[test]
    fn products_contract_the_inner_axes() {
        assert_eq!(matmul(&shape(&[2, 3]), &shape(&[3])), Ok(shape(&[2])));
        assert_eq!(matmul(&shape(&[3]), &shape(&[3])), Ok(shape(&[])));
        assert!(matmul(&shape(&[2, 3]), &shape(&[2, 3])).is_err());
        assert!(matmul(&shape(&[]), &shape(&[3])).is_err());
    }

    #[test]
    fn joins_add_the_last_axis() {
        assert_eq!(join(&shape(&[2, 3]), &shape(&[2, 1])), Ok(shape(&[2, 4])));
        assert_eq!(join(&shape(&[]), &shape(&[3])), Ok(shape(&[4])));
        assert!(join(&shape(&[2, 3]), &shape(&[3])).is_err());
    }
}
