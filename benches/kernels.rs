//! Time of one training step of a variational autoencoder, 784-500-20 with batches of 100 and Adam, kernel by kernel:
//! `cargo bench --bench kernels`. Times of the same matrix products alone, in the same run, tell what the rest costs.

use std::time::{Duration, Instant};
use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor};
use tilde_lang::base::op::{BinaryOp, RandomKind, UnaryOp};
use tilde_lang::graph::{Builder, Graph, NodeId, TensorType};
use tilde_lang::kernel::Step;
use tilde_lang::pass;
use tilde_lang::pass::derivative::gradient;

const ROWS: usize = 9000;
const BATCH: usize = 100;
const PIXELS: usize = 784;
const HIDDEN: usize = 500;
const LATENT: usize = 20;
const TURNS: u32 = 200;

/// Shapes of the parameters: encoder, two heads, decoder.
const SHAPES: &[&[usize]] = &[
    &[PIXELS, HIDDEN],
    &[HIDDEN],
    &[HIDDEN, LATENT],
    &[LATENT],
    &[HIDDEN, LATENT],
    &[LATENT],
    &[LATENT, HIDDEN],
    &[HIDDEN],
    &[HIDDEN, PIXELS],
    &[PIXELS],
];

fn dense(b: &mut Builder, x: NodeId, w: NodeId, bias: NodeId) -> NodeId {
    let product = b.contract(x, w, &[0, 1], &[1, 2], &[0, 2]);
    let shape = b.shape(product).to_vec();
    let bias = b.broadcast(bias, &shape, &[1]);
    b.add(product, bias)
}

/// The negative ELBO of a batch, in its mean over rows.
fn loss(b: &mut Builder, x: NodeId, noise: NodeId, p: &[NodeId]) -> NodeId {
    let hidden = dense(b, x, p[0], p[1]);
    let hidden = b.unary(UnaryOp::Tanh, hidden);
    let mean = dense(b, hidden, p[2], p[3]);
    let log_std = dense(b, hidden, p[4], p[5]);
    let std = b.exp(log_std);
    let spread = b.mul(std, noise);
    let z = b.add(mean, spread);
    let hidden = dense(b, z, p[6], p[7]);
    let hidden = b.unary(UnaryOp::Tanh, hidden);
    let logits = dense(b, hidden, p[8], p[9]);
    // log p(x | z) = x logits - softplus(logits)
    let (hit, normaliser) = (b.mul(x, logits), b.unary(UnaryOp::Softplus, logits));
    let log_likelihood = b.sub(hit, normaliser);
    let log_likelihood = b.sum(log_likelihood, &[0, 1]);
    // KL = 1/2 sum (mean² + std² - 1) - log std
    let (mean2, std2) = (b.mul(mean, mean), b.mul(std, std));
    let sum = b.add(mean2, std2);
    let half = b.fill_like(0.5, sum);
    let sum = b.mul(sum, half);
    let sum = b.sub(sum, log_std);
    let sum = b.sub(sum, half);
    let kl = b.sum(sum, &[0, 1]);
    let total = b.sub(kl, log_likelihood);
    let scale = b.real(1.0 / BATCH as f64);
    b.mul(total, scale)
}

/// p, m, v of Adam after one step.
fn adam(b: &mut Builder, p: NodeId, m: NodeId, v: NodeId, g: NodeId, rate: NodeId) -> [NodeId; 3] {
    let scaled = |b: &mut Builder, x: NodeId, by: f64| {
        let by = b.fill_like(by, x);
        b.mul(x, by)
    };
    let (old, new) = (scaled(b, m, 0.9), scaled(b, g, 0.1));
    let m = b.add(old, new);
    let square = b.mul(g, g);
    let (old, new) = (scaled(b, v, 0.999), scaled(b, square, 0.001));
    let v = b.add(old, new);
    let root = b.unary(UnaryOp::Sqrt, v);
    let epsilon = b.fill_like(1e-8, root);
    let below = b.add(root, epsilon);
    let shape = b.shape(p).to_vec();
    let rate = b.spread(rate, &shape);
    let step = b.mul(rate, m);
    let step = b.div(step, below);
    [b.sub(p, step), m, v]
}

/// Inputs: data, rows, step, then p, m, v of each parameter. Outputs: loss, then these updated.
fn training_step() -> (Graph, Vec<(usize, usize)>) {
    let mut b = Builder::new();
    let data = b.input("data", TensorType::real([ROWS, PIXELS]));
    let rows = b.input("rows", TensorType::int([BATCH]));
    let step = b.input("step", TensorType::int([]));
    let state: Vec<[NodeId; 3]> = SHAPES.iter().map(|&shape| ["p", "m", "v"].map(|name| b.input(name, TensorType::real(shape)))).collect();
    let parameters: Vec<NodeId> = state.iter().map(|s| s[0]).collect();
    let x = b.gather(data, rows, 0);
    let zero = b.int(0);
    let noise = b.random(RandomKind::Normal, 1, [zero, step, zero, rows], &[LATENT]);
    let loss = loss(&mut b, x, noise, &parameters);
    let gradients = gradient(&mut b, loss, &parameters, None).expect("every operation has a derivative");
    let t = b.cast(step, tilde_lang::base::op::DType::Real);
    let one = b.real(1.0);
    let t = b.add(t, one);
    let correction = |b: &mut Builder, decay: f64| {
        let decay = b.real(decay);
        let power = b.binary(BinaryOp::Pow, decay, t);
        b.sub(one, power)
    };
    let (first, second) = (correction(&mut b, 0.9), correction(&mut b, 0.999));
    let second = b.unary(UnaryOp::Sqrt, second);
    let rate = b.real(1e-3);
    let rate = b.mul(rate, second);
    let rate = b.div(rate, first);
    let mut outputs = vec![loss];
    for (&[p, m, v], &g) in state.iter().zip(&gradients) {
        outputs.extend(adam(&mut b, p, m, v, g, rate));
    }
    let graph = b.finish(&outputs).expect("well typed");
    let in_place = (0..3 * SHAPES.len()).map(|i| (3 + i, 1 + i)).collect();
    (pass::optimise(graph).expect("optimises"), in_place)
}

fn set_inputs(plan: &mut CpuPlan, graph: &Graph) {
    for (index, input) in graph.inputs.iter().enumerate() {
        let ty = input.ty.clone();
        let noise = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f64 / f64::from(1 << 24);
        let value = |i: usize| match input.name.as_str() {
            "data" => f64::from(u8::from(noise(i) > 0.8)),
            "rows" => (i * 89 % ROWS) as f64,
            "p" => (noise(i) - 0.5) * 0.1,
            _ => 0.0,
        };
        let values: Vec<f64> = (0..ty.len()).map(value).collect();
        plan.set_input(index, Tensor::new(ty, Precision::F32, values));
    }
}

/// Seconds a turn: the least of ten blocks, since other work on the machine only adds.
fn least(mut turn: impl FnMut()) -> f64 {
    let block = |turn: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..TURNS / 10).for_each(|_| turn());
        start.elapsed().as_secs_f64() / f64::from(TURNS / 10)
    };
    block(&mut turn);
    (0..10).map(|_| block(&mut turn)).fold(f64::INFINITY, f64::min)
}

/// The matrix products of the step in one plan: what they cost alone.
fn products(threads: usize) -> CpuPlan {
    let mut b = Builder::new();
    let input = |b: &mut Builder, rows, columns| b.input("p", TensorType::real([rows, columns]));
    let (x, h, w1, w2) =
        (input(&mut b, BATCH, PIXELS), input(&mut b, BATCH, HIDDEN), input(&mut b, PIXELS, HIDDEN), input(&mut b, HIDDEN, PIXELS));
    let outputs = [
        b.contract(x, w1, &[0, 1], &[1, 2], &[0, 2]),
        b.contract(h, w2, &[0, 1], &[1, 2], &[0, 2]),
        b.contract(x, h, &[0, 1], &[0, 2], &[1, 2]),
        b.contract(h, x, &[0, 1], &[0, 2], &[1, 2]),
        b.contract(x, w2, &[0, 1], &[2, 1], &[0, 2]),
    ];
    let graph = b.finish(&outputs).expect("well typed");
    let options = PlanOptions { precision: Precision::F32, threads, in_place: vec![] };
    let mut plan = CpuPlan::new(&graph, &options, false).expect("compiles");
    set_inputs(&mut plan, &graph);
    plan
}

fn describe(step: &Step) -> String {
    let text = step.to_string();
    let line = text.lines().next().unwrap_or_default().to_string();
    match step {
        Step::Loop(nest) => format!("{line}: {} instructions, {} stores", nest.body.len(), nest.stores.len()),
        _ => line,
    }
}

fn main() {
    let (graph, in_place) = training_step();
    for threads in [1, 2] {
        let options = PlanOptions { precision: Precision::F32, threads, in_place: in_place.clone() };
        let mut plan = CpuPlan::new(&graph, &options, false).expect("compiles");
        set_inputs(&mut plan, &graph);
        let mut step = 0.0;
        let seconds = least(|| {
            plan.write_input(2, &[step]);
            plan.run();
            step += 1.0;
        });
        let mut alone = products(threads);
        let floor = least(|| alone.run());
        println!("{threads} threads: {:.3} ms a step, its large products alone {:.3} ms", seconds * 1e3, floor * 1e3);
        println!("  loss {:.3} after {step} steps; {:?}", plan.output(0).first(), plan.statistics());
        plan.measure();
        (0..TURNS).for_each(|_| plan.run());
        let times: Vec<Duration> = plan.times();
        for (step, time) in plan.kernels().steps.iter().zip(times) {
            println!("  {:8.1} us  {}", time.as_secs_f64() * 1e6 / f64::from(TURNS), describe(step));
        }
    }
}
