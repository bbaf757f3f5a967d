//! Stages: a network's forward and backward pass run block by block, and neither blocks nor threads change what comes out.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Elements, Plan, PlanOptions, Precision, Tensor, interpreter};
use tilde_lang::base::op::{DType, RandomKind, ReduceOp, UnaryOp};
use tilde_lang::graph::{Builder, Graph, NodeId, TensorType};
use tilde_lang::kernel::{Along, Place, Split, Step, lower};
use tilde_lang::pass::derivative::gradient;

const ROWS: usize = 1200;

fn reals(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 % 1000) as f64 - 500.0) / 500.0).collect()
}

fn dense(b: &mut Builder, x: NodeId, w: NodeId, bias: NodeId) -> NodeId {
    let product = b.contract(x, w, &[0, 1], &[1, 2], &[0, 2]);
    let shape = b.shape(product).to_vec();
    let bias = b.broadcast(bias, &shape, &[1]);
    b.add(product, bias)
}

/// Two layers over noisy rows, and a step down the gradient of the sum of squares. Inputs: rows, x, then parameters, updated.
fn training_step() -> (Graph, Vec<(usize, usize)>) {
    let mut b = Builder::new();
    let rows = b.input("rows", TensorType::int([ROWS]));
    let x = b.input("x", TensorType::real([ROWS, 8]));
    let parameters: Vec<NodeId> = [&[8, 32][..], &[32], &[32, 3], &[3]].map(|shape| b.input("w", TensorType::real(shape))).to_vec();
    let zero = b.int(0);
    let noise = b.random(RandomKind::Normal, 1, [zero, zero, zero, rows], &[8]);
    let noisy = b.add(x, noise);
    let hidden = dense(&mut b, noisy, parameters[0], parameters[1]);
    let hidden = b.unary(UnaryOp::Tanh, hidden);
    let y = dense(&mut b, hidden, parameters[2], parameters[3]);
    let square = b.mul(y, y);
    let loss = b.sum(square, &[0, 1]);
    let gradients = gradient(&mut b, loss, &parameters, None).expect("every operation has a derivative");
    let mut outputs = vec![loss];
    for (&p, &g) in parameters.iter().zip(&gradients) {
        let rate = b.fill_like(1e-5, g);
        let change = b.mul(rate, g);
        outputs.push(b.sub(p, change));
    }
    (b.finish(&outputs).expect("well typed"), (0..4).map(|i| (2 + i, 1 + i)).collect())
}

/// Turns of a chain whose rows do not meet, with fresh noise in each.
fn sampler() -> Graph {
    let mut b = Builder::new();
    let rows = b.input("rows", TensorType::int([ROWS]));
    let x = b.input("x", TensorType::real([ROWS, 8]));
    let w = b.input("w", TensorType::real([8, 8]));
    let mut body = Builder::new();
    let turn = body.input("turn", TensorType::int([]));
    let carry = body.input("carry", TensorType::real([ROWS, 8]));
    let rows_inside = body.input("rows", TensorType::int([ROWS]));
    let w_inside = body.input("w", TensorType::real([8, 8]));
    let zero = body.int(0);
    let noise = body.random(RandomKind::Normal, 1, [zero, zero, turn, rows_inside], &[8]);
    let moved = body.contract(carry, w_inside, &[0, 1], &[1, 2], &[0, 2]);
    let moved = body.unary(UnaryOp::Tanh, moved);
    let next = body.add(moved, noise);
    let body = body.finish(&[next]).expect("well typed");
    let results = b.scan(body, &[x], &[], &[rows, w], 7, false);
    let most = b.reduce(ReduceOp::Max, results[0], &[0]);
    b.finish(&[results[0], most]).expect("well typed")
}

/// Second moments of many rows around a centre, and the sums of the rows: `Σ_n r[n, k] y[n, i] y[n, j]` with `y = x - c`.
fn moments() -> Graph {
    let rows = 8 * 600;
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([rows, 5]));
    let c = b.input("c", TensorType::real([5]));
    let logits = b.input("logits", TensorType::real([rows, 3]));
    let r = b.unary(UnaryOp::Exp, logits);
    let c = b.broadcast(c, &[rows, 5], &[1]);
    let y = b.sub(x, c);
    let [left, right] = [[0, 1], [0, 2]].map(|axes| b.broadcast(y, &[rows, 5, 5], &axes));
    let squares = b.mul(left, right);
    let second = b.contract(r, squares, &[0, 1], &[0, 2, 3], &[1, 2, 3]);
    let first = b.contract(r, y, &[0, 1], &[0, 2], &[1, 2]);
    b.finish(&[second, first]).expect("well typed")
}

fn inputs(graph: &Graph, precision: Precision) -> Vec<Tensor> {
    let tensor = |ty: &TensorType| match ty.dtype {
        DType::Real => Tensor::new(ty.clone(), precision, reals(ty.len())),
        DType::Int | DType::Bool => Tensor::new(ty.clone(), precision, (0..ty.len()).map(|i| i as f64)),
    };
    graph.inputs.iter().map(|input| tensor(&input.ty)).collect()
}

fn run(mut plan: Box<dyn Plan>, graph: &Graph, precision: Precision, steps: usize) -> Vec<Tensor> {
    inputs(graph, precision).into_iter().enumerate().for_each(|(i, tensor)| plan.set_input(i, tensor));
    (0..steps).for_each(|_| plan.run());
    (0..graph.outputs.len()).map(|i| plan.output(i).clone()).collect()
}

fn options(precision: Precision, threads: usize, in_place: &[(usize, usize)]) -> PlanOptions {
    PlanOptions { precision, threads, in_place: in_place.to_vec() }
}

fn cpu(graph: &Graph, options: &PlanOptions) -> Box<dyn Plan> {
    Box::new(CpuPlan::new(graph, options, false).unwrap_or_else(|error| panic!("{}", error.message)))
}

#[test]
fn forward_and_backward_pass_are_one_strand() {
    let (graph, in_place) = training_step();
    let kernels = lower(&graph, &in_place).expect("lowers");
    let strands = kernels.stages.iter().flat_map(|stage| &stage.strands);
    let batch: Vec<_> = strands.filter(|strand| matches!(&strand.split, Split::Rows(split) if split.rows == ROWS)).collect();
    assert_eq!(batch.len(), 1, "{kernels}");
    let products = batch[0].steps.clone().filter(|&step| matches!(kernels.steps[step], Step::Contract(_))).count();
    assert_eq!(products, 3, "two forward, one back to the hidden layer: {kernels}");
    assert!(kernels.stages.len() <= 4, "{kernels}");
    // What only the strand needs does not exist for all rows at once
    let Split::Rows(split) = &batch[0].split else { panic!("{kernels}") };
    assert!(split.block * 2 <= ROWS && !split.own.is_empty(), "{kernels}");
    assert!(split.own.iter().all(|&id| matches!(kernels.buffers[id].place, Place::Block { .. })), "{kernels}");
}

#[test]
fn moments_are_summed_where_their_terms_are_computed() {
    let kernels = lower(&moments(), &[]).expect("lowers");
    let Split::Rows(split) = &kernels.stages[0].strands[0].split else { panic!("{kernels}") };
    assert_eq!(split.along.iter().filter(|along| **along == Along::Terms).count(), 2, "{kernels}");
    assert!(split.section == 600 && split.section.is_multiple_of(split.block), "{kernels}");
    // Neither responsibilities, nor centred rows, nor their products exist for all rows at once
    assert_eq!(split.own.len(), 3, "{kernels}");
}

/// A block adds to one chunk of each sum, and no two threads add to the same chunk, also where sums have chunks of different lengths.
#[test]
fn blocks_and_sections_keep_to_the_chunks_of_every_sum() {
    for (rows, wide) in [(60 * 512, 60_000), (60 * 512, 30_000), (100_000, 40_000)] {
        let mut b = Builder::new();
        let logits = b.input("logits", TensorType::real([rows, 2]));
        let r = b.unary(UnaryOp::Exp, logits);
        let inputs = [5, wide, 3 * wide / 5].map(|size| b.input(format!("x{size}"), TensorType::real([rows, size])));
        let sums = inputs.map(|x| {
            let y = b.unary(UnaryOp::Tanh, x);
            b.contract(r, y, &[0, 1], &[0, 2], &[1, 2])
        });
        let kernels = lower(&b.finish(&sums).expect("well typed"), &[]).expect("lowers");
        for strand in kernels.stages.iter().flat_map(|stage| &stage.strands) {
            let Split::Rows(split) = &strand.split else { continue };
            for (step, along) in strand.steps.clone().zip(&split.along).filter(|(_, along)| **along == Along::Terms) {
                let Step::Contract(c) = &kernels.steps[step] else { panic!("{along:?}") };
                let (_, terms) = c.chunks().expect("a sum in chunks");
                assert!(terms.is_multiple_of(split.block) && split.section.is_multiple_of(terms), "{terms} {split:?}");
            }
        }
    }
}

#[test]
fn blocks_of_rows_agree_with_the_interpreter() {
    let precision = Precision::F64;
    for (graph, in_place, steps) in [(training_step().0, training_step().1, 3), (sampler(), vec![], 1), (moments(), vec![], 1)] {
        let reference = interpreter::compile(&graph, &options(precision, 1, &in_place)).expect("verifies");
        let expected = run(reference, &graph, precision, steps);
        let found = run(cpu(&graph, &options(precision, 2, &in_place)), &graph, precision, steps);
        for (expected, found) in expected.iter().zip(&found) {
            for (a, b) in expected.to_f64().into_iter().zip(found.to_f64()) {
                assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0), "{b} for {a}");
            }
        }
    }
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    match &tensor.elements {
        Elements::F32(v) => v.iter().map(|x| x.to_bits()).collect(),
        Elements::I32(v) => v.iter().map(|&x| x as u32).collect(),
        Elements::F64(_) | Elements::I64(_) => panic!("not of that precision"),
    }
}

#[test]
fn bits_are_the_same_on_any_number_of_threads() {
    for (graph, in_place) in [training_step(), (sampler(), vec![]), (moments(), vec![])] {
        let of = |threads: usize| -> Vec<Vec<u32>> {
            let plan = cpu(&graph, &options(Precision::F32, threads, &in_place));
            run(plan, &graph, Precision::F32, 3).iter().map(bits).collect()
        };
        let one = of(1);
        for threads in [2, 3, 7] {
            assert!(of(threads) == one, "{threads} threads");
        }
    }
}
