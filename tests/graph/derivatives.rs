//! Every operation's derivative: reverse mode against central differences, forward mode against reverse, and both again for the
//! derivative itself where the operation is smooth.

use tilde_lang::base::Code;
use tilde_lang::base::op::{BinaryOp, CompareOp, DType, RandomKind, ReduceOp, UnaryOp};
use tilde_lang::graph::interpret::{Value, interpret};
use tilde_lang::graph::{Builder, Graph, NodeId, Op, TensorType};
use tilde_lang::pass::{gradient, tangent};

/// Builds the result of a function from its inputs.
type Build = dyn Fn(&mut Builder, &[NodeId]) -> NodeId;

/// A function of real inputs: their shapes, the interval they are drawn from, and how often it can be differentiated there.
struct Example {
    shapes: Vec<Vec<usize>>,
    interval: (f64, f64),
    order: usize,
    build: Box<Build>,
}

fn example(
    shapes: &[&[usize]],
    interval: (f64, f64),
    order: usize,
    build: impl Fn(&mut Builder, &[NodeId]) -> NodeId + 'static,
) -> Example {
    Example { shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), interval, order, build: Box::new(build) }
}

/// Numbers in (0, 1) that look random and stay the same.
fn numbers(salt: u64, count: usize) -> Vec<f64> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count + 4).map(|_| next()).skip(4).collect()
}

/// A scalar that depends on every element: the sum of the elements with random weights.
fn weigh(b: &mut Builder, y: NodeId, salt: u64) -> NodeId {
    let shape = b.shape(y).to_vec();
    let weights = numbers(salt, shape.iter().product()).iter().map(|u| 2.0 * u - 0.7).collect::<Vec<_>>();
    let weights = b.literal(DType::Real, &shape, &weights);
    let product = b.mul(y, weights);
    b.sum(product, &(0..shape.len()).collect::<Vec<_>>())
}

/// What an example looks like as a graph: (the function; its reverse derivative along a direction and the gradients; its tangent).
struct Derived {
    graph: Graph,
    inputs: Vec<TensorType>,
}

fn derive(example: &Example, order: usize) -> Derived {
    let mut b = Builder::new();
    let types: Vec<TensorType> = example.shapes.iter().map(|shape| TensorType::real(shape.clone())).collect();
    let x: Vec<NodeId> = types.iter().enumerate().map(|(i, ty)| b.input(format!("x{i}"), ty.clone())).collect();
    let y = (example.build)(&mut b, &x);
    let mut value = weigh(&mut b, y, 1);
    for _ in 1..order {
        value = along_directions(&mut b, value, &x).0;
    }
    let (by_reverse, gradients) = along_directions(&mut b, value, &x);
    let directions = directions(&mut b, &x);
    let by_forward = tangent(&mut b, &[value], &x, &directions).expect("a forward derivative")[0];
    let outputs = [&[value, by_reverse, by_forward], &gradients[..]].concat();
    Derived { graph: b.finish(&outputs).expect("a well-typed derivative"), inputs: types }
}

fn directions(b: &mut Builder, x: &[NodeId]) -> Vec<NodeId> {
    let direction = |(i, &x): (usize, &NodeId)| {
        let shape = b.shape(x).to_vec();
        let values: Vec<f64> = numbers(50 + i as u64, shape.iter().product()).iter().map(|u| u - 0.3).collect();
        b.literal(DType::Real, &shape, &values)
    };
    x.iter().enumerate().map(direction).collect()
}

/// The sum of gradient · direction over all inputs, and the gradients.
fn along_directions(b: &mut Builder, value: NodeId, x: &[NodeId]) -> (NodeId, Vec<NodeId>) {
    let gradients = gradient(b, value, x, None).expect("a reverse derivative");
    let directions = directions(b, x);
    let mut sum = b.real(0.0);
    for (&gradient, &direction) in gradients.iter().zip(&directions) {
        let product = b.mul(gradient, direction);
        let rank = b.shape(product).len();
        let part = b.sum(product, &(0..rank).collect::<Vec<_>>());
        sum = b.add(sum, part);
    }
    (sum, gradients)
}

fn check(name: &str, example: &Example) {
    for order in 1..=example.order {
        let derived = derive(example, order);
        let (low, high) = example.interval;
        let point: Vec<Value> = (derived.inputs.iter().enumerate())
            .map(|(i, ty)| {
                Value::new(ty.clone(), numbers(7 + i as u64, ty.len()).iter().map(|u| low + (high - low) * u).collect::<Vec<_>>())
            })
            .collect();
        let results = interpret(&derived.graph, &point);
        let (by_reverse, by_forward) = (results[1].elements[0], results[2].elements[0]);
        assert!(close(by_reverse, by_forward, 1e-9), "{name}, order {order}: reverse {by_reverse}, forward {by_forward}");
        let value_at = |input: usize, element: usize, shift: f64| {
            let mut moved = point.clone();
            let mut elements = moved[input].elements.to_vec();
            elements[element] += shift;
            moved[input] = Value::new(moved[input].ty.clone(), elements);
            interpret(&derived.graph, &moved)[0].elements[0]
        };
        for (input, ty) in derived.inputs.iter().enumerate() {
            for element in 0..ty.len() {
                let step = 1e-5;
                let difference = (value_at(input, element, step) - value_at(input, element, -step)) / (2.0 * step);
                let found = results[3 + input].elements[element];
                let message = || format!("{name}, order {order}, x{input}[{element}]: {found}, by differences {difference}");
                assert!(close(found, difference, 2e-6), "{}", message());
            }
        }
    }
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

#[test]
fn unary_operations() {
    use UnaryOp::*;
    for &op in UnaryOp::ALL {
        let (interval, order) = match op {
            Neg | Exp | Expm1 | Sin | Cos | Tanh | Sigmoid | Softplus | Erf => ((-1.5, 1.5), 3),
            ErfInv => ((-0.8, 0.8), 3),
            Log | Sqrt | Recip => ((0.5, 2.0), 3),
            Log1p => ((-0.5, 2.0), 3),
            // The third derivative needs that of Trigamma
            LogGamma => ((0.5, 3.0), 2),
            Digamma => ((0.5, 3.0), 1),
            Abs | Sign => ((-1.5, 1.5), 2),
            Floor | Ceil | Round => ((0.1, 0.4), 2),
            Trigamma | Not | IsFinite => continue,
        };
        check(&format!("{op:?}"), &example(&[&[4]], interval, order, move |b, x| b.unary(op, x[0])));
    }
}

#[test]
fn trigamma_has_no_derivative() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([]));
    let y = b.unary(UnaryOp::Trigamma, x);
    assert_eq!(gradient(&mut b, y, &[x], None).unwrap_err().code, Code::NoDerivative);
}

#[test]
fn binary_operations() {
    use BinaryOp::*;
    for &op in BinaryOp::ALL {
        let order = match op {
            Add | Sub | Mul | Div | Pow => 3,
            Rem | Max | Min => 2,
            FloorDiv | And | Or => continue,
        };
        check(&format!("{op:?}"), &example(&[&[5], &[5]], (0.6, 2.0), order, move |b, x| b.binary(op, x[0], x[1])));
    }
}

/// A scan over two carries (one an integer), a sequence and a constant.
fn scan(b: &mut Builder, x: &[NodeId], reverse: bool) -> NodeId {
    let mut body = Builder::new();
    let turn = body.input("turn", TensorType::int([]));
    let h = body.input("h", TensorType::real([2]));
    let count = body.input("count", TensorType::int([]));
    let s = body.input("s", TensorType::real([2]));
    let w = body.input("w", TensorType::real([2, 2]));
    let product = body.contract(w, h, &[0, 1], &[1], &[0]);
    let sum = body.add(product, s);
    let next = body.unary(UnaryOp::Tanh, sum);
    let one = body.int(1);
    let counted = body.add(count, one);
    let both = body.add(counted, turn);
    let factor = body.cast(both, DType::Real);
    let factor = body.spread(factor, &[2]);
    let stacked = body.mul(next, factor);
    let body = body.finish(&[next, counted, stacked]).expect("a body");
    let start = b.int(3);
    let results = b.scan(body, &[x[0], start], &[x[1]], &[x[2]], 3, reverse);
    let last = b.reshape(results[0], &[1, 2]);
    b.join(&[last, results[2]], 0)
}

fn while_loop(b: &mut Builder, x: &[NodeId]) -> NodeId {
    let inputs =
        |b: &mut Builder| (b.input("turn", TensorType::int([])), b.input("h", TensorType::real([2])), b.input("k", TensorType::real([2])));
    let mut condition = Builder::new();
    let (turn, ..) = inputs(&mut condition);
    let limit = condition.int(3);
    let goes_on = condition.compare(CompareOp::Lt, turn, limit);
    let mut body = Builder::new();
    let (_, h, k) = inputs(&mut body);
    let product = body.mul(h, k);
    let next = body.unary(UnaryOp::Sin, product);
    let condition = condition.finish(&[goes_on]).expect("a condition");
    let body = body.finish(&[next]).expect("a body");
    b.while_loop(condition, body, &[x[0]], &[x[1]])[0]
}

fn cond(b: &mut Builder, x: &[NodeId], limit: f64) -> NodeId {
    let branch = |op: UnaryOp| {
        let mut b = Builder::new();
        let x = b.input("x", TensorType::real([3]));
        let y = b.input("y", TensorType::real([3]));
        let product = b.mul(x, y);
        let result = b.unary(op, product);
        b.finish(&[result]).expect("a branch")
    };
    let sum = b.sum(x[0], &[0]);
    let limit = b.real(limit);
    let condition = b.compare(CompareOp::Gt, sum, limit);
    b.cond(condition, branch(UnaryOp::Exp), branch(UnaryOp::Sin), x)[0]
}

/// A well-conditioned positive definite matrix from any square ones.
fn positive_definite(b: &mut Builder, x: NodeId) -> NodeId {
    let product = b.contract(x, x, &[0, 1, 3], &[0, 2, 3], &[0, 1, 2]);
    let identity = b.literal(DType::Real, &[3, 3], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    let identity = b.broadcast(identity, &[2, 3, 3], &[1, 2]);
    b.add(product, identity)
}

fn structural_examples() -> Vec<(&'static str, Example)> {
    let real = |shapes: &[&[usize]], build: fn(&mut Builder, &[NodeId]) -> NodeId| example(shapes, (-1.0, 1.0), 2, build);
    // Squares make a linear operation's second derivative different from zero
    let squared = |build: fn(&mut Builder, NodeId) -> NodeId| {
        example(&[&[2, 3]], (-1.0, 1.0), 2, move |b, x| {
            let square = b.mul(x[0], x[0]);
            build(b, square)
        })
    };
    let reduced = |op: ReduceOp, axes: &'static [usize]| example(&[&[2, 3, 2]], (0.5, 1.5), 2, move |b, x| b.reduce(op, x[0], axes));
    vec![
        (
            "Select",
            real(&[&[4], &[4]], |b, x| {
                let condition = b.compare(CompareOp::Lt, x[0], x[1]);
                let square = b.mul(x[0], x[0]);
                b.select(condition, square, x[1])
            }),
        ),
        (
            "Cast",
            real(&[&[4]], |b, x| {
                let zero = b.fill_like(0.0, x[0]);
                let positive = b.compare(CompareOp::Gt, x[0], zero);
                let one = b.cast(positive, DType::Real);
                b.mul(one, x[0])
            }),
        ),
        ("Broadcast", squared(|b, x| b.broadcast(x, &[4, 2, 2, 3], &[1, 3]))),
        ("Reshape", squared(|b, x| b.reshape(x, &[3, 2]))),
        (
            "Transpose",
            real(&[&[2, 3, 2]], |b, x| {
                let square = b.mul(x[0], x[0]);
                b.transpose(square, &[2, 0, 1])
            }),
        ),
        ("Slice", squared(|b, x| b.slice(x, &[0, 1], &[1, 3]))),
        ("Pad", squared(|b, x| b.pad(x, &[1, 0], &[2, 1]))),
        (
            "Join",
            real(&[&[2, 2], &[2, 1]], |b, x| {
                let square = b.mul(x[0], x[0]);
                b.join(&[x[0], x[1], square], 1)
            }),
        ),
        ("Reverse", squared(|b, x| b.reverse(x, &[1]))),
        ("Reduce Sum", squared(|b, x| b.sum(x, &[1]))),
        ("Reduce Prod", reduced(ReduceOp::Prod, &[0, 1])),
        ("Reduce Max", reduced(ReduceOp::Max, &[1])),
        ("Reduce Min", reduced(ReduceOp::Min, &[0, 2])),
        ("CumSum", squared(|b, x| b.push(Op::CumSum { axis: 1, reverse: false }, &[x]))),
        ("CumSum from the end", squared(|b, x| b.push(Op::CumSum { axis: 0, reverse: true }, &[x]))),
        ("Sort", squared(|b, x| b.push(Op::Sort { axis: 0 }, &[x]))),
        (
            "ArgSort, ArgMax, Iota",
            squared(|b, x| {
                let order = b.push(Op::ArgSort { axis: 1 }, &[x]);
                let first = b.push(Op::ArgMax { axis: 1 }, &[x]);
                let first = b.broadcast(first, &[2, 3], &[0]);
                let places = b.iota(3);
                let places = b.broadcast(places, &[2, 3], &[1]);
                let sum = b.add(order, places);
                let sum = b.add(sum, first);
                let weight = b.cast(sum, DType::Real);
                b.mul(weight, x)
            }),
        ),
        ("Contract", real(&[&[2, 3, 2], &[2, 2, 4]], |b, x| b.contract(x[0], x[1], &[7, 0, 1], &[7, 1, 2], &[2, 7, 0]))),
        (
            "Gather",
            squared(|b, x| {
                let index = b.literal(DType::Int, &[2, 4], &[0.0, 2.0, 2.0, 9.0, 1.0, 0.0, -3.0, 1.0]);
                b.gather(x, index, 1)
            }),
        ),
        (
            "ScatterAdd",
            squared(|b, x| {
                let index = b.literal(DType::Int, &[2, 3], &[0.0, 3.0, 3.0, 1.0, 0.0, 9.0]);
                b.scatter_add(index, x, 1, 5)
            }),
        ),
        (
            "Random",
            real(&[&[2, 3]], |b, x| {
                let (seed, step, turn) = (b.int(1), b.int(2), b.int(3));
                let rows = b.iota(2);
                let noise = b.random(RandomKind::Normal, 4, [seed, step, turn, rows], &[3]);
                let square = b.mul(x[0], x[0]);
                b.mul(noise, square)
            }),
        ),
        (
            "Cholesky",
            real(&[&[2, 3, 3]], |b, x| {
                let matrix = positive_definite(b, x[0]);
                b.push(Op::Cholesky, &[matrix])
            }),
        ),
        ("TriangularSolve", example(&[&[2, 2], &[2, 3]], (0.5, 1.5), 2, |b, x| b.push(Op::TriangularSolve { transpose: false }, x))),
        (
            "TriangularSolve of the transpose",
            example(&[&[1, 3, 3], &[1, 3, 2]], (0.5, 1.5), 2, |b, x| b.push(Op::TriangularSolve { transpose: true }, x)),
        ),
        ("Scan", real(&[&[2], &[3, 2], &[2, 2]], |b, x| scan(b, x, false))),
        ("Scan from the end", real(&[&[2], &[3, 2], &[2, 2]], |b, x| scan(b, x, true))),
        ("Cond, then", real(&[&[3], &[3]], |b, x| cond(b, x, -9.0))),
        ("Cond, else", real(&[&[3], &[3]], |b, x| cond(b, x, 9.0))),
        (
            "Stop",
            real(&[&[3]], |b, x| {
                let stopped = b.stop(x[0]);
                let zero = b.sub(x[0], stopped);
                let gone = b.sub(zero, zero);
                let square = b.mul(x[0], x[0]);
                b.add(gone, square)
            }),
        ),
    ]
}

#[test]
fn structural_operations() {
    for (name, example) in structural_examples() {
        check(name, &example);
    }
}

/// A number for each operation that has examples of its own, so that a new operation asks for one here.
fn number_of(op: &Op) -> Option<usize> {
    Some(match op {
        Op::Unary(_) | Op::Binary(_) => return None,
        Op::While { .. } | Op::SymmetricEigen | Op::Assignment => return None,
        Op::Input(_) => 0,
        Op::Fill { .. } => 1,
        Op::Literal(_) => 2,
        Op::Iota(_) => 3,
        Op::Compare(_) => 4,
        Op::Select => 5,
        Op::Cast(_) => 6,
        Op::Broadcast { .. } => 7,
        Op::Reshape(_) => 8,
        Op::Transpose(_) => 9,
        Op::Slice { .. } => 10,
        Op::Pad { .. } => 11,
        Op::Join { .. } => 12,
        Op::Reverse { .. } => 13,
        Op::Reduce { .. } => 14,
        Op::CumSum { .. } => 15,
        Op::Sort { .. } => 16,
        Op::ArgSort { .. } => 17,
        Op::ArgMax { .. } => 18,
        Op::Contract { .. } => 19,
        Op::Gather { .. } => 20,
        Op::ScatterAdd { .. } => 21,
        Op::Random { .. } => 22,
        Op::Cholesky => 23,
        Op::TriangularSolve { .. } => 24,
        Op::Scan { .. } => 25,
        Op::Cond { .. } => 26,
        Op::Project(_) => 27,
        Op::Stop => 28,
    })
}

#[test]
fn every_operation_has_an_example() {
    let mut seen = [false; 29];
    for (_, example) in structural_examples() {
        let mut b = Builder::new();
        let x: Vec<NodeId> = example.shapes.iter().map(|shape| b.input("x", TensorType::real(shape.clone()))).collect();
        (example.build)(&mut b, &x);
        b.graph().nodes.iter().filter_map(|node| number_of(&node.op)).for_each(|number| seen[number] = true);
    }
    let missing: Vec<usize> = (0..seen.len()).filter(|&number| !seen[number]).collect();
    // A fill stands in every derivative
    assert_eq!(missing, Vec::<usize>::new());
}

#[test]
fn products_with_zeros() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([3]));
    let y = b.reduce(ReduceOp::Prod, x, &[0]);
    let first = gradient(&mut b, y, &[x], None).unwrap()[0];
    let part = b.slice(first, &[0], &[1]);
    let part = b.reshape(part, &[]);
    let second = gradient(&mut b, part, &[x], None).unwrap()[0];
    let graph = b.finish(&[first, second]).unwrap();
    let results = interpret(&graph, &[Value::new(TensorType::real([3]), vec![0.0, 0.0, 5.0])]);
    assert_eq!(results[0].elements[..], [0.0, 0.0, 0.0]);
    assert_eq!(results[1].elements[..], [0.0, 5.0, 0.0]);
}

#[test]
fn loops_without_a_known_number_of_turns() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([2]));
    let k = b.input("k", TensorType::real([2]));
    let y = while_loop(&mut b, &[x, k]);
    let value = weigh(&mut b, y, 1);
    assert_eq!(gradient(&mut b, value, &[x], None).unwrap_err().code, Code::NoDerivative);

    // Forward, against the same three turns written out
    let mut z = x;
    for _ in 0..3 {
        let product = b.mul(z, k);
        z = b.unary(UnaryOp::Sin, product);
    }
    let directions = directions(&mut b, &[x, k]);
    let moved = tangent(&mut b, &[y, z], &[x, k], &directions).unwrap();
    let graph = b.finish(&moved).unwrap();
    let point = [vec![0.3, -0.8], vec![1.2, 0.7]].map(|values| Value::new(TensorType::real([2]), values));
    let results = interpret(&graph, &point);
    assert_eq!(results[0].elements, results[1].elements);
}

#[test]
fn values_that_are_not_chosen_do_not_leak() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([]));
    let zero = b.real(0.0);
    let positive = b.compare(CompareOp::Gt, x, zero);
    let log = b.log(x);
    let y = b.select(positive, log, zero);
    let outputs = gradient(&mut b, y, &[x], None).unwrap();
    let graph = b.finish(&outputs).unwrap();
    assert_eq!(interpret(&graph, &[Value::new(TensorType::real([]), vec![0.0])])[0].elements[0], 0.0);
}

#[test]
fn gradients_with_respect_to_intermediate_values() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([]));
    let z = b.mul(x, x);
    let y = b.mul(z, z);
    // dy/dz = 2z, dy/dx = 4x³, and nothing depends on an integer
    let n = b.int(3);
    let outputs = gradient(&mut b, y, &[z, x, n], None).unwrap();
    let graph = b.finish(&outputs).unwrap();
    let results = interpret(&graph, &[Value::new(TensorType::real([]), vec![3.0])]);
    let results: Vec<f64> = results.iter().map(|value| value.elements[0]).collect();
    assert_eq!(results, [18.0, 108.0, 0.0]);
}

#[test]
fn a_gradient_needs_a_scalar_or_a_seed() {
    let mut b = Builder::new();
    let x = b.input("x", TensorType::real([2]));
    assert_eq!(gradient(&mut b, x, &[x], None).unwrap_err().code, Code::NotScalar);
    assert_eq!(gradient(&mut b, x, &[x], Some(x)).unwrap(), [x]);
}
