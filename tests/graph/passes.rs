//! What passes must do: `tests/pass/*.graph` state it beside a graph, and random graphs keep their meaning.
//!
//! Claims, one a line: `// count exp 1` and `// no reshape` speak of the optimised graph, sub-graphs included; operations are named as
//! in the text form. Every file's graph is also evaluated before and after, at random points of `// inputs in 0.1..0.9` (without this
//! line −1..1).

use tilde_lang::base::op::{DType, UnaryOp};
use tilde_lang::graph::interpret::{Value, interpret};
use tilde_lang::graph::random::random_graph;
use tilde_lang::graph::{Builder, Graph, NodeId, TensorType, parse, print, verify};
use tilde_lang::pass::splice::splice;
use tilde_lang::pass::{Pass, gradient, optimise, run_passes, tangent};

/// Numbers in (0, 1) that look random and stay the same.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count).map(|_| next()).collect()
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

/// That outputs agree wherever the first ones are finite.
fn assert_same(name: &str, before: &[Value], after: &[Value], graph: &Graph, optimised: &Graph) {
    for (output, (a, b)) in before.iter().zip(after).enumerate() {
        assert_eq!(a.ty, b.ty, "{name}");
        for (element, (&x, &y)) in a.elements.iter().zip(b.elements.iter()).enumerate() {
            let text = || format!("{name}, output {output}[{element}]: {x} became {y}\n{}\n{}", print(graph), print(optimised));
            assert!(!x.is_finite() || close(x, y), "{}", text());
        }
    }
}

#[test]
fn files() {
    let mut paths: Vec<_> = std::fs::read_dir("tests/pass").unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        check_file(&path.display().to_string(), &text);
    }
}

fn check_file(name: &str, text: &str) {
    let graph = parse(text).unwrap_or_else(|error| panic!("{name}: {}", error.message));
    verify(&graph).unwrap_or_else(|error| panic!("{name}: {}", error.message));
    let optimised = optimise(graph.clone()).unwrap_or_else(|error| panic!("{name}: {}", error.message));
    let (mut low, mut high, mut claims) = (-1.0, 1.0, 0);
    for line in text.lines().filter_map(|line| line.strip_prefix("// ")) {
        if let Some((from, to)) = line.strip_prefix("inputs in ").and_then(|range| range.split_once("..")) {
            (low, high) = (from.parse().unwrap(), to.parse().unwrap());
        } else if let Some(op) = line.strip_prefix("no ") {
            assert_eq!(optimised.count(op), 0, "{name}: {line}\n{}", print(&optimised));
            claims += 1;
        } else if let Some((op, count)) = line.strip_prefix("count ").and_then(|claim| claim.rsplit_once(' ')) {
            assert_eq!(optimised.count(op), count.parse::<usize>().unwrap(), "{name}: {line}\n{}", print(&optimised));
            claims += 1;
        }
    }
    assert!(claims > 0, "{name} claims nothing");
    for seed in 0..3 {
        let inputs: Vec<Value> = graph
            .inputs
            .iter()
            .enumerate()
            .map(|(i, input)| {
                let u = numbers(seed * 10 + i as u64, input.ty.len());
                let elements: Vec<f64> = match input.ty.dtype {
                    DType::Real => u.iter().map(|u| low + (high - low) * u).collect(),
                    DType::Int => u.iter().map(|u| (u * 5.0).floor()).collect(),
                    DType::Bool => u.iter().map(|u| f64::from(*u > 0.5)).collect(),
                };
                Value::new(input.ty.clone(), elements)
            })
            .collect();
        assert_same(name, &interpret(&graph, &inputs), &interpret(&optimised, &inputs), &graph, &optimised);
    }
}

#[test]
fn random_graphs_keep_their_meaning() {
    for seed in 0..150 {
        let (graph, inputs) = random_graph(seed, 25);
        let optimised = optimise(graph.clone()).unwrap_or_else(|error| panic!("seed {seed}: {}\n{}", error.message, print(&graph)));
        let name = format!("seed {seed}");
        assert_same(&name, &interpret(&graph, &inputs), &interpret(&optimised, &inputs), &graph, &optimised);
    }
}

/// A scalar of a random graph's real outputs, in a builder, with its real inputs.
fn scalar_of(graph: &Graph) -> Option<(Builder, NodeId, Vec<NodeId>)> {
    let mut b = Builder::new();
    let inputs: Vec<NodeId> = graph.inputs.iter().map(|input| b.input(input.name.clone(), input.ty.clone())).collect();
    let outputs = splice(&mut b, graph, &inputs);
    let is_real = |b: &Builder, id: NodeId| b.ty(id).dtype == DType::Real;
    let mut value = b.real(0.0);
    for output in outputs {
        if is_real(&b, output) {
            let rank = b.shape(output).len();
            let sum = b.sum(output, &(0..rank).collect::<Vec<_>>());
            value = b.add(value, sum);
        }
    }
    let x: Vec<NodeId> = inputs.into_iter().filter(|&id| is_real(&b, id)).collect();
    (!x.is_empty()).then_some((b, value, x))
}

#[test]
fn derivatives_of_random_graphs_agree_between_modes_and_survive_optimisation() {
    let mut compared = 0;
    for seed in 0..100 {
        let (graph, inputs) = random_graph(seed, 15);
        let Some((mut b, value, x)) = scalar_of(&graph) else { continue };
        let directions: Vec<NodeId> = x
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let shape = b.shape(x).to_vec();
                b.literal(DType::Real, &shape, &numbers(i as u64, shape.iter().product()))
            })
            .collect();
        let (Ok(gradients), Ok(moved)) = (gradient(&mut b, value, &x, None), tangent(&mut b, &[value], &x, &directions)) else { continue };
        let outputs = [&moved[..], &gradients, &directions].concat();
        let graph = b.finish(&outputs).unwrap_or_else(|error| panic!("seed {seed}: {}", error.message));
        let values = interpret(&graph, &inputs);
        let (moved, rest) = values.split_first().unwrap();
        let (gradients, directions) = rest.split_at(x.len());
        let products = gradients.iter().zip(directions).flat_map(|(g, d)| g.elements.iter().zip(d.elements.iter()).map(|(g, d)| g * d));
        let by_reverse: f64 = products.sum();
        let by_forward = moved.elements[0];
        if by_reverse.is_finite() && by_forward.is_finite() {
            assert!(close(by_reverse, by_forward), "seed {seed}: reverse {by_reverse}, forward {by_forward}");
            compared += 1;
        }
        let optimised = optimise(graph.clone()).unwrap_or_else(|error| panic!("seed {seed}: {}", error.message));
        assert_same(&format!("gradient, seed {seed}"), &values, &interpret(&optimised, &inputs), &graph, &optimised);
    }
    assert!(compared > 50, "{compared} random graphs have derivatives");
}

#[test]
fn a_second_optimisation_finds_nothing() {
    for seed in 0..30 {
        let (graph, _) = random_graph(seed, 25);
        let once = optimise(graph).unwrap();
        let twice = optimise(once.clone()).unwrap();
        assert!(twice.nodes.len() >= once.nodes.len(), "seed {seed}:\n{}\n{}", print(&once), print(&twice));
    }
}

#[test]
fn a_pass_that_breaks_the_rules_is_named() {
    fn break_it(mut graph: Graph) -> Result<Graph, tilde_lang::base::Diagnostic> {
        graph.outputs = vec![NodeId(99)];
        Ok(graph)
    }
    let error = run_passes(Graph::default(), &[Pass { name: "vandal", run: break_it }]).unwrap_err();
    assert!(error.message.contains("vandal"), "{}", error.message);
}

/// A recurrence over a sequence, and the gradient of its last value.
#[test]
fn the_reverse_of_a_scan_runs_it_once_forward_and_once_backward() {
    let mut body = Builder::new();
    body.input("turn", TensorType::int([]));
    let h = body.input("h", TensorType::real([]));
    let x = body.input("x", TensorType::real([]));
    let w = body.input("w", TensorType::real([]));
    let product = body.mul(w, h);
    let sum = body.add(product, x);
    let next = body.unary(UnaryOp::Tanh, sum);
    let body = body.finish(&[next]).unwrap();

    let mut b = Builder::new();
    let [xs, w] = [b.input("xs", TensorType::real([5])), b.input("w", TensorType::real([]))];
    // Simplified before the derivative is taken, so that the two scans do not start alike
    let start = b.exp(w);
    let start = b.log(start);
    let last = b.scan(body, &[start], &[xs], &[w], 5, false)[0];
    let gradients = gradient(&mut b, last, &[xs, w], None).unwrap();
    let graph = b.finish(&[&[last], &gradients[..]].concat()).unwrap();
    let optimised = optimise(graph.clone()).unwrap();
    assert_eq!(optimised.count("scan"), 2, "{}", print(&optimised));
    let inputs = [Value::real(&[5], numbers(1, 5)), Value::real(&[], [0.7])];
    assert_same("recurrence", &interpret(&graph, &inputs), &interpret(&optimised, &inputs), &graph, &optimised);
}

/// Gradients of densities at points where what is written overflows.
#[test]
fn gradients_are_taken_of_stable_forms() {
    let gradient_at = |x: &[f64], value: fn(&mut Builder, NodeId) -> NodeId| {
        let mut b = Builder::new();
        let input = b.input("x", TensorType::real([x.len()]));
        let y = value(&mut b, input);
        let outputs = gradient(&mut b, y, &[input], None).unwrap();
        let graph = b.finish(&outputs).unwrap();
        interpret(&graph, &[Value::real(&[x.len()], x)])[0].elements.to_vec()
    };
    let log_sigmoid = |b: &mut Builder, x: NodeId| {
        let y = b.unary(UnaryOp::Sigmoid, x);
        let y = b.log(y);
        b.sum(y, &[0])
    };
    assert_eq!(gradient_at(&[-1000.0, 1000.0], log_sigmoid), [1.0, 0.0]);
    let log_sum_exp = |b: &mut Builder, x: NodeId| {
        let y = b.exp(x);
        let y = b.sum(y, &[0]);
        b.log(y)
    };
    assert_eq!(gradient_at(&[-2000.0, 1000.0], log_sum_exp), [0.0, 1.0]);
    let softplus = |b: &mut Builder, x: NodeId| {
        let e = b.exp(x);
        let one = b.fill_like(1.0, e);
        let y = b.add(one, e);
        let y = b.log(y);
        b.sum(y, &[0])
    };
    assert_eq!(gradient_at(&[1000.0, -1000.0], softplus), [1.0, 0.0]);
}

/// A value with respect to which a derivative is taken is never looked through, even by an identity.
#[test]
fn identities_do_not_undo_what_is_differentiated() {
    let mut b = Builder::new();
    let u = b.input("u", TensorType::real([]));
    let z = b.exp(u);
    let y = b.log(z);
    // dy/dz = 1/z although y = u
    let outputs = gradient(&mut b, y, &[z], None).unwrap();
    let graph = b.finish(&outputs).unwrap();
    let found = interpret(&graph, &[Value::real(&[], [2.0])])[0].elements[0];
    assert!(close(found, (-2.0f64).exp()), "{found}");
}
