//! The order of a loop's axes, and the axis along the lanes, for vectors with many lanes.

use crate::backend::cpu::jit::Outer;
use crate::backend::cpu::schedule::{copies, down_columns, outside_in, widths};
use crate::kernel::cost::weight;
use crate::kernel::{Axis, Instr, InstrKind, Loop, Role};

#[derive(Debug)]
pub struct Schedule {
    /// Axes, outermost first: parallel ones, then reduced ones
    pub order: Vec<usize>,
    /// How many of them are parallel
    pub parallel: usize,
    /// The axis along which ranges of turns are: the first of the order, or that along the lanes
    pub divided: Option<usize>,
    /// The position in `order` of the axis along the lanes, the last of its role; none where there are no axes
    pub vector: Option<usize>,
    pub lanes: usize,
    /// Vectors computed side by side
    pub copies: usize,
    /// The loops inside of that along the lanes reduce: down columns, one vector would wait for itself
    pub columns: bool,
}

/// Costs in instructions, as measured on Zen 5: of reading or writing a vector whose elements do not lie side by side, and of
/// bringing the lanes of one accumulator together.
const GATHER: usize = 16;
const SCATTER: usize = 24;
const ACROSS: usize = 4;
/// Of one turn of a loop around vectors
const TURN: usize = 4;
/// Registers for what reductions down columns keep
const ROOM: usize = 28;

impl Schedule {
    /// Ranges of turns are along the axis `outer`, or else along the outermost parallel one. It stays outermost, unless it runs
    /// along the lanes.
    pub fn new(nest: &Loop, lanes: usize, outer: Option<Outer>) -> Schedule {
        let mut order = outside_in(nest, outer.map(|outer| outer.axis));
        let parallel = order.iter().filter(|&&axis| nest.axes[axis].role == Role::Parallel).count();
        let divided = order[..parallel].first().copied();
        let vector = (0..nest.axes.len()).min_by_key(|&axis| cost(nest, axis, lanes));
        if let Some(axis) = vector {
            let end = if nest.axes[axis].role == Role::Parallel { parallel } else { order.len() };
            order.retain(|&other| other != axis);
            order.insert(end - 1, axis);
        }
        let extent = vector.map_or(1, |axis| nest.axes[axis].extent);
        let columns = vector.is_some_and(|axis| nest.axes[axis].role == Role::Parallel) && parallel < order.len();
        let copies = match outer {
            _ if !columns => side_by_side(nest, extent, lanes),
            Some(outer) if Some(outer.axis) == vector => down_columns(nest, outer.turns / lanes, ROOM),
            Some(_) | None => down_columns(nest, extent / lanes, ROOM),
        };
        let vector = vector.and_then(|axis| order.iter().position(|&other| other == axis));
        Schedule { order, parallel, divided, vector, lanes, copies, columns }
    }

    /// How many vectors the loops along the lanes take side by side, one after another; those that remain are taken one by one.
    pub fn widths(&self) -> impl Iterator<Item = usize> + use<> {
        widths(self.copies, self.columns)
    }
}

/// Of short axes, as many vectors side by side as leave less than one.
fn side_by_side(nest: &Loop, extent: usize, lanes: usize) -> usize {
    let most = copies(nest);
    if extent >= 8 * lanes * most {
        return most;
    }
    (1..=most).rev().find(|copies| extent % (lanes * copies) < lanes && extent >= lanes * copies).unwrap_or(1)
}

/// The cost of a loop with lanes along an axis.
fn cost(nest: &Loop, axis: usize, lanes: usize) -> usize {
    let Axis { extent, role } = nest.axes[axis];
    let load = |stride: i64| match stride {
        0 | 1 => 0,
        -1 | 2..=4 => stride.unsigned_abs() as usize,
        _ => GATHER,
    };
    let store = |stride: i64| match stride {
        0 | 1 => 0,
        2..=4 => 3 * stride.unsigned_abs() as usize,
        _ => SCATTER,
    };
    let is_load = |instr: &&Instr| matches!(instr.kind, InstrKind::Load { .. });
    let loads: usize = nest.body.iter().filter(is_load).filter_map(Instr::map).map(|map| load(map.strides[axis])).sum();
    let stores: usize = nest.stores.iter().filter(|store| store.reduce.is_none()).map(|to| store(to.index.strides[axis])).sum();
    let others = |wanted: Option<Role>| -> usize {
        let other = |(number, other): (usize, &Axis)| number != axis && wanted.is_none_or(|role| other.role == role);
        nest.axes.iter().enumerate().filter(|&(number, axis)| other((number, axis))).map(|(_, axis)| axis.extent).product()
    };
    let reductions = nest.stores.iter().filter(|store| store.reduce.is_some()).count();
    let ends = if role == Role::Reduced { others(Some(Role::Parallel)) * reductions * ACROSS } else { 0 };
    others(None) * (extent.div_ceil(lanes) * (weight(nest) + loads + stores) + TURN) + ends
}
