//! Forms that do not overflow or cancel, chosen wherever a logarithm meets what it undoes.

use super::rewriter::{Rewriter, View};
use crate::base::op::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use crate::graph::Op;
use crate::pass::term::Term;
use std::f64::consts::LN_2;

pub(super) fn unary<'a>(cx: &Rewriter<'a>, op: UnaryOp, x: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    match op {
        Log => logarithm(cx, x).or_else(|| log_of_sum(cx, x)).or_else(|| log_inside(cx, x)),
        Log1p => Some(match cx.view(x) {
            View::Unary(Exp, a) => a.unary(Softplus),
            View::Unary(Neg, e) => -cx.operand_of(Sigmoid, e)?.unary(Softplus),
            _ => return None,
        }),
        Exp => Some(match cx.view(x) {
            View::Unary(Neg, e) => match cx.view(e) {
                View::Unary(Softplus, a) => (-a).unary(Sigmoid),
                View::Unary(Log, a) => a.unary(Recip),
                _ => return None,
            },
            View::Shifted(l, c) => cx.operand_of(Log, l)? * c.exp(),
            // Derivations show the logarithm
            View::Binary(BinaryOp::Sub, u, l) if !cx.keeps_stops => normalised(cx, u, l)?,
            _ => return None,
        }),
        Recip => Some(match cx.view(x) {
            View::Shifted(e, 1.0) => (-cx.operand_of(Exp, e)?).unary(Sigmoid),
            _ => return None,
        }),
        _ => None,
    }
}

fn logarithm<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    let is_exp = |x| cx.operand_of(Exp, x).is_some();
    Some(match cx.view(x) {
        View::Unary(Sigmoid, a) => -(-a).unary(Softplus),
        View::Unary(Recip, a) => -a.log(),
        View::Unary(Sqrt, a) => a.log() * 0.5,
        // log(1 − exp a), which arithmetic writes as log(−expm1 a). M. Mächler, Accurately computing log(1 − exp(−|a|)), 2012
        View::Unary(Neg, e) => log_one_minus_exp(cx.operand_of(Expm1, e)?),
        View::Shifted(a, 1.0) => a.unary(Log1p),
        View::From(1.0, a) => (-a).unary(Log1p),
        View::Scaled(a, c) if c > 0.0 => a.log() + c.ln(),
        View::Over(c, a) if c > 0.0 => c.ln() - a.log(),
        View::Binary(BinaryOp::Mul, a, b) if is_exp(a) || is_exp(b) => a.log() + b.log(),
        View::Binary(BinaryOp::Div, a, b) if is_exp(a) || is_exp(b) => a.log() - b.log(),
        _ => return None,
    })
}

/// exp(u - (m + log s)) = exp(u - m) / s, where s is the sum of that very exponential: a softmax takes one exponential for each element.
fn normalised<'a>(cx: &Rewriter<'a>, u: Term<'a>, l: Term<'a>) -> Option<Term<'a>> {
    let (log_sum, axes) = cx.broadcast(l)?;
    let View::Binary(BinaryOp::Add, a, b) = cx.view(log_sum) else { return None };
    let of = |m: Term<'a>, log: Term<'a>| {
        let s = cx.operand_of(UnaryOp::Log, log)?;
        let (Op::Reduce { op: ReduceOp::Sum, .. }, args) = cx.open(s)? else { return None };
        let exponential = (u - m.broadcast(&u.shape(), &axes)).exp();
        (cx.operand_of(UnaryOp::Exp, args[0]).is_some() && args[0].id == exponential.id)
            .then(|| exponential * s.unary(UnaryOp::Recip).broadcast(&u.shape(), &axes))
    };
    of(a, b).or_else(|| of(b, a))
}

/// For a < 0: log(expm1(−a)) + a near 0, log1p(−exp a) below −log 2.
fn log_one_minus_exp(a: Term<'_>) -> Term<'_> {
    let near_zero = (-a).unary(UnaryOp::Expm1).log() + a;
    let far = (-a.exp()).unary(UnaryOp::Log1p);
    a.compare(CompareOp::Gt, a.number(-LN_2)).select(near_zero, far)
}

/// log Σ w exp u = m + log Σ w exp(u − m), with m the maximum of u over what is summed.
fn log_of_sum<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Option<Term<'a>> {
    match cx.open(x)? {
        (Op::Reduce { op: ReduceOp::Sum, axes }, args) => {
            let (u, weight) = exponential_factor(cx, args[0])?;
            let m = maximum(u, &axes);
            let shifted = (u - m.spread_back(&u.shape(), &axes)).exp();
            Some(weight.map_or(shifted, |w| shifted * w).sum(&axes).log() + m)
        }
        (Op::Contract { a, b, out }, args) => {
            let place = |operand: usize| exponent(cx, args[operand]).map(|u| (operand, u));
            let (operand, u) = place(0).or_else(|| place(1))?;
            let labels = [&a, &b][operand];
            let summed: Vec<usize> = (0..labels.len()).filter(|&i| !out.contains(&labels[i])).collect();
            let m = maximum(u, &summed);
            let shifted = (u - m.spread_back(&u.shape(), &summed)).exp();
            let [left, right] = if operand == 0 { [shifted, args[1]] } else { [args[0], shifted] };
            // m has the labels of its operand that are kept, in the operand's order; the result has those of `out`
            let kept: Vec<usize> = labels.iter().filter_map(|label| out.iter().position(|o| o == label)).collect();
            let mut order: Vec<usize> = (0..kept.len()).collect();
            order.sort_by_key(|&i| kept[i]);
            let axes: Vec<usize> = order.iter().map(|&i| kept[i]).collect();
            let m = m.transpose(&order).broadcast(&x.shape(), &axes);
            Some(left.contract(right, &a, &b, &out).log() + m)
        }
        _ => None,
    }
}

/// u and w of a summand w exp(u) that has not been shifted yet.
fn exponential_factor<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Option<(Term<'a>, Option<Term<'a>>)> {
    if let Some(u) = exponent(cx, x) {
        return Some((u, None));
    }
    match cx.view(x) {
        View::Binary(BinaryOp::Mul, a, b) => {
            let of = |e: Term<'a>, w: Term<'a>| exponent(cx, e).map(|u| (u, Some(w)));
            of(a, b).or_else(|| of(b, a))
        }
        _ => None,
    }
}

fn exponent<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Option<Term<'a>> {
    cx.operand_of(UnaryOp::Exp, x).filter(|&u| !is_shifted(cx, u))
}

/// Whether a maximum is taken off already: by [`log_of_sum`] or in the source. Arithmetic moves added numbers outside.
fn is_shifted<'a>(cx: &Rewriter<'a>, u: Term<'a>) -> bool {
    let mut m = match cx.view(u) {
        View::Shifted(v, _) => return is_shifted(cx, v),
        View::Binary(BinaryOp::Sub, _, m) => m,
        _ => return false,
    };
    // Nothing depends on the maximum, so that it is closed where a part of a graph is simplified
    while let (Op::Broadcast { .. } | Op::Stop | Op::Reshape(_) | Op::Transpose(_), args) = cx.parts(m.id) {
        m = cx.term(args[0]);
    }
    match cx.parts(m.id) {
        (Op::Reduce { op: ReduceOp::Max, .. }, _) => true,
        (Op::Select, args) => matches!(cx.parts(args[0]).0, Op::Unary(UnaryOp::IsFinite)),
        _ => false,
    }
}

/// The maximum, 0 where it is infinite. The result does not depend on it, so neither do derivatives.
fn maximum<'a>(u: Term<'a>, axes: &[usize]) -> Term<'a> {
    let m = u.apply(Op::Reduce { op: ReduceOp::Max, axes: axes.to_vec() });
    m.unary(UnaryOp::IsFinite).select(m, m.zeros()).apply(Op::Stop)
}

/// The logarithm of elements that are moved, taken before, where it undoes what made them.
fn log_inside<'a>(cx: &Rewriter<'a>, x: Term<'a>) -> Option<Term<'a>> {
    let (op, args) = cx.open(x)?;
    match op {
        Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Gather { .. } | Op::Reverse { .. } => {}
        _ => return None,
    }
    let inner = args[0];
    let undone = match cx.view(inner) {
        View::Unary(UnaryOp::Exp | UnaryOp::Sigmoid, _) => true,
        View::Binary(BinaryOp::Mul | BinaryOp::Div, a, b) => cx.operand_of(UnaryOp::Exp, a).or(cx.operand_of(UnaryOp::Exp, b)).is_some(),
        _ => false,
    };
    let operands: Vec<_> = [inner.log().id].into_iter().chain(args[1..].iter().map(|arg| arg.id)).collect();
    undone.then(|| x.make(|b| b.push(op, &operands)))
}
