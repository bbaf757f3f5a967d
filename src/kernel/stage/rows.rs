//! What a step does to the rows of its buffers: row r of n is the r-th of n equal and dense pieces of a buffer.

use super::Along;
use crate::base::Arena;
use crate::kernel::{Affine, Buffer, BufferId, Contract, Dim, Library, Loop, Region, Role, Step};

/// A step that computes each row of its results by itself.
#[derive(Clone, Debug)]
pub struct Fit {
    pub along: Along,
    /// A loop that also reduces over the rows: these results are of each block, and have to be reduced further
    pub cut: bool,
    /// Buffers of which a row of the results needs more than the same row
    pub crossing: Vec<BufferId>,
}

/// Whether a step divides into that many rows, and how.
pub fn fit(step: &Step, rows: usize, buffers: &Arena<Buffer>) -> Option<Fit> {
    let of = Rows { rows, buffers };
    match step {
        Step::Loop(nest) => of.nest(nest),
        Step::Contract(contract) => of.contract(contract),
        Step::Library(call) => of.call(call),
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => None,
    }
}

/// Chunks of a sum below which too few tasks would be left.
const CHUNKS: usize = 8;

/// The number of rows of a sum over all rows, in chunks.
pub fn summed_rows(c: &Contract) -> Option<usize> {
    c.chunks().filter(|(chunk, _)| chunk.size >= CHUNKS).map(|(chunk, terms)| chunk.size * terms)
}

/// The axis along which the result is a sequence of dense rows.
pub fn row_axis(c: &Contract) -> Option<Dim> {
    c.row_axis().map(|axis| axis.dim(c))
}

/// How many rows the product of a step has that divides into so many: of a batch of images or sentences, those of all of their
/// pixels or words.
pub fn product_rows(step: &Step, rows: usize) -> usize {
    match step {
        Step::Contract(contract) if summed_rows(contract) == Some(rows) => rows,
        Step::Contract(contract) => row_axis(contract).map_or(rows, |dim| dim.size),
        Step::Loop(_) | Step::Library(_) | Step::Scan(_) | Step::While(_) | Step::Cond(_) => rows,
    }
}

/// As [`fit`], of a loop.
pub fn fit_loop(nest: &Loop, rows: usize, buffers: &Arena<Buffer>) -> Option<Fit> {
    Rows { rows, buffers }.nest(nest)
}

/// All axes of a contraction.
fn dims(c: &Contract) -> impl Iterator<Item = Dim> {
    [c.rows, c.columns].into_iter().chain(c.batch.iter().copied()).chain(c.inner.iter().copied())
}

struct Rows<'a> {
    rows: usize,
    buffers: &'a Arena<Buffer>,
}

/// Places in a buffer: along the axis of rows, and along all others.
struct Walk<'a> {
    offset: i64,
    row: (usize, i64),
    others: &'a mut dyn Iterator<Item = (usize, i64)>,
}

impl Rows<'_> {
    /// Row r of the walk stays in row r of the buffer.
    fn keeps(&self, buffer: BufferId, walk: Walk<'_>) -> bool {
        let len = self.buffers[buffer].len;
        let (extent, stride) = walk.row;
        let turns = extent / self.rows;
        let size = (len / self.rows) as i64;
        if !len.is_multiple_of(self.rows) || stride * turns as i64 != size {
            return false;
        }
        let (mut least, mut most) = (walk.offset, walk.offset + stride * (turns as i64 - 1));
        for (extent, stride) in walk.others {
            let reach = stride * (extent as i64 - 1).max(0);
            (least, most) = (least + reach.min(0), most + reach.max(0));
        }
        least >= 0 && most < size
    }

    fn map_keeps(&self, nest: &Loop, axis: usize, buffer: BufferId, map: &Affine) -> bool {
        let along = |axis: usize| (nest.axes[axis].extent, map.strides[axis]);
        let mut others = (0..nest.axes.len()).filter(|&other| other != axis).map(along);
        self.keeps(buffer, Walk { offset: map.offset, row: along(axis), others: &mut others })
    }

    fn nest(&self, nest: &Loop) -> Option<Fit> {
        let divides = |axis: &usize| nest.axes[*axis].extent.is_multiple_of(self.rows) && nest.axes[*axis].extent > 0;
        let fits = (0..nest.axes.len()).filter(divides).filter_map(|axis| self.nest_along(nest, axis));
        fits.min_by_key(|fit| (fit.cut, fit.crossing.len()))
    }

    fn nest_along(&self, nest: &Loop, axis: usize) -> Option<Fit> {
        let reduced = nest.axes[axis].role == Role::Reduced;
        // Over a reduced axis, a reducing store does not move: its partial results have rows of their own
        let mut partial = nest.stores.iter().filter(|store| reduced && store.reduce.is_some());
        let stored = |store: &&crate::kernel::Store| !(reduced && store.reduce.is_some());
        if !nest.stores.iter().filter(stored).all(|store| self.map_keeps(nest, axis, store.buffer, &store.index)) {
            return None;
        }
        let mut crossing = vec![];
        for (buffer, index) in nest.loads() {
            if !crossing.contains(&buffer) && !self.map_keeps(nest, axis, buffer, index) {
                crossing.push(buffer);
            }
        }
        Some(Fit { along: Along::Axis(axis), cut: partial.next().is_some(), crossing })
    }

    fn contract(&self, c: &Contract) -> Option<Fit> {
        if summed_rows(c) == Some(self.rows) {
            return Some(self.sum(c));
        }
        let row = row_axis(c)?;
        // The axis of rows itself is the only one with its strides, or a copy of it, which is no row then
        let others: Vec<Dim> = dims(c).filter(|dim| *dim != row).collect();
        if row.size % self.rows != 0 || !self.region_keeps(Region { buffer: c.out, offset: 0 }, row, &others, |dim| dim.out) {
            return None;
        }
        Some(Fit { along: Along::Outermost, cut: false, crossing: self.crossing(c, row, &others) })
    }

    /// A sum over all rows in chunks: each chunk is of some rows.
    fn sum(&self, c: &Contract) -> Fit {
        let (chunk, last) = (c.batch.first().copied(), c.inner.last().copied());
        let others: Vec<Dim> = dims(c).filter(|dim| Some(*dim) != chunk && Some(*dim) != last).collect();
        let row = Dim { size: self.rows, ..last.unwrap_or(c.rows) };
        let mut crossing = self.crossing(c, row, &others);
        crossing.push(c.out);
        Fit { along: Along::Terms, cut: false, crossing }
    }

    /// Operands of which a row of the result needs more than the same row.
    fn crossing(&self, c: &Contract, row: Dim, others: &[Dim]) -> Vec<BufferId> {
        let a = (!self.region_keeps(c.a, row, others, |dim| dim.a)).then_some(c.a.buffer);
        let b = (!self.region_keeps(c.b, row, others, |dim| dim.b)).then_some(c.b.buffer);
        a.into_iter().chain(b).collect()
    }

    fn region_keeps(&self, region: Region, row: Dim, others: &[Dim], stride: fn(&Dim) -> i64) -> bool {
        let mut others = others.iter().map(|dim| (dim.size, stride(dim)));
        self.keeps(region.buffer, Walk { offset: region.offset as i64, row: (row.size, stride(&row)), others: &mut others })
    }

    /// The region is the whole buffer, so that equal parts of it are rows.
    fn whole(&self, region: Region, len: usize) -> bool {
        region.offset == 0 && self.buffers[region.buffer].len == len && len.is_multiple_of(self.rows)
    }

    fn call(&self, call: &Library) -> Option<Fit> {
        let outer = call.outermost();
        if outer == 0 || !outer.is_multiple_of(self.rows) {
            return None;
        }
        let mut crossing = vec![];
        call.operands(&mut |region, len, own| {
            if !own || !self.whole(region, len) {
                crossing.push(region.buffer);
            }
        });
        let (out, len) = call.result();
        self.whole(out, len).then_some(Fit { along: Along::Outermost, cut: false, crossing })
    }
}
