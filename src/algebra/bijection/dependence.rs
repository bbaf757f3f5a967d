//! Which elements of a node are zero whatever happens, and on which elements of another node each depends. Products with structural
//! zeros (masks) cut a dependence; this is what makes a masked network autoregressive (Germain et al.: MADE, 2015, section 3).

use super::map::Map;
use crate::algebra::lowering::Lowering;
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::graph::{Builder, Graph, NodeId, Op, interpret};
use std::collections::{HashMap, HashSet};
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

/// Asks for the cells of nodes, element by element, as they are needed.
pub(super) struct Dependence<'w, 'm> {
    lowering: &'w Lowering<'m>,
    map: &'w Map,
    /// Elements of this node are told apart, in the first cell of the plates
    seed: Option<NodeId>,
    words: usize,
    /// What is known of the elements of each node, by side
    known: [Vec<Vec<Option<Rc<Cell>>>>; 2],
    constants: HashMap<(Side, NodeId), Option<Rc<[f64]>>>,
}

/// A node of the map, or of the graph around it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Map,
    Outside,
}

impl<'w, 'm> Dependence<'w, 'm> {
    pub fn on(lowering: &'w Lowering<'m>, map: &'w Map, seed: Option<NodeId>) -> Dependence<'w, 'm> {
        let words = seed.map_or(0, |seed| within(map.shape(seed), &map.axes(seed)).len().div_ceil(64));
        Dependence { lowering, map, seed, words, known: [vec![], vec![]], constants: HashMap::new() }
    }

    /// Whether the entries of a matrix at a row and a column are zero, in all cells of its other axes.
    pub fn zeros(&mut self, id: NodeId, row: usize, column: usize) -> impl Fn(usize, usize) -> bool + use<> {
        let shape = self.map.shape(id).to_vec();
        let n = shape[row];
        let mut zero = vec![true; n * n];
        for at in 0..shape.iter().product() {
            let index = unravel(at, &shape);
            zero[index[row] * n + index[column]] &= !self.cell(Side::Map, id, at).nonzero;
        }
        move |i, j| zero[i * n + j]
    }

    /// For each element of a node in the first cell of the plates, which are these axes, the elements of the seed on which it depends.
    pub fn rows(&mut self, id: NodeId, plates: &[usize]) -> Vec<Rc<Cell>> {
        let shape = self.map.shape(id).to_vec();
        within(&shape, plates).into_iter().map(|at| self.cell(Side::Map, id, at)).collect()
    }

    fn graph(&self, side: Side) -> &'w Graph {
        match side {
            Side::Map => &self.map.graph,
            Side::Outside => self.lowering.frames.graph(self.lowering.frames.current()),
        }
    }

    fn cell(&mut self, side: Side, id: NodeId, at: usize) -> Rc<Cell> {
        let known = self.known[side as usize].get(id.index()).and_then(|cells| cells.get(at));
        if let Some(Some(cell)) = known {
            return cell.clone();
        }
        let cell = Rc::new(self.compute(side, id, at));
        let count = self.graph(side).ty(id).shape.iter().product();
        let nodes = &mut self.known[side as usize];
        if nodes.len() <= id.index() {
            nodes.resize(id.index() + 1, vec![]);
        }
        nodes[id.index()].resize(count, None);
        nodes[id.index()][at] = Some(cell.clone());
        cell
    }

    fn compute(&mut self, side: Side, id: NodeId, at: usize) -> Cell {
        let graph = self.graph(side);
        let node = graph.node(id);
        if side == Side::Map && self.seed == Some(id) {
            return self.seeded(id, at);
        }
        if let Some(values) = self.constant(side, id) {
            return Cell { nonzero: values[at] != 0.0, ..Cell::zero(self.words) };
        }
        if let Op::Input(number) = node.op {
            let outer = number.checked_sub(1).and_then(|at| self.map.constants.get(at).copied());
            return match (side, outer) {
                // What differs between cells of the plates has no zeros that hold for all of them.
                (Side::Map, Some(outer)) if !self.lowering.is_plated(outer) => (*self.cell(Side::Outside, outer, at)).clone(),
                _ => Cell::free(self.words),
            };
        }
        let index = unravel(at, &node.ty.shape);
        let shapes: Vec<&[usize]> = node.args.iter().map(|arg| &graph.ty(*arg).shape[..]).collect();
        let place = |arg: usize, index: &[usize]| (node.args[arg], ravel(index, shapes[arg]));
        match &node.op {
            Op::Unary(op) => unary(*op, &self.cell(side, node.args[0], at)),
            Op::Binary(op) => binary(*op, &self.cell(side, node.args[0], at), &self.cell(side, node.args[1], at)),
            Op::Compare(_) => Cell { nonzero: true, ..self.sum(side, node.args.iter().map(|arg| (*arg, at))) },
            Op::Select => self.select(side, &node.args, at),
            Op::Cast(_) | Op::Stop | Op::Reshape(_) => (*self.cell(side, node.args[0], at)).clone(),
            Op::Broadcast { .. } | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } | Op::Reverse { .. } => {
                let from = moved(&node.op, &index, shapes[0]);
                self.sum(side, from.iter().map(|from| place(0, from)))
            }
            Op::Join { axis } => {
                let (mut part, mut index) = (0, index);
                while index[*axis] >= shapes[part][*axis] {
                    index[*axis] -= shapes[part][*axis];
                    part += 1;
                }
                self.sum(side, [place(part, &index)])
            }
            Op::Reduce { op, axes } => {
                let all = reduced(&index, axes, shapes[0]);
                let sum = self.sum(side, all.iter().map(|from| place(0, from)));
                Cell { nonzero: sum.nonzero || matches!(op, ReduceOp::Prod | ReduceOp::And), ..sum }
            }
            Op::CumSum { axis, reverse } => {
                let along = if *reverse { index[*axis]..shapes[0][*axis] } else { 0..index[*axis] + 1 };
                let all = along.map(|i| {
                    let mut from = index.clone();
                    from[*axis] = i;
                    place(0, &from)
                });
                self.sum(side, all)
            }
            Op::Contract { a, b, out } => self.contract(side, id, [a, b], out, &index),
            Op::Cholesky => {
                let upper = index[index.len() - 2] < index[index.len() - 1];
                if upper { Cell::zero(self.words) } else { self.everything(side, &node.args) }
            }
            Op::Project(_) => self.everything(side, &graph.node(node.args[0]).args),
            Op::SymmetricEigen | Op::Sort { .. } | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Gather { .. } | Op::ScatterAdd { .. } => {
                self.everything(side, &node.args)
            }
            Op::TriangularSolve { .. } => self.everything(side, &node.args),
            Op::Random { .. } | Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => Cell::free(self.words),
            Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) => Cell::free(self.words),
        }
    }

    fn seeded(&self, id: NodeId, at: usize) -> Cell {
        let mut cell = Cell::free(self.words);
        let own = within(self.map.shape(id), &self.map.axes(id)).binary_search(&at);
        if let Ok(bit) = own {
            cell.on[bit / 64] |= 1 << (bit % 64);
        }
        cell
    }

    /// The sum of some elements.
    fn sum(&mut self, side: Side, of: impl IntoIterator<Item = (NodeId, usize)>) -> Cell {
        let mut total = Cell::zero(self.words);
        of.into_iter().for_each(|(id, at)| total.join(&self.cell(side, id, at)));
        total
    }

    /// Every element of the operands at once.
    fn everything(&mut self, side: Side, args: &[NodeId]) -> Cell {
        let graph = self.graph(side);
        let all = args.iter().flat_map(|&arg| (0..graph.ty(arg).len()).map(move |at| (arg, at)));
        let sum = self.sum(side, all);
        Cell { nonzero: true, ..sum }
    }

    /// One side, where the condition is the same whatever happens.
    fn select(&mut self, side: Side, args: &[NodeId], at: usize) -> Cell {
        if let Some(condition) = self.constant(side, args[0]) {
            let chosen = if condition[at] != 0.0 { args[1] } else { args[2] };
            return (*self.cell(side, chosen, at)).clone();
        }
        let sides = self.sum(side, [(args[1], at), (args[2], at)]);
        let nonzero = sides.nonzero;
        let mut all = sides;
        all.join(&self.cell(side, args[0], at));
        Cell { nonzero, ..all }
    }

    fn contract(&mut self, side: Side, id: NodeId, labels: [&[u8]; 2], out: &[u8], index: &[usize]) -> Cell {
        let graph = self.graph(side);
        let args = &graph.node(id).args;
        let shapes = [&graph.ty(args[0]).shape, &graph.ty(args[1]).shape];
        let summed: Vec<(u8, usize)> = labels[0].iter().copied().zip(shapes[0].iter().copied()).filter(|(l, _)| !out.contains(l)).collect();
        let inner: Vec<usize> = summed.iter().map(|(_, size)| *size).collect();
        let mut total = Cell::zero(self.words);
        for turn in 0..inner.iter().product() {
            let turns = unravel(turn, &inner);
            let position = |label: &u8| match out.iter().position(|l| l == label) {
                Some(axis) => index[axis],
                None => summed.iter().position(|(l, _)| l == label).map_or(0, |axis| turns[axis]),
            };
            let place = |i: usize| ravel(&labels[i].iter().map(position).collect::<Vec<_>>(), shapes[i]);
            let left = self.cell(side, args[0], place(0));
            if left.nonzero {
                total.join(&left.times(&self.cell(side, args[1], place(1))));
            }
        }
        total
    }

    /// The elements of a node that depends on nothing but numbers in the text.
    fn constant(&mut self, side: Side, id: NodeId) -> Option<Rc<[f64]>> {
        if let Some(known) = self.constants.get(&(side, id)) {
            return known.clone();
        }
        let values = constant(self.graph(side), id).map(Rc::from);
        self.constants.insert((side, id), values.clone());
        values
    }
}

/// The elements of a node that no input takes part in.
pub(super) fn constant(graph: &Graph, id: NodeId) -> Option<Vec<f64>> {
    let mut open = vec![id];
    let mut seen = HashSet::new();
    while let Some(at) = open.pop() {
        if matches!(graph.node(at).op, Op::Input(_) | Op::Random { .. }) {
            return None;
        }
        if seen.insert(at) {
            open.extend(&graph.node(at).args);
        }
    }
    let mut needed: Vec<NodeId> = seen.into_iter().collect();
    needed.sort_unstable();
    let mut alone = Builder::new();
    let mut copies: HashMap<NodeId, NodeId> = HashMap::new();
    for at in needed {
        let args: Vec<NodeId> = graph.node(at).args.iter().filter_map(|arg| copies.get(arg).copied()).collect();
        let copy = alone.push(graph.node(at).op.clone(), &args);
        copies.insert(at, copy);
    }
    let finished = alone.finish(&[*copies.get(&id)?]).ok()?;
    Some(interpret(&finished, &[]).first()?.elements.to_vec())
}

/// The places, in row-major order, of the elements in the first cell of the plates.
fn within(shape: &[usize], plates: &[usize]) -> Vec<usize> {
    let first = |at: &usize| unravel(*at, shape).iter().enumerate().all(|(axis, &i)| i == 0 || !plates.contains(&axis));
    (0..shape.iter().product()).filter(first).collect()
}

/// The places of an operand that a reduction takes together.
pub(in crate::algebra) fn reduced(index: &[usize], axes: &[usize], from: &[usize]) -> Vec<Vec<usize>> {
    let sizes: Vec<usize> = axes.iter().map(|&axis| from[axis]).collect();
    let turn = |turn: usize| {
        let turns = unravel(turn, &sizes);
        let mut kept = index.iter();
        let place = |axis: usize| match axes.iter().position(|&a| a == axis) {
            Some(at) => turns[at],
            None => kept.next().copied().unwrap_or(0),
        };
        (0..from.len()).map(place).collect()
    };
    (0..sizes.iter().product()).map(turn).collect()
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

/// Where an element of a rearranged array comes from; `None` in a pad.
pub(in crate::algebra) fn moved(op: &Op, index: &[usize], from: &[usize]) -> Option<Vec<usize>> {
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

pub(in crate::algebra) fn unravel(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i = at % size.max(1);
        at /= size.max(1);
    }
    index
}

pub(in crate::algebra) fn ravel(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |at, (i, size)| at * size + i)
}
