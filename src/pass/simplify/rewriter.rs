//! Applies the rules until none fits, and lets rules look at nodes.

use super::fold::uniform;
use super::{arithmetic, contraction, elementwise, indexing, reductions, shape, solve, stable};
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::graph::{Builder, NodeId, Op};
use crate::pass::term::Term;
use std::cell::{Cell, RefCell};

/// Rewritings that may follow from one node of the original graph.
const FUEL: u32 = 200;
/// How deep they may nest.
const DEPTH: u32 = 40;

pub(super) struct Rewriter<'a> {
    b: &'a RefCell<Builder>,
    /// The simplest known form of each node, by its number
    forms: RefCell<Vec<Option<NodeId>>>,
    /// Nodes that rules must not look into, by number; all further ones are open
    opaque: Vec<bool>,
    /// Whether `Stop` still has a meaning
    pub(super) keeps_stops: bool,
    fuel: Cell<u32>,
    depth: Cell<u32>,
}

/// A node as rules see it. Constants stand second in commutative operations.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Number(f64),
    Unary(UnaryOp, Term<'a>),
    /// a + c
    Shifted(Term<'a>, f64),
    /// c − a
    From(f64, Term<'a>),
    /// a · c
    Scaled(Term<'a>, f64),
    /// c / a
    Over(f64, Term<'a>),
    Binary(BinaryOp, Term<'a>, Term<'a>),
    Other,
}

impl<'a> Rewriter<'a> {
    pub(super) fn of_whole_graph(b: &'a RefCell<Builder>) -> Rewriter<'a> {
        Rewriter::new(b, vec![], vec![], false)
    }

    /// Only nodes that are `active` are rewritten, and none of `wrt`.
    pub(super) fn of_part(b: &'a RefCell<Builder>, wrt: &[NodeId], active: &[bool]) -> Rewriter<'a> {
        let builder = b.borrow();
        let nodes = &builder.graph().nodes;
        let constant = |op: &Op| matches!(op, Op::Fill { .. } | Op::Iota(_) | Op::Literal(_));
        let is_active = |i: usize| active.get(i) == Some(&true);
        let mut opaque: Vec<bool> = (0..nodes.len()).map(|i| !is_active(i) && !constant(&nodes[i].op)).collect();
        let mut forms: Vec<Option<NodeId>> = (0..nodes.len()).map(|i| (!is_active(i)).then_some(NodeId(i as u32))).collect();
        for id in wrt {
            opaque[id.index()] = true;
            forms[id.index()] = Some(*id);
        }
        drop(builder);
        Rewriter::new(b, forms, opaque, true)
    }

    fn new(b: &'a RefCell<Builder>, forms: Vec<Option<NodeId>>, opaque: Vec<bool>, keeps_stops: bool) -> Rewriter<'a> {
        Rewriter { b, forms: RefCell::new(forms), opaque, keeps_stops, fuel: Cell::new(0), depth: Cell::new(0) }
    }

    /// An equal node to which no rule applies, unless the bounds are reached before.
    pub(super) fn simplest(&self, id: NodeId) -> NodeId {
        if let Some(form) = self.forms.borrow().get(id.index()).copied().flatten() {
            return form;
        }
        if self.depth.get() == 0 {
            self.fuel.set(FUEL);
        }
        self.depth.set(self.depth.get() + 1);
        let form = if self.depth.get() > DEPTH { id } else { self.rewritten(id) };
        self.depth.set(self.depth.get() - 1);
        self.remember(id, form);
        self.remember(form, form);
        form
    }

    fn remember(&self, id: NodeId, form: NodeId) {
        let mut forms = self.forms.borrow_mut();
        if forms.len() <= id.index() {
            forms.resize(id.index() + 1, None);
        }
        forms[id.index()] = Some(form);
    }

    fn rewritten(&self, id: NodeId) -> NodeId {
        let (op, args) = self.parts(id);
        let simple: Vec<NodeId> = match op {
            Op::Input(_) => return id,
            _ => args.iter().map(|&arg| self.simplest(arg)).collect(),
        };
        let current = if simple == args { id } else { self.b.borrow_mut().push(op.clone(), &simple) };
        if current != id && self.forms.borrow().get(current.index()).copied().flatten().is_some() {
            return self.simplest(current);
        }
        let rewritten = if self.fuel.get() > 0 { self.rule(&op, &simple, self.term(current)) } else { None };
        match rewritten {
            Some(next) if next.id != current => {
                self.fuel.set(self.fuel.get() - 1);
                self.simplest(next.id)
            }
            _ => current,
        }
    }

    fn rule(&self, op: &Op, args: &[NodeId], current: Term<'a>) -> Option<Term<'a>> {
        let x = |i: usize| self.term(args[i]);
        match op {
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) => {
                if let Some(found) = elementwise::general(self, op, args, current) {
                    return Some(found);
                }
            }
            _ => {}
        }
        match op {
            Op::Unary(unary) => arithmetic::unary(self, *unary, x(0)).or_else(|| stable::unary(self, *unary, x(0))),
            Op::Binary(binary) => arithmetic::binary(self, *binary, x(0), x(1)),
            Op::Select => elementwise::select(self, x(0), x(1), x(2)),
            Op::Cast(dtype) => elementwise::cast(self, *dtype, x(0)),
            Op::Broadcast { shape, axes } => shape::broadcast(self, x(0), shape, axes),
            Op::Reshape(shape) => shape::reshape(self, x(0), shape),
            Op::Transpose(perm) => shape::transpose(self, x(0), perm),
            Op::Slice { start, stop } => shape::slice(self, x(0), start, stop),
            Op::Pad { .. } => shape::pad(self, x(0), current),
            Op::Join { axis } => shape::join(self, args, *axis, current),
            Op::Reverse { axes } => shape::reverse(self, x(0), axes),
            Op::Reduce { op: ReduceOp::Sum, axes } => reductions::sum(self, x(0), axes),
            Op::Reduce { op, axes } => reductions::other(self, *op, x(0), axes),
            Op::Contract { a, b, out } => contraction::contract(self, x(0), x(1), [a, b, out]),
            Op::Gather { batch } => indexing::gather(self, x(0), x(1), *batch),
            Op::ScatterAdd { batch, size } => indexing::scatter_add(self, x(0), x(1), *batch, *size),
            Op::Stop if !self.keeps_stops => Some(x(0)),
            Op::CumSum { .. } | Op::Sort { .. } | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Assignment | Op::Random { .. } => None,
            Op::TriangularSolve { transpose } => solve::triangular(self, x(0), x(1), *transpose),
            Op::Compare(_) | Op::Cholesky | Op::SymmetricEigen | Op::Stop => None,
            Op::Literal(literal) => uniform(literal).map(|value| current.number(value)),
            Op::Input(_) | Op::Fill { .. } | Op::Iota(_) => None,
            Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Project(_) => None,
        }
    }

    pub(super) fn term(&self, id: NodeId) -> Term<'a> {
        Term::new(self.b, id)
    }

    /// The operation and operands of any node.
    pub(super) fn parts(&self, id: NodeId) -> (Op, Vec<NodeId>) {
        let b = self.b.borrow();
        let node = b.graph().node(id);
        (node.op.clone(), node.args.clone())
    }

    /// The operation and operands of a node that rules may look into.
    pub(super) fn open(&self, x: Term<'a>) -> Option<(Op, Vec<Term<'a>>)> {
        if self.opaque.get(x.id.index()) == Some(&true) {
            return None;
        }
        let (op, args) = self.parts(x.id);
        Some((op, args.into_iter().map(|arg| self.term(arg)).collect()))
    }

    /// The number that a node holds in every place.
    pub(super) fn number(&self, x: Term<'a>) -> Option<f64> {
        match self.b.borrow().graph().node(x.id).op {
            Op::Fill { bits, .. } => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    pub(super) fn view(&self, x: Term<'a>) -> View<'a> {
        if self.opaque.get(x.id.index()) == Some(&true) {
            return View::Other;
        }
        let b = self.b.borrow();
        let node = b.graph().node(x.id);
        let arg = |i: usize| Term::new(self.b, node.args[i]);
        match node.op {
            Op::Fill { bits, .. } => View::Number(f64::from_bits(bits)),
            Op::Unary(op) => View::Unary(op, arg(0)),
            Op::Binary(op) => match (op, self.number(arg(0)), self.number(arg(1))) {
                (BinaryOp::Add, None, Some(c)) => View::Shifted(arg(0), c),
                (BinaryOp::Mul, None, Some(c)) => View::Scaled(arg(0), c),
                (BinaryOp::Sub, Some(c), None) => View::From(c, arg(1)),
                (BinaryOp::Div, Some(c), None) => View::Over(c, arg(1)),
                _ => View::Binary(op, arg(0), arg(1)),
            },
            _ => View::Other,
        }
    }

    /// The operand of a node that applies `op`.
    pub(super) fn operand_of(&self, op: UnaryOp, x: Term<'a>) -> Option<Term<'a>> {
        match self.view(x) {
            View::Unary(found, operand) if found == op => Some(operand),
            _ => None,
        }
    }

    /// What is repeated, and the axes of `x` at which its own axes stand. A number has no axes.
    pub(super) fn broadcast(&self, x: Term<'a>) -> Option<(Term<'a>, Vec<usize>)> {
        match self.open(x)? {
            (Op::Broadcast { axes, .. }, args) => Some((args[0], axes)),
            (Op::Fill { bits, dtype, .. }, _) => Some((x.make(|b| b.fill(f64::from_bits(bits), dtype, &[])), vec![])),
            _ => None,
        }
    }
}
