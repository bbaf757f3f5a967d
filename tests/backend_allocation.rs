//! The steady state allocates nothing: a counting allocator watches runs of compiled plans.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilde_lang::algebra::{self, InputRole, RowCount, RowCounts, StepProgram};
use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision};
use tilde_lang::base::op::{RandomKind, ReduceOp, UnaryOp};
use tilde_lang::check::model::Model;
use tilde_lang::driver::{Request, compile};
use tilde_lang::graph::{Builder, Graph, TensorType};
use tilde_lang::pass;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands every request on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: by the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Draws, gathers, sorts, reduces, loops; one input updated in place.
fn graph() -> Graph {
    let mut b = Builder::new();
    let data = b.input("data", TensorType::real([50, 8]));
    let rows = b.input("rows", TensorType::int([20]));
    let state = b.input("state", TensorType::real([8]));
    let zero = b.int(0);
    let noise = b.random(RandomKind::Normal, 1, [zero, zero, zero, rows], &[8]);
    let batch = b.gather(data, rows, 0);
    let sum = b.add(batch, noise);
    let sum = b.unary(UnaryOp::Tanh, sum);
    let mean = b.reduce(ReduceOp::Sum, sum, &[0]);
    let mut body = Builder::new();
    let turn = body.input("turn", TensorType::int([]));
    let carry = body.input("carry", TensorType::real([8]));
    let row = body.input("row", TensorType::real([8]));
    let turn = body.cast(turn, tilde_lang::base::op::DType::Real);
    let turn = body.spread(turn, &[8]);
    let next = body.add(carry, row);
    let next = body.mul(next, turn);
    let body = body.finish(&[next, row]).expect("well typed");
    let results = b.scan(body, &[mean], &[sum], &[], 20, false);
    let state = b.add(state, results[0]);
    b.finish(&[state, results[1]]).expect("well typed")
}

/// A program of this repository with other sizes, and rows for its data, which stay zero.
fn model(file: &str, sizes: &[(&str, &str)]) -> (Model, RowCounts) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let overrides = sizes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let Ok(compiled) = compile(&Request { path, overrides, expression: None }) else { panic!("{file} is refused") };
    let rows = compiled.model.data.iter().map(|(id, _)| (id, RowCount { all: 100, train: 100 })).collect();
    (compiled.model, rows)
}

fn plan(graph: Graph, in_place: Vec<(usize, usize)>) -> CpuPlan {
    let graph = pass::optimise(graph).expect("optimises");
    CpuPlan::new(&graph, &PlanOptions { precision: Precision::F32, threads: 2, in_place }, false).expect("compiles")
}

/// Runs a plan as the runtime does, with a new number of the step and new rows each time: allocations after the first few.
fn allocations(plan: &mut CpuPlan, inputs: &[InputRole]) -> usize {
    let place = |role: &InputRole| inputs.iter().position(|input| input == role);
    let (step, rows) = (place(&InputRole::Step), place(&InputRole::Rows));
    let mut numbers = vec![0.0; rows.map_or(0, |rows| plan.input(rows).len())];
    let mut before = 0;
    for turn in 0..6 {
        if turn == 2 {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
        numbers.iter_mut().enumerate().for_each(|(i, number)| *number = ((i + turn) % 100) as f64);
        step.into_iter().for_each(|input| plan.write_input(input, &[turn as f64]));
        rows.into_iter().for_each(|input| plan.write_input(input, &numbers));
        plan.run();
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn of_training(file: &str, sizes: &[(&str, &str)], batch: usize) -> usize {
    let (model, counts) = model(file, sizes);
    let step = algebra::lower_step(&model, &model.trains[0], &counts, Some(batch)).expect("lowers");
    let StepProgram { program, negated, updates, .. } = step;
    let places: HashMap<_, usize> = program.inputs.iter().zip(0..).collect();
    let in_place = updates.iter().enumerate().filter_map(|(i, role)| Some((*places.get(role)?, negated.len() + i))).collect();
    allocations(&mut plan(program.graph, in_place), &program.inputs)
}

fn of_draws(file: &str, draws: usize) -> usize {
    let (model, counts) = model(file, &[]);
    let program = algebra::lower_sample(&model, &model.samples[0].value, &counts, draws).expect("lowers").program;
    allocations(&mut plan(program.graph, vec![]), &program.inputs)
}

/// One test: another one beside it would be counted too.
#[test]
fn a_run_allocates_nothing() {
    let roles = [InputRole::Seed, InputRole::Rows];
    assert_eq!(allocations(&mut plan(graph(), vec![(2, 0)]), &roles), 0, "the graph above");
    for (file, sizes, batch) in [
        ("benches/workloads/vae.tilde", &[("H", "60")][..], 100),
        ("benches/workloads/ddpm.tilde", &[], 64),
        ("benches/workloads/realnvp.tilde", &[], 100),
        ("benches/workloads/rbm.tilde", &[("H", "50")], 20),
        ("examples/minibatch_ot.tilde", &[], 32),
    ] {
        assert_eq!(of_training(file, sizes, batch), 0, "a step of {file}");
    }
    for (file, draws) in [("benches/workloads/ddpm.tilde", 8), ("examples/flow_matching.tilde", 20), ("examples/hmm.tilde", 5)] {
        assert_eq!(of_draws(file, draws), 0, "draws of {file}");
    }
}
