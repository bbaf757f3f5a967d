//! The definition of every operation, in f64: slow, obvious. Everything fast must agree with it.
//!
//! The graph must be verified, and the inputs of the types that it declares.
//!
//! - [`value`]: dense arrays of f64
//! - [`elementwise`], [`shapes`], [`reductions`], [`indexing`], [`linear`], [`random`]: operations of one result
//! - [`control`]: loops and branches over sub-graphs

use super::{Graph, NodeId, Op, TensorType};

pub mod control;
pub mod elementwise;
pub mod indexing;
pub mod linear;
pub mod random;
pub mod reductions;
pub mod shapes;
pub mod value;

pub use value::Value;

/// One node evaluated, as an observer sees it. Nodes of sub-graphs come before the `Project` of their control node.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// The graph or sub-graph of the node
    pub graph: &'a Graph,
    pub id: NodeId,
    /// Values of the node's operands; of a `Project`, all results of the control node
    pub operands: &'a [&'a Value],
    pub result: &'a Value,
}

/// Called after each node of one result.
pub type Observer<'a> = &'a mut dyn FnMut(Evaluation<'_>);

/// The outputs of a graph.
pub fn interpret(graph: &Graph, inputs: &[Value]) -> Vec<Value> {
    interpret_observed(graph, inputs, &mut |_| ())
}

/// The outputs of a graph; `observer` sees each value as it is made.
pub fn interpret_observed(graph: &Graph, inputs: &[Value], observer: Observer<'_>) -> Vec<Value> {
    Lifetimes::of(graph).interpret(inputs, observer)
}

/// A graph with how long each of its values is needed: found once for all turns of a loop.
struct Lifetimes<'g> {
    graph: &'g Graph,
    /// For each node that the outputs need the position of its last user; beyond the end for outputs
    last_uses: Vec<Option<usize>>,
}

impl<'g> Lifetimes<'g> {
    fn of(graph: &'g Graph) -> Lifetimes<'g> {
        let mut last = vec![None; graph.nodes.len()];
        graph.outputs.iter().for_each(|output| last[output.index()] = Some(graph.nodes.len()));
        for id in graph.ids().rev() {
            if last[id.index()].is_some() {
                graph.node(id).args.iter().for_each(|arg| _ = last[arg.index()].get_or_insert(id.index()));
            }
        }
        Lifetimes { graph, last_uses: last }
    }

    /// The outputs. What none of them needs is not computed, and a value is freed after its last use.
    fn interpret(&self, inputs: &[Value], observer: Observer<'_>) -> Vec<Value> {
        let Lifetimes { graph, last_uses } = self;
        let mut values: Vec<Vec<Value>> = vec![vec![]; graph.nodes.len()];
        for id in graph.ids().filter(|id| last_uses[id.index()].is_some()) {
            let node = graph.node(id);
            let operands: Vec<&Value> = node.args.iter().flat_map(|arg| &values[arg.index()]).collect();
            let results = evaluate(&node.op, &operands, inputs, &mut *observer);
            if !node.op.is_control() {
                results.iter().for_each(|result| observer(Evaluation { graph, id, operands: &operands, result }));
            }
            values[id.index()] = results;
            let unused = |used: &&NodeId| last_uses[used.index()] == Some(id.index());
            node.args.iter().filter(unused).for_each(|used| values[used.index()].clear());
        }
        graph.outputs.iter().flat_map(|output| values[output.index()].iter().cloned()).collect()
    }
}

/// The results of one operation; of a control operation several, of any other one. The operands of a `Project` are all results
/// of its control node.
fn evaluate(op: &Op, x: &[&Value], inputs: &[Value], observer: Observer<'_>) -> Vec<Value> {
    let result = match op {
        Op::Input(number) => inputs[*number].clone(),
        Op::Project(number) => x[*number].clone(),

        Op::Scan { body, carries, sequences, length, reverse } => {
            let turns = control::Turns { carries: *carries, sequences: *sequences, length: *length, reverse: *reverse };
            return control::scan(body, turns, x, observer);
        }
        Op::While { condition, body, carries } => return control::while_loop(condition, body, *carries, x, observer),
        Op::Cond { then, otherwise } => return control::cond(then, otherwise, x, observer),

        Op::Fill { bits, dtype, shape } => Value::fill(f64::from_bits(*bits), TensorType::new(*dtype, shape.clone())),
        Op::Literal(literal) => Value::from(literal),
        Op::Iota(n) => Value::new(TensorType::int([*n]), (0..*n).map(|i| i as f64).collect::<Vec<_>>()),

        Op::Unary(op) => elementwise::unary(*op, x[0]),
        Op::Binary(op) => elementwise::binary(*op, x[0], x[1]),
        Op::Compare(op) => elementwise::compare(*op, x[0], x[1]),
        Op::Select => elementwise::select(x[0], x[1], x[2]),
        Op::Cast(dtype) => elementwise::cast(x[0], *dtype),

        Op::Broadcast { shape, axes } => shapes::broadcast(x[0], shape, axes),
        Op::Reshape(shape) => shapes::reshape(x[0], shape),
        Op::Transpose(perm) => shapes::transpose(x[0], perm),
        Op::Slice { start, stop } => shapes::slice(x[0], start, stop),
        Op::Pad { before, after } => shapes::pad(x[0], before, after),
        Op::Join { axis } => shapes::join(x, *axis),
        Op::Reverse { axes } => shapes::reverse(x[0], axes),

        Op::Reduce { op, axes } => reductions::reduce(*op, x[0], axes),
        Op::CumSum { axis, reverse } => reductions::cumsum(x[0], *axis, *reverse),
        Op::Sort { axis } => reductions::sort(x[0], *axis),
        Op::ArgSort { axis } => reductions::argsort(x[0], *axis),
        Op::ArgMax { axis } => reductions::argmax(x[0], *axis),
        Op::Contract { a, b, out } => reductions::contract(x[0], x[1], a, b, out),

        Op::Gather { batch } => indexing::gather(x[0], x[1], *batch),
        Op::ScatterAdd { batch, size } => indexing::scatter_add(x[0], x[1], *batch, *size),
        Op::Random { kind, site, shape } => random::random(*kind, *site, shape, [x[0], x[1], x[2], x[3]]),

        Op::Cholesky => linear::cholesky(x[0]),
        Op::SymmetricEigen => linear::eigen(x[0]),
        Op::Assignment => linear::assignment(x[0]),
        Op::TriangularSolve { transpose } => linear::triangular_solve(x[0], x[1], *transpose),
        Op::Stop => x[0].clone(),
    };
    vec![result]
}
