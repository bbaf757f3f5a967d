//! The closed list of operations of the tensor language, and what each means.
//!
//! A value is a dense array of one of three element types. Operands of elementwise operations have identical shapes: stretching
//! is always an explicit [`Op::Broadcast`]. Shapes are static.

use super::Graph;
use crate::base::op::{BinaryOp, CompareOp, DType, RandomKind, ReduceOp, UnaryOp};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A literal array. `Real` and `Bool` are kept as f64 (`Bool` as 0 or 1); `Int` must be exact in f64.
#[derive(Clone, Debug)]
pub struct Literal {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub values: Arc<[f64]>,
}

impl PartialEq for Literal {
    /// Bitwise, so that literals can be shared by hash.
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype
            && self.shape == other.shape
            && (Arc::ptr_eq(&self.values, &other.values)
                || self.values.iter().map(|v| v.to_bits()).eq(other.values.iter().map(|v| v.to_bits())))
    }
}
impl Eq for Literal {}
impl Hash for Literal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dtype.hash(state);
        self.shape.hash(state);
        self.values.iter().for_each(|v| v.to_bits().hash(state));
    }
}

/// One operation. Operands are listed as (a, b, …); `[s]` is a shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The graph's input of that number
    Input(usize),
    /// A scalar filled over a shape (the shape is the node's); bits of an f64
    Fill {
        bits: u64,
        dtype: DType,
        shape: Vec<usize>,
    },
    /// A literal array
    Literal(Literal),
    /// 0, 1, …, n−1 as `Int[n]`
    Iota(usize),

    Unary(UnaryOp),
    Binary(BinaryOp),
    Compare(CompareOp),
    /// (condition, a, b): a where true, else b; all of one shape. An operand not chosen may hold NaN
    Select,
    /// Between element types: `Bool -> Int/Real` is 0/1, `Real -> Int` rounds towards zero (any value where it does not fit), `-> Bool` is ≠ 0
    Cast(DType),

    /// Axis i of the operand becomes axis `axes[i]` of `shape`; all other axes repeat. `axes` increase strictly; sizes agree
    Broadcast {
        shape: Vec<usize>,
        axes: Vec<usize>,
    },
    /// Same elements in row-major order
    Reshape(Vec<usize>),
    /// Axis i of the result is axis `perm[i]` of the operand
    Transpose(Vec<usize>),
    /// `start[i] .. stop[i]` of each axis
    Slice {
        start: Vec<usize>,
        stop: Vec<usize>,
    },
    /// Zeros before and after on each axis
    Pad {
        before: Vec<usize>,
        after: Vec<usize>,
    },
    /// Any number of operands, one after another along the axis
    Join {
        axis: usize,
    },
    Reverse {
        axes: Vec<usize>,
    },

    /// Axes disappear
    Reduce {
        op: ReduceOp,
        axes: Vec<usize>,
    },
    /// Cumulative sum along an axis, inclusive; from the end if `reverse`
    CumSum {
        axis: usize,
        reverse: bool,
    },
    /// Increasing, along the axis; stable; NaN last
    Sort {
        axis: usize,
    },
    /// `Int`: the order that `Sort` would use
    ArgSort {
        axis: usize,
    },
    /// `Int`: the first position of the maximum along the axis, which disappears; NaN counts as largest; 0 over nothing
    ArgMax {
        axis: usize,
    },

    /// (a, b): an einsum. Axis i of `a` has label `a[i]`, likewise `b`. Each label of `out` occurs once and stands in `a` or `b`;
    /// a label in both `a` and `b` but not in `out` is summed over; a label of only one operand must be in `out`.
    /// No label repeats inside one operand.
    Contract {
        a: Vec<u8>,
        b: Vec<u8>,
        out: Vec<u8>,
    },

    /// `(x: B ++ [n] ++ R, index: Int B ++ I) -> B ++ I ++ R`, with |B| = `batch`. An index outside 0..n is clamped
    Gather {
        batch: usize,
    },
    /// `(index: Int B ++ I, y: B ++ I ++ R) -> B ++ [n] ++ R`: sums of the y that fall on each place. Indices outside are clamped
    ScatterAdd {
        batch: usize,
        size: usize,
    },

    /// `(seed: Int[], step: Int[], turn: Int[], rows: Int[r]) -> [r] ++ shape`; Philox4x32-10 with key (seed, site) and
    /// counter (element / 4, row, step, turn), element the row-major position inside `shape`; word element mod 4.
    /// `Normal` uses words (0, 1) for elements 0 and 1 of each block (cosine, sine) and (2, 3) for 2 and 3
    Random {
        kind: RandomKind,
        site: u32,
        shape: Vec<usize>,
    },

    /// The lower Cholesky factor of the last two axes; zeros above the diagonal. Where a matrix is not positive
    /// definite, all of its factor on and below the diagonal is NaN. Reads the lower triangle
    Cholesky,
    /// (L, b): solves L y = b (or Lᵀ y = b) over the last two axes; L lower triangular [.., n, n], b [.., n, m]; same leading axes.
    /// Reads the lower triangle
    TriangularSolve {
        transpose: bool,
    },
    /// Of symmetric matrices in the last two axes [.., n, n] -> [.., n + 1, n]: the eigenvalues, increasing, and below them the
    /// eigenvectors as columns, of length 1 and with the element of largest magnitude positive. Reads the lower triangle; all NaN where
    /// an element of it is not finite
    SymmetricEigen,
    /// `Int`, of square matrices of costs `[.., n, n] -> [.., n]`: the column of each row, all different, for the least total cost. Where a cost
    /// is not finite, each row's own
    Assignment,

    /// (carries…, sequences…, constants…) -> (carries…, stacked…): `body` takes (turn: Int[], carries…, one element of each sequence…,
    /// constants…) and returns (carries…, elements to stack…). `turn` counts 0, 1, … in the order of evaluation; with `reverse`,
    /// sequences are read and stacked from their end
    Scan {
        body: Arc<Graph>,
        carries: usize,
        sequences: usize,
        length: usize,
        reverse: bool,
    },
    /// (carries…, constants…) -> (carries…): while `condition` (turn, carries…, constants…) is true, carries become `body` of the same
    While {
        condition: Arc<Graph>,
        body: Arc<Graph>,
        carries: usize,
    },
    /// (condition: Bool[], operands…) -> results of `then` or `otherwise`, which take the operands
    Cond {
        then: Arc<Graph>,
        otherwise: Arc<Graph>,
    },
    /// One result of a `Scan`, `While` or `Cond`
    Project(usize),

    /// The operand, with derivative zero
    Stop,
}

impl Op {
    /// The sub-graphs of a control operation, each with its role.
    pub fn subgraphs(&self) -> Vec<(&'static str, &Arc<Graph>)> {
        match self {
            Op::Scan { body, .. } => vec![("body", body)],
            Op::While { condition, body, .. } => vec![("condition", condition), ("body", body)],
            Op::Cond { then, otherwise } => vec![("then", then), ("else", otherwise)],
            Op::Input(_) | Op::Fill { .. } | Op::Literal(_) | Op::Iota(_) | Op::Project(_) | Op::Stop => vec![],
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::Cast(_) => vec![],
            Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Pad { .. } => vec![],
            Op::Join { .. } | Op::Reverse { .. } | Op::Reduce { .. } | Op::CumSum { .. } | Op::Sort { .. } => vec![],
            Op::ArgSort { .. } | Op::ArgMax { .. } | Op::Contract { .. } | Op::Gather { .. } | Op::ScatterAdd { .. } => vec![],
            Op::Random { .. } | Op::Cholesky | Op::TriangularSolve { .. } | Op::SymmetricEigen | Op::Assignment => vec![],
        }
    }

    /// Whether the results are many and read by `Project` only.
    pub fn is_control(&self) -> bool {
        matches!(self, Op::Scan { .. } | Op::While { .. } | Op::Cond { .. })
    }
}
