//! How far compiled elementary functions are from the exact values, in units in the last place.

use tilde_lang::backend::cpu::CpuPlan;
use tilde_lang::backend::{Plan, PlanOptions, Precision, Tensor};
use tilde_lang::base::op::{BinaryOp, UnaryOp};
use tilde_lang::base::special;
use tilde_lang::graph::{Builder, TensorType};

/// A function of one real with its value in f64, and how far from the exact value it may be in f32 and in f64.
type Function = (&'static str, UnaryOp, fn(f64) -> f64, f64, f64);

const FUNCTIONS: &[Function] = &[
    ("exp", UnaryOp::Exp, f64::exp, 1.1, 1.0),
    ("expm1", UnaryOp::Expm1, f64::exp_m1, 1.5, 1.0),
    ("log", UnaryOp::Log, f64::ln, 1.0, 1.0),
    ("log1p", UnaryOp::Log1p, f64::ln_1p, 1.6, 1.5),
    ("sin", UnaryOp::Sin, f64::sin, 1.7, 1.7),
    ("cos", UnaryOp::Cos, f64::cos, 1.7, 1.7),
    ("tanh", UnaryOp::Tanh, f64::tanh, 2.3, 2.0),
    ("sigmoid", UnaryOp::Sigmoid, special::sigmoid, 2.3, 2.0),
    ("softplus", UnaryOp::Softplus, special::softplus, 2.0, 2.0),
    ("erf", UnaryOp::Erf, special::erf, 1.2, 1.2),
    ("erfinv", UnaryOp::ErfInv, special::erfinv, 0.6, 5.0),
    // In f64 of the larger of the value and 1
    ("lgamma", UnaryOp::LogGamma, special::lgamma, 0.6, 2.0),
    ("digamma", UnaryOp::Digamma, special::digamma, 0.6, 3.0),
    ("trigamma", UnaryOp::Trigamma, special::trigamma, 0.6, 4.0),
];

fn computed(
    xs: &[f64],
    precision: Precision,
    f: impl Fn(&mut Builder, &[tilde_lang::graph::NodeId]) -> tilde_lang::graph::NodeId,
) -> Vec<f64> {
    computed_by(&[xs], precision, f)
}

/// The values of a compiled function of arrays.
fn computed_by(
    operands: &[&[f64]],
    precision: Precision,
    f: impl Fn(&mut Builder, &[tilde_lang::graph::NodeId]) -> tilde_lang::graph::NodeId,
) -> Vec<f64> {
    let mut b = Builder::new();
    let ty = TensorType::real([operands[0].len()]);
    let inputs: Vec<_> = operands.iter().map(|_| b.input("x", ty.clone())).collect();
    let result = f(&mut b, &inputs);
    let graph = b.finish(&[result]).expect("well typed");
    let options = PlanOptions { precision, threads: 1, in_place: vec![] };
    let mut plan = CpuPlan::new(&graph, &options, false).expect("compiles");
    for (index, values) in operands.iter().enumerate() {
        plan.set_input(index, Tensor::new(ty.clone(), precision, values.iter().copied()));
    }
    plan.run();
    plan.output(0).to_f64()
}

/// Of every exponent and both signs, and dense about 0.
fn singles() -> Vec<f64> {
    let all = (0..1 << 15).map(|i: u32| f64::from(f32::from_bits(i.wrapping_mul(131_101))));
    all.filter(|x| x.is_finite()).chain((-8000..8000).map(|i| f64::from(i as f32 * 2.113e-3))).collect()
}

/// The distance of neighbouring numbers of f32.
fn single_ulp(x: f64) -> f64 {
    let x = (x.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(f32::from_bits(x.to_bits() + 1)) - f64::from(x)
}

#[test]
fn in_f32() {
    let xs = singles();
    for &(name, op, exact, bound, _) in FUNCTIONS {
        let values = computed(&xs, Precision::F32, |b, x| b.unary(op, x[0]));
        for (&x, &value) in xs.iter().zip(&values) {
            let wanted = exact(x);
            let rounded = f64::from(wanted as f32);
            if value == rounded || value.is_nan() && rounded.is_nan() {
                continue;
            }
            let error = (value - wanted).abs() / single_ulp(wanted);
            assert!(error <= bound, "{name}({x:e}) is {value:e}, {error:.2} ulp from {wanted:e}");
        }
    }
}

fn double(bits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(bits, 16).expect("sixteen digits"))
}

fn double_ulp(x: f64) -> f64 {
    f64::from_bits(x.abs().to_bits() + 1) - x.abs()
}

/// Function, operands, rounded value, what is beyond it.
fn references() -> Vec<(&'static str, Vec<f64>, f64, f64)> {
    let line = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (operands, value) = words[1..].split_at(words.len() - 3);
        (words[0], operands.iter().map(|x| double(x)).collect(), double(value[0]), value[1].parse().expect("a number"))
    };
    include_str!("../references/elementary.txt").lines().map(line).collect()
}

#[test]
fn in_f64() {
    let references = references();
    for &(name, op, _, _, bound) in FUNCTIONS {
        let own: Vec<_> = references.iter().filter(|reference| reference.0 == name).collect();
        assert!(own.len() > 100, "{name}");
        let xs: Vec<f64> = own.iter().map(|reference| reference.1[0]).collect();
        let values = computed(&xs, Precision::F64, |b, x| b.unary(op, x[0]));
        for ((x, reference), value) in xs.iter().zip(own).zip(values) {
            let own = double_ulp(reference.2);
            let unit = if ["lgamma", "digamma"].contains(&name) { double_ulp(reference.2.abs().max(1.0)) } else { own };
            let error = ((value - reference.2) / own - reference.3).abs() * own / unit;
            assert!(error <= bound, "{name}({x:e}) is {value:e}, {error:.2} ulp from {:e}", reference.2);
        }
    }
}

#[test]
fn powers_in_both_precisions() {
    let references = references();
    let own: Vec<_> = references.iter().filter(|reference| reference.0 == "pow").collect();
    let [x, y] = [0, 1].map(|at| own.iter().map(|reference| reference.1[at]).collect::<Vec<f64>>());
    let values = computed_by(&[&x, &y], Precision::F64, |b, x| b.binary(BinaryOp::Pow, x[0], x[1]));
    for (reference, value) in own.iter().zip(values) {
        let error = ((value - reference.2) / double_ulp(reference.2) - reference.3).abs();
        assert!(error <= 1.0, "{reference:?} is {value:e}");
    }
    let [x, y] = [x, y].map(|values| values.iter().map(|&value| f64::from(value as f32)).collect::<Vec<f64>>());
    let values = computed_by(&[&x, &y], Precision::F32, |b, x| b.binary(BinaryOp::Pow, x[0], x[1]));
    for ((x, y), value) in x.iter().zip(&y).zip(values) {
        let exact = x.powf(*y);
        let near = (value - exact).abs() <= 0.6 * single_ulp(exact) || value == f64::from(exact as f32);
        assert!(near, "{x:e} to the power of {y:e} is {value:e} for {exact:e}");
    }
}
