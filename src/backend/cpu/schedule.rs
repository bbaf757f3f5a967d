//! The order of a loop's axes and the axis that runs along vector lanes.

use super::jit::Outer;
use super::lanes::vector_lanes;
use crate::backend::Precision;
use crate::kernel::cost::weight;
use crate::kernel::{Axis, Loop, Role};
use std::cmp::Reverse;
use std::iter::successors;

/// Registers for what reductions down columns keep
const ROOM: usize = 14;

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
    /// The loops inside of that along the lanes reduce: down columns, one vector would wait for itself
    pub columns: bool,
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
        let turns = |axis: usize| outer.filter(|outer| outer.axis == axis).map_or(nest.axes[axis].extent, |outer| outer.turns);
        let vector = Schedule::vector_axis(nest, lanes, first, turns);
        if let Some(axis) = vector.filter(|axis| Some(*axis) != first) {
            let end = if nest.axes[axis].role == Role::Parallel { parallel } else { order.len() };
            order.retain(|&other| other != axis);
            order.insert(end - 1, axis);
        }
        let columns = vector.is_some_and(|axis| nest.axes[axis].role == Role::Parallel) && parallel < order.len();
        let copies = if columns { down_columns(nest, vector.map_or(1, turns) / lanes, ROOM) } else { copies(nest) };
        let vector = vector.and_then(|axis| order.iter().position(|&other| other == axis));
        let ragged = vector == Some(0) && outer.is_some_and(|outer| outer.turns % (lanes * copies) != 0);
        Schedule { order, parallel, vector, lanes, copies, columns, ragged }
    }

    /// How many vectors the loops along the lanes take side by side, one after another; the last one takes single elements.
    pub fn widths(&self) -> impl Iterator<Item = usize> + use<> {
        widths(self.copies, self.columns)
    }

    /// The axis along which all accesses are contiguous, or most of them; not the first one, unless all others are short.
    fn vector_axis(nest: &Loop, lanes: usize, first: Option<usize>, turns: impl Fn(usize) -> usize) -> Option<usize> {
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
        let dense = |axis: usize| nest.maps().all(|map| matches!(map.strides[axis], 0 | 1));
        let long = (0..nest.axes.len()).filter(|&axis| turns(axis) >= lanes);
        long.max_by_key(|&axis| {
            let Axis { extent, role } = nest.axes[axis];
            (dense(axis), Some(axis) != first, score(axis), role == Role::Reduced, extent)
        })
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

/// Where loops along the lanes reduce down columns: of so many vectors, how many are taken side by side, with `room` in registers.
/// The more, the longer are the pieces of memory that are read at a time.
pub fn down_columns(nest: &Loop, vectors: usize, room: usize) -> usize {
    let most = match weight(nest) {
        0..=3 => 16,
        4..=6 => 8,
        7..=14 => 4,
        _ => 1,
    };
    // Accumulators, and a value for each of the vectors
    let reductions = nest.stores.iter().filter(|store| store.reduce.is_some()).count();
    let room = room / (reductions + usize::from(nest.body.len() > 1)).max(1);
    // A walk takes as long as four vectors at least, and some more in between
    let walk = |copies: usize| copies.max(4) + 2;
    let walks = |copies: usize| {
        let (cost, rest) = widths(copies, true).fold((0, vectors), |(cost, rest), few| (cost + rest / few * walk(few), rest % few));
        cost + rest * walk(1)
    };
    (1..=most.min(room)).min_by_key(|&copies| walks(copies)).unwrap_or(1)
}

/// How many vectors are taken side by side, one after another: down columns also half as many, a quarter, … but one.
pub fn widths(copies: usize, columns: bool) -> impl Iterator<Item = usize> {
    successors(Some(copies), move |&copies| Some(copies / 2).filter(|&half| columns && half > 1))
}
