//! What holds for every elementwise operation, and rules of `Select` and `Cast`.

use super::joins;
use super::rewriter::{Rewriter, View};
use crate::base::op::{DType, UnaryOp};
use crate::graph::interpret::elementwise::{binary_scalar, cast_scalar, compare_scalar, unary_scalar};
use crate::graph::{NodeId, Op};
use crate::pass::term::Term;

pub(super) fn general<'a>(cx: &Rewriter<'a>, op: &Op, args: &[NodeId], y: Term<'a>) -> Option<Term<'a>> {
    fold(cx, op, args, y).or_else(|| before_broadcast(cx, op, args, y)).or_else(|| joins::elementwise(cx, op, args, y))
}

/// An operation on numbers, computed.
fn fold<'a>(cx: &Rewriter<'a>, op: &Op, args: &[NodeId], y: Term<'a>) -> Option<Term<'a>> {
    let x: Vec<f64> = args.iter().map(|&arg| cx.number(cx.term(arg))).collect::<Option<_>>()?;
    let dtype = cx.term(args[0]).ty().dtype;
    let value = match op {
        Op::Unary(op) => unary_scalar(*op, x[0]),
        Op::Binary(op) => binary_scalar(*op, dtype, x[0], x[1]),
        Op::Compare(op) => f64::from(compare_scalar(*op, x[0], x[1])),
        Op::Cast(to) => cast_scalar(x[0], dtype, *to),
        _ => return None,
    };
    Some(y.number(value))
}

/// An operation on repeated values, computed before they are repeated: over those axes only that some operand has.
fn before_broadcast<'a>(cx: &Rewriter<'a>, op: &Op, args: &[NodeId], y: Term<'a>) -> Option<Term<'a>> {
    let parts: Vec<(Term<'a>, Vec<usize>)> = args.iter().map(|&arg| cx.broadcast(cx.term(arg))).collect::<Option<_>>()?;
    let shape = y.shape();
    let axes: Vec<usize> = (0..shape.len()).filter(|axis| parts.iter().any(|(_, axes)| axes.contains(axis))).collect();
    if axes.len() == shape.len() {
        return None;
    }
    let small: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let place = |axis: &usize| axes.iter().position(|a| a == axis);
    let operands: Vec<NodeId> = parts
        .iter()
        .map(|(part, own)| match cx.number(*part) {
            Some(value) => part.make(|b| {
                let dtype = b.ty(part.id).dtype;
                b.fill(value, dtype, &small)
            }),
            None => part.broadcast(&small, &own.iter().filter_map(place).collect::<Vec<_>>()),
        })
        .map(|operand| operand.id)
        .collect();
    Some(y.make(|b| b.push(op.clone(), &operands)).broadcast(&shape, &axes))
}

pub(super) fn select<'a>(cx: &Rewriter<'a>, condition: Term<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    if a.id == b.id {
        return Some(a);
    }
    let same_condition = |x: Term<'a>| match cx.open(x)? {
        (Op::Select, args) if args[0].id == condition.id => Some(args),
        _ => None,
    };
    Some(match cx.view(condition) {
        View::Number(value) => [b, a][usize::from(value != 0.0)],
        View::Unary(UnaryOp::Not, opposite) => opposite.select(b, a),
        _ => match (same_condition(a), same_condition(b)) {
            (Some(inner), _) => condition.select(inner[1], b),
            (_, Some(inner)) => condition.select(a, inner[2]),
            _ => return None,
        },
    })
}

pub(super) fn cast<'a>(cx: &Rewriter<'a>, dtype: DType, x: Term<'a>) -> Option<Term<'a>> {
    if x.ty().dtype == dtype {
        return Some(x);
    }
    let (Op::Cast(_), args) = cx.open(x)? else { return None };
    // Through Real or Int nothing is lost that came from Bool, and through Real nothing that came from Int
    match (args[0].ty().dtype, x.ty().dtype) {
        (DType::Bool, _) | (DType::Int, DType::Real) => Some(args[0].cast(dtype)),
        (DType::Int | DType::Real, _) => None,
    }
}
