//! Where plans come from: a program is optimised and compiled for one device, precision and number of threads.

use crate::algebra::{self, InputRole, Program, Requirement};
use crate::backend::{self, Plan, PlanOptions, Precision};
use crate::base::Diagnostic;
use crate::pass;
use std::collections::HashMap;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Device {
    #[default]
    Cpu,
    /// The reference interpreter: slow, in f64, the definition
    Interpreter,
}

/// How programs of one run are compiled and seeded.
#[derive(Clone, Debug)]
pub struct Engine {
    pub device: Device,
    pub precision: Precision,
    pub threads: usize,
    pub seed: u32,
    /// Whether evaluations take the time of each kernel
    pub measure: bool,
}

impl Default for Engine {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        Engine { device: Device::Cpu, precision: Precision::F32, threads, seed: 0, measure: false }
    }
}

/// A plan with the meaning of its inputs.
pub struct Compiled {
    pub plan: Box<dyn Plan>,
    pub inputs: Vec<InputRole>,
    pub compile_time: Duration,
    positions: HashMap<InputRole, usize>,
    requirements: Vec<Requirement>,
    /// The first of the outputs of requirements
    required: usize,
}

impl Engine {
    /// `in_place`: pairs of an input and the output that replaces it.
    pub fn compile(&self, program: Program, in_place: Vec<(usize, usize)>) -> Result<Compiled, Diagnostic> {
        let start = Instant::now();
        let required = program.graph.outputs.len() - program.requirements.iter().map(Requirement::outputs).sum::<usize>();
        let graph = pass::optimise(program.graph)?;
        let options = PlanOptions { precision: self.precision, threads: self.threads, in_place };
        let plan = match self.device {
            Device::Cpu => backend::cpu::compile(&graph, &options)?,
            Device::Interpreter => backend::interpreter::compile(&graph, &options)?,
        };
        let (inputs, requirements) = (program.inputs, program.requirements);
        let positions = inputs.iter().cloned().zip(0..).collect();
        let mut compiled = Compiled { plan, inputs, compile_time: start.elapsed(), positions, requirements, required };
        compiled.write(&InputRole::Seed, &[f64::from(self.seed)]);
        Ok(compiled)
    }
}

impl Compiled {
    pub fn position(&self, role: &InputRole) -> Option<usize> {
        self.positions.get(role).copied()
    }

    /// Runs the program and looks whether it met what it requires.
    ///
    /// # Errors
    /// `Required`, at the place in the program, with the numbers of the first cell that does not meet it.
    pub fn run(&mut self) -> Result<(), Diagnostic> {
        self.plan.run();
        let mut first = self.required;
        for requirement in &self.requirements {
            let outputs: Vec<Vec<f64>> = (first..first + requirement.outputs()).map(|output| self.plan.output(output).to_f64()).collect();
            first += requirement.outputs();
            if let Some(numbers) = algebra::failure(&outputs) {
                return Err(requirement.failed(&numbers));
            }
        }
        Ok(())
    }

    /// Writes a small input, if the program has it.
    pub fn write(&mut self, role: &InputRole, values: &[f64]) {
        if let Some(index) = self.position(role) {
            self.plan.write_input(index, values);
        }
    }
}
