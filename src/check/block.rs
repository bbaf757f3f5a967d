//! Blocks: `let`, draws, rebinding, loops, `repeat`, and the value at the end.

use super::checker::{Binding, Checked, Checker, Fault};
use super::model::{Draw, Expr, ExprKind, LocalId, Pattern, Place, Stmt, StmtKind, VarId};
use super::require;
use super::types::{ArrayType, Support, Type};
use super::{message, shape};
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Statements, then a value.
    pub fn block(&mut self, stmts: &'a [ast::Stmt], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let Some((last, before)) = stmts.split_last() else {
            return Err(Diagnostic::new(Code::TypeMismatch, "an empty block has no value").at(span).into());
        };
        let mut lowered = vec![];
        self.statements(before, &mut lowered);
        let value = match &last.kind {
            ast::StmtKind::Expr(value) => self.expr(value, want),
            ast::StmtKind::If { condition, then, otherwise } if !otherwise.is_empty() => {
                let condition = self.expr(condition, None);
                let then = self.nested(|this| this.block(then, want, last.span))?;
                let otherwise = self.nested(|this| this.block(otherwise, want, last.span))?;
                self.choose(condition, then, otherwise, last.span)?
            }
            // A block that ends with a draw has the drawn value.
            ast::StmtKind::Draw { target, dist } => {
                let draw = self.draw(target, dist, last.span)?;
                let kind = match draw.target {
                    Place::Local(id) => ExprKind::Local(id),
                    Place::Var(id) => ExprKind::Var(id),
                    Place::Param(id) => ExprKind::Param(id),
                };
                let Type::Distribution(of) = draw.dist.ty.clone() else { return Err(Fault::Reported) };
                lowered.push(Stmt { kind: StmtKind::Draw(draw), span: last.span });
                Expr::new(kind, *of, target.span)
            }
            _ => {
                self.statement(last, &mut lowered);
                return Err(Diagnostic::new(Code::TypeMismatch, "this block has no value")
                    .at(last.span)
                    .help("end it with an expression")
                    .into());
            }
        };
        let ty = value.ty.clone();
        Ok(if lowered.is_empty() { value } else { Expr::new(ExprKind::Block(lowered, Box::new(value)), ty, span) })
    }

    pub fn statements(&mut self, stmts: &'a [ast::Stmt], into: &mut Vec<Stmt>) {
        for stmt in stmts {
            self.statement(stmt, into);
        }
    }

    pub fn statement(&mut self, stmt: &'a ast::Stmt, into: &mut Vec<Stmt>) {
        let checked = self.try_statement(stmt, into);
        self.settle(checked);
    }

    fn try_statement(&mut self, stmt: &'a ast::Stmt, into: &mut Vec<Stmt>) -> Checked<()> {
        let span = stmt.span;
        let kind = match &stmt.kind {
            ast::StmtKind::Let { pattern, ty, value } => {
                let declared = ty.as_ref().map(|ty| self.annotation(ty)).transpose()?;
                let value = match (&declared, ty) {
                    (Some(declared), Some(ty)) => self.expect(value, declared, Some((ty.span, "declared here".into()))),
                    _ => self.expr(value, None),
                };
                let ty = declared.unwrap_or_else(|| value.ty.clone());
                StmtKind::Let(self.pattern(pattern, &ty)?, value)
            }
            ast::StmtKind::Param(params) => {
                for param in params {
                    self.layer_param(param);
                }
                return Ok(());
            }
            ast::StmtKind::Draw { target, dist } => StmtKind::Draw(self.draw(target, dist, span)?),
            ast::StmtKind::Assign { target, value } => self.assign(target, value)?,
            ast::StmtKind::Repeat { index, times, body } => return self.repeat(index.as_ref(), times, body, into),
            ast::StmtKind::For { index, range, body } => match self.for_loop(index, range, body)? {
                Some(turns) => turns,
                None => return Ok(()),
            },
            ast::StmtKind::While { condition, body } => self.while_loop(condition, body)?,
            ast::StmtKind::If { .. } => {
                let problem = Diagnostic::unsupported("`if` as a statement").at(span);
                return Err(problem.help("choose the value: `x = if c then a else b`").into());
            }
            ast::StmtKind::Optimise(_) | ast::StmtKind::Update { .. } => {
                return Err(Diagnostic::new(Code::WrongKind, "this statement belongs in a `train` block").at(span).into());
            }
            ast::StmtKind::Expr(e) if let Some(args) = require::arguments(e) => self.require(args, span)?,
            ast::StmtKind::Expr(e) => {
                let value = self.expr(e, None);
                if value.is_error() {
                    return Err(Fault::Reported);
                }
                return Err(Diagnostic::new(Code::WrongKind, "this value is not used")
                    .at(e.span)
                    .help("bind it with `let`, or remove it")
                    .into());
            }
        };
        into.push(Stmt { kind, span });
        Ok(())
    }

    fn pattern(&mut self, pattern: &'a ast::Pattern, ty: &Type) -> Checked<Pattern> {
        match (pattern, ty) {
            (ast::Pattern::Name(name), _) => Ok(Pattern::Local(self.bind(&name.name, ty.clone(), name.span))),
            (ast::Pattern::Tuple(parts, span), Type::Tuple(types)) if parts.len() != types.len() => {
                let message = format!("{} names for a tuple of {}", parts.len(), types.len());
                Err(Diagnostic::new(Code::TypeMismatch, message).at(*span).into())
            }
            (ast::Pattern::Tuple(parts, _), Type::Tuple(types)) => {
                let parts = parts.iter().zip(types).map(|(part, ty)| self.pattern(part, ty));
                Ok(Pattern::Tuple(parts.collect::<Checked<_>>()?))
            }
            (ast::Pattern::Tuple(parts, _), Type::Error) => {
                let parts = parts.iter().map(|part| self.pattern(part, &Type::Error));
                Ok(Pattern::Tuple(parts.collect::<Checked<_>>()?))
            }
            (ast::Pattern::Tuple(_, span), _) => {
                Err(Diagnostic::new(Code::TypeMismatch, format!("{ty} cannot be taken apart")).at(*span).help("write one name").into())
            }
        }
    }

    /// `z ~ dist`: of a declared variable, its value from here on; any other name is a new local.
    pub fn draw(&mut self, target: &'a ast::Expr, dist: &'a ast::Expr, span: Span) -> Checked<Draw> {
        let ast::ExprKind::Name(name) = &target.kind else { return self.member_draw(target, dist, span) };
        // A local hides a variable of its name, as everywhere.
        let var = self.vars.get(&name.name).copied().filter(|_| !self.scope.library && self.assignable(&name.name).is_none());
        let want = var.map(|id| Type::Distribution(Box::new(self.model.vars[id].ty.clone())));
        if let ast::ExprKind::Name(source) = &dist.kind
            && source.name == "data"
        {
            return Err(Diagnostic::unsupported("a draw from `data`").at(dist.span).into());
        }
        let mut dist = self.expr(dist, want.as_ref());
        let target = match var {
            Some(id) => {
                dist = self.fit_event(dist, id)?;
                let loops = self.scope.loops.len();
                // In a loop, a draw of what was drawn before the loop takes its place, as an assignment does.
                match self.scope.drawn.iter().rfind(|(drawn, _)| *drawn == id) {
                    Some(&(_, depth)) if depth < loops => self.carry(Place::Var(id), depth),
                    _ => {
                        self.scope.bound.push(id);
                        self.scope.drawn.push((id, loops));
                    }
                }
                Place::Var(id)
            }
            None => match dist.ty.clone() {
                Type::Distribution(of) => match self.rebound(name, &dist, &of)? {
                    Some(place) => place,
                    None => Place::Local(self.bind(&name.name, *of, name.span)),
                },
                Type::Error => {
                    self.bind(&name.name, Type::Error, name.span);
                    return Err(Fault::Reported);
                }
                _ => return Err(message::mismatch(&self.model, &dist, &Type::Distribution(Box::new(dist.ty.clone())), None).into()),
            },
        };
        Ok(Draw { target, dist, span })
    }

    /// In a loop, a draw of an outer local rebinds it, as an assignment does.
    fn rebound(&mut self, name: &ast::Ident, dist: &Expr, of: &Type) -> Checked<Option<Place>> {
        let loops = self.scope.loops.len();
        let Some((_, depth, id)) = self.assignable(&name.name).filter(|(_, depth, _)| *depth < loops) else { return Ok(None) };
        let local = &self.model.locals[id];
        let (ty, why) =
            (Type::Distribution(Box::new(local.ty.clone())), Some((local.span, "a loop keeps the type of what it rebinds".to_string())));
        let same = matches!((&local.ty, of), (Type::Array(a), Type::Array(b))
            if shape::same_shape(&a.shape, &b.shape) && a.support.is_real() == b.support.is_real());
        if !same {
            return Err(message::mismatch(&self.model, dist, &ty, why).into());
        }
        self.carry(Place::Local(id), depth);
        Ok(Some(Place::Local(id)))
    }

    /// `x(t) ~ q(x(t) | x(0))`
    fn member_draw(&mut self, target: &'a ast::Expr, dist: &'a ast::Expr, span: Span) -> Checked<Draw> {
        // What is given is what it was before this draw.
        let dist = self.expr(dist, None);
        let Some((target, ty)) = self.draw_instant(target)? else {
            return Err(Diagnostic::unsupported("a draw of a part of a variable").at(target.span).into());
        };
        let dist = self.coerce(dist, &Type::Distribution(Box::new(ty)), None)?;
        Ok(Draw { target, dist, span })
    }

    /// `x = e`: a new local, except in a loop, where an outer local is carried from turn to turn.
    fn assign(&mut self, target: &'a ast::Expr, value: &'a ast::Expr) -> Checked<StmtKind> {
        let ast::ExprKind::Name(name) = &target.kind else {
            return Err(Diagnostic::unsupported("assignment to an entry").at(target.span).help("build the array with `[… for …]`").into());
        };
        if let Some((var, depth)) = self.drawn(&name.name) {
            let declared = &self.model.vars[var];
            let (ty, why) = (declared.ty.clone(), Some((declared.span, format!("`{}` is declared here", name.name))));
            let value = self.expect(value, &ty, why);
            self.carry(Place::Var(var), depth);
            return Ok(StmtKind::Assign(Place::Var(var), value));
        }
        let Some((at, depth, id)) = self.assignable(&name.name) else {
            let locals: Vec<&str> = self.scope.names.iter().map(|(name, _)| name.as_str()).collect();
            let problem = Diagnostic::new(Code::UnknownName, format!("there is no local `{}` to rebind", name.name)).at(name.span);
            return Err(match nearest(&name.name, locals) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("write `let {} = …`", name.name)),
            }
            .into());
        };
        let loops = self.scope.loops.len();
        if depth < loops {
            let local = &self.model.locals[id];
            let (ty, why) = (local.ty.clone(), Some((local.span, "a loop keeps the type of what it rebinds".to_string())));
            let value = self.expect(value, &ty, why);
            self.carry(Place::Local(id), depth);
            return Ok(StmtKind::Assign(Place::Local(id), value));
        }
        let value = self.expr(value, None);
        let new = self.local(&name.name, value.ty.clone(), name.span);
        self.scope.names[at].1 = Binding::Local(new, loops);
        Ok(StmtKind::Let(Pattern::Local(new), value))
    }

    /// Every loop inside the place's declaration takes it from turn to turn.
    fn carry(&mut self, place: Place, depth: usize) {
        for carried in &mut self.scope.loops[depth..] {
            if !carried.contains(&place) {
                carried.push(place);
            }
        }
    }

    /// A random variable that a statement of this block drew, unless a local of its name hides it.
    fn drawn(&self, name: &str) -> Option<(VarId, usize)> {
        let var = self.vars.get(name).copied().filter(|_| !self.scope.library && self.assignable(name).is_none())?;
        self.scope.drawn.iter().rfind(|(drawn, _)| *drawn == var).copied()
    }

    fn assignable(&self, name: &str) -> Option<(usize, usize, LocalId)> {
        let at = self.scope.names.iter().rposition(|(n, _)| n == name)?;
        match self.scope.names[at].1 {
            Binding::Local(id, depth) => Some((at, depth, id)),
            _ => None,
        }
    }

    /// `repeat n { … }`, `repeat w in hidden { … }`: written out, each turn with its own layers.
    fn repeat(&mut self, index: Option<&'a ast::Ident>, times: &'a ast::Expr, body: &'a [ast::Stmt], into: &mut Vec<Stmt>) -> Checked<()> {
        let turns = match (index, &times.kind) {
            (Some(_), ast::ExprKind::Name(name)) => match self.scope.names.iter().rev().find(|(n, _)| *n == name.name) {
                Some((_, Binding::Sizes(sizes))) => sizes.clone(),
                _ => vec![],
            },
            _ => vec![],
        };
        let listed = index.is_some() && (!turns.is_empty() || self.is_size_list(times));
        let count = if listed { turns.len() } else { self.number(times)?.map_or(1, |n| n.max(0) as usize) };
        if count > 10_000 {
            return Err(Diagnostic::new(Code::OutOfRange, format!("{count} turns are written out one by one")).at(times.span).into());
        }
        for turn in 0..count {
            let names = self.scope.names.len();
            if let Some(index) = index {
                let size = turns.get(turn).cloned().unwrap_or_else(|| turn.into());
                self.scope.names.push((index.name.clone(), Binding::Size(size)));
            }
            self.statements(body, into);
            self.scope.names.truncate(names);
        }
        Ok(())
    }

    fn is_size_list(&self, e: &ast::Expr) -> bool {
        let ast::ExprKind::Name(name) = &e.kind else { return false };
        let bound = self.scope.names.iter().rev().find(|(n, _)| *n == name.name);
        matches!(bound, Some((_, Binding::Sizes(_))))
    }

    /// Nothing where there is no turn.
    fn for_loop(&mut self, index: &'a ast::Ident, range: &'a ast::Expr, body: &'a [ast::Stmt]) -> Checked<Option<StmtKind>> {
        let (from, to) = match &range.kind {
            ast::ExprKind::Range { from, to } => (self.number(from)?, self.number(to)?),
            _ => (Some(0), self.number(range)?.map(|count| count - 1)),
        };
        if let (Some(from), Some(to)) = (from, to)
            && to < from
            && counts_up(range)
        {
            return match from - to {
                1 => Ok(None),
                _ => Err(Diagnostic::new(Code::OutOfRange, format!("this range ends at {to}, below its start"))
                    .at(range.span)
                    .help("to count downward, start from a name and end at a number: `n..1`")
                    .into()),
            };
        }
        let (from, to) = (from.unwrap_or(0), to.unwrap_or(0));
        self.widen_carried(body);
        self.scope.loops.push(vec![]);
        let mut lowered = vec![];
        let index = self.nested(|this| {
            let index = this.bind(&index.name, Type::scalar(Support::Int), index.span);
            this.extents.insert(index, (from.min(to), from.max(to)));
            this.statements(body, &mut lowered);
            index
        });
        let carried = self.scope.loops.pop().unwrap_or_default();
        Ok(Some(StmtKind::For { index, from, to, body: lowered, carried }))
    }

    fn while_loop(&mut self, condition: &'a ast::Expr, body: &'a [ast::Stmt]) -> Checked<StmtKind> {
        self.widen_carried(body);
        let condition = self.expr(condition, None);
        let condition = self.boolean(condition)?;
        self.scope.loops.push(vec![]);
        let mut lowered = vec![];
        self.nested(|this| this.statements(body, &mut lowered));
        let carried = self.scope.loops.pop().unwrap_or_default();
        Ok(StmtKind::While { condition, body: lowered, carried })
    }

    /// What a loop rebinds may be any real number after the first turn, whatever number it starts with.
    fn widen_carried(&mut self, body: &[ast::Stmt]) {
        for stmt in body {
            match &stmt.kind {
                ast::StmtKind::Assign { target, .. } | ast::StmtKind::Draw { target, .. } => {
                    if let ast::ExprKind::Name(name) = &target.kind
                        && let Some((_, _, id)) = self.assignable(&name.name)
                        && let Type::Array(ArrayType { support, .. }) = &mut self.model.locals[id].ty
                        && support.is_real()
                    {
                        *support = Support::Real;
                    }
                }
                ast::StmtKind::For { body, .. } | ast::StmtKind::While { body, .. } | ast::StmtKind::Repeat { body, .. } => {
                    self.widen_carried(body);
                }
                _ => {}
            }
        }
    }
}

/// `n` and `1..n` with an end that is computed: with n = 0 there is no turn. Between two numbers, or from what is computed, a range may run downward.
fn counts_up(range: &ast::Expr) -> bool {
    match &range.kind {
        ast::ExprKind::Range { from, to } => {
            matches!(from.kind, ast::ExprKind::Number { .. }) && !matches!(to.kind, ast::ExprKind::Number { .. })
        }
        _ => true,
    }
}
