//! Gradients that would be lost in silence: through draws that are no differentiable function of their parameters, through values
//! that jump where a draw passes a threshold, and through values that were computed before a parameter was updated. An objective that
//! depends on such a value is refused.

use super::lowering::Lowering;
use super::value::{Array, Distribution};
use crate::base::diagnostic::Result;
use crate::base::op::{DType, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Draw, ParamId};
use crate::graph::{Graph, Node, NodeId, Op};

/// A draw of a `train` block through which no gradient flows.
pub(super) struct FixedDraw {
    name: String,
    span: Span,
    value: NodeId,
    params: Vec<NodeId>,
}

impl Lowering<'_> {
    /// A draw outside of an expectation: constant in a training step where it is not pathwise.
    pub(super) fn outside_expectation(&mut self, draw: &Draw, d: &Distribution, x: Array) -> Array {
        if !self.differentiated || self.is_reparameterised(d, &x) {
            return x;
        }
        let fixed = self.stop(&x);
        // In the body of a loop, the gradient with respect to what is outside cannot be told from here.
        if fixed.frame == 0 {
            let params = d.params.iter().map(|param| self.node(param)).collect();
            self.fixed_draws.push(FixedDraw { name: self.place_name(draw.target), span: draw.span, value: fixed.node, params });
        }
        fixed
    }

    /// Refuses the expectation of a function that is constant but for jumps: its pathwise gradient is zero, its gradient is not.
    pub(super) fn refuse_steps(&mut self, draw: &Draw, x: &Array, value: &Array) -> Result<()> {
        let (from, to) = (self.node(value), self.node(x));
        let graph = self.frames.builder().graph();
        if !self.differentiated || reaches(graph, from, to, slopes) || !reaches(graph, from, to, |node| &node.args) {
            return Ok(());
        }
        let z = self.place_name(draw.target);
        Err(Diagnostic::new(Code::NoEstimator, format!("the gradient would not see {z}: it is only compared, rounded or counted here"))
            .label(draw.span, "a pathwise draw has no derivative through that")
            .help("write `estimator: score_function`, or a smooth function such as `sigmoid` in place of the condition"))
    }

    /// Refuses an objective whose gradient with respect to one of `params` would miss a part. `earlier` lists the nodes of parameters
    /// before they were updated.
    pub(super) fn refuse_lost_gradients(&mut self, loss: NodeId, params: &[ParamId], earlier: &[(ParamId, NodeId)]) -> Result<()> {
        let graph = self.frames.graph(0);
        let path = |id: &ParamId| &self.model.params[*id].path;
        for draw in self.fixed_draws.iter().filter(|draw| depends(graph, loss, draw.value)) {
            let learned = |id: &&ParamId| draw.params.iter().any(|&param| depends(graph, param, self.raw_params[*id].node));
            if let Some(id) = params.iter().find(learned) {
                let (z, w) = (&draw.name, path(id));
                let message = format!("the gradient with respect to {w} does not pass the draw of {z}, which depends on it");
                return Err(Diagnostic::new(Code::NoEstimator, message)
                    .label(draw.span, format!("{z} is drawn here, and is no differentiable function of {w}"))
                    .help(format!("write `E[{z} ~ …](…)` in the objective, or optimise `over` other parameters")));
            }
        }
        if let Some((id, _)) = earlier.iter().find(|(id, old)| params.contains(id) && depends(graph, loss, *old)) {
            let w = path(id);
            let message = format!("this depends on {w} as it was before it was updated, so its gradient with respect to {w} would be lost");
            return Err(Diagnostic::new(Code::NoEstimator, message).help("write the `let` or the draw between the two statements"));
        }
        let learns = |id: &ParamId| reaches(graph, loss, self.raw_params[id].node, slopes);
        if !params.is_empty() && !params.iter().any(learns) {
            let message = "no parameter can learn from this: the gradient is 0 everywhere";
            let help = "a value inside `stop(…)`, rounded or compared passes no gradient; `over` lists what is to learn";
            return Err(Diagnostic::new(Code::NoEstimator, message).help(help));
        }
        Ok(())
    }
}

/// Whether a derivative of `from` reaches `to`.
pub(super) fn depends(graph: &Graph, from: NodeId, to: NodeId) -> bool {
    reaches(graph, from, to, |node| if node.op == Op::Stop { &[] } else { &node.args })
}

/// The operands with respect to which a node has a derivative that is not zero everywhere.
fn slopes(node: &Node) -> &[NodeId] {
    use UnaryOp::{Ceil, Floor, IsFinite, Round, Sign};
    match &node.op {
        Op::Select => &node.args[1..],
        Op::Compare(_) | Op::ArgMax { .. } | Op::ArgSort { .. } | Op::Assignment => &[],
        Op::Stop | Op::Unary(Floor | Ceil | Round | Sign | IsFinite) => &[],
        Op::Cast(DType::Int | DType::Bool) => &[],
        _ => &node.args,
    }
}

fn reaches(graph: &Graph, from: NodeId, to: NodeId, operands: impl Fn(&Node) -> &[NodeId]) -> bool {
    let mut seen = vec![false; graph.nodes.len()];
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if id == to {
            return true;
        }
        if !std::mem::replace(&mut seen[id.index()], true) {
            open.extend(operands(graph.node(id)));
        }
    }
    false
}
