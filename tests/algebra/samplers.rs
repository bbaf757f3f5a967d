//! Samplers on a process whose score is known: draws against exact moments, orders of convergence in f64, evaluations of the network, and
//! what is refused.

use crate::evaluation::{close, evaluated};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use tilde_lang::algebra::lower_sample;
use tilde_lang::backend::Precision;
use tilde_lang::base::op::UnaryOp;
use tilde_lang::driver::{self, Compiled, Request};
use tilde_lang::graph::{Graph, Op};
use tilde_lang::pass::optimise;
use tilde_lang::report::render::{Style, render};
use tilde_lang::runtime::dataset::Dataset;
use tilde_lang::runtime::engine::{Device, Engine};
use tilde_lang::runtime::{evaluate, parameters};

const ENGINE: Engine = Engine { device: Device::Cpu, precision: Precision::F64, threads: 1, seed: 11, measure: false };

/// Data are N(m, s0²), so that the score at each time is that of N(a m, a² s0² + b²).
const GAUSSIAN: &str = "
let m = [0.5, -0.3], s0 = 0.7
var x(t in 0..1) : Real[2]
data x(0) = [[0.5, -0.3], [0.1, 0.2]]
q = vp(x)
fn exact(x, t) = -(x - q.signal(t) * m) / (q.signal(t)^2 * s0^2 + q.var(t))
p = reverse(q, score: exact)
";

/// The same as a chain of twenty steps.
const CHAIN: &str = "
let m = [0.5, -0.3], s0 = 0.7
var x[0..20] : Real[2]
data x[0] = [[0.5, -0.3], [0.1, 0.2]]
q(x[t] | x[t-1]) = Normal(sqrt(0.8) * x[t-1], sqrt(0.2))
fn exact(x, t) = -(x - q.signal(t) * m) / (q.signal(t)^2 * s0^2 + q.var(t))
p = reverse(q, score: exact)
";

fn compile(program: &str, expression: &str) -> Result<Compiled, String> {
    let mut file = tempfile::Builder::new().suffix(".tilde").tempfile().unwrap();
    file.write_all(program.as_bytes()).unwrap();
    let request = Request { path: file.path().to_path_buf(), overrides: vec![], expression: Some(expression.into()) };
    driver::compile(&request).map_err(|rejected| render(&rejected.problems, &rejected.sources, Style::PLAIN))
}

/// Draws of an expression, one after another.
fn try_draws(program: &str, expression: &str, count: usize, engine: &Engine) -> Result<Vec<Vec<f64>>, String> {
    let compiled = compile(program, expression)?;
    let told = |diagnostic: tilde_lang::base::Diagnostic| render(&diagnostic.into(), &compiled.sources, Style::PLAIN);
    let model = &compiled.model;
    let dataset = Dataset::load(model, Path::new("."), engine.seed, engine.precision).map_err(told)?;
    let parameters = parameters::initial(model, &dataset, engine).map_err(told)?;
    let expr = compiled.expression.as_ref().unwrap();
    let values = evaluate::sample(model, expr, count, &dataset, &parameters, engine).map_err(told)?;
    Ok(values.values[0].values.chunks(values.values[0].values.len() / count).map(<[f64]>::to_vec).collect())
}

fn draws(program: &str, expression: &str, count: usize) -> Vec<Vec<f64>> {
    try_draws(program, expression, count, &ENGINE).unwrap_or_else(|problem| panic!("{expression}\n{problem}"))
}

fn refused(program: &str, expression: &str, words: &[&str]) {
    let said = try_draws(program, expression, 2, &ENGINE).err().unwrap_or_else(|| panic!("{expression} is accepted"));
    // Lines are broken where they are long.
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    words.iter().for_each(|word| assert!(flat.contains(word), "{expression}: no `{word}` in\n{said}"));
}

/// Of the VP process: β, a, b² and the variance of x(t).
struct At {
    beta: f64,
    a: f64,
    var: f64,
    total: f64,
}

fn at(t: f64) -> At {
    let a = (-0.25 * t * t * 19.9 - 0.05 * t).exp();
    let var = 1.0 - a * a;
    At { beta: 0.1 + 19.9 * t, a, var, total: a * a * 0.49 + var }
}

/// The state at `until` on the flow through the draw from which samplers start.
fn exact_end(start: &[f64], until: f64) -> Vec<f64> {
    let (from, to) = (at(1.0), at(until));
    start.iter().zip([0.5, -0.3]).map(|(x, m)| to.a * m + (x - from.a * m) * (to.total / from.total).sqrt()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn solvers_of_the_flow_have_their_order() {
    let start = &draws(GAUSSIAN, "p.initial()", 1)[0];
    let end = exact_end(start, 1e-3);
    for (solver, steps, order, within) in [
        ("euler(flow(p), steps: N)", 40, 1.0, 0.1),
        ("euler(flow(p), steps: N, grid: karras)", 40, 1.0, 0.15),
        ("heun(flow(p), steps: N)", 20, 2.0, 0.1),
        ("rk4(flow(p), steps: N)", 20, 4.0, 0.25),
        ("rk4(flow(p), steps: N, grid: quadratic)", 20, 4.0, 0.25),
        ("ddim(p, steps: N, until: 1e-3)", 40, 1.0, 0.1),
        ("dpm_solver(p, steps: N)", 20, 2.0, 0.25),
        ("deis(p, steps: N)", 40, 2.0, 0.25),
        ("exponential_midpoint(p, steps: N)", 20, 2.0, 0.15),
    ] {
        let error = |n: usize| distance(&draws(GAUSSIAN, &solver.replace('N', &n.to_string()), 1)[0], &end);
        let (coarse, fine) = (error(steps), error(2 * steps));
        let found = (coarse / fine).log2();
        assert!((found - order).abs() < within && fine < 0.05, "{solver}: order {found}, from {coarse:e} to {fine:e}");
    }
}

/// The last step of the EDM sampler goes to what the network predicts for the data.
#[test]
fn the_edm_sampler_without_churn_has_order_two() {
    let last = &draws(GAUSSIAN, "edm_sampler(p, steps: 300)", 1)[0];
    let error = |n: usize| distance(&draws(GAUSSIAN, &format!("edm_sampler(p, steps: {n})"), 1)[0], last);
    let found = (error(20) / error(40)).log2();
    assert!((found - 2.0).abs() < 0.25, "order {found}");
}

#[test]
fn adaptive_steps_meet_their_tolerance() {
    let start = &draws(GAUSSIAN, "p.initial()", 1)[0];
    let end = exact_end(start, 1e-3);
    let mut evaluations = vec![];
    for tolerance in [1e-4, 1e-6, 1e-8] {
        let arguments = format!("(flow(p), rtol: {tolerance:e}, atol: {tolerance:e})");
        let error = distance(&draws(GAUSSIAN, &format!("dopri5{arguments}"), 1)[0], &end);
        assert!(error < 10.0 * tolerance && error > 1e-4 * tolerance, "{tolerance:e}: {error:e}");
        evaluations.push(draws(GAUSSIAN, &format!("dopri5_evaluations{arguments}"), 1)[0][0]);
    }
    // An hundredth of the tolerance takes 100^(1/5) = 2.5 times as many steps.
    assert!(evaluations.iter().all(|count| count % 6.0 == 1.0), "{evaluations:?}");
    let growth = evaluations[2] / evaluations[1];
    assert!((1.5..3.5).contains(&growth), "{evaluations:?}");
}

#[test]
fn the_states_between_steps_are_as_good_as_those_at_their_ends() {
    let path = &draws(GAUSSIAN, "dopri5_path(flow(p), [1.0, 0.8, 0.33, 0.1, 0.001], rtol: 1e-8, atol: 1e-8)", 1)[0];
    for (state, t) in path.chunks(2).zip([1.0, 0.8, 0.33, 0.1, 0.001]) {
        let off = distance(state, &exact_end(&path[..2], t));
        assert!(off < 1e-6, "at {t}: {off:e}");
    }
}

#[test]
fn a_row_takes_its_own_steps() {
    let few = draws(GAUSSIAN, "dopri5(flow(p))", 3);
    let many = draws(GAUSSIAN, "dopri5(flow(p))", 20);
    assert_eq!(few[2], many[2]);
}

/// A step of a linear scheme: x becomes rate x + shift m + noise of that variance.
struct Linear {
    rate: f64,
    shift: f64,
    var: f64,
}

/// Moments of each element of the state after the steps, from those of the prior.
fn moments(steps: impl Iterator<Item = Linear>, m: f64) -> (f64, f64) {
    let prior = at(1.0);
    steps.fold((0.0, prior.var), |(mean, var), step| (step.rate * mean + step.shift * m, step.rate * step.rate * var + step.var))
}

/// The reverse drift is α x - γ m.
fn drift(t: f64) -> (f64, f64) {
    let At { beta, a, total, .. } = at(t);
    (beta * (1.0 / total - 0.5), beta * a / total)
}

fn euler_maruyama(t: f64, h: f64) -> Linear {
    let (alpha, gamma) = drift(t);
    Linear { rate: 1.0 + alpha * h, shift: -gamma * h, var: at(t).beta * h.abs() }
}

fn stochastic_heun(t: f64, h: f64) -> Linear {
    let ((a0, c0), (a1, c1)) = (drift(t), drift(t + h));
    let noise = 1.0 + h / 2.0 * a1;
    Linear {
        rate: 1.0 + h / 2.0 * (a0 + a1 * (1.0 + a0 * h)),
        shift: -h / 2.0 * (c0 + a1 * c0 * h + c1),
        var: noise * noise * at(t + h / 2.0).beta * h.abs(),
    }
}

fn stochastic_runge_kutta(t: f64, h: f64) -> Linear {
    let ((a0, c0), (a1, c1)) = (drift(t), drift(t + 0.75 * h));
    let (g0, g1) = (at(t).beta.sqrt(), at(t + h).beta.sqrt());
    let mean_w = h * a1 * g1 + g0 - g1;
    Linear {
        rate: 1.0 + h / 3.0 * a0 + 2.0 * h / 3.0 * a1 * (1.0 + 0.75 * h * a0),
        shift: -h / 3.0 * c0 - 2.0 * h / 3.0 * (a1 * 0.75 * h * c0 + c1),
        var: h.abs() * ((g1 + mean_w / 2.0).powi(2) + mean_w * mean_w / 12.0),
    }
}

fn reverse_diffusion(t: f64, h: f64) -> Linear {
    let (now, next) = (at(t), at(t + h));
    let kept = now.a / next.a;
    let var = now.var - kept * kept * next.var;
    Linear { rate: 2.0 - kept - var / now.total, shift: var * now.a / now.total, var }
}

fn langevin(t: f64, snr: f64) -> Linear {
    let At { a, var, total, .. } = at(t);
    let step = 2.0 * snr * snr * var;
    Linear { rate: 1.0 - step / total, shift: step * a / total, var: 2.0 * step }
}

type Scheme = fn(f64, f64) -> Linear;

fn uniform(steps: usize, scheme: Scheme) -> impl Iterator<Item = Linear> {
    let h = -0.999 / steps as f64;
    (0..steps).map(move |i| scheme(1.0 + h * i as f64, h))
}

/// Mean and variance of independent draws, each element within five standard errors.
fn moments_agree(program: &str, sampler: &str, count: usize, expected: impl Fn(f64) -> (f64, f64)) {
    let drawn = draws(program, sampler, count);
    for (element, m) in [0.5, -0.3].into_iter().enumerate() {
        let n = count as f64;
        let mean = drawn.iter().map(|x| x[element]).sum::<f64>() / n;
        let var = drawn.iter().map(|x| (x[element] - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let (exact_mean, exact_var) = expected(m);
        assert!((mean - exact_mean).abs() < 5.0 * (exact_var / n).sqrt(), "{sampler}: mean {mean}, expected {exact_mean}");
        assert!((var / exact_var - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{sampler}: variance {var}, expected {exact_var}");
    }
}

/// With few steps, the moments of the scheme itself, which differ from those of the data.
#[test]
fn draws_have_the_moments_of_their_scheme() {
    let count = 4000;
    for (sampler, scheme) in [
        ("euler_maruyama(p, steps: 20)", euler_maruyama as Scheme),
        ("stochastic_heun(p, steps: 12)", stochastic_heun),
        ("stochastic_runge_kutta(p, steps: 12)", stochastic_runge_kutta),
        ("reverse_diffusion(p, steps: 20)", reverse_diffusion),
    ] {
        let steps = sampler.trim_end_matches(')').rsplit(' ').next().unwrap().parse().unwrap();
        moments_agree(GAUSSIAN, sampler, count, |m| moments(uniform(steps, scheme), m));
    }
    let corrected = |m| {
        let h = -0.999 / 20.0;
        let pair = (0..20).flat_map(move |i| [reverse_diffusion(1.0 + h * f64::from(i), h), langevin(1.0 + h * f64::from(i + 1), 0.3)]);
        moments(pair, m)
    };
    moments_agree(GAUSSIAN, "predictor_corrector(p, steps: 20, snr: 0.3)", count, corrected);
}

/// Halving the step divides the error of the variance by 2 to the weak order.
#[test]
fn stochastic_schemes_have_their_weak_order() {
    let exact = at(1e-3).total;
    for (scheme, steps, order) in [
        (euler_maruyama as Scheme, 200, 1.0),
        (stochastic_heun, 100, 2.0),
        (stochastic_runge_kutta, 100, 2.0),
        (reverse_diffusion, 200, 1.0),
    ] {
        let error = |n: usize| (moments(uniform(n, scheme), 0.5).1 - exact).abs();
        let found = (error(steps) / error(2 * steps)).log2();
        assert!((found - order).abs() < 0.2, "order {found} instead of {order}");
    }
}

/// Many steps: the moments of the data, also from other schedules, processes and pairs of predictor and corrector.
#[test]
fn draws_have_the_moments_of_the_data() {
    let ends = |until: f64| move |m: f64| (at(until).a * m, at(until).total);
    moments_agree(GAUSSIAN, "ancestral(p, steps: 200)", 2000, ends(0.0));
    moments_agree(GAUSSIAN, "ddim(p, steps: 200, eta: 1)", 2000, ends(0.0));
    moments_agree(GAUSSIAN, "edm_sampler(p, steps: 40, churn: 20)", 2000, ends(0.0));
    moments_agree(GAUSSIAN, "dpm_solver(p, steps: 20)", 2000, ends(1e-3));
    moments_agree(GAUSSIAN, "predictor_corrector(p, steps: 150, predictor: keep, corrector: hmc_step, snr: 0.2)", 2000, ends(1e-3));
    moments_agree(GAUSSIAN, "predictor_corrector(p, steps: 200, predictor: ancestral_step)", 2000, ends(1e-3));
    // Its step is 0.1 of the noise's variance: within a twentieth of the exact variance.
    moments_agree(GAUSSIAN, "annealed_langevin(p, levels: 30, steps: 40, step: 0.1)", 1000, ends(1e-3));
    // Simulated from the data, one path for each row
    let forward = GAUSSIAN.replace("[[0.5, -0.3], [0.1, 0.2]]", "moons(n: 2000)");
    let forward = &draws(&forward, "euler_maruyama(q, steps: 500)", 2000);
    let var = forward.iter().map(|x| x[0] * x[0]).sum::<f64>() / 2000.0;
    assert!((var - 1.0).abs() < 5.0 * (2.0 / 2000f64).sqrt(), "{var}");
}

#[test]
fn samplers_of_chains() {
    for sampler in ["ancestral(p)", "ddim(p, steps: 20, eta: 1)", "ddim(p, steps: 20)", "dpm_solver(p, steps: 20, grid: uniform_time)"] {
        let drawn = draws(CHAIN, sampler, 1000);
        let mean = drawn.iter().map(|x| x[0]).sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.1, "{sampler}: {mean}");
    }
    for sampler in ["deis(p, steps: 10, grid: uniform_log_snr)", "dpm_solver(p, steps: 10)", "predictor_corrector(p, steps: 20)"] {
        assert!(draws(CHAIN, sampler, 5).iter().flatten().all(|x| x.is_finite()), "{sampler}");
    }
}

#[test]
fn monte_carlo_of_a_given_density() {
    let density = "
fn log_density(x : Real[n]) = logsumexp(log([0.3, 0.7][k]) - norm2(x - [-1.0, 1.5][k]) / 0.5 for k in 2)
fn score(x : Real[n]) = -4 * (x - 1)
";
    // Mean 0.3 · -1 + 0.7 · 1.5 along each axis where the modes are crossed; here the states are spread over both.
    let start = "{ k ~ Bernoulli(0.7); let x = noise[2] / 2 + 2.5 * k - 1; ";
    for sampler in ["mala(log_density, x, steps: 50, step: 0.05)", "hmc(log_density, x, steps: 10, step: 0.2)"] {
        let drawn = draws(density, &format!("{start}let (y, accepted) = {sampler}; y ++ accepted }}"), 2000);
        let mean = |element: usize| drawn.iter().map(|x| x[element]).sum::<f64>() / 2000.0;
        let square = drawn.iter().map(|x| x[0] * x[0]).sum::<f64>() / 2000.0;
        assert!((mean(0) - 0.75).abs() < 5.0 * 1.25 / 2000f64.sqrt(), "{sampler}: {}", mean(0));
        assert!((square - (0.25 + 0.3 + 0.7 * 2.25)).abs() < 0.2, "{sampler}: {square}");
        assert!((0.7..1.0).contains(&mean(2)), "{sampler}: {} accepted", mean(2));
    }
    // The unadjusted law of N(1, 1/4) has the variance 1/4 / (1 - 4 step / 2).
    let drawn = draws(density, "{ let x = noise[1]; langevin(score, x, steps: 100, step: 0.1) }", 2000);
    let mean = drawn.iter().map(|x| x[0]).sum::<f64>() / 2000.0;
    let var = drawn.iter().map(|x| (x[0] - mean).powi(2)).sum::<f64>() / 2000.0;
    assert!((mean - 1.0).abs() < 0.05 && (var / 0.3125 - 1.0).abs() < 5.0 * (2.0 / 2000f64).sqrt(), "{mean}, {var}");
}

/// How often the loops of a sampler hold an operation that the network alone uses.
fn evaluations(sampler: &str) -> (usize, usize) {
    let program = GAUSSIAN.replace("= -(x", "= erf(x) - (x");
    let compiled = compile(&program, sampler).unwrap_or_else(|problem| panic!("{problem}"));
    let lowered = lower_sample(&compiled.model, compiled.expression.as_ref().unwrap(), &HashMap::new(), 4).unwrap();
    let graph = optimise(lowered.program.graph).unwrap();
    let mut inside = 0;
    for node in graph.ids().map(|id| graph.node(id)) {
        inside += node.op.subgraphs().iter().map(|(_, body)| all(body)).sum::<usize>();
    }
    (all(&graph) - inside, inside)
}

fn all(graph: &Graph) -> usize {
    let of = |op: &Op| match op {
        Op::Unary(UnaryOp::Erf) => 1,
        op => op.subgraphs().iter().map(|(_, body)| all(body)).sum(),
    };
    graph.ids().map(|id| of(&graph.node(id).op)).sum()
}

#[test]
fn no_solver_evaluates_the_network_more_often_than_it_says() {
    for (sampler, outside, inside) in [
        ("euler(flow(p))", 0, 1),
        ("heun(flow(p))", 0, 2),
        ("rk4(flow(p))", 0, 4),
        ("dopri5(flow(p))", 1, 6),
        ("ddim(p)", 0, 1),
        ("ancestral(p)", 0, 1),
        ("dpm_solver(p)", 0, 1),
        ("deis(p)", 0, 1),
        ("exponential_midpoint(p)", 0, 2),
        ("edm_sampler(p)", 1, 2),
        ("euler_maruyama(p)", 0, 1),
        ("stochastic_heun(p)", 0, 2),
        ("stochastic_runge_kutta(p)", 0, 2),
        ("reverse_diffusion(p)", 0, 1),
        ("predictor_corrector(p)", 0, 2),
    ] {
        assert_eq!(evaluations(sampler), (outside, inside), "{sampler}");
    }
}

#[test]
fn what_no_sampler_can_do_is_refused() {
    refused(GAUSSIAN, "heun(flow(p), steps: 0)", &["E0610", "a sampler with 0 steps"]);
    refused(GAUSSIAN, "heun(p)", &["E0610", "`flow(p)`"]);
    refused(GAUSSIAN, "dopri5(p)", &["E0610", "`flow(p)`"]);
    refused(GAUSSIAN, "ancestral(flow(p))", &["E0610", "no noise", "`dopri5`"]);
    refused(GAUSSIAN, "ddim(p, until: 1)", &["E0610", "`until` is 1"]);
    refused(GAUSSIAN, "dopri5(flow(p), rtol: 0, atol: 0)", &["E0610", "tolerances of 0 and 0"]);
    refused(GAUSSIAN, "dopri5_path(flow(p), [1.0, -0.5])", &["E0610", "times from -0.5 to 1"]);
    refused(GAUSSIAN, "dopri5(flow(p), most_steps: 3)", &["E0610", "stopped at t = 0.", "after 3 steps"]);
    refused(CHAIN, "ancestral(p, steps: 21)", &["E0610", "21 steps of a chain that has 20"]);
    refused(CHAIN, "euler_maruyama(p, steps: 10)", &["E0610", "`predictor_corrector`"]);
    refused(CHAIN, "heun(flow(p), steps: 10)", &["E0302", "has no probability flow", "`ddim(p, eta: 0)`"]);
    refused(CHAIN, "heun(p, steps: 10)", &["E0610", "a chain has no differential equation"]);
    refused(CHAIN, "edm_sampler(p)", &["E0610", "`dpm_solver`"]);
}

/// A score with a pole at t = 0.3, one that is no number below it, and one that is none at all.
#[test]
fn where_an_integration_stopped_is_told() {
    let singular = GAUSSIAN.replace("= -(x", "= 1 / (t - 0.3) - (x");
    refused(&singular, "dopri5(flow(p))", &["E0610", "cannot be met at t = 0.3"]);
    let undefined = GAUSSIAN.replace("= -(x", "= 1e-9 * log(t - 0.3) - (x");
    refused(&undefined, "dopri5(flow(p))", &["E0610", "cannot be met at t = 0.3"]);
    refused(&undefined, "heun(flow(p))", &["E0602", "log(t - 0.3)", "not a number here: log of -"]);
    let nowhere = GAUSSIAN.replace("= -(x", "= 1e-9 * log(-1 - t^2) - (x");
    refused(&nowhere, "dopri5(flow(p))", &["E0602", "log(-1 - t^2)"]);
}

/// A mixture with covariances, its score the derivative of its log-density at time t.
fn mixture(inputs: &serde_json::Value, process: &str) -> String {
    let starts = &inputs["starts"];
    format!(
        "
let w = {}, m = {}, c = {}
data start : Real[2] = {starts}
{process}
fn part(x : Real[2], t, k) {{
  let a = q.signal(t), v = q.var(t)
  let r = x - a * m[k], u = a^2 * c[k, 0, 0] + v, s = a^2 * c[k, 0, 1], l = a^2 * c[k, 1, 1] + v
  let det = u * l - s^2
  log w[k] - log(det) / 2 - (l * r[0]^2 - 2 * s * r[0] * r[1] + u * r[1]^2) / (2 * det)
}}
fn exact(x : Real[2], t) = grad[x](logsumexp(part(x, t, k) for k in 3))
p = reverse(q, score: exact)
",
        inputs["weights"], inputs["means"], inputs["covs"]
    )
}

/// The states after the fewest steps, of samplers written in NumPy.
#[test]
fn the_states_are_those_of_another_implementation() {
    let text = std::fs::read_to_string("tests/references/sampler_orders.json").unwrap();
    let models = serde_json::from_str::<serde_json::Value>(&text).unwrap()["models"].clone();
    let vp = mixture(&models["flow"]["inputs"], "var x(t in 0..1) : Real[2]\nq = vp(x)");
    let edm = mixture(&models["edm"]["inputs"], "var x(t in 0..80) : Real[2]\nq : dx = sqrt(2 * t) dW");
    let karras = "steps: 17, grid: karras, until: 2.5e-5, start: start";
    let (time, log_snr) =
        ("steps: 20, grid: uniform_time, until: 1e-3, start: start", "steps: 20, grid: uniform_log_snr, until: 1e-3, start: start");
    for (model, program, grid, arguments) in
        [("flow", &vp, "time", time), ("flow", &vp, "log_snr", log_snr), ("edm", &edm, "karras", karras)]
    {
        for (method, sampler) in [
            ("euler", "euler(flow(p)"),
            ("heun", "heun(flow(p)"),
            ("rk4", "rk4(flow(p)"),
            ("ddim", "ddim(p"),
            ("dpm_solver_2m", "dpm_solver(p"),
        ] {
            let sampler = format!("{sampler}, {arguments})");
            let ends = models[model]["values"][grid][method]["ends"].as_array().unwrap();
            let expected: Vec<f64> = ends.iter().flat_map(|end| end.as_array().unwrap()).map(|x| x.as_f64().unwrap()).collect();
            let found = evaluated(program, &sampler, &ENGINE).unwrap_or_else(|problem| panic!("{problem}"));
            assert!(distance(&found, &expected) < 1e-7, "{grid}, {method}: {found:?}\nexpected {expected:?}");
        }
    }
}

/// From the noise to the data, forwards from the data; a chain's in whole steps.
#[test]
fn grids_run_as_the_process_does() {
    close(GAUSSIAN, "uniform_time(p, 4)", &[1.0, 0.75, 0.5, 0.25, 0.0]);
    close(GAUSSIAN, "uniform_time(q, 4)", &[0.0, 0.25, 0.5, 0.75, 1.0]);
    close(GAUSSIAN, "quadratic(p, 2)", &[1.0, 0.25, 0.0]);
    close(CHAIN, "[int(uniform_time(p, 4)[i]) for i in 5]", &[20.0, 15.0, 10.0, 5.0, 0.0]);
}
