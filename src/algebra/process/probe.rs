//! Coefficients as numbers while compiling: to decide signs, to try what was derived, and to choose a number of nodes.

use super::super::lowering::{InputRole, Lowering};
use super::super::value::Array;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::philox::{philox4x32, uniform};
use crate::check::model::ParamId;
use crate::graph::{Builder, Graph, NodeId, Op, TensorType, Value, interpret};
use std::collections::{HashMap, HashSet};

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
        let at_root = self.frames.current() == 0;
        let (graph, sources) = alone(self.b().graph(), nodes, time)?;
        let mut inputs = vec![Value::scalar(0.0, DType::Real)];
        for (number, (input, ty)) in sources.into_iter().enumerate() {
            let role = self.inputs.get(input).filter(|_| at_root);
            let start = match role {
                Some(InputRole::Param(id)) if turn == 0 => self.start_value(*id, &mut starts),
                _ => None,
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
    pub(super) fn known_number(&mut self, x: &Array) -> Option<f64> {
        let node = self.node(x);
        match self.b().graph().node(node).op {
            Op::Fill { bits, .. } => Some(f64::from_bits(bits)),
            _ => None,
        }
    }
}

/// What nodes depend on, as a graph of its own whose first input stands for `time`; and the other inputs, by number and type.
fn alone(graph: &Graph, nodes: &[NodeId], time: NodeId) -> Result<(Graph, Vec<(usize, TensorType)>)> {
    let (mut open, mut seen) = (nodes.to_vec(), HashSet::new());
    while let Some(id) = open.pop() {
        if id != time && seen.insert(id) {
            open.extend(&graph.node(id).args);
        }
    }
    let mut needed: Vec<NodeId> = seen.into_iter().collect();
    needed.sort_unstable();
    let (mut b, mut inputs) = (Builder::new(), vec![]);
    let argument = b.input("t", TensorType::real([]));
    let mut copies: HashMap<NodeId, NodeId> = HashMap::from([(time, argument)]);
    for id in needed {
        let node = graph.node(id);
        let args: Vec<NodeId> = node.args.iter().filter_map(|arg| copies.get(arg).copied()).collect();
        let copy = match node.op {
            Op::Input(number) => {
                inputs.push((number, node.ty.clone()));
                b.input("", node.ty.clone())
            }
            ref op => b.push(op.clone(), &args),
        };
        copies.insert(id, copy);
    }
    let lost = || Diagnostic::internal("a node that is not in its graph");
    let outputs = nodes.iter().map(|id| copies.get(id).copied().ok_or_else(lost)).collect::<Result<Vec<_>>>()?;
    Ok((b.finish(&outputs)?, inputs))
}

/// Numbers between 1/4 and 5/4; whole numbers are zero.
fn random(ty: &TensorType, turn: u32, input: u32) -> Value {
    let mut element = 0;
    Value::from_fn(ty.clone(), |_| {
        element += 1;
        match ty.dtype {
            DType::Real => 0.25 + uniform(philox4x32([element, input, turn, 0], [4, 7])[0]),
            DType::Int | DType::Bool => 0.0,
        }
    })
}
