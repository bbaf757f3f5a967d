//! Derivatives of matrix factorisations and solves.
//!
//! I. Murray, Differentiation of the Cholesky decomposition, 2016; M. Giles, An extended collection of matrix derivative results, 2008.
//! Both operations read the lower triangle only, so the cotangents of their matrices are lower triangular.

use crate::base::op::CompareOp;
use crate::base::{Code, Diagnostic};
use crate::graph::Op;
use crate::pass::term::Term;

/// Of A in L = cholesky(A): with P = Φ(Lᵀ Ḡ), S = L⁻ᵀ P L⁻¹, the cotangent is tril(S + Sᵀ) with the diagonal of S.
pub(super) fn cholesky_cotangent<'a>(g: Term<'a>, l: Term<'a>) -> Term<'a> {
    let p = half_diagonal(product(transposed(l), g));
    // S = L⁻ᵀ P L⁻¹ = L⁻ᵀ (L⁻ᵀ Pᵀ)ᵀ
    let s = solve(l, transposed(solve(l, transposed(p), true)), true);
    half_diagonal(s + transposed(s))
}

/// Of L = cholesky(A) along Ȧ: L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ), Ȧ made symmetric from its lower triangle.
pub(super) fn cholesky_tangent<'a>(t: Term<'a>, l: Term<'a>) -> Term<'a> {
    let half = half_diagonal(t);
    let symmetric = half + transposed(half);
    let inner = solve(l, transposed(solve(l, symmetric, false)), false);
    product(l, half_diagonal(inner))
}

/// Of operand number `operand` in y = L⁻¹ b or L⁻ᵀ b.
pub(super) fn solve_cotangent<'a>(operand: usize, g: Term<'a>, l: Term<'a>, y: Term<'a>, transpose: bool) -> Term<'a> {
    let of_b = solve(l, g, !transpose);
    match operand {
        0 if transpose => -lower(product(y, transposed(of_b)), false),
        0 => -lower(product(of_b, transposed(y)), false),
        _ => of_b,
    }
}

/// L ẏ = ḃ − L̇ y, and the same with transposes.
pub(super) fn solve_tangent<'a>(dl: Option<Term<'a>>, db: Option<Term<'a>>, l: Term<'a>, y: Term<'a>, transpose: bool) -> Option<Term<'a>> {
    let moved = dl.map(|dl| {
        let dl = lower(dl, false);
        product(if transpose { transposed(dl) } else { dl }, y)
    });
    let right = match (db, moved) {
        (Some(db), Some(moved)) => db - moved,
        (Some(db), None) => db,
        (None, Some(moved)) => -moved,
        (None, None) => return None,
    };
    Some(solve(l, right, transpose))
}

fn solve<'a>(l: Term<'a>, right: Term<'a>, transpose: bool) -> Term<'a> {
    l.make(|b| b.push(Op::TriangularSolve { transpose }, &[l.id, right.id]))
}

/// The last two axes exchanged.
fn transposed(x: Term<'_>) -> Term<'_> {
    let n = x.rank();
    let perm: Vec<usize> = (0..n - 2).chain([n - 1, n - 2]).collect();
    x.transpose(&perm)
}

/// The matrix product over the last two axes.
fn product<'a>(x: Term<'a>, y: Term<'a>) -> Term<'a> {
    let n = x.rank() as u8;
    let labels = |row: u8, column: u8| -> Vec<u8> { (0..n - 2).chain([row, column]).collect() };
    x.contract(y, &labels(n, n + 1), &labels(n + 1, n + 2), &labels(n, n + 2))
}

/// The lower triangle, without its diagonal if `strict`.
fn lower(x: Term<'_>, strict: bool) -> Term<'_> {
    let shape = x.shape();
    let n = shape.len();
    let places = x.make(|b| b.iota(shape[n - 1]));
    let (row, column) = (places.broadcast(&shape, &[n - 2]), places.broadcast(&shape, &[n - 1]));
    x.only_where(row.compare(if strict { CompareOp::Gt } else { CompareOp::Ge }, column))
}

/// Φ: the lower triangle with half of the diagonal.
fn half_diagonal(x: Term<'_>) -> Term<'_> {
    (lower(x, false) + lower(x, true)) * 0.5
}

/// Eigenvectors jump where eigenvalues meet: no derivative is taken through them.
pub(super) fn no_derivative_of_eigen<T>() -> Result<T, Diagnostic> {
    Err(Diagnostic::new(Code::NoDerivative, "no derivative is taken through eigenvectors")
        .help("put `stop(…)` around what they are made into"))
}
