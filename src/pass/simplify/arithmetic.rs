//! Identities of arithmetic.

use super::rewriter::{Rewriter, View};
use crate::base::op::{BinaryOp, UnaryOp};
use crate::pass::term::Term;

pub(super) fn unary<'a>(cx: &Rewriter<'a>, op: UnaryOp, x: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    Some(match (op, cx.view(x)) {
        (Neg, View::Unary(Neg, a)) => a,
        (Neg, View::Binary(BinaryOp::Sub, a, b)) => b - a,
        (Neg, View::From(c, a)) => a + -c,
        (Neg, View::Shifted(a, c)) => -c - a,
        (Neg, View::Scaled(a, c)) => a * -c,
        (Neg, View::Over(c, a)) => -c / a,
        (Exp, View::Unary(Log, a)) => a,
        (Exp, View::Unary(Log1p, a)) => a + 1.0,
        (Log, View::Unary(Exp, a)) => a,
        (Expm1, View::Unary(Log1p, a)) => a,
        (Expm1, View::Unary(Log, a)) => a + -1.0,
        (Log1p, View::Unary(Expm1, a)) => a,
        (Recip, View::Unary(Recip, a)) => a,
        (Recip, View::Unary(Exp, a)) => (-a).exp(),
        (Recip, View::Unary(Neg, a)) => -a.unary(Recip),
        (Recip, View::Binary(BinaryOp::Div, a, b)) => b / a,
        (Recip, View::Over(c, a)) if c != 0.0 => a * (1.0 / c),
        (Recip, View::Scaled(a, c)) if c != 0.0 => 1.0 / c / a,
        (Sqrt, View::Binary(BinaryOp::Mul, a, b)) if a.id == b.id => a.unary(Abs),
        (Abs, View::Unary(Neg, a)) => a.unary(Abs),
        (Abs, View::Unary(Abs | Sqrt | Exp | Sigmoid | Softplus, _)) => x,
        (Not, View::Unary(Not, a)) => a,
        _ => return None,
    })
}

pub(super) fn binary<'a>(cx: &Rewriter<'a>, op: BinaryOp, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    use BinaryOp::*;
    match op {
        Add => commuted(cx, op, a, b).or_else(|| add(cx, a, b)).or_else(|| factor_out(cx, a, b)),
        Mul => commuted(cx, op, a, b).or_else(|| multiply(cx, a, b)),
        Sub => subtract(cx, a, b),
        Div => divide(cx, a, b),
        Pow => power(cx, a, b),
        Max | Min => (a.id == b.id).then_some(a).or_else(|| commuted(cx, op, a, b)),
        And => (a.id == b.id).then_some(a).or_else(|| decided(cx, a, b, 0.0)).or_else(|| decided(cx, b, a, 0.0)),
        Or => (a.id == b.id).then_some(a).or_else(|| decided(cx, a, b, 1.0)).or_else(|| decided(cx, b, a, 1.0)),
        FloorDiv => (cx.number(b) == Some(1.0)).then_some(a),
        Rem => None,
    }
}

/// `And` with false and `Or` with true are decided by that operand; with the opposite they are the other operand.
fn decided<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>, decisive: f64) -> Option<Term<'a>> {
    cx.number(a).map(|a_value| if a_value == decisive { a } else { b })
}

/// Numbers second; sums and products in the order of their operands, so that equal ones are shared.
fn commuted<'a>(cx: &Rewriter<'a>, op: BinaryOp, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    let by_order = matches!(op, BinaryOp::Add | BinaryOp::Mul) && a.id > b.id;
    match (cx.number(a), cx.number(b)) {
        (Some(_), None) => Some(b.binary(op, a)),
        (None, None) if by_order => Some(b.binary(op, a)),
        _ => None,
    }
}

fn add<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    Some(match (cx.view(a), cx.view(b)) {
        (_, View::Number(0.0)) => a,
        (View::Unary(Exp, x), View::Number(-1.0)) => x.unary(Expm1),
        (View::Shifted(x, c), View::Number(d)) => x + (c + d),
        (View::From(c, x), View::Number(d)) => (c + d) - x,
        (_, View::Unary(Neg, y)) => a - y,
        (View::Unary(Neg, x), _) => b - x,
        (View::Scaled(x, c), View::Scaled(y, d)) if x.id == y.id => x * (c + d),
        (View::Scaled(x, c), View::Scaled(y, d)) if c == d => (x + y) * c,
        (View::Scaled(x, c), View::Scaled(y, d)) if c == -d => (x - y) * c,
        (View::Scaled(x, c), _) if x.id == b.id => x * (c + 1.0),
        (_, View::Scaled(y, d)) if a.id == y.id => y * (d + 1.0),
        (View::Shifted(x, c), _) => (x + b) + c,
        (_, View::Shifted(y, d)) => (a + y) + d,
        _ if a.id == b.id => a * 2.0,
        _ => return None,
    })
}

/// x s + x t = x (s + t) where s and t are repeated, so that their sum is made once: the derivative of a product of activations along
/// several directions. Only in whole graphs: elsewhere the terms are what a reader of the derivation sees.
fn factor_out<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    let is_product = |x| matches!(cx.view(x), View::Binary(BinaryOp::Mul, _, _));
    if cx.keeps_stops || !is_product(a) || !is_product(b) {
        return None;
    }
    let (mut of_a, mut of_b) = (factors(cx, a, 1), factors(cx, b, 1));
    let common = of_a.iter().copied().find(|x| cx.broadcast(*x).is_none() && of_b.iter().any(|y| y.id == x.id))?;
    for factors in [&mut of_a, &mut of_b] {
        let place = factors.iter().position(|x| x.id == common.id)?;
        factors.remove(place);
    }
    let is_repeated = |x: &Term<'a>| cx.broadcast(*x).is_some();
    if !of_a.iter().chain(&of_b).all(is_repeated) {
        return None;
    }
    let product = |factors: Vec<Term<'a>>| factors.into_iter().reduce(|x, y| x * y);
    Some(common * (product(of_a)? + product(of_b)?))
}

/// What is multiplied, to some depth.
fn factors<'a>(cx: &Rewriter<'a>, x: Term<'a>, depth: usize) -> Vec<Term<'a>> {
    match cx.view(x) {
        View::Binary(BinaryOp::Mul, a, b) if depth <= 3 => [factors(cx, a, depth + 1), factors(cx, b, depth + 1)].concat(),
        _ => vec![x],
    }
}

fn subtract<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    Some(match (cx.view(a), cx.view(b)) {
        _ if a.id == b.id => a.zeros(),
        (_, View::Number(0.0)) => a,
        (_, View::Number(d)) => a + -d,
        (View::Number(0.0), _) => -b,
        (View::Number(1.0), View::Unary(Exp, y)) => -y.unary(Expm1),
        (View::Number(c), View::Shifted(y, d)) => (c - d) - y,
        (View::Number(c), View::From(d, y)) => y + (c - d),
        (_, View::Unary(Neg, y)) => a + y,
        (View::Scaled(x, c), View::Scaled(y, d)) if x.id == y.id => x * (c - d),
        (View::Scaled(x, c), View::Scaled(y, d)) if c == d => (x - y) * c,
        (View::Scaled(x, c), View::Scaled(y, d)) if c == -d => (x + y) * c,
        (View::Shifted(x, c), _) => (x - b) + c,
        (_, View::Shifted(y, d)) => (a - y) + -d,
        _ => return None,
    })
}

fn multiply<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    Some(match (cx.view(a), cx.view(b)) {
        (_, View::Number(0.0)) => b,
        (_, View::Number(1.0)) => a,
        (_, View::Number(-1.0)) => -a,
        (View::Scaled(x, c), View::Number(d)) => x * (c * d),
        (View::Unary(Neg, x), View::Number(d)) => x * -d,
        (View::Over(c, x), View::Number(d)) => (c * d) / x,
        (_, View::Number(_)) => return None,
        (View::Unary(Neg, x), _) => -(x * b),
        (_, View::Unary(Neg, y)) => -(a * y),
        (View::Scaled(x, c), _) => (x * b) * c,
        (_, View::Scaled(y, d)) => (a * y) * d,
        (View::Unary(Sqrt, x), _) if a.id == b.id => x,
        (View::Unary(Recip, x), _) => b / x,
        (_, View::Unary(Recip, y)) => a / y,
        (View::Over(c, x), _) => (b / x) * c,
        (_, View::Over(d, y)) => (a / y) * d,
        (View::Binary(BinaryOp::Div, x, y), _) if y.id == b.id => x,
        (_, View::Binary(BinaryOp::Div, x, y)) if y.id == a.id => x,
        _ => return None,
    })
}

fn divide<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    Some(match (cx.view(a), cx.view(b)) {
        (_, View::Number(d)) if d != 0.0 && (1.0 / d).is_finite() => a * (1.0 / d),
        (_, View::Number(_)) => return None,
        _ if a.id == b.id => a.number(1.0),
        (View::Number(0.0), _) => a,
        (View::Number(1.0), _) => b.unary(Recip),
        (_, View::Unary(Recip, y)) => a * y,
        (_, View::Unary(Exp, y)) => a * (-y).exp(),
        (View::Unary(Neg, x), _) => -(x / b),
        (_, View::Unary(Neg, y)) => -(a / y),
        (View::Number(c), View::Scaled(y, d)) if d != 0.0 => (c / d) / y,
        (View::Number(c), View::Shifted(e, 1.0)) => cx.operand_of(Exp, e).map(|y| (-y).unary(Sigmoid) * c)?,
        (View::Number(c), View::Over(d, y)) if d != 0.0 => y * (c / d),
        (View::Unary(Exp, x), View::Shifted(e, 1.0)) if e.id == a.id => x.unary(Sigmoid),
        (View::Scaled(x, c), _) => (x / b) * c,
        (_, View::Scaled(y, d)) if d != 0.0 => (a / y) * (1.0 / d),
        (View::Binary(BinaryOp::Mul, x, y), _) if y.id == b.id => x,
        (View::Binary(BinaryOp::Mul, x, y), _) if x.id == b.id => y,
        _ => return None,
    })
}

fn power<'a>(cx: &Rewriter<'a>, a: Term<'a>, b: Term<'a>) -> Option<Term<'a>> {
    use UnaryOp::*;
    Some(match (cx.view(a), cx.number(b)) {
        (_, Some(0.0)) => a.number(1.0),
        (_, Some(1.0)) => a,
        (_, Some(2.0)) => a * a,
        (_, Some(3.0)) => a * a * a,
        (_, Some(4.0)) => (a * a) * (a * a),
        (_, Some(0.5)) => a.unary(Sqrt),
        (_, Some(1.5)) => a * a.unary(Sqrt),
        (_, Some(-0.5)) => a.unary(Sqrt).unary(Recip),
        (_, Some(-1.0)) => a.unary(Recip),
        (_, Some(-2.0)) => (a * a).unary(Recip),
        (View::Unary(Exp, x), _) => (x * b).exp(),
        _ => return None,
    })
}
