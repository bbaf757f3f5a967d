//! The closed lists of primitive scalar operations, and what each means. Graphs and kernels share them.
//!
//! `Real` is computed in the working precision of a plan (f32 or f64); `Int` and `Bool` are as wide, so that all lanes of a
//! loop agree; results that do not fit them are not defined.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    Real,
    Int,
    Bool,
}

/// Elementwise, one operand. `Real -> Real` unless said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnaryOp {
    /// Also `Int`
    Neg,
    /// Also `Int`
    Abs,
    /// −1, 0 or 1, NaN of NaN; also `Int`
    Sign,
    Exp,
    /// exp(x) − 1, accurate near 0
    Expm1,
    Log,
    /// log(1 + x), accurate near 0
    Log1p,
    Sqrt,
    /// 1 / x
    Recip,
    Sin,
    Cos,
    Tanh,
    /// 1 / (1 + exp(−x))
    Sigmoid,
    /// log(1 + exp(x)), without overflow
    Softplus,
    Erf,
    /// The inverse of `Erf`, on (−1, 1)
    ErfInv,
    /// log |Γ(x)|
    LogGamma,
    /// Γ′(x) / Γ(x)
    Digamma,
    /// The derivative of `Digamma`
    Trigamma,
    Floor,
    Ceil,
    /// To the nearest integer, halves to even
    Round,
    /// `Bool -> Bool`
    Not,
    /// `Real -> Bool`: neither infinite nor NaN
    IsFinite,
}

/// Elementwise, two operands of the same shape and element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BinaryOp {
    /// `Real` or `Int`
    Add,
    Sub,
    Mul,
    /// `Real` only: real division
    Div,
    /// `Int` only: quotient rounded towards −∞; 0 where the divisor is 0
    FloorDiv,
    /// The remainder with the sign of the divisor; `Real` or `Int`. Where the divisor is 0: NaN, of `Int` the dividend
    Rem,
    /// x^y, `Real`
    Pow,
    /// `Real` or `Int`; NaN if either is
    Max,
    /// `Real` or `Int`; NaN if either is
    Min,
    /// `Bool`
    And,
    /// `Bool`
    Or,
}

/// Elementwise comparison of `Real` or `Int` (equality also `Bool`), giving `Bool`. False for NaN, except `Ne`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReduceOp {
    Sum,
    Prod,
    /// `Real` or `Int`; −∞ over nothing; NaN if any is
    Max,
    /// `Real` or `Int`; ∞ over nothing; NaN if any is
    Min,
    /// `Bool`
    And,
    /// `Bool`
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RandomKind {
    /// Uniform on the open interval (0, 1): (k + 1/2) 2^-23, k the upper 23 bits; the same in f32 and f64
    Uniform,
    /// Standard normal, by Box and Muller from two words of 32 bits
    Normal,
}

impl UnaryOp {
    pub const ALL: &[UnaryOp] = {
        use UnaryOp::*;
        &[
            Neg, Abs, Sign, Exp, Expm1, Log, Log1p, Sqrt, Recip, Sin, Cos, Tanh, Sigmoid, Softplus, Erf, ErfInv, LogGamma, Digamma,
            Trigamma, Floor, Ceil, Round, Not, IsFinite,
        ]
    };
}

impl BinaryOp {
    pub const ALL: &[BinaryOp] = {
        use BinaryOp::*;
        &[Add, Sub, Mul, Div, FloorDiv, Rem, Pow, Max, Min, And, Or]
    };
}

impl CompareOp {
    pub const ALL: &[CompareOp] = {
        use CompareOp::*;
        &[Eq, Ne, Lt, Le, Gt, Ge]
    };
}

impl ReduceOp {
    pub const ALL: &[ReduceOp] = {
        use ReduceOp::*;
        &[Sum, Prod, Max, Min, And, Or]
    };
}
