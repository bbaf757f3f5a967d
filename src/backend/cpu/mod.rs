//! Kernels -> native code on the processor at hand.
//!
//! - [`schedule`]: the order of a loop's axes, which of them runs along vector lanes
//! - [`nest`]: a loop as Cranelift code; [`lanes`], [`operations`], [`math`]: its instructions; [`arithmetic`]: what those of elementary functions ask of an emitter; [`scalar`], [`tile`]: functions it calls
//! - [`wide`]: the same in wider vectors, where the processor has them
//! - [`jit`]: loops of one plan in one module
//! - [`contract`], [`library`], [`linear`], [`argmax`]: library calls; [`scratch`]: what they need besides their buffers
//! - [`pool`]: threads; [`memory`]: the arena and pointers into it; [`bindings`]: where buffers stand now
//! - [`execute`]: running stages; [`tasks`]: what of them a thread runs at a time; [`control`]: loops and branches over sub-programs; [`ending`]: loops whose rows end one by one
//! - [`clock`]: the times of steps; [`profile`]: their names; [`limits`]: what the machine could do

use super::{Measured, Plan, PlanOptions, Precision, Tensor};
use crate::base::Diagnostic;
use crate::graph::{Graph, TensorType};
use crate::kernel::place::Access;
use crate::kernel::{Kernels, Place, Step, lower};
use execute::{Machine, Program, Workers};
pub use jit::Text;
use jit::{Code, Compiler};
use memory::{Memory, read_pointer, write_pointer};
use std::time::{Duration, Instant};

mod argmax;
mod arithmetic;
mod bindings;
mod clock;
mod coefficients;
mod contract;
mod control;
mod eigen;
mod ending;
mod execute;
mod jit;
mod lanes;
mod library;
pub mod limits;
mod linear;
mod math;
mod memory;
mod nest;
mod operations;
mod pool;
mod profile;
mod random;
mod scalar;
mod schedule;
mod scratch;
mod tasks;
mod tile;
mod wide;

/// Compiles a graph for this machine.
pub fn compile(graph: &Graph, options: &PlanOptions) -> Result<Box<dyn Plan>, Diagnostic> {
    Ok(Box::new(CpuPlan::new(graph, options, false)?))
}

/// The kernels of a graph, as `tilde emit --stage kernels` prints them. After a loop that calls functions for one element at a time:
/// `scalar: lgamma`.
pub fn kernels_text(graph: &Graph, options: &PlanOptions) -> Result<String, Diagnostic> {
    let note = |step: &Step| {
        let Step::Loop(nest) = step else { return None };
        let scalar = profile::scalar(nest, options.precision);
        (!scalar.is_empty()).then(|| format!("scalar: {}", scalar.join(", ")))
    };
    Ok(lower(graph, &options.in_place)?.annotated(&note))
}

/// The intermediate code of every loop of a graph, as `tilde emit --stage clif` prints it.
pub fn clif_text(graph: &Graph, options: &PlanOptions) -> Result<String, Diagnostic> {
    Ok(CpuPlan::new(graph, options, true)?.texts.iter().map(|text| format!("{}\n", text.intermediate)).collect())
}

/// The machine code of every loop of a graph, as `tilde emit --stage asm` prints it.
pub fn asm_text(graph: &Graph, options: &PlanOptions) -> Result<String, Diagnostic> {
    Ok(CpuPlan::new(graph, options, true)?.texts.iter().map(|text| format!("{}\n", text.machine)).collect())
}

/// A graph as native code. Fields are dropped in order: the code outlives what calls it.
pub struct CpuPlan {
    program: Program,
    machine: Machine,
    arena: Memory,
    inputs: Vec<Tensor>,
    /// Whether a run writes the input
    written: Vec<bool>,
    outputs: Vec<Tensor>,
    texts: Vec<Text>,
    statistics: Statistics,
    _constants: Vec<Tensor>,
    _code: Code,
}

/// What compiling came to.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Steps of the plan, those of nested bodies included
    pub steps: usize,
    /// Loops among them
    pub loops: usize,
    /// Compiled functions: equal loops share one
    pub functions: usize,
    pub arena_bytes: usize,
    /// Graph -> Kernels
    pub lowering: Duration,
    /// Kernels -> machine code
    pub generation: Duration,
}

/// Which instructions loops are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// The widest vectors that the processor has
    Widest,
    /// Those that every processor has
    Portable,
}

impl CpuPlan {
    /// Compiles a graph; with `keep_texts` the code of each loop can be shown.
    pub fn new(graph: &Graph, options: &PlanOptions, keep_texts: bool) -> Result<CpuPlan, Diagnostic> {
        CpuPlan::with_instructions(graph, options, keep_texts, Instructions::Widest)
    }

    /// As [`CpuPlan::new`], of these instructions.
    pub fn with_instructions(
        graph: &Graph,
        options: &PlanOptions,
        keep_texts: bool,
        instructions: Instructions,
    ) -> Result<CpuPlan, Diagnostic> {
        let start = Instant::now();
        let kernels = lower(graph, &options.in_place)?;
        let lowering = start.elapsed();
        let mut compiler = Compiler::new(options.precision, keep_texts, instructions)?;
        let mut program = Program::compile(&kernels, &mut compiler)?;
        let texts = compiler.texts.take().unwrap_or_default();
        let (code, natives) = compiler.finish()?;
        let bytes = lanes::element_bytes(options.precision) as usize;
        let statistics = Statistics {
            steps: count_steps(&kernels, &|_| true),
            loops: count_steps(&kernels, &|step| matches!(step, Step::Loop(_))),
            functions: natives.len(),
            arena_bytes: kernels.arena * bytes,
            lowering,
            generation: start.elapsed() - lowering,
        };
        let mut constants = vec![];
        bind_constants(&mut program, options.precision, &mut constants);
        let mut arena = Memory::new(kernels.arena * bytes);
        program.bind_arena(arena.pointer(), bytes);
        let zeros = |ty: &TensorType| Tensor::zeros(ty.clone(), options.precision);
        let threads = options.threads.max(1);
        let workers = Workers::new(threads, &program, bytes);
        let machine = Machine { natives, pool: pool::Pool::new(threads), workers, precision: options.precision, bytes };
        Ok(CpuPlan {
            program,
            machine,
            arena,
            inputs: graph.inputs.iter().map(|input| zeros(&input.ty)).collect(),
            written: written_inputs(&kernels, graph.inputs.len()),
            outputs: graph.output_types().iter().map(zeros).collect(),
            texts,
            statistics,
            _constants: constants,
            _code: code,
        })
    }

    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub fn kernels(&self) -> &Kernels {
        &self.program.kernels
    }

    /// The code of each loop, if it was kept.
    pub fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// The time spent in each step since [`Plan::measure`], with the steps inside of it.
    pub fn times(&self) -> Vec<Duration> {
        let clock = self.program.clock.as_ref();
        clock.map_or_else(Vec::new, |clock| (0..self.program.kernels.steps.len()).map(|step| clock.time(step)).collect())
    }
}

/// Steps of a kind, those of nested bodies included.
fn count_steps(kernels: &Kernels, counts: &dyn Fn(&Step) -> bool) -> usize {
    kernels.steps.iter().map(|step| usize::from(counts(step)) + step.bodies().map(|body| count_steps(body, counts)).sum::<usize>()).sum()
}

/// Inputs that a step writes.
fn written_inputs(kernels: &Kernels, count: usize) -> Vec<bool> {
    let mut written = vec![false; count];
    for step in &kernels.steps {
        step.accesses(&mut |id, access| {
            if let (Place::Input(number), Access::Write) = (&kernels.buffers[id].place, access) {
                written[*number] = true;
            }
        });
    }
    written
}

/// Binds literal arrays, in nested programs too.
fn bind_constants(program: &mut Program, precision: Precision, constants: &mut Vec<Tensor>) {
    for (id, buffer) in program.kernels.buffers.iter() {
        if let Place::Constant(values) = &buffer.place {
            let ty = TensorType::new(buffer.dtype, [buffer.len]);
            let tensor = Tensor::new(ty, precision, values.iter().copied());
            program.bindings.bind(id, read_pointer(&tensor));
            constants.push(tensor);
        }
    }
    program.nested().for_each(|inner| bind_constants(inner, precision, constants));
}

impl Plan for CpuPlan {
    fn set_input(&mut self, index: usize, tensor: Tensor) {
        let declared = &self.inputs[index];
        let fits = tensor.ty == declared.ty && std::mem::discriminant(&tensor.elements) == std::mem::discriminant(&declared.elements);
        assert!(fits && tensor.holds_its_type(), "input {index} is {} in another precision or type than {}", tensor.ty, declared.ty);
        self.inputs[index] = tensor;
    }

    fn write_input(&mut self, index: usize, values: &[f64]) {
        self.inputs[index].write(values);
    }

    fn input(&self, index: usize) -> &Tensor {
        &self.inputs[index]
    }

    fn run(&mut self) {
        let program = &mut self.program;
        for (number, input) in self.inputs.iter_mut().enumerate() {
            program.bind_input(number, if self.written[number] { write_pointer(input) } else { read_pointer(input) });
        }
        for (number, output) in self.outputs.iter_mut().enumerate() {
            program.bind_output(number, write_pointer(output));
        }
        program.bind_arena(self.arena.pointer(), self.machine.bytes);
        program.run(&mut self.machine);
    }

    fn output(&self, index: usize) -> &Tensor {
        match self.program.kernels.buffers[self.program.kernels.outputs[index]].place {
            Place::Input(number) => &self.inputs[number],
            Place::Output(_) | Place::Arena(_) | Place::Block { .. } | Place::Constant(_) => &self.outputs[index],
        }
    }

    fn measure(&mut self) {
        self.program.measure();
    }

    fn measured(&self) -> Vec<Measured> {
        let mut found = vec![];
        self.program.measured(0, self.machine.pool.threads() as u32, self.machine.precision, &mut found);
        found
    }
}
