//! Operands of products that a loop would rearrange in every turn, rearranged once before it.

use super::lower::Lowering;
use super::{Affine, Axis, Buffer, BufferId, Contract, Dim, Instr, InstrKind, Kernels, Loop, Place, Region, Role, Step, Store};
use crate::base::op::DType;
use crate::kernel::contract::ResultAxis;

/// Columns from which a product has lanes along them, and columns that lie together for all terms where they divide all: two vectors of
/// the widest. Lines further apart would share few places of a cache.
const PANEL: usize = 32;
/// Rows for which a product would rearrange the other operand rather than its own.
const ROWS: usize = 32;

/// An operand that all rows share and that does not lie panel by panel.
#[derive(Clone, Copy, PartialEq)]
struct Scattered {
    from: Region,
    /// Sizes and steps
    terms: (usize, i64),
    columns: (usize, i64),
}

impl Lowering<'_> {
    /// Gives products of a body copies of those of the loop's constants that they would rearrange; the copies are made before the
    /// loop, and are further constants. `first` is the number of the body's input for the first constant.
    pub(super) fn hoist_operands(&mut self, body: &mut Kernels, first: usize, constants: &mut Vec<Region>) {
        let mut copies: Vec<(Scattered, BufferId)> = vec![];
        let Kernels { steps, buffers, .. } = body;
        for step in steps {
            let Step::Contract(contract) = step else { continue };
            let Some(scattered) = contract.scattered() else { continue };
            let Place::Input(number) = buffers[scattered.from.buffer].place else { continue };
            let Some(&constant) = number.checked_sub(first).and_then(|number| constants.get(number)) else { continue };
            let known = copies.iter().find(|(other, _)| *other == scattered).map(|&(_, copy)| copy);
            let copy = known.unwrap_or_else(|| {
                let len = scattered.terms.0 * scattered.columns.0;
                let place = Place::Input(first + constants.len());
                let copied = self.buffer(DType::Real, len);
                constants.push(Region { buffer: copied, offset: 0 });
                let from = Region { offset: constant.offset + scattered.from.offset, ..constant };
                self.steps.push(Step::Loop(scattered.copy(from, copied).simplified()));
                let copy = buffers.push(Buffer { dtype: DType::Real, len, place });
                copies.push((scattered, copy));
                copy
            });
            contract.read(copy, scattered);
        }
    }
}

impl Scattered {
    /// Columns that lie side by side in a copy.
    fn panel(&self) -> usize {
        if self.columns.0.is_multiple_of(PANEL) { PANEL } else { self.columns.0 }
    }

    /// The loop that writes the operand: panel by panel, in each the terms one after another with their columns side by side.
    fn copy(&self, from: Region, to: BufferId) -> Loop {
        let (terms, columns, panel) = (self.terms, self.columns, self.panel());
        let axes = [columns.0 / panel, terms.0, panel].map(|extent| Axis { extent, role: Role::Parallel });
        let source = Affine { offset: from.offset as i64, strides: vec![columns.1 * panel as i64, terms.1, columns.1] };
        let target = Affine { offset: 0, strides: vec![(terms.0 * panel) as i64, panel as i64, 1] };
        let load = Instr { dtype: DType::Real, kind: InstrKind::Load { buffer: from.buffer, index: source } };
        let store = Store { buffer: to, index: target, value: 0, reduce: None };
        Loop { axes: axes.to_vec(), body: vec![load], stores: vec![store] }
    }
}

impl Contract {
    /// The operand that all rows share, if a product of many rows would rearrange it, or find its panels scattered.
    fn scattered(&self) -> Option<Scattered> {
        let ([terms], []) = (&self.inner[..], &self.batch[..]) else { return None };
        let (rows, columns) = self.sides()?;
        let many = self.dtype == DType::Real && rows.size >= ROWS && columns.size >= PANEL;
        let (from, along, step) = if self.has_rows_in_a() { (self.b, columns.b, terms.b) } else { (self.a, columns.a, terms.a) };
        let in_place = along == 1 && (columns.size == PANEL || !columns.size.is_multiple_of(PANEL));
        (many && !in_place).then_some(Scattered { from, terms: (terms.size, step), columns: (columns.size, along) })
    }

    /// Whether the rows of the result are those of `a`.
    fn has_rows_in_a(&self) -> bool {
        self.row_axis() == Some(ResultAxis::Rows)
    }

    /// Rows and columns of the result as they lie in memory.
    fn sides(&self) -> Option<(Dim, Dim)> {
        match self.row_axis()? {
            ResultAxis::Rows => Some((self.rows, self.columns)),
            ResultAxis::Columns => Some((self.columns, self.rows)),
            ResultAxis::Batch(_) => None,
        }
    }

    /// Reads the operand that all rows share from a buffer of [`Scattered::copy`].
    fn read(&mut self, copy: BufferId, scattered: Scattered) {
        let (panel, count) = (scattered.panel(), scattered.columns.0 / scattered.panel());
        self.triangle = None;
        let in_a = self.has_rows_in_a();
        let Contract { a, b, rows, columns, inner, batch, .. } = self;
        let Some(terms) = inner.first_mut() else { return };
        let step = (scattered.terms.0 * panel) as i64;
        let (operand, columns, along, strides) =
            if in_a { (b, columns, &mut terms.b, (0, step)) } else { (a, rows, &mut terms.a, (step, 0)) };
        (*operand, *along, columns.size) = (Region { buffer: copy, offset: 0 }, panel as i64, panel);
        if in_a {
            columns.b = 1
        } else {
            columns.a = 1
        }
        if count > 1 {
            batch.push(Dim { size: count, a: strides.0, b: strides.1, out: columns.out * panel as i64 });
        }
    }
}
