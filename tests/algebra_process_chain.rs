//! Chains in discrete time at running times: against recursions and dense Gaussian algebra written out here, and enumeration.

mod evaluation;

use evaluation::close;

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

/// Three classes and two elements, of which no transition is symmetric.
const FINITE: &str = "
dim T = 4, K = 3, D = 2
let beta[t in 1..T] = 0.1 + 0.15 * t
var x[0..T] : Cat<K>[D]
data x[0] = [[0, 2], [1, 1]]
let back = [0.5, 0.25, 0.25]
q(x[t] | x[t-1]) = Categorical(logits: [log((1 - beta[t]) * (if x[t-1][d] == j then 1 else 0) + beta[t] * back[j]) for d in D, j in K])
";

/// q(x[t] = j | x[t-1] = i)
fn step(t: usize, i: usize, j: usize) -> f64 {
    let beta = 0.1 + 0.15 * t as f64;
    beta * [0.5, 0.25, 0.25][j] + if i == j { 1.0 - beta } else { 0.0 }
}

/// q(x[t] = j | x[s] = i), the sum over all paths
fn steps(s: usize, t: usize, i: usize, j: usize) -> f64 {
    if s == t { f64::from(u8::from(i == j)) } else { (0..3).map(|k| steps(s, t - 1, i, k) * step(t, k, j)).sum() }
}

#[test]
fn the_law_of_a_finite_chain_is_the_sum_over_paths() {
    let rows = [[0, 2], [1, 1]];
    let all = rows.iter().flat_map(|row| (1..=4).flat_map(move |t| row.iter().flat_map(move |&i| (0..3).map(move |j| steps(0, t, i, j)))));
    close(FINITE, "[q(x[t] | x[0]).probs for t in 1..T]", &all.collect::<Vec<f64>>());
    let logs: Vec<f64> = (2..=4).map(|t| (steps(t - 1, t, 1, 0) * steps(t - 1, t, 2, 2)).ln()).collect();
    close(FINITE, "[log q(x[t] = [0, 2] | x[t-1] = [1, 2]) for t in 2..T]", &logs);
    let between = (2..=4).flat_map(|t| {
        [(0, 1), (2, 2)]
            .into_iter()
            .flat_map(move |(first, last)| (0..3).map(move |k| steps(0, t - 1, first, k) * step(t, k, last) / steps(0, t, first, last)))
    });
    close(FINITE, "[q(x[t-1] | x[t] = [1, 2], x[0] = [0, 2]).probs for t in 2..T]", &between.collect::<Vec<f64>>());
}

/// x[0] has the probabilities w, elements independent: a net that says w(x[0]) q(x[t] | x[0]) reverses the chain exactly.
#[test]
fn the_bound_of_a_finite_chain_by_the_exact_network_is_the_evidence() {
    let (w, mut cumulated) = ([0.2, 0.5, 0.3], vec![]);
    for t in 1..=4 {
        cumulated.push((0..3).map(|j| (0..3).map(|i| (w[i] * steps(0, t, i, j)).ln()).collect()).collect::<Vec<Vec<f64>>>());
    }
    let prior: Vec<f64> = (0..3).map(|j| (0..3).map(|i| steps(0, 4, i, j) / 3.0).sum()).collect();
    let exact: Vec<f64> = (0..3).map(|j| (0..3).map(|i| w[i] * steps(0, 4, i, j)).sum()).collect();
    let program = format!(
        "{FINITE}
        let table = {cumulated:?}
        net f(x : Cat<K>[D], t : Int) -> Real[D, K] = [table[t-1][x[d]] for d in D]
        p = reverse(q, x0: f)"
    );
    // The reverse starts from the mean over x[0] in place of the law of x[T]: the bound is the expectation of their ratio.
    let expected = [[0, 2], [1, 1]].map(|row| {
        let end = |i: usize| (0..3).map(|j| steps(0, 4, i, j) * (prior[j] / exact[j]).ln()).sum::<f64>();
        row.iter().map(|&i| w[i].ln() + end(i)).sum::<f64>()
    });
    close(&program, "ELBO(p, q)", &expected);
}

#[test]
fn bits_and_single_classes() {
    let p = "dim T = 3
             let beta[t in 1..T] = 0.1 * t
             var x[0..T] : Bit
             data x[0] = [0, 1]
             fn up(x, b) = (1 - b) * x + b / 4
             q(x[t] | x[t-1]) = Bernoulli(logits: log(up(x[t-1], beta[t])) - log(1 - up(x[t-1], beta[t])))
             r(y[t] | y[t-1]) = Categorical(logits: log([1 - beta[t] * y[t-1], beta[t] * y[t-1]]))
             var y[0..T] : Cat<2>";
    let up = |t: usize, x: f64| (1..=t).fold(x, |p, u| (1.0 - 0.1 * u as f64) * p + 0.1 * u as f64 / 4.0);
    close(p, "[q(x[t] | x[0]).mean for t in 1..T]", &[0.0, 1.0].map(|x| [1, 2, 3].map(|t| up(t, x))).concat());
    close(p, "[log r(y[t] = 1 | y[0] = 1) for t in 1..T]", &[0.1f64.ln(), 0.02f64.ln(), 0.006f64.ln()]);
}
