//! `tests/run/*.graph`: a graph, inputs (`// in x = [1, 2]`) and the outputs it must give (`// out = [3]`, in order), on every engine.

use crate::engines::{ENGINES, Engine};
use std::fs;
use tilde_lang::graph::print::op_names;
use tilde_lang::graph::{Graph, TensorType, Value, parse, verify};

struct Case {
    file: String,
    graph: Graph,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let graphs = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "graph"));
    graphs.map(|path| case(path.file_name().unwrap().to_string_lossy().into_owned(), &fs::read_to_string(path).unwrap())).collect()
}

fn case(file: String, text: &str) -> Case {
    let graph = parse(text).and_then(|graph| verify(&graph).map(|()| graph));
    let graph = graph.unwrap_or_else(|error| panic!("{file}: {}", error.message));
    let claims = |start: &str| -> Vec<&str> { text.lines().filter_map(|line| line.trim().strip_prefix(start)).collect() };
    let inputs = graph.inputs.iter().map(|input| {
        let given = claims("// in ").into_iter().find_map(|claim| claim.strip_prefix(&format!("{} = ", input.name)));
        value(&file, &input.ty, given.unwrap_or_else(|| panic!("{file}: no value for {}", input.name)))
    });
    let inputs = inputs.collect();
    let expected = claims("// out = ");
    assert_eq!(expected.len(), graph.outputs.len(), "{file}: one claim an output");
    let outputs = graph.output_types().iter().zip(expected).map(|(ty, claim)| value(&file, ty, claim)).collect();
    Case { file, graph, inputs, outputs }
}

fn value(file: &str, ty: &TensorType, list: &str) -> Value {
    let list = list.trim().trim_start_matches('[').trim_end_matches(']');
    let numbers: Vec<f64> = list.split(',').filter(|word| !word.trim().is_empty()).map(|word| word.trim().parse().unwrap()).collect();
    assert_eq!(numbers.len(), ty.len(), "{file}: elements of {ty} in {list}");
    Value::new(ty.clone(), numbers)
}

#[test]
fn every_engine_gives_what_the_files_say() {
    let cases = cases();
    let complaints = |engine: &Engine| -> Vec<String> {
        cases.iter().flat_map(|case| engine.complaints(&case.file, &case.graph, &case.inputs, &case.outputs)).collect()
    };
    let complaints: Vec<String> = ENGINES.iter().flat_map(complaints).collect();
    assert!(complaints.is_empty(), "{}", complaints.concat());
}

#[test]
fn the_files_reach_every_operation() {
    let cases = cases();
    for name in op_names() {
        assert!(cases.iter().any(|case| case.graph.count(&name) > 0), "no {name} in tests/run");
    }
}
