//! Kernels -> something callable. One conformance suite decides when a back end is done. All `unsafe` code lives here.

pub mod cpu;
pub mod interpreter;
pub mod measured;
pub mod tensor;

pub use measured::Measured;
pub use tensor::{Elements, Precision, Tensor};

/// How a graph is to be compiled.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    pub precision: Precision,
    /// At least 1. The bits of the results do not depend on it
    pub threads: usize,
    /// (input, output): the output's buffer is the input's, updated in place by a run: parameters, optimiser state
    pub in_place: Vec<(usize, usize)>,
}

/// A compiled graph with its buffers. Inputs stay set between runs; a run allocates nothing, but for eigenvalues.
pub trait Plan {
    /// Binds an input, of the type that the graph declares and the plan's precision. Cheap: shares the elements.
    fn set_input(&mut self, index: usize, tensor: Tensor);
    /// Writes a few elements of an input in place (row numbers, the step), without allocating.
    fn write_input(&mut self, index: usize, values: &[f64]);
    /// The input as it stands: after a run, updated where it is `in_place`.
    fn input(&self, index: usize) -> &Tensor;
    fn run(&mut self);
    /// The result of the last run; for an `in_place` output, the input that it updated.
    fn output(&self, index: usize) -> &Tensor;
    /// From now on takes the time of each step, where the back end can.
    fn measure(&mut self) {}
    /// Every step, those of nested bodies included, with its time since [`Plan::measure`]; nothing where nothing was measured.
    fn measured(&self) -> Vec<Measured> {
        vec![]
    }
}
