//! `tests/run/*.graph`: a graph, inputs (`// in x = [1, 2]`) and the outputs it must give (`// out = [3]`, in order), on every engine.

use std::fs;
use tilde_lang::graph::print::{op_name, op_names};
use tilde_lang::graph::{Graph, TensorType, Value, interpret, parse, verify};

/// Something that runs graphs.
struct Engine {
    name: &'static str,
    /// Largest error relative to the expected value
    tolerance: f64,
    /// Largest error where it is 0
    absolute: f64,
    run: fn(&Graph, &[Value]) -> Vec<Value>,
}

const ENGINES: &[Engine] = &[Engine { name: "interpreter", tolerance: 4e-15, absolute: 0.0, run: interpret }];

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

fn agree(engine: &Engine, found: f64, expected: f64) -> bool {
    found == expected
        || (found.is_nan() && expected.is_nan())
        || (found - expected).abs() <= (engine.tolerance * expected.abs()).max(engine.absolute)
}

#[test]
fn every_engine_gives_what_the_files_say() {
    let cases = cases();
    let mut failures = vec![];
    for engine in ENGINES {
        for Case { file, graph, inputs, outputs } in &cases {
            let found = (engine.run)(graph, inputs);
            assert_eq!(found.len(), outputs.len(), "{}: {file}", engine.name);
            for ((found, expected), id) in found.iter().zip(outputs).zip(&graph.outputs) {
                let equal = found.ty == expected.ty
                    && found.elements.iter().zip(expected.elements.iter()).all(|(&found, &expected)| agree(engine, found, expected));
                let word = op_name(&graph.node(*id).op);
                if !equal {
                    let (found, expected) = (&found.elements, &expected.elements);
                    failures.push(format!("{}: {file}, {id:?} = {word}:\n found {found:?}\n not   {expected:?}\n", engine.name));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.concat());
}

#[test]
fn the_files_reach_every_operation() {
    let cases = cases();
    for name in op_names() {
        assert!(cases.iter().any(|case| case.graph.count(&name) > 0), "no {name} in tests/run");
    }
}
