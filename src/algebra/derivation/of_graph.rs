//! Graphs as mathematics: what was computed, with names for the nodes that have one. Vectors and matrices are written as such; under a
//! sum over elements, with indices.

use super::of_expr::comparison;
use super::{Big, Formula, Relation};
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::graph::{Graph, Node, NodeId, Op};
use std::collections::HashMap;

pub(super) struct OfGraph<'g> {
    pub graph: &'g Graph,
    pub names: HashMap<NodeId, Formula>,
}

const LETTERS: [&str; 6] = ["i", "j", "k", "l", "m", "o"];

/// Stands where a node has no form with vectors and indices: no formula that contains it is shown.
const UNWRITTEN: &str = "…";

/// Letters for sums inside a formula with these indices.
fn fresh(taken: &[Formula]) -> impl Iterator<Item = Formula> {
    let free: Vec<Formula> = LETTERS.iter().map(|&letter| letter.into()).filter(|letter| !taken.contains(letter)).collect();
    free.into_iter().chain(std::iter::repeat_with(|| Formula::words(UNWRITTEN)))
}

impl OfGraph<'_> {
    /// The node by its name, or written out.
    pub fn formula(&self, id: NodeId) -> Formula {
        self.names.get(&id).cloned().unwrap_or_else(|| self.written(id, None))
    }

    /// One node written out, whatever its name.
    pub fn definition(&self, id: NodeId) -> Formula {
        self.written(id, None)
    }

    /// One element, or the whole where there are no indices.
    fn at(&self, id: NodeId, indices: Option<&[Formula]>) -> Formula {
        match (self.names.get(&id), indices) {
            (Some(name), Some(indices)) if !indices.is_empty() => name.clone().index(indices.to_vec()),
            (Some(name), _) => name.clone(),
            (None, indices) => self.written(id, indices),
        }
    }

    fn written(&self, id: NodeId, indices: Option<&[Formula]>) -> Formula {
        let node = self.graph.node(id);
        let arg = |i: usize| self.at(node.args[i], indices);
        match &node.op {
            Op::Unary(op) => unary(*op, arg(0)),
            Op::Binary(op) => {
                let part = indices.map_or(0, <[Formula]>::len) >= node.ty.rank();
                let chosen = indices.map_or(0, <[Formula]>::len);
                let whole = !part && node.args.iter().all(|&arg| self.is_array(arg) && self.varies_after(arg, chosen));
                binary(*op, arg(0), arg(1), whole)
            }
            Op::Compare(op) => arg(0).related(comparison(*op), arg(1)),
            Op::Select if self.is_shift(node) => Formula::Number(0.0),
            Op::Select => match decided(&arg(0)) {
                Some(true) => arg(1),
                Some(false) => arg(2),
                None => Formula::cases(arg(0), arg(1), arg(2)),
            },
            Op::Cast(_) | Op::Stop => arg(0),
            Op::Broadcast { axes, .. } => {
                let of: Option<Vec<Formula>> = indices.map(|indices| axes.iter().filter_map(|&axis| indices.get(axis).cloned()).collect());
                self.at(node.args[0], of.as_deref())
            }
            Op::Reshape(_) => self.reshaped(node, indices),
            Op::Fill { bits, .. } => constant(f64::from_bits(*bits)),
            Op::Literal(literal) => match literal.values.first() {
                Some(&first) if literal.values.iter().all(|v| *v == first) => constant(first),
                Some(_) | None => indexed("c".into(), indices),
            },
            Op::Iota(_) => indices.and_then(|indices| indices.first().cloned()).unwrap_or_else(|| Formula::words(UNWRITTEN)),
            Op::Transpose(perm) => match indices {
                Some(indices) if indices.len() == perm.len() => {
                    let mut of = indices.to_vec();
                    perm.iter().zip(indices).for_each(|(&from, index)| of[from] = index.clone());
                    self.at(node.args[0], Some(&of))
                }
                Some(indices) if (0..indices.len()).eq(perm.iter().copied().take(indices.len())) => {
                    self.at(node.args[0], Some(indices)).transpose()
                }
                indices => indexed(self.at(node.args[0], None).transpose(), indices),
            },
            Op::Reduce { op, axes } => self.reduced(node, *op, axes, indices),
            Op::Contract { a, b, out } => self.contracted(node, [a, b, out], indices),
            Op::Random { .. } => indexed("epsilon".into(), indices),
            Op::Gather { batch } => {
                let indices = indices.unwrap_or_default();
                let chosen = self.graph.ty(node.args[1]).rank().min(indices.len());
                let (place, rest) = (&indices[..chosen], &indices[chosen..]);
                let place = self.at(node.args[1], Some(place).filter(|place| !place.is_empty()));
                self.at(node.args[0], Some(&[&indices[..*batch.min(&indices.len())], &[place], rest].concat()))
            }
            Op::ScatterAdd { batch: 0, .. } if self.graph.ty(node.args[0]).rank() == 0 && node.ty.rank() <= 2 => {
                let unit = Formula::from("e").index([self.at(node.args[0], None)]);
                let (place, rest) = indices.map_or((None, None), |all| {
                    let (place, rest) = all.split_at(all.len().min(1));
                    (Some(place), Some(rest))
                });
                let row = self.at(node.args[1], rest);
                match indices {
                    // One row of a matrix.
                    None if node.ty.rank() == 2 => unit * row.transpose(),
                    _ => binary(BinaryOp::Mul, row, indexed(unit, place), false),
                }
            }
            Op::TriangularSolve { transpose } => {
                let (batch, of) = self.matrices(node, indices);
                let l = self.at(node.args[0], batch);
                let l = if *transpose { l.transpose() } else { l };
                let of = of.map(|of| if self.graph.ty(node.args[1]).shape.last() == Some(&1) { &of[..of.len().min(1)] } else { of });
                indexed(l.inverse() * self.at(node.args[1], batch), of)
            }
            Op::Cholesky => {
                let (batch, of) = self.matrices(node, indices);
                indexed(Formula::apply("chol", [self.at(node.args[0], batch)]), of)
            }
            _ => indexed(self.called(node), indices),
        }
    }

    /// Operations that are written as functions of their operands.
    fn called(&self, node: &Node) -> Formula {
        if matches!(node.op, Op::ScatterAdd { .. }) {
            return Formula::words(UNWRITTEN);
        }
        let name: String = format!("{:?}", node.op).chars().take_while(|c| c.is_alphanumeric()).collect();
        Formula::apply(Formula::name(name.to_lowercase()), node.args.iter().map(|&arg| self.at(arg, None)))
    }

    /// The indices that choose one of several matrices, and those inside it.
    fn matrices<'i>(&self, node: &Node, indices: Option<&'i [Formula]>) -> (Option<&'i [Formula]>, Option<&'i [Formula]>) {
        let Some(indices) = indices else { return (None, None) };
        let (batch, inside) = indices.split_at((node.ty.rank() - 2).min(indices.len()));
        (Some(batch), Some(inside))
    }

    /// What is taken off before an exponential and added after the logarithm, so that neither overflows: in mathematics it cancels.
    fn is_shift(&self, node: &Node) -> bool {
        let [condition, then, otherwise] = node.args[..] else { return false };
        let finite = self.graph.node(self.through_stops(condition));
        let maximum = self.through_stops(then);
        let is_zero = |node: &Node| matches!(&node.op, Op::Fill { bits, .. } if f64::from_bits(*bits) == 0.0);
        let is_maximum = |id| matches!(self.graph.node(id).op, Op::Reduce { op: ReduceOp::Max, .. });
        let of_maximum = finite.op == Op::Unary(UnaryOp::IsFinite) && is_maximum(self.through_stops(finite.args[0]));
        of_maximum && is_maximum(maximum) && is_zero(self.graph.node(otherwise))
    }

    fn through_stops(&self, id: NodeId) -> NodeId {
        let node = self.graph.node(id);
        if node.op == Op::Stop { self.through_stops(node.args[0]) } else { id }
    }

    /// Whether vectors and matrices are not enough to write a node down.
    pub fn needs_indices(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        let inside = || node.args.iter().any(|&arg| !self.names.contains_key(&arg) && self.needs_indices(arg));
        match &node.op {
            Op::Iota(_) => true,
            Op::Select if self.is_shift(node) => false,
            Op::Broadcast { shape, axes } => {
                let long = |axis: &usize| shape[*axis] != 1;
                let stretched = axes.iter().any(long) && (0..shape.len()).any(|axis| long(&axis) && !axes.contains(&axis));
                stretched || inside()
            }
            Op::Reduce { axes, .. } => self.graph.ty(node.args[0]).rank() > axes.len() || inside(),
            Op::Contract { .. } => self.formula(id).has_list() || inside(),
            _ => inside(),
        }
    }

    /// A name and what it stands for, with indices where these are needed.
    pub fn equation(&self, name: Formula, id: NodeId) -> (Formula, Formula) {
        if let Some(known) = self.names.get(&id).filter(|known| **known != name) {
            return (name, known.clone());
        }
        let unwritten = Formula::words(UNWRITTEN);
        if !self.needs_indices(id) {
            let written = self.definition(id);
            return (name, if written.mentions(&unwritten) { no_form() } else { written });
        }
        let letters = self.letters(id);
        let element = self.element(id, &letters);
        if element.mentions(&unwritten) || letters.len() < self.graph.ty(id).rank() {
            return (name, no_form());
        }
        (if letters.is_empty() { name } else { name.index(letters) }, element)
    }

    /// The letters of a node's axes.
    pub fn letters(&self, id: NodeId) -> Vec<Formula> {
        LETTERS.iter().take(self.graph.ty(id).rank()).map(|&letter| letter.into()).collect()
    }

    /// One element of a node written out.
    pub fn element(&self, id: NodeId, indices: &[Formula]) -> Formula {
        self.written(id, Some(indices))
    }

    fn is_array(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        match &node.op {
            _ if node.ty.rank() == 0 => false,
            Op::Fill { .. } => false,
            Op::Broadcast { .. } | Op::Cast(_) => self.names.contains_key(&id) || self.is_array(node.args[0]),
            _ => true,
        }
    }

    /// Whether a node is still an array where its first axes are chosen.
    fn varies_after(&self, id: NodeId, chosen: usize) -> bool {
        let node = self.graph.node(id);
        match &node.op {
            _ if self.names.contains_key(&id) => node.ty.rank() > chosen,
            Op::Broadcast { axes, .. } => axes.iter().any(|&axis| axis >= chosen),
            Op::Unary(_) | Op::Binary(_) | Op::Cast(_) | Op::Stop => node.args.iter().any(|&arg| self.varies_after(arg, chosen)),
            _ => node.ty.rank() > chosen,
        }
    }

    /// Axes of size 1 come and go unseen.
    fn reshaped(&self, node: &Node, indices: Option<&[Formula]>) -> Formula {
        let from = self.graph.ty(node.args[0]);
        let Some(indices) = indices else { return self.at(node.args[0], None) };
        let long = |shape: &[usize]| shape.iter().copied().filter(|&n| n != 1).collect::<Vec<usize>>();
        if long(&from.shape) != long(&node.ty.shape) {
            return self.at(node.args[0], None).index(indices.to_vec());
        }
        let mut left = indices.iter().zip(&node.ty.shape).filter(|(_, n)| **n != 1).map(|(index, _)| index.clone());
        // Fewer indices than axes choose along the first of these.
        let of: Vec<Formula> = from.shape.iter().map_while(|&n| if n == 1 { Some(Formula::Number(1.0)) } else { left.next() }).collect();
        self.at(node.args[0], Some(&of))
    }

    fn reduced(&self, node: &Node, op: ReduceOp, axes: &[usize], indices: Option<&[Formula]>) -> Formula {
        let rank = self.graph.ty(node.args[0]).rank();
        if indices.is_none() && rank > axes.len() {
            return Formula::apply(if op == ReduceOp::Sum { "sum" } else { "max" }, [self.at(node.args[0], None)]);
        }
        let mut outer = indices.unwrap_or_default().iter().cloned();
        let mut letters = fresh(indices.unwrap_or_default());
        let mut below = vec![];
        let all: Vec<Formula> = (0..rank)
            .map(|axis| {
                if axes.contains(&axis) {
                    let letter = letters.next().unwrap_or_else(|| Formula::words(UNWRITTEN));
                    if self.graph.ty(node.args[0]).shape[axis] != 1 {
                        below.push(letter.clone());
                    }
                    letter
                } else {
                    outer.next().unwrap_or_else(|| Formula::words(UNWRITTEN))
                }
            })
            .collect();
        let body = self.at(node.args[0], Some(&all));
        let operator = match op {
            ReduceOp::Sum => Big::Sum,
            ReduceOp::Prod => Big::Product,
            ReduceOp::Max | ReduceOp::Or => Big::Max,
            ReduceOp::Min | ReduceOp::And => Big::Min,
        };
        if below.is_empty() { body } else { Formula::Big { operator, below, above: None, body: Box::new(body) } }
    }

    /// A contraction as a product of vectors and matrices where it is one, otherwise with its indices.
    fn contracted(&self, node: &Node, [a, b, out]: [&[u8]; 3], indices: Option<&[Formula]>) -> Formula {
        let sizes = |id: NodeId, labels: &[u8]| labels.iter().copied().zip(self.graph.ty(id).shape.clone()).collect::<Vec<_>>();
        let of = [sizes(node.args[0], a), sizes(node.args[1], b)].concat();
        // An axis of size 1 is no axis for the reader.
        let long = |label: &&u8| of.iter().any(|(known, size)| known == *label && *size != 1);
        let [la, lb, lo] = [a, b, out].map(|labels| labels.iter().filter(long).copied().collect::<Vec<u8>>());
        let (x, y) = (self.at(node.args[0], None), self.at(node.args[1], None));
        let product = match (&la[..], &lb[..], &lo[..]) {
            (a, b, out) if a == b && b == out => Some(binary(BinaryOp::Mul, x, y, !a.is_empty())),
            (a, [], out) if a == out => Some(y * x),
            ([], b, out) if b == out => Some(x * y),
            ([i], [j], []) if i == j => Some(x.transpose() * y),
            ([i], [j], [k, l]) if (i, j) == (k, l) => Some(x * y.transpose()),
            ([i], [j], [k, l]) if (i, j) == (l, k) => Some(y * x.transpose()),
            ([i, k], [m], [o]) if k == m && i == o => Some(x * y),
            ([k, i], [m], [o]) if k == m && i == o => Some(x.transpose() * y),
            ([m], [i, k], [o]) if k == m && i == o => Some(y * x),
            ([m], [k, i], [o]) if k == m && i == o => Some(y.transpose() * x),
            ([a0, a1], [b0, b1], [o0, o1]) => matrix_product(x, y, [*a0, *a1], [*b0, *b1], [*o0, *o1]),
            _ => None,
        };
        product.map_or_else(|| self.einsum(node, [a, b, out], indices), |product| indexed(product, indices))
    }

    fn einsum(&self, node: &Node, [a, b, out]: [&[u8]; 3], indices: Option<&[Formula]>) -> Formula {
        let mut letters: HashMap<u8, Formula> = HashMap::new();
        let mut free = fresh(indices.unwrap_or_default());
        for &label in a.iter().chain(b) {
            let given = out.iter().position(|l| *l == label).and_then(|at| indices?.get(at).cloned());
            letters.entry(label).or_insert_with(|| given.or_else(|| free.next()).unwrap_or_else(|| Formula::words(UNWRITTEN)));
        }
        let letter = |label: u8| letters.get(&label).cloned().unwrap_or_else(|| Formula::words(UNWRITTEN));
        let part = |id: NodeId, labels: &[u8]| self.at(id, Some(&labels.iter().map(|&l| letter(l)).collect::<Vec<_>>()));
        let body = part(node.args[0], a) * part(node.args[1], b);
        let below: Vec<Formula> = a.iter().filter(|label| !out.contains(label)).map(|&label| letter(label)).collect();
        let sum = if below.is_empty() { body } else { Formula::Big { operator: Big::Sum, below, above: None, body: Box::new(body) } };
        if indices.is_some() { sum } else { Formula::List(vec![sum]).index(out.iter().map(|&l| letter(l)).collect::<Vec<_>>()) }
    }
}

/// The product of two matrices over one shared label.
fn matrix_product(x: Formula, y: Formula, a: [u8; 2], b: [u8; 2], out: [u8; 2]) -> Option<Formula> {
    let inner = *a.iter().find(|label| b.contains(label) && !out.contains(label))?;
    let left = if a[1] == inner { x.clone() } else { x.clone().transpose() };
    let right = if b[0] == inner { y.clone() } else { y.clone().transpose() };
    let row = if a[0] == inner { a[1] } else { a[0] };
    Some(if out[0] == row { left * right } else { right.transpose() * left.transpose() })
}

/// In place of a formula that would not say what is computed.
fn no_form() -> Formula {
    Formula::words("(computed, but not yet supported as a formula)")
}

fn indexed(formula: Formula, indices: Option<&[Formula]>) -> Formula {
    match indices {
        Some(indices) if !indices.is_empty() => match formula {
            Formula::Neg(formula) => -indexed(*formula, Some(indices)),
            formula => formula.index(indices.to_vec()),
        },
        Some(_) | None => formula,
    }
}

fn unary(op: UnaryOp, x: Formula) -> Formula {
    match op {
        UnaryOp::Neg => -x,
        UnaryOp::Abs => x.abs(),
        UnaryOp::Recip => Formula::from(1) / x,
        UnaryOp::Expm1 => Formula::exp(x) - 1,
        UnaryOp::Log => Formula::log(x),
        UnaryOp::Log1p => Formula::log(Formula::from(1) + x),
        UnaryOp::LogGamma => Formula::log(Formula::apply("Gamma", [x])),
        UnaryOp::Digamma => Formula::apply("psi", [x]),
        UnaryOp::Trigamma => Formula::apply(Formula::from("psi").index([1]), [x]),
        UnaryOp::Exp | UnaryOp::Sqrt | UnaryOp::Sin | UnaryOp::Cos | UnaryOp::Tanh | UnaryOp::Sigmoid => named(op, x),
        UnaryOp::Softplus | UnaryOp::Erf | UnaryOp::ErfInv | UnaryOp::Sign | UnaryOp::Floor | UnaryOp::Ceil => named(op, x),
        UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => named(op, x),
    }
}

fn named(op: UnaryOp, x: Formula) -> Formula {
    Formula::apply(Formula::name(format!("{op:?}").to_lowercase()), [x])
}

fn binary(op: BinaryOp, a: Formula, b: Formula, arrays: bool) -> Formula {
    use Formula::{Div, Index, Name, Neg, Number};
    match (op, a, b) {
        (BinaryOp::Add, Number(a), Number(b)) => Number(a + b),
        (BinaryOp::Sub, Number(a), Number(b)) => Number(a - b),
        (BinaryOp::Add, a, b) if a == b => Number(2.0) * a,
        // As one writes: W x + b, x − y.
        (BinaryOp::Add, a @ (Name(_) | Index(..)), b @ Formula::Mul(_)) => b + a,
        (BinaryOp::Add, Neg(a), b) if !matches!(b, Neg(_)) => b - *a,
        (BinaryOp::Add, a, b) => a + b,
        (BinaryOp::Sub, a, b) => a - b,
        (BinaryOp::Mul, Number(zero), _) | (BinaryOp::Mul, _, Number(zero)) if zero == 0.0 => Number(0.0),
        (BinaryOp::Mul, Neg(a), b) => -binary(op, *a, b, arrays),
        (BinaryOp::Mul, a, Neg(b)) => -binary(op, a, *b, arrays),
        (BinaryOp::Mul, a, b) if a == b => a.squared(),
        // Numbers come first.
        (BinaryOp::Mul, a @ Number(_), b) | (BinaryOp::Mul, b, a @ Number(_)) => a * b,
        (BinaryOp::Mul, Div(one, below), above) if one.is_number(1.0) => quotient(above, *below),
        (BinaryOp::Mul, a, b) if arrays => a.elementwise(b),
        (BinaryOp::Mul, a, b) => a * b,
        (BinaryOp::Div, a, b) => quotient(a, b),
        (op, a, b) => Formula::of_binary(op, a, b),
    }
}

/// a / b / c is a / (b c); a softmax is known by its form.
fn quotient(a: Formula, b: Formula) -> Formula {
    match (a, b) {
        (Formula::Neg(a), b) => -quotient(*a, b),
        (Formula::Div(above, below), b) if *below == b => *above / b.squared(),
        (Formula::Div(above, below), b) => *above / (*below * b),
        (Formula::Apply(exp, of), b) if is_total_of(&b, &Formula::Apply(exp.clone(), of.clone())) => Formula::apply("softmax", of),
        (a, b) => a / b,
    }
}

/// Whether a formula is Σᵢ exp(xᵢ) of exp(x).
fn is_total_of(total: &Formula, exp: &Formula) -> bool {
    let (Formula::Big { operator: Big::Sum, below, body, .. }, Formula::Apply(function, args)) = (total, exp) else { return false };
    let (Formula::Apply(inner, parts), [of]) = (&**body, &args[..]) else { return false };
    let whole = matches!(&parts[..], [Formula::Index(base, indices)] if indices.ends_with(below) && match of {
        Formula::Index(of, outer) => of == base && indices[..indices.len() - below.len()] == outer[..],
        of => **base == *of && indices == below,
    });
    let part = matches!((&parts[..], of), ([Formula::Index(base, inside)], Formula::Index(of, outside))
        if base == of && inside.len() == outside.len());
    function == inner && **function == Formula::Name("exp".into()) && (whole || part)
}

/// Numbers that are known by name.
fn constant(value: f64) -> Formula {
    let pi = std::f64::consts::PI;
    match value {
        _ if value == pi => "pi".into(),
        _ if value == 2.0 * pi => Formula::Mul(vec![2.into(), "pi".into()]),
        _ => Formula::Number(value),
    }
}

/// A comparison of numbers.
fn decided(condition: &Formula) -> Option<bool> {
    let Formula::Relation(a, relation, b) = condition else { return None };
    let (Formula::Number(a), Formula::Number(b)) = (&**a, &**b) else { return None };
    match relation {
        Relation::Equal => Some(a == b),
        Relation::NotEqual => Some(a != b),
        Relation::Less => Some(a < b),
        Relation::LessEqual => Some(a <= b),
        Relation::Greater => Some(a > b),
        Relation::GreaterEqual => Some(a >= b),
        _ => None,
    }
}
