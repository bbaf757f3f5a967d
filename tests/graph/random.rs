//! What holds for every graph, tried on random ones.

use crate::engines::ENGINES;
use tilde_lang::base::op::DType;
use tilde_lang::graph::interpret::interpret_observed;
use tilde_lang::graph::print::{op_name, op_names};
use tilde_lang::graph::random::{BOUND, random_graph};
use tilde_lang::graph::{Graph, Op, Value, interpret, parse, print, verify};

const SEEDS: u64 = 150;

fn graphs() -> impl Iterator<Item = (u64, Graph, Vec<Value>)> {
    (0..SEEDS).map(|seed| {
        let (graph, inputs) = random_graph(seed, 20);
        (seed, graph, inputs)
    })
}

#[test]
fn random_graphs_are_verified_and_print_as_they_read() {
    for (seed, graph, _) in graphs() {
        assert_eq!(verify(&graph), Ok(()), "seed {seed}:\n{}", print(&graph));
        let text = print(&graph);
        let read = parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {}\n{text}", error.message));
        assert!(read == graph, "seed {seed} reads back differently:\n{text}\n{}", print(&read));
    }
}

#[test]
fn every_node_has_its_declared_type_and_stays_bounded() {
    for (seed, graph, inputs) in graphs() {
        interpret_observed(&graph, &inputs, &mut |seen| {
            let (node, result) = (seen.graph.node(seen.id), seen.result);
            assert_eq!((&result.ty, result.ty.len()), (&node.ty, result.elements.len()), "seed {seed}, {:?}", seen.id);
            assert!(result.is_finite(), "seed {seed}, {:?} {} of {:?}", seen.id, op_name(&node.op), seen.operands);
            match node.ty.dtype {
                DType::Real => {}
                DType::Int => assert!(result.elements.iter().all(|x| x.fract() == 0.0), "seed {seed}, {:?}", seen.id),
                DType::Bool => assert!(result.elements.iter().all(|&x| x == 0.0 || x == 1.0), "seed {seed}, {:?}", seen.id),
            }
        });
        for (output, value) in graph.outputs.iter().zip(interpret(&graph, &inputs)) {
            let bounded = value.ty.dtype != DType::Real || value.elements.iter().all(|x| x.abs() <= BOUND);
            assert!(bounded, "seed {seed}, output {output:?}: {:?}", value.elements);
        }
    }
}

#[test]
fn every_engine_agrees_with_the_interpreter() {
    for (seed, graph, inputs) in graphs() {
        let expected = interpret(&graph, &inputs);
        for engine in ENGINES {
            let complaints = engine.complaints(&format!("seed {seed}"), &graph, &inputs, &expected);
            assert!(complaints.is_empty(), "{}{}", complaints.concat(), print(&graph));
        }
    }
}

#[test]
fn equal_arguments_give_equal_graphs() {
    assert!(random_graph(3, 30) == random_graph(3, 30));
    assert!(random_graph(3, 30) != random_graph(4, 30));
}

#[test]
fn random_graphs_reach_every_operation() {
    let graphs: Vec<Graph> = graphs().map(|(_, graph, _)| graph).collect();
    let names = op_names();
    for name in &names {
        assert!(graphs.iter().any(|graph| graph.count(name) > 0), "no {name} in {SEEDS} random graphs");
    }
    for node in graphs.iter().flat_map(|graph| &graph.nodes) {
        assert!(names.contains(&op_name(&node.op)), "{:?} is not listed", node.op);
    }
}

/// The graph with its real literals, and inputs, off by relative errors as of single precision.
fn perturbed(mut graph: Graph, mut inputs: Vec<Value>) -> (Graph, Vec<Value>) {
    let blur = |x: f64| x * (1.0 + 6e-8 * (1e4 * x).sin());
    for node in &mut graph.nodes {
        if let Op::Literal(literal) = &mut node.op
            && literal.dtype == DType::Real
        {
            literal.values = literal.values.iter().map(|&x| blur(x)).collect();
        }
    }
    for input in inputs.iter_mut().filter(|input| input.ty.dtype == DType::Real) {
        *input = input.map(DType::Real, blur);
    }
    (graph, inputs)
}

#[test]
fn small_errors_stay_small() {
    for (seed, graph, inputs) in graphs() {
        let exact = interpret(&graph, &inputs);
        let (graph, inputs) = perturbed(graph, inputs);
        for (id, (a, b)) in graph.outputs.iter().zip(exact.iter().zip(interpret(&graph, &inputs))) {
            let error = a.elements.iter().zip(b.elements.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-5, "seed {seed}, {id:?}: {error:e}");
        }
    }
}
