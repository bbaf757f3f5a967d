//! The derivation of an expression that is read and not computed: variables without values stand for themselves.

use super::Step;
use crate::algebra::leaves::tensor_type;
use crate::algebra::lowering::{InputRole, Lowering, RowCounts, differentiable};
use crate::base::diagnostic::{At, Result};
use crate::check::model::{Expr, ExprKind, LocalId, Model, Place, Query, Which};
use crate::check::types::Type;

/// How an expression in the scope of a file is computed. A distribution `p(z | x)` is derived as such where a rule gives it, otherwise
/// as its log-density.
pub fn derivation_of(model: &Model, expr: &Expr, counts: &RowCounts) -> Result<Vec<Step>> {
    if let ExprKind::Conditional(query) = &expr.kind {
        let as_distribution = steps(model, expr, counts);
        return as_distribution.or_else(|_| steps(model, &log_density(query), counts)).at(expr.span);
    }
    steps(model, expr, counts).at(expr.span)
}

fn log_density(query: &Query) -> Expr {
    Expr::new(ExprKind::LogDensity(query.clone()), Type::real([]), query.span)
}

fn steps(model: &Model, expr: &Expr, counts: &RowCounts) -> Result<Vec<Step>> {
    let mut lowering = Lowering::new(model, counts, (!counts.is_empty()).then_some(2));
    lowering.differentiable = differentiable(model, Some(expr));
    for (id, var) in model.vars.iter().filter(|(_, var)| var.observed.is_none()) {
        let Ok(ty) = tensor_type(&var.ty) else { continue };
        let node = lowering.root_input(InputRole::Data(id), &var.name, ty);
        let value = lowering.root_array(node, vec![]);
        lowering.bind(Place::Var(id), value);
    }
    for local in free_locals(expr) {
        let ty = tensor_type(&model.locals[local].ty)?;
        let value = lowering.b().fill(1.0, ty.dtype, &ty.shape);
        let value = lowering.b().stop(value);
        let node = lowering.b().distinct(value);
        let value = lowering.array(node, vec![]);
        lowering.bind(Place::Local(local), value);
    }
    lowering.eval(expr)?;
    Ok(lowering.derivation)
}

/// The names in queries of members and states: those that are not bound inside the expression are times and states without values.
fn free_locals(expr: &Expr) -> Vec<LocalId> {
    let mut found = vec![];
    if let ExprKind::Conditional(query) | ExprKind::LogDensity(query) = &expr.kind {
        for member in query.member_targets.iter().chain(&query.member_given) {
            let number = match &member.which {
                Which::One(at) => vec![at],
                Which::Range(from, to) => vec![from, to],
            };
            number.into_iter().chain(&member.value).for_each(|part| each_local(part, &mut found));
        }
    }
    expr.each_part(&mut |part| found.extend(free_locals(part)));
    found
}

fn each_local(expr: &Expr, found: &mut Vec<LocalId>) {
    if let ExprKind::Local(local) = expr.kind {
        found.push(local);
    }
    expr.each_part(&mut |part| each_local(part, found));
}
