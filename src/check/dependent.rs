//! Ranges of a reduction whose ends depend on outer indices: `prod(e for s in 1..t)`. They run over all that the ends may be, under
//! a condition.

use super::checker::{Binding, Checked, Checker};
use super::message;
use super::model::{Expr, ExprKind, Index};
use super::types::{Support, Type};
use crate::base::op::{BinaryOp, CompareOp};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Binds the indices of a reduction; returns with them the conditions of dependent ranges.
    pub fn bounded_clauses(&mut self, clauses: &'a [ast::Clause]) -> Checked<(Vec<Index>, Vec<Expr>)> {
        let (mut indices, mut conditions) = (vec![], vec![]);
        for clause in clauses {
            match &clause.over.kind {
                ast::ExprKind::Range { from, to } if self.mentions_index(from) || self.mentions_index(to) => {
                    let (from, to) = (self.expr(from, None), self.expr(to, None));
                    let (Some((first, _)), Some((_, last))) = (self.extent(&from), self.extent(&to)) else {
                        return Err(message::not_a_size(clause.over.span).into());
                    };
                    let local = self.bind(&clause.index.name, Type::scalar(Support::Int), clause.index.span);
                    let count = last.saturating_sub(first).saturating_add(1).max(0) as usize;
                    self.extents.insert(local, (first, last));
                    indices.push(Index { local, first, count });
                    let index = self.read(local, clause.index.span);
                    conditions.push(self.compare(CompareOp::Le, "<=", from, index.clone(), clause.over.span)?);
                    conditions.push(self.compare(CompareOp::Le, "<=", index, to, clause.over.span)?);
                }
                _ => indices.extend(self.clauses(std::slice::from_ref(clause))?.0),
            }
        }
        Ok((indices, conditions))
    }

    /// Both, where both are given.
    pub fn conjunction(&self, conditions: Vec<Expr>) -> Option<Box<Expr>> {
        let both = |a: Expr, b: Expr| {
            let (ty, span) = (Type::scalar(Support::Bool), a.span);
            Expr::new(ExprKind::Binary(BinaryOp::And, Box::new(a), Box::new(b)), ty, span)
        };
        conditions.into_iter().reduce(both).map(Box::new)
    }

    fn mentions_index(&self, e: &ast::Expr) -> bool {
        match &e.kind {
            ast::ExprKind::Name(name) => {
                let bound = self.scope.names.iter().rev().find(|(known, _)| *known == name.name);
                matches!(bound, Some((_, Binding::Local(local, _))) if self.extents.contains_key(local))
            }
            ast::ExprKind::Binary { left, right, .. } => self.mentions_index(left) || self.mentions_index(right),
            _ => false,
        }
    }

    /// The least and the greatest value of a whole number made of indices, by interval arithmetic. None where they are not known.
    fn extent(&self, e: &Expr) -> Option<(i64, i64)> {
        match &e.kind {
            ExprKind::Int(n) => Some((*n, *n)),
            ExprKind::Local(local) => self.extents.get(local).copied(),
            ExprKind::Const(id) if self.model.consts[*id].indices.is_empty() => self.extent(&self.model.consts[*id].value),
            ExprKind::Binary(op, a, b) => {
                let ((a0, a1), (b0, b1)) = (self.extent(a)?, self.extent(b)?);
                match op {
                    BinaryOp::Add => Some((a0.checked_add(b0)?, a1.checked_add(b1)?)),
                    BinaryOp::Sub => Some((a0.checked_sub(b1)?, a1.checked_sub(b0)?)),
                    BinaryOp::Max => Some((a0.max(b0), a1.max(b1))),
                    BinaryOp::Min => Some((a0.min(b0), a1.min(b1))),
                    BinaryOp::Mul => {
                        let ends = [a0.checked_mul(b0)?, a0.checked_mul(b1)?, a1.checked_mul(b0)?, a1.checked_mul(b1)?];
                        Some((*ends.iter().min()?, *ends.iter().max()?))
                    }
                    BinaryOp::Div | BinaryOp::Pow | BinaryOp::Rem | BinaryOp::FloorDiv | BinaryOp::And | BinaryOp::Or => None,
                }
            }
            _ => None,
        }
    }
}
