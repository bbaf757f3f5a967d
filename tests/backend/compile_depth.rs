//! What compiling costs grows with the depth of a network by the same for each layer, and equal layers share their machine code.

use std::path::Path;
use tilde_lang::algebra::{self, StepProgram};
use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{PlanOptions, Precision};
use tilde_lang::base::Sources;
use tilde_lang::check::{self, CheckOptions};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::{pass, syntax};

/// A training step of a network with that many equal layers, each with its own weights.
fn program(depth: usize) -> String {
    format!(
        "dim D = 2\ndata x : Real[D] = moons(n: 100, noise: 0.05)\n\
         net f(u : Real[D]) -> Real[D] {{\n  let h = dense[8](u)\n  repeat {depth} {{ h = h + tanh(dense[8](h)) }}\n  dense[D](h)\n}}\n\
         objective loss = mean((x - f(x))^2)\ntrain {{ minimize loss with Adam(1e-3)   batch: 20   steps: 10 }}\n"
    )
}

/// Sizes after each stage, and how many functions were compiled.
#[derive(Debug)]
struct Sizes {
    built: usize,
    optimised: usize,
    steps: usize,
    arena: usize,
    functions: usize,
}

fn sizes(depth: usize) -> Sizes {
    let mut sources = Sources::default();
    let text = program(depth);
    let file = sources.add("deep.tilde", text.as_str(), false);
    let ast = syntax::parse(&text, file).expect("parses");
    let library = check::library::load(&mut sources).expect("the library parses");
    let model = check::check(&ast, library, &CheckOptions::default()).expect("checks").model;
    let dataset = Dataset::load(&model, Path::new(""), 0, Precision::F32).expect("loads");
    let StepProgram { program, .. } = algebra::lower_step(&model, &model.trains[0], &dataset.counts, Some(20)).expect("lowers");
    let built = program.graph.nodes.len();
    let graph = pass::optimise(program.graph).expect("optimises");
    let options = PlanOptions { precision: Precision::F32, threads: 1, in_place: vec![] };
    let plan = CpuPlan::new(&graph, &options, false).expect("compiles");
    let found = plan.statistics();
    Sizes { built, optimised: graph.nodes.len(), steps: found.steps, arena: found.arena_bytes, functions: found.functions }
}

#[test]
fn each_layer_costs_the_same_and_equal_layers_share_code() {
    let [few, more, most] = [12, 24, 36].map(sizes);
    let grows = |size: fn(&Sizes) -> usize| (size(&more) - size(&few), size(&most) - size(&more));
    let measures: [fn(&Sizes) -> usize; 2] = [|sizes| sizes.built, |sizes| sizes.optimised];
    for measure in measures {
        let (first, second) = grows(measure);
        assert_eq!(first, second, "{few:?} {more:?} {most:?}");
    }
    // How updates of parameters are put together leaves a remainder
    let measures: [fn(&Sizes) -> usize; 2] = [|sizes| sizes.steps, |sizes| sizes.arena];
    for measure in measures {
        let (first, second) = grows(measure);
        assert!(second <= first + first / 8, "{few:?} {more:?} {most:?}");
    }
    assert_eq!(more.functions, most.functions, "layers beyond the first ones need no code of their own");
}
