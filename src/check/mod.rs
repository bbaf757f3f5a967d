//! Tree -> checked program: names, kinds, types, sizes. One file per language feature.

mod annotation;
mod bijector;
mod bits;
mod block;
mod builtin;
mod call;
mod chain;
mod checker;
mod coerce;
mod comprehension;
mod conjugate;
mod covariance;
mod data;
mod declarations;
mod definition;
mod density;
mod dependent;
mod derivative;
mod dist;
mod dump;
mod expr;
mod inference;
pub mod library;
mod listed;
mod logits;
mod measure;
mod message;
mod method;
pub mod model;
mod names;
mod operators;
mod optimiser;
mod overrides;
mod param;
mod partial;
mod point;
mod posterior;
mod process;
mod pushforward;
mod require;
mod rule;
mod shape;
mod sizes;
mod support;
mod train;
pub mod types;
pub mod visit;

pub use model::Model;
pub use support::may_leave;
pub use types::{Support, Type};

use crate::base::size::Size;
use crate::base::{Diagnostic, Diagnostics};
use crate::syntax::ast::{self, DeclKind};
use checker::Checker;
use declarations::{Declarations, Definition};
use library::Entry;

/// What the caller adds to a file.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// `--set name=value`, for dims and for `let`s that are numbers
    pub overrides: Vec<(String, String)>,
    /// An expression in the scope of the file, as `tilde eval` takes it
    pub expression: Option<ast::Expr>,
}

#[derive(Clone, Debug)]
pub struct Checked {
    pub model: Model,
    pub expression: Option<model::Expr>,
}

/// The checked program, or all its problems in the order of the text. `library` is visible everywhere.
pub fn check(file: &ast::File, library: &[Entry], options: &CheckOptions) -> Result<Checked, Diagnostics> {
    checked(file, library, options, false)
}

/// The same, where the expression is one to be read and not computed: its random variables need no values.
pub fn check_symbolic(file: &ast::File, library: &[Entry], options: &CheckOptions) -> Result<Checked, Diagnostics> {
    checked(file, library, options, true)
}

fn checked(file: &ast::File, library: &[Entry], options: &CheckOptions, symbolic: bool) -> Result<Checked, Diagnostics> {
    let mut problems = Diagnostics::default();
    let file = overrides::apply(file, &options.overrides, &mut problems);
    let declarations = Declarations::collect(&file, library, &mut problems);
    let mut checker = Checker::new(&declarations, problems);
    checker.declare(&file);
    checker.check_definitions();
    checker.check_declarations(&file);
    let expression = options.expression.as_ref().map(|e| {
        checker.top_level(|checker| {
            if symbolic {
                checker.scope.bound = checker.model.vars.ids().collect();
                checker.bind_times();
            }
            checker.expr(e, None)
        })
    });
    checker.rules();
    if checker.problems.is_empty() {
        measure::judge(&checker.model, expression.as_ref(), &mut checker.problems);
    }
    if checker.problems.is_empty() { Ok(Checked { model: checker.model, expression }) } else { Err(checker.problems.sorted()) }
}

impl<'a> Checker<'a> {
    /// Dims, variables and the heads of densities: what every expression may refer to.
    fn declare(&mut self, file: &'a ast::File) {
        for id in 0..self.declarations.dims.len() {
            let (name, _) = self.declarations.dims[id];
            let size = self.dim(id, name.span);
            if let Some(size) = self.settle(size).and_then(|size| size.known()) {
                self.model.dims.push((name.name.clone(), size));
            }
        }
        for decl in &file.decls {
            match &decl.kind {
                DeclKind::Data { vars, .. } => self.declare_vars(vars, false),
                DeclKind::Var { global, vars } => self.declare_vars(vars, *global),
                DeclKind::Factor(factor) => self.declare_vars(&factor.targets, false),
                _ => {}
            }
        }
        for decl in &file.decls {
            match &decl.kind {
                DeclKind::Data { vars, source, settings } => {
                    let data = self.data(vars, source.as_ref(), settings, decl.span);
                    self.settle(data);
                }
                DeclKind::Factor(factor) => self.factor_head(factor, decl.span),
                DeclKind::Equation { density, equation } => {
                    let head = self.process_head(density, equation, decl.span);
                    self.settle(head);
                }
                DeclKind::Density { name, value } => {
                    if let Some((process, args)) = self.declared_process(value) {
                        let head = self.declared_head(name, process, args, decl.span);
                        self.settle(head);
                    }
                }
                _ => {}
            }
        }
        for decl in &file.decls {
            if let DeclKind::Density { name, value } = &decl.kind
                && self.declared_process(value).is_none()
            {
                self.density_from(name, value, decl.span);
            }
        }
    }

    /// Generic definitions of the user, each on its own, so that mistakes show without a use.
    fn check_definitions(&mut self) {
        for (id, entry) in self.declarations.definitions.iter().enumerate().filter(|(_, entry)| !entry.library) {
            let definition = entry.get();
            let Some(definition) = self.settle(definition) else { continue };
            if definition.is_lone_net() {
                continue;
            }
            let mut alone = self.clone();
            alone.check_alone(id);
            self.problems = alone.problems;
        }
        for (id, entry) in self.declarations.dists.iter().enumerate().filter(|(_, entry)| !entry.library) {
            let declared = entry.get();
            let Some(declared) = self.settle(declared) else { continue };
            let mut alone = self.clone();
            let sizes = declared.sizes.iter().map(|size| (size.name.name.clone(), Size::variable(size.name.name.as_str())));
            let made = alone.dist_alone(id, sizes.collect());
            alone.settle(made);
            self.problems = alone.problems;
        }
        for (id, _) in self.declarations.optimisers.iter().enumerate().filter(|(_, entry)| !entry.library) {
            let mut alone = self.clone();
            let made = alone.optimiser_alone(id);
            alone.settle(made);
            self.problems = alone.problems;
        }
    }

    /// Everything that was not made on demand before, in the order of the file.
    fn check_declarations(&mut self, file: &'a ast::File) {
        for (id, entry) in self.declarations.lets.iter().enumerate().filter(|(_, entry)| !entry.library) {
            let made = entry.get().and_then(|def| self.constant(id, def.name.span));
            self.settle(made);
        }
        for (id, def) in self.declarations.params.iter().enumerate() {
            let made = self.global_param(id, def.name.span);
            self.settle(made);
        }
        for (id, entry) in self.declarations.definitions.iter().enumerate().filter(|(_, entry)| !entry.library) {
            let definition = entry.get();
            if let Some(definition) = self.settle(definition).filter(Definition::is_lone_net) {
                let made = self.net(id, vec![], definition.decl.name.span);
                self.settle(made);
            }
        }
        for decl in &file.decls {
            if let DeclKind::Equation { density, equation } = &decl.kind {
                let process = self.finish_process(density, equation, decl.span);
                self.settle(process);
            }
        }
        self.finish_declared_processes();
        self.finish_densities();
        for (id, (name, ..)) in self.declarations.quantities.iter().enumerate() {
            let made = self.quantity(id, name.span);
            self.settle(made);
        }
        for decl in &file.decls {
            match &decl.kind {
                DeclKind::Train { name, body, settings } => self.train(name.as_ref(), body, settings, decl.span),
                DeclKind::Sample { name, value, picture } => self.sample(name, value, picture.as_ref(), decl.span),
                DeclKind::Use { .. } => self.report(Diagnostic::unsupported("`use`").at(decl.span)),
                DeclKind::Kernel(_) => self.report(Diagnostic::unsupported("a `kernel` declaration").at(decl.span)),
                DeclKind::Dim(_) | DeclKind::Let(_) | DeclKind::Data { .. } | DeclKind::Var { .. } | DeclKind::Param(_) => {}
                DeclKind::Fn(_) | DeclKind::Layer(_) | DeclKind::Net(_) | DeclKind::Factor(_) | DeclKind::Density { .. } => {}
                DeclKind::Equation { .. } | DeclKind::Process(_) => {}
                DeclKind::Objective { .. } | DeclKind::Metric { .. } => {}
                DeclKind::Dist(_) | DeclKind::Bijector(_) | DeclKind::Optimizer(_) | DeclKind::Rule { .. } => {}
            }
        }
    }
}
