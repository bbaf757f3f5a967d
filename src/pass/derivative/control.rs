//! Derivatives of conditionals and loops.

use super::{activity, forward, reverse};
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::graph::{Builder, Graph, Node, NodeId, Op, TensorType};
use crate::pass::splice::{input_nodes, splice};
use crate::pass::term::Term;
use std::cell::RefCell;
use std::ops::Range;

pub(super) fn no_reverse_of_while() -> Diagnostic {
    Diagnostic::new(Code::NoDerivative, "a loop whose number of turns is not known has no reverse derivative")
        .help("loop over a range with `for`, or put `stop(…)` around what the loop returns")
}

/// Declares an input for each operand, named by its number.
pub(super) fn declare(b: &mut Builder, prefix: &str, types: impl IntoIterator<Item = TensorType>) -> Vec<NodeId> {
    types.into_iter().enumerate().map(|(i, ty)| b.input(format!("{prefix}{i}"), ty)).collect()
}

/// The ids of those that are present.
pub(super) fn present(terms: &[Option<Term<'_>>]) -> Vec<NodeId> {
    terms.iter().flatten().map(|term| term.id).collect()
}

/// One value for each slot of `flags`: the next of `values` where set, nothing elsewhere.
pub(super) fn place<T>(flags: &[bool], values: impl IntoIterator<Item = T>) -> Vec<Option<T>> {
    let mut values = values.into_iter();
    flags.iter().map(|&flag| if flag { values.next() } else { None }).collect()
}

/// Which operands of a loop move, given those that move before the first turn: a carry moves once its new value depends on
/// something that does.
pub(super) fn moving_carries(body: &Graph, carries: usize, mut moving: Vec<bool>) -> Vec<bool> {
    let inputs = input_nodes(body);
    let Some(&last) = body.outputs.iter().max() else { return moving };
    loop {
        let wrt: Vec<NodeId> = moving.iter().enumerate().filter(|(_, moves)| **moves).filter_map(|(i, _)| inputs[i + 1]).collect();
        let depends = activity::depends(body, &wrt, last);
        let before = moving.clone();
        for i in 0..carries {
            moving[i] |= depends[body.outputs[i].index()] && body.ty(body.outputs[i]).dtype == DType::Real;
        }
        if moving == before {
            return moving;
        }
    }
}

/// Both branches, each with the cotangents of its results as further operands, returning the cotangents of the wanted operands.
pub(super) fn cond_cotangents<'a>(
    b: &'a RefCell<Builder>,
    node: &Node,
    g: &[Option<Term<'a>>],
    wanted: &[bool],
) -> Result<Vec<Option<Term<'a>>>, Diagnostic> {
    let Op::Cond { then, otherwise } = &node.op else { return Ok(vec![None; node.args.len()]) };
    let operands = &node.args[1..];
    let branch = |graph: &Graph| -> Result<Graph, Diagnostic> {
        let mut inner = Builder::new();
        let values = declare(&mut inner, "x", graph.inputs.iter().map(|input| input.ty.clone()));
        let seeds = declare(&mut inner, "g", g.iter().flatten().map(|g| g.ty()));
        let outputs = splice(&mut inner, graph, &values);
        let seeded: Vec<NodeId> = outputs.iter().zip(g).filter(|(_, g)| g.is_some()).map(|(&output, _)| output).collect();
        let pairs: Vec<(NodeId, NodeId)> = seeded.into_iter().zip(seeds).collect();
        let wrt: Vec<NodeId> = values.iter().zip(&wanted[1..]).filter(|(_, w)| **w).map(|(&x, _)| x).collect();
        let inner = RefCell::new(inner);
        let parts = reverse::cotangents(&inner, &pairs, &wrt, &mut |_| ())?;
        let mut inner = inner.into_inner();
        let parts: Vec<NodeId> = wrt.iter().zip(parts).map(|(&x, part)| part.unwrap_or_else(|| inner.fill_like(0.0, x))).collect();
        inner.finish(&parts)
    };
    let (then, otherwise) = (branch(then)?, branch(otherwise)?);
    let operands = [operands, &present(g)].concat();
    let parts = b.borrow_mut().cond(node.args[0], then, otherwise, &operands);
    Ok(place(wanted, parts.into_iter().map(|id| Term::new(b, id))))
}

/// Both branches, each with the tangents of its operands as further operands, returning the tangents of its results.
pub(super) fn cond_tangents<'a>(b: &'a RefCell<Builder>, node: &Node, t: &[Option<Term<'a>>]) -> Result<Vec<Option<Term<'a>>>, Diagnostic> {
    let Op::Cond { then, otherwise } = &node.op else { return Ok(vec![]) };
    let real: Vec<bool> = node.results.iter().map(|ty| ty.dtype == DType::Real).collect();
    let branch = |graph: &Graph| -> Result<Graph, Diagnostic> {
        let mut inner = Builder::new();
        let values = declare(&mut inner, "x", graph.inputs.iter().map(|input| input.ty.clone()));
        let tangents = declare(&mut inner, "t", t.iter().flatten().map(|t| t.ty()));
        let outputs = splice(&mut inner, graph, &values);
        let moving: Vec<NodeId> = values.iter().zip(&t[1..]).filter(|(_, t)| t.is_some()).map(|(&x, _)| x).collect();
        let tangents = tangents_of(inner, &outputs, &real, &moving, &tangents)?;
        tangents.0.finish(&tangents.1)
    };
    let (then, otherwise) = (branch(then)?, branch(otherwise)?);
    let operands = [&node.args[1..], &present(t)].concat();
    let tangents = b.borrow_mut().cond(node.args[0], then, otherwise, &operands);
    Ok(place(&real, tangents.into_iter().map(|id| Term::new(b, id))))
}

/// Inside a sub-graph: the tangents of those outputs that `flags` asks for, zeros where nothing moves them.
pub(super) fn tangents_of(
    inner: Builder,
    outputs: &[NodeId],
    flags: &[bool],
    moving: &[NodeId],
    tangents: &[NodeId],
) -> Result<(Builder, Vec<NodeId>), Diagnostic> {
    let wanted: Vec<NodeId> = outputs.iter().zip(flags).filter(|(_, flag)| **flag).map(|(&output, _)| output).collect();
    let directions: Vec<(NodeId, NodeId)> = moving.iter().copied().zip(tangents.iter().copied()).collect();
    let inner = RefCell::new(inner);
    let found = forward::tangents(&inner, &wanted, &directions)?;
    let mut inner = inner.into_inner();
    let filled = wanted.iter().zip(found).map(|(&y, t)| t.unwrap_or_else(|| inner.fill_like(0.0, y))).collect();
    Ok((inner, filled))
}

/// The loop with the tangents of its moving carries as further carries.
pub(super) fn while_tangents<'a>(
    b: &'a RefCell<Builder>,
    node: &Node,
    t: &[Option<Term<'a>>],
) -> Result<Vec<Option<Term<'a>>>, Diagnostic> {
    let Op::While { condition, body, carries } = &node.op else { return Ok(vec![]) };
    let (carries, count) = (*carries, node.args.len());
    let moving = moving_carries(body, carries, t.iter().map(Option::is_some).collect());
    let t: Vec<Option<Term<'a>>> =
        (0..count).map(|i| moving[i].then(|| t[i].unwrap_or_else(|| Term::new(b, node.args[i]).zeros()))).collect();
    let types: Vec<TensorType> = node.args.iter().map(|&arg| b.borrow().ty(arg).clone()).collect();

    // The inputs of both sub-graphs: turn, carries, their tangents, constants, their tangents
    let declare_all = |inner: &mut Builder| {
        let turn = inner.input("turn", TensorType::int([]));
        let part = |inner: &mut Builder, range: Range<usize>, name: &str| {
            let values = declare(inner, name, types[range.clone()].iter().cloned());
            let tangents = declare(inner, &format!("d{name}"), range.filter(|&i| moving[i]).map(|i| types[i].clone()));
            (values, tangents)
        };
        let (carried, carried_tangents) = part(inner, 0..carries, "c");
        let (constants, constant_tangents) = part(inner, carries..count, "k");
        ([vec![turn], carried, constants].concat(), [carried_tangents, constant_tangents].concat())
    };

    let mut test = Builder::new();
    let (values, _) = declare_all(&mut test);
    let outputs = splice(&mut test, condition, &values);
    let test = test.finish(&outputs)?;

    let mut inner = Builder::new();
    let (values, tangents) = declare_all(&mut inner);
    let outputs = splice(&mut inner, body, &values);
    let movers: Vec<NodeId> = (0..count).filter(|&i| moving[i]).map(|i| values[i + 1]).collect();
    let (inner, moved) = tangents_of(inner, &outputs, &moving[..carries], &movers, &tangents)?;
    let body = inner.finish(&[outputs, moved].concat())?;

    let starts = [&node.args[..carries], &present(&t[..carries])].concat();
    let constants = [&node.args[carries..], &present(&t[carries..])].concat();
    let results = b.borrow_mut().while_loop(test, body, &starts, &constants);
    Ok(place(&moving[..carries], results[carries..].iter().map(|&id| Term::new(b, id))))
}
