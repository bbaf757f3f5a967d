//! Chains of random variables: `var z[1..T] : Cat<K>`, data for all members or for one.
//!
//! The value of a chain is an array with a leading axis of members, counted from the first one; `x[t]` indexes it by the declared numbers.

mod factor;
mod order;
mod query;

pub use factor::ChainHead;

use super::checker::{Checked, Checker, Fault};
use super::model::{At, Expr, ExprKind, Family, LocalId, Source, Var, VarId};
use super::types::{ArrayType, Type};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast;

/// A chain has at most this many members: each is a node when the order of its factors is checked.
const MOST_MEMBERS: i64 = 10_000_000;

/// What the members that a factor is given stand for inside it.
#[derive(Clone, Debug, Default)]
pub struct MemberScope {
    pub index: Option<LocalId>,
    pub members: Vec<(VarId, At, LocalId)>,
}

impl<'a> Checker<'a> {
    /// `x[0..T] : T`
    pub fn declare_chain(&mut self, var: &'a ast::VarDecl, from: &'a ast::Expr, to: &'a ast::Expr) -> Checked<()> {
        let Some(ty) = &var.ty else { return Err(untyped(var).into()) };
        let Type::Array(ArrayType { support, shape }) = self.annotation(ty)? else {
            return Err(Diagnostic::unsupported("a chain of tuples").at(var.span).into());
        };
        let (Some(first), Some(last)) = (self.number(from)?, self.number(to)?) else { return Err(Fault::Reported) };
        if last < first || last - first >= MOST_MEMBERS {
            let problem = Diagnostic::new(Code::OutOfRange, format!("a chain cannot run from {first} to {last}"));
            let help = format!("the first member comes first, and there are at most {MOST_MEMBERS}");
            return Err(problem.at(from.span.to(to.span)).help(help).into());
        }
        let count = Size::from((last - first + 1) as usize);
        let ty = Type::array(support, [&[count], &shape[..]].concat());
        if !self.vars.contains_key(&var.name.name) {
            let family = Family::Chain { from: first, to: last };
            let id =
                self.model.vars.push(Var { name: var.name.name.clone(), ty, observed: None, global: false, family, span: var.name.span });
            self.vars.insert(var.name.name.clone(), id);
        }
        Ok(())
    }

    /// `data x[0] = …`: one member of a declared chain, as a variable of its own.
    pub fn data_member(&mut self, var: &'a ast::VarDecl, at: &'a ast::Expr) -> Checked<VarId> {
        let Some(&chain) = self.vars.get(&var.name.name) else {
            let problem = Diagnostic::new(Code::UnknownName, format!("`{}` is not a chain of variables", var.name.name)).at(var.name.span);
            return Err(problem.help(format!("declare it: `var {}[0..T] : Real[D]`", var.name.name)).into());
        };
        let Some(number) = self.number(at)? else { return Err(Fault::Reported) };
        self.member_exists(chain, number, at.span)?;
        let declared = &self.model.vars[chain];
        if self.model.data_member(chain).is_some() || declared.observed.is_some() {
            return Err(Diagnostic::new(Code::DuplicateName, format!("`{}` has two sources", declared.name)).at(var.span).into());
        }
        let family = Family::Member { of: chain, at: number };
        let (name, ty) = (format!("{}[{number}]", declared.name), declared.member_type());
        Ok(self.model.vars.push(Var { name, ty, observed: None, global: false, family, span: var.span }))
    }

    /// `z[t - 1]` where it is no entry of an array: a given of the factor around it, or the one member that is data.
    pub fn member_value(&mut self, name: &'a ast::Ident, args: &'a [ast::Arg], span: Span) -> Option<Checked<Expr>> {
        let var = self.indexed(name)?;
        if let [ast::Arg { kind: ast::ArgKind::Positional(index), .. }, rest @ ..] = args
            && let Some(drawn) = self.drawn_instant(var, index, span)
        {
            return Some(if rest.is_empty() { Ok(drawn) } else { self.subscript(drawn, rest, span) });
        }
        let hidden = self.scope.names.iter().any(|(known, _)| *known == name.name) || self.scope.bound.contains(&var);
        let [ast::Arg { kind: ast::ArgKind::Positional(index), .. }, rest @ ..] = args else { return None };
        if hidden || self.model.vars[var].members().is_none() {
            return None;
        }
        let member = if self.scope.only_bound {
            self.given_member(var, index, span)
        } else {
            let (data, at) = self.model.data_member(var)?;
            self.data_value(data, at, index, span)
        };
        Some(member.and_then(|member| if rest.is_empty() { Ok(member) } else { self.subscript(member, rest, span) }))
    }

    fn data_value(&mut self, data: VarId, at: i64, index: &'a ast::Expr, span: Span) -> Checked<Expr> {
        let index = self.expr(index, None);
        let var = &self.model.vars[data];
        if self.constant_of(&index) == Some(at as f64) {
            return Ok(Expr::new(ExprKind::Var(data), var.ty.clone(), span));
        }
        let problem = Diagnostic::new(Code::LatentWithoutValue, format!("of this chain only `{}` has a value here", var.name));
        let problem = problem.label(span, "used here").label(var.span, "the only member that is data");
        Err(problem.help("draw the chain, or take an expectation over it").into())
    }

    /// A list in the file that holds one series is one row.
    pub fn one_series(&self, source: Source, vars: &[VarId]) -> Source {
        match (source, vars) {
            (Source::Values { shape, values, span }, [var]) if self.is_series(&shape, *var) => {
                Source::Values { shape: [&[1], &shape[..]].concat(), values, span }
            }
            (source, _) => source,
        }
    }

    fn is_series(&self, shape: &[usize], var: VarId) -> bool {
        let var = &self.model.vars[var];
        match &var.ty {
            Type::Array(array) if var.members().is_some() => shape.len() == array.shape.len(),
            Type::Array(_) | Type::Tuple(_) | Type::Distribution(_) | Type::Error => false,
        }
    }

    /// A member's number lies in the declared range.
    pub fn member_exists(&self, chain: VarId, number: i64, span: Span) -> Checked<()> {
        let var = &self.model.vars[chain];
        let Some((from, to)) = var.members() else {
            let problem = Diagnostic::new(Code::WrongKind, format!("`{}` is one variable, not a chain", var.name));
            return Err(problem.label(span, "indexed here").label(var.span, "declared here").into());
        };
        if (from..=to).contains(&number) {
            return Ok(());
        }
        let problem = Diagnostic::new(Code::OutOfRange, format!("`{}[{number}]` does not exist", var.name));
        let problem = problem.label(span, "asked for here").label(var.span, format!("`{}` runs from {from} to {to}", var.name));
        Err(problem.help("use a number in this range, or declare a longer chain").into())
    }
}

fn untyped(var: &ast::VarDecl) -> Diagnostic {
    let problem = Diagnostic::new(Code::UnknownName, format!("the chain `{}` has no type", var.name.name)).at(var.span);
    problem.help(format!("write the type of one member: `{}[1..T] : Real`", var.name.name))
}
