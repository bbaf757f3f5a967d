//! The reference interpreter as a back end: slow, in f64, what all others must agree with.

use super::{Plan, PlanOptions, Precision, Tensor};
use crate::base::Diagnostic;
use crate::graph::{Graph, Value, interpret, verify};

struct Interpreted {
    graph: Graph,
    in_place: Vec<(usize, usize)>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// The precision of the options is not used: the interpreter computes in f64.
pub fn compile(graph: &Graph, options: &PlanOptions) -> Result<Box<dyn Plan>, Diagnostic> {
    verify(graph)?;
    let zeros = |ty: &crate::graph::TensorType| Tensor::zeros(ty.clone(), Precision::F64);
    let inputs = graph.inputs.iter().map(|input| zeros(&input.ty)).collect();
    let outputs = graph.output_types().iter().map(zeros).collect();
    Ok(Box::new(Interpreted { graph: graph.clone(), in_place: options.in_place.clone(), inputs, outputs }))
}

impl Plan for Interpreted {
    fn set_input(&mut self, index: usize, tensor: Tensor) {
        self.inputs[index] = tensor;
    }

    fn write_input(&mut self, index: usize, values: &[f64]) {
        let ty = self.inputs[index].ty.clone();
        self.inputs[index] = Tensor::new(ty, Precision::F64, values.iter().copied());
    }

    fn input(&self, index: usize) -> &Tensor {
        &self.inputs[index]
    }

    fn run(&mut self) {
        let inputs: Vec<Value> = self.inputs.iter().map(|input| Value::new(input.ty.clone(), input.to_f64())).collect();
        let outputs = interpret(&self.graph, &inputs);
        for (index, value) in outputs.into_iter().enumerate() {
            let tensor = Tensor::new(value.ty.clone(), Precision::F64, value.elements.iter().copied());
            match self.in_place.iter().find(|(_, output)| *output == index) {
                Some(&(input, _)) => self.inputs[input] = tensor.clone(),
                None => {}
            }
            self.outputs[index] = tensor;
        }
    }

    fn output(&self, index: usize) -> &Tensor {
        &self.outputs[index]
    }
}
