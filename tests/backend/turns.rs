//! Turns of loops: rows that are done are left out, and operands that a turn would rearrange are rearranged before. Neither changes what
//! comes out.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Elements, Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use tilde_lang::graph::{Builder, Graph, NodeId, TensorType};
use tilde_lang::kernel::{Kernels, Step, lower};

const ROWS: usize = 300;
const WIDTH: usize = 64;

/// What a turn does with rows that are done.
#[derive(Clone, Copy, PartialEq)]
enum Done {
    Stay,
    /// Turns go on changing them
    Drift,
}

/// `tanh(x W')`, with weights whose rows are outputs
fn layer(b: &mut Builder, x: NodeId, w: NodeId) -> NodeId {
    let product = b.contract(x, w, &[0, 1], &[2, 1], &[0, 2]);
    b.unary(UnaryOp::Tanh, product)
}

fn body(done: Done) -> Graph {
    let mut b = Builder::new();
    b.input("turn", TensorType::int([]));
    let x = b.input("x", TensorType::real([ROWS, WIDTH]));
    let left = b.input("left", TensorType::real([ROWS]));
    let active = b.input("active", TensorType::new(DType::Bool, [ROWS]));
    b.input("going", TensorType::new(DType::Bool, []));
    let w = b.input("w", TensorType::real([WIDTH, WIDTH]));
    let moved = layer(&mut b, x, w);
    let everywhere = b.broadcast(active, &[ROWS, WIDTH], &[0]);
    let next = if done == Done::Stay { b.select(everywhere, moved, x) } else { moved };
    let one = b.fill(1.0, DType::Real, &[ROWS]);
    let fewer = b.binary(BinaryOp::Sub, left, one);
    let left = b.select(active, fewer, left);
    let zero = b.fill(0.0, DType::Real, &[ROWS]);
    let more = b.compare(CompareOp::Gt, left, zero);
    let active = b.binary(BinaryOp::And, active, more);
    let going = b.reduce(ReduceOp::Or, active, &[0]);
    b.finish(&[next, left, active, going]).expect("well typed")
}

/// A loop whose rows take from 0 to 12 turns.
fn looped(done: Done) -> Graph {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([ROWS, WIDTH]));
    let left = b.input("left", TensorType::real([ROWS]));
    let w = b.input("w", TensorType::real([WIDTH, WIDTH]));
    let zero = b.fill(0.0, DType::Real, &[ROWS]);
    let active = b.compare(CompareOp::Gt, left, zero);
    let going = b.reduce(ReduceOp::Or, active, &[0]);
    let mut condition = Builder::new();
    condition.input("turn", TensorType::int([]));
    let mut flag = None;
    for node in [x, left, active, going, w] {
        let ty = b.ty(node).clone();
        let input = condition.input("carry", ty);
        flag = flag.or((node == going).then_some(input));
    }
    let condition = condition.finish(flag.as_slice()).expect("well typed");
    let results = b.while_loop(condition, body(done), &[x, left, active, going], &[w]);
    b.finish(&results).expect("well typed")
}

fn inputs(graph: &Graph, precision: Precision, turns: &dyn Fn(usize) -> usize) -> Vec<Tensor> {
    let tensor = |number: usize, ty: &TensorType| {
        let value = |i: usize| if number == 1 { turns(i) as f64 } else { ((i * 7919 % 1000) as f64 - 500.0) / 1500.0 };
        Tensor::new(ty.clone(), precision, (0..ty.len()).map(value))
    };
    graph.inputs.iter().enumerate().map(|(number, input)| tensor(number, &input.ty)).collect()
}

fn run(mut plan: Box<dyn Plan>, graph: &Graph, precision: Precision, turns: &dyn Fn(usize) -> usize) -> Vec<Tensor> {
    // Twice: what a run leaves behind does not show in the next
    for _ in 0..2 {
        inputs(graph, precision, turns).into_iter().enumerate().for_each(|(i, tensor)| plan.set_input(i, tensor));
        plan.run();
    }
    (0..graph.outputs.len()).map(|i| plan.output(i).clone()).collect()
}

fn options(precision: Precision, threads: usize) -> PlanOptions {
    PlanOptions { precision, threads, in_place: vec![] }
}

fn cpu(graph: &Graph, precision: Precision, threads: usize) -> Box<dyn Plan> {
    Box::new(CpuPlan::new(graph, &options(precision, threads), false).unwrap_or_else(|error| panic!("{}", error.message)))
}

fn uneven(row: usize) -> usize {
    row * 7919 % 13
}

#[test]
fn rows_that_end_one_by_one_agree_with_the_interpreter() {
    let precision = Precision::F64;
    for done in [Done::Stay, Done::Drift] {
        let graph = looped(done);
        for turns in [&uneven as &dyn Fn(usize) -> usize, &|_| 0, &|_| 3, &|row| usize::from(row == ROWS - 1)] {
            let reference = interpreter::compile(&graph, &options(precision, 1)).expect("verifies");
            let expected = run(reference, &graph, precision, turns);
            let found = run(cpu(&graph, precision, 2), &graph, precision, turns);
            for (expected, found) in expected.iter().zip(&found) {
                for (a, b) in expected.to_f64().into_iter().zip(found.to_f64()) {
                    assert!((a - b).abs() <= 1e-9, "{b} for {a}");
                }
            }
        }
    }
}

#[test]
fn their_bits_are_the_same_on_any_number_of_threads() {
    let graph = looped(Done::Stay);
    let bits = |tensor: &Tensor| -> Vec<u32> {
        match &tensor.elements {
            Elements::F32(v) => v.iter().map(|x| x.to_bits()).collect(),
            Elements::I32(v) => v.iter().map(|&x| x as u32).collect(),
            Elements::F64(_) | Elements::I64(_) => panic!("not of that precision"),
        }
    };
    let of = |threads| run(cpu(&graph, Precision::F32, threads), &graph, Precision::F32, &uneven).iter().map(bits).collect::<Vec<_>>();
    let one = of(1);
    for threads in [2, 3] {
        assert!(of(threads) == one, "{threads} threads");
    }
}

fn the_loop(kernels: &Kernels) -> &tilde_lang::kernel::While {
    let found = kernels.steps.iter().find_map(|step| if let Step::While(looped) = step { Some(looped) } else { None });
    found.unwrap_or_else(|| panic!("{kernels}"))
}

#[test]
fn rows_are_left_out_only_where_they_stay_as_they_are() {
    for (done, expected) in [(Done::Stay, Some(ROWS)), (Done::Drift, None)] {
        let kernels = lower(&looped(done), &[]).expect("lowers");
        assert_eq!(the_loop(&kernels).ending.map(|ending| ending.rows), expected, "{kernels}");
    }
}

#[test]
fn a_product_of_a_body_reads_weights_along_its_columns() {
    let kernels = lower(&looped(Done::Stay), &[]).expect("lowers");
    let products: Vec<_> =
        the_loop(&kernels).body.steps.iter().filter_map(|step| if let Step::Contract(c) = step { Some(c) } else { None }).collect();
    let [product] = products[..] else { panic!("{kernels}") };
    let row = product.row_axis().map(|axis| axis.dim(product));
    let columns = if row == Some(product.rows) { product.columns.b } else { product.rows.a };
    assert_eq!((columns, the_loop(&kernels).constants.len()), (1, 2), "{kernels}");
}
