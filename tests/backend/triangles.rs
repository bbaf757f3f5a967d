//! Systems with triangular matrices and many right-hand sides: one product that leaves out the zeros of the inverse.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::graph::{Builder, Graph, Op, TensorType};
use tilde_lang::kernel::contract::ResultAxis;
use tilde_lang::kernel::{Step, Triangle, lower};
use tilde_lang::pass::optimise;

const COMPONENTS: usize = 32;
const SIZE: usize = 8;
const ROWS: usize = 4000;

/// Mahalanobis distances of rows under several covariances, whose factors are given, and the solutions by which they are found.
fn distances(transpose: bool) -> Graph {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([ROWS, SIZE]));
    let factors = b.input("factors", TensorType::real([COMPONENTS, SIZE, SIZE]));
    let x = b.transpose(x, &[1, 0]);
    let sides = b.broadcast(x, &[COMPONENTS, SIZE, ROWS], &[1, 2]);
    let solved = b.push(Op::TriangularSolve { transpose }, &[factors, sides]);
    let square = b.mul(solved, solved);
    let distance = b.sum(square, &[1]);
    let distance = b.transpose(distance, &[1, 0]);
    b.finish(&[distance]).expect("well typed")
}

fn triangles(graph: &Graph) -> Vec<Triangle> {
    let kernels = lower(graph, &[]).expect("lowers");
    kernels.steps.iter().filter_map(|step| if let Step::Contract(c) = step { c.triangle } else { None }).collect()
}

#[test]
fn inverses_of_factors_are_triangles() {
    for transpose in [false, true] {
        let graph = optimise(distances(transpose)).expect("optimises");
        let expected = Triangle { lines: ResultAxis::Columns, width: COMPONENTS, lower: !transpose, before: 0 };
        assert_eq!(triangles(&graph), [expected]);
    }
}

#[test]
fn distances_agree_with_the_interpreter() {
    for transpose in [false, true] {
        let graph = distances(transpose);
        let options = PlanOptions { precision: Precision::F64, threads: 2, in_place: vec![] };
        let fast = CpuPlan::new(&optimise(graph.clone()).expect("optimises"), &options, false).expect("compiles");
        let plans: [Box<dyn Plan>; 2] = [Box::new(fast), interpreter::compile(&graph, &options).expect("compiles")];
        let [fast, slow] = plans.map(|mut plan| {
            let rows = (0..ROWS * SIZE).map(|i| ((i * 7919 % 1000) as f64 - 500.0) / 500.0);
            plan.set_input(0, Tensor::new(graph.inputs[0].ty.clone(), Precision::F64, rows));
            // Dominant diagonals, so that no solution grows; what stands above them is not read
            let factors = (0..COMPONENTS * SIZE * SIZE)
                .map(|i| if (i % (SIZE * SIZE)).is_multiple_of(SIZE + 1) { 2.0 } else { (i as f64).sin() / 4.0 });
            plan.set_input(1, Tensor::new(graph.inputs[1].ty.clone(), Precision::F64, factors));
            plan.run();
            plan.output(0).to_f64()
        });
        let apart = |(a, b): &(&f64, &f64)| (**a - **b).abs() > 1e-12 * b.abs().max(1.0);
        assert_eq!(fast.iter().zip(&slow).find(apart), None);
    }
}
