//! Expressions and statements of a checked program.

use super::{
    BijectorId, ConstId, DensityId, DistId, FunctionId, Index, LocalId, MemberQuery, ParamId, ProcessMember, PushforwardId, QuantityId,
    VarId,
};
use crate::base::Span;
use crate::base::op::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use crate::check::types::Type;

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Type,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    Real(f64),
    Int(i64),
    Bool(bool),
    Local(LocalId),
    Const(ConstId),
    /// A random variable: a given of the factor in which it stands, a draw, or observed data
    Var(VarId),
    Param(ParamId),
    Quantity(QuantityId),

    /// Elementwise; `Expr::ty` has the shape of the operand
    Unary(UnaryOp, Box<Expr>),
    /// Elementwise; both operands have the shape of the result, or one is a scalar that stretches. Element types agree:
    /// `ToReal` has been inserted. `Int / Int` is a `Binary(Div)` of two `ToReal`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// From `Int`, `Cat`, `Bool` to a real number
    ToReal(Box<Expr>),
    /// From a real number towards zero, or from `Bool`
    ToInt(Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),

    /// Vector or matrix by vector or matrix, as `@`; dot product of two vectors
    MatMul(Box<Expr>, Box<Expr>),
    /// The last two axes; of a vector: itself, as the row of a product
    Transpose(Box<Expr>),
    /// Along the last axis; scalars count as vectors of length 1
    Join(Box<Expr>, Box<Expr>),
    /// `x[i, a..b]` from the first axis on; remaining axes whole
    Subscript(Box<Expr>, Vec<Subscript>),
    /// `[a, b, c]`: a new leading axis
    Stack(Vec<Expr>),
    Reshape(Box<Expr>),
    Tuple(Vec<Expr>),
    Project(Box<Expr>, usize),

    /// `sum(e for i in D if c)`
    Fold {
        fold: Fold,
        indices: Vec<Index>,
        condition: Option<Box<Expr>>,
        body: Box<Expr>,
    },
    /// `[e for i in D]`: the indices become leading axes, in order
    Array {
        indices: Vec<Index>,
        body: Box<Expr>,
    },
    /// `sum(x)` over all axes of one example's value
    FoldAll(Fold, Box<Expr>),
    /// `total(e)` in a rule about observations: the sum over all of them, each counted by its weight
    Total(Box<Expr>),
    Primitive(Primitive, Vec<Expr>),

    Block(Vec<Stmt>, Box<Expr>),
    Call(FunctionId, Vec<Expr>),
    /// A bijector of its first argument
    Apply(BijectorId, Vec<Expr>),

    /// A distribution with its parameters, in the order of `Dist::params`
    Dist(DistId, Vec<Expr>),
    /// A draw of a pushforward whose parameters are bound
    DrawPushforward(PushforwardId),
    /// Its log-density at a value
    LogPushforward(PushforwardId, Box<Expr>),
    /// `p(x | z)` as a value: of type `Distribution`
    Conditional(Query),
    /// `log p(x | z)`
    LogDensity(Query),
    /// `d.mean`, `d.std`, …; `member` may also be the name of a parameter (`.logits`)
    DistMember(Box<Expr>, String),
    /// `d.log_prob(x)`
    LogProb(Box<Expr>, Box<Expr>),
    Expectation {
        draws: Vec<Draw>,
        samples: Option<usize>,
        estimator: Estimator,
        body: Box<Expr>,
    },
    /// Of two values of type `Distribution`
    Kl(Box<Expr>, Box<Expr>),
    Entropy(Box<Expr>),
    Elbo(Bound),
    Iwae(Bound),

    /// The derivative of a scalar: has the type of `wrt`
    Grad {
        wrt: Place,
        body: Box<Expr>,
    },
    /// Of a vector by a vector: rows are outputs
    Jacobian {
        wrt: Place,
        body: Box<Expr>,
    },
    Divergence {
        wrt: Place,
        body: Box<Expr>,
    },
    Hessian {
        wrt: Place,
        body: Box<Expr>,
    },
    Stop(Box<Expr>),
    /// `q.signal(t)`, `p.score(x, t)`: of the process of a density
    ProcessMember {
        density: DensityId,
        member: ProcessMember,
        args: Vec<Expr>,
    },
    /// Fresh random numbers, of the shape of the expression's type
    Noise(Noise),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Noise {
    /// `noise()`: standard normal
    Normal,
    /// `uniform()`: on (0, 1)
    Uniform,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    Reduce(ReduceOp),
    Mean,
    LogSumExp,
}

/// Whole-array operations of the graph language that the library may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// Along the first axis
    CumSum,
    /// Of a vector, increasing
    Sort,
    ArgMax,
    Cholesky,
    /// `solve_lower(L, b)`: L y = b, b a vector or matrix
    SolveLower,
    /// `solve_upper(L, b)`: Lᵀ y = b
    SolveUpper,
    /// The diagonal of a matrix
    Diagonal,
    /// `identity` of the shape of the type
    Identity,
}

#[derive(Clone, Debug)]
pub enum Subscript {
    /// Counted from 0 (tables with another first index have it subtracted)
    At(Expr),
    /// Static, `from .. from + count - 1`
    Range { from: usize, count: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Local(LocalId),
    Var(VarId),
    Param(ParamId),
}

#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Estimator {
    /// Exact for small finite support, else pathwise if reparameterised, else score function
    #[default]
    Chosen,
    Pathwise,
    ScoreFunction,
    /// Of bits: a continuous draw at a temperature in their place, biased
    GumbelSoftmax(f64),
    /// Of bits: the gradient of the probability in place of that of the draw, biased
    StraightThrough,
}

#[derive(Clone, Debug)]
pub struct Draw {
    pub target: Place,
    /// Of type `Distribution`
    pub dist: Expr,
    pub span: Span,
}

/// `ELBO(p, q)`, `IWAE(p, q, samples: n)`
#[derive(Clone, Debug)]
pub struct Bound {
    pub p: DensityId,
    pub q: DensityId,
    pub samples: Option<usize>,
    pub estimator: Estimator,
    pub times: Times,
}

/// Over which steps of a chain a bound sums: `ELBO(p, q, t: sampled)`.
#[derive(Clone, Debug, Default)]
pub enum Times {
    #[default]
    All,
    /// One for each row, all with the same probability
    Uniform,
    /// One for each row, with probability proportional to an array of weights
    Importance(Box<Expr>),
}

/// `d(targets | given)`; a value where one is substituted: `p(x = y | z = w)`.
#[derive(Clone, Debug)]
pub struct Query {
    pub density: DensityId,
    pub targets: Vec<(VarId, Option<Expr>)>,
    pub given: Vec<(VarId, Option<Expr>)>,
    /// Members of chains among the targets: `p(z[t] | x)`
    pub member_targets: Vec<MemberQuery>,
    /// Members of chains among the given
    pub member_given: Vec<MemberQuery>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    Let(Pattern, Expr),
    Draw(Draw),
    /// Rebinds a local, or a variable that was drawn before
    Assign(Place, Expr),
    /// `index` takes `from`, then one nearer to `to`, until `to`. `carried`: the outer names that the body rebinds
    For {
        index: LocalId,
        from: i64,
        to: i64,
        body: Vec<Stmt>,
        carried: Vec<Place>,
    },
    While {
        condition: Expr,
        body: Vec<Stmt>,
        carried: Vec<Place>,
    },
    Require(Require),
}

/// `require(condition, "text {}", value)`
#[derive(Clone, Debug)]
pub struct Require {
    pub condition: Expr,
    /// What stands around the values: one text more than there are of them
    pub text: Vec<String>,
    /// Real numbers
    pub values: Vec<Expr>,
}

#[derive(Clone, Debug)]
pub enum Pattern {
    Local(LocalId),
    Tuple(Vec<Pattern>),
}
