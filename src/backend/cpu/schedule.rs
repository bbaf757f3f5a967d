//! The order of a loop's axes and the axis that runs along vector lanes.

use super::lanes::vector_lanes;
use crate::backend::Precision;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::kernel::{InstrKind, Loop, Role};
use std::cmp::Reverse;

#[derive(Debug)]
pub struct Schedule {
    /// Axes, outermost first: parallel ones, then reduced ones
    pub order: Vec<usize>,
    /// How many of them are parallel
    pub parallel: usize,
    /// The position in `order` of the axis along the lanes: the last of its role
    pub vector: Option<usize>,
    /// Lanes of a vector
    pub lanes: usize,
    /// Vectors computed side by side
    pub copies: usize,
}

impl Schedule {
    pub fn new(nest: &Loop, precision: Precision) -> Schedule {
        let lanes = vector_lanes(precision);
        let mut order = outside_in(nest);
        let parallel = order.iter().filter(|&&axis| nest.axes[axis].role == Role::Parallel).count();
        let vector = Schedule::vector_axis(nest, lanes);
        if let Some(axis) = vector {
            let end = if nest.axes[axis].role == Role::Parallel { parallel } else { order.len() };
            order.retain(|&other| other != axis);
            order.insert(end - 1, axis);
        }
        let vector = vector.and_then(|axis| order.iter().position(|&other| other == axis));
        Schedule { order, parallel, vector, lanes, copies: copies(nest) }
    }

    /// The axis along which most accesses are contiguous.
    fn vector_axis(nest: &Loop, lanes: usize) -> Option<usize> {
        let score = |axis: usize| -> i64 {
            let along = |stride: i64| match stride {
                1 => 4,
                0 => 1,
                _ => -2,
            };
            let loads: i64 = nest.body.iter().filter_map(|instr| instr.map()).map(|map| along(map.strides[axis])).sum();
            let stores: i64 = nest.stores.iter().map(|store| 2 * along(store.index.strides[axis])).sum();
            loads + stores
        };
        let long = (0..nest.axes.len()).filter(|&axis| nest.axes[axis].extent >= lanes);
        long.max_by_key(|&axis| (score(axis), nest.axes[axis].role == Role::Reduced, nest.axes[axis].extent))
    }
}

/// The axes, parallel ones before reduced ones; of each, far jumps outside, short ones inside.
pub fn outside_in(nest: &Loop) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nest.axes.len()).collect();
    let reach = |axis: usize| {
        let stores = nest.stores.iter().map(|store| store.index.strides[axis].unsigned_abs()).max();
        let loads = nest.maps().map(|map| map.strides[axis].unsigned_abs()).max();
        (Reverse(stores), Reverse(loads))
    };
    order.sort_by_key(|&axis| (nest.axes[axis].role == Role::Reduced, reach(axis)));
    order
}

/// Light bodies take several vectors at a time, to hide latencies; heavy ones would run out of registers.
pub fn copies(nest: &Loop) -> usize {
    match weight(nest) {
        0..=6 => 4,
        7..=14 => 2,
        _ => 1,
    }
}

/// The cost of one turn, in additions.
pub fn weight(nest: &Loop) -> usize {
    let weight = |kind: &InstrKind| match kind {
        InstrKind::Unary(UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Not, _) => 1,
        InstrKind::Unary(UnaryOp::Sqrt | UnaryOp::Recip, _) | InstrKind::Binary(BinaryOp::Div, ..) => 4,
        InstrKind::Unary(..) | InstrKind::Binary(BinaryOp::Pow | BinaryOp::Rem | BinaryOp::FloorDiv, ..) => 16,
        InstrKind::Binary(..) | InstrKind::Compare(..) | InstrKind::Select(..) | InstrKind::Cast(_) => 1,
        InstrKind::Constant(_) | InstrKind::Index(_) | InstrKind::Load { .. } => 1,
    };
    nest.body.iter().map(|instr| weight(&instr.kind)).sum()
}
