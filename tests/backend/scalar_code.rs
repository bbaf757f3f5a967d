//! No example's training step, metric or draw calls a function for one element at a time, but those listed here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tilde_lang::algebra;
use tilde_lang::backend::{PlanOptions, Precision, cpu};
use tilde_lang::check::model::Model;
use tilde_lang::driver::{Compiled, Request, compile};
use tilde_lang::graph::Graph;
use tilde_lang::pass;
use tilde_lang::runtime::dataset::Dataset;

/// Functions without vector code, and the examples that call them in a loop.
const REMAIN: &[(&str, &[&str])] = &[];

/// Examples whose data or step takes seconds to make in a debug build.
const LONG: &[&str] = &[
    "analog_bits",
    "beta_vae",
    "bits_per_dim",
    "classifier_free",
    "ddpm_explicit",
    "ddpm_mnist",
    "gamma_diffusion",
    "glow_digits",
    "inpainting",
    "latent_diffusion",
    "vae",
];

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|extension| extension == "tilde")).collect();
    files.sort();
    files
}

/// As `tilde` chooses it.
fn precision(model: &Model) -> Precision {
    let closed = !model.trains.is_empty() && model.trains.iter().all(|train| train.closed_form().is_some());
    if closed { Precision::F64 } else { Precision::F32 }
}

/// The functions that the kernels of a graph call for one element at a time.
fn scalar(graph: Graph, precision: Precision, found: &mut Vec<String>) {
    let graph = pass::optimise(graph).expect("optimises");
    let options = PlanOptions { precision, threads: 1, in_place: vec![] };
    let text = cpu::kernels_text(&graph, &options).expect("lowers");
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("scalar: ")) {
        found.extend(line.split(", ").map(str::to_owned));
    }
}

fn of_example(path: &Path) -> Vec<String> {
    let request = Request { path: path.to_owned(), ..Request::default() };
    let Ok(Compiled { model, folder, .. }) = compile(&request) else { panic!("{} is refused", path.display()) };
    let precision = precision(&model);
    let dataset = Dataset::load(&model, &folder, 0, precision).expect("the data is there");
    let counts = &dataset.counts;
    let mut found = vec![];
    for train in &model.trains {
        let rows = train.settings.batch.or((!counts.is_empty()).then_some(dataset.split.train.len()));
        scalar(algebra::lower_step(&model, train, counts, rows).expect("lowers").program.graph, precision, &mut found);
    }
    for sample in &model.samples {
        scalar(algebra::lower_sample(&model, &sample.value, counts, 64).expect("lowers").program.graph, precision, &mut found);
    }
    let rows = (!counts.is_empty()).then_some(64);
    for quantity in model.quantities.values().filter(|quantity| quantity.metric) {
        let lowered = algebra::lower_expression(&model, &quantity.value, counts, rows).expect("lowers");
        scalar(lowered.program.graph, precision, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// Compares what the examples of some names call with the list.
fn check(chosen: impl Fn(&str) -> bool) {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in examples() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if chosen(&name) {
            of_example(&path).into_iter().for_each(|function| found.entry(function).or_default().push(name.clone()));
        }
    }
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (function, names) in REMAIN {
        let names: Vec<String> = names.iter().filter(|name| chosen(name)).map(|name| (*name).to_owned()).collect();
        expected.extend((!names.is_empty()).then(|| ((*function).to_owned(), names)));
    }
    assert_eq!(found, expected);
}

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "vectors of 128 bits call functions lane by lane")]
fn most_examples_run_vector_code() {
    check(|name| !LONG.contains(&name));
}

#[test]
#[ignore = "long"]
fn the_other_examples_run_vector_code() {
    check(|name| LONG.contains(&name));
}
