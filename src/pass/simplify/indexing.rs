//! Rules of gather and scatter-add at places that are known: counted, counted from an offset, or constant.

use super::rewriter::{Rewriter, View};
use crate::base::op::{BinaryOp, DType};
use crate::graph::Op;
use crate::pass::term::Term;

pub(super) fn gather<'a>(cx: &Rewriter<'a>, x: Term<'a>, index: Term<'a>, batch: usize) -> Option<Term<'a>> {
    let (of_x, of_index) = (x.shape(), index.shape());
    let result = [&of_index[..], &of_x[batch + 1..]].concat();
    let rest = of_index.len()..result.len();
    let (size, last) = (of_x[batch], of_x[batch].saturating_sub(1));
    if let Some(value) = cx.number(x) {
        let dtype = x.ty().dtype;
        return Some(x.make(|b| b.fill(value, dtype, &result)));
    }
    if let Some(place) = cx.number(index) {
        let place = place.clamp(0.0, last as f64) as usize;
        let axes: Vec<usize> = (0..batch).chain(rest).collect();
        let shape = [&of_x[..batch], &of_x[batch + 1..]].concat();
        return Some(x.make(|b| b.slice_axis(x.id, batch, place, place + 1)).reshape(&shape).broadcast(&result, &axes));
    }
    if let Some((offset, length, axis)) = counted(cx, index)
        && axis >= batch
        && offset + length <= size
    {
        let axes: Vec<usize> = (0..batch).chain([axis]).chain(rest).collect();
        return Some(x.make(|b| b.slice_axis(x.id, batch, offset, offset + length)).broadcast(&result, &axes));
    }
    // Numbers in order, read somewhere: the place itself
    let (Op::Iota(_), 0) = (cx.open(x)?.0, batch) else { return None };
    let above = index.binary(BinaryOp::Max, index.zeros());
    Some(above.binary(BinaryOp::Min, index.number(last as f64)))
}

/// An index that is offset, offset + 1, … along one of its axes: (offset, length, axis).
fn counted<'a>(cx: &Rewriter<'a>, index: Term<'a>) -> Option<(usize, usize, usize)> {
    if let Some((Op::Broadcast { axes, .. }, args)) = cx.open(index) {
        let (offset, length, axis) = counted(cx, args[0])?;
        return Some((offset, length, *axes.get(axis)?));
    }
    let (places, offset) = match cx.view(index) {
        View::Shifted(places, offset) if offset >= 0.0 => (places, offset as usize),
        _ => (index, 0),
    };
    match cx.open(places)? {
        (Op::Iota(length), _) => Some((offset, length, 0)),
        _ => None,
    }
}

pub(super) fn scatter_add<'a>(cx: &Rewriter<'a>, index: Term<'a>, y: Term<'a>, batch: usize, size: usize) -> Option<Term<'a>> {
    let (of_index, of_y) = (index.shape(), y.shape());
    let result = [&of_y[..batch], &[size], &of_y[of_index.len()..]].concat();
    if cx.number(y) == Some(0.0) {
        let dtype: DType = y.ty().dtype;
        return Some(y.make(|b| b.fill(0.0, dtype, &result)));
    }
    let (place, length, summed) = match (cx.number(index), counted(cx, index)) {
        (Some(place), _) => (place.clamp(0.0, size.saturating_sub(1) as f64) as usize, 1, (batch..of_index.len()).collect::<Vec<_>>()),
        (None, Some((offset, length, axis))) if axis >= batch => (offset, length, (batch..of_index.len()).filter(|&i| i != axis).collect()),
        _ => return None,
    };
    if place + length > size {
        return None;
    }
    let shape = [&of_y[..batch], &[length], &of_y[of_index.len()..]].concat();
    let (mut before, mut after) = (vec![0; result.len()], vec![0; result.len()]);
    (before[batch], after[batch]) = (place, size - place - length);
    let summed = y.sum(&summed).reshape(&shape);
    Some(summed.make(|b| b.pad(summed.id, &before, &after)))
}
