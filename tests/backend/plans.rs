//! The native back end beyond agreement with the interpreter: updates in place, threads, accuracy, fusion.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Elements, Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::base::op::{BinaryOp, DType, ReduceOp, UnaryOp};
use tilde_lang::graph::interpret::elementwise::unary_scalar;
use tilde_lang::graph::random::random_graph;
use tilde_lang::graph::{Builder, Graph, TensorType, parse};
use tilde_lang::kernel::{Kernels, Step, lower};

fn options(precision: Precision, threads: usize) -> PlanOptions {
    PlanOptions { precision, threads, in_place: vec![] }
}

fn reals(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 % 1000) as f64 - 500.0) / 250.0).collect()
}

fn kernels(text: &str) -> Kernels {
    let graph = parse(text).unwrap_or_else(|error| panic!("{}", error.message));
    lower(&graph, &[]).unwrap_or_else(|error| panic!("{}", error.message))
}

fn loops(kernels: &Kernels) -> usize {
    kernels.steps.iter().filter(|step| matches!(step, Step::Loop(_))).count()
}

#[test]
fn elementwise_chains_and_their_views_are_one_loop() {
    let kernels = kernels(
        "input x : Real[3, 4]
         input y : Real[4]
         %0 = input 0 : Real[3, 4]
         %1 = input 1 : Real[4]
         %2 = broadcast axes=[0] %1 : Real[4, 3]
         %3 = transpose perm=[1, 0] %0 : Real[4, 3]
         %4 = add %2 %3 : Real[4, 3]
         %5 = exp %4 : Real[4, 3]
         %6 = reshape %5 : Real[12]
         output %6",
    );
    assert_eq!((kernels.steps.len(), loops(&kernels)), (1, 1), "{kernels}");
}

#[test]
fn what_a_softmax_shares_is_computed_once() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([64, 10]));
    let most = b.reduce(ReduceOp::Max, x, &[1]);
    let most = b.broadcast(most, &[64, 10], &[0]);
    let shifted = b.sub(x, most);
    let e = b.exp(shifted);
    let total = b.sum(e, &[1]);
    let total = b.broadcast(total, &[64, 10], &[0]);
    let result = b.div(e, total);
    let graph = b.finish(&[result]).expect("well typed");
    let kernels = lower(&graph, &[]).expect("lowers");
    let text = kernels.to_string();
    assert_eq!((loops(&kernels), text.matches("Exp").count()), (3, 1), "{text}");
}

/// m' = m / 2 + g, p' = p - m', both in place, while q' = p + m needs the old values.
fn momentum() -> Graph {
    let mut b = Builder::new();
    let [p, m, g] = ["p", "m", "g"].map(|name| b.input(name, TensorType::real([37])));
    let half = b.fill(0.5, DType::Real, &[37]);
    let old = b.add(p, m);
    let decayed = b.mul(m, half);
    let m = b.add(decayed, g);
    let p = b.sub(p, m);
    b.finish(&[p, m, old]).expect("well typed")
}

#[test]
fn inputs_are_updated_in_place() {
    let graph = momentum();
    let in_place = PlanOptions { precision: Precision::F64, threads: 1, in_place: vec![(0, 0), (1, 1)] };
    let mut native: Box<dyn Plan> = Box::new(CpuPlan::new(&graph, &in_place, false).expect("compiles"));
    let mut reference = interpreter::compile(&graph, &in_place).expect("verifies");
    for plan in [&mut native, &mut reference] {
        (0..3).for_each(|i| {
            plan.set_input(i, Tensor::new(TensorType::real([37]), Precision::F64, reals(37).into_iter().map(|x| x * i as f64)))
        });
        (0..3).for_each(|_| plan.run());
    }
    for i in 0..3 {
        assert_eq!(native.output(i).to_f64(), reference.output(i).to_f64(), "output {i}");
        assert_eq!(native.input(i).to_f64(), reference.input(i).to_f64(), "input {i}");
    }
}

#[test]
fn updates_in_place_need_no_copies() {
    let kernels = lower(&momentum(), &[(0, 0), (1, 1)]).expect("lowers");
    assert_eq!((kernels.steps.len(), kernels.arena), (1, 0), "{kernels}");
}

/// Two inputs that change places have to be copied.
#[test]
fn inputs_can_be_exchanged() {
    let mut b = Builder::new();
    let [x, y] = ["x", "y"].map(|name| b.input(name, TensorType::real([5])));
    let graph = b.finish(&[y, x]).expect("well typed");
    let options = PlanOptions { precision: Precision::F32, threads: 1, in_place: vec![(0, 0), (1, 1)] };
    let mut plan = CpuPlan::new(&graph, &options, false).expect("compiles");
    plan.write_input(0, &[1.0; 5]);
    plan.write_input(1, &[2.0; 5]);
    plan.run();
    assert_eq!((plan.input(0).to_f64(), plan.input(1).to_f64()), (vec![2.0; 5], vec![1.0; 5]));
}

/// A tensor that the caller still holds is not written.
#[test]
fn shared_tensors_are_copied_before_an_update() {
    let options = PlanOptions { precision: Precision::F64, threads: 1, in_place: vec![(0, 0)] };
    let mut plan = CpuPlan::new(&momentum(), &options, false).expect("compiles");
    let mine = Tensor::new(TensorType::real([37]), Precision::F64, reals(37));
    plan.set_input(0, mine.clone());
    plan.write_input(2, &[1.0; 37]);
    plan.run();
    assert_eq!(mine.to_f64(), reals(37));
    assert_ne!(plan.input(0).to_f64(), reals(37));
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    match &tensor.elements {
        Elements::F32(v) => v.iter().map(|x| u64::from(x.to_bits())).collect(),
        Elements::F64(v) => v.iter().map(|x| x.to_bits()).collect(),
        Elements::I32(v) => v.iter().map(|&x| x as u64).collect(),
        Elements::I64(v) => v.iter().map(|&x| x as u64).collect(),
    }
}

/// Runs a graph on one and on three threads.
fn assert_threads_agree(graph: &Graph, inputs: &[Tensor], title: &str) {
    let [one, three] = [1, 3].map(|threads| {
        let mut plan = CpuPlan::new(graph, &options(Precision::F32, threads), false).unwrap_or_else(|error| panic!("{}", error.message));
        inputs.iter().enumerate().for_each(|(i, tensor)| plan.set_input(i, tensor.clone()));
        plan.run();
        (0..graph.outputs.len()).map(|i| bits(plan.output(i))).collect::<Vec<_>>()
    });
    assert_eq!(one, three, "{title}");
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for seed in 500..520 {
        let (graph, inputs) = random_graph(seed, 20);
        let inputs: Vec<Tensor> = inputs.iter().map(|v| Tensor::new(v.ty.clone(), Precision::F32, v.to_f64())).collect();
        assert_threads_agree(&graph, &inputs, &format!("seed {seed}"));
    }
    // Large enough to be split: a product, its gradients' reductions, sums of everything
    let mut b = Builder::new();
    let [x, w] = [[203, 150], [150, 301]].map(|shape| b.input("x", TensorType::real(shape)));
    let y = b.contract(x, w, &[0, 1], &[1, 2], &[0, 2]);
    let y = b.unary(UnaryOp::Tanh, y);
    let sums = [&[0][..], &[1], &[0, 1]].map(|axes| b.sum(y, axes));
    let graph = b.finish(&[[y].as_slice(), &sums].concat()).expect("well typed");
    let tensor = |rows: usize, columns: usize| Tensor::new(TensorType::real([rows, columns]), Precision::F32, reals(rows * columns));
    assert_threads_agree(&graph, &[tensor(203, 150), tensor(150, 301)], "large");
}

/// Units in the last place between a result in f32 and the exact value.
fn ulps(found: f64, exact: f64) -> f64 {
    let rounded = exact as f32;
    if found == f64::from(rounded) || (found.is_nan() && rounded.is_nan()) {
        return 0.0;
    }
    let size = f64::from(rounded.abs().max(f32::MIN_POSITIVE));
    let ulp = 2f64.powi(size.log2().floor() as i32 - 23);
    (found - exact).abs() / ulp
}

#[test]
fn elementary_functions_are_accurate_in_f32() {
    use UnaryOp::*;
    let bounds = [
        (Exp, 2.0),
        (Expm1, 3.0),
        (Log, 2.0),
        (Log1p, 3.0),
        (Tanh, 6.0),
        (Sigmoid, 4.0),
        (Softplus, 3.0),
        (Erf, 8.0),
        (Sin, 2.0),
        (Cos, 2.0),
        (Sqrt, 0.5),
        (Recip, 0.5),
        (LogGamma, 1.0),
        (Digamma, 1.0),
        (ErfInv, 1.0),
    ];
    let near = (-4000..4000).map(|i| f64::from(i) / 371.0);
    let far = (-300..300).map(|i| f64::from(i) * 3.7);
    let scales = (-44..38).flat_map(|e| [1.0, 1.37, -2.9].map(|m| m * 10f64.powi(e)));
    let ends = [0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, -1.0];
    let points: Vec<f64> = near.chain(far).chain(scales).chain(ends).map(|x| f64::from(x as f32)).collect();
    for (op, bound) in bounds {
        let mut b = Builder::new();
        let x = b.input("x", TensorType::real([points.len()]));
        let y = b.unary(op, x);
        let graph = b.finish(&[y]).expect("well typed");
        let mut plan = CpuPlan::new(&graph, &options(Precision::F32, 1), false).expect("compiles");
        plan.write_input(0, &points);
        plan.run();
        let errors = points.iter().zip(plan.output(0).to_f64()).map(|(&x, y)| (ulps(y, unary_scalar(op, x)), x, y));
        let worst = errors.fold((0.0, 0.0, 0.0), |a, b| if b.0 > a.0 || b.0.is_nan() { b } else { a });
        assert!(worst.0 <= bound, "{op:?}: {worst:?} instead of {}", unary_scalar(op, worst.1));
    }
}

/// Buffers that live at different times share memory.
#[test]
fn dead_buffers_are_reused() {
    let mut b = Builder::new();
    let mut x = b.input("x", TensorType::real([64, 64]));
    for _ in 0..10 {
        x = b.contract(x, x, &[0, 1], &[1, 2], &[0, 2]);
    }
    let graph = b.finish(&[x]).expect("well typed");
    let kernels = lower(&graph, &[]).expect("lowers");
    assert_eq!(kernels.arena, 2 * 64 * 64);
}

#[test]
fn integer_edges_do_not_trap() {
    let mut b = Builder::new();
    let [x, y] = ["x", "y"].map(|name| b.input(name, TensorType::int([4])));
    let outputs = [BinaryOp::FloorDiv, BinaryOp::Rem].map(|op| b.binary(op, x, y));
    let graph = b.finish(&outputs).expect("well typed");
    let mut plan = CpuPlan::new(&graph, &options(Precision::F32, 1), false).expect("compiles");
    plan.write_input(0, &[7.0, -7.0, f64::from(i32::MIN), 3.0]);
    plan.write_input(1, &[-2.0, 2.0, -1.0, 0.0]);
    plan.run();
    assert_eq!(plan.output(0).to_f64()[..2], [-4.0, -4.0]);
    assert_eq!(plan.output(1).to_f64(), [-1.0, 1.0, 0.0, 3.0]);
}

/// Vectors, what remains after them, several accumulators, reductions in two stages: sizes around their limits, all sets of axes.
#[test]
fn reductions_of_every_size_agree_with_the_interpreter() {
    for shape in [[1, 1, 3], [2, 3, 4], [3, 5, 17], [2, 7, 133], [33, 2, 16], [4, 40, 130]] {
        let mut b = Builder::new();
        let x = b.input("x", TensorType::real(shape));
        let turned = b.transpose(x, &[2, 0, 1]);
        let flags = b.fill_like(0.25, x);
        let flags = b.compare(tilde_lang::base::op::CompareOp::Lt, x, flags);
        let mut outputs = vec![];
        for set in 1..8 {
            let axes: Vec<usize> = (0..3).filter(|axis| set >> axis & 1 == 1).collect();
            outputs.extend([ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min].map(|op| b.reduce(op, x, &axes)));
            outputs.push(b.sum(turned, &axes));
            outputs.push(b.reduce(ReduceOp::Or, flags, &axes));
        }
        let square = b.mul(turned, turned);
        outputs.extend([square, flags]);
        let graph = b.finish(&outputs).expect("well typed");
        for precision in [Precision::F32, Precision::F64] {
            let input = Tensor::new(TensorType::real(shape), precision, reals(shape.iter().product()));
            let mut native = CpuPlan::new(&graph, &options(precision, 2), false).expect("compiles");
            let mut reference = interpreter::compile(&graph, &options(precision, 1)).expect("verifies");
            native.set_input(0, input.clone());
            reference.set_input(0, input);
            native.run();
            reference.run();
            let tolerance = if precision == Precision::F32 { 2e-6 } else { 1e-14 };
            for i in 0..graph.outputs.len() {
                let pairs = native.output(i).to_f64().into_iter().zip(reference.output(i).to_f64());
                let scale = shape.iter().product::<usize>() as f64;
                let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst <= tolerance * scale.sqrt() * 10.0, "{shape:?} {precision:?} output {i}: off by {worst}");
            }
        }
    }
}

/// Products with operands in every orientation, batched, broadcast and reversed, against the interpreter.
#[test]
fn contractions_of_every_orientation_agree_with_the_interpreter() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([3, 40, 50]));
    let y = b.input("y", TensorType::real([3, 50, 60]));
    let [one_x, one_y] = [(x, [1, 40, 50]), (y, [1, 50, 60])].map(|(id, stop)| {
        let part = b.slice(id, &[0, 0, 0], &stop);
        b.reshape(part, &stop[1..])
    });
    let turned = b.transpose(y, &[2, 0, 1]);
    let backwards = b.reverse(one_y, &[0]);
    let row = b.slice(one_x, &[0, 0], &[1, 50]);
    let row = b.reshape(row, &[50]);
    let spread = b.broadcast(row, &[40, 50], &[1]);
    let outputs = [
        b.contract(x, y, &[0, 1, 2], &[0, 2, 3], &[0, 1, 3]),
        b.contract(x, y, &[0, 1, 2], &[0, 2, 3], &[3, 0, 1]),
        b.contract(x, turned, &[0, 1, 2], &[3, 0, 2], &[1, 3, 0]),
        b.contract(x, one_y, &[0, 1, 2], &[2, 3], &[0, 1, 3]),
        b.contract(one_x, backwards, &[1, 2], &[2, 3], &[3, 1]),
        b.contract(spread, one_y, &[1, 2], &[2, 3], &[1, 3]),
        b.contract(row, one_y, &[2], &[2, 3], &[3]),
        b.contract(x, x, &[0, 1, 2], &[0, 1, 3], &[2, 3]),
        b.contract(x, x, &[0, 1, 2], &[0, 1, 2], &[]),
        b.contract(row, row, &[0], &[1], &[1, 0]),
    ];
    let graph = b.finish(&outputs).expect("well typed");
    let mut reference = interpreter::compile(&graph, &options(Precision::F64, 1)).expect("verifies");
    let mut native = CpuPlan::new(&graph, &options(Precision::F64, 2), false).expect("compiles");
    for (index, input) in graph.inputs.iter().enumerate() {
        let tensor = Tensor::new(input.ty.clone(), Precision::F64, reals(input.ty.len()));
        reference.set_input(index, tensor.clone());
        native.set_input(index, tensor);
    }
    reference.run();
    native.run();
    for i in 0..graph.outputs.len() {
        let worst = native.output(i).to_f64().iter().zip(reference.output(i).to_f64()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-9, "output {i}: off by {worst}");
    }
}
