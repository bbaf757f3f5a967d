//! Which elements of a node are zero whatever happens, and on which elements of another node each depends. Products with structural
//! zeros (masks) cut a dependence; this is what makes a masked network autoregressive (Germain et al.: MADE, 2015, section 3).

use super::map::Map;
use crate::algebra::lowering::Lowering;
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::graph::{Graph, NodeId, Op};
use std::collections::HashMap;
use std::rc::Rc;

/// For each element of an array: whether it may differ from zero, and the elements on which it depends, as bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub nonzero: bool,
    pub on: Vec<u64>,
}

impl Cell {
    fn zero(words: usize) -> Cell {
        Cell { nonzero: false, on: vec![0; words] }
    }

    fn free(words: usize) -> Cell {
        Cell { nonzero: true, on: vec![0; words] }
    }

    fn join(&mut self, other: &Cell) {
        self.nonzero |= other.nonzero;
        self.on.iter_mut().zip(&other.on).for_each(|(a, b)| *a |= b);
    }

    /// The product with another.
    fn times(&self, other: &Cell) -> Cell {
        let mut product = Cell::zero(self.on.len());
        if self.nonzero && other.nonzero {
            product.join(self);
            product.join(other);
        }
        product
    }

    pub fn depends_on(&self, at: usize) -> bool {
        self.on[at / 64] >> (at % 64) & 1 == 1
    }
}

/// The structural zeros of an array.
pub(super) struct Zeros {
    cells: Rc<Vec<Cell>>,
}

impl Zeros {
    pub fn of(lowering: &Lowering<'_>, map: &Map, id: NodeId) -> Zeros {
        let mut walk = Walk { lowering, map, seed: None, words: 0, memo: HashMap::new() };
        Zeros { cells: walk.cells(Side::Map, id) }
    }

    /// Whether the entries at a row and a column are zero, in all cells of the other axes.
    pub fn over_last(self, shape: &[usize], row: usize, column: usize) -> impl Fn(usize, usize) -> bool + use<> {
        let n = shape[row];
        let mut zero = vec![true; n * n];
        for (at, cell) in self.cells.iter().enumerate() {
            let index = unravel(at, shape);
            zero[index[row] * n + index[column]] &= !cell.nonzero;
        }
        move |i, j| zero[i * n + j]
    }
}

/// Of each element of `id`, the elements of `seed` on which it depends, in one cell of the plates.
pub(super) fn dependence(lowering: &Lowering<'_>, map: &Map, id: NodeId, seed: NodeId) -> Rc<Vec<Cell>> {
    let words = map.graph.ty(seed).len().div_ceil(64);
    Walk { lowering, map, seed: Some(seed), words, memo: HashMap::new() }.cells(Side::Map, id)
}

/// A node of the map, or of the graph around it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Map,
    Outside,
}

struct Walk<'w, 'm> {
    lowering: &'w Lowering<'m>,
    map: &'w Map,
    seed: Option<NodeId>,
    words: usize,
    memo: HashMap<(Side, NodeId), Rc<Vec<Cell>>>,
}

impl Walk<'_, '_> {
    fn graph(&self, side: Side) -> &Graph {
        match side {
            Side::Map => &self.map.graph,
            Side::Outside => self.lowering.frames.graph(self.lowering.frames.current()),
        }
    }

    fn cells(&mut self, side: Side, id: NodeId) -> Rc<Vec<Cell>> {
        if let Some(known) = self.memo.get(&(side, id)) {
            return known.clone();
        }
        let cells = Rc::new(self.compute(side, id));
        self.memo.insert((side, id), cells.clone());
        cells
    }

    fn compute(&mut self, side: Side, id: NodeId) -> Vec<Cell> {
        let node = self.graph(side).node(id).clone();
        let (words, count) = (self.words, node.ty.len());
        if side == Side::Map && self.seed == Some(id) {
            let cell = |at: usize| {
                let mut cell = Cell::free(words);
                cell.on[at / 64] |= 1 << (at % 64);
                cell
            };
            return (0..count).map(cell).collect();
        }
        let args: Vec<Rc<Vec<Cell>>> = match &node.op {
            Op::Input(number) => {
                let outer = number.checked_sub(1).and_then(|at| self.map.constants.get(at).copied());
                return match (side, outer) {
                    (Side::Map, Some(outer)) => self.cells(Side::Outside, outer).to_vec(),
                    _ => vec![Cell::free(words); count],
                };
            }
            Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => return vec![],
            Op::Project(_) => {
                let control = self.graph(side).node(node.args[0]).args.clone();
                let mut all = Cell::free(words);
                control.iter().for_each(|arg| self.cells(side, *arg).iter().for_each(|cell| all.join(cell)));
                return vec![all; count];
            }
            _ => node.args.iter().map(|arg| self.cells(side, *arg)).collect(),
        };
        let shapes: Vec<Vec<usize>> = node.args.iter().map(|arg| self.graph(side).ty(*arg).shape.clone()).collect();
        of_operation(&node.op, &node.ty.shape, &args, &shapes, words)
    }
}

fn of_operation(op: &Op, shape: &[usize], args: &[Rc<Vec<Cell>>], shapes: &[Vec<usize>], words: usize) -> Vec<Cell> {
    let count: usize = shape.iter().product();
    let each = |f: &dyn Fn(usize) -> Cell| (0..count).map(f).collect::<Vec<Cell>>();
    match op {
        Op::Fill { bits, .. } => vec![Cell { nonzero: f64::from_bits(*bits) != 0.0, on: vec![0; words] }; count],
        Op::Literal(literal) => literal.values.iter().map(|&v| Cell { nonzero: v != 0.0, on: vec![0; words] }).collect(),
        Op::Iota(n) => (0..*n).map(|i| Cell { nonzero: i != 0, on: vec![0; words] }).collect(),
        Op::Unary(op) => each(&|at| unary(*op, &args[0][at])),
        Op::Binary(op) => each(&|at| binary(*op, &args[0][at], &args[1][at])),
        Op::Compare(_) => each(&|at| union(args, at, true)),
        Op::Select => each(&|at| select(&args[0][at], &args[1][at], &args[2][at])),
        Op::Cast(_) | Op::Stop | Op::Reshape(_) => args[0].to_vec(),
        Op::Broadcast { .. } | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } | Op::Reverse { .. } => {
            let place = |at: usize| moved(op, &unravel(at, shape), &shapes[0]);
            each(&|at| place(at).map_or(Cell::zero(words), |from| args[0][ravel(&from, &shapes[0])].clone()))
        }
        Op::Join { axis } => each(&|at| {
            let mut index = unravel(at, shape);
            let mut part = 0;
            while index[*axis] >= shapes[part][*axis] {
                index[*axis] -= shapes[part][*axis];
                part += 1;
            }
            args[part][ravel(&index, &shapes[part])].clone()
        }),
        Op::Reduce { op, axes } => reduce(*op, axes, shape, &args[0], &shapes[0], words),
        Op::CumSum { axis, reverse } => cumulated(*axis, *reverse, shape, &args[0]),
        Op::Contract { a, b, out } => contract([a, b], out, shape, args, shapes, words),
        Op::Cholesky => each(&|at| {
            let index = unravel(at, shape);
            let lower = index[index.len() - 2] >= index[index.len() - 1];
            if lower { everything(args, true, words) } else { Cell::zero(words) }
        }),
        Op::Sort { .. }
        | Op::ArgSort { .. }
        | Op::ArgMax { .. }
        | Op::Gather { .. }
        | Op::ScatterAdd { .. }
        | Op::TriangularSolve { .. } => {
            vec![everything(args, true, words); count]
        }
        Op::Random { .. } => vec![Cell::free(words); count],
        Op::Input(_) | Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Project(_) => vec![Cell::free(words); count],
    }
}

/// Every element of the operands at once.
fn everything(args: &[Rc<Vec<Cell>>], nonzero: bool, words: usize) -> Cell {
    let mut all = Cell { nonzero, on: vec![0; words] };
    args.iter().for_each(|cells| cells.iter().for_each(|cell| all.join(cell)));
    all
}

fn union(args: &[Rc<Vec<Cell>>], at: usize, nonzero: bool) -> Cell {
    let mut cell = args[0][at].clone();
    args[1..].iter().for_each(|other| cell.join(&other[at]));
    Cell { nonzero, ..cell }
}

fn unary(op: UnaryOp, x: &Cell) -> Cell {
    use UnaryOp::*;
    match op {
        Neg | Abs | Sign | Expm1 | Log1p | Sqrt | Sin | Tanh | Erf | ErfInv | Floor | Ceil | Round => x.clone(),
        Exp | Log | Recip | Cos | Sigmoid | Softplus | LogGamma | Digamma | Trigamma | Not | IsFinite => {
            Cell { nonzero: true, on: x.on.clone() }
        }
    }
}

fn binary(op: BinaryOp, a: &Cell, b: &Cell) -> Cell {
    let mut both = a.clone();
    both.join(b);
    match op {
        BinaryOp::Mul | BinaryOp::And => a.times(b),
        BinaryOp::Div if !a.nonzero => Cell::zero(a.on.len()),
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Max | BinaryOp::Min | BinaryOp::Or => both,
        BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::Pow => Cell { nonzero: true, ..both },
    }
}

/// A condition that is false whatever happens chooses the second.
fn select(condition: &Cell, a: &Cell, b: &Cell) -> Cell {
    if !condition.nonzero {
        return b.clone();
    }
    let mut cell = a.clone();
    cell.join(b);
    let nonzero = cell.nonzero;
    cell.join(condition);
    Cell { nonzero, ..cell }
}

/// Where an element of a rearranged array comes from; `None` in a pad.
fn moved(op: &Op, index: &[usize], from: &[usize]) -> Option<Vec<usize>> {
    match op {
        Op::Broadcast { axes, .. } => Some(axes.iter().map(|&axis| index[axis]).collect()),
        Op::Transpose(perm) => {
            let mut source = vec![0; index.len()];
            perm.iter().zip(index).for_each(|(&axis, &i)| source[axis] = i);
            Some(source)
        }
        Op::Slice { start, .. } => Some(index.iter().zip(start).map(|(i, s)| i + s).collect()),
        Op::Pad { before, .. } => {
            let source: Option<Vec<usize>> = index.iter().zip(before).map(|(i, s)| i.checked_sub(*s)).collect();
            source.filter(|source| source.iter().zip(from).all(|(i, n)| i < n))
        }
        Op::Reverse { axes } => Some(index.iter().enumerate().map(|(a, &i)| if axes.contains(&a) { from[a] - 1 - i } else { i }).collect()),
        _ => None,
    }
}

fn reduce(op: ReduceOp, axes: &[usize], shape: &[usize], x: &[Cell], from: &[usize], words: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::zero(words); shape.iter().product()];
    for (at, cell) in x.iter().enumerate() {
        let index: Vec<usize> =
            unravel(at, from).into_iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, i)| i).collect();
        cells[ravel(&index, shape)].join(cell);
    }
    match op {
        ReduceOp::Sum | ReduceOp::Max | ReduceOp::Min | ReduceOp::Or => {}
        ReduceOp::Prod | ReduceOp::And => cells.iter_mut().for_each(|cell| cell.nonzero = true),
    }
    cells
}

fn cumulated(axis: usize, reverse: bool, shape: &[usize], x: &[Cell]) -> Vec<Cell> {
    let mut cells = x.to_vec();
    let order: Vec<usize> = if reverse { (0..x.len()).rev().collect() } else { (0..x.len()).collect() };
    for at in order {
        let mut index = unravel(at, shape);
        let before = if reverse { Some(index[axis] + 1).filter(|&i| i < shape[axis]) } else { index[axis].checked_sub(1) };
        if let Some(before) = before {
            index[axis] = before;
            let earlier = cells[ravel(&index, shape)].clone();
            cells[at].join(&earlier);
        }
    }
    cells
}

fn contract(labels: [&Vec<u8>; 2], out: &[u8], shape: &[usize], args: &[Rc<Vec<Cell>>], shapes: &[Vec<usize>], words: usize) -> Vec<Cell> {
    let size = |label: u8| {
        let of = |i: usize| labels[i].iter().position(|l| *l == label).map(|axis| shapes[i][axis]);
        of(0).or(of(1)).unwrap_or(1)
    };
    let summed: Vec<u8> = labels[0].iter().copied().filter(|label| !out.contains(label)).collect();
    let inner: Vec<usize> = summed.iter().map(|&label| size(label)).collect();
    let turns: usize = inner.iter().product();
    let cell = |at: usize| {
        let index = unravel(at, shape);
        let mut total = Cell::zero(words);
        for turn in 0..turns {
            let within = unravel(turn, &inner);
            let place = |label: &u8| match out.iter().position(|l| l == label) {
                Some(axis) => index[axis],
                None => summed.iter().position(|l| l == label).map_or(0, |axis| within[axis]),
            };
            let operand = |i: usize| &args[i][ravel(&labels[i].iter().map(place).collect::<Vec<_>>(), &shapes[i])];
            total.join(&operand(0).times(operand(1)));
        }
        total
    };
    (0..shape.iter().product()).map(cell).collect()
}

fn unravel(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i = at % size.max(1);
        at /= size.max(1);
    }
    index
}

fn ravel(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (i, size)| at * size + i)
}
