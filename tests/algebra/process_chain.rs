//! Chains in discrete time at running times: against recursions and dense Gaussian algebra written out here, and enumeration.

use crate::evaluation::{close, evaluated, value};
use std::process::Command;
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

/// A long chain is summed by a loop over its steps.
#[test]
fn a_bound_over_many_steps_and_rows_is_a_loop() {
    let (steps, a, v) = (170, 0.98f64, 1.0 - 0.98f64 * 0.98);
    let (mut gains, mut offsets, mut stds, mut m, mut s) = (vec![], vec![], vec![], 0.4, 0.09);
    for _ in 0..steps {
        let total = a * a * s + v;
        gains.push(a * s / total);
        offsets.push(m - a * s / total * a * m);
        stds.push((s * v / total).sqrt());
        (m, s) = (a * m, total);
    }
    let rows: Vec<f64> = (0..100).map(|i| i as f64 / 50.0 - 1.0).collect();
    let program = format!(
        "var x[0..{steps}] : Real
         data x[0] = {rows:?}
         let g = {gains:?}, h = {offsets:?}, r = {stds:?}
         q(x[t] | x[t-1]) = Normal({a} * x[t-1], {})
         p(x[{steps}]) = Normal({m}, {})
         p(x[t-1] | x[t]) = Normal(g[t-1] * x[t] + h[t-1], r[t-1])",
        v.sqrt(),
        s.sqrt()
    );
    let evidence: Vec<f64> = rows.iter().map(|x| -0.5 * ((x - 0.4).powi(2) / 0.09 + (2.0 * std::f64::consts::PI * 0.09).ln())).collect();
    close(&program, "ELBO(p, q)", &evidence);
}

/// The bound of a process made by `reverse`, with a linear network, by its closed form.
#[test]
fn the_bound_of_a_reverse_process() {
    let program =
        format!("{}\n net f(x : Real[2], t : Int) -> Real[2] = 0.9 * x\n p = reverse(q, x0: f)", CHAIN.replace(" + 0.1 * t,", ","));
    let free = |s: usize, t: usize| {
        let [a, _, v] = law(s, t);
        (a, v)
    };
    let of = |x: f64| {
        let error = |t: usize| {
            let (a, v) = free(0, t);
            (x * (1.0 - 0.9 * a)).powi(2) + 0.81 * v
        };
        let start = -0.5 * ((2.0 * std::f64::consts::PI * beta(1)).ln() + error(1) / beta(1));
        let divergence = |t: usize| {
            let ((a, v), (_, whole), r) = (free(0, t - 1), free(0, t), beta(t));
            (r / whole * a).powi(2) * error(t) / (2.0 * v * r / whole)
        };
        let (a, v) = free(0, 6);
        start - (2..=6).map(divergence).sum::<f64>() - 0.5 * (a * x).powi(2) / v
    };
    close(&program, "ELBO(p, q)", &X0.map(|row| row.map(of).iter().sum::<f64>()));
}

/// Means over many rows of one drawn step are the bound over all steps.
#[test]
fn drawn_steps_are_unbiased() {
    let rows = format!("data x[0] = {:?}", vec![[0.3, -1.0]; 1000]);
    let program = exact_reverse().replace("data x[0] = [[0.3, -1.0], [1.5, 0.2], [-0.7, 2.0]]", &rows);
    let exact = value(&exact_reverse(), "ELBO(p, q)")[0];
    for times in ["sampled", "importance([1.0 + 1 / t for t in 1..T])"] {
        let draws = value(&program, &format!("ELBO(p, q, t: {times})"));
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let error = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n / n).sqrt();
        assert!((mean - exact).abs() < 4.0 * error && error < 1.0, "{times}: {mean} ± {error}, exactly {exact}");
    }
}

/// A schedule that is learned: the derivative through the recursion is that by differences.
#[test]
fn derivatives_pass_a_learned_schedule() {
    let program = |a: f64| {
        format!(
            "dim T = 5
             var x[0..T] : Real
             data x[0] = [0.7]
             param a : Real = {a}
             q(x[t] | x[t-1]) = Normal(sqrt(1 - sigmoid(a + 0.3 * t)) * x[t-1], sqrt(sigmoid(a + 0.3 * t)))
             net f(x : Real, t : Int) -> Real = 0.5 * x
             p = reverse(q, x0: f)"
        )
    };
    let h = 1e-5;
    for e in ["sum(log q(x[t] = 0.2 | x[0]) for t in 1..T)", "sum(log q(x[t-1] = 0.2 | x[t] = 0.1, x[0]) for t in 2..T)", "ELBO(p, q)"] {
        let difference = (value(&program(-1.0 + h), e)[0] - value(&program(-1.0 - h), e)[0]) / (2.0 * h);
        let found = value(&program(-1.0), &format!("grad[a]({e})"))[0];
        assert!((found - difference).abs() < 1e-6 * difference.abs().max(1.0), "{e}: {found}, by differences {difference}");
    }
}

/// Coefficients that are matrices, against products written out.
#[test]
fn vectors_with_mixed_elements() {
    let p = "dim T = 3
             let A = [[0.8, 0.3], [-0.1, 0.7]]
             var x[0..T] : Real[2]
             data x[0] = [[1.0, -0.5]]
             q(x[t] | x[t-1]) = MvNormal(A @ x[t-1] + [0.1, 0], cov: [[0.5, 0.1], [0.1, 0.3]])";
    let apply = |x: [f64; 2]| [0.8 * x[0] + 0.3 * x[1] + 0.1, -0.1 * x[0] + 0.7 * x[1]];
    let carry = |s: [[f64; 2]; 2]| {
        let a = [[0.8, 0.3], [-0.1, 0.7]];
        let noise = [[0.5, 0.1], [0.1, 0.3]];
        let entry =
            |i: usize, j: usize| (0..2).flat_map(|k| (0..2).map(move |l| (k, l))).map(|(k, l)| a[i][k] * s[k][l] * a[j][l]).sum::<f64>();
        [[entry(0, 0) + noise[0][0], entry(0, 1) + noise[0][1]], [entry(1, 0) + noise[1][0], entry(1, 1) + noise[1][1]]]
    };
    let (mut mean, mut cov, mut means, mut covs) = ([1.0, -0.5], [[0.0; 2]; 2], vec![], vec![]);
    for _ in 0..3 {
        (mean, cov) = (apply(mean), carry(cov));
        means.extend(mean);
        covs.extend(cov.concat());
    }
    close(p, "[q(x[t] | x[0]).mean for t in 1..T]", &means);
    close(p, "[q(x[t] | x[0]).cov for t in 1..T]", &covs);
    // q(x[1] | x[2], x[0]) q(x[2] | x[0]) = q(x[2] | x[1]) q(x[1] | x[0])
    let [y, z] = ["[0.2, 0.4]", "[-0.3, 0.9]"];
    let left = format!("sum(log q(x[t-1] = {y} | x[t] = {z}, x[0]) + log q(x[t] = {z} | x[0]) for t in 2..T)");
    let right = format!("sum(log q(x[t] = {z} | x[t-1] = {y}) + log q(x[t-1] = {y} | x[0]) for t in 2..T)");
    close(p, &left, &value(p, &right));
}

#[test]
fn what_is_wrong_is_named_with_its_time() {
    let told = |program: &str, expression: &str| {
        let engine = Engine { device: Device::Interpreter, precision: Precision::F64, threads: 1, seed: 1, measure: false };
        evaluated(program, expression, &engine).err().unwrap_or_default()
    };
    let large = CHAIN.replace("0.05 + 0.1 * t", "0.3 * t");
    let problem = told(&large, "[q(x[t] | x[0]).std for t in 1..T]");
    assert!(problem.contains("q(x[4] | x[3]) is not a number") && problem.contains("t = 4"), "{problem}");
    let negative = FINITE.replace("0.1 + 0.15 * t", "0.5 * t - 1.5");
    let problem = told(&negative, "[log q(x[t] = [0, 1] | x[0]) for t in 1..T]");
    assert!(problem.contains("q(x[1] | x[0]) has no probabilities"), "{problem}");
    let curved = CHAIN.replace("* x[t-1]", "* tanh(x[t-1])");
    let problem = told(&curved, "[q(x[t] | x[0]).std for t in 1..T]");
    assert!(problem.contains("not linear-Gaussian in x") && problem.contains("tanh"), "{problem}");
    assert!(told(CHAIN, "q(x[7] | x[0]).std").contains("E0206"));
    assert!(value(CHAIN, "[q(x[t + 4] | x[0]).std[0] for t in 1..T]")[2..].iter().all(|std| std.is_nan()));
}

#[test]
fn derivations_name_their_rules() {
    let derived = |program: &str, query: &str| {
        let file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
        std::fs::write(file.path(), program).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tilde")).arg("derive").arg(file.path()).arg(query).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = derived(&CHAIN.replace(" + 0.1 * t,", ","), "q(x[t-1] | x[t], x[0])");
    for line in
        ["q(xₜ | xₜ₋₁) = N(xₜ; √(1 − βₜ) xₜ₋₁, βₜ)", "Gaussian transition", "αᵢ‚₀ = aᵢ αᵢ₋₁‚₀", "bridge by Bayes' rule", "σₜ₋₁‚₀² vₜ / V"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(derived(CHAIN, "q(x[t] | x[s])").contains("αₜ‚ₛ xₛ + γₜ‚ₛ"), "{}", derived(CHAIN, "q(x[t] | x[s])"));
    assert!(derived(FINITE, "q(x[t] | x[0])").contains("Kolmogorov: product of transition matrices"));
    assert!(derived(&exact_reverse(), "ELBO(p, q)").contains("KL(q(xₜ₋₁ | xₜ, x₀) ‖ p(xₜ₋₁ | xₜ))"));
}
