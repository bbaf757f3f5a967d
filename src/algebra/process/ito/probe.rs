//! Coefficients as numbers while compiling: to decide signs, to try what was derived, and to choose a number of nodes.

use crate::algebra::frame::Frames;
use crate::algebra::lowering::{InputRole, Lowering};
use crate::algebra::value::Array;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::philox::{philox4x32, uniform};
use crate::check::model::ParamId;
use crate::graph::{Builder, Graph, NodeId, Op, TensorType, Value, interpret};
use std::collections::{BTreeSet, HashMap};

/// Nodes as functions of the time, in f64.
pub(super) struct Probe {
    graph: Graph,
    /// Values of the inputs; the first is the time
    inputs: Vec<Value>,
}

impl Probe {
    pub fn at(&self, time: f64) -> Vec<Value> {
        let mut inputs = self.inputs.clone();
        inputs[0] = Value::scalar(time, DType::Real);
        interpret(&self.graph, &inputs)
    }
}

impl Lowering<'_> {
    /// Nodes as functions of a placeholder. In turn 0 parameters have their starting values, where these are known, in others random
    /// ones; what else a run is given is random.
    pub(super) fn probe(&mut self, nodes: &[NodeId], time: NodeId, turn: u32) -> Result<Probe> {
        let mut starts = HashMap::new();
        let (graph, sources) = alone(&self.frames, nodes, time)?;
        let mut inputs = vec![Value::scalar(0.0, DType::Real)];
        for (number, (input, ty)) in sources.into_iter().enumerate() {
            let start = match input.and_then(|input| self.inputs.get(input)) {
                Some(InputRole::Param(id)) if turn == 0 => self.start_value(*id, &mut starts),
                Some(_) | None => None,
            };
            inputs.push(start.filter(|value| value.ty == ty).unwrap_or_else(|| random(&ty, turn, number as u32)));
        }
        Ok(Probe { graph, inputs })
    }

    /// The value, unconstrained, from which a parameter starts, unless it is drawn.
    fn start_value(&self, id: ParamId, known: &mut HashMap<ParamId, Option<Value>>) -> Option<Value> {
        let evaluate = || {
            let rows = HashMap::new();
            let mut inner = Lowering::new(self.model, &rows, None);
            let array = inner.start(id).ok()??;
            let node = inner.node(&array);
            let program = inner.close(&[node]).ok()?;
            let drawn = !program.inputs.is_empty();
            if drawn { None } else { interpret(&program.graph, &[]).into_iter().next() }
        };
        known.entry(id).or_insert_with(evaluate).clone()
    }

    /// The number that an array holds, if it is in the text.
    pub(in crate::algebra::process) fn known_number(&mut self, x: &Array) -> Option<f64> {
        let node = self.node(x);
        match self.b().graph().node(node).op {
            Op::Fill { bits, .. } => Some(f64::from_bits(bits)),
            _ => None,
        }
    }
}

/// An input: its number in the root graph, if it is one of its inputs, and its type.
type Source = (Option<usize>, TensorType);

/// What nodes of the innermost graph depend on, through all graphs around it, as a graph of its own whose first input stands for
/// `time`; and its other inputs.
fn alone(frames: &Frames, nodes: &[NodeId], time: NodeId) -> Result<(Graph, Vec<Source>)> {
    let innermost = frames.depth() - 1;
    let mut needed: Vec<BTreeSet<NodeId>> = vec![BTreeSet::new(); frames.depth()];
    let mut open: Vec<(usize, NodeId)> = nodes.iter().map(|&node| (innermost, node)).collect();
    while let Some((depth, id)) = open.pop() {
        if (depth, id) == (innermost, time) || !needed[depth].insert(id) {
            continue;
        }
        open.extend(frames.graph_at(depth).node(id).args.iter().map(|&arg| (depth, arg)));
        open.extend(frames.imported(depth, id).map(|outer| (depth - 1, outer)));
    }
    let (mut b, mut inputs) = (Builder::new(), vec![]);
    let argument = b.input("t", TensorType::real([]));
    let mut copies: HashMap<(usize, NodeId), NodeId> = HashMap::from([((innermost, time), argument)]);
    for (depth, id) in needed.iter().enumerate().flat_map(|(depth, ids)| ids.iter().map(move |&id| (depth, id))) {
        let node = frames.graph_at(depth).node(id);
        let args: Vec<NodeId> = node.args.iter().filter_map(|&arg| copies.get(&(depth, arg)).copied()).collect();
        let outer = frames.imported(depth, id).and_then(|outer| copies.get(&(depth - 1, outer)).copied());
        let copy = match (&node.op, outer) {
            (_, Some(outer)) => outer,
            (Op::Input(number), None) => {
                inputs.push(((depth == 0).then_some(*number), node.ty.clone()));
                b.input("", node.ty.clone())
            }
            (op, None) => b.push(op.clone(), &args),
        };
        copies.insert((depth, id), copy);
    }
    let lost = || Diagnostic::internal("a node that is not in its graph");
    let outputs = nodes.iter().map(|&id| copies.get(&(innermost, id)).copied().ok_or_else(lost)).collect::<Result<Vec<_>>>()?;
    Ok((b.finish(&outputs)?, inputs))
}

/// Numbers between 1/4 and 5/4; whole numbers are zero.
fn random(ty: &TensorType, turn: u32, input: u32) -> Value {
    let number = |element: u32| match ty.dtype {
        DType::Real => 0.25 + uniform(philox4x32([element, input, turn, 0], [4, 7])[0]),
        DType::Int | DType::Bool => 0.0,
    };
    Value::new(ty.clone(), (1..=ty.len() as u32).map(number).collect::<Vec<_>>())
}
