//! Loops with fewer and longer axes, and long reductions in two stages.

use super::{Affine, Axis, BufferId, Instr, InstrKind, Loop, Role, Store, ValueId};
use crate::base::op::DType;

impl Loop {
    /// What is read, and where.
    pub fn loads(&self) -> impl Iterator<Item = (BufferId, &Affine)> {
        self.body.iter().filter_map(|instr| match &instr.kind {
            InstrKind::Load { buffer, index } => Some((*buffer, index)),
            InstrKind::Constant(_)
            | InstrKind::Index(_)
            | InstrKind::Unary(..)
            | InstrKind::Binary(..)
            | InstrKind::Compare(..)
            | InstrKind::Select(..)
            | InstrKind::Cast(_) => None,
        })
    }

    /// Every index map of the loop.
    pub fn maps(&self) -> impl Iterator<Item = &Affine> {
        self.body.iter().filter_map(Instr::map).chain(self.stores.iter().map(|store| &store.index))
    }

    pub(super) fn edit_maps(&mut self, mut edit: impl FnMut(&mut Affine)) {
        for instr in &mut self.body {
            match &mut instr.kind {
                InstrKind::Index(index) | InstrKind::Load { index, .. } => edit(index),
                InstrKind::Constant(_)
                | InstrKind::Unary(..)
                | InstrKind::Binary(..)
                | InstrKind::Compare(..)
                | InstrKind::Select(..)
                | InstrKind::Cast(_) => (),
            }
        }
        self.stores.iter_mut().for_each(|store| edit(&mut store.index));
    }

    /// Drops axes of one turn and joins axes that every index map walks as one.
    pub fn simplified(mut self) -> Loop {
        for axis in (0..self.axes.len()).rev() {
            if self.axes[axis].extent == 1 {
                self.drop_axis(axis);
            }
        }
        let mut outer = 0;
        while outer < self.axes.len() {
            let joins = |inner: &usize| {
                let [a, b] = [self.axes[outer], self.axes[*inner]];
                outer != *inner && a.role == b.role && self.maps().all(|map| map.strides[outer] == map.strides[*inner] * b.extent as i64)
            };
            match (0..self.axes.len()).find(joins) {
                Some(inner) => {
                    self.axes[inner].extent *= self.axes[outer].extent;
                    self.drop_axis(outer);
                    outer = 0;
                }
                None => outer += 1,
            }
        }
        self
    }

    fn drop_axis(&mut self, axis: usize) {
        self.axes.remove(axis);
        self.edit_maps(|map| {
            map.strides.remove(axis);
        });
    }

    /// Turns of all axes of that role.
    pub fn turns(&self, role: Role) -> usize {
        self.axes.iter().filter(|axis| axis.role == role).map(|axis| axis.extent).product()
    }

    /// The reduced axis to cut, and into how many blocks: the outermost one in memory, if it has enough of them.
    fn blocks(&self) -> Option<(usize, usize)> {
        let reduced = (0..self.axes.len()).filter(|&axis| self.axes[axis].role == Role::Reduced);
        let blocks = |axis: usize| (2..=32).rev().find(|blocks| self.axes[axis].extent.is_multiple_of(*blocks));
        let jump = |axis: usize| self.maps().map(|map| map.strides[axis].unsigned_abs()).max();
        reduced.filter_map(|axis| Some((axis, blocks(axis)?))).max_by_key(|&(axis, blocks)| (blocks >= 4, jump(axis)))
    }

    /// A long reduction to few results becomes partial results over fixed blocks, then their reduction: the blocks can be
    /// computed side by side, and the order of additions does not depend on how many at a time.
    /// `partial` makes a buffer of an element type and length.
    pub fn staged(mut self, mut partial: impl FnMut(DType, usize) -> BufferId) -> (Loop, Vec<Loop>) {
        const FEW: usize = 512;
        const LONG: usize = 1 << 14;
        let results = self.turns(Role::Parallel);
        if results > FEW || self.turns(Role::Reduced) < LONG {
            return (self, vec![]);
        }
        let Some((axis, blocks)) = self.blocks() else { return (self, vec![]) };
        let extent = self.axes[axis].extent;
        // The blocks are a new last axis
        self.axes[axis].extent = extent / blocks;
        self.axes.push(Axis { extent: blocks, role: Role::Parallel });
        self.edit_maps(|map| map.strides.push(map.strides[axis] * (extent / blocks) as i64));
        let kept: Vec<usize> = (0..self.axes.len() - 1).filter(|&axis| self.axes[axis].role == Role::Parallel).collect();
        let mut second = Vec::new();
        for store in self.stores.iter_mut().filter(|store| store.reduce.is_some()) {
            let dtype = self.body[store.value].dtype;
            let buffer = partial(dtype, results * blocks);
            let mut index = Affine::constant(0, self.axes.len());
            let mut target = Affine::constant(store.index.offset, kept.len() + 1);
            let mut stride = 1;
            *index.strides.last_mut().unwrap_or(&mut 0) = 1;
            for (position, &axis) in kept.iter().enumerate().rev() {
                index.strides[axis] = stride * blocks as i64;
                target.strides[position] = store.index.strides[axis];
                stride *= self.axes[axis].extent as i64;
            }
            let mut axes: Vec<Axis> = kept.iter().map(|&axis| self.axes[axis]).collect();
            axes.push(Axis { extent: blocks, role: Role::Reduced });
            let mut source = Affine::constant(0, axes.len());
            kept.iter().enumerate().for_each(|(position, &axis)| source.strides[position] = index.strides[axis]);
            source.strides[kept.len()] = 1;
            let body = vec![Instr { dtype, kind: InstrKind::Load { buffer, index: source } }];
            let stores = vec![Store { buffer: store.buffer, index: target, value: 0, reduce: store.reduce }];
            second.push(Loop { axes, body, stores }.simplified());
            (store.buffer, store.index) = (buffer, index);
        }
        (self, second)
    }
}

impl Instr {
    pub fn map(&self) -> Option<&Affine> {
        match &self.kind {
            InstrKind::Index(index) | InstrKind::Load { index, .. } => Some(index),
            InstrKind::Constant(_)
            | InstrKind::Unary(..)
            | InstrKind::Binary(..)
            | InstrKind::Compare(..)
            | InstrKind::Select(..)
            | InstrKind::Cast(_) => None,
        }
    }

    /// The instructions whose results it uses.
    pub fn operands(&self) -> Vec<ValueId> {
        match self.kind {
            InstrKind::Constant(_) | InstrKind::Index(_) | InstrKind::Load { .. } => vec![],
            InstrKind::Unary(_, x) | InstrKind::Cast(x) => vec![x],
            InstrKind::Binary(_, a, b) | InstrKind::Compare(_, a, b) => vec![a, b],
            InstrKind::Select(c, a, b) => vec![c, a, b],
        }
    }
}
