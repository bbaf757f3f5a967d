//! The steady state allocates nothing: a counting allocator watches runs of a compiled plan.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision};
use tilde_lang::base::op::{RandomKind, ReduceOp, UnaryOp};
use tilde_lang::graph::{Builder, Graph, TensorType};

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

#[test]
fn a_run_allocates_nothing() {
    let options = PlanOptions { precision: Precision::F32, threads: 2, in_place: vec![(2, 0)] };
    let mut plan = CpuPlan::new(&graph(), &options, false).expect("compiles");
    plan.run();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for step in 0..10 {
        plan.write_input(1, &[f64::from(step); 20]);
        plan.run();
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), before);
}
