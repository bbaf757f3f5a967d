//! The names of a program before anything is typed: which declaration each top-level name of the file and of the library is.

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

#[derive(Clone, Debug)]
pub struct Definition<'a> {
    pub kind: DefinitionKind,
    pub decl: Signature<'a>,
    /// Of a bijector: `forward`, `inverse(y)`, `log_det`
    pub members: &'a [Member],
    pub library: bool,
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

#[derive(Clone, Debug)]
pub struct InLibrary<T> {
    pub decl: T,
    pub library: bool,
}

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
    pub lets: Vec<InLibrary<&'a LetDef>>,
    pub params: Vec<&'a ParamDef>,
    pub definitions: Vec<Definition<'a>>,
    pub dists: Vec<InLibrary<&'a Declared>>,
    pub optimisers: Vec<InLibrary<&'a Declared>>,
    pub bijectors: Vec<InLibrary<&'a Declared>>,
    pub rules: Vec<RuleDecl<'a>>,
    pub processes: Vec<InLibrary<&'a ast::ProcessDecl>>,
    /// Name, value and whether it is a metric
    pub quantities: Vec<(&'a ast::Ident, &'a ast::Expr, bool, Span)>,
}

impl<'a> Declarations<'a> {
    pub fn collect(file: &'a ast::File, library: &'a [ast::File], problems: &mut Diagnostics) -> Declarations<'a> {
        let library_files = library.iter().filter_map(|file| Some(file.decls.first()?.span.file)).collect();
        let mut all = Declarations { library_files, ..Declarations::default() };
        let decls = library.iter().flat_map(|file| &file.decls).chain(&file.decls);
        all.process_names = decls.filter_map(process_name).collect();
        for decl in library.iter().flat_map(|file| &file.decls) {
            all.add(decl, true, problems);
        }
        for decl in &file.decls {
            all.add(decl, false, problems);
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

    fn add(&mut self, decl: &'a ast::Decl, library: bool, problems: &mut Diagnostics) {
        let mut names: Vec<(&'a ast::Ident, Global)> = vec![];
        match &decl.kind {
            DeclKind::Use { names: used, .. } => names.extend(used.iter().map(|name| (name, Global::Unsupported))),
            DeclKind::Dim(dims) => {
                for (name, value) in dims {
                    names.push((name, Global::Dim(self.dims.len())));
                    self.dims.push((name, value));
                }
            }
            DeclKind::Let(lets) => {
                for def in lets {
                    names.push((&def.name, Global::Let(self.lets.len())));
                    self.lets.push(InLibrary { decl: def, library });
                }
            }
            DeclKind::Data { vars, .. } | DeclKind::Var { vars, .. } => self.add_vars(vars, problems),
            DeclKind::Param(params) => {
                for param in params {
                    names.push((&param.name, Global::Param(self.params.len())));
                    self.params.push(param);
                }
            }
            DeclKind::Fn(def) => names.push((&def.name, self.define(DefinitionKind::Fn, def, library))),
            DeclKind::Layer(def) => names.push((&def.name, self.define(DefinitionKind::Layer, def, library))),
            DeclKind::Net(def) => names.push((&def.name, self.define(DefinitionKind::Net, def, library))),
            DeclKind::Factor(factor) => {
                self.add_vars(&factor.targets, problems);
                self.add_density(&factor.density, Global::Density, problems);
            }
            DeclKind::Equation { density, .. } => self.add_density(density, Global::Density, problems),
            DeclKind::Process(process) => {
                names.push((&process.name, Global::Process(self.processes.len())));
                self.processes.push(InLibrary { decl: process, library });
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
            DeclKind::Dist(declared) => return self.add_dist(declared, library, problems),
            DeclKind::Bijector(declared) => {
                self.bijectors.push(InLibrary { decl: declared, library });
                names.push((&declared.name, self.define_bijector(declared, library, problems)));
            }
            DeclKind::Optimizer(declared) => {
                names.push((&declared.name, Global::Optimiser(self.optimisers.len())));
                self.optimisers.push(InLibrary { decl: declared, library });
            }
            DeclKind::Kernel(declared) => names.push((&declared.name, Global::Unsupported)),
            DeclKind::Rule { pattern, value, source } => {
                self.rules.push(RuleDecl { pattern, value, source, span: decl.span, library });
            }
        }
        for (name, global) in names {
            self.insert(name, global, library, problems);
        }
    }

    fn insert(&mut self, name: &'a ast::Ident, global: Global, library: bool, problems: &mut Diagnostics) {
        let table = if library { &mut self.library } else { &mut self.user };
        match table.get(name.name.as_str()) {
            Some((_, first)) => problems.push(duplicate(&name.name, name.span, *first)),
            None => {
                table.insert(&name.name, (global, name.span));
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
            self.insert(&var.name, global, false, problems);
        }
    }

    /// A density is declared by each of its factors.
    fn add_density(&mut self, name: &'a ast::Ident, global: Global, problems: &mut Diagnostics) {
        match self.user.get_mut(name.name.as_str()) {
            Some((Global::Density | Global::Unsupported, _)) => {}
            _ => self.insert(name, global, false, problems),
        }
    }

    fn add_dist(&mut self, declared: &'a Declared, library: bool, problems: &mut Diagnostics) {
        let id = self.dists.len();
        self.dists.push(InLibrary { decl: declared, library });
        let table = if library { &mut self.library } else { &mut self.user };
        match table.get_mut(declared.name.name.as_str()) {
            Some((Global::Dist(overloads), _)) => overloads.push(id),
            _ => self.insert(&declared.name, Global::Dist(vec![id]), library, problems),
        }
    }

    fn define(&mut self, kind: DefinitionKind, decl: &'a FnDecl, library: bool) -> Global {
        self.definitions.push(Definition { kind, decl: decl.into(), members: &[], library });
        Global::Definition(self.definitions.len() - 1)
    }

    /// The body of a bijector is its forward map; one that is given by its inverse alone has that.
    fn define_bijector(&mut self, declared: &'a Declared, library: bool, problems: &mut Diagnostics) -> Global {
        let member = |name: &str| declared.members.iter().find(|member| member.name.name == name);
        let Some(main) = member("forward").or_else(|| member("inverse")) else {
            let problem = Diagnostic::new(Code::UnknownArgument, format!("`{}` needs `forward` or `inverse(y)`", declared.name.name));
            problems.push(problem.at(declared.name.span).help("add `forward = …`: inverse and log-determinant are derived from it"));
            return Global::Unsupported;
        };
        let decl = Signature {
            name: &declared.name,
            sizes: &declared.sizes,
            params: &declared.params,
            result: declared.ty.as_ref(),
            body: &main.body,
        };
        self.definitions.push(Definition { kind: DefinitionKind::Bijector, decl, members: &declared.members, library });
        Global::Definition(self.definitions.len() - 1)
    }

    fn quantity(&mut self, name: &'a ast::Ident, value: &'a ast::Expr, metric: bool, span: Span) -> Global {
        self.quantities.push((name, value, metric, span));
        Global::Quantity(self.quantities.len() - 1)
    }
}

fn process_name(decl: &ast::Decl) -> Option<&str> {
    match &decl.kind {
        DeclKind::Process(process) => Some(&process.name.name),
        _ => None,
    }
}

fn duplicate(name: &str, second: Span, first: Span) -> Diagnostic {
    Diagnostic::new(Code::DuplicateName, format!("`{name}` is declared twice"))
        .label(second, "declared again here")
        .label(first, "first declared here")
        .help("give one of the two another name")
}
