//! The reverse mode: cotangents flow from results to operands.

use super::{Applied, activity, control, elementwise, indexing, linear, reduce, scan, shape};
use crate::base::Diagnostic;
use crate::base::diagnostic::At;
use crate::base::op::ReduceOp;
use crate::graph::{Builder, Node, NodeId, Op};
use crate::pass::simplify::simplify_between;
use crate::pass::term::Term;
use std::cell::RefCell;
use std::collections::HashMap;

type Cotangents<'a> = Vec<Option<Term<'a>>>;

/// The cotangent of each node of `wrt`, given those of some results as (result, cotangent) pairs. `None` is zero. Nodes whose
/// cotangent is complete are told to `record`.
pub(super) fn cotangents(
    b: &RefCell<Builder>,
    seeds: &[(NodeId, NodeId)],
    wrt: &[NodeId],
    record: &mut dyn FnMut(Applied),
) -> Result<Vec<Option<NodeId>>, Diagnostic> {
    let targets: Vec<NodeId> = seeds.iter().map(|(target, _)| *target).collect();
    let active = activity::between(b, wrt, &targets);
    let targets = simplify_between(b, wrt, &active, &targets);
    let active = activity::between(b, wrt, &targets);

    let mut found: Cotangents<'_> = vec![None; active.len()];
    for (target, (_, seed)) in targets.iter().zip(seeds) {
        add(&mut found[target.index()], Term::new(b, *seed));
    }
    let span = b.borrow().span;
    // The cotangents of the results of control nodes, by node
    let mut results: HashMap<usize, Cotangents<'_>> = HashMap::new();
    for index in (0..active.len()).rev().filter(|&i| active[i]) {
        let node = b.borrow().graph().nodes[index].clone();
        let wanted: Vec<bool> = node.args.iter().map(|arg| active[arg.index()]).collect();
        b.borrow_mut().span = node.span;
        if let Some(g) = found[index] {
            record(Applied { node: NodeId(index as u32), cotangent: g.id });
        }
        let parts = match (&node.op, found[index]) {
            (Op::Project(result), Some(g)) => {
                let control = node.args[0].index();
                let count = b.borrow().graph().nodes[control].results.len();
                add(&mut results.entry(control).or_insert_with(|| vec![None; count])[*result], g);
                continue;
            }
            (Op::Scan { .. } | Op::While { .. } | Op::Cond { .. }, _) => match results.remove(&index) {
                Some(of_results) => control_rule(b, &node, &of_results, &wanted).at(node.span)?,
                None => continue,
            },
            (_, Some(g)) => {
                let operands: Vec<Term<'_>> = node.args.iter().map(|&arg| Term::new(b, arg)).collect();
                let y = Term::new(b, NodeId(index as u32));
                let rule = |(i, wanted): (usize, &bool)| if *wanted { under_mask(&node.op, i, g, &operands, y) } else { Ok(None) };
                wanted.iter().enumerate().map(rule).collect::<Result<_, _>>().at(node.span)?
            }
            (_, None) => continue,
        };
        for (arg, part) in node.args.iter().zip(parts) {
            if let Some(part) = part {
                add(&mut found[arg.index()], part);
            }
        }
    }
    b.borrow_mut().span = span;
    Ok(wrt.iter().map(|id| found.get(id.index()).copied().flatten().map(|term| term.id)).collect())
}

fn add<'a>(sum: &mut Option<Term<'a>>, part: Term<'a>) {
    *sum = Some(sum.map_or(part, |sum| sum + part));
}

fn control_rule<'a>(b: &'a RefCell<Builder>, node: &Node, g: &[Option<Term<'a>>], wanted: &[bool]) -> Result<Cotangents<'a>, Diagnostic> {
    match &node.op {
        Op::Scan { .. } => scan::cotangents(b, node, g, wanted),
        Op::While { .. } => Err(control::no_reverse_of_while()),
        Op::Cond { .. } => control::cond_cotangents(b, node, g, wanted),
        _ => Err(Diagnostic::internal("a node with several results that is no control node")),
    }
}

/// [`rule`], with the mask of a cotangent `select(c, g, 0)` moved outwards over elementwise operations: where the value was not
/// chosen the cotangent stays 0, even if the derivative there is infinite or NaN.
fn under_mask<'a>(op: &Op, operand: usize, g: Term<'a>, x: &[Term<'a>], y: Term<'a>) -> Result<Option<Term<'a>>, Diagnostic> {
    match (op, g.masked()) {
        (Op::Unary(_) | Op::Binary(_), Some((condition, inner, chosen))) => {
            let part = under_mask(op, operand, inner, x, y)?;
            Ok(part.map(|part| if chosen { part.only_where(condition) } else { part.except_where(condition) }))
        }
        _ => rule(op, operand, g, x, y),
    }
}

/// The part of the cotangent `g` of `y = op(x…)` that belongs to operand number `operand`. `None` is zero.
fn rule<'a>(op: &Op, operand: usize, g: Term<'a>, x: &[Term<'a>], y: Term<'a>) -> Result<Option<Term<'a>>, Diagnostic> {
    let part = match op {
        Op::Unary(unary) => elementwise::unary(*unary, g, x[0], y)?,
        Op::Binary(binary) => elementwise::binary(*binary, operand, g, [x[0], x[1]], y),
        Op::Select => Some(elementwise::select(operand, g, x[0])),
        Op::Broadcast { axes, .. } => Some(shape::broadcast(g, axes)),
        Op::Reshape(_) => Some(g.reshape(&x[0].shape())),
        Op::Transpose(perm) => Some(shape::transpose(g, perm)),
        Op::Slice { start, stop } => Some(shape::slice(g, x[0], start, stop)),
        Op::Pad { before, .. } => Some(shape::pad(g, x[0], before)),
        Op::Join { axis } => Some(shape::join(g, x, operand, *axis)),
        Op::Reverse { axes } => Some(shape::reverse(g, axes)),
        Op::Reduce { op: ReduceOp::Prod, axes } => through_product_tree(g, x[0], axes)?,
        Op::Reduce { op, axes } => reduce::reduce_cotangent(*op, axes, g, x[0], y),
        Op::CumSum { axis, reverse } => Some(reduce::cumulative_sum_cotangent(g, *axis, *reverse)),
        Op::Sort { axis } => Some(reduce::sort_cotangent(g, x[0], *axis)),
        Op::Contract { a, b, out } => Some(indexing::contract_cotangent(operand, g, [x[0], x[1]], [a, b, out])),
        Op::Gather { batch } => Some(indexing::gather_cotangent(g, x[0], x[1], *batch)),
        Op::ScatterAdd { batch, .. } => Some(indexing::scatter_add_cotangent(g, x[0], *batch)),
        Op::Cholesky => Some(linear::cholesky_cotangent(g, y)),
        Op::SymmetricEigen => return linear::no_derivative_of_eigen(),
        Op::TriangularSolve { transpose } => Some(linear::solve_cotangent(operand, g, x[0], y, *transpose)),
        Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Cast(_) => None,
        Op::Compare(_) | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Assignment | Op::Random { .. } | Op::Stop => None,
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Project(_) => None,
    };
    Ok(part)
}

fn through_product_tree<'a>(g: Term<'a>, x: Term<'a>, axes: &[usize]) -> Result<Option<Term<'a>>, Diagnostic> {
    let tree = reduce::product_tree(x, axes);
    let parts = cotangents(g.builder(), &[(tree.id, g.id)], &[x.id], &mut |_| ())?;
    Ok(parts[0].map(|id| Term::new(g.builder(), id)))
}
