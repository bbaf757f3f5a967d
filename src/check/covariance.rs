//! Which expressions are covariances: symmetric positive definite by the way they are built, or by their numbers.

use super::checker::{Checked, Checker};
use super::coerce::Why;
use super::model::{Expr, ExprKind};
use super::support::Facts;
use super::types::{ArrayType, Support, Type};
use crate::base::eigen::smallest_eigenvalue;
use crate::base::op::BinaryOp;
use crate::base::{Code, Diagnostic};

/// Of a symmetric matrix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Definite,
    Semidefinite,
}

impl<'a> Checker<'a> {
    /// Whether a matrix is a covariance: `S`, `S + W @ W'`, `s^2 * identity`, `A @ S @ A' + R`. A product with a transpose alone may be
    /// singular.
    pub fn is_covariance(&self, e: &Expr) -> bool {
        self.sign(e) == Some(Sign::Definite)
    }

    fn sign(&self, e: &Expr) -> Option<Sign> {
        if let Type::Array(ArrayType { support: Support::Cov, .. }) = &e.ty {
            return Some(Sign::Definite);
        }
        if let Some(Ok(())) = self.literal_covariance(e, &None) {
            return Some(Sign::Definite);
        }
        match &e.kind {
            ExprKind::Binary(BinaryOp::Add, a, b) => match (self.sign(a)?, self.sign(b)?) {
                (Sign::Semidefinite, Sign::Semidefinite) => Some(Sign::Semidefinite),
                (Sign::Definite, _) | (_, Sign::Definite) => Some(Sign::Definite),
            },
            ExprKind::Binary(BinaryOp::Mul, a, b) if self.is_positive_number(a) => self.sign(b),
            ExprKind::Binary(BinaryOp::Mul | BinaryOp::Div, a, b) if self.is_positive_number(b) => self.sign(a),
            ExprKind::Transpose(x) => self.sign(x),
            ExprKind::MatMul(left, right) => {
                let ExprKind::Transpose(right) = &right.kind else { return None };
                let congruent = match &left.kind {
                    // A @ S @ A'
                    ExprKind::MatMul(a, s) => same_name(a, right) && self.sign(s).is_some(),
                    _ => false,
                };
                (congruent || same_name(left, right)).then_some(Sign::Semidefinite)
            }
            ExprKind::Const(id) if self.model.consts[*id].indices.is_empty() => self.sign(&self.model.consts[*id].value),
            _ => None,
        }
    }

    fn is_positive_number(&self, e: &Expr) -> bool {
        let Facts { positive, .. } = self.facts(e);
        positive && matches!(&e.ty, Type::Array(array) if array.shape.is_empty())
    }

    /// A matrix of numbers as a covariance. `None`: it is not made of numbers.
    pub fn literal_covariance(&self, e: &Expr, why: &Why) -> Option<Checked<()>> {
        let rows = self.rows_of(e)?;
        let n = rows.len();
        if n == 0 || rows.iter().any(|row| row.len() != n) {
            return None;
        }
        let problem = |message: String| {
            let problem = Diagnostic::new(Code::SupportMismatch, message).label(e.span, "this matrix");
            why.iter().fold(problem, |problem, (span, text)| problem.label(*span, text.clone()))
        };
        if let Some((i, j)) = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).find(|&(i, j)| rows[i][j] != rows[j][i]) {
            let message = format!("a covariance is symmetric, and entries [{i}, {j}] and [{j}, {i}] are {} and {}", rows[i][j], rows[j][i]);
            return Some(Err(problem(message).into()));
        }
        let smallest = smallest_eigenvalue(&rows.concat(), n);
        if smallest > 0.0 {
            return Some(Ok(()));
        }
        let message = format!("a covariance is positive definite, and the smallest eigenvalue of this matrix is {smallest:.4}");
        Some(Err(problem(message).help("variances are at least as large as what they share: make the diagonal larger").into()))
    }

    /// The numbers of `[[1, 0], [0, 1]]`.
    fn rows_of(&self, e: &Expr) -> Option<Vec<Vec<f64>>> {
        match &e.kind {
            ExprKind::Stack(rows) => rows
                .iter()
                .map(|row| match &row.kind {
                    ExprKind::Stack(entries) => entries.iter().map(|entry| self.constant_of(entry)).collect(),
                    _ => None,
                })
                .collect(),
            ExprKind::Const(id) if self.model.consts[*id].indices.is_empty() => self.rows_of(&self.model.consts[*id].value),
            _ => None,
        }
    }
}

/// Whether two expressions are the same name.
fn same_name(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Local(a), ExprKind::Local(b)) => a == b,
        (ExprKind::Const(a), ExprKind::Const(b)) => a == b,
        (ExprKind::Var(a), ExprKind::Var(b)) => a == b,
        (ExprKind::Param(a), ExprKind::Param(b)) => a == b,
        _ => false,
    }
}
