//! Kernels -> native code on the processor at hand.
//!
//! - [`schedule`]: the order of a loop's axes, which of them runs along vector lanes
//! - [`nest`]: a loop as Cranelift code; [`lanes`], [`operations`], [`math`]: its instructions; [`scalar`]: functions it calls
//! - [`jit`]: loops of one plan in one module
//! - [`contract`], [`library`], [`linear`]: library calls
//! - [`pool`]: threads; [`memory`]: the arena and pointers into it
//! - [`execute`]: running stages; [`tasks`]: what of them a thread runs at a time; [`control`]: loops and branches over sub-programs

use super::{Plan, PlanOptions, Precision, Tensor};
use crate::base::Diagnostic;
use crate::graph::{Graph, TensorType};
use crate::kernel::place::Access;
use crate::kernel::{Kernels, Place, lower};
use execute::{Machine, Program, Workers};
pub use jit::Text;
use jit::{Code, Compiler};
use memory::{Memory, read_pointer, write_pointer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

mod contract;
mod control;
mod eigen;
mod execute;
mod jit;
mod lanes;
mod library;
mod linear;
mod math;
mod memory;
mod nest;
mod operations;
mod pool;
mod random;
mod scalar;
mod schedule;
mod tasks;

/// Compiles a graph for this machine.
pub fn compile(graph: &Graph, options: &PlanOptions) -> Result<Box<dyn Plan>, Diagnostic> {
    Ok(Box::new(CpuPlan::new(graph, options, false)?))
}

/// The kernels of a graph, as `tilde emit --stage kernels` prints them.
pub fn kernels_text(graph: &Graph, options: &PlanOptions) -> Result<String, Diagnostic> {
    Ok(lower(graph, &options.in_place)?.to_string())
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
    /// Compiled loops among them
    pub loops: usize,
    pub arena_bytes: usize,
    /// Graph -> Kernels
    pub lowering: Duration,
    /// Kernels -> machine code
    pub generation: Duration,
}

impl CpuPlan {
    /// Compiles a graph; with `keep_texts` the code of each loop can be shown.
    pub fn new(graph: &Graph, options: &PlanOptions, keep_texts: bool) -> Result<CpuPlan, Diagnostic> {
        let start = Instant::now();
        let kernels = lower(graph, &options.in_place)?;
        let lowering = start.elapsed();
        let mut compiler = Compiler::new(options.precision, keep_texts)?;
        let mut program = Program::compile(&kernels, &mut compiler)?;
        let texts = compiler.texts.take().unwrap_or_default();
        let (code, natives) = compiler.finish()?;
        let bytes = lanes::element_bytes(options.precision) as usize;
        let statistics = Statistics {
            steps: count_steps(&kernels),
            loops: natives.len(),
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
        let workers = Workers::new(threads, &kernels, options.precision, bytes);
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

    /// Starts to measure the time of each step.
    pub fn measure(&mut self) {
        self.program.times = Some((0..self.program.kernels.steps.len()).map(|_| AtomicU64::new(0)).collect());
    }

    /// The time spent in each step since [`CpuPlan::measure`], by all threads together.
    pub fn times(&self) -> Vec<Duration> {
        let times = self.program.times.as_deref().unwrap_or_default();
        times.iter().map(|time| Duration::from_nanos(time.load(Ordering::Relaxed))).collect()
    }
}

fn count_steps(kernels: &Kernels) -> usize {
    kernels.steps.iter().map(|step| 1 + step.bodies().map(count_steps).sum::<usize>()).sum()
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
            program.pointers[id.index()] = read_pointer(&tensor);
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
}
