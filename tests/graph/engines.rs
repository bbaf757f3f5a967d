//! Everything that runs graphs, for tests that hold for all of them. The interpreter is the definition.

use Instructions::{Portable, Widest};
use tilde_lang::backend::cpu::{CpuPlan, Instructions};
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor};
use tilde_lang::graph::{Graph, Value, interpret};

pub struct Engine {
    pub name: &'static str,
    /// Largest error relative to the expected element
    pub relative: f64,
    /// Largest error where the expected element is small
    pub absolute: f64,
    pub run: fn(&Graph, &[Value]) -> Vec<Value>,
}

pub const ENGINES: &[Engine] = &[
    Engine { name: "interpreter", relative: 4e-15, absolute: 0.0, run: interpret },
    Engine { name: "cpu in f64", relative: 1e-12, absolute: 1e-12, run: |graph, inputs| run_on_cpu(graph, inputs, Precision::F64, Widest) },
    Engine { name: "cpu in f32", relative: 2e-4, absolute: 2e-4, run: |graph, inputs| run_on_cpu(graph, inputs, Precision::F32, Widest) },
    Engine {
        name: "cpu in f64, portable",
        relative: 1e-12,
        absolute: 1e-12,
        run: |graph, inputs| run_on_cpu(graph, inputs, Precision::F64, Portable),
    },
    Engine {
        name: "cpu in f32, portable",
        relative: 2e-4,
        absolute: 2e-4,
        run: |graph, inputs| run_on_cpu(graph, inputs, Precision::F32, Portable),
    },
];

/// Compiles and runs a graph on two threads.
fn run_on_cpu(graph: &Graph, inputs: &[Value], precision: Precision, instructions: Instructions) -> Vec<Value> {
    let options = PlanOptions { precision, threads: 2, in_place: vec![] };
    let mut plan = CpuPlan::with_instructions(graph, &options, false, instructions).unwrap_or_else(|error| panic!("{}", error.message));
    for (index, input) in inputs.iter().enumerate() {
        plan.set_input(index, Tensor::new(input.ty.clone(), precision, input.elements.iter().copied()));
    }
    plan.run();
    let value = |index: usize| Value::new(plan.output(index).ty.clone(), plan.output(index).to_f64());
    (0..graph.outputs.len()).map(value).collect()
}

impl Engine {
    /// Runs a graph and describes each output that is not as expected.
    pub fn complaints(&self, title: &str, graph: &Graph, inputs: &[Value], expected: &[Value]) -> Vec<String> {
        let found = (self.run)(graph, inputs);
        let mut complaints = vec![];
        if found.len() != expected.len() {
            complaints.push(format!("{}: {title}: {} outputs, not {}", self.name, found.len(), expected.len()));
        }
        for (id, (found, expected)) in graph.outputs.iter().zip(found.iter().zip(expected)) {
            let pairs = found.elements.iter().zip(expected.elements.iter());
            if found.ty != expected.ty || !pairs.into_iter().all(|(&found, &expected)| self.agrees(found, expected)) {
                let op = tilde_lang::graph::print::op_name(&graph.node(*id).op);
                let (found, expected) = (&found.elements, &expected.elements);
                complaints.push(format!("{}: {title}, {id:?} = {op}:\n found {found:?}\n not   {expected:?}\n", self.name));
            }
        }
        complaints
    }

    fn agrees(&self, found: f64, expected: f64) -> bool {
        let bound = (self.relative * expected.abs()).max(self.absolute);
        found == expected || (found.is_nan() && expected.is_nan()) || (found - expected).abs() <= bound
    }
}
