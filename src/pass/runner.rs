//! The runner: every pass is followed by the verifier, and a pass that breaks the rules is named.

use super::lanes::across_lanes;
use super::simplify::simplify;
use crate::base::Diagnostic;
use crate::graph::Graph;
use crate::graph::verify::verify;

/// A pass from graph to graph. It runs through [`run_passes`] only.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub name: &'static str,
    pub run: fn(Graph) -> Result<Graph, Diagnostic>,
}

/// What every graph goes through, after all derivatives are taken.
pub const STANDARD: &[Pass] = &[Pass { name: "simplify", run: simplify }, Pass { name: "lanes", run: across_lanes }];

/// Runs passes in order. Each must give a graph that verifies, with the inputs and output types that it was given.
pub fn run_passes(mut graph: Graph, passes: &[Pass]) -> Result<Graph, Diagnostic> {
    for pass in passes {
        let named = |mut diagnostic: Diagnostic| {
            diagnostic.message = format!("{} (in the pass `{}`)", diagnostic.message, pass.name);
            diagnostic
        };
        let (inputs, outputs) = (graph.inputs.clone(), graph.output_types());
        graph = (pass.run)(graph).map_err(named)?;
        verify(&graph).map_err(named)?;
        if graph.inputs != inputs || graph.output_types() != outputs {
            return Err(named(Diagnostic::internal("the inputs or the types of the outputs changed")));
        }
    }
    Ok(graph)
}

/// The same function, ready to be compiled. `Stop` has lost its meaning: no derivatives can be taken any more.
pub fn optimise(graph: Graph) -> Result<Graph, Diagnostic> {
    run_passes(graph, STANDARD)
}
