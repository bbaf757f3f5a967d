//! What a step costs: at least, by the elements that it moves, each array once, and its arithmetic; and roughly, in time.

use super::{Affine, BufferId, Contract, Indexing, Instr, InstrKind, Kernels, Library, Loop, Step};
use crate::base::op::{BinaryOp, DType, RandomKind, UnaryOp};
use std::collections::HashMap;

/// Of one run of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Elements read and written: distinct ones of each array, as if a cache held all that is used again
    pub elements: f64,
    /// Floating-point operations. An elementary function counts as the additions and multiplications of its polynomial
    pub operations: f64,
}

impl Kernels {
    /// Of the step itself: bodies of loops and branches have steps of their own.
    pub fn cost(&self, step: &Step) -> Cost {
        match step {
            Step::Loop(nest) => self.loop_cost(nest),
            Step::Contract(contract) => contract_cost(contract),
            Step::Library(call) => call.cost(),
            Step::Scan(_) | Step::While(_) | Step::Cond(_) => Cost::default(),
        }
    }

    fn loop_cost(&self, nest: &Loop) -> Cost {
        let touched = |index: &Affine| -> usize {
            let moved = nest.axes.iter().zip(&index.strides).filter(|(_, stride)| **stride != 0);
            moved.map(|(axis, _)| axis.extent).product()
        };
        let mut maps: HashMap<(BufferId, bool), Vec<&Affine>> = HashMap::new();
        let loads = nest.loads().map(|(buffer, index)| ((buffer, false), index));
        for (array, index) in loads.chain(nest.stores.iter().map(|store| ((store.buffer, true), &store.index))) {
            let known = maps.entry(array).or_default();
            if !known.contains(&index) {
                known.push(index);
            }
        }
        let moved = |(array, maps): (&(BufferId, bool), &Vec<&Affine>)| {
            let touched: usize = maps.iter().map(|index| touched(index)).sum();
            touched.min(self.buffers[array.0].len) as f64
        };
        Cost { elements: maps.iter().map(moved).sum(), operations: nest.operations() }
    }
}

/// Nanoseconds of a step on one thread, roughly: only comparisons with the cost of a barrier depend on it.
pub fn time(step: &Step) -> usize {
    match step {
        Step::Loop(nest) => 20 + nest.axes.iter().map(|axis| axis.extent).product::<usize>() * weight(nest) / 16,
        Step::Contract(contract) => 100 + contract_cost(contract).operations as usize / 160,
        Step::Library(call) => {
            let Cost { elements, operations } = call.cost();
            20 + (elements / 16.0 + operations / call.speed()) as usize
        }
        Step::Scan(_) | Step::While(_) | Step::Cond(_) => usize::MAX / 2,
    }
}

/// The cost of one turn of a loop, in instructions.
pub fn weight(nest: &Loop) -> usize {
    let weight = |instr: &Instr| match instr.kind {
        InstrKind::Unary(UnaryOp::Sqrt | UnaryOp::Recip, _) | InstrKind::Binary(BinaryOp::Div, ..) => 4,
        InstrKind::Binary(BinaryOp::Rem | BinaryOp::FloorDiv, ..) => 16,
        _ => operations(&instr.kind).max(1),
    };
    nest.body.iter().map(weight).sum()
}

/// Floating-point operations of an instruction over real numbers.
fn operations(kind: &InstrKind) -> usize {
    match *kind {
        InstrKind::Unary(op, _) => unary_operations(op),
        InstrKind::Binary(op, ..) => binary_operations(op),
        InstrKind::Compare(..) | InstrKind::Select(..) | InstrKind::Cast(_) => 0,
        InstrKind::Constant(_) | InstrKind::Index(_) | InstrKind::Load { .. } => 0,
    }
}

impl Loop {
    /// How often each instruction must run: once for each turn of the axes on which it depends.
    pub fn repetitions(&self) -> Vec<usize> {
        let mut depends: Vec<Vec<bool>> = vec![];
        for instr in &self.body {
            let mut own: Vec<bool> = (0..self.axes.len()).map(|axis| instr.map().is_some_and(|map| map.strides[axis] != 0)).collect();
            for operand in instr.operands() {
                own.iter_mut().zip(&depends[operand]).for_each(|(own, other)| *own |= other);
            }
            depends.push(own);
        }
        let turns = |depends: &Vec<bool>| -> usize {
            self.axes.iter().zip(depends).filter(|(_, depends)| **depends).map(|(axis, _)| axis.extent).product()
        };
        depends.iter().map(turns).collect()
    }

    fn operations(&self) -> f64 {
        let body = self.body.iter().zip(self.repetitions()).map(|(instr, times)| {
            let each = if instr.dtype == DType::Real { operations(&instr.kind) } else { 0 };
            each as f64 * times as f64
        });
        let turns: usize = self.axes.iter().map(|axis| axis.extent).product();
        let reduced = self.stores.iter().filter(|store| store.reduce.is_some() && self.body[store.value].dtype == DType::Real).count();
        body.sum::<f64>() + (turns * reduced) as f64
    }
}

/// Additions, multiplications and divisions of the polynomials in f32.
fn unary_operations(op: UnaryOp) -> usize {
    match op {
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Not | UnaryOp::IsFinite => 0,
        UnaryOp::Sqrt | UnaryOp::Recip | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round => 1,
        UnaryOp::Exp => 22,
        UnaryOp::Expm1 => 23,
        UnaryOp::Log => 26,
        UnaryOp::Log1p => 31,
        UnaryOp::Sin | UnaryOp::Cos => 27,
        UnaryOp::Tanh => 22,
        UnaryOp::Sigmoid => 24,
        UnaryOp::Softplus => 40,
        UnaryOp::Erf => 24,
        UnaryOp::ErfInv => 50,
        UnaryOp::LogGamma | UnaryOp::Digamma | UnaryOp::Trigamma => 60,
    }
}

fn binary_operations(op: BinaryOp) -> usize {
    match op {
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Max | BinaryOp::Min => 1,
        BinaryOp::Rem => 4,
        BinaryOp::Pow => 50,
        BinaryOp::FloorDiv | BinaryOp::And | BinaryOp::Or => 0,
    }
}

fn contract_cost(contract: &Contract) -> Cost {
    let Contract { batch, rows, columns, inner, triangle, .. } = contract;
    let sizes = |used: &dyn Fn(&super::Dim) -> bool| -> f64 {
        batch.iter().chain([rows, columns]).chain(inner).filter(|dim| used(dim)).map(|dim| dim.size as f64).product()
    };
    let (a, b, out) = (sizes(&|dim| dim.a != 0), sizes(&|dim| dim.b != 0), sizes(&|dim| dim.out != 0));
    let needed = triangle.and(inner.last()).map_or(1.0, |terms| 0.5 + 0.5 / terms.size as f64);
    Cost { elements: a + b + out, operations: 2.0 * needed * sizes(&|_| true) }
}

impl Library {
    fn cost(&self) -> Cost {
        let (elements, operations) = match *self {
            Library::Copy { len, .. } => (2 * len, 0),
            Library::Gather { sizes: Indexing { batch, picks, row, .. }, .. } => (batch * picks * (2 * row + 1), 0),
            Library::ScatterAdd { sizes: Indexing { batch, size, picks, row }, .. } => {
                (batch * (picks * (row + 1) + size * row), batch * picks * row)
            }
            // Square root, logarithm and sine or cosine for each normal number
            Library::Random { kind: RandomKind::Normal, rows, row, .. } => (rows * row, 30 * rows * row),
            Library::Random { kind: RandomKind::Uniform, rows, row, .. } => (rows * row, 2 * rows * row),
            Library::Along { outer, size, inner, .. } => (2 * outer * size * inner, outer * size * inner),
            Library::Cholesky { count, size, .. } => (2 * count * size * size, count * size * size * size / 3),
            Library::Assignment { count, size, .. } => (count * size * (size + 1), count * size * size * size),
            Library::SymmetricEigen { count, size, .. } => (count * size * (2 * size + 1), 9 * count * size * size * size),
            Library::TriangularSolve { count, size, columns, .. } => {
                (count * size * (size / 2 + 2 * columns), count * size * size * columns)
            }
        };
        Cost { elements: elements as f64, operations: operations as f64 }
    }

    /// Operations in a nanosecond.
    fn speed(&self) -> f64 {
        match self {
            Library::Random { .. } => 20.0,
            Library::Copy { .. } | Library::Gather { .. } | Library::ScatterAdd { .. } => 4.0,
            Library::TriangularSolve { .. } => 2.0,
            Library::Cholesky { .. } | Library::Assignment { .. } | Library::SymmetricEigen { .. } => 1.0,
            // Comparisons of a sort, for each of which only an element counts
            Library::Along { .. } => 0.25,
        }
    }
}
