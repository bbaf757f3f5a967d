//! Optimisers: an `optimizer` declaration with its arguments, as a rule for one scalar.

use super::call::{Given, Supplied, match_params, missing_argument, unknown_argument};
use super::checker::{Binding, Checked, Checker, Scope};
use super::declarations::Global;
use super::message;
use super::model::{Expr, ExprKind, Optimiser, OptimiserId};
use super::types::Type;
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast::{self, Declared};

/// Where a `train` block names none.
const DEFAULT: &str = "Adam";
const DEFAULT_RATE: f64 = 1e-3;

impl<'a> Checker<'a> {
    /// `with Adam(1e-3)`
    pub fn optimiser(&mut self, written: Option<&'a ast::Expr>, span: Span) -> Checked<OptimiserId> {
        let Some(e) = written else { return self.default_optimiser(span) };
        let (name, args) = match &e.kind {
            ast::ExprKind::Call { callee, args, given: None } => match &callee.kind {
                ast::ExprKind::Name(name) => (name, &args[..]),
                _ => {
                    return Err(Diagnostic::new(Code::WrongKind, "an optimiser is needed here")
                        .at(e.span)
                        .help("write `Adam(1e-3)`")
                        .into());
                }
            },
            ast::ExprKind::Name(name) => (name, &[][..]),
            _ => return Err(Diagnostic::new(Code::WrongKind, "an optimiser is needed here").at(e.span).help("write `Adam(1e-3)`").into()),
        };
        match self.declarations.get(&name.name, false) {
            Some(&Global::Optimiser(id)) => self.make_optimiser(id, args, e.span),
            Some(_) => Err(message::wrong_kind(&name.name, "not an optimiser", "an optimiser", name.span).into()),
            None => {
                let names = self.declarations.optimisers.iter().map(|entry| entry.name);
                let problem = Diagnostic::new(Code::UnknownName, format!("the optimiser `{}` is not declared", name.name)).at(name.span);
                Err(match nearest(&name.name, names.clone()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("known are {}", names.collect::<Vec<_>>().join(", "))),
                }
                .into())
            }
        }
    }

    fn default_optimiser(&mut self, span: Span) -> Checked<OptimiserId> {
        if let Some(id) = self.made.default_optimiser {
            return Ok(id);
        }
        let Some(&Global::Optimiser(id)) = self.declarations.get(DEFAULT, false) else {
            return Err(Diagnostic::new(Code::UnknownName, "no optimiser is written here").at(span).help("add `with SGD(0.1)`").into());
        };
        let rate = Expr::new(ExprKind::Real(DEFAULT_RATE), Type::real([]), span);
        let made = self.with_values(id, vec![Given { name: None, value: Supplied::Value(rate), span }], span)?;
        self.made.default_optimiser = Some(made);
        Ok(made)
    }

    fn make_optimiser(&mut self, id: usize, args: &'a [ast::Arg], span: Span) -> Checked<OptimiserId> {
        let count = self.declarations.optimisers[id].get()?.params.len();
        let (givens, _) = self.givens(args, count)?;
        self.with_values(id, givens, span)
    }

    fn with_values(&mut self, id: usize, givens: Vec<Given<'a>>, span: Span) -> Checked<OptimiserId> {
        let entry = &self.declarations.optimisers[id];
        let (decl, name) = (entry.get()?, entry.name);
        let names: Vec<&str> = decl.params.iter().map(|param| param.name.name.as_str()).collect();
        let slots = match_params(name, &names, givens)?;
        let mut args = vec![];
        for (param, slot) in decl.params.iter().zip(slots) {
            let value = match (slot, &param.default) {
                (Some((supplied, at)), _) => self.supplied(supplied, None, at),
                (None, Some(default)) => self.expr(default, None),
                (None, None) => return Err(missing_argument(name, &param.name.name, span, param.name.span).into()),
            };
            let ty = match &param.ty {
                Some(ty) => self.annotation(ty)?,
                None => Type::real([]),
            };
            args.push(self.coerce(value, &ty, Some((param.name.span, format!("`{}` of `{name}` is {ty}", param.name.name))))?);
        }
        let scope = Scope { library: entry.library, ..Scope::default() };
        let made = self.in_scope(scope, Some((span, format!("`{name}`, used here"))), |this| this.update_rule(decl, args));
        made.map(|made| self.model.optimisers.push(made))
    }

    /// A declaration without a use.
    pub fn optimiser_alone(&mut self, id: usize) -> Checked<()> {
        let entry = &self.declarations.optimisers[id];
        let decl = entry.get()?;
        let scope = Scope { library: entry.library, ..Scope::default() };
        self.in_scope(scope, None, |this| this.update_rule(decl, vec![])).map(|_| ())
    }

    fn update_rule(&mut self, decl: &'a Declared, args: Vec<Expr>) -> Checked<Optimiser> {
        let params = self.declared_params(decl)?;
        let mut states = vec![];
        for member in decl.members.iter().filter(|member| member.state) {
            let start = self.expect(&member.body, &Type::real([]), None);
            let local = self.local(&member.name.name, Type::real([]), member.name.span);
            states.push((member.name.name.clone(), local, start));
        }
        let depth = self.scope.loops.len();
        for (name, local, _) in &states {
            self.scope.names.push((name.clone(), Binding::Local(*local, depth)));
        }
        if let Some(other) = decl.members.iter().find(|member| !member.state && member.name.name != "step") {
            return Err(unknown_argument(&other.name.name, "member", ["step", "state"].into_iter(), other.name.span).into());
        }
        let Some(step) = decl.members.iter().find(|member| member.name.name == "step" && member.params.len() == 3) else {
            let problem = Diagnostic::new(Code::UnknownArgument, format!("`{}` has no `step(x, g, t)`", decl.name.name)).at(decl.name.span);
            return Err(problem.into());
        };
        let scalar = Type::real([]);
        let [x, gradient, time] = [0, 1, 2].map(|at| {
            let name = &step.params[at].name;
            self.bind(&name.name, scalar.clone(), name.span)
        });
        // A rule without state gives the new parameter alone.
        let result = if states.is_empty() { scalar } else { Type::Tuple(vec![scalar; states.len() + 1]) };
        let why = Some((step.name.span, "the step gives the new parameter, then the new states".to_string()));
        let mut update = self.expect(&step.body, &result, why);
        if states.is_empty() {
            let span = update.span;
            let ty = Type::Tuple(vec![update.ty.clone()]);
            update = Expr::new(ExprKind::Tuple(vec![update]), ty, span);
        }
        Ok(Optimiser { name: decl.name.name.clone(), params, args, states, x, gradient, step: time, update, span: decl.name.span })
    }
}
