//! `tilde emit FILE --stage …`: a file at one stage of compilation.

use super::{Context, EngineArguments, Failure, FileArguments, derive};
use crate::algebra;
use crate::backend::{PlanOptions, cpu};
use crate::base::{Code, Diagnostic};
use crate::check::model::{Model, Train};
use crate::graph::{self, Graph};
use crate::pass;
use crate::report::plates;
use crate::runtime::dataset::Dataset;
use crate::syntax;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: FileArguments,
    #[arg(long, value_enum)]
    pub stage: Stage,
    /// Which `train` block, counted from 1
    #[arg(long, default_value_t = 1)]
    pub block: usize,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArguments,
}

#[derive(Clone, Copy, ValueEnum, PartialEq)]
pub enum Stage {
    /// The tree
    Ast,
    /// The checked program
    Model,
    /// The variables, what is learned and the factors between them, as a diagram (SVG)
    Plates,
    /// What is optimised, as a graph
    Graph,
    /// The whole step with gradients and updates, optimised
    Grad,
    /// Loop nests and library calls
    Kernels,
    /// The intermediate form of each kernel, before registers are given out
    Clif,
    /// Machine code of each kernel
    Asm,
    /// Not supported yet
    Opencl,
}

pub fn execute(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let compiled = context.compile(&arguments.file, None)?;
    let model = &compiled.model;
    let text = match arguments.stage {
        Stage::Ast => syntax::print(&compiled.ast),
        Stage::Model => model.to_string(),
        Stage::Plates => plates::plates(model),
        Stage::Opencl => return Err(Failure::CommandLine("--stage opencl is not supported yet".into())),
        Stage::Graph | Stage::Grad | Stage::Kernels | Stage::Clif | Stage::Asm => {
            let engine = arguments.engine.engine(model, None)?;
            let dataset = Dataset::load(model, &compiled.folder, engine.seed, engine.precision).map_err(Failure::running)?;
            let train = block(model, arguments.block).map_err(Failure::running)?;
            let graph = step_graph(model, train, &dataset, arguments.stage).map_err(Failure::running)?;
            let options = PlanOptions { precision: engine.precision, threads: engine.threads, in_place: vec![] };
            match arguments.stage {
                Stage::Kernels => cpu::kernels_text(&graph, &options).map_err(Failure::running)?,
                Stage::Clif => cpu::clif_text(&graph, &options).map_err(Failure::running)?,
                Stage::Asm => cpu::asm_text(&graph, &options).map_err(Failure::running)?,
                _ => graph::print_brief(&graph),
            }
        }
    };
    derive::write(text, arguments.out.as_deref()).map_err(Failure::running)
}

fn block(model: &Model, number: usize) -> Result<&Train, Diagnostic> {
    model.trains.get(number.wrapping_sub(1)).ok_or_else(|| {
        Diagnostic::new(Code::BadSetting, format!("there is no train block {number}")).help(format!("the file has {}", model.trains.len()))
    })
}

fn step_graph(model: &Model, train: &Train, dataset: &Dataset, stage: Stage) -> Result<Graph, Diagnostic> {
    let rows = train.settings.batch.or((!dataset.counts.is_empty()).then_some(dataset.split.train.len()));
    let step = algebra::lower_step(model, train, &dataset.counts, rows)?;
    let mut graph = step.program.graph;
    if stage == Stage::Graph {
        graph.outputs.truncate(step.negated.len());
    }
    pass::optimise(graph)
}
