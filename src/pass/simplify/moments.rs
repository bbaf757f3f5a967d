//! Products of differences u - v of which each side is repeated along axes of the other, as in \[x\[n,d\] - mu\[k,d\]\]: the product of
//! each side alone is much smaller than the array of all differences. Both sides are taken from a common centre c, the mean of v over
//! the axes along which u is repeated, so that digits are lost only to the spread of v, not to where it lies.

use super::rewriter::{Rewriter, View};
use super::symmetric;
use crate::base::op::BinaryOp;
use crate::graph::Op;
use crate::pass::term::Term;

/// A value over some of the labels of a contraction.
#[derive(Clone)]
struct Labelled<'a> {
    term: Term<'a>,
    labels: Vec<u8>,
}

/// u - v, each repeated along labels of the other
struct Difference<'a> {
    u: Labelled<'a>,
    v: Labelled<'a>,
}

pub(super) fn contract<'a>(cx: &Rewriter<'a>, x: Term<'a>, y: Term<'a>, [a, b, out]: [&[u8]; 3]) -> Option<Term<'a>> {
    if cx.keeps_stops {
        return None;
    }
    let [x, y] = [(x, a), (y, b)].map(|(term, labels)| Labelled { term, labels: labels.to_vec() });
    let distributed = |x: &Labelled<'a>, y: &Labelled<'a>| distributed(difference(cx, x, out)?, y, out);
    second_moment(cx, &x, &y, out)
        .or_else(|| second_moment(cx, &y, &x, out))
        .or_else(|| distributed(&x, &y))
        .or_else(|| distributed(&y, &x))
}

/// Sum of (u - v) y as the difference of two products.
fn distributed<'a>(of: Difference<'a>, y: &Labelled<'a>, out: &[u8]) -> Option<Term<'a>> {
    // A side that varies over less than what is summed would leave sums of y
    let complete = |side: &Labelled<'a>| y.labels.iter().all(|label| out.contains(label) || side.labels.contains(label));
    if !complete(&of.u) || !complete(&of.v) {
        return None;
    }
    let of = of.centred();
    let shape = out.iter().map(|&label| size(label, &[&of.u, &of.v, y])).collect::<Option<Vec<usize>>>()?;
    Some(product(&of.u, y, out, &shape) - product(&of.v, y, out, &shape))
}

/// Σ over n of w (u - v) (u' - v'), where u and u' vary over n, v and v' over the labels of w that are kept.
struct SecondMoment<'a> {
    w: Labelled<'a>,
    one: Difference<'a>,
    two: Difference<'a>,
    /// The label of the one difference that w lacks, and of the other
    own: [u8; 2],
    /// The labels of w that are summed
    rows: Vec<u8>,
    kept: Vec<u8>,
}

fn second_moment<'a>(cx: &Rewriter<'a>, x: &Labelled<'a>, y: &Labelled<'a>, out: &[u8]) -> Option<Term<'a>> {
    let View::Binary(BinaryOp::Mul, left, right) = cx.view(x.term) else { return None };
    let [left, right] = [left, right].map(|term| Labelled { term, labels: x.labels.clone() });
    let split = |weight: &Labelled<'a>, of: &Labelled<'a>| Some((repeated(cx, weight)?, difference(cx, of, out)?));
    let (w, one) = split(&left, &right).or_else(|| split(&right, &left))?;
    let two = difference(cx, y, out)?;
    let (kept, rows): (Vec<u8>, Vec<u8>) = w.labels.iter().copied().partition(|label| out.contains(label));
    let own = |of: &Difference<'a>| {
        let own: Vec<u8> = of.u.labels.iter().copied().filter(|label| !w.labels.contains(label)).collect();
        let fits = of.u.labels.iter().all(|label| own.contains(label) || rows.contains(label))
            && of.v.labels.iter().all(|label| own.contains(label) || kept.contains(label));
        if let ([label], true) = (&own[..], fits) { Some(*label) } else { None }
    };
    let own = [own(&one)?, own(&two)?];
    let moment = SecondMoment { w, one, two, own, rows, kept };
    (own[0] != own[1] && moment.pays()?).then(|| moment.expanded(out))?
}

impl<'a> SecondMoment<'a> {
    fn sizes(&self, labels: &[u8]) -> Option<Vec<usize>> {
        let all = [&self.w, &self.one.u, &self.one.v, &self.two.u, &self.two.v];
        labels.iter().map(|&label| size(label, &all)).collect()
    }

    /// Whether the products u u' of a row are fewer than its differences.
    fn pays(&self) -> Option<bool> {
        let classes: usize = self.sizes(&self.kept)?.iter().product();
        let own = self.sizes(&self.own)?;
        Some(own[0] * own[1] <= classes * (own[0] + own[1]) / 2)
    }

    /// Σ w u u' - (Σ w u) v' - v (Σ w u') + (Σ w) v v', from the centre.
    fn expanded(self, out: &[u8]) -> Option<Term<'a>> {
        let labels = [&self.rows[..], &self.own].concat();
        let (shape, rows_shape) = (self.sizes(out)?, self.sizes(&labels)?);
        let SecondMoment { w, one, two, own, rows, kept } = self;
        let (one, two) = (one.centred(), two.centred());
        let place = |of: &Labelled<'a>| spread(of, out, &shape);
        let first = |u: &Labelled<'a>| {
            let labels: Vec<u8> = out.iter().copied().filter(|label| kept.contains(label) || u.labels.contains(label)).collect();
            place(&Labelled { term: contracted(&w, u, &labels), labels })
        };
        let summed: Vec<usize> = (0..w.labels.len()).filter(|&i| rows.contains(&w.labels[i])).collect();
        let total = place(&Labelled { term: w.term.sum(&summed), labels: kept.clone() });
        let (v, other) = (place(&one.v), place(&two.v));
        let symmetric = (one.u.term.id == two.u.term.id)
            .then(|| symmetric::second_moment((w.term, &w.labels), (one.u.term, &one.u.labels), own[0], &kept));
        let moment = symmetric.flatten().map_or_else(
            || {
                let products = spread(&one.u, &labels, &rows_shape) * spread(&two.u, &labels, &rows_shape);
                w.term.contract(products, &w.labels, &labels, out)
            },
            |term| place(&Labelled { term, labels: [&own[..], &kept].concat() }),
        );
        Some(moment - (first(&one.u) * other + v * first(&two.u) - total * v * other))
    }
}

/// What is repeated along some of its labels.
fn repeated<'a>(cx: &Rewriter<'a>, x: &Labelled<'a>) -> Option<Labelled<'a>> {
    let (Op::Broadcast { axes, .. }, args) = cx.open(x.term)? else { return None };
    Some(Labelled { term: args[0], labels: axes.iter().map(|&axis| x.labels[axis]).collect() })
}

fn difference<'a>(cx: &Rewriter<'a>, x: &Labelled<'a>, out: &[u8]) -> Option<Difference<'a>> {
    let View::Binary(BinaryOp::Sub, u, v) = cx.view(x.term) else { return None };
    let side = |term| repeated(cx, &Labelled { term, labels: x.labels.clone() });
    let (u, v) = (side(u)?, side(v)?);
    let shape = x.term.shape();
    let long = |label: &u8| x.labels.iter().position(|l| l == label).is_some_and(|axis| shape[axis] > 1);
    let lacks = |one: &Labelled<'a>, other: &Labelled<'a>| one.labels.iter().any(|label| long(label) && !other.labels.contains(label));
    let common = u.labels.iter().any(|label| v.labels.contains(label));
    // v, whose mean is the centre, varies over what stays
    let stays = v.labels.iter().all(|label| out.contains(label) || u.labels.contains(label));
    (lacks(&u, &v) && lacks(&v, &u) && common && stays).then_some(Difference { u, v })
}

impl<'a> Difference<'a> {
    fn centred(self) -> Difference<'a> {
        let Difference { u, v } = self;
        let alone: Vec<usize> = (0..v.labels.len()).filter(|&i| !u.labels.contains(&v.labels[i])).collect();
        let count: usize = alone.iter().map(|&axis| v.term.shape()[axis]).product();
        let labels = v.labels.iter().copied().filter(|label| u.labels.contains(label)).collect();
        let centre = Labelled { term: v.term.sum(&alone) * (1.0 / count as f64), labels };
        let less = |side: Labelled<'a>| {
            let centre = spread(&centre, &side.labels, &side.term.shape());
            Labelled { term: side.term - centre, labels: side.labels }
        };
        Difference { u: less(u), v: less(v) }
    }
}

fn size(label: u8, of: &[&Labelled<'_>]) -> Option<usize> {
    of.iter().find_map(|x| x.labels.iter().position(|&l| l == label).map(|axis| x.term.shape()[axis]))
}

/// The contraction of two values, by labels in the order in which they occur, so that equal ones are shared.
fn contracted<'a>(x: &Labelled<'a>, y: &Labelled<'a>, out: &[u8]) -> Term<'a> {
    let mut seen: Vec<u8> = vec![];
    for label in x.labels.iter().chain(&y.labels) {
        if !seen.contains(label) {
            seen.push(*label);
        }
    }
    let number = |labels: &[u8]| -> Vec<u8> {
        labels.iter().filter_map(|label| seen.iter().position(|l| l == label)).map(|place| place as u8).collect()
    };
    x.term.contract(y.term, &number(&x.labels), &number(&y.labels), &number(out))
}

/// The contraction of two values, repeated along labels of `out` that neither has.
fn product<'a>(x: &Labelled<'a>, y: &Labelled<'a>, out: &[u8], shape: &[usize]) -> Term<'a> {
    let labels: Vec<u8> = out.iter().copied().filter(|label| x.labels.contains(label) || y.labels.contains(label)).collect();
    spread(&Labelled { term: x.term.contract(y.term, &x.labels, &y.labels, &labels), labels }, out, shape)
}

/// A value repeated over the labels of an array of that shape, which holds its own.
fn spread<'a>(x: &Labelled<'a>, labels: &[u8], shape: &[usize]) -> Term<'a> {
    let places: Vec<usize> = x.labels.iter().filter_map(|label| labels.iter().position(|l| l == label)).collect();
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&i| places[i]);
    let axes: Vec<usize> = order.iter().map(|&i| places[i]).collect();
    x.term.transpose(&order).broadcast(shape, &axes)
}
