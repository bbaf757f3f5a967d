//! States of processes and members of chains as names: `x(t)` and `x[t]` after a draw of them, `x(0)` where it is data; and in queries.

use super::super::checker::{Checked, Checker};
use super::super::density::Asked;
use super::super::model::{Expr, ExprKind, Family, LocalId, MemberQuery, Place, VarId, Which};
use super::super::types::{Support, Type};
use super::super::{coerce, message};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::{ast, print_expr};

/// What members of indexed families stand for: by the variable and how the time is written.
#[derive(Clone, Debug, Default)]
pub struct Instants(Vec<(VarId, String, LocalId)>);

impl Instants {
    pub fn push(&mut self, var: VarId, time: &str, local: LocalId) {
        self.0.push((var, time.to_string(), local));
    }

    pub fn push_number(&mut self, var: VarId, time: f64, local: LocalId) {
        self.0.push((var, time.to_string(), local));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn get(&self, var: VarId, time: &str) -> Option<LocalId> {
        self.0.iter().rev().find(|(of, at, _)| *of == var && at == time).map(|(.., local)| *local)
    }
}

/// How a time is written, whatever its blanks; numbers by their value.
fn written(time: &ast::Expr) -> String {
    match &time.kind {
        ast::ExprKind::Number { value, .. } => value.to_string(),
        ast::ExprKind::Name(name) => name.name.clone(),
        _ => print_expr(time),
    }
}

impl<'a> Checker<'a> {
    /// The random variable of this name, as the declaration around it sees it.
    pub fn indexed(&self, name: &ast::Ident) -> Option<VarId> {
        match self.scope.family {
            Some((known, var)) if known == name.name => Some(var),
            Some(_) | None => self.vars.get(&name.name).copied().filter(|_| !self.scope.library),
        }
    }

    /// The indexed family behind `x(…)`, unless a local hides it.
    pub fn family_named(&self, name: &ast::Ident) -> Option<VarId> {
        let var = self.indexed(name)?;
        let hidden = self.scope.names.iter().any(|(known, _)| *known == name.name);
        (self.model.times(var).is_some() && (!hidden || self.scope.instants.len() > 0)).then_some(var)
    }

    /// The value that a draw or an equation gave `x(t)` or `x[t]`.
    pub fn drawn_instant(&self, var: VarId, time: &ast::Expr, span: Span) -> Option<Expr> {
        self.scope.instants.get(var, &written(time)).map(|local| self.read(local, span))
    }

    /// `x(t)`: what was drawn, or the data at that time.
    pub fn instant_value(&mut self, var: VarId, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let [ast::Arg { kind: ast::ArgKind::Positional(time), .. }] = args else {
            return Err(Diagnostic::new(Code::ArgumentCount, "a state has one time").at(span).into());
        };
        if let Some(drawn) = self.drawn_instant(var, time, span) {
            return Ok(drawn);
        }
        let at = self.time(var, time)?;
        if let Some(data) = self.constant_of(&at).and_then(|at| self.model.data_at(var, at)) {
            self.has_value(data, span)?;
            return Ok(Expr::new(ExprKind::Var(data), self.model.vars[data].ty.clone(), span));
        }
        if let Some(symbol) = self.symbolic_instant(var, &format!("({})", written(time)), span) {
            return Ok(symbol);
        }
        let declared = &self.model.vars[var];
        let problem = Diagnostic::new(Code::LatentWithoutValue, format!("`{}` has no value at this time", declared.name));
        let problem = problem.label(span, "used here").label(declared.span, "declared here");
        Err(problem.help(format!("draw it: `E[{0}(t) ~ q({0}(t) | {0}(0))](…)`", declared.name)).into())
    }

    /// Where an expression is read and not computed, a member that stands for itself.
    pub fn symbolic_instant(&mut self, var: VarId, at: &str, span: Span) -> Option<Expr> {
        if !self.scope.bound.contains(&var) {
            return None;
        }
        let name = format!("{}{at}", self.model.vars[var].name);
        let local = self.local(&name, self.model.vars[var].member_type(), span);
        Some(self.read(local, span))
    }

    /// Times of indexed families as names, for an expression that is read and not computed.
    pub fn bind_times(&mut self) {
        for var in self.model.vars.ids().collect::<Vec<VarId>>() {
            let support = match self.model.vars[var].family {
                Family::Chain { .. } => Support::Int,
                Family::Process { .. } => Support::Real,
                Family::Single | Family::Member { .. } | Family::Instant { .. } => continue,
            };
            for name in [self.time_name(var).as_str(), "s"] {
                if self.declarations.get(name, false).is_none() && !self.scope.names.iter().any(|(known, _)| known == name) {
                    self.bind(name, Type::scalar(support.clone()), self.model.vars[var].span);
                }
            }
        }
    }

    /// The time of a process, of which a known one is in range.
    fn time(&mut self, var: VarId, e: &'a ast::Expr) -> Checked<Expr> {
        let time = coerce::to_real(self.expr(e, None));
        let array = self.array(&time)?;
        if !array.shape.is_empty() || array.support == Support::Bool {
            return Err(message::mismatch(&self.model, &time, &Type::real([]), None).help("a time is a number").into());
        }
        match self.constant_of(&time) {
            Some(number) => {
                self.time_exists(var, number, e.span)?;
                Ok(Expr::new(ExprKind::Real(number), Type::real([]), e.span))
            }
            None => Ok(time),
        }
    }

    /// `x(t)` in a query, with what is substituted for it.
    pub fn query_instant(
        &mut self,
        var: VarId,
        args: &'a [ast::Arg],
        value: Option<&'a ast::Expr>,
        needs_value: bool,
        span: Span,
    ) -> Checked<Asked> {
        let [ast::Arg { kind: ast::ArgKind::Positional(time), .. }] = args else {
            return Err(Diagnostic::new(Code::ArgumentCount, "a state has one time").at(span).into());
        };
        let drawn = self.drawn_instant(var, time, span);
        let at = self.time(var, time)?;
        let declared = &self.model.vars[var];
        let (ty, why) = (declared.ty.clone(), Some((declared.span, format!("`{}` is declared here", declared.name))));
        let value = match value {
            Some(value) => Some(self.expect(value, &ty, why)),
            None if needs_value => Some(match drawn {
                Some(drawn) => drawn,
                None => self.instant_value(var, args, span)?,
            }),
            None => None,
        };
        Ok(Asked::Members(Box::new(MemberQuery { var, which: Which::One(at), value, span })))
    }

    /// `x(t) ~ dist`, `x[t] ~ dist`: from here on, `x(t)` written the same way is the draw.
    pub fn draw_instant(&mut self, target: &'a ast::Expr) -> Checked<Option<(Place, Type)>> {
        let (base, args) = match &target.kind {
            ast::ExprKind::Call { callee, args, given: None } => (callee, args),
            ast::ExprKind::Bracket { base, args } => (base, args),
            _ => return Ok(None),
        };
        let ast::ExprKind::Name(name) = &base.kind else { return Ok(None) };
        let Some(var) = self.vars.get(&name.name).copied().filter(|var| self.model.times(*var).is_some()) else { return Ok(None) };
        let [ast::Arg { kind: ast::ArgKind::Positional(time), .. }] = &args[..] else { return Ok(None) };
        let ty = self.model.vars[var].member_type();
        let at = self.expr(time, None);
        if at.is_error() {
            return Err(super::super::checker::Fault::Reported);
        }
        let shown = match &target.kind {
            ast::ExprKind::Call { .. } => format!("{}({})", name.name, written(time)),
            _ => format!("{}[{}]", name.name, written(time)),
        };
        let local = self.local(&shown, ty.clone(), target.span);
        self.scope.instants.push(var, &written(time), local);
        Ok(Some((Place::Local(local), ty)))
    }
}
