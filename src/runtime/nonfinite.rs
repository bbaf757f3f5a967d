//! Which source expression first became infinite or not a number: the step is run again by the reference interpreter, node by node.

use super::engine::Compiled;
use crate::algebra::InputRole;
use crate::base::eigen::smallest_eigenvalue;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::Model;
use crate::graph::interpret::{Value, interpret_observed};
use crate::graph::{Graph, NodeId, Op};

/// The first node, in order of evaluation, that made a bad value out of good ones.
struct Origin {
    span: Span,
    op: String,
    operands: Vec<String>,
    /// NaN rather than infinite
    nan: bool,
    /// Of a Cholesky factor: where its matrix was made, and its smallest eigenvalue
    indefinite: Option<(Span, f64)>,
}

/// `graph`: the step before optimisation, in which every node knows its source. `which`: the loss that is not finite.
pub fn explain(model: &Model, graph: &Graph, compiled: &Compiled, which: usize, step: u64) -> Diagnostic {
    for (index, role) in compiled.inputs.iter().enumerate() {
        if let InputRole::Param(id) = role
            && compiled.plan.input(index).to_f64().iter().any(|v| !v.is_finite())
        {
            let param = &model.params[*id];
            return Diagnostic::new(Code::NonFinite, format!("parameter `{}` is no longer finite in step {step}", param.path))
                .label(param.span, "its gradient overflowed in the step before")
                .help("lower the learning rate, or bound the gradient with `clip: 1`");
        }
    }
    let message = format!("the loss became infinite or not a number in step {step}");
    // Only the loss: optimiser updates do not make it.
    named(graph, compiled, graph.outputs[which], message, "lower the learning rate, or bound the gradient with `clip: 1`")
}

/// Of a draw that holds what is not a number. `compiled`: for one row.
pub fn explain_draw(graph: &Graph, compiled: &Compiled, which: usize, row: u32) -> Diagnostic {
    let message = format!("draw {row} holds what is not a number");
    named(graph, compiled, graph.outputs[which], message, "take smaller steps, or stop before a singular time with `until`")
}

/// The place where what an output is made of first became infinite or not a number.
fn named(graph: &Graph, compiled: &Compiled, output: NodeId, message: String, advice: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::NonFinite, message);
    match origin(graph, compiled, output) {
        Some(Origin { span, indefinite: Some((matrix, smallest)), .. }) => diagnostic
            .label(matrix, format!("this matrix is not positive definite: its smallest eigenvalue is {}", number(smallest)))
            .label(span, "where its Cholesky factor is needed")
            .help("add to its diagonal, as in `S + 0.001 * identity`, or compute with `--precision f64`"),
        Some(origin) => {
            let what = if origin.nan { "not a number" } else { "infinite" };
            let operands = origin.operands.join(" and ");
            diagnostic
                .label(origin.span, format!("first {what} here: {} of {operands}", operation(&origin.op)))
                .help(format!("keep the operands inside the domain, {advice}"))
        }
        None => diagnostic
            .label(graph.node(output).span, "a value lies outside the support of its distribution, or overflowed in f32")
            .help("compare with `--precision f64`"),
    }
}

fn origin(graph: &Graph, compiled: &Compiled, output: NodeId) -> Option<Origin> {
    let inputs: Vec<Value> =
        graph.inputs.iter().enumerate().map(|(i, input)| Value::new(input.ty.clone(), compiled.plan.input(i).to_f64())).collect();
    let mut only = graph.clone();
    only.outputs = vec![output];
    let mut origin: Option<Origin> = None;
    interpret_observed(&only, &inputs, &mut |seen| {
        let (node, operands, result) = (seen.graph.node(seen.id), seen.operands, seen.result);
        let bad = !result.is_finite() && !matches!(node.op, Op::Fill { .. } | Op::Literal(_) | Op::Input(_));
        if !bad || operands.iter().any(|operand| !operand.is_finite()) {
            return;
        }
        let nan = result.elements.iter().any(|v| v.is_nan());
        if origin.as_ref().is_none_or(|first| nan && !first.nan) {
            let operands = operands.iter().map(|operand| range(operand)).collect();
            let indefinite = match node.op {
                Op::Cholesky => seen.operands.first().map(|matrix| (seen.graph.node(node.args[0]).span, smallest_of(matrix))),
                _ => None,
            };
            origin = Some(Origin { span: node.span, op: format!("{:?}", node.op), operands, nan, indefinite });
        }
    });
    origin
}

/// `Unary(Log)` -> `log`
fn operation(op: &str) -> String {
    let name = op.split(['(', ')', '{', ' ']).find(|part| !part.is_empty() && !["Unary", "Binary"].contains(part)).unwrap_or(op);
    name.to_lowercase()
}

/// The smallest eigenvalue of all matrices over the last two axes.
fn smallest_of(matrices: &Value) -> f64 {
    let n = matrices.ty.shape.last().copied().unwrap_or(1);
    matrices.elements.chunks(n * n).map(|matrix| smallest_eigenvalue(matrix, n)).fold(f64::INFINITY, f64::min)
}

fn range(value: &Value) -> String {
    let low = value.elements.iter().copied().fold(f64::INFINITY, f64::min);
    let high = value.elements.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low == high { number(low) } else { format!("values from {} to {}", number(low), number(high)) }
}

pub(super) fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) { format!("{value:.4}") } else { format!("{value:.4e}") }
}
