//! Derivatives of `Scan`.
//!
//! Reverse: the forward scan is asked to stack its carries as well (the simplifier merges that scan with the original one), and a
//! scan in the other direction recomputes each turn from them and pulls the cotangents of the carries through it.

use super::control::{declare, moving_carries, place, present, tangents_of};
use super::{activity, reverse};
use crate::base::Diagnostic;
use crate::base::op::DType;
use crate::graph::{Builder, Graph, Node, NodeId, Op, TensorType};
use crate::pass::splice::{input_nodes, splice};
use crate::pass::term::Term;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// A scan taken apart.
struct Parts<'n> {
    body: &'n Arc<Graph>,
    carries: usize,
    sequences: usize,
    length: usize,
    reverse: bool,
    args: &'n [NodeId],
}

impl<'n> Parts<'n> {
    fn of(node: &'n Node) -> Result<Parts<'n>, Diagnostic> {
        let Op::Scan { body, carries, sequences, length, reverse } = &node.op else {
            return Err(Diagnostic::internal("a scan rule for what is no scan"));
        };
        Ok(Parts { body, carries: *carries, sequences: *sequences, length: *length, reverse: *reverse, args: &node.args })
    }

    /// Where the constants begin among the operands.
    fn constants(&self) -> usize {
        self.carries + self.sequences
    }

    /// The type of an operand inside the body.
    fn inner_type(&self, operand: usize) -> TensorType {
        self.body.inputs[operand + 1].ty.clone()
    }
}

pub(super) fn cotangents<'a>(
    b: &'a RefCell<Builder>,
    node: &Node,
    g: &[Option<Term<'a>>],
    wanted: &[bool],
) -> Result<Vec<Option<Term<'a>>>, Diagnostic> {
    let scan = Parts::of(node)?;
    let (carries, constants) = (scan.carries, scan.constants());
    // `live`: carries that both move and matter; other operands that are wanted
    let moving = moving_carries(scan.body, carries, wanted.to_vec());
    let matter = mattering_results(scan.body, carries, g.iter().map(Option::is_some).collect());
    let live: Vec<bool> = (0..scan.args.len()).map(|i| moving[i] && (i >= carries || matter[i])).collect();
    if !live.contains(&true) {
        return Ok(vec![None; live.len()]);
    }
    let body = reverse_body(&scan, g, &live)?;

    let stored = store_carries(b, &scan);
    let zeros = |i: usize| Term::new(b, scan.args[i]).zeros().id;
    let last: Vec<NodeId> = (0..carries).filter(|&i| live[i]).map(|i| g[i].map_or_else(|| zeros(i), |g| g.id)).collect();
    let sums: Vec<NodeId> = (constants..scan.args.len()).filter(|&i| live[i]).map(zeros).collect();
    let starts = [last, sums].concat();
    let sequences = [&stored[..], &scan.args[carries..constants], &present(&g[carries..])].concat();
    let results = b.borrow_mut().scan(body, &starts, &sequences, &scan.args[constants..], scan.length, !scan.reverse);

    // The results stand as carries, constants, sequences
    let mut results = results.into_iter().map(|id| Term::new(b, id));
    let of_carries = place(&live[..carries], results.by_ref());
    let of_constants = place(&live[constants..], results.by_ref());
    let of_sequences = place(&live[carries..constants], results);
    Ok([of_carries, of_sequences, of_constants].concat())
}

/// Which results matter: those asked for, and the carries that lead to them in a later turn.
fn mattering_results(body: &Graph, carries: usize, mut matter: Vec<bool>) -> Vec<bool> {
    let inputs = input_nodes(body);
    loop {
        let targets: Vec<NodeId> = body.outputs.iter().zip(&matter).filter(|(_, m)| **m).map(|(&output, _)| output).collect();
        let leads = activity::leads(body, &targets, &vec![true; body.nodes.len()]);
        let before = matter.clone();
        for i in 0..carries {
            matter[i] |= inputs[i + 1].is_some_and(|input| leads[input.index()]);
        }
        if matter == before {
            return matter;
        }
    }
}

/// The scan again, with the value of every carry at the beginning of each turn stacked: those stacks.
fn store_carries(b: &RefCell<Builder>, scan: &Parts<'_>) -> Vec<NodeId> {
    let mut inner = Builder::new();
    let inputs = declare(&mut inner, "x", scan.body.inputs.iter().map(|input| input.ty.clone()));
    let mut outputs = splice(&mut inner, scan.body, &inputs);
    outputs.extend(&inputs[1..=scan.carries]);
    let Ok(body) = inner.finish(&outputs) else { return vec![] };
    let constants = scan.constants();
    let (starts, sequences) = (&scan.args[..scan.carries], &scan.args[scan.carries..constants]);
    let results = b.borrow_mut().scan(body, starts, sequences, &scan.args[constants..], scan.length, scan.reverse);
    results[results.len() - scan.carries..].to_vec()
}

/// One turn backwards. Takes (turn, cotangents of live carries, sums over live constants; stored carries, sequences, cotangents of
/// stacked results; constants), returns (cotangents of live carries, sums over live constants; cotangents of live sequences).
fn reverse_body(scan: &Parts<'_>, g: &[Option<Term<'_>>], live: &[bool]) -> Result<Graph, Diagnostic> {
    let (carries, constants, count) = (scan.carries, scan.constants(), scan.args.len());
    let types = |range: Range<usize>| range.map(|i| scan.inner_type(i));
    let live_in = |range: Range<usize>| range.filter(|&i| live[i]);

    let mut inner = Builder::new();
    let turn = inner.input("turn", TensorType::int([]));
    let carried = declare(&mut inner, "g", live_in(0..carries).map(|i| scan.inner_type(i)));
    let sums = declare(&mut inner, "sum", live_in(constants..count).map(|i| scan.inner_type(i)));
    let stored = declare(&mut inner, "c", types(0..carries));
    let elements = declare(&mut inner, "s", types(carries..constants));
    let stacked_types = scan.body.outputs[carries..].iter().zip(&g[carries..]).filter(|(_, g)| g.is_some());
    let stacked = declare(&mut inner, "h", stacked_types.map(|(&output, _)| scan.body.ty(output).clone()));
    let fixed = declare(&mut inner, "k", types(constants..count));

    let last_turn = inner.int(scan.length as i64 - 1);
    let forward_turn = inner.sub(last_turn, turn);
    let operands = [stored, elements, fixed].concat();
    let outputs = splice(&mut inner, scan.body, &[&[forward_turn], &operands[..]].concat());
    let of_carries = live_in(0..carries).map(|i| outputs[i]).zip(carried);
    let of_stacked = outputs[carries..].iter().zip(&g[carries..]).filter(|(_, g)| g.is_some()).map(|(&output, _)| output).zip(stacked);
    let seeds: Vec<(NodeId, NodeId)> = of_carries.chain(of_stacked).collect();
    let wrt: Vec<NodeId> = live_in(0..count).map(|i| operands[i]).collect();

    let inner = RefCell::new(inner);
    let parts = reverse::cotangents(&inner, &seeds, &wrt, &mut |_| ())?;
    let mut inner = inner.into_inner();
    let parts: Vec<NodeId> = wrt.iter().zip(parts).map(|(&x, part)| part.unwrap_or_else(|| inner.fill_like(0.0, x))).collect();
    let (of_carries, rest) = parts.split_at(live_in(0..carries).count());
    let (of_sequences, of_constants) = rest.split_at(live_in(carries..constants).count());
    let sums: Vec<NodeId> = sums.iter().zip(of_constants).map(|(&sum, &part)| inner.add(sum, part)).collect();
    inner.finish(&[of_carries, &sums, of_sequences].concat())
}

/// The scan with the tangents of its moving carries as further carries, those of sequences and constants beside them.
pub(super) fn tangents<'a>(b: &'a RefCell<Builder>, node: &Node, t: &[Option<Term<'a>>]) -> Result<Vec<Option<Term<'a>>>, Diagnostic> {
    let scan = Parts::of(node)?;
    let (carries, constants, count) = (scan.carries, scan.constants(), scan.args.len());
    let moving = moving_carries(scan.body, carries, t.iter().map(Option::is_some).collect());
    let zeros = |i: usize| Term::new(b, scan.args[i]).zeros();
    let t: Vec<Option<Term<'a>>> = (0..count).map(|i| moving[i].then(|| t[i].unwrap_or_else(|| zeros(i)))).collect();

    let mut inner = Builder::new();
    let turn = inner.input("turn", TensorType::int([]));
    let (mut values, mut tangents) = (vec![turn], vec![]);
    for (range, name) in [(0..carries, "c"), (carries..constants, "s"), (constants..count, "k")] {
        values.extend(declare(&mut inner, name, range.clone().map(|i| scan.inner_type(i))));
        tangents.extend(declare(&mut inner, &format!("d{name}"), range.filter(|&i| moving[i]).map(|i| scan.inner_type(i))));
    }
    let outputs = splice(&mut inner, scan.body, &values);
    let movers: Vec<NodeId> = (0..count).filter(|&i| moving[i]).map(|i| values[i + 1]).collect();
    let real = outputs[carries..].iter().map(|&output| inner.ty(output).dtype == DType::Real);
    let flags: Vec<bool> = moving[..carries].iter().copied().chain(real).collect();
    let (inner, moved) = tangents_of(inner, &outputs, &flags, &movers, &tangents)?;
    let (carried, stacked) = moved.split_at(flags[..carries].iter().filter(|flag| **flag).count());
    let body = inner.finish(&[&outputs[..carries], carried, stacked].concat())?;

    let starts = [&scan.args[..carries], &present(&t[..carries])].concat();
    let sequences = [&scan.args[carries..constants], &present(&t[carries..constants])].concat();
    let fixed = [&scan.args[constants..], &present(&t[constants..])].concat();
    let results = b.borrow_mut().scan(body, &starts, &sequences, &fixed, scan.length, scan.reverse);
    Ok(place(&flags, results[carries..].iter().map(|&id| Term::new(b, id))))
}
