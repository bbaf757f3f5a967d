//! Chains in discrete time at running times: against recursions and dense Gaussian algebra written out here, and enumeration.

mod evaluation;

use evaluation::{close, evaluated, value};
use tilde_lang::backend::Precision;
use tilde_lang::runtime::engine::{Device, Engine};

/// A short schedule with a shift.
const CHAIN: &str = "
dim T = 6
let beta[t in 1..T] = 0.05 + 0.1 * t
var x[0..T] : Real[2]
data x[0] = [[0.3, -1.0], [1.5, 0.2], [-0.7, 2.0]]
q(x[t] | x[t-1]) = Normal(sqrt(1 - beta[t]) * x[t-1] + 0.1 * t, sqrt(beta[t]))
";

const X0: [[f64; 2]; 3] = [[0.3, -1.0], [1.5, 0.2], [-0.7, 2.0]];

fn beta(t: usize) -> f64 {
    0.05 + 0.1 * t as f64
}

/// Signal, shift and variance of x[t] given x[s].
fn law(s: usize, t: usize) -> [f64; 3] {
    (s + 1..=t).fold([1.0, 0.0, 0.0], |[signal, shift, var], u| {
        let a = (1.0 - beta(u)).sqrt();
        [a * signal, a * shift + 0.1 * u as f64, a * a * var + beta(u)]
    })
}

#[test]
fn the_law_of_a_running_member_given_the_first() {
    let rows =
        |f: &dyn Fn(usize, f64) -> f64| -> Vec<f64> { X0.iter().flat_map(|row| (1..=6).flat_map(|t| row.map(|x| f(t, x)))).collect() };
    close(CHAIN, "[q(x[t] | x[0]).mean for t in 1..T]", &rows(&|t, x| law(0, t)[0] * x + law(0, t)[1]));
    let std: Vec<f64> = (1..=6).map(|t| law(0, t)[2].sqrt()).collect();
    close(CHAIN, "[q(x[t] | x[0] = [0.0, 1.0]).std for t in 1..T]", &std.iter().flat_map(|s| [*s, *s]).collect::<Vec<f64>>());
}

#[test]
fn the_law_between_running_members() {
    let pairs: Vec<f64> = (0..3)
        .flat_map(|s| {
            let [a, c, v] = law(s + 1, 5);
            [a * 0.7 + c, a * -0.3 + c, v.sqrt()]
        })
        .collect();
    close(CHAIN, "[q(x[5] | x[s] = [0.7, -0.3]).mean ++ q(x[5] | x[s] = [0.7, -0.3]).std[0] for s in 1..3]", &pairs);
    let neighbours: Vec<f64> = (1..=6)
        .flat_map(|t| {
            let [a, c, v] = law(t - 1, t);
            [a * 0.7 + c, v.sqrt()]
        })
        .collect();
    close(CHAIN, "[[q(x[t] | x[t-1] = [0.7, 0]).mean[0], q(x[t] | x[t-1] = [0.7, 0]).std[0]] for t in 1..T]", &neighbours);
    let log_normal = |x: f64, [a, c, v]: [f64; 3], y: f64| -0.5 * ((x - a * y - c).powi(2) / v + (2.0 * std::f64::consts::PI * v).ln());
    let logs: Vec<f64> = (2..=4).map(|t| log_normal(0.2, law(1, t), 0.4) + log_normal(0.1, law(1, t), -1.0)).collect();
    close(CHAIN, "[log q(x[t] = [0.2, 0.1] | x[1] = [0.4, -1]) for t in 2..4]", &logs);
}

/// N(y; …) ∝ q(y | x) q(z | y): the mean and the variance by dense algebra.
fn bridge(s: usize, t: usize, u: usize, x: f64, z: f64) -> [f64; 2] {
    let ([a, c, v], [b, d, r]) = (law(s, t), law(t, u));
    let precision = 1.0 / v + b * b / r;
    [((a * x + c) / v + b * (z - d) / r) / precision, 1.0 / precision]
}

#[test]
fn the_law_between_two_members() {
    let all = |f: &dyn Fn(usize) -> [f64; 2]| {
        (2..=6)
            .flat_map(|t| {
                let [m, v] = f(t);
                [m, v.sqrt()]
            })
            .collect::<Vec<f64>>()
    };
    let d = |query: &str| format!("[[{query}.mean[0], {query}.std[0]] for t in 2..T]");
    close(CHAIN, &d("q(x[t-1] | x[t] = [0.9, 1], x[0] = [0.4, 2])"), &all(&|t| bridge(0, t - 1, t, 0.4, 0.9)));
    close(CHAIN, &d("q(x[1] | x[0] = [0.4, 2], x[t] = [0.9, 1])"), &all(&|t| bridge(0, 1, t, 0.4, 0.9)));
    let p = format!("{CHAIN}\n let skip = 2");
    let some: Vec<f64> = (3..=6).map(|t| bridge(0, t - 2, t, 0.4, 0.9)[0]).collect();
    close(&p, "[q(x[t - 2] | x[t] = [0.9, 1], x[0] = [0.4, 2]).mean[0] for t in 3..T]", &some);
}

/// A Gaussian density of x[0] and the kernels that reverse q exactly, by Bayes' rule in numbers.
fn exact_reverse() -> String {
    let marginal = |t: usize| {
        let [a, c, v] = law(0, t);
        (a * 0.4 + c, a * a * 0.09 + v)
    };
    let (mut gains, mut offsets, mut stds) = (vec![], vec![], vec![]);
    for t in 1..=6 {
        let ([a, c, v], (m, s)) = (law(t - 1, t), marginal(t - 1));
        let gain = a * s / (a * a * s + v);
        gains.push(gain);
        offsets.push(m - gain * (a * m + c));
        stds.push((s * v / (a * a * s + v)).sqrt());
    }
    let (m, s) = marginal(6);
    format!(
        "{CHAIN}
        let g = {gains:?}, h = {offsets:?}, r = {stds:?}
        p(x[T]) = Normal({m}, {})
        p(x[t-1] | x[t]) = Normal(g[t-1] * x[t] + h[t-1], r[t-1])",
        s.sqrt()
    )
}

#[test]
fn the_bound_of_the_exact_reverse_is_the_evidence() {
    let log = |x: f64| -0.5 * ((x - 0.4f64).powi(2) / 0.09 + (2.0 * std::f64::consts::PI * 0.09).ln());
    let evidence = X0.map(|row| row.map(log).iter().sum::<f64>());
    close(&exact_reverse(), "ELBO(p, q)", &evidence);
}
