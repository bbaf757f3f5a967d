//! `x[i, a..b]`. An index that is a comprehension index turns its axis into that plate; any other gathers.

use super::lowering::{IndexPlate, InputRole, Lowering};
use super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType};
use crate::check::Support;
use crate::check::model::{Expr, ExprKind, Subscript};
use crate::check::types::Type;
use crate::graph::Op;

impl Lowering<'_> {
    pub(super) fn subscript(&mut self, base: &Expr, subscripts: &[Subscript]) -> Result<Array> {
        let (mut value, subscripts) = match self.member_of_class(base, subscripts)? {
            Some(member) => (member, &subscripts[1..]),
            None => (self.eval_array(base)?, subscripts),
        };
        // Axes before `axis` are kept; an `At` removes the axis.
        let mut axis = 0;
        for subscript in subscripts {
            match subscript {
                Subscript::At(index) => value = self.at_index(&value, axis, index)?,
                Subscript::Range { from, count } => {
                    let node = self.node(&value);
                    let at = value.plates.len() + axis;
                    let node = self.b().slice_axis(node, at, *from, from + count);
                    value = self.array(node, value.plates);
                    axis += 1;
                }
            }
        }
        Ok(value)
    }

    fn at_index(&mut self, base: &Array, axis: usize, index: &Expr) -> Result<Array> {
        let size = self.shape(base)[axis];
        if let Some((plate, from)) = self.affine_index(index) {
            let count = self.plates[plate].size;
            let inside = from >= 0 && from as usize + count <= size;
            if inside && !base.varies_over(plate) {
                return Ok(self.axis_to_plate(base, axis, plate, from as usize));
            }
        }
        if let ExprKind::Int(i) = index.kind
            && (0..size as i64).contains(&i)
        {
            return Ok(self.one_element(base, axis, i as usize));
        }
        let index = self.eval_array(index)?;
        let index = self.cast(&index, DType::Int);
        self.entry(base, axis, &index)
    }

    /// The element at a place that may vary: what does not exist is not a number.
    pub(super) fn entry(&mut self, base: &Array, axis: usize, index: &Array) -> Result<Array> {
        let size = self.shape(base)[axis];
        let gathered = self.gather(base, axis, index)?;
        if self.stays_within(index, size) { Ok(gathered) } else { self.undefined_outside(&gathered, index, size) }
    }

    /// Whether the values of an index are known to be below a size: positions, literals, data of a class that was checked as it was read.
    fn stays_within(&self, index: &Array, size: usize) -> bool {
        let graph = self.frames.graph(index.frame);
        let mut id = index.node;
        loop {
            let node = graph.node(id);
            match &node.op {
                Op::Iota(count) => return *count <= size,
                Op::Fill { bits, .. } => return (0.0..size as f64).contains(&f64::from_bits(*bits)),
                Op::Literal(literal) => return literal.values.iter().all(|value| (0.0..size as f64).contains(value)),
                Op::Input(at) if index.frame == 0 => return self.holds_classes(*at, size),
                Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Gather { .. } | Op::Stop => {
                    id = node.args[0];
                }
                _ => return false,
            }
        }
    }

    /// Whether an input of the root graph is data of at most this many classes.
    fn holds_classes(&self, input: usize, size: usize) -> bool {
        let Some(InputRole::Data(var)) = self.inputs.get(input) else { return false };
        let Type::Array(array) = &self.model.vars[*var].ty else { return false };
        matches!(&array.support, Support::Cat(classes) if classes.known().is_some_and(|k| k <= size))
    }

    /// An element that does not exist is not a number, rather than some other element; among whole numbers, the least of all.
    fn undefined_outside(&mut self, gathered: &Array, index: &Array, size: usize) -> Result<Array> {
        let dtype = self.dtype(gathered);
        let missing = match dtype {
            DType::Real => f64::NAN,
            DType::Int => f64::from(i32::MIN),
            DType::Bool => return Ok(gathered.clone()),
        };
        let missing = self.b().fill(missing, dtype, &[]);
        let missing = self.array(missing, vec![]);
        let (first, end) = (self.int(0), self.int(size as i64));
        let inside = self.compare(CompareOp::Lt, index, &end)?;
        let inside = self.select(&inside, gathered, &missing)?;
        let below = self.compare(CompareOp::Lt, index, &first)?;
        self.select(&below, &missing, &inside)
    }

    /// An index that is a plate's position plus a constant.
    pub(super) fn affine_index(&self, index: &Expr) -> Option<(PlateId, i64)> {
        match &index.kind {
            ExprKind::Local(local) => self.indices.get(local).map(|&IndexPlate { plate, first }| (plate, first)),
            ExprKind::Binary(BinaryOp::Add, a, b) => match (&a.kind, &b.kind) {
                (_, ExprKind::Int(n)) => self.affine_index(a).map(|(plate, first)| (plate, first + n)),
                (ExprKind::Int(n), _) => self.affine_index(b).map(|(plate, first)| (plate, first + n)),
                _ => None,
            },
            ExprKind::Binary(BinaryOp::Sub, a, b) => match b.kind {
                ExprKind::Int(n) => self.affine_index(a).map(|(plate, first)| (plate, first - n)),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn axis_to_plate(&mut self, base: &Array, axis: usize, plate: PlateId, from: usize) -> Array {
        let (node, at) = (self.node(base), base.plates.len() + axis);
        let count = self.plates[plate].size;
        let node = self.b().slice_axis(node, at, from, from + count);
        // Bring the axis just behind the plates.
        let rank = self.b().ty(node).rank();
        let mut perm: Vec<usize> = (0..rank).filter(|&i| i != at).collect();
        perm.insert(base.plates.len(), at);
        let node = self.b().transpose(node, &perm);
        self.sorted(node, [&base.plates[..], &[plate]].concat())
    }

    pub(super) fn one_element(&mut self, base: &Array, axis: usize, i: usize) -> Array {
        let (node, at) = (self.node(base), base.plates.len() + axis);
        let node = self.b().slice_axis(node, at, i, i + 1);
        let mut shape = self.b().shape(node).to_vec();
        shape.remove(at);
        let node = self.b().reshape(node, &shape);
        self.array(node, base.plates.clone())
    }

    /// Plates that both have stay aligned; those of the index alone are new; those of the base alone are carried along.
    pub(super) fn gather(&mut self, base: &Array, axis: usize, index: &Array) -> Result<Array> {
        let shared: Vec<PlateId> = base.plates.iter().copied().filter(|&p| index.varies_over(p)).collect();
        let of_base: Vec<PlateId> = base.plates.iter().copied().filter(|p| !shared.contains(p)).collect();
        let of_index: Vec<PlateId> = index.plates.iter().copied().filter(|p| !shared.contains(p)).collect();

        let position = |plates: &[PlateId], p: PlateId| plates.iter().position(|&q| q == p).unwrap_or(0);
        let (rank, count) = (self.ty(base).rank(), base.plates.len());
        let mut perm: Vec<usize> = shared.iter().map(|&p| position(&base.plates, p)).collect();
        perm.push(count + axis);
        perm.extend(of_base.iter().map(|&p| position(&base.plates, p)));
        perm.extend((count..rank).filter(|&i| i != count + axis));
        let table = self.node(base);
        let table = self.b().transpose(table, &perm);

        let order: Vec<usize> = shared.iter().chain(&of_index).map(|&p| position(&index.plates, p)).collect();
        let positions = self.node(index);
        let positions = self.b().transpose(positions, &order);

        let node = self.b().gather(table, positions, shared.len());
        Ok(self.sorted(node, [shared, of_index, of_base].concat()))
    }
}
