//! The checked program: every name resolved, every expression typed, every generic function, layer and distribution instantiated
//! for the sizes at which it is used. `algebra/` gives it a meaning as graphs and needs no type rule of its own.

mod chain;
mod conjugate;
mod expr;
mod process;

pub use chain::{At, GivenMember, MemberFactor, MemberQuery, Which};
pub use conjugate::{Argument as ConjugateArgument, Conjugate, ConjugateKind, Marginal};
pub use expr::{
    Bound, Draw, Estimator, Expr, ExprKind, Fold, Noise, Pattern, Place, Primitive, Query, Require, Stmt, StmtKind, Subscript, Times,
};
pub use process::{
    Guidance, Guided, Initial, Prediction, Process, ProcessKind, ProcessMember, Reverse, StateFactor, Variance, constant_time,
};

use super::types::Type;
use crate::base::op::DType;
use crate::base::{Arena, Id, Span};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub dims: Vec<(String, usize)>,
    pub locals: Arena<Local>,
    pub consts: Arena<Const>,
    pub data: Arena<Data>,
    pub vars: Arena<Var>,
    pub params: Arena<Param>,
    pub functions: Arena<Function>,
    pub dists: Arena<Dist>,
    /// Uses of `bijector` declarations
    pub bijectors: Arena<Bijector>,
    pub pushforwards: Arena<Pushforward>,
    pub rules: Vec<Rule>,
    pub conjugates: Vec<Conjugate>,
    pub marginals: Vec<Marginal>,
    pub densities: Arena<Density>,
    pub optimisers: Arena<Optimiser>,
    /// `objective` and `metric` declarations, in order
    pub quantities: Arena<Quantity>,
    pub trains: Vec<Train>,
    pub samples: Vec<Sample>,
}

pub type LocalId = Id<Local>;
pub type ConstId = Id<Const>;
pub type VarId = Id<Var>;
pub type ParamId = Id<Param>;
pub type FunctionId = Id<Function>;
pub type DistId = Id<Dist>;
pub type BijectorId = Id<Bijector>;
pub type PushforwardId = Id<Pushforward>;
pub type DensityId = Id<Density>;
pub type QuantityId = Id<Quantity>;
pub type OptimiserId = Id<Optimiser>;

/// A name bound inside an expression: an argument, a `let`, a comprehension index, a draw.
#[derive(Clone, Debug)]
pub struct Local {
    pub name: String,
    pub ty: Type,
    pub span: Span,
}

/// A top-level `let`. A table `let beta[t in 1..T]` has its indices as leading axes of `ty`; `value` is one entry.
#[derive(Clone, Debug)]
pub struct Const {
    pub name: String,
    pub indices: Vec<Index>,
    pub value: Expr,
    pub ty: Type,
    pub span: Span,
    /// Its elements, once they have been asked for
    pub known: OnceLock<Known>,
}

/// The elements of a constant, in row-major order.
#[derive(Clone, Debug)]
pub struct Known {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub values: Arc<[f64]>,
}

/// A comprehension or table index that runs over `first .. first + count - 1`, as a local of type `Int`.
#[derive(Clone, Debug)]
pub struct Index {
    pub local: LocalId,
    pub first: i64,
    pub count: usize,
}

/// One `data` declaration: several variables when the source gives tuples. Rows are one more axis in the source than in the types.
#[derive(Clone, Debug)]
pub struct Data {
    pub vars: Vec<VarId>,
    pub source: Source,
    /// The source is one value of the type: there are no rows
    pub object: bool,
    /// The fraction of rows held out for metrics
    pub split: f64,
    pub span: Span,
}

/// What stands after `data x : T =`, with constant arguments.
#[derive(Clone, Debug)]
pub enum Source {
    /// `mnist().binary`, `csv("a.csv", columns: ...)`
    Named { name: String, args: Vec<(Option<String>, Argument)>, field: Option<String>, span: Span },
    /// Numbers in the file: shape with the axis of rows, values in row-major order
    Values { shape: Vec<usize>, values: Vec<f64>, span: Span },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    Number(f64),
    Text(String),
    List(Vec<Argument>),
}

/// A random variable. Names are identities: the same name in every density is the same variable.
#[derive(Clone, Debug)]
pub struct Var {
    pub name: String,
    pub ty: Type,
    /// The `data` declaration that observes it
    pub observed: Option<Id<Data>>,
    /// One value for all rows of the data
    pub global: bool,
    pub family: Family,
    pub span: Span,
}

/// Whether a variable is one or an indexed family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Single,
    /// The leading axis of its type is that of members
    Chain {
        from: i64,
        to: i64,
    },
    /// The only member of a chain that is data: `data x[0] = …`
    Member {
        of: VarId,
        at: i64,
    },
    /// The type is that of the state at one time
    Process {
        from: f64,
        to: f64,
    },
    /// The state of a process at a time at which it is data: `data x(0) = …`
    Instant {
        of: VarId,
        at: f64,
    },
}

/// Something learned. `path` is unique: `theta`, `enc.dense1.W`.
#[derive(Clone, Debug)]
pub struct Param {
    pub path: String,
    pub ty: Type,
    pub init: Init,
    /// For constrained types: from an unconstrained array to one value of the type and back. Over one event of the support
    /// (a scalar for `Positive`, `[K]` for `Simplex`, `[D, D]` for `Cov`); leading axes are plates
    pub constraint: Option<Constraint>,
    /// The net in which it was made, for `over G`
    pub net: Option<String>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Init {
    /// Of the parameter's type or a scalar that fills it (before the constraint is inverted)
    Value(Expr),
    /// `~ dist`: of type `Distribution`
    Draw(Expr),
    /// `~ rows(x)`: distinct rows of the data, as many as the leading axis
    Rows(VarId),
}

#[derive(Clone, Debug)]
pub struct Constraint {
    pub forward: FunctionId,
    /// Derived from `forward` where it is not given
    pub inverse: Option<FunctionId>,
}

/// One instance of a `fn`, `layer`, `net`, or of a member of a library declaration. A layer's use and a turn of `repeat` are
/// instances of their own, with their own parameters; a net is one instance.
#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    /// Processes and sizes that are settled in this instance, as they read in a derivation
    pub settled: Vec<String>,
    pub params: Vec<LocalId>,
    pub body: Expr,
    pub span: Span,
}

/// One instance of a `dist` declaration. Over events of type `event`; when it is used over more axes, these lead in every
/// argument and in the value (or an argument lacks them all and is repeated), and the density is the product over them.
#[derive(Clone, Debug)]
pub struct Dist {
    /// `Normal`
    pub name: String,
    pub params: Vec<LocalId>,
    pub event: Type,
    /// Takes the value, then the parameters
    pub log_prob: FunctionId,
    /// Takes the parameters; uses `Noise`
    pub draw: Option<FunctionId>,
    /// `mean`, `var`, `std`, `mode`, `entropy`, …: take the parameters
    pub members: BTreeMap<String, FunctionId>,
    pub span: Span,
}

/// One use of a `bijector`. All functions take what is mapped, then the other arguments; what the file does not give is derived.
#[derive(Clone, Debug)]
pub struct Bijector {
    pub name: String,
    /// From u to y. Forward or inverse is given
    pub forward: Option<FunctionId>,
    /// From y to u
    pub inverse: Option<FunctionId>,
    /// log |det ∂y/∂u|, of u
    pub log_det: Option<FunctionId>,
    pub span: Span,
}

/// `pushforward(f, base)`. Its `Dist` binds the parameters of the base and the further arguments of f as locals.
#[derive(Clone, Debug)]
pub struct Pushforward {
    /// The name of f
    pub map: String,
    /// The base with these parameters
    pub base: Expr,
    /// A draw of it
    pub input: LocalId,
    /// f(input, further arguments)
    pub image: Expr,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// `KL(a || b)`
    Kl,
    /// `H(a)`
    Entropy,
    /// `cross_entropy(a || b)`: minus the expectation under a of the log-density of b
    CrossEntropy,
    /// `maximum_likelihood(x ~ a)`: takes a draw before the parameters, and yields the distribution with the parameters that make
    /// the draws most likely. Sums over all draws are [`ExprKind::Total`]
    MaximumLikelihood,
}

/// A closed form from a `rule` declaration, instantiated for distributions. Takes the parameters of all of them in order; before
/// those of a distribution from which the pattern draws, the draw.
#[derive(Clone, Debug)]
pub struct Rule {
    pub kind: RuleKind,
    pub dists: Vec<DistId>,
    /// Of a maximum of the likelihood: the positions of the parameters that are fitted; the others are known
    pub fitted: Vec<usize>,
    pub function: FunctionId,
    /// The literature source
    pub source: Option<String>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Density {
    pub name: String,
    pub factors: Vec<Factor>,
    /// Factors between members of chains
    pub chain: Vec<MemberFactor>,
    pub process: Option<Process>,
    /// Factors given the state of the process
    pub states: Vec<StateFactor>,
    /// Of the first state of the process
    pub initial: Option<Initial>,
    /// `ref = frozen(pi)`: the factors are those of the other, with derivative zero
    pub frozen: bool,
    pub span: Span,
}

/// `p(a | b) = dist`. In `dist`, the given variables are `ExprKind::Var`.
#[derive(Clone, Debug)]
pub struct Factor {
    pub targets: Vec<VarId>,
    pub given: Vec<VarId>,
    /// Of type `Distribution(type of the target)`
    pub dist: Expr,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Quantity {
    pub name: String,
    pub metric: bool,
    pub value: Expr,
    pub span: Span,
}

/// An `optimizer` declaration with its arguments, for one scalar of a parameter; lifted over all elements.
#[derive(Clone, Debug)]
pub struct Optimiser {
    pub name: String,
    /// Constants or expressions of consts: the learning rate and so on
    pub params: Vec<LocalId>,
    pub args: Vec<Expr>,
    /// The state: its name, local and start value
    pub states: Vec<(String, LocalId, Expr)>,
    /// The parameter, its gradient (of the quantity to be minimised), the number of this step from 1
    pub x: LocalId,
    pub gradient: LocalId,
    pub step: LocalId,
    /// A tuple: the new parameter, then the new states
    pub update: Expr,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Train {
    pub name: Option<String>,
    pub body: Vec<TrainStmt>,
    pub settings: Settings,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TrainStmt {
    /// `let`, draws, assignments
    Plain(Stmt),
    Optimise(Optimise),
    /// `repeat n { … }`
    Repeat {
        times: usize,
        body: Vec<TrainStmt>,
    },
}

#[derive(Clone, Debug)]
pub struct Optimise {
    pub maximize: bool,
    pub value: Expr,
    /// All parameters on which the value depends, unless `over` named some
    pub over: Option<Vec<ParamId>>,
    pub method: Method,
    pub span: Span,
}

/// How the maximum is looked for.
#[derive(Clone, Debug)]
pub enum Method {
    Gradient {
        optimiser: OptimiserId,
    },
    /// In closed form, in one step
    Exactly,
    /// Expectation-maximisation; `otherwise` moves the parameters for which no rule knows the M-step
    Em {
        otherwise: OptimiserId,
    },
    /// Variational Bayesian EM: coordinate ascent over the factors of q, each in closed form
    Vbem,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub batch: Option<usize>,
    pub steps: Option<u64>,
    pub epochs: Option<u64>,
    /// Decay of an exponential moving average of the parameters, used for metrics and samples
    pub ema: Option<f64>,
    /// Bound on the Euclidean norm of the whole gradient
    pub clip: Option<f64>,
    /// By EM: end when an iteration raises the objective by less
    pub tolerance: Option<f64>,
    pub seed: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub name: String,
    /// One draw
    pub value: Expr,
    pub picture: Option<Picture>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Picture {
    Image { height: usize, width: usize },
    Scatter,
    Histogram,
    Path,
    Text,
}
