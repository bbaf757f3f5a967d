//! The names of a program before anything is typed: which declaration each top-level name of the file and of the library is.

use super::library::Entry;
use super::listed::Listed;
use super::process::MAKERS;
use crate::base::{Code, Diagnostic, Diagnostics, FileId, Span};
use crate::syntax::ast::{self, DeclKind, Declared, FnDecl, FnParam, Ident, LetDef, Member, ParamDef, SizeParam, TypeExpr};
use std::collections::{HashMap, HashSet};

/// What a top-level name stands for. Numbers index the tables of [`Declarations`].
#[derive(Clone, Debug)]
pub enum Global {
    Dim(usize),
    Let(usize),
    Var,
    Param(usize),
    Definition(usize),
    Density,
    Quantity(usize),
    /// The overloads
    Dist(Vec<usize>),
    Optimiser(usize),
    /// A `process` declaration
    Process(usize),
    Sample,
    /// Declared by something that was reported as not supported: uses say nothing more
    Unsupported,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefinitionKind {
    Fn,
    Layer,
    Net,
    Bijector,
}

#[derive(Clone, Copy, Debug)]
pub struct Definition<'a> {
    pub kind: DefinitionKind,
    pub decl: Signature<'a>,
    /// Of a bijector: `forward`, `inverse(y)`, `log_det`
    pub members: &'a [Member],
    pub library: bool,
}

impl Definition<'_> {
    /// A net that is no family: the file has it once.
    pub fn is_lone_net(&self) -> bool {
        self.kind == DefinitionKind::Net && self.decl.sizes.is_empty()
    }
}

/// What `fn`, `layer`, `net` and `bijector` have in common.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    pub name: &'a Ident,
    pub sizes: &'a [SizeParam],
    pub params: &'a [FnParam],
    pub result: Option<&'a TypeExpr>,
    pub body: &'a ast::Expr,
}

impl<'a> From<&'a FnDecl> for Signature<'a> {
    fn from(decl: &'a FnDecl) -> Signature<'a> {
        Signature { name: &decl.name, sizes: &decl.sizes, params: &decl.params, result: decl.result.as_ref(), body: &decl.body }
    }
}

#[derive(Clone, Copy)]
pub struct RuleDecl<'a> {
    pub pattern: &'a ast::Expr,
    pub value: &'a ast::Expr,
    pub source: &'a Option<String>,
    pub span: Span,
    pub library: bool,
}

#[derive(Default)]
pub struct Declarations<'a> {
    pub library_files: Vec<FileId>,
    user: HashMap<&'a str, (Global, Span)>,
    library: HashMap<&'a str, (Global, Span)>,
    /// What `process` declarations are called, wherever they stand
    process_names: HashSet<&'a str>,
    /// How each process names its time
    pub times: HashMap<&'a str, &'a ast::Ident>,
    pub dims: Vec<(&'a ast::Ident, &'a ast::Expr)>,
    pub lets: Vec<Listed<'a, &'a LetDef>>,
    pub params: Vec<&'a ParamDef>,
    pub definitions: Vec<Listed<'a, Definition<'a>>>,
    pub dists: Vec<Listed<'a, &'a Declared>>,
    pub optimisers: Vec<Listed<'a, &'a Declared>>,
    pub bijectors: Vec<Listed<'a, &'a Declared>>,
    pub rules: Vec<Listed<'a, RuleDecl<'a>>>,
    pub processes: Vec<Listed<'a, &'a ast::ProcessDecl>>,
    /// Name, value and whether it is a metric
    pub quantities: Vec<(&'a ast::Ident, &'a ast::Expr, bool, Span)>,
}

impl<'a> Declarations<'a> {
    pub fn collect(file: &'a ast::File, library: &'a [Entry], problems: &mut Diagnostics) -> Declarations<'a> {
        let mut library_files: Vec<FileId> = library.iter().map(|entry| entry.span().file).collect();
        library_files.dedup();
        let mut all = Declarations { library_files, ..Declarations::default() };
        for entry in library {
            all.add_entry(entry, problems);
        }
        all.process_names = all.processes.iter().map(|process| process.name).chain(file.decls.iter().filter_map(process_name)).collect();
        for decl in &file.decls {
            all.add(decl, problems);
        }
        all
    }

    /// The declaration behind a name, as seen from the library or from the user's file.
    pub fn get(&self, name: &str, from_library: bool) -> Option<&Global> {
        let own = if from_library { None } else { self.user.get(name) };
        own.or_else(|| self.library.get(name)).map(|(global, _)| global)
    }

    pub fn names(&self, from_library: bool) -> impl Iterator<Item = &'a str> {
        let own = if from_library { None } else { Some(self.user.keys().copied()) };
        own.into_iter().flatten().chain(self.library.keys().copied())
    }

    /// The distributions of the library that have this name.
    pub fn library_dists(&self, name: &str) -> &[usize] {
        match self.get(name, true) {
            Some(Global::Dist(overloads)) => overloads,
            Some(_) | None => &[],
        }
    }

    /// A declaration of the library, by its first words alone.
    fn add_entry(&mut self, entry: &'a Entry, problems: &mut Diagnostics) {
        let global = match entry.keyword() {
            "let" => Global::Let(put(&mut self.lets, Listed::in_library(entry))),
            "fn" | "layer" | "net" => self.define(Listed::in_library(entry)),
            "bijector" => {
                self.bijectors.push(Listed::in_library(entry));
                self.define(Listed::in_library(entry))
            }
            "dist" => return self.add_dist(Listed::in_library(entry), entry.name_span(), problems),
            "optimizer" => Global::Optimiser(put(&mut self.optimisers, Listed::in_library(entry))),
            "process" => Global::Process(put(&mut self.processes, Listed::in_library(entry))),
            "rule" => return self.rules.push(Listed::in_library(entry)),
            other => return problems.push(Diagnostic::internal(format!("the library declares a `{other}`")).at(entry.span())),
        };
        self.insert(entry.name(), entry.name_span(), global, true, problems);
    }

    /// A declaration of the user's file.
    fn add(&mut self, decl: &'a ast::Decl, problems: &mut Diagnostics) {
        let mut names: Vec<(&'a ast::Ident, Global)> = vec![];
        match &decl.kind {
            DeclKind::Use { names: used, .. } => names.extend(used.iter().map(|name| (name, Global::Unsupported))),
            DeclKind::Dim(dims) => {
                for (name, value) in dims {
                    names.push((name, Global::Dim(put(&mut self.dims, (name, value)))));
                }
            }
            DeclKind::Let(lets) => {
                for def in lets {
                    names.push((&def.name, Global::Let(put(&mut self.lets, Listed::parsed(&def.name.name, def)))));
                }
            }
            DeclKind::Data { vars, .. } | DeclKind::Var { vars, .. } => self.add_vars(vars, problems),
            DeclKind::Param(params) => {
                for param in params {
                    names.push((&param.name, Global::Param(put(&mut self.params, param))));
                }
            }
            DeclKind::Fn(FnDecl { name, .. }) | DeclKind::Layer(FnDecl { name, .. }) | DeclKind::Net(FnDecl { name, .. }) => {
                names.extend(definition(decl, false).map(|made| (name, self.define(Listed::parsed(&name.name, made)))));
            }
            DeclKind::Factor(factor) => {
                self.add_vars(&factor.targets, problems);
                self.add_density(&factor.density, Global::Density, problems);
            }
            DeclKind::Equation { density, .. } => self.add_density(density, Global::Density, problems),
            DeclKind::Process(process) => {
                let listed = Listed::parsed(process.name.name.as_str(), process);
                names.push((&process.name, Global::Process(put(&mut self.processes, listed))));
            }
            DeclKind::Density { name, value } => {
                let makes = |maker: &str| {
                    maker == "frozen" || maker == "pushforward" || MAKERS.contains(&maker) || self.process_names.contains(maker)
                };
                let known = matches!(&value.kind, ast::ExprKind::Call { callee, .. }
                    if matches!(&callee.kind, ast::ExprKind::Name(name) if makes(&name.name)));
                names.push((name, if known { Global::Density } else { Global::Unsupported }));
            }
            DeclKind::Objective { name, value } => names.push((name, self.quantity(name, value, false, decl.span))),
            DeclKind::Metric { name, value } => names.push((name, self.quantity(name, value, true, decl.span))),
            DeclKind::Train { .. } => {}
            DeclKind::Sample { name, .. } => names.push((name, Global::Sample)),
            DeclKind::Dist(declared) => {
                return self.add_dist(Listed::parsed(declared.name.name.as_str(), declared), declared.name.span, problems);
            }
            DeclKind::Bijector(declared) => {
                self.bijectors.push(Listed::parsed(declared.name.name.as_str(), declared));
                names.push((&declared.name, self.define_bijector(decl, &declared.name, problems)));
            }
            DeclKind::Optimizer(declared) => {
                let listed = Listed::parsed(declared.name.name.as_str(), declared);
                names.push((&declared.name, Global::Optimiser(put(&mut self.optimisers, listed))));
            }
            DeclKind::Kernel(declared) => names.push((&declared.name, Global::Unsupported)),
            DeclKind::Rule { pattern, .. } => {
                let about = called(pattern).map_or("", |name| &name.name);
                self.rules.extend(rule(decl, false).map(|rule| Listed::parsed(about, rule)));
            }
        }
        for (name, global) in names {
            self.insert(&name.name, name.span, global, false, problems);
        }
    }

    fn insert(&mut self, name: &'a str, span: Span, global: Global, library: bool, problems: &mut Diagnostics) {
        let table = if library { &mut self.library } else { &mut self.user };
        match table.get(name) {
            Some((_, first)) => problems.push(duplicate(name, span, *first)),
            None => {
                table.insert(name, (global, span));
            }
        }
    }

    /// Variables whose type stands here. One without a type refers to a declared one: `p(x | z)`, `data x[0] = …`.
    fn add_vars(&mut self, vars: &'a [ast::VarDecl], problems: &mut Diagnostics) {
        for var in vars.iter().filter(|var| var.ty.is_some()) {
            let global = match var.family {
                ast::VarFamily::Single | ast::VarFamily::Chain { .. } => Global::Var,
                ast::VarFamily::Process { ref time, .. } => {
                    self.times.insert(&var.name.name, time);
                    Global::Var
                }
                ast::VarFamily::AtIndex(_) | ast::VarFamily::AtTime(_) => Global::Unsupported,
            };
            self.insert(&var.name.name, var.name.span, global, false, problems);
        }
    }

    /// A density is declared by each of its factors.
    fn add_density(&mut self, name: &'a ast::Ident, global: Global, problems: &mut Diagnostics) {
        match self.user.get_mut(name.name.as_str()) {
            Some((Global::Density | Global::Unsupported, _)) => {}
            _ => self.insert(&name.name, name.span, global, false, problems),
        }
    }

    fn add_dist(&mut self, listed: Listed<'a, &'a Declared>, span: Span, problems: &mut Diagnostics) {
        let (name, library) = (listed.name, listed.library);
        let id = put(&mut self.dists, listed);
        let table = if library { &mut self.library } else { &mut self.user };
        match table.get_mut(name) {
            Some((Global::Dist(overloads), _)) => overloads.push(id),
            _ => self.insert(name, span, Global::Dist(vec![id]), library, problems),
        }
    }

    fn define(&mut self, definition: Listed<'a, Definition<'a>>) -> Global {
        Global::Definition(put(&mut self.definitions, definition))
    }

    fn define_bijector(&mut self, decl: &'a ast::Decl, name: &'a Ident, problems: &mut Diagnostics) -> Global {
        match definition(decl, false) {
            Some(made) => self.define(Listed::parsed(&name.name, made)),
            None => {
                let problem = Diagnostic::new(Code::UnknownArgument, format!("`{}` needs `forward` or `inverse(y)`", name.name));
                problems.push(problem.at(name.span).help("add `forward = …`: inverse and log-determinant are derived from it"));
                Global::Unsupported
            }
        }
    }

    fn quantity(&mut self, name: &'a ast::Ident, value: &'a ast::Expr, metric: bool, span: Span) -> Global {
        self.quantities.push((name, value, metric, span));
        Global::Quantity(self.quantities.len() - 1)
    }
}

/// Adds to a table, and says where.
fn put<T>(table: &mut Vec<T>, item: T) -> usize {
    table.push(item);
    table.len() - 1
}

/// A `fn`, `layer` or `net`; a `bijector` that has a `forward` or an `inverse`.
pub(super) fn definition(decl: &ast::Decl, library: bool) -> Option<Definition<'_>> {
    let (kind, decl) = match &decl.kind {
        DeclKind::Fn(decl) => (DefinitionKind::Fn, decl),
        DeclKind::Layer(decl) => (DefinitionKind::Layer, decl),
        DeclKind::Net(decl) => (DefinitionKind::Net, decl),
        DeclKind::Bijector(declared) => return bijector(declared, library),
        _ => return None,
    };
    Some(Definition { kind, decl: decl.into(), members: &[], library })
}

/// The body of a bijector is its forward map; one that is given by its inverse alone has that.
fn bijector(declared: &Declared, library: bool) -> Option<Definition<'_>> {
    let member = |name: &str| declared.members.iter().find(|member| member.name.name == name);
    let main = member("forward").or_else(|| member("inverse"))?;
    let decl = Signature {
        name: &declared.name,
        sizes: &declared.sizes,
        params: &declared.params,
        result: declared.ty.as_ref(),
        body: &main.body,
    };
    Some(Definition { kind: DefinitionKind::Bijector, decl, members: &declared.members, library })
}

fn process_name(decl: &ast::Decl) -> Option<&str> {
    match &decl.kind {
        DeclKind::Process(process) => Some(&process.name.name),
        _ => None,
    }
}

pub(super) fn rule(decl: &ast::Decl, library: bool) -> Option<RuleDecl<'_>> {
    match &decl.kind {
        DeclKind::Rule { pattern, value, source } => Some(RuleDecl { pattern, value, source, span: decl.span, library }),
        _ => None,
    }
}

/// `f` in `f(x)`
fn called(e: &ast::Expr) -> Option<&Ident> {
    let ast::ExprKind::Call { callee, .. } = &e.kind else { return None };
    match &callee.kind {
        ast::ExprKind::Name(name) => Some(name),
        _ => None,
    }
}

fn duplicate(name: &str, second: Span, first: Span) -> Diagnostic {
    Diagnostic::new(Code::DuplicateName, format!("`{name}` is declared twice"))
        .label(second, "declared again here")
        .label(first, "first declared here")
        .help("give one of the two another name")
}
