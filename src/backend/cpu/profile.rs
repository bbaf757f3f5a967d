//! What is said about a step: its name, and what of it is computed one element at a time.

use super::wide;
use crate::backend::Precision;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::kernel::{Instr, InstrKind, Library, Loop, Role, Step};

/// `product 100 × 784 × 500`, `loop 100 × 500: tanh`
pub fn name(step: &Step) -> String {
    match step {
        Step::Loop(nest) => loop_name(nest),
        Step::Contract(c) => {
            let inner: usize = c.inner.iter().map(|dim| dim.size).product();
            let batch = sizes(c.batch.iter().map(|dim| dim.size));
            let of = if c.batch.is_empty() { String::new() } else { format!("{batch} of ") };
            format!("product {of}{} × {inner} × {}", c.rows.size, c.columns.size)
        }
        Step::Library(call) => library_name(call),
        Step::Scan(scan) => format!("scan of {} turns", scan.length),
        Step::While(_) => "while".into(),
        Step::Cond(_) => "if".into(),
    }
}

fn sizes(sizes: impl Iterator<Item = usize>) -> String {
    sizes.map(|size| size.to_string()).collect::<Vec<_>>().join(" × ")
}

/// Its axes, reduced ones in brackets, and the functions in its body.
fn loop_name(nest: &Loop) -> String {
    let axis = |role: Role| sizes(nest.axes.iter().filter(|axis| axis.role == role).map(|axis| axis.extent));
    let (parallel, reduced) = (axis(Role::Parallel), axis(Role::Reduced));
    let mut name = format!("loop {}", if parallel.is_empty() { "1" } else { &parallel });
    if !reduced.is_empty() {
        name += &format!(" [{reduced}]");
    }
    let mut functions: Vec<String> = vec![];
    for instr in &nest.body {
        if let Some(function) = function(instr)
            && !functions.contains(&function)
        {
            functions.push(function);
        }
    }
    if functions.is_empty() { name } else { format!("{name}: {}", functions.join(", ")) }
}

/// The name of what is more than arithmetic.
fn function(instr: &Instr) -> Option<String> {
    use UnaryOp::*;
    match instr.kind {
        InstrKind::Unary(Neg | Abs | Sign | Recip | Floor | Ceil | Round | Not | IsFinite, _) => None,
        InstrKind::Unary(LogGamma, _) => Some("lgamma".into()),
        InstrKind::Unary(
            op @ (Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Sigmoid | Softplus | Erf | ErfInv | Digamma | Trigamma),
            _,
        ) => Some(format!("{op:?}").to_lowercase()),
        InstrKind::Binary(BinaryOp::Pow, ..) => Some("pow".into()),
        InstrKind::Binary(BinaryOp::Rem, ..) => Some("rem".into()),
        InstrKind::Binary(BinaryOp::FloorDiv, ..) => Some("div".into()),
        InstrKind::Binary(..) | InstrKind::Compare(..) | InstrKind::Select(..) | InstrKind::Cast(_) => None,
        InstrKind::Constant(_) | InstrKind::Index(_) | InstrKind::Load { .. } => None,
    }
}

fn library_name(call: &Library) -> String {
    match call {
        Library::Copy { len, .. } => format!("copy {len}"),
        Library::Gather { sizes, .. } => format!("gather {} × {}", sizes.batch * sizes.picks, sizes.row),
        Library::ScatterAdd { sizes, .. } => format!("scatter_add {} × {}", sizes.batch * sizes.picks, sizes.row),
        Library::Random { kind, rows, row, .. } => format!("random {} {rows} × {row}", format!("{kind:?}").to_lowercase()),
        Library::Along { op, outer, size, inner, .. } => {
            let op = format!("{op:?}").to_lowercase();
            format!("{} {outer} × {size} × {inner}", op.split(' ').next().unwrap_or(&op))
        }
        Library::Cholesky { count, size, .. } => format!("cholesky {count} of {size}"),
        Library::Assignment { count, size, .. } => format!("assignment {count} of {size}"),
        Library::SymmetricEigen { count, size, .. } => format!("eigen {count} of {size}"),
        Library::TriangularSolve { count, size, columns, .. } => format!("triangular_solve {count} of {size} × {columns}"),
    }
}

/// Functions that the loop calls for one element at a time, each once. What runs only once in the loop does not count.
pub fn scalar(nest: &Loop, precision: Precision) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for (instr, times) in nest.body.iter().zip(nest.repetitions()) {
        if let Some(function) = function(instr)
            && times > 1
            && is_scalar(instr, precision)
            && !found.contains(&function)
        {
            found.push(function);
        }
    }
    found
}

/// There is no vector code for the instruction. Wide loops call functions on whole tiles, all of which are vector code but division of
/// integers of 64 bits.
fn is_scalar(instr: &Instr, precision: Precision) -> bool {
    use UnaryOp::*;
    let narrow = !wide::is_supported();
    match instr.kind {
        InstrKind::Unary(ErfInv | LogGamma | Digamma | Trigamma, _) | InstrKind::Binary(BinaryOp::Pow, ..) => narrow,
        InstrKind::Binary(BinaryOp::Rem | BinaryOp::FloorDiv, ..) => narrow || instr.dtype != DType::Real && precision == Precision::F64,
        InstrKind::Unary(Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Sigmoid | Softplus | Erf, _) => false,
        InstrKind::Unary(Neg | Abs | Sign | Sqrt | Recip | Floor | Ceil | Round | Not | IsFinite, _) => false,
        InstrKind::Binary(..) | InstrKind::Compare(..) | InstrKind::Select(..) | InstrKind::Cast(_) => false,
        InstrKind::Constant(_) | InstrKind::Index(_) | InstrKind::Load { .. } => false,
    }
}
