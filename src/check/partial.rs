//! `min_snr(gamma: 3)` where a function is wanted: a call by name that leaves arguments out is the function of those.

use super::call::{Given, Supplied};
use super::checker::{Callable, Checked, Checker};
use super::declarations::{DefinitionKind, Signature};
use super::model::{Expr, ExprKind};
use super::names::Named;
use super::process::is_size;
use super::types::Type;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

/// A function some of whose arguments are settled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Partial {
    pub definition: usize,
    /// By the position of the parameter
    settled: Vec<(usize, Settled)>,
}

/// An argument that is known while compiling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// By its bits, which can be compared
    Number(u64),
    Size(Size),
    Callable(Callable),
}

impl<'a> Checker<'a> {
    /// The function behind a call that leaves arguments without defaults out, `None` for any other call.
    pub fn partial(&mut self, e: &'a ast::Expr) -> Option<Checked<Callable>> {
        let ast::ExprKind::Call { callee, args, given: None } = &e.kind else { return None };
        let ast::ExprKind::Name(name) = &callee.kind else { return None };
        let named = args.iter().map(|arg| match &arg.kind {
            ArgKind::Named(name, value) => Some((name, value)),
            ArgKind::Positional(_) | ArgKind::Substituted(..) | ArgKind::Draw(..) | ArgKind::Comprehension { .. } => None,
        });
        let named: Vec<(&ast::Ident, &ast::Expr)> = named.collect::<Option<_>>()?;
        let Ok(Named::Callable(Callable::Definition(definition, sizes))) = self.name(name) else { return None };
        let declared = match self.declarations.definitions[definition].get() {
            Ok(declared) => declared,
            Err(fault) => return Some(Err(fault)),
        };
        let (decl, is_fn) = (declared.decl, declared.kind == DefinitionKind::Fn);
        let left_out = |param: &ast::FnParam| param.default.is_none() && named.iter().all(|(name, _)| name.name != param.name.name);
        let partial = is_fn && !named.is_empty() && sizes.is_empty() && decl.params.iter().any(left_out);
        partial.then(|| self.settled(definition, decl, &named))
    }

    fn settled(&mut self, definition: usize, decl: Signature<'a>, named: &[(&'a ast::Ident, &'a ast::Expr)]) -> Checked<Callable> {
        let mut settled: Vec<(usize, Settled)> = vec![];
        for (name, value) in named {
            let Some(at) = decl.params.iter().position(|param| param.name.name == name.name) else {
                let known = decl.params.iter().map(|param| param.name.name.as_str());
                return Err(super::call::unknown_argument(&name.name, "argument", known, name.span).into());
            };
            if settled.iter().any(|(position, _)| *position == at) {
                let problem = Diagnostic::new(Code::ArgumentCount, format!("`{}` of `{}` is given twice", name.name, decl.name.name));
                return Err(problem.at(name.span).into());
            }
            let size = decl.params[at].ty.as_ref().is_some_and(is_size);
            settled.push((at, if size { Settled::Size(self.size(value)?) } else { self.settled_value(value)? }));
        }
        Ok(Callable::Partial(Partial { definition, settled }))
    }

    fn settled_value(&mut self, value: &'a ast::Expr) -> Checked<Settled> {
        if let Some(callable) = self.as_callable(value) {
            return Ok(Settled::Callable(callable?));
        }
        let known = self.expr(value, Some(&Type::real([])));
        match self.constant_of(&known) {
            Some(number) => Ok(Settled::Number(number.to_bits())),
            None => {
                let problem = Diagnostic::unsupported("a function with an argument that is not known while compiling").at(value.span);
                Err(problem.help("give a number, or declare a function of the arguments that are left: `fn w(q : Process, t) = …`").into())
            }
        }
    }

    /// A call of the function of what was left out.
    pub fn call_partial(&mut self, partial: &Partial, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let (mut givens, before) = self.givens(args, 1)?;
        let params = self.declarations.definitions[partial.definition].get()?.decl.params;
        for (at, settled) in &partial.settled {
            let value = match settled {
                Settled::Number(bits) => Supplied::Value(Expr::new(ExprKind::Real(f64::from_bits(*bits)), Type::real([]), span)),
                Settled::Size(_) | Settled::Callable(_) => Supplied::Settled(settled.clone()),
            };
            givens.push(Given { name: Some(&params[*at].name), value, span });
        }
        let call = self.call_with(partial.definition, vec![], givens, span)?;
        Ok(super::definition::with_statement(before, call))
    }
}
