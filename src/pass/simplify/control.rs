//! Loops and branches: their sub-graphs simplified, and stripped of carries, operands and results that nothing needs.

use super::live::live_inputs;
use super::simplify;
use crate::base::Diagnostic;
use crate::graph::{Builder, Graph, NodeId, Op};
use crate::pass::splice::splice;
use std::ops::Range;

/// The node again, in another builder, over `args`. Returns its results, those that `used` asks for at least.
pub(super) fn rebuild(b: &mut Builder, op: &Op, args: &[NodeId], used: &[bool]) -> Result<Vec<Option<NodeId>>, Diagnostic> {
    match op {
        Op::Scan { body, carries, sequences, length, reverse } => {
            let roles = Roles { carries: *carries, sequences: *sequences };
            let Stripped { graphs, args, results, roles } = strip_loop(b, roles, vec![(**body).clone()], args, used)?;
            let [body] = &graphs[..] else { return Err(Diagnostic::internal("a scan with several bodies")) };
            let (starts, rest) = args.split_at(roles.carries);
            let (sequences, constants) = rest.split_at(roles.sequences);
            let found = b.scan(body.clone(), starts, sequences, constants, *length, *reverse);
            Ok(place(&results, found))
        }
        Op::While { condition, body, carries } => {
            let roles = Roles { carries: *carries, sequences: 0 };
            let stripped = strip_loop(b, roles, vec![(**body).clone(), (**condition).clone()], args, used)?;
            let [body, condition] = &stripped.graphs[..] else { return Err(Diagnostic::internal("a loop without a condition")) };
            let (starts, constants) = stripped.args.split_at(stripped.roles.carries);
            let found = b.while_loop(condition.clone(), body.clone(), starts, constants);
            Ok(place(&stripped.results, found))
        }
        Op::Cond { then, otherwise } => {
            if let Op::Fill { bits, .. } = b.graph().node(args[0]).op {
                let chosen = if f64::from_bits(bits) != 0.0 { then } else { otherwise };
                return Ok(splice(b, chosen, &args[1..]).into_iter().map(Some).collect());
            }
            let branch = |graph: &Graph| simplify(Graph { outputs: chosen(&graph.outputs, used), ..graph.clone() });
            let (then, otherwise) = (branch(then)?, branch(otherwise)?);
            let needed: Vec<bool> = live_inputs(&then).iter().zip(live_inputs(&otherwise)).map(|(a, b)| *a || b).collect();
            let operands = chosen(&args[1..], &needed);
            let found = b.cond(args[0], with_inputs(then, &needed, &[])?, with_inputs(otherwise, &needed, &[])?, &operands);
            Ok(place(used, found))
        }
        _ => Err(Diagnostic::internal("a simple operation among loops and branches")),
    }
}

#[derive(Clone, Copy)]
struct Roles {
    carries: usize,
    sequences: usize,
}

struct Stripped {
    graphs: Vec<Graph>,
    args: Vec<NodeId>,
    /// Which of the old results are left
    results: Vec<bool>,
    roles: Roles,
}

/// Strips a loop whose sub-graphs are its body and, of `While`, its condition.
///
/// - constants and sequences that are one number everywhere move inside;
/// - carries, sequences, constants and stacked results that nothing needs go.
fn strip_loop(b: &Builder, roles: Roles, mut graphs: Vec<Graph>, args: &[NodeId], used: &[bool]) -> Result<Stripped, Diagnostic> {
    for graph in &mut graphs {
        *graph = simplify(std::mem::take(graph))?;
    }
    let Roles { carries, sequences } = roles;
    let mut results = used.to_vec();
    let needed = loop {
        let mut body = graphs[0].clone();
        body.outputs = chosen(&body.outputs, &results);
        let mut needed = live_inputs(&body);
        graphs[1..].iter().for_each(|graph| needed.iter_mut().zip(live_inputs(graph)).for_each(|(n, live)| *n |= live));
        let before = results.clone();
        (0..carries).for_each(|i| results[i] |= needed[i + 1]);
        if results == before {
            // A carry that is returned is also taken
            (0..carries).for_each(|i| needed[i + 1] = results[i]);
            break needed;
        }
    };
    graphs[0].outputs = chosen(&graphs[0].outputs, &results);
    let numbers: Vec<Option<f64>> = (0..args.len()).map(|i| if i < carries { None } else { number(b, args[i]) }).collect();
    let keep: Vec<bool> = (0..args.len()).map(|i| needed[i + 1] && numbers[i].is_none()).collect();
    let kept_inputs: Vec<bool> = std::iter::once(true).chain(keep.iter().copied()).collect();
    let inside: Vec<Option<f64>> = std::iter::once(None).chain(numbers).collect();
    let graphs = graphs.into_iter().map(|graph| with_inputs(graph, &kept_inputs, &inside)).collect::<Result<_, _>>()?;
    let count = |range: Range<usize>| keep[range].iter().filter(|kept| **kept).count();
    let roles = Roles { carries: count(0..carries), sequences: count(carries..carries + sequences) };
    Ok(Stripped { graphs, args: chosen(args, &keep), results, roles })
}

fn number(b: &Builder, id: NodeId) -> Option<f64> {
    match b.graph().node(id).op {
        Op::Fill { bits, .. } => Some(f64::from_bits(bits)),
        _ => None,
    }
}

/// The graph with only those inputs that are kept; the others are numbers, or read by nothing.
fn with_inputs(graph: Graph, kept: &[bool], numbers: &[Option<f64>]) -> Result<Graph, Diagnostic> {
    if kept.iter().all(|kept| *kept) {
        return Ok(graph);
    }
    let mut b = Builder::new();
    let mut inputs = vec![];
    for (i, input) in graph.inputs.iter().enumerate() {
        inputs.push(if kept[i] {
            b.input(input.name.clone(), input.ty.clone())
        } else {
            let value = numbers.get(i).copied().flatten().unwrap_or(0.0);
            b.fill(value, input.ty.dtype, &input.ty.shape)
        });
    }
    let outputs = splice(&mut b, &graph, &inputs);
    Ok(super::sweep(&b.finish(&outputs)?))
}

fn chosen(ids: &[NodeId], flags: &[bool]) -> Vec<NodeId> {
    ids.iter().zip(flags).filter(|(_, flag)| **flag).map(|(&id, _)| id).collect()
}

/// The found results where the flags are set, in order.
fn place(flags: &[bool], found: Vec<NodeId>) -> Vec<Option<NodeId>> {
    let mut found = found.into_iter();
    flags.iter().map(|&flag| if flag { found.next() } else { None }).collect()
}
