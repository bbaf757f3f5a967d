//! The reference interpreter as a plan: computes in f64 and rounds outputs to the precision. Slow; for tests and for doubt.

use super::{Plan, PlanOptions, Precision, Tensor};
use crate::base::Diagnostic;
use crate::graph::interpret::{Value, interpret};
use crate::graph::{Graph, TensorType, verify};

pub struct InterpreterPlan {
    graph: Graph,
    precision: Precision,
    in_place: Vec<(usize, usize)>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// A plan that interprets the graph.
pub fn compile(graph: &Graph, options: &PlanOptions) -> Result<Box<dyn Plan>, Diagnostic> {
    verify(graph)?;
    let zeros = |ty: &TensorType| Tensor::zeros(ty.clone(), options.precision);
    Ok(Box::new(InterpreterPlan {
        precision: options.precision,
        in_place: options.in_place.clone(),
        inputs: graph.inputs.iter().map(|input| zeros(&input.ty)).collect(),
        outputs: graph.output_types().iter().map(zeros).collect(),
        graph: graph.clone(),
    }))
}

impl Plan for InterpreterPlan {
    fn set_input(&mut self, index: usize, tensor: Tensor) {
        self.inputs[index] = tensor;
    }

    fn write_input(&mut self, index: usize, values: &[f64]) {
        self.inputs[index].write(values);
    }

    fn input(&self, index: usize) -> &Tensor {
        &self.inputs[index]
    }

    fn run(&mut self) {
        let inputs: Vec<Value> = self.inputs.iter().map(|tensor| Value::new(tensor.ty.clone(), tensor.to_f64())).collect();
        let results = interpret(&self.graph, &inputs);
        let rounded = |value: &Value| Tensor::new(value.ty.clone(), self.precision, value.elements.iter().copied());
        self.outputs = results.iter().map(rounded).collect();
        for &(input, output) in &self.in_place {
            self.inputs[input] = self.outputs[output].clone();
        }
    }

    fn output(&self, index: usize) -> &Tensor {
        &self.outputs[index]
    }
}
