//! The mean and variance equations of dx = (F x + u) dt + g dW, solved.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::calculus::{Integrator, Point, Reader, Scope, Sum, Variable, collect_atoms};
use super::coefficient::Coefficient;
use super::dynamics::Dynamics;
use super::transition::Transition;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::philox::{philox4x32, uniform};
use crate::graph::{Builder, Graph, NodeId, Op, TensorType, Value, interpret};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Times at which a primitive is tried.
const POINTS: usize = 8;

/// F, u and g² as sums in time.
struct Coefficients {
    slope: Sum,
    shift: Sum,
    square: Sum,
    scope: Scope,
}

impl Lowering<'_> {
    /// x(to) given x(from), of an equation at the placeholder `time`.
    pub(super) fn solve_dynamics(
        &mut self,
        dynamics: &Dynamics,
        time: &Array,
        range: (f64, f64),
        [from, to]: [&Array; 2],
    ) -> Result<Transition> {
        let Some(read) = self.read_coefficients(dynamics, time)? else {
            return Err(Diagnostic::unsupported("a kernel by quadrature"));
        };
        let integrator = Integrator { points: self.sample_points(&read, range) };
        let two = super::calculus::Number::from(2);
        let (Some(mean), Some(variance)) =
            (integrator.linear(&read.slope, &read.shift), integrator.linear(&read.slope.scale(two), &read.square))
        else {
            return Err(Diagnostic::unsupported("a kernel by quadrature"));
        };
        let mut scope = read.scope;
        let elapsed = self.sub(to, from)?;
        scope.variables = BTreeMap::from([(Variable::Time, to.clone()), (Variable::Start, from.clone()), (Variable::Elapsed, elapsed)]);
        let start = self.known_number(from);
        let known = |sum: Sum| match start {
            Some(0.0) => sum.at(Variable::Start, &Sum::zero()).at(Variable::Elapsed, &Sum::time()),
            Some(start) => sum.at(Variable::Start, &Sum::from(start)),
            None => sum,
        };
        let signal = self.emit(&known(mean.factor()), &scope)?;
        let shift = known(mean.from_zero());
        let shift = if shift.is_zero() { None } else { Some(self.emit(&shift, &scope)?) };
        let var = self.emit(&known(variance.from_zero()), &scope)?;
        let coefficient = |this: &Self, array: Array| match this.shape(&array).is_empty() {
            true => Coefficient::Scalar(array),
            false => Coefficient::Diagonal(array),
        };
        Ok(Transition { signal: coefficient(self, signal), shift, var: coefficient(self, var) })
    }

    fn known_number(&mut self, x: &Array) -> Option<f64> {
        let node = self.node(x);
        match self.b().graph().node(node).op {
            Op::Fill { bits, .. } => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// `None` where a coefficient is a matrix, or no elementary function of time.
    fn read_coefficients(&mut self, dynamics: &Dynamics, time: &Array) -> Result<Option<Coefficients>> {
        let mut scope = Scope::default();
        let mut read = |this: &mut Self, array: Option<&Array>| -> Option<Sum> {
            let Some(array) = array else { return Some(Sum::zero()) };
            let (node, time) = (this.node(array), this.node(time));
            let sum = Reader::new(this.b(), time).read(node)?;
            collect_atoms(&sum, &mut |atom| {
                let scalar = this.b().shape(atom).is_empty();
                let plates = if scalar { vec![] } else { array.plates.clone() };
                scope.atoms.insert(atom, this.array(atom, plates));
            });
            Some(sum)
        };
        let elementwise = |coefficient: &Option<Coefficient>| match coefficient {
            Some(Coefficient::Matrix(_)) => None,
            Some(Coefficient::Scalar(array) | Coefficient::Diagonal(array)) => Some(Some(array.clone())),
            None => Some(None),
        };
        let (Some(slope), Some(diffusion)) = (elementwise(&dynamics.slope), elementwise(&dynamics.diffusion)) else { return Ok(None) };
        let slope = read(self, slope.as_ref());
        let shift = read(self, dynamics.shift.as_ref());
        let diffusion = read(self, diffusion.as_ref());
        let (Some(slope), Some(shift), Some(diffusion)) = (slope, shift, diffusion) else { return Ok(None) };
        Ok(Some(Coefficients { slope, shift, square: diffusion.squared(), scope }))
    }

    /// Times inside the range, each with other values of what is learned.
    fn sample_points(&mut self, read: &Coefficients, (first, last): (f64, f64)) -> Vec<Point> {
        let atoms: Vec<NodeId> = read.scope.atoms.keys().copied().collect();
        (0..POINTS)
            .map(|i| {
                let time = first + (last - first) * (i as f64 + 0.37) / POINTS as f64;
                Point { atoms: self.sampled_values(&atoms, i as u32), time, start: first }
            })
            .collect()
    }

    /// The first element of each node, with random numbers for inputs.
    fn sampled_values(&mut self, nodes: &[NodeId], turn: u32) -> HashMap<NodeId, f64> {
        let (graph, sources) = alone(self.b().graph(), nodes);
        let inputs: Vec<Value> = sources.iter().zip(0..).map(|(ty, number)| random(ty, turn, number)).collect();
        let values = graph.map_or(vec![], |graph| interpret(&graph, &inputs));
        nodes.iter().copied().zip(values.iter().map(Value::first)).collect()
    }
}

/// What nodes depend on, as a graph of its own, with the types of its inputs.
fn alone(graph: &Graph, nodes: &[NodeId]) -> (Option<Graph>, Vec<TensorType>) {
    let (mut open, mut seen) = (nodes.to_vec(), HashSet::new());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(&graph.node(id).args);
        }
    }
    let mut needed: Vec<NodeId> = seen.into_iter().collect();
    needed.sort_unstable();
    let (mut b, mut inputs) = (Builder::new(), vec![]);
    let mut copies: HashMap<NodeId, NodeId> = HashMap::new();
    for id in needed {
        let node = graph.node(id);
        let args: Vec<NodeId> = node.args.iter().filter_map(|arg| copies.get(arg).copied()).collect();
        let copy = match node.op {
            Op::Input(_) => {
                inputs.push(node.ty.clone());
                b.input("", node.ty.clone())
            }
            ref op => b.push(op.clone(), &args),
        };
        copies.insert(id, copy);
    }
    let outputs: Vec<NodeId> = nodes.iter().filter_map(|id| copies.get(id).copied()).collect();
    (b.finish(&outputs).ok(), inputs)
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
