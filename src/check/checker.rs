//! The state of checking: the model so far, the names in scope, the problems found.

use super::chain::MemberScope;
use super::declarations::Declarations;
use super::density::Head;
use super::message;
use super::model::{
    ConstId, Constraint, DensityId, DistId, Expr, ExprKind, FunctionId, Local, LocalId, Model, OptimiserId, ParamId, Place, QuantityId,
    VarId,
};
use super::partial::Partial;
use super::process::{Declared as DeclaredProcess, Instants, Made as MadeProcess};
use super::types::{ArrayType, Type};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Diagnostics, Span};
use crate::syntax::ast;
use std::collections::{HashMap, HashSet};

/// Why an expression has no meaning: a problem to report, or one that was reported already.
#[derive(Clone, Debug)]
pub enum Fault {
    Reported,
    New(Diagnostic),
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Fault {
        Fault::New(diagnostic)
    }
}

pub type Checked<T> = std::result::Result<T, Fault>;

/// Something that may be called, or given to a function as an argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Callable {
    Builtin(String),
    /// A `fn`, `layer` or `net`, with the sizes in its brackets
    Definition(usize, Vec<Size>),
    /// A `fn` some of whose arguments are settled
    Partial(Partial),
    Dist(Vec<usize>),
    Density(DensityId),
    /// A function argument of a definition that is checked alone
    Unknown,
}

#[derive(Clone, Debug)]
pub enum Binding<'a> {
    /// With the number of loops around its declaration
    Local(LocalId, usize),
    /// Stands for an expression: a parameter of a layer
    Value(Box<Expr>),
    Size(Size),
    Sizes(Vec<Size>),
    Callable(Callable),
    /// A member of the declaration whose members are being checked: stands for its body
    Member(&'a ast::Expr),
}

/// Where the layers used in an expression put their parameters.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    pub path: String,
    pub net: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    pub names: Vec<(String, Binding<'a>)>,
    /// Random variables that have a value here
    pub bound: Vec<VarId>,
    /// Inside a factor: data that are not among the givens have no value either
    pub only_bound: bool,
    /// Inside a factor between members of chains
    pub members: MemberScope,
    /// Members of indexed families that have a value here
    pub instants: Instants,
    /// In a `process` declaration: what it calls the family, and which that is here
    pub family: Option<(&'a str, VarId)>,
    /// In a top-level `let`: nothing learned or random
    pub constant: bool,
    /// In a declaration of the standard library
    pub library: bool,
    /// In a rule about observations: `total` sums over them
    pub observing: bool,
    /// `None` in pure functions
    pub instance: Option<Instance>,
    /// Random variables drawn by statements, with the number of loops around the draw
    pub drawn: Vec<(VarId, usize)>,
    /// The outer names that each enclosing loop rebinds
    pub loops: Vec<Vec<Place>>,
    /// How many names belong to the declaration around its members
    pub members_from: usize,
    /// Members being written out, to find circles
    pub expanding: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub enum State<T> {
    #[default]
    New,
    Busy,
    Done(T),
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArgKey {
    Type(Type),
    Size(Size),
    Callable(Callable),
}

/// What was made on demand, by index into the tables of `Declarations`.
#[derive(Clone, Debug, Default)]
pub struct Made<'a> {
    pub dims: HashMap<usize, State<Size>>,
    pub consts: HashMap<usize, State<ConstId>>,
    pub params: HashMap<usize, State<ParamId>>,
    /// `net f[k]` is a network for each k
    pub nets: HashMap<(usize, Vec<Size>), State<FunctionId>>,
    pub functions: HashMap<(usize, Vec<Size>, Vec<ArgKey>), State<FunctionId>>,
    pub quantities: HashMap<usize, State<QuantityId>>,
    pub dists: HashMap<(usize, Vec<Size>), State<DistId>>,
    /// The sizes of each instance of a distribution, by name
    pub dist_sizes: HashMap<DistId, Vec<(String, Size)>>,
    pub factors: HashMap<(DensityId, usize), State<()>>,
    pub constraints: HashMap<(usize, Vec<Size>), Constraint>,
    pub default_optimiser: Option<OptimiserId>,
    /// Densities with a reported factor
    pub poisoned: HashSet<DensityId>,
    /// `ref = frozen(pi)`
    pub frozen: HashMap<DensityId, DensityId>,
    /// By which maker, from which process
    pub made_by: HashMap<DensityId, (&'a str, DensityId)>,
    /// Processes made from others, to be checked
    pub processes: Vec<MadeProcess<'a>>,
    /// Uses of `process` declarations, to be checked
    pub declared: Vec<DeclaredProcess<'a>>,
    /// How many parts of each path there are: `enc.dense` 2
    pub paths: HashMap<String, usize>,
}

#[derive(Clone)]
pub struct Checker<'a> {
    pub declarations: &'a Declarations<'a>,
    pub model: Model,
    pub problems: Diagnostics,
    pub vars: HashMap<String, VarId>,
    pub densities: HashMap<String, DensityId>,
    pub heads: Vec<Head<'a>>,
    pub scope: Scope<'a>,
    pub made: Made<'a>,
    /// The least and the greatest value of each index
    pub extents: HashMap<LocalId, (i64, i64)>,
    /// The uses that lead to the place being checked, outermost first
    pub chain: Vec<(Span, String)>,
}

impl<'a> Checker<'a> {
    pub fn new(declarations: &'a Declarations<'a>, problems: Diagnostics) -> Checker<'a> {
        Checker {
            declarations,
            model: Model::default(),
            problems,
            vars: HashMap::new(),
            densities: HashMap::new(),
            heads: vec![],
            scope: Scope { instance: Some(Instance::default()), ..Scope::default() },
            made: Made::default(),
            extents: HashMap::new(),
            chain: vec![],
        }
    }

    /// Collects a problem. One that shows inside the library is placed at the user's line that led there.
    pub fn report(&mut self, mut diagnostic: Diagnostic) {
        if self.scope.library
            && let Some((span, what)) = self.chain.iter().rev().find(|(span, _)| !self.is_library(*span))
        {
            diagnostic.labels.insert(0, (*span, format!("in {what}")));
        }
        diagnostic.chain = self.chain.clone();
        let same = |d: &Diagnostic| d.code == diagnostic.code && d.span() == diagnostic.span();
        if !self.problems.0.iter().any(same) {
            self.problems.push(diagnostic);
        }
    }

    pub fn fault(&mut self, fault: Fault) {
        if let Fault::New(diagnostic) = fault {
            self.report(diagnostic);
        }
    }

    fn is_library(&self, span: Span) -> bool {
        self.declarations.library_files.contains(&span.file)
    }

    /// The value, or `None` after the fault is reported.
    pub fn settle<T>(&mut self, checked: Checked<T>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(fault);
                None
            }
        }
    }

    pub fn local(&mut self, name: &str, ty: Type, span: Span) -> LocalId {
        self.model.locals.push(Local { name: name.to_string(), ty, span })
    }

    /// A new local, and its name in scope.
    pub fn bind(&mut self, name: &str, ty: Type, span: Span) -> LocalId {
        let id = self.local(name, ty, span);
        let depth = self.scope.loops.len();
        self.scope.names.push((name.to_string(), Binding::Local(id, depth)));
        id
    }

    pub fn read(&self, id: LocalId, span: Span) -> Expr {
        Expr { kind: ExprKind::Local(id), ty: self.model.locals[id].ty.clone(), span }
    }

    /// Names and values bound inside do not outlive it.
    pub fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let (names, bound, drawn) = (self.scope.names.len(), self.scope.bound.len(), self.scope.drawn.len());
        let instants = self.scope.instants.len();
        let result = inside(self);
        self.scope.instants.truncate(instants);
        self.scope.names.truncate(names);
        self.scope.bound.truncate(bound);
        self.scope.drawn.truncate(drawn);
        result
    }

    /// In the empty scope of another declaration, with the use that led there.
    pub fn in_scope<T>(&mut self, scope: Scope<'a>, used: Option<(Span, String)>, inside: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.scope, scope);
        let depth = self.chain.len();
        self.chain.extend(used);
        let result = inside(self);
        self.chain.truncate(depth);
        self.scope = outer;
        result
    }

    /// The array type of an operand, or a fault.
    pub fn array(&self, expr: &Expr) -> Checked<ArrayType> {
        match &expr.ty {
            Type::Array(array) => Ok(array.clone()),
            Type::Error => Err(Fault::Reported),
            Type::Tuple(_) | Type::Distribution(_) => Err(message::not_an_array(expr).into()),
        }
    }
}

impl Expr {
    pub fn new(kind: ExprKind, ty: Type, span: Span) -> Expr {
        Expr { kind, ty, span }
    }

    /// Stands where a mistake was reported.
    pub fn error(span: Span) -> Expr {
        Expr { kind: ExprKind::Tuple(vec![]), ty: Type::Error, span }
    }

    pub fn is_error(&self) -> bool {
        self.ty == Type::Error
    }
}

/// Declarations that need each other.
pub fn circle(name: &str, span: Span) -> Fault {
    Diagnostic::new(Code::Cycle, format!("`{name}` depends on itself"))
        .label(span, "needed here to know what it is")
        .help("break the circle by giving one of the declarations a value of its own")
        .into()
}
