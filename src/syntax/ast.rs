//! The tree of a file, as written. Names are not resolved; nothing is checked beyond the grammar.

use crate::base::Span;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub decls: Vec<Decl>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Decl {
    pub kind: DeclKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum DeclKind {
    /// `use path::{a, b}`
    Use {
        path: Vec<Ident>,
        names: Vec<Ident>,
    },
    /// `dim D = 2, K = 3`
    Dim(Vec<(Ident, Expr)>),
    /// `let b = 0.1, c = 2`, `let beta[t in 1..T] = …`
    Let(Vec<LetDef>),
    /// `data x : T = source  split: 0.1`; several variables stand in parentheses
    Data {
        vars: Vec<VarDecl>,
        source: Option<Expr>,
        settings: Vec<Setting>,
    },
    /// `var x[0..T] : T`, `var x(t in 0..1) : T`, `global z : T`
    Var {
        global: bool,
        vars: Vec<VarDecl>,
    },
    /// `param W : T ~ dist, b : T = value`
    Param(Vec<ParamDef>),
    Fn(FnDecl),
    Layer(FnDecl),
    Net(FnDecl),
    /// `p(a | b) = dist`, `p(a) ∝ e`
    Factor(Factor),
    /// `q : dx = f dt + g dW`, `q : x(t) = a(t) * x(0) + b(t) * noise`
    Equation {
        density: Ident,
        equation: Equation,
    },
    /// `p = reverse(q, noise: eps)`
    Density {
        name: Ident,
        value: Expr,
    },
    Objective {
        name: Ident,
        value: Expr,
    },
    Metric {
        name: Ident,
        value: Expr,
    },
    Train {
        name: Option<Ident>,
        body: Vec<Stmt>,
        settings: Vec<Setting>,
    },
    /// `sample name = e as picture`
    Sample {
        name: Ident,
        value: Expr,
        picture: Option<Expr>,
    },
    /// `dist Normal(mean : Real, std : Positive) : Real { members }`
    Dist(Declared),
    /// `bijector exp(x : Real) : Positive { members }`
    Bijector(Declared),
    /// `optimizer Adam(rate : Real, b1 = 0.9) { members }`
    Optimizer(Declared),
    /// `kernel …` (Markov kernels)
    Kernel(Declared),
    /// `rule KL(Normal(m1, s1) || Normal(m2, s2)) = e  from "source"`
    Rule {
        pattern: Expr,
        value: Expr,
        source: Option<String>,
    },
    /// `process vp(x, bmin = 0.1, bmax = 20) : dx = f dt + g dW  from "source"`
    Process(ProcessDecl),
}

/// A forward process under a name, for any family.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessDecl {
    pub name: Ident,
    /// The first stands for the family
    pub params: Vec<FnParam>,
    pub equation: Equation,
    pub source: Option<String>,
}

/// How a forward process is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Equation {
    /// `dx = f dt + g dW`
    Ito { variable: Ident, drift: Option<Expr>, diffusion: Option<Expr> },
    /// `x(t) = a(t) * x(0) + b(t) * noise`
    Interpolant { left: Expr, value: Expr },
    /// `x[t] | x[t-1] ~ dist`
    Kernel(Factor),
}

#[derive(Clone, Debug, PartialEq)]
pub struct LetDef {
    pub name: Ident,
    /// The indices of a table: `beta[t in 1..T]`
    pub indices: Vec<Clause>,
    pub ty: Option<TypeExpr>,
    pub value: Expr,
}

/// `x : T`, `x[0] : T`, `x[0..T] : T`, `x(t in 0..1) : T`; in `data x[0] = …` the type may be absent.
#[derive(Clone, Debug, PartialEq)]
pub struct VarDecl {
    pub name: Ident,
    pub family: VarFamily,
    pub ty: Option<TypeExpr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum VarFamily {
    Single,
    /// `x[0..T]`
    Chain {
        from: Expr,
        to: Expr,
    },
    /// `x(t in 0..1)`
    Process {
        time: Ident,
        from: Expr,
        to: Expr,
    },
    /// One member of a chain: `x[0]`
    AtIndex(Expr),
    /// One member of a process: `x(0)`
    AtTime(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ParamDef {
    pub name: Ident,
    pub ty: TypeExpr,
    /// `~ dist`: drawn from it at the start
    pub init_dist: Option<Expr>,
    /// `= value`
    pub init_value: Option<Expr>,
}

/// `fn`, `layer`, `net`: `name[sizes](params) -> type body`.
#[derive(Clone, Debug, PartialEq)]
pub struct FnDecl {
    pub name: Ident,
    /// `dense[out]`, `gpt[layers, heads, width]`; the last may be a list `hidden..`
    pub sizes: Vec<SizeParam>,
    pub params: Vec<FnParam>,
    pub result: Option<TypeExpr>,
    /// A `Block` where the body stands in braces, otherwise the expression after `=`
    pub body: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SizeParam {
    pub name: Ident,
    /// `hidden..`: takes all sizes that the others leave over
    pub variadic: bool,
    pub default: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FnParam {
    pub name: Ident,
    pub ty: Option<TypeExpr>,
    pub default: Option<Expr>,
}

/// The shared shape of `dist`, `bijector`, `optimizer` and `kernel`.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub name: Ident,
    pub sizes: Vec<SizeParam>,
    pub params: Vec<FnParam>,
    /// `: T`, the type of the values of a distribution
    pub ty: Option<TypeExpr>,
    pub members: Vec<Member>,
    /// `from "source"`, after the braces
    pub source: Option<String>,
}

/// `mean = e`, `log_prob(x) = e`, `draw { … }`, `state m = 0`
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: Ident,
    /// Written `state name = e`
    pub state: bool,
    pub params: Vec<FnParam>,
    pub body: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    pub density: Ident,
    pub targets: Vec<VarDecl>,
    pub given: Vec<VarDecl>,
    /// `∝` rather than `=`
    pub unnormalised: bool,
    pub value: Expr,
}

/// `name: value` after the braces or the source
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub name: Ident,
    pub value: Expr,
}

/// `Real[N, <=L]`, `Cat<K>[<=L]`, `Simplex[K]`, `(A, B)`, `(A, B) -> C`
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    pub kind: TypeExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TypeExprKind {
    Named { name: Ident, bound: Option<Box<Expr>>, shape: Vec<Axis> },
    Tuple(Vec<TypeExpr>),
    Fn { params: Vec<TypeExpr>, result: Box<TypeExpr> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub size: Expr,
    /// `<=L`: ragged, at most this long
    pub ragged: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `let (a, b) = e`
    Let {
        pattern: Pattern,
        ty: Option<TypeExpr>,
        value: Expr,
    },
    /// `param W : T ~ dist` inside a layer or net
    Param(Vec<ParamDef>),
    /// `z ~ dist`, `x[T] ~ dist`
    Draw {
        target: Expr,
        dist: Expr,
    },
    /// `x = e`: rebinds
    Assign {
        target: Expr,
        value: Expr,
    },
    Optimise(Optimise),
    /// `update a = e`
    Update {
        target: Expr,
        value: Expr,
    },
    /// `repeat n { … }`, `repeat w in hidden { … }`
    Repeat {
        index: Option<Ident>,
        times: Expr,
        body: Vec<Stmt>,
    },
    /// `for t in T..1 { … }`
    For {
        index: Ident,
        range: Expr,
        body: Vec<Stmt>,
    },
    While {
        condition: Expr,
        body: Vec<Stmt>,
    },
    /// `if c { … } else { … }` as a statement
    If {
        condition: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// The value of a block
    Expr(Expr),
}

/// `maximize|minimize e [over nets] [exactly | by method] [with optimiser]`
#[derive(Clone, Debug, PartialEq)]
pub struct Optimise {
    pub maximize: bool,
    pub value: Expr,
    pub over: Vec<Ident>,
    pub method: Method,
    pub optimiser: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    Unstated,
    Exactly,
    By(Expr),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    Name(Ident),
    Tuple(Vec<Pattern>, Span),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number as written, kept for the formatter
    Number {
        value: f64,
        integer: bool,
        text: String,
    },
    Text(String),
    Bool(bool),
    Name(Ident),
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `x'`
    Transpose(Box<Expr>),
    /// `a..b`, inclusive at both ends; `T..1` counts down
    Range {
        from: Box<Expr>,
        to: Box<Expr>,
    },
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Tuple(Vec<Expr>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `[e for i in D if c]`
    Comprehension {
        body: Box<Expr>,
        clauses: Vec<Clause>,
        condition: Option<Box<Expr>>,
    },
    /// `f(args)`, `p(x | z)`, `sum(e for i in D)`, `KL(a || b)`
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
        given: Option<Vec<Arg>>,
    },
    /// `x[i]`, `dense[H]`, `E[z ~ q, samples: 8]`
    Bracket {
        base: Box<Expr>,
        args: Vec<Arg>,
    },
    /// `p(x | z).mean`
    Member {
        base: Box<Expr>,
        name: Ident,
    },
    Block(Vec<Stmt>),
}

/// One argument between parentheses or brackets.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub kind: ArgKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ArgKind {
    Positional(Expr),
    /// `cov: S[k]`
    Named(Ident, Expr),
    /// `x = y`, a substitution in a query
    Substituted(Expr, Expr),
    /// `z ~ q(z | x)`
    Draw(Expr, Expr),
    /// `e for i in D, j in K if c`, the only argument of `sum`, `mean`, …
    Comprehension {
        body: Expr,
        clauses: Vec<Clause>,
        condition: Option<Expr>,
    },
}

/// `i in D`, `t in 1..T`
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub index: Ident,
    pub over: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Neg,
    Not,
    /// The prefix word `log`, as in `log p(x)` and `log 2`
    Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    /// `@`
    MatMul,
    /// `++`
    Join,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    /// `||` between the arguments of a divergence
    Parallel,
}
