//! The type rule of every operation. Pure: errors are sentences, the caller adds the place.

use super::{Graph, Op, TensorType};
use crate::base::op::{BinaryOp, DType, ReduceOp, UnaryOp};

/// A result, or a sentence that says what is wrong; the caller adds the place.
pub(super) type Rule<T> = Result<T, String>;

/// The types of the results of `op` applied to operands of types `args`.
pub fn infer(op: &Op, args: &[&TensorType]) -> Rule<Vec<TensorType>> {
    let one = |ty: Rule<TensorType>| ty.map(|ty| vec![ty]);
    match op {
        Op::Input(_) => Err("inputs are typed by the graph".into()),
        Op::Fill { dtype, shape, .. } => one(nullary(args, TensorType::new(*dtype, shape.clone()))),
        Op::Literal(literal) => one(nullary(args, TensorType::new(literal.dtype, literal.shape.clone()))),
        Op::Iota(n) => one(nullary(args, TensorType::int([*n]))),
        Op::Unary(unary) => one(operands(args).and_then(|[x]| infer_unary(*unary, x))),
        Op::Binary(binary) => one(operands(args).and_then(|[a, b]| infer_binary(*binary, a, b))),
        Op::Compare(_) => one(operands(args).and_then(|[a, b]| {
            same(a, b)?;
            Ok(TensorType::new(DType::Bool, a.shape.clone()))
        })),
        Op::Select => one(operands(args).and_then(|[c, a, b]| {
            expect(c.dtype == DType::Bool && c.shape == a.shape, || format!("condition {c} for {a}"))?;
            same(a, b)?;
            Ok(a.clone())
        })),
        Op::Cast(dtype) => one(operands(args).map(|[x]| TensorType::new(*dtype, x.shape.clone()))),
        Op::Broadcast { shape, axes } => one(operands(args).and_then(|[x]| infer_broadcast(x, shape, axes))),
        Op::Reshape(shape) => one(operands(args).and_then(|[x]| {
            expect(shape.iter().product::<usize>() == x.len(), || format!("reshape of {x} to {shape:?}"))?;
            Ok(TensorType::new(x.dtype, shape.clone()))
        })),
        Op::Transpose(perm) => one(operands(args).and_then(|[x]| {
            let mut sorted = perm.clone();
            sorted.sort_unstable();
            expect(sorted.iter().copied().eq(0..x.rank()), || format!("permutation {perm:?} of {x}"))?;
            Ok(TensorType::new(x.dtype, perm.iter().map(|&i| x.shape[i]).collect::<Vec<_>>()))
        })),
        Op::Slice { start, stop } => one(operands(args).and_then(|[x]| infer_slice(x, start, stop))),
        Op::Pad { before, after } => one(operands(args).and_then(|[x]| {
            expect(before.len() == x.rank() && after.len() == x.rank(), || format!("padding of {x}"))?;
            let shape: Vec<usize> = (0..x.rank()).map(|i| before[i] + x.shape[i] + after[i]).collect();
            Ok(TensorType::new(x.dtype, shape))
        })),
        Op::Join { axis } => one(infer_join(args, *axis)),
        Op::Reverse { axes } => one(operands(args).and_then(|[x]| {
            increasing_axes(axes, x)?;
            Ok(x.clone())
        })),
        Op::Reduce { op, axes } => one(operands(args).and_then(|[x]| infer_reduce(*op, x, axes))),
        Op::CumSum { axis, .. } | Op::Sort { axis } => one(operands(args).and_then(|[x]| {
            expect(*axis < x.rank() && x.dtype != DType::Bool, || format!("axis {axis} of {x}"))?;
            Ok(x.clone())
        })),
        Op::ArgSort { axis } => one(operands(args).and_then(|[x]| {
            expect(*axis < x.rank(), || format!("axis {axis} of {x}"))?;
            Ok(TensorType::int(x.shape.clone()))
        })),
        Op::ArgMax { axis } => one(operands(args).and_then(|[x]| {
            expect(*axis < x.rank(), || format!("axis {axis} of {x}"))?;
            Ok(TensorType::int(without(&x.shape, &[*axis])))
        })),
        Op::Contract { a, b, out } => one(operands(args).and_then(|[x, y]| infer_contract(x, y, a, b, out))),
        Op::Gather { batch } => one(operands(args).and_then(|[x, index]| infer_gather(x, index, *batch))),
        Op::ScatterAdd { batch, size } => one(operands(args).and_then(|[index, y]| infer_scatter(index, y, *batch, *size))),
        Op::Random { shape, .. } => one(operands(args).and_then(|[seed, step, turn, rows]| {
            let scalars = [seed, step, turn].iter().all(|ty| ty.dtype == DType::Int && ty.rank() == 0);
            expect(scalars && rows.dtype == DType::Int && rows.rank() == 1, || "keys of random numbers".into())?;
            Ok(TensorType::real([&rows.shape[..], &shape[..]].concat()))
        })),
        Op::Cholesky => one(operands(args).and_then(|[x]| {
            square(x)?;
            Ok(x.clone())
        })),
        Op::Assignment => one(operands(args).and_then(|[x]| {
            square(x)?;
            Ok(TensorType::int(without(&x.shape, &[x.rank() - 1])))
        })),
        Op::SymmetricEigen => one(operands(args).and_then(|[x]| {
            square(x)?;
            let mut shape = x.shape.clone();
            shape[x.rank() - 2] += 1;
            Ok(TensorType::real(shape))
        })),
        Op::TriangularSolve { .. } => one(operands(args).and_then(|[l, b]| {
            square(l)?;
            let n = l.rank();
            let fits = b.rank() == n && b.dtype == DType::Real && b.shape[..n - 1] == l.shape[..n - 1];
            expect(fits, || format!("solve of {l} and {b}"))?;
            Ok(b.clone())
        })),
        Op::Scan { body, carries, sequences, length, .. } => infer_scan(args, body, *carries, *sequences, *length),
        Op::While { condition, body, carries } => infer_while(args, condition, body, *carries),
        Op::Cond { then, otherwise } => {
            let [condition, operands @ ..] = args else { return Err("cond without a condition".into()) };
            expect(condition.dtype == DType::Bool && condition.rank() == 0, || format!("condition {condition}"))?;
            takes("then", then, operands)?;
            takes("else", otherwise, operands)?;
            expect(then.output_types() == otherwise.output_types(), || "branches of different types".into())?;
            Ok(then.output_types())
        }
        Op::Project(_) => Err("projections are typed by the builder".into()),
        Op::Stop => one(operands(args).map(|[x]| x.clone())),
    }
}

pub(super) fn expect(holds: bool, message: impl FnOnce() -> String) -> Rule<()> {
    if holds { Ok(()) } else { Err(message()) }
}

fn operands<'a, const N: usize>(args: &[&'a TensorType]) -> Rule<[&'a TensorType; N]> {
    args.try_into().map_err(|_| format!("{} operands where {N} are needed", args.len()))
}

fn nullary(args: &[&TensorType], ty: TensorType) -> Rule<TensorType> {
    operands::<0>(args).map(|_| ty)
}

fn same(a: &TensorType, b: &TensorType) -> Rule<()> {
    expect(a == b, || format!("{a} and {b}"))
}

fn square(x: &TensorType) -> Rule<()> {
    let n = x.rank();
    let holds = x.dtype == DType::Real && n >= 2 && x.shape[n - 1] == x.shape[n - 2];
    expect(holds, || format!("{x} is not square"))
}

pub(super) fn without(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    (0..shape.len()).filter(|i| !axes.contains(i)).map(|i| shape[i]).collect()
}

fn increasing_axes(axes: &[usize], x: &TensorType) -> Rule<()> {
    let holds = axes.windows(2).all(|w| w[0] < w[1]) && axes.iter().all(|&a| a < x.rank());
    expect(holds, || format!("axes {axes:?} of {x}"))
}

fn infer_unary(op: UnaryOp, x: &TensorType) -> Rule<TensorType> {
    use UnaryOp::*;
    let (holds, dtype) = match op {
        Neg | Abs | Sign => (x.dtype != DType::Bool, x.dtype),
        Not => (x.dtype == DType::Bool, DType::Bool),
        IsFinite => (x.dtype == DType::Real, DType::Bool),
        Exp | Expm1 | Log | Log1p | Sqrt | Recip | Sin | Cos | Tanh | Sigmoid | Softplus | Erf | ErfInv | LogGamma | Digamma | Trigamma
        | Floor | Ceil | Round => (x.dtype == DType::Real, DType::Real),
    };
    expect(holds, || format!("{op:?} of {x}"))?;
    Ok(TensorType::new(dtype, x.shape.clone()))
}

fn infer_binary(op: BinaryOp, a: &TensorType, b: &TensorType) -> Rule<TensorType> {
    use BinaryOp::*;
    same(a, b)?;
    let holds = match op {
        Add | Sub | Mul | Rem | Max | Min => a.dtype != DType::Bool,
        Div | Pow => a.dtype == DType::Real,
        FloorDiv => a.dtype == DType::Int,
        And | Or => a.dtype == DType::Bool,
    };
    expect(holds, || format!("{op:?} of {a}"))?;
    Ok(a.clone())
}

fn infer_broadcast(x: &TensorType, shape: &[usize], axes: &[usize]) -> Rule<TensorType> {
    let holds = axes.len() == x.rank()
        && axes.windows(2).all(|w| w[0] < w[1])
        && axes.iter().zip(&x.shape).all(|(&axis, &size)| shape.get(axis) == Some(&size));
    expect(holds, || format!("broadcast of {x} to {shape:?} along {axes:?}"))?;
    Ok(TensorType::new(x.dtype, shape))
}

fn infer_slice(x: &TensorType, start: &[usize], stop: &[usize]) -> Rule<TensorType> {
    let holds = start.len() == x.rank() && stop.len() == x.rank() && (0..x.rank()).all(|i| start[i] <= stop[i] && stop[i] <= x.shape[i]);
    expect(holds, || format!("slice {start:?}..{stop:?} of {x}"))?;
    Ok(TensorType::new(x.dtype, start.iter().zip(stop).map(|(a, b)| b - a).collect::<Vec<_>>()))
}

fn infer_join(args: &[&TensorType], axis: usize) -> Rule<TensorType> {
    let first = args.first().ok_or("join of nothing")?;
    expect(axis < first.rank(), || format!("axis {axis} of {first}"))?;
    let mut size = 0;
    for ty in args {
        let fits = ty.dtype == first.dtype && ty.rank() == first.rank() && without(&ty.shape, &[axis]) == without(&first.shape, &[axis]);
        expect(fits, || format!("join of {first} and {ty}"))?;
        size += ty.shape[axis];
    }
    let mut shape = first.shape.clone();
    shape[axis] = size;
    Ok(TensorType::new(first.dtype, shape))
}

fn infer_reduce(op: ReduceOp, x: &TensorType, axes: &[usize]) -> Rule<TensorType> {
    increasing_axes(axes, x)?;
    let boolean = matches!(op, ReduceOp::And | ReduceOp::Or);
    expect(boolean == (x.dtype == DType::Bool), || format!("{op:?} of {x}"))?;
    Ok(TensorType::new(x.dtype, without(&x.shape, axes)))
}

fn infer_contract(x: &TensorType, y: &TensorType, a: &[u8], b: &[u8], out: &[u8]) -> Rule<TensorType> {
    let describe = || format!("contraction {a:?},{b:?}->{out:?} of {x} and {y}");
    let distinct = |labels: &[u8]| labels.iter().enumerate().all(|(i, l)| !labels[..i].contains(l));
    expect(x.dtype == DType::Real && y.dtype == DType::Real && a.len() == x.rank() && b.len() == y.rank(), describe)?;
    expect(distinct(a) && distinct(b) && distinct(out), describe)?;
    let size_in = |labels: &[u8], ty: &TensorType, label: u8| labels.iter().position(|&l| l == label).map(|i| ty.shape[i]);
    for &label in a.iter().chain(b) {
        match (size_in(a, x, label), size_in(b, y, label)) {
            (Some(m), Some(n)) => expect(m == n, describe)?,
            _ => expect(out.contains(&label), describe)?,
        }
    }
    let size = |&label: &u8| size_in(a, x, label).or(size_in(b, y, label)).ok_or_else(describe);
    Ok(TensorType::real(out.iter().map(size).collect::<Rule<Vec<_>>>()?))
}

fn infer_gather(x: &TensorType, index: &TensorType, batch: usize) -> Rule<TensorType> {
    let holds = index.dtype == DType::Int && x.rank() > batch && index.rank() >= batch && x.shape[..batch] == index.shape[..batch];
    expect(holds && (x.shape[batch] > 0 || index.is_empty()), || format!("gather of {x} at {index}"))?;
    Ok(TensorType::new(x.dtype, [&index.shape[..], &x.shape[batch + 1..]].concat()))
}

fn infer_scatter(index: &TensorType, y: &TensorType, batch: usize, size: usize) -> Rule<TensorType> {
    let k = index.rank();
    let holds = index.dtype == DType::Int && y.dtype != DType::Bool && k >= batch && y.rank() >= k && y.shape[..k] == index.shape[..];
    expect(holds && (size > 0 || index.is_empty()), || format!("scatter of {y} at {index}"))?;
    Ok(TensorType::new(y.dtype, [&y.shape[..batch], &[size], &y.shape[k..]].concat()))
}

/// That a sub-graph takes operands of these types.
fn takes<'a>(name: &str, graph: &Graph, types: impl IntoIterator<Item = &'a &'a TensorType>) -> Rule<()> {
    let types: Vec<&TensorType> = types.into_iter().copied().collect();
    let holds = graph.inputs.len() == types.len() && graph.inputs.iter().zip(&types).all(|(input, ty)| input.ty == **ty);
    expect(holds, || {
        let list = |types: Vec<String>| types.join(", ");
        let takes = list(graph.inputs.iter().map(|i| i.ty.to_string()).collect());
        format!("{name} takes ({takes}) and is given ({})", list(types.iter().map(|t| t.to_string()).collect()))
    })
}

fn infer_scan(args: &[&TensorType], body: &Graph, carries: usize, sequences: usize, length: usize) -> Rule<Vec<TensorType>> {
    expect(args.len() >= carries + sequences, || "scan with too few operands".into())?;
    let turn = TensorType::int([]);
    let mut elements = Vec::new();
    for ty in &args[carries..carries + sequences] {
        expect(ty.shape.first() == Some(&length), || format!("sequence {ty} in a scan of length {length}"))?;
        elements.push(TensorType::new(ty.dtype, &ty.shape[1..]));
    }
    let inputs: Vec<&TensorType> = std::iter::once(&turn)
        .chain(args[..carries].iter().copied())
        .chain(&elements)
        .chain(args[carries + sequences..].iter().copied())
        .collect();
    takes("scan", body, &inputs)?;
    let outputs = body.output_types();
    expect(outputs.len() >= carries && outputs.iter().zip(args).take(carries).all(|(a, b)| a == *b), || {
        "the carries of a scan change their types".into()
    })?;
    let stacked = outputs[carries..].iter().map(|ty| TensorType::new(ty.dtype, [&[length], &ty.shape[..]].concat()));
    Ok(outputs[..carries].iter().cloned().chain(stacked).collect())
}

fn infer_while(args: &[&TensorType], condition: &Graph, body: &Graph, carries: usize) -> Rule<Vec<TensorType>> {
    let turn = TensorType::int([]);
    let inputs: Vec<&TensorType> = std::iter::once(&turn).chain(args.iter().copied()).collect();
    takes("while", condition, &inputs)?;
    takes("while", body, &inputs)?;
    expect(condition.output_types() == [TensorType::new(DType::Bool, [])], || "the condition of a loop is not one Bool".into())?;
    let outputs = body.output_types();
    let holds = outputs.len() == carries && args.len() >= carries && outputs.iter().zip(args).all(|(a, b)| a == *b);
    expect(holds, || "the carries of a loop change their types".into())?;
    Ok(outputs)
}
