//! Probabilities where logits stand: both are numbers, and the softmax of a softmax is a distribution again, nearly uniform.

use super::coerce::constant_of;
use super::model::{Expr, ExprKind, Model};
use super::types::{ArrayType, Support, Type};
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic};

/// Refuses the value of the library's parameter `logits` of a distribution if it was made as a probability.
pub fn verify(model: &Model, dist: &str, logits: &Expr) -> Result<(), Diagnostic> {
    if constant_of(model, logits).is_some() || !is_probability(model, logits) {
        return Ok(());
    }
    let (wanted, maps) = match &logits.ty {
        Type::Array(ArrayType { support: Support::Simplex, .. }) => ("the logarithms of probabilities, up to a constant", "softmax"),
        _ => ("log-odds, log(p / (1 - p))", "sigmoid"),
    };
    Err(Diagnostic::new(Code::TypeMismatch, format!("`logits` of `{dist}` are {wanted}; these are probabilities already"))
        .label(logits.span, format!("this is {}", logits.ty))
        .help(format!("leave out `logits:`, as in `{dist}(…)`, or give the numbers themselves without `{maps}`")))
}

/// Whether a value is in [0, 1] because it is a probability: made by `sigmoid` or `softmax`, or declared so by the model. Numbers of
/// the text and observed data may lie there by chance.
fn is_probability(model: &Model, e: &Expr) -> bool {
    let Type::Array(ArrayType { support: Support::Unit | Support::Simplex, .. }) = &e.ty else { return false };
    match &e.kind {
        ExprKind::Var(var) => model.vars[*var].observed.is_none(),
        ExprKind::Unary(op, _) => *op == UnaryOp::Sigmoid,
        ExprKind::Param(_) | ExprKind::Local(_) | ExprKind::Call(..) | ExprKind::Apply(..) | ExprKind::DistMember(..) => true,
        ExprKind::Subscript(x, _) | ExprKind::Reshape(x) | ExprKind::Transpose(x) | ExprKind::Stop(x) => is_probability(model, x),
        ExprKind::Array { body, .. } | ExprKind::Block(_, body) | ExprKind::Expectation { body, .. } => is_probability(model, body),
        ExprKind::If(_, a, b) => is_probability(model, a) || is_probability(model, b),
        ExprKind::Quantity(id) => is_probability(model, &model.quantities[*id].value),
        ExprKind::Project(tuple, _) => matches!(tuple.kind, ExprKind::Call(..) | ExprKind::Local(_)),
        ExprKind::Stack(parts) => parts.iter().any(|part| is_probability(model, part)),
        ExprKind::Join(a, b) => is_probability(model, a) || is_probability(model, b),
        ExprKind::Binary(_, a, b) => [a, b].iter().all(|side| constant_of(model, side).is_some() || is_probability(model, side)),
        ExprKind::Real(_)
        | ExprKind::Int(_)
        | ExprKind::Bool(_)
        | ExprKind::Const(_)
        | ExprKind::Noise(_)
        | ExprKind::ProcessMember { .. } => false,
        ExprKind::ToReal(_) | ExprKind::ToInt(_) | ExprKind::Compare(..) | ExprKind::MatMul(..) | ExprKind::Tuple(_) => false,
        ExprKind::Fold { .. } | ExprKind::FoldAll(..) | ExprKind::Total(_) | ExprKind::Primitive(..) => false,
        ExprKind::Dist(..) | ExprKind::DrawPushforward(_) | ExprKind::LogPushforward(..) | ExprKind::Conditional(_) => false,
        ExprKind::LogDensity(_) | ExprKind::LogProb(..) | ExprKind::Kl(..) | ExprKind::Entropy(_) => false,
        ExprKind::Elbo(_) | ExprKind::Iwae(_) => false,
        ExprKind::Grad { .. } | ExprKind::Jacobian { .. } | ExprKind::Divergence { .. } | ExprKind::Hessian { .. } => false,
    }
}
