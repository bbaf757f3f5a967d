//! What a lecturer calls the rule by which a derivative passes an operation.

use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::graph::Op;

/// The name of an operation's rule; none of those that only move or repeat elements and of those without a derivative.
pub fn rule_name(op: &Op) -> Option<&'static str> {
    match op {
        Op::Unary(op) => unary_name(*op),
        Op::Binary(op) => binary_name(*op),
        Op::Select => Some("case distinction"),
        Op::Reduce { op: ReduceOp::Sum, .. } => Some("sum"),
        Op::Reduce { op: ReduceOp::Prod, .. } => Some("product over an axis"),
        Op::Reduce { op: ReduceOp::Max | ReduceOp::Min, .. } => Some("extremum"),
        Op::CumSum { .. } => Some("cumulative sum"),
        Op::Sort { .. } => Some("sorting"),
        Op::Contract { .. } => Some("matrix product"),
        Op::Gather { .. } | Op::ScatterAdd { .. } => Some("selection"),
        Op::Cholesky => Some("Cholesky factor"),
        Op::TriangularSolve { .. } => Some("triangular solve"),
        Op::Scan { .. } => Some("recursion"),
        Op::SymmetricEigen => Some("eigenvalues and eigenvectors"),
        Op::While { .. } | Op::Cond { .. } | Op::Project(_) => None,
        Op::Slice { .. } | Op::Pad { .. } | Op::Join { .. } | Op::Reverse { .. } => None,
        Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Reduce { op: ReduceOp::And | ReduceOp::Or, .. } => None,
        Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Cast(_) => None,
        Op::Compare(_) | Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Assignment | Op::Random { .. } | Op::Stop => None,
    }
}

fn unary_name(op: UnaryOp) -> Option<&'static str> {
    Some(match op {
        UnaryOp::Neg => return None,
        UnaryOp::Abs => "absolute value",
        UnaryOp::Exp | UnaryOp::Expm1 => "exponential",
        UnaryOp::Log | UnaryOp::Log1p => "logarithm",
        UnaryOp::Sqrt => "square root",
        UnaryOp::Recip => "reciprocal",
        UnaryOp::Sin => "sine",
        UnaryOp::Cos => "cosine",
        UnaryOp::Tanh => "tanh",
        UnaryOp::Sigmoid => "sigmoid",
        UnaryOp::Softplus => "softplus",
        UnaryOp::Erf | UnaryOp::ErfInv => "error function",
        UnaryOp::LogGamma => "log-gamma",
        UnaryOp::Digamma => "digamma",
        UnaryOp::Trigamma | UnaryOp::Sign | UnaryOp::Floor | UnaryOp::Ceil => return None,
        UnaryOp::Round | UnaryOp::Not | UnaryOp::IsFinite => return None,
    })
}

fn binary_name(op: BinaryOp) -> Option<&'static str> {
    match op {
        BinaryOp::Add | BinaryOp::Sub => None,
        BinaryOp::Mul => Some("product"),
        BinaryOp::Div => Some("quotient"),
        BinaryOp::Pow => Some("power"),
        BinaryOp::Rem => Some("remainder"),
        BinaryOp::Max | BinaryOp::Min => Some("extremum"),
        BinaryOp::FloorDiv | BinaryOp::And | BinaryOp::Or => None,
    }
}
