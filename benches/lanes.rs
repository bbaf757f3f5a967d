//! Loops of one thread beside what rustc makes of the same formulas with AVX-512, and beside a plain copy:
//! `cargo bench --bench lanes`. Least of many short blocks, the candidates in turn.

use std::time::Instant;
use tilde_lang::backend::cpu::{CpuPlan, Instructions};
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor};
use tilde_lang::base::op::{ReduceOp, UnaryOp};
use tilde_lang::graph::{Builder, Graph, NodeId, Op, TensorType};

/// Elements of the functions: both arrays stay in the second-level cache.
const FEW: usize = 16_384;
/// Elements of the streaming loops: a layer of the variational autoencoder.
const MANY: usize = 392_000;
const BLOCKS: usize = 200;

/// Seconds a turn of each candidate: the least of blocks, taken in turn.
fn least<const N: usize>(turns: usize, mut candidates: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    for _ in 0..BLOCKS {
        for (candidate, best) in candidates.iter_mut().zip(&mut best) {
            let start = Instant::now();
            (0..turns).for_each(|_| candidate());
            *best = best.min(start.elapsed().as_secs_f64() / turns as f64);
        }
    }
    best
}

fn plan(graph: &Graph, precision: Precision, instructions: Instructions, in_place: &[(usize, usize)]) -> CpuPlan {
    let options = PlanOptions { precision, threads: 1, in_place: in_place.to_vec() };
    let mut plan = CpuPlan::with_instructions(graph, &options, false, instructions).expect("compiles");
    for (index, input) in graph.inputs.iter().enumerate() {
        plan.set_input(index, Tensor::new(input.ty.clone(), precision, arguments(input.ty.len()).into_iter().map(f64::from)));
    }
    plan
}

/// Positive, of sizes around 1.
fn arguments(count: usize) -> Vec<f32> {
    (0..count).map(|i| 0.1 + (i as u32).wrapping_mul(2_654_435_761) as f32 / 2e9).collect()
}

// The formulas of the back end, for rustc to make vectors of. The values of the coefficients do not matter to the time.

#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients[1..].iter().fold(coefficients[0], |sum, &c| sum.mul_add(x, c))
}

/// r and n with x = n log 2 + r.
#[inline(always)]
fn remainder_of_log2(x: f32) -> (f32, i32) {
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    // SAFETY: callers clamp to what an i32 holds.
    (r, unsafe { n.to_int_unchecked::<i32>() })
}

#[inline(always)]
fn exp_less_one(r: f32) -> f32 {
    polynomial(r, [2e-4, 1.4e-3, 8.3e-3, 4.2e-2, 0.166, 0.5]).mul_add(r * r, r)
}

/// x 2ⁿ in two steps, neither of which overflows before the result does.
#[inline(always)]
fn scaled(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    x * f32::from_bits(((half + 127) << 23) as u32) * f32::from_bits(((n - half + 127) << 23) as u32)
}

#[inline(always)]
fn exp(x: f32) -> f32 {
    let (r, n) = remainder_of_log2(x.clamp(-104.0, 89.0));
    scaled(exp_less_one(r) + 1.0, n)
}

#[inline(always)]
fn expm1(x: f32) -> f32 {
    let (r, n) = remainder_of_log2(x.clamp(-60.0, 89.0));
    let power = scaled(0.5, n);
    let far = power.mul_add(exp_less_one(r), power - 0.5);
    if x.abs() < 0.34 { exp_less_one(x) } else { far + far }
}

#[inline(always)]
fn log(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let bits = if subnormal { x * 8_388_608.0 } else { x }.to_bits() as i32;
    let exponent = (bits - 0x3f35_04f3) >> 23;
    let z = f32::from_bits((bits - (exponent << 23)) as u32) - 1.0;
    let e = exponent as f32 - if subnormal { 23.0 } else { 0.0 };
    let p = polynomial(z, [7e-2, -0.115, 0.116, -0.124, 0.142, -0.166, 0.2, -0.25, 0.333]);
    let y = (z * z).mul_add(-0.5, e.mul_add(-2.121_944_4e-4, z * z * z * p));
    let value = e.mul_add(0.693_359_4, z + y);
    let value = if x > 0.0 {
        value
    } else if x == 0.0 {
        f32::NEG_INFINITY
    } else {
        f32::NAN
    };
    if x == f32::INFINITY { x } else { value }
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let t = expm1(size + size);
    let is_large = size > 0.55;
    let ratio = if is_large { 2.0 } else { t } / (t + 2.0);
    (if is_large { 1.0 - ratio } else { ratio }).copysign(x)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let u = exp(-x.abs());
    (if x < 0.0 { u } else { 1.0 }) / (u + 1.0)
}

/// Sine within its usual range.
#[inline(always)]
fn sin(x: f32) -> f32 {
    let n = (x * std::f32::consts::FRAC_2_PI).round_ties_even();
    let r = n.mul_add(-6e-15, n.mul_add(4.37e-8, n.mul_add(-std::f32::consts::FRAC_PI_2, x)));
    let square = r * r;
    let sine = polynomial(square, [-2e-4, 8.3e-3, -0.166]).mul_add(r * square, r);
    let cosine = polynomial(square, [2.4e-5, -1.4e-3, 4.2e-2]).mul_add(square * square, square.mul_add(-0.5, 1.0));
    // SAFETY: the arguments of this bench are small.
    let n = unsafe { n.to_int_unchecked::<i32>() };
    let value = if n & 1 == 0 { sine } else { cosine };
    f32::from_bits(value.to_bits() ^ ((n & 2) << 30) as u32)
}

type OverSlices = unsafe fn(&[f32], &mut [f32]);

/// A function over a slice, compiled for AVX-512.
macro_rules! over_slices {
    ($($name:ident = $function:ident;)*) => {$(
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
        fn $name(x: &[f32], y: &mut [f32]) {
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = $function(x));
        }
    )*};
}

over_slices! {
    exp_all = exp;
    log_all = log;
    tanh_all = tanh;
    sigmoid_all = sigmoid;
    sin_all = sin;
}

fn of_unary(op: UnaryOp) -> Graph {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([FEW]));
    let y = b.unary(op, x);
    b.finish(&[y]).expect("well typed")
}

fn functions() {
    let rust: [(UnaryOp, Option<OverSlices>); 8] = [
        (UnaryOp::Exp, Some(exp_all)),
        (UnaryOp::Log, Some(log_all)),
        (UnaryOp::Tanh, Some(tanh_all)),
        (UnaryOp::Sigmoid, Some(sigmoid_all)),
        (UnaryOp::Sin, Some(sin_all)),
        (UnaryOp::Softplus, None),
        (UnaryOp::Erf, None),
        (UnaryOp::Cos, None),
    ];
    let (x, mut y) = (arguments(FEW), vec![0.0; FEW]);
    println!("ns for 16 elements     widest  portable   rustc   rustc / widest");
    for (op, function) in rust {
        let graph = of_unary(op);
        let (mut widest, mut portable) =
            (plan(&graph, Precision::F32, Instructions::Widest, &[]), plan(&graph, Precision::F32, Instructions::Portable, &[]));
        let mut compiled = || {
            if let Some(function) = function {
                // SAFETY: `main` asked for these features.
                unsafe { function(&x, &mut y) }
            }
        };
        let times = least(4, [&mut || widest.run(), &mut || portable.run(), &mut compiled]);
        let [a, b, c] = times.map(|time| time * 1e9 * 16.0 / FEW as f64);
        let (c, ratio) = if function.is_some() { (format!("{c:7.2}"), format!("{:.2}", c / a)) } else { ("      -".into(), String::new()) };
        println!("{:18} {a:10.2} {b:9.2} {c}   {ratio}", format!("{op:?}"));
    }
}

/// p, m, v of Adam after one step.
fn adam(b: &mut Builder, [p, m, v, g]: [NodeId; 4], rate: NodeId) -> [NodeId; 3] {
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
    let rate = b.spread(rate, &[MANY]);
    let step = b.mul(rate, m);
    let step = b.div(step, below);
    [b.sub(p, step), m, v]
}

/// A loop over as many bytes as an array of `MANY` numbers in f32 has.
struct Stream {
    name: String,
    graph: Graph,
    precision: Precision,
    in_place: Vec<(usize, usize)>,
    /// Bytes that it reads and writes
    moved: usize,
}

fn streams() -> Vec<Stream> {
    let precision = Precision::F32;
    let mut b = Builder::new();
    let [x, y] = ["x", "y"].map(|name| b.input(name, TensorType::real([MANY])));
    let sum = b.add(x, y);
    let graph = b.finish(&[sum]).expect("well typed");
    let add = Stream { name: "add".into(), graph, precision, in_place: vec![], moved: 3 * MANY * 4 };
    let mut b = Builder::new();
    let state = ["p", "m", "v", "g"].map(|name| b.input(name, TensorType::real([MANY])));
    let rate = b.input("rate", TensorType::real([]));
    let updated = adam(&mut b, state, rate);
    let graph = b.finish(&updated).expect("well typed");
    let adam = Stream { name: "Adam".into(), graph, precision, in_place: vec![(0, 0), (1, 1), (2, 2)], moved: 7 * MANY * 4 };
    let mut found = vec![add, adam];
    for precision in [Precision::F32, Precision::F64] {
        found.extend(REDUCTIONS.map(|(name, columns, reduce)| reduction(name, columns, precision, reduce)));
    }
    found
}

/// Nodes that reduce a matrix.
type Reduce = fn(&mut Builder, NodeId) -> Vec<NodeId>;

/// Name, columns of the matrix, what is computed of it.
const REDUCTIONS: [(&str, usize, Reduce); 9] = [
    ("sum of all", 784, |b, x| vec![b.sum(x, &[0, 1])]),
    ("sums of columns", 784, |b, x| vec![b.sum(x, &[0])]),
    ("of 16 columns", 16, |b, x| vec![b.sum(x, &[0])]),
    ("of their squares", 784, |b, x| {
        let squares = b.mul(x, x);
        vec![b.sum(squares, &[0])]
    }),
    ("minima of columns", 784, |b, x| vec![b.reduce(ReduceOp::Min, x, &[0])]),
    ("sums of rows", 784, |b, x| vec![b.sum(x, &[1])]),
    ("maxima of rows", 784, |b, x| vec![b.reduce(ReduceOp::Max, x, &[1])]),
    ("moments of rows", 784, |b, x| {
        let squares = b.mul(x, x);
        vec![b.sum(x, &[1]), b.sum(squares, &[1])]
    }),
    ("argmax of rows", 784, |b, x| vec![b.push(Op::ArgMax { axis: 1 }, &[x])]),
];

fn reduction(name: &str, columns: usize, precision: Precision, reduce: Reduce) -> Stream {
    let (elements, suffix) = match precision {
        Precision::F32 => (MANY, ""),
        Precision::F64 => (MANY / 2, ", f64"),
    };
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([elements / columns, columns]));
    let results = reduce(&mut b, x);
    let graph = b.finish(&results).expect("well typed");
    Stream { name: format!("{name}{suffix}"), graph, precision, in_place: vec![], moved: MANY * 4 }
}

fn bandwidth() {
    let (x, mut y) = (arguments(MANY), vec![0f32; MANY]);
    println!("\n{MANY} numbers in f32, as many bytes in f64   us  GB/s, portable: us   of a copy's bandwidth");
    for Stream { name, graph, precision, in_place, moved } in streams() {
        let [mut widest, mut portable] =
            [Instructions::Widest, Instructions::Portable].map(|instructions| plan(&graph, precision, instructions, &in_place));
        let mut copy = || y.copy_from_slice(std::hint::black_box(&x));
        let [a, b, c] = least(1, [&mut || widest.run(), &mut || portable.run(), &mut copy]);
        let rate = |time: f64, moved: usize| moved as f64 * 1e-9 / time;
        let part = |time: f64| 100.0 * rate(time, moved) / rate(c, 2 * MANY * 4);
        println!("{name:26} {:12.1} {:5.1} {:10.1} {:12.0} %, portable {:.0} %", a * 1e6, rate(a, moved), b * 1e6, part(a), part(b));
    }
}

/// Time to compile the loops of a graph.
fn compile_time() {
    let graph = streams().swap_remove(1).graph;
    let options = PlanOptions { precision: Precision::F32, threads: 1, in_place: vec![] };
    let time = |instructions: Instructions| {
        let once = || CpuPlan::with_instructions(&graph, &options, false, instructions).expect("compiles").statistics().generation;
        (0..20).map(|_| once()).min().unwrap_or_default().as_secs_f64() * 1e6
    };
    println!("\nAdam to machine code: {:.0} us widest, {:.0} us portable", time(Instructions::Widest), time(Instructions::Portable));
}

fn main() {
    if !is_x86_feature_detected!("avx512f") || !is_x86_feature_detected!("avx512dq") || !is_x86_feature_detected!("avx512vl") {
        return println!("this processor has no AVX-512");
    }
    functions();
    bandwidth();
    compile_time();
}
