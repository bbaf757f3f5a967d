//! Parts of an array whose values are known. Each part is a choice of indices on every axis; the array is known when its parts tile it.

use crate::base::op::DType;
use crate::graph::{Builder, NodeId};

/// The elements at all combinations of these indices, and their value in that order.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub indices: Vec<Vec<usize>>,
    pub value: Option<NodeId>,
}

impl Piece {
    pub fn len(&self) -> usize {
        self.indices.iter().map(Vec::len).product()
    }

    pub fn overlaps(&self, other: &Piece) -> bool {
        self.indices.iter().zip(&other.indices).all(|(a, b)| a.iter().any(|i| b.contains(i)))
    }

    fn holds(&self, wanted: &[Vec<usize>]) -> bool {
        self.indices.iter().zip(wanted).all(|(own, wanted)| wanted.iter().all(|i| own.contains(i)))
    }
}

/// All indices of a shape.
pub(super) fn whole(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().map(|&size| (0..size).collect()).collect()
}

/// Whether the pieces hold all the wanted elements.
pub(super) fn covered(pieces: &[Piece], wanted: &[Vec<usize>]) -> bool {
    pieces.iter().any(|piece| piece.holds(wanted))
        || split(pieces, wanted).is_some_and(|(_, parts)| parts.iter().all(|p| covered(pieces, p)))
}

/// The wanted elements, joined from pieces; `None` where some are not known.
pub(super) fn assemble(b: &mut Builder, pieces: &[Piece], wanted: &[Vec<usize>]) -> Option<NodeId> {
    if let Some(piece) = pieces.iter().find(|piece| piece.holds(wanted)) {
        let mut node = piece.value?;
        for (axis, (own, wanted)) in piece.indices.iter().zip(wanted).enumerate() {
            let places: Vec<usize> = wanted.iter().filter_map(|i| own.iter().position(|j| i == j)).collect();
            node = take(b, node, axis, &places);
        }
        return Some(node);
    }
    let (axis, parts) = split(pieces, wanted)?;
    let nodes = parts.iter().map(|part| assemble(b, pieces, part)).collect::<Option<Vec<_>>>()?;
    let joined = b.join(&nodes, axis);
    let order: Vec<usize> = parts.iter().flat_map(|part| part[axis].iter().copied()).collect();
    let places: Vec<usize> = wanted[axis].iter().filter_map(|i| order.iter().position(|j| i == j)).collect();
    Some(take(b, joined, axis, &places))
}

/// An axis along which the wanted elements belong to different pieces, and the parts that belong to the same.
fn split(pieces: &[Piece], wanted: &[Vec<usize>]) -> Option<(usize, Vec<Vec<Vec<usize>>>)> {
    for axis in 0..wanted.len() {
        let mut groups: Vec<(Vec<bool>, Vec<usize>)> = vec![];
        for &i in &wanted[axis] {
            let of: Vec<bool> = pieces.iter().map(|piece| piece.indices[axis].contains(&i)).collect();
            match groups.iter_mut().find(|(known, _)| *known == of) {
                Some((_, members)) => members.push(i),
                None => groups.push((of, vec![i])),
            }
        }
        if groups.len() > 1 {
            let part = |members: Vec<usize>| {
                let mut part = wanted.to_vec();
                part[axis] = members;
                part
            };
            return Some((axis, groups.into_iter().map(|(_, members)| part(members)).collect()));
        }
    }
    None
}

/// Some places of an axis, in any order.
fn take(b: &mut Builder, x: NodeId, axis: usize, places: &[usize]) -> NodeId {
    let size = b.shape(x)[axis];
    if let (Some(&first), true) = (places.first(), places.windows(2).all(|pair| pair[1] == pair[0] + 1)) {
        return b.slice_axis(x, axis, first, first + places.len());
    }
    if places.len() == size && places.iter().rev().copied().eq(0..size) {
        return b.reverse(x, &[axis]);
    }
    let rank = b.ty(x).rank();
    let front: Vec<usize> = std::iter::once(axis).chain((0..rank).filter(|&i| i != axis)).collect();
    let moved = b.transpose(x, &front);
    let places: Vec<f64> = places.iter().map(|&place| place as f64).collect();
    let index = b.literal(DType::Int, &[places.len()], &places);
    let gathered = b.gather(moved, index, 0);
    let back: Vec<usize> = (0..rank).map(|i| front.iter().position(|&j| i == j).unwrap_or(i)).collect();
    b.transpose(gathered, &back)
}
