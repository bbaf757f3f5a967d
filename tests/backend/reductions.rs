//! Reductions along rows and down columns: every tail of a vector, infinities and NaN, and the same bits on one thread and on two.

use tilde_lang::backend::cpu::{CpuPlan, Instructions};
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::base::op::ReduceOp;
use tilde_lang::graph::{Builder, Graph, Op, TensorType};

/// Sums, products of few, extremes, squares, moments, and the place of the maximum, all along one axis.
fn reductions(shape: [usize; 2], axis: usize) -> Graph {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real(shape));
    let mut results = [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min].map(|op| b.reduce(op, x, &[axis])).to_vec();
    let square = b.mul(x, x);
    results.extend([b.sum(square, &[axis]), b.push(Op::ArgMax { axis }, &[x])]);
    b.finish(&results).expect("well typed")
}

/// Each reduction alone, as a loop of its own.
fn alone(shape: [usize; 2], axis: usize) -> Vec<Graph> {
    let one = |op: ReduceOp| {
        let mut b = Builder::new();
        let x = b.input("x", TensorType::real(shape));
        let result = b.reduce(op, x, &[axis]);
        b.finish(&[result]).expect("well typed")
    };
    [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min].map(one).to_vec()
}

/// Small numbers, with an infinity of either sign and a NaN in some rows and columns.
fn numbers(count: usize) -> Vec<f64> {
    let number = |i: usize| match i % 97 {
        40 => f64::INFINITY,
        71 => f64::NEG_INFINITY,
        88 => f64::NAN,
        _ => ((i * 7919 % 1000) as f64 - 500.0) / 250.0,
    };
    (0..count).map(number).collect()
}

fn outputs(plan: &mut dyn Plan, graph: &Graph, precision: Precision, x: &[f64]) -> Vec<Vec<f64>> {
    plan.set_input(0, Tensor::new(graph.inputs[0].ty.clone(), precision, x.iter().copied()));
    plan.run();
    (0..graph.outputs.len()).map(|output| plan.output(output).to_f64()).collect()
}

fn agrees(found: f64, expected: f64, tolerance: f64) -> bool {
    found == expected || found.is_nan() && expected.is_nan() || (found - expected).abs() <= tolerance * expected.abs().max(1.0)
}

fn check(graph: &Graph, precision: Precision, instructions: Instructions, title: &str) {
    let tolerance = if precision == Precision::F32 { 2e-5 } else { 1e-13 };
    let options = |threads: usize| PlanOptions { precision, threads, in_place: vec![] };
    let x = numbers(graph.inputs[0].ty.len());
    let expected = outputs(&mut *interpreter::compile(graph, &options(1)).expect("verifies"), graph, precision, &x);
    let [one, two] = [1, 2].map(|threads| {
        let mut plan = CpuPlan::with_instructions(graph, &options(threads), false, instructions).expect("compiles");
        outputs(&mut plan, graph, precision, &x)
    });
    for (output, (found, expected)) in one.iter().zip(&expected).enumerate() {
        let wrong = found.iter().zip(expected).position(|(&a, &b)| !agrees(a, b, tolerance));
        let [a, b] = [found, expected].map(|values| wrong.map(|at| values[at]));
        assert!(wrong.is_none(), "{title} {precision:?} {instructions:?}, output {output} at {wrong:?}: {a:?}, not {b:?}");
    }
    let bits = |outputs: &[Vec<f64>]| -> Vec<u64> { outputs.iter().flatten().map(|value| value.to_bits()).collect() };
    assert_eq!(bits(&one), bits(&two), "{title} {precision:?} {instructions:?}: two threads");
}

const BACK_ENDS: [(Precision, Instructions); 4] = [
    (Precision::F32, Instructions::Widest),
    (Precision::F64, Instructions::Widest),
    (Precision::F32, Instructions::Portable),
    (Precision::F64, Instructions::Portable),
];

#[test]
fn rows_and_columns_of_every_length_agree_with_the_interpreter() {
    for length in 1..=70 {
        for (shape, axis) in [([23, length], 1), ([length, 23], 0)] {
            let (precision, instructions) = BACK_ENDS[length % 4];
            check(&reductions(shape, axis), precision, instructions, &format!("{shape:?} along {axis}"));
        }
    }
}

#[test]
fn every_number_of_columns_agrees_with_the_interpreter() {
    for tail in 1..=33 {
        for (number, columns) in [tail, 48 + tail, 240 + tail].into_iter().enumerate() {
            let (precision, instructions) = BACK_ENDS[(tail + number) % 4];
            check(&reductions([37, columns], 0), precision, instructions, &format!("{columns} columns"));
        }
    }
}

/// As many elements as are worth dividing into blocks.
#[test]
fn large_ones_agree_with_the_interpreter() {
    for (precision, instructions) in BACK_ENDS {
        for (shape, axis) in [([100, 784], 0), ([100, 784], 1), ([130, 515], 0), ([60, 1030], 0), ([1030, 61], 1), ([3000, 20], 0)] {
            for graph in alone(shape, axis).iter().chain([&reductions(shape, axis)]) {
                check(graph, precision, instructions, &format!("{shape:?} along {axis}"));
            }
        }
    }
}
