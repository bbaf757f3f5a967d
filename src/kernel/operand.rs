//! The operands of a contraction in memory. One that is much smaller than the result is copied where its own order of axes would
//! cut the product into several.

use super::affine::row_major;
use super::contract::groups;
use super::lower::Lowering;
use super::{Affine, Axis, Instr, InstrKind, Loop, Region, Role, Store};
use crate::base::op::DType;

/// So many times the elements of an operand make a result much larger.
const MUCH: usize = 8;

/// Where an operand begins, its labels, and the step along each.
#[derive(Clone)]
pub(super) struct Operand<'a> {
    pub at: Region,
    pub labels: &'a [u8],
    pub strides: Vec<i64>,
}

impl Lowering<'_> {
    /// The operands as the product should read them.
    pub(super) fn laid_out<'a>(
        &mut self,
        operands: [Operand<'a>; 2],
        out: &[u8],
        dtype: DType,
        sizes: &dyn Fn(u8) -> usize,
    ) -> [Operand<'a>; 2] {
        let products = |[x, y]: &[Operand<'a>; 2]| -> usize {
            let groups = groups((x.labels, &x.strides), (y.labels, &y.strides), out, sizes);
            groups.batch.iter().map(|dim| dim.size).product()
        };
        let len = |labels: &[u8]| labels.iter().map(|&label| sizes(label)).product::<usize>();
        let mut operands = operands;
        for number in 0..2 {
            if len(operands[number].labels) * MUCH > len(out) {
                continue;
            }
            let order = in_order(operands[number].labels, out);
            let mut copied = operands.clone();
            copied[number].strides = strides(operands[number].labels, &order, sizes);
            if products(&copied) < products(&operands) {
                copied[number].at = self.copied(&operands[number], &copied[number].strides, dtype, sizes);
                operands = copied;
            }
        }
        operands
    }

    /// A copy of an operand, dense and with other steps.
    fn copied(&mut self, from: &Operand<'_>, strides: &[i64], dtype: DType, sizes: &dyn Fn(u8) -> usize) -> Region {
        let extents: Vec<usize> = from.labels.iter().map(|&label| sizes(label)).collect();
        let buffer = self.buffer(dtype, extents.iter().product());
        let map = |offset: usize, strides: &[i64]| Affine { offset: offset as i64, strides: strides.to_vec() };
        let load = InstrKind::Load { buffer: from.at.buffer, index: map(from.at.offset, &from.strides) };
        let axes = extents.iter().map(|&extent| Axis { extent, role: Role::Parallel }).collect();
        let body = vec![Instr { dtype, kind: load }];
        let stores = vec![Store { buffer, index: map(0, strides), value: 0, reduce: None }];
        self.push_loop(Loop { axes, body, stores });
        Region { buffer, offset: 0 }
    }
}

/// Labels that are summed, then the others in the order of the result.
fn in_order(labels: &[u8], out: &[u8]) -> Vec<u8> {
    let summed = labels.iter().filter(|label| !out.contains(label));
    summed.chain(out.iter().filter(|label| labels.contains(label))).copied().collect()
}

/// The step along each label of a dense array with its labels in that order.
fn strides(labels: &[u8], order: &[u8], sizes: &dyn Fn(u8) -> usize) -> Vec<i64> {
    let steps = row_major(&order.iter().map(|&label| sizes(label)).collect::<Vec<_>>());
    labels.iter().filter_map(|label| order.iter().position(|other| other == label)).map(|place| steps[place]).collect()
}
