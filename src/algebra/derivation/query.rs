//! The derivation of an expression that is read and not computed: variables without values stand for themselves.

use super::Step;
use crate::algebra::leaves::tensor_type;
use crate::algebra::lowering::{InputRole, Lowering, RowCounts, differentiable};
use crate::base::diagnostic::{At, Result};
use crate::check::model::{Expr, ExprKind, LocalId, Model, Place, Query};
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

/// All names in an expression: those that it binds itself get their values there.
fn free_locals(expr: &Expr) -> Vec<LocalId> {
    let (mut open, mut found) = (vec![expr], vec![]);
    while let Some(expr) = open.pop() {
        if let ExprKind::Local(local) = expr.kind {
            found.push(local);
        }
        expr.each_part(&mut |part| open.push(part));
    }
    found
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
        let Ok(ty) = tensor_type(&model.locals[local].ty) else { continue };
        let node = lowering.b().fill(0.0, ty.dtype, &ty.shape);
        let node = lowering.b().distinct(node);
        let value = lowering.root_array(node, vec![]);
        lowering.bind(Place::Local(local), value);
    }
    lowering.eval(expr)?;
    Ok(lowering.derivation)
}
