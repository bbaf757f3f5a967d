//! Judges a whole graph: whatever passes runs between must hold again.
//!
//! - operands stand before their users;
//! - types are those that [`infer`] gives, literals fit theirs;
//! - results of control nodes are read by `Project` only, and `Project` reads nothing else;
//! - inputs are declared, outputs exist;
//! - sub-graphs keep the same rules.

use super::infer::{Rule, expect, infer};
use super::{Graph, Node, NodeId, Op, TensorType};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;

/// The first broken rule, as an internal error at the node's source.
pub fn verify(graph: &Graph) -> Result<()> {
    for id in graph.ids() {
        let node = graph.node(id);
        verify_node(graph, id).map_err(|message| Diagnostic::internal(format!("{id:?}: {message}")).at(node.span))?;
    }
    for &output in &graph.outputs {
        let node = graph.nodes.get(output.index());
        let holds = node.is_some_and(|node| !node.op.is_control());
        expect(holds, || format!("output {output:?} is not a value")).map_err(Diagnostic::internal)?;
    }
    Ok(())
}

fn verify_node(graph: &Graph, id: NodeId) -> Rule<()> {
    let node = graph.node(id);
    for &arg in &node.args {
        expect(arg < id, || format!("operand {arg:?} does not stand before its user"))?;
        let projects = matches!(node.op, Op::Project(_));
        expect(graph.node(arg).op.is_control() == projects, || match projects {
            true => format!("projection of {arg:?}, which has one result"),
            false => format!("operand {arg:?} has several results"),
        })?;
    }
    for (role, subgraph) in node.op.subgraphs() {
        verify(subgraph).map_err(|error| format!("{role}: {}", error.message))?;
    }
    verify_constant(&node.op)?;
    let types = types(graph, node)?;
    let (first, results) = if node.op.is_control() { (types.first(), &types[..]) } else { (types.first(), &[][..]) };
    let agrees = node.results == results && (first == Some(&node.ty) || first.is_none());
    expect(agrees, || format!("is declared {} and has type {}", list(&node.ty, &node.results), types.iter().map(show).collect::<String>()))
}

/// The types that a node's results should have.
fn types(graph: &Graph, node: &Node) -> Rule<Vec<TensorType>> {
    match &node.op {
        Op::Input(number) => {
            expect(node.args.is_empty(), || "an input with operands".into())?;
            let input = graph.inputs.get(*number).ok_or_else(|| format!("there is no input {number}"))?;
            Ok(vec![input.ty.clone()])
        }
        Op::Project(number) => {
            let [control] = node.args[..] else { return Err("projection of several nodes".into()) };
            let result = graph.node(control).results.get(*number);
            Ok(vec![result.cloned().ok_or_else(|| format!("{control:?} has no result {number}"))?])
        }
        op => infer(op, &node.args.iter().map(|&arg| graph.ty(arg)).collect::<Vec<_>>()),
    }
}

/// That a constant has as many values as its shape, and values of its type.
fn verify_constant(op: &Op) -> Rule<()> {
    let (dtype, values) = match op {
        Op::Fill { bits, dtype, .. } => (*dtype, &[f64::from_bits(*bits)][..]),
        Op::Literal(literal) => {
            let (count, expected) = (literal.values.len(), literal.shape.iter().product::<usize>());
            expect(count == expected, || format!("{count} values for shape {:?}", literal.shape))?;
            (literal.dtype, &literal.values[..])
        }
        _ => return Ok(()),
    };
    let fits = |value: &f64| match dtype {
        DType::Real => true,
        DType::Int => value.fract() == 0.0,
        DType::Bool => *value == 0.0 || *value == 1.0,
    };
    match values.iter().find(|value| !fits(value)) {
        Some(value) => Err(format!("{value} is not of type {dtype:?}")),
        None => Ok(()),
    }
}

fn list(ty: &TensorType, results: &[TensorType]) -> String {
    if results.is_empty() { show(ty) } else { results.iter().map(show).collect() }
}

fn show(ty: &TensorType) -> String {
    format!("({ty})")
}
