//! The forward mode: tangents flow from operands to results.

use super::{activity, control, elementwise, linear, reduce, scan};
use crate::base::Diagnostic;
use crate::base::diagnostic::At;
use crate::base::op::ReduceOp;
use crate::graph::{Builder, Node, NodeId, Op};
use crate::pass::simplify::simplify_between;
use crate::pass::term::Term;
use std::cell::RefCell;
use std::collections::HashMap;

type Tangents<'a> = Vec<Option<Term<'a>>>;

/// The tangent of each node of `outputs`, given those of some nodes as (node, tangent) pairs. `None` is zero.
pub(super) fn tangents(
    b: &RefCell<Builder>,
    outputs: &[NodeId],
    directions: &[(NodeId, NodeId)],
) -> Result<Vec<Option<NodeId>>, Diagnostic> {
    let wrt: Vec<NodeId> = directions.iter().map(|(node, _)| *node).collect();
    let active = activity::between(b, &wrt, outputs);
    let outputs = simplify_between(b, &wrt, &active, outputs);
    let active = activity::between(b, &wrt, &outputs);

    let mut found: Tangents<'_> = vec![None; active.len()];
    for &(node, tangent) in directions.iter().filter(|(node, _)| node.index() < active.len()) {
        add(&mut found[node.index()], Some(Term::new(b, tangent)));
    }
    let span = b.borrow().span;
    let mut results: HashMap<usize, Tangents<'_>> = HashMap::new();
    for index in (0..active.len()).filter(|&i| active[i]) {
        let node = b.borrow().graph().nodes[index].clone();
        let t: Tangents<'_> = node.args.iter().map(|arg| found[arg.index()]).collect();
        b.borrow_mut().span = node.span;
        match &node.op {
            Op::Project(result) => {
                let inherited = results.get(&node.args[0].index()).and_then(|of_results| of_results[*result]);
                add(&mut found[index], inherited);
            }
            _ if t.iter().all(Option::is_none) => {}
            Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } => {
                results.insert(index, control_rule(b, &node, &t).at(node.span)?);
            }
            op => {
                let operands: Vec<Term<'_>> = node.args.iter().map(|&arg| Term::new(b, arg)).collect();
                let inherited = rule(op, &t, &operands, Term::new(b, NodeId(index as u32))).at(node.span)?;
                add(&mut found[index], inherited);
            }
        }
    }
    b.borrow_mut().span = span;
    Ok(outputs.iter().map(|id| found[id.index()].map(|term| term.id)).collect())
}

fn add<'a>(sum: &mut Option<Term<'a>>, part: Option<Term<'a>>) {
    *sum = match (*sum, part) {
        (Some(sum), Some(part)) => Some(sum + part),
        (sum, part) => sum.or(part),
    };
}

fn control_rule<'a>(b: &'a RefCell<Builder>, node: &Node, t: &[Option<Term<'a>>]) -> Result<Tangents<'a>, Diagnostic> {
    match &node.op {
        Op::Scan { .. } => scan::tangents(b, node, t),
        Op::While { .. } => control::while_tangents(b, node, t),
        Op::Cond { .. } => control::cond_tangents(b, node, t),
        _ => Err(Diagnostic::internal("a node with several results that is no control node")),
    }
}

/// The tangent of `y = op(x…)` along the tangents `t` of its operands. `None` is zero.
fn rule<'a>(op: &Op, t: &[Option<Term<'a>>], x: &[Term<'a>], y: Term<'a>) -> Result<Option<Term<'a>>, Diagnostic> {
    let each = |part: &dyn Fn(usize, Term<'a>) -> Option<Term<'a>>| {
        let mut sum = None;
        t.iter().enumerate().for_each(|(i, t)| add(&mut sum, t.and_then(|t| part(i, t))));
        sum
    };
    let tangent = match op {
        Op::Unary(unary) => t[0].map(|t| elementwise::unary(*unary, t, x[0], y)).transpose()?.flatten(),
        Op::Binary(binary) => each(&|i, t| elementwise::binary(*binary, i, t, [x[0], x[1]], y)),
        Op::Select => each(&|i, t| Some(elementwise::select(i, t, x[0]))),
        // Linear in the first operand
        Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } => t[0].map(|t| t.apply(op.clone())),
        Op::Reverse { .. } | Op::CumSum { .. } => t[0].map(|t| t.apply(op.clone())),
        Op::Gather { batch } => t[0].map(|t| t.gather(x[1], *batch)),
        Op::ScatterAdd { batch, size } => t[1].map(|t| t.scatter_add(x[0], *batch, *size)),
        Op::Join { axis } => {
            let parts: Vec<NodeId> = t.iter().zip(x).map(|(t, x)| t.unwrap_or_else(|| x.zeros()).id).collect();
            Some(y.make(|b| b.join(&parts, *axis)))
        }
        Op::Contract { a, b, out } => each(&|i, t| Some(if i == 0 { t.contract(x[1], a, b, out) } else { x[0].contract(t, a, b, out) })),
        Op::Reduce { op: ReduceOp::Prod, axes } => match t[0] {
            Some(t) => {
                let tree = reduce::product_tree(x[0], axes);
                tangents(y.builder(), &[tree.id], &[(x[0].id, t.id)])?[0].map(|id| Term::new(y.builder(), id))
            }
            None => None,
        },
        Op::Reduce { op, axes } => t[0].and_then(|t| reduce::reduce_tangent(*op, axes, t, x[0], y)),
        Op::Sort { axis } => t[0].map(|t| reduce::sort_tangent(t, x[0], *axis)),
        Op::Cholesky => t[0].map(|t| linear::cholesky_tangent(t, y)),
        Op::SymmetricEigen => return linear::no_derivative_of_eigen(),
        Op::TriangularSolve { transpose } => linear::solve_tangent(t[0], t[1], x[0], y, *transpose),
        Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Cast(_) => None,
        Op::Compare(_) | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Assignment | Op::Random { .. } | Op::Stop => None,
        Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Project(_) => None,
    };
    Ok(tangent)
}
