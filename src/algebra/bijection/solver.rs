//! The inverse of a map and the logarithm of its Jacobian determinant, derived from its graph.
//!
//! A worklist of equations `node = value`, which starts with y = x. An equation on an operation with one unknown operand becomes one
//! on that operand; parts of an array that are known make the array known when they tile it. Each step replaces one coordinate by
//! another with a triangular Jacobian, since whatever the step takes as known stands before its node in the graph; so the determinant
//! of the map is the product of the slopes of the steps. Where u itself is known (it was drawn), the same steps give the determinant
//! and no inverse is computed.

use super::dependence::constant;
use super::elementwise::{self, OneUnknown};
use super::map::Map;
use super::pieces::{Piece, assemble, covered, whole};
use super::range;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType};
use crate::base::{Code, Diagnostic};
use crate::graph::{Builder, NodeId, Op};
use std::collections::{BTreeSet, HashMap};

pub(super) struct Solver<'s, 'm> {
    pub lowering: &'s mut Lowering<'m>,
    pub map: &'s Map,
    /// Nodes of the map in the enclosing graph
    values: HashMap<NodeId, NodeId>,
    /// Nodes whose value follows from y
    known: Vec<bool>,
    /// Of each node
    users: Vec<Vec<NodeId>>,
    pieces: HashMap<NodeId, Vec<Piece>>,
    /// Equations that have not been used
    pending: Vec<NodeId>,
    /// Summands of log |det ∂y/∂u|, in each cell of the plates, and where they come from
    terms: Vec<(Array, String)>,
    /// Zero, or infinite where y lies outside the range of the map
    penalty: Option<Array>,
    /// u was given: nodes have the values that they have there
    given: bool,
    /// A value outside the range is allowed, and its density zero
    ranged: bool,
}

/// u and log |det ∂y/∂u|, over the plates of the map.
pub(super) struct Solution {
    pub argument: NodeId,
    pub log_det: Array,
    /// Zero, or infinite where y lies outside the range of the map, if that is not all numbers
    pub penalty: Option<Array>,
    /// The steps that change volumes, in the order from y to u
    pub slopes: Vec<String>,
}

/// Where the solver starts.
pub(super) enum Start {
    /// The value of the map
    Output(NodeId),
    /// The same, where one outside the range of the map has density zero
    Observed(NodeId),
    /// Its argument
    Argument(NodeId),
}

fn users(map: &Map) -> Vec<Vec<NodeId>> {
    let mut users = vec![vec![]; map.graph.nodes.len()];
    for id in map.graph.ids() {
        map.node(id).args.iter().for_each(|arg| users[arg.index()].push(id));
    }
    users
}

impl<'s, 'm> Solver<'s, 'm> {
    pub fn solve(lowering: &'s mut Lowering<'m>, map: &'s Map, start: Start) -> Result<Solution> {
        let mut solver = Solver {
            lowering,
            map,
            values: HashMap::new(),
            known: map.depends.iter().map(|depends| !depends).collect(),
            users: users(map),
            pieces: HashMap::new(),
            pending: vec![],
            terms: vec![],
            penalty: None,
            given: matches!(start, Start::Argument(_)),
            ranged: matches!(start, Start::Observed(_)),
        };
        let value = match start {
            Start::Output(y) | Start::Observed(y) => Some(y),
            Start::Argument(u) => {
                solver.values.insert(map.argument, u);
                None
            }
        };
        let span = solver.b().span;
        solver.establish(map.output, value)?;
        while !solver.pending.is_empty() {
            if !solver.pass()? && !solver.sweep()? {
                let stuck = solver.pending[0];
                return Err(solver.stuck(stuck));
            }
        }
        solver.b().span = span;
        if !solver.known[map.argument.index()] {
            return Err(solver.not_determined());
        }
        let terms: Vec<_> = solver.terms.iter().map(|(term, from)| (term.node, from.clone())).collect();
        let b = solver.b();
        let slopes = terms.into_iter().filter(|(term, _)| elementwise::constant(b, *term) != Some(0.0)).map(|(_, from)| from).collect();
        let penalty = solver.penalty.take();
        Ok(Solution { argument: solver.value(map.argument)?, log_det: solver.log_det()?, penalty, slopes })
    }

    pub fn b(&mut self) -> &mut Builder {
        self.lowering.frames.builder()
    }

    pub fn is_given(&self) -> bool {
        self.given
    }

    pub fn judges_range(&self) -> bool {
        self.ranged
    }

    pub fn is_known(&self, id: NodeId) -> bool {
        self.known[id.index()]
    }

    /// Whether parts of a node are known.
    pub fn in_pieces(&self, id: NodeId) -> bool {
        self.pieces.contains_key(&id)
    }

    pub fn pending(&self) -> &[NodeId] {
        &self.pending
    }

    pub fn settled(&mut self, id: NodeId) {
        self.pending.retain(|&other| other != id);
    }

    /// Uses every equation that can be used; whether there was one.
    fn pass(&mut self) -> Result<bool> {
        let mut progress = false;
        for id in std::mem::take(&mut self.pending) {
            self.b().span = self.map.node(id).span;
            if self.step(id)? {
                progress = true;
            } else {
                self.pending.push(id);
            }
        }
        Ok(progress)
    }

    /// The value of a node that is known, in the enclosing graph.
    pub fn value(&mut self, id: NodeId) -> Result<NodeId> {
        let mut needed = vec![id];
        let mut all = BTreeSet::new();
        while let Some(id) = needed.pop() {
            if !self.values.contains_key(&id) && all.insert(id) {
                needed.extend(&self.map.node(id).args);
            }
        }
        for id in all {
            let node = self.map.node(id);
            let value = match &node.op {
                Op::Input(number) => {
                    let outer = number.checked_sub(1).and_then(|at| self.map.constants.get(at));
                    *outer.ok_or_else(|| Diagnostic::internal("a value of a map that is not known").at(node.span))?
                }
                op => {
                    let args: Vec<NodeId> = node.args.iter().filter_map(|arg| self.values.get(arg).copied()).collect();
                    let outer = std::mem::replace(&mut self.b().span, node.span);
                    let value = self.b().push(op.clone(), &args);
                    self.b().span = outer;
                    value
                }
            };
            self.values.insert(id, value);
        }
        self.values.get(&id).copied().ok_or_else(|| Diagnostic::internal("a node without value"))
    }

    /// A new equation. The value is left out where u is given.
    pub fn establish(&mut self, id: NodeId, value: Option<NodeId>) -> Result<()> {
        if self.is_known(id) || self.pieces.contains_key(&id) {
            return Err(self.determined_twice(id));
        }
        if let (Some(value), false) = (value, self.given) {
            self.values.insert(id, value);
        }
        self.known[id.index()] = true;
        if id != self.map.argument {
            self.pending.push(id);
        }
        self.refresh(id);
        Ok(())
    }

    /// Notes what becomes known with a node: results of known operands, and parts of arrays of which enough is known.
    fn refresh(&mut self, changed: NodeId) {
        let mut open: BTreeSet<NodeId> = self.users[changed.index()].iter().copied().collect();
        while let Some(id) = open.pop_first() {
            if !self.is_known(id) && self.follows(id) {
                self.known[id.index()] = true;
                open.extend(&self.users[id.index()]);
            }
        }
    }

    /// Whether a node follows from what is known.
    fn follows(&mut self, id: NodeId) -> bool {
        let node = self.map.node(id);
        if node.args.iter().all(|arg| self.is_known(*arg)) {
            return true;
        }
        let (Op::Slice { start, stop }, Some(pieces)) = (&node.op, self.pieces.get(&node.args[0])) else { return false };
        let wanted: Vec<Vec<usize>> = start.iter().zip(stop).map(|(&a, &b)| (a..b).collect()).collect();
        let enough = covered(pieces, &wanted);
        if enough {
            let value = assemble(self.lowering.frames.builder(), pieces, &wanted);
            self.values.extend(value.map(|value| (id, value)));
        }
        enough
    }

    /// A part of an array is known. The array is when all its parts are.
    fn add_piece(&mut self, of: NodeId, from: NodeId, indices: Vec<Vec<usize>>) -> Result<()> {
        let value = if self.given { None } else { Some(self.value(from)?) };
        let piece = Piece { indices, value };
        let shape = self.map.shape(of).to_vec();
        let pieces = self.pieces.entry(of).or_default();
        if self.known[of.index()] || pieces.iter().any(|other| other.overlaps(&piece)) {
            return Err(self.determined_twice(from));
        }
        pieces.push(piece);
        if pieces.iter().map(Piece::len).sum::<usize>() < shape.iter().product() {
            self.refresh(of);
            return Ok(());
        }
        let pieces = self.pieces.remove(&of).unwrap_or_default();
        let value = assemble(self.b(), &pieces, &whole(&shape));
        if value.is_none() && !self.given {
            return Err(self.stuck(from));
        }
        self.establish(of, value)
    }

    /// Uses the equation on a node, if enough is known.
    fn step(&mut self, id: NodeId) -> Result<bool> {
        if let Some(at) = self.map.applications.iter().position(|application| application.output.node == id) {
            return self.undo_application(id, at);
        }
        let node = self.map.node(id).clone();
        let x = node.args.iter().copied().find(|arg| !self.is_known(*arg));
        let Some(x) = x else { return Err(self.determined_twice(id)) };
        match &node.op {
            Op::Unary(op) => {
                self.keep_within(id, range::of_unary(*op))?;
                let value = self.inverted(id, |b, y| elementwise::unary_inverse(b, *op, y))?;
                if value.is_none() && !self.given {
                    return Ok(false);
                }
                self.establish(x, value)?;
                let (at, y) = (self.value(x)?, self.value(id)?);
                let slope = elementwise::unary_slope(self.b(), *op, at, y);
                self.slope(id, slope)
            }
            Op::Binary(op) => self.undo_binary(id, *op, node.args[0], node.args[1]),
            Op::Select => self.undo_select(id, &node.args),
            Op::Reshape(_) => self.rearranged(id, x, |b, y, shape| b.reshape(y, shape)),
            Op::Broadcast { .. } if self.map.graph.ty(x).len() == node.ty.len() => {
                self.rearranged(id, x, |b, y, shape| b.reshape(y, shape))
            }
            Op::Transpose(perm) => {
                let back: Vec<usize> = (0..perm.len()).map(|i| perm.iter().position(|&j| i == j).unwrap_or(i)).collect();
                self.rearranged(id, x, |b, y, _| b.transpose(y, &back))
            }
            Op::Reverse { axes } => self.rearranged(id, x, |b, y, _| b.reverse(y, axes)),
            Op::Cast(DType::Real) if self.map.graph.ty(x).dtype == DType::Real => self.rearranged(id, x, |_, y, _| y),
            Op::Slice { start, stop } => {
                let indices = start.iter().zip(stop).map(|(&from, &to)| (from..to).collect()).collect();
                self.add_piece(x, id, indices)?;
                Ok(true)
            }
            Op::Join { axis } => self.undo_join(id, *axis, &node.args),
            Op::Gather { batch: 0 } if x == node.args[0] => self.undo_gather(id, x, node.args[1]),
            Op::CumSum { axis, reverse } => self.rearranged(id, x, |b, y, _| differences(b, y, *axis, *reverse)),
            Op::Contract { .. } => self.undo_contract(id),
            Op::TriangularSolve { transpose } if x == node.args[1] => self.undo_solve(id, *transpose),
            Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Compare(_) | Op::Cast(_) | Op::Broadcast { .. } => {
                Ok(false)
            }
            Op::Pad { .. } | Op::Reduce { .. } | Op::Sort { .. } | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Gather { .. } => Ok(false),
            Op::ScatterAdd { .. } | Op::Random { .. } | Op::Cholesky | Op::SymmetricEigen | Op::TriangularSolve { .. } => Ok(false),
            Op::Assignment | Op::Stop => Ok(false),
            Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Project(_) => Ok(false),
        }
    }

    /// The operand's value from the node's; not computed where u is given.
    fn inverted(&mut self, id: NodeId, inverse: impl FnOnce(&mut Builder, NodeId) -> Option<NodeId>) -> Result<Option<NodeId>> {
        if self.given {
            return Ok(None);
        }
        let y = self.value(id)?;
        Ok(inverse(self.b(), y))
    }

    /// The same elements in another order.
    fn rearranged(&mut self, id: NodeId, x: NodeId, back: impl FnOnce(&mut Builder, NodeId, &[usize]) -> NodeId) -> Result<bool> {
        let shape = self.map.shape(x).to_vec();
        let value = self.inverted(id, |b, y| Some(back(b, y, &shape)))?;
        self.establish(x, value)?;
        Ok(true)
    }

    fn undo_binary(&mut self, id: NodeId, op: BinaryOp, a: NodeId, b: NodeId) -> Result<bool> {
        if !self.is_known(a) && !self.is_known(b) {
            return Ok(false);
        }
        let first = !self.is_known(a);
        let (x, k) = if first { (a, b) } else { (b, a) };
        let of = OneUnknown { op, first, known: self.value(k)? };
        self.keep_within(id, range::of_binary(op, first))?;
        let value = self.inverted(id, |b, y| elementwise::binary_inverse(b, of, y))?;
        if value.is_none() && !self.given {
            return Ok(false);
        }
        self.establish(x, value)?;
        let (at, y) = (self.value(x)?, self.value(id)?);
        let slope = elementwise::binary_slope(self.b(), of, at, y);
        self.slope(id, slope)
    }

    /// A choice that is always the same.
    fn undo_select(&mut self, id: NodeId, args: &[NodeId]) -> Result<bool> {
        let Some(chosen) = self.constant(args[0]) else { return Ok(false) };
        let x = if chosen.iter().all(|&c| c != 0.0) {
            args[1]
        } else if chosen.iter().all(|&c| c == 0.0) {
            args[2]
        } else {
            return Ok(false);
        };
        self.rearranged(id, x, |_, y, _| y)
    }

    fn undo_join(&mut self, id: NodeId, axis: usize, parts: &[NodeId]) -> Result<bool> {
        let mut from = 0;
        for &part in parts {
            let to = from + self.map.shape(part)[axis];
            let value = self.inverted(id, |b, y| Some(b.slice_axis(y, axis, from, to)))?;
            self.establish(part, value)?;
            from = to;
        }
        Ok(true)
    }

    /// Indices that do not depend on anything: a choice of rows.
    fn undo_gather(&mut self, id: NodeId, x: NodeId, index: NodeId) -> Result<bool> {
        let Some(index_values) = self.constant(index) else { return Ok(false) };
        let size = self.map.shape(x)[0];
        let rank = self.map.graph.ty(index).rank();
        let rows: Vec<usize> = index_values.iter().map(|&i| i.clamp(0.0, size as f64 - 1.0) as usize).collect();
        let mut seen = vec![false; size];
        if rank > 1 || rows.iter().any(|&row| std::mem::replace(&mut seen[row], true)) {
            return Ok(false);
        }
        let mut indices = whole(self.map.shape(x));
        indices[0] = rows;
        if rank == 0 {
            return Ok(false);
        }
        self.add_piece(x, id, indices)?;
        Ok(true)
    }

    /// The elements of a node that depends on nothing but numbers in the text.
    pub fn constant(&self, id: NodeId) -> Option<Vec<f64>> {
        constant(&self.map.graph, id)
    }

    /// Adds the slopes of a node's elements to the log-determinant. Whether there is a slope.
    pub fn slope(&mut self, id: NodeId, slope: Option<NodeId>) -> Result<bool> {
        let Some(slope) = slope else { return Err(self.stuck(id)) };
        if elementwise::constant(self.b(), slope) == Some(0.0) {
            return Ok(true);
        }
        let term = self.within_cells(id, slope)?;
        self.terms.push((term, operation(&self.map.node(id).op)));
        Ok(true)
    }

    /// What belongs to the elements of a node, added up in each cell of the plates.
    pub fn within_cells(&mut self, id: NodeId, elements: NodeId) -> Result<Array> {
        let axes = self.map.plate_axes(id)?.to_vec();
        let rank = self.map.shape(id).len();
        let within: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
        let sum = self.b().sum(elements, &within);
        let order: Vec<usize> = axes.iter().map(|axis| axes.iter().filter(|other| *other < axis).count()).collect();
        let sum = self.b().transpose(sum, &order);
        Ok(self.lowering.array(sum, self.map.plates.clone()))
    }

    /// A value in place of the one that a node has.
    pub fn replace(&mut self, id: NodeId, value: NodeId) {
        self.values.insert(id, value);
    }

    pub fn add_penalty(&mut self, penalty: &Array) -> Result<()> {
        self.penalty = Some(match self.penalty.take() {
            Some(sofar) => self.lowering.add(&sofar, penalty)?,
            None => penalty.clone(),
        });
        Ok(())
    }

    /// Adds a summand that varies over the plates of the map or fewer.
    pub fn add_term(&mut self, term: Array, from: String) {
        self.terms.push((term, from));
    }

    fn log_det(&mut self) -> Result<Array> {
        let mut total = self.lowering.real(0.0);
        for (at, (term, _)) in std::mem::take(&mut self.terms).into_iter().enumerate() {
            total = if at == 0 { term } else { self.lowering.add(&total, &term)? };
        }
        Ok(total)
    }

    pub fn stuck(&self, id: NodeId) -> Diagnostic {
        Diagnostic::new(Code::NotInvertible, "the inverse of this map cannot be derived")
            .label(self.map.node(id).span, "the argument cannot be found from the value of this expression")
            .help("put this step into a `bijector` that gives `inverse(y) = …` and `log_det = …` beside `forward`")
    }

    fn determined_twice(&self, id: NodeId) -> Diagnostic {
        Diagnostic::new(Code::NotInvertible, "this map is not a bijection")
            .label(self.map.node(id).span, "this value follows from the others: the map takes values on a thinner set only")
            .help("let every element of the result depend on an element of the argument of its own")
    }

    fn not_determined(&self) -> Diagnostic {
        Diagnostic::new(Code::NotInvertible, "this map is not a bijection: its value does not determine its argument")
            .label(self.map.node(self.map.output).span, "some elements of the argument do not reach this value")
            .help("let every element of the argument take part in the result")
    }
}

/// What a step is called in a derivation.
fn operation(op: &Op) -> String {
    let name = match op {
        Op::Unary(op) => format!("{op:?}"),
        Op::Binary(op) => format!("{op:?}"),
        Op::Contract { .. } | Op::TriangularSolve { .. } => "triangular matrix".to_string(),
        _ => "elementwise".to_string(),
    };
    name.to_lowercase()
}

/// The numbers whose cumulative sums these are.
fn differences(b: &mut Builder, y: NodeId, axis: usize, reverse: bool) -> NodeId {
    let shape = b.shape(y).to_vec();
    let (mut before, mut after) = (vec![0; shape.len()], vec![0; shape.len()]);
    let n = shape[axis];
    let shifted = if reverse {
        after[axis] = 1;
        b.slice_axis(y, axis, 1, n)
    } else {
        before[axis] = 1;
        b.slice_axis(y, axis, 0, n.saturating_sub(1))
    };
    let shifted = b.pad(shifted, &before, &after);
    b.sub(y, shifted)
}
