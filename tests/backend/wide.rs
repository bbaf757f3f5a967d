//! Loops in the widest vectors against the interpreter: sizes around those of vectors, every orientation, ranges of turns.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use tilde_lang::graph::{Builder, Graph, NodeId, TensorType};

fn options(precision: Precision, threads: usize) -> PlanOptions {
    PlanOptions { precision, threads, in_place: vec![] }
}

fn reals(count: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7919 % 1000) as f64 - 500.0) / 250.0).collect()
}

/// Outputs of a graph with real inputs.
fn outputs(plan: &mut dyn Plan, graph: &Graph, precision: Precision) -> Vec<Vec<f64>> {
    for (index, input) in graph.inputs.iter().enumerate() {
        plan.set_input(index, Tensor::new(input.ty.clone(), precision, reals(input.ty.len())));
    }
    plan.run();
    (0..graph.outputs.len()).map(|i| plan.output(i).to_f64()).collect()
}

fn assert_agrees(graph: &Graph, precision: Precision, tolerance: f64, title: &str) {
    let mut reference = interpreter::compile(graph, &options(precision, 1)).expect("verifies");
    let expected = outputs(&mut *reference, graph, precision);
    for threads in [1, 3] {
        let mut plan = CpuPlan::new(graph, &options(precision, threads), false).expect("compiles");
        for (i, (found, expected)) in outputs(&mut plan, graph, precision).into_iter().zip(&expected).enumerate() {
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max);
            assert!(worst <= tolerance, "{title} {precision:?}, output {i}: off by {worst}");
        }
    }
}

/// x as it is, turned around, reversed along each axis, and parts of it, all of one shape after `back`.
fn views(b: &mut Builder, x: NodeId) -> Vec<NodeId> {
    let [rows, columns] = [b.shape(x)[0], b.shape(x)[1]];
    let flat = b.reshape(x, &[columns, rows]);
    let turned = b.transpose(flat, &[1, 0]);
    let upside_down = b.reverse(x, &[0]);
    let mirrored = b.reverse(x, &[1]);
    let both = b.reverse(turned, &[0, 1]);
    vec![x, turned, upside_down, mirrored, both]
}

#[test]
fn every_orientation_and_size_agrees_with_the_interpreter() {
    for shape in [[1, 1], [5, 2], [100, 4], [64, 3], [2, 16], [17, 3], [3, 65], [70, 33], [2, 531], [530, 2]] {
        let mut b = Builder::new();
        let x = b.input("x", TensorType::real(shape));
        let views = views(&mut b, x);
        let mut results = vec![];
        for (number, &view) in views.iter().enumerate() {
            let other = views[(number + 1) % views.len()];
            let product = b.mul(view, other);
            let sum = b.add(product, view);
            let flags = b.compare(CompareOp::Lt, view, other);
            let chosen = b.select(flags, sum, product);
            let back = b.transpose(chosen, &[1, 0]);
            results.extend([chosen, flags, back]);
            results.extend([vec![0], vec![1], vec![0, 1]].map(|axes| b.reduce(ReduceOp::Sum, sum, &axes)));
            results.push(b.reduce(ReduceOp::Max, sum, &[1]));
            results.push(b.reduce(ReduceOp::And, flags, &[0]));
        }
        let graph = b.finish(&results).expect("well typed");
        assert_agrees(&graph, Precision::F32, 1e-5, &format!("{shape:?}"));
        assert_agrees(&graph, Precision::F64, 1e-13, &format!("{shape:?}"));
    }
}

/// More live values than registers, positions as numbers, calls in between, integers.
#[test]
fn crowded_bodies_agree_with_the_interpreter() {
    let shape = [9, 41];
    let mut b = Builder::new();
    let inputs: Vec<NodeId> = (0..15).map(|_| b.input("x", TensorType::real(shape))).collect();
    let mut terms = vec![];
    for (number, &x) in inputs.iter().enumerate() {
        let scaled = b.fill_like(1.0 + number as f64, x);
        let y = b.mul(x, scaled);
        let place = b.iota(shape[number % 2]);
        let place = b.broadcast(place, &shape, &[number % 2]);
        let place = b.cast(place, DType::Real);
        terms.extend([y, b.add(y, place)]);
    }
    let gamma = b.unary(UnaryOp::Abs, terms[1]);
    let gamma = b.unary(UnaryOp::LogGamma, gamma);
    let power = b.unary(UnaryOp::Abs, terms[3]);
    let power = b.binary(BinaryOp::Pow, power, inputs[0]);
    let large = b.fill_like(1e6, inputs[1]);
    let large = b.mul(inputs[1], large);
    let sine = b.unary(UnaryOp::Sin, large);
    // Everything is used again at the end
    let mut total = b.add(gamma, sine);
    total = b.add(total, power);
    for &term in terms.iter().rev() {
        let tanh = b.unary(UnaryOp::Tanh, term);
        let product = b.mul(tanh, term);
        total = b.add(total, product);
    }
    let floor = b.unary(UnaryOp::Floor, total);
    let whole = b.cast(floor, DType::Int);
    let divisor = b.iota(shape[1]);
    let divisor = b.broadcast(divisor, &shape, &[1]);
    let quotient = b.binary(BinaryOp::FloorDiv, whole, divisor);
    let graph = b.finish(&[total, quotient]).expect("well typed");
    assert_agrees(&graph, Precision::F64, 1e-12, "crowded");
    let graph = Graph { outputs: graph.outputs[..1].to_vec(), ..graph };
    assert_agrees(&graph, Precision::F32, 2e-4, "crowded");
}
