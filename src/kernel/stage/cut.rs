//! Sums over all rows: of each block where the summands are computed, then over the blocks in a later stage.

use super::Along;
use super::block::divides_well;
use super::rows::{Fit, fit_loop};
use crate::base::Arena;
use crate::kernel::{Affine, Axis, Buffer, Instr, InstrKind, Loop, Place, Role, Step, Store};

/// A loop below that many turns is left whole.
const FEW: usize = 1 << 10;
/// The number of blocks before it is known.
pub const UNKNOWN: usize = 16;

/// A step, and if it is a loop that sums over blocks of rows, the number of rows.
pub struct Piece {
    pub step: Step,
    pub rows: Option<usize>,
}

/// Cuts loops that reduce over rows, for the first of the `candidates` that fits; what fits none and is long is staged.
pub fn cut(steps: Vec<Step>, candidates: &[usize], buffers: &mut Arena<Buffer>) -> Vec<Piece> {
    let mut pieces = vec![];
    for step in steps {
        let whole = |step: Step| Piece { step, rows: None };
        match step {
            Step::Loop(nest) if nest.stores.iter().any(|store| store.reduce.is_some()) => {
                let mut fits = candidates.iter().filter_map(|&rows| Some((rows, fit_loop(&nest, rows, buffers)?)));
                let fitting = fits.find(|(_, fit)| !fit.cut || reads_rows(&nest, fit));
                match fitting {
                    Some((_, Fit { cut: false, .. })) => pieces.push(whole(Step::Loop(nest))),
                    Some((rows, Fit { along: Along::Axis(_), .. })) if divides_well(rows) && turns(&nest) >= FEW => {
                        let (first, second) = by_blocks(nest, buffers);
                        pieces.push(Piece { step: Step::Loop(first), rows: Some(rows) });
                        pieces.extend(second.into_iter().map(Step::Loop).map(whole));
                    }
                    Some(_) | None => {
                        let partial = |dtype, len| buffers.push(Buffer { dtype, len, place: Place::Arena(0) });
                        let (first, second) = nest.staged(partial);
                        pieces.extend([first].into_iter().chain(second).map(Step::Loop).map(whole));
                    }
                }
            }
            _ => pieces.push(whole(step)),
        }
    }
    pieces
}

/// Whether some of what is summed lies row by row: else the blocks would cut each row of another array.
fn reads_rows(nest: &Loop, fit: &Fit) -> bool {
    nest.loads().any(|(buffer, _)| !fit.crossing.contains(&buffer))
}

fn turns(nest: &Loop) -> usize {
    nest.axes.iter().map(|axis| axis.extent).product()
}

/// The reducing stores of the loop write to new buffers, which the second loops reduce over an axis of blocks, their only reduced
/// one. How many blocks there are is left open.
fn by_blocks(mut nest: Loop, buffers: &mut Arena<Buffer>) -> (Loop, Vec<Loop>) {
    let kept: Vec<usize> = (0..nest.axes.len()).filter(|&axis| nest.axes[axis].role == Role::Parallel).collect();
    let mut second = vec![];
    for store in nest.stores.iter_mut().filter(|store| store.reduce.is_some()) {
        let dtype = nest.body[store.value].dtype;
        let len = buffers[store.buffer].len;
        let partial = buffers.push(Buffer { dtype, len, place: Place::Arena(0) });
        let mut axes: Vec<Axis> = kept.iter().map(|&axis| nest.axes[axis]).collect();
        axes.push(Axis { extent: UNKNOWN, role: Role::Reduced });
        let mut target = Affine::constant(store.index.offset, axes.len());
        kept.iter().enumerate().for_each(|(position, &axis)| target.strides[position] = store.index.strides[axis]);
        let mut source = target.clone();
        source.strides[kept.len()] = len as i64;
        let body = vec![Instr { dtype, kind: InstrKind::Load { buffer: partial, index: source } }];
        let stores = vec![Store { buffer: store.buffer, index: target, value: 0, reduce: store.reduce }];
        second.push(Loop { axes, body, stores }.simplified());
        store.buffer = partial;
    }
    (nest, second)
}

/// Makes the axis of rows of a loop of [`by_blocks`] an axis of blocks, the first, and of the rows of each.
pub fn set_blocks(nest: &mut Loop, axis: usize, blocks: usize, buffers: &mut Arena<Buffer>) {
    let turns = nest.axes[axis].extent / blocks;
    nest.axes[axis].extent = turns;
    nest.axes.insert(0, Axis { extent: blocks, role: Role::Parallel });
    nest.edit_maps(|map| {
        let stride = map.strides[axis] * turns as i64;
        map.strides.insert(0, stride);
    });
    for store in nest.stores.iter_mut().filter(|store| store.reduce.is_some()) {
        let buffer = &mut buffers[store.buffer];
        store.index.strides[0] = buffer.len as i64;
        buffer.len *= blocks;
    }
}

/// Makes the sum over blocks of a loop of [`by_blocks`] one over that many.
pub fn set_sum(nest: &mut Loop, blocks: usize) {
    nest.axes.iter_mut().filter(|axis| axis.role == Role::Reduced).for_each(|axis| axis.extent = blocks);
}
