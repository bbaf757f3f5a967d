//! What a name in an expression stands for.

use super::checker::{Binding, Callable, Checked, Checker, Fault, Scope, State, circle};
use super::declarations::Global;
use super::model::{Const, ConstId, Expr, ExprKind, Quantity, QuantityId};
use super::types::{Support, Type};
use super::{builtin, message};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast;
use std::sync::OnceLock;

/// A name that is not a value may still be called, given as an argument, or queried.
pub enum Named {
    Value(Expr),
    Callable(Callable),
}

impl<'a> Checker<'a> {
    pub fn name(&mut self, name: &'a ast::Ident) -> Checked<Named> {
        let bound = self.scope.names.iter().enumerate().rev().find(|(_, (n, _))| *n == name.name).map(|(i, (_, b))| (i, b.clone()));
        if let Some((_, binding)) = bound {
            return self.bound(name, binding);
        }
        let declarations = self.declarations;
        let global = declarations.get(&name.name, self.scope.library);
        if self.scope.constant
            && let Some(Global::Var | Global::Param(_) | Global::Quantity(_) | Global::Density) = global
        {
            return Err(message::not_constant(&name.name, name.span).into());
        }
        let value = |kind, ty| Ok(Named::Value(Expr::new(kind, ty, name.span)));
        match global {
            Some(&Global::Dim(id)) => {
                let size = self.dim(id, name.span)?;
                Ok(Named::Value(size_value(&size, name.span)))
            }
            Some(&Global::Let(id)) => {
                let id = self.constant(id, name.span)?;
                value(ExprKind::Const(id), self.model.consts[id].ty.clone())
            }
            Some(Global::Var) => match self.vars.get(&name.name).copied() {
                Some(id) => {
                    self.has_value(id, name.span)?;
                    value(ExprKind::Var(id), self.model.vars[id].ty.clone())
                }
                None => Err(Fault::Reported),
            },
            Some(&Global::Param(id)) => {
                let id = self.global_param(id, name.span)?;
                value(ExprKind::Param(id), self.model.params[id].ty.clone())
            }
            Some(&Global::Quantity(id)) => {
                let id = self.quantity(id, name.span)?;
                value(ExprKind::Quantity(id), self.model.quantities[id].value.ty.clone())
            }
            Some(&Global::Definition(id)) => Ok(Named::Callable(Callable::Definition(id, vec![]))),
            Some(Global::Dist(overloads)) => Ok(Named::Callable(Callable::Dist(overloads.clone()))),
            Some(Global::Density) => match self.densities.get(&name.name) {
                Some(&id) => Ok(Named::Callable(Callable::Density(id))),
                None => Err(Fault::Reported),
            },
            Some(Global::Optimiser(_)) => Err(message::wrong_kind(&name.name, "an optimiser", "a value", name.span).into()),
            Some(Global::Process(_)) => {
                let problem = message::wrong_kind(&name.name, "a process for a family of variables", "a value", name.span);
                Err(problem.help(format!("make a density by it: `q = {}(x)`, with `var x` a family", name.name)).into())
            }
            Some(Global::Sample) => Err(message::wrong_kind(&name.name, "a sample block", "a value", name.span).into()),
            Some(Global::Unsupported) => Err(Fault::Reported),
            None => match name.name.as_str() {
                "inf" | "∞" => value(ExprKind::Real(f64::INFINITY), Type::scalar(Support::Positive)),
                _ if builtin::is_builtin(&name.name) => Ok(Named::Callable(Callable::Builtin(name.name.clone()))),
                _ => Err(self.unknown_name(name).into()),
            },
        }
    }

    fn bound(&mut self, name: &'a ast::Ident, binding: Binding<'a>) -> Checked<Named> {
        Ok(match binding {
            Binding::Local(id, _) => Named::Value(self.read(id, name.span)),
            Binding::Value(value) => Named::Value(Expr { span: name.span, ..*value }),
            Binding::Size(size) => Named::Value(size_value(&size, name.span)),
            Binding::Sizes(_) => return Err(message::wrong_kind(&name.name, "a list of sizes", "a value", name.span).into()),
            Binding::Callable(callable) => Named::Callable(callable),
            Binding::Member(body) => Named::Value(self.member_body(name, body)?),
        })
    }

    /// A member that is named in another stands for its body, in the scope of the declaration.
    fn member_body(&mut self, name: &ast::Ident, body: &'a ast::Expr) -> Checked<Expr> {
        if self.scope.expanding.contains(&name.name) {
            return Err(circle(&name.name, name.span));
        }
        self.scope.expanding.push(name.name.clone());
        let inner = self.scope.names.split_off(self.scope.members_from);
        let value = self.expr(body, None);
        self.scope.names.extend(inner);
        self.scope.expanding.pop();
        Ok(value)
    }

    /// A top-level `let`, on demand.
    pub fn constant(&mut self, id: usize, used: Span) -> Checked<ConstId> {
        let entry = &self.declarations.lets[id];
        let def = entry.get()?;
        match self.made.consts.get(&id) {
            Some(State::Done(made)) => return Ok(*made),
            Some(State::Busy) => return Err(circle(&def.name.name, used)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.consts.insert(id, State::Busy);
        let scope = Scope { library: entry.library, constant: true, ..Default::default() };
        let made = self.in_scope(scope, None, |this| {
            let (indices, sizes) = this.clauses(&def.indices)?;
            let declared = def.ty.as_ref().map(|ty| this.annotation(ty)).transpose()?;
            let mut value = this.expr(&def.value, declared.as_ref());
            if let Some(ty) = &declared {
                value = this.coerce(value, ty, def.ty.as_ref().map(|ty| (ty.span, "declared here".to_string())))?;
            }
            let ty = match &value.ty {
                Type::Error => return Err(Fault::Reported),
                Type::Array(array) if !indices.is_empty() => Type::array(array.support.clone(), [&sizes[..], &array.shape[..]].concat()),
                ty => ty.clone(),
            };
            Ok(Const { name: def.name.name.clone(), indices, value, ty, span: def.name.span, known: OnceLock::new() })
        });
        let made = self.settle(made).map(|value| self.model.consts.push(value));
        self.made.consts.insert(id, made.map_or(State::Failed, State::Done));
        made.ok_or(Fault::Reported)
    }

    /// An objective or metric, on demand.
    pub fn quantity(&mut self, id: usize, used: Span) -> Checked<QuantityId> {
        let (name, value, metric, span) = self.declarations.quantities[id];
        match self.made.quantities.get(&id) {
            Some(State::Done(made)) => return Ok(*made),
            Some(State::Busy) => return Err(circle(&name.name, used)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.quantities.insert(id, State::Busy);
        let value = self.top_level(|this| {
            let value = this.expr(value, None);
            this.scalar_real(value, "a quantity")
        });
        let made = self.settle(value).map(|value| self.model.quantities.push(Quantity { name: name.name.clone(), metric, value, span }));
        self.made.quantities.insert(id, made.map_or(State::Failed, State::Done));
        made.ok_or(Fault::Reported)
    }

    /// In the scope of the file itself: no locals, data have values, layers may be used.
    pub fn top_level<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let scope = Scope { instance: Some(Default::default()), ..Default::default() };
        self.in_scope(scope, None, inside)
    }

    pub fn unknown_name(&self, name: &ast::Ident) -> Diagnostic {
        let unknown = Diagnostic::new(Code::UnknownName, format!("`{}` is not declared", name.name)).label(name.span, "not known here");
        let mut names: Vec<&str> = builtin::names().collect();
        names.extend(self.declarations.names(self.scope.library));
        for (local, _) in &self.scope.names {
            names.push(local);
        }
        // Among equally near names, one that starts with the same letter.
        names.sort_by_key(|known| (known.chars().next() != name.name.chars().next(), *known));
        match nearest(&name.name, names) {
            Some(near) => unknown.help(format!("did you mean `{near}`?")),
            None => unknown.help("declare it with `let`, `param`, `data`, `dim` or `fn`"),
        }
    }
}

/// The name of a size is a whole number in expressions. One that is not known yet is a number like any other.
pub fn size_value(size: &Size, span: Span) -> Expr {
    let kind = match size.constant() {
        Some(n) => ExprKind::Int(n),
        None => ExprKind::ToInt(Box::new(Expr::new(ExprKind::Real(1.0), Type::real([]), span))),
    };
    Expr::new(kind, Type::scalar(Support::Int), span)
}
