//! The order of a loop's axes and the axis that runs along vector lanes.

use super::jit::Outer;
use super::lanes::vector_lanes;
use crate::backend::Precision;
use crate::kernel::cost::weight;
use crate::kernel::{Loop, Role};
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
    /// Ranges of turns of the outermost axis start and end anywhere
    pub ragged: bool,
}

impl Schedule {
    /// With `outer`, that parallel axis is the outermost one.
    pub fn new(nest: &Loop, precision: Precision, outer: Option<Outer>) -> Schedule {
        let lanes = vector_lanes(precision);
        let first = outer.map(|outer| outer.axis);
        let mut order = outside_in(nest, first);
        let parallel = order.iter().filter(|&&axis| nest.axes[axis].role == Role::Parallel).count();
        let vector = Schedule::vector_axis(nest, lanes, first);
        if let Some(axis) = vector.filter(|axis| Some(*axis) != first) {
            let end = if nest.axes[axis].role == Role::Parallel { parallel } else { order.len() };
            order.retain(|&other| other != axis);
            order.insert(end - 1, axis);
        }
        let vector = vector.and_then(|axis| order.iter().position(|&other| other == axis));
        let copies = copies(nest);
        let ragged = vector == Some(0) && outer.is_some_and(|outer| outer.turns % (lanes * copies) != 0);
        Schedule { order, parallel, vector, lanes, copies, ragged }
    }

    /// The axis along which most accesses are contiguous; not the first one, unless all others are short.
    fn vector_axis(nest: &Loop, lanes: usize, first: Option<usize>) -> Option<usize> {
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
        long.max_by_key(|&axis| (Some(axis) != first, score(axis), nest.axes[axis].role == Role::Reduced, nest.axes[axis].extent))
    }
}

/// The axes, parallel ones before reduced ones; of each, far jumps outside, short ones inside. The `first` one comes first.
pub fn outside_in(nest: &Loop, first: Option<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nest.axes.len()).collect();
    let reach = |axis: usize| {
        let stores = nest.stores.iter().map(|store| store.index.strides[axis].unsigned_abs()).max();
        let loads = nest.maps().map(|map| map.strides[axis].unsigned_abs()).max();
        (Reverse(stores), Reverse(loads))
    };
    order.sort_by_key(|&axis| (nest.axes[axis].role == Role::Reduced, Some(axis) != first, reach(axis)));
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
