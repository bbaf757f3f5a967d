//! The order of a loop's axes, and the axis along the lanes, for vectors with many lanes.

use crate::backend::cpu::schedule::{copies, outside_in};
use crate::kernel::stage::weight;
use crate::kernel::{Axis, Loop, Role};

#[derive(Debug)]
pub struct Schedule {
    /// Axes, outermost first: parallel ones, then reduced ones
    pub order: Vec<usize>,
    /// How many of them are parallel
    pub parallel: usize,
    /// The position in `order` of the axis along the lanes, the last of its role; none where there are no axes
    pub vector: Option<usize>,
    /// The position in `order` of the axis of which a call runs a range of turns
    pub divided: usize,
    pub lanes: usize,
    /// Vectors computed side by side
    pub copies: usize,
}

/// Costs in instructions, as measured on Zen 5: of reading or writing a vector whose elements do not lie side by side, and of
/// bringing the lanes of one accumulator together.
const GATHER: usize = 16;
const SCATTER: usize = 24;
const ACROSS: usize = 24;
/// Of one turn of a loop around vectors
const TURN: usize = 4;

impl Schedule {
    /// A call runs a range of turns of the axis `outer`, if one is given. It is the outermost one, unless it runs along the lanes.
    pub fn new(nest: &Loop, lanes: usize, outer: Option<usize>) -> Schedule {
        let mut order = outside_in(nest, outer);
        let parallel = order.iter().filter(|&&axis| nest.axes[axis].role == Role::Parallel).count();
        let vector = (0..nest.axes.len()).min_by_key(|&axis| cost(nest, axis, lanes));
        if let Some(axis) = vector {
            let end = if nest.axes[axis].role == Role::Parallel { parallel } else { order.len() };
            order.retain(|&other| other != axis);
            order.insert(end - 1, axis);
        }
        let extent = vector.map_or(1, |axis| nest.axes[axis].extent);
        let vector = vector.and_then(|axis| order.iter().position(|&other| other == axis));
        // As many side by side as leave less than a vector, where there are few
        let most = copies(nest);
        let copies = if extent >= 8 * lanes * most {
            most
        } else {
            (1..=most).rev().find(|c| extent % (lanes * c) < lanes && extent >= lanes * c).unwrap_or(1)
        };
        let divided = vector.filter(|&position| Some(order[position]) == outer).unwrap_or(0);
        Schedule { order, parallel, vector, divided, lanes, copies }
    }
}

/// The cost of a loop with lanes along an axis.
fn cost(nest: &Loop, axis: usize, lanes: usize) -> usize {
    let Axis { extent, role } = nest.axes[axis];
    let strided = |stride: i64, cost: usize| if (0..2).contains(&stride) { 0 } else { cost };
    let loads: usize = nest.body.iter().filter_map(|instr| instr.map()).map(|map| strided(map.strides[axis], GATHER)).sum();
    let stores: usize =
        nest.stores.iter().filter(|store| store.reduce.is_none()).map(|store| strided(store.index.strides[axis], SCATTER)).sum();
    let others = |wanted: Option<Role>| -> usize {
        let other = |(number, other): (usize, &Axis)| number != axis && wanted.is_none_or(|role| other.role == role);
        nest.axes.iter().enumerate().filter(|&(number, axis)| other((number, axis))).map(|(_, axis)| axis.extent).product()
    };
    let reductions = nest.stores.iter().filter(|store| store.reduce.is_some()).count();
    let ends = if role == Role::Reduced { others(Some(Role::Parallel)) * reductions * ACROSS } else { 0 };
    others(None) * (extent.div_ceil(lanes) * (weight(nest) + loads + stores) + TURN) + ends
}
