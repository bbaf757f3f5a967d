//! `p(y | x(t)) = dist`: a factor of a variable given the state of a process at any time, beside `p = reverse(q, …)`.

use super::super::checker::{Checked, Checker, Scope};
use super::super::declarations::Global;
use super::super::model::{DensityId, ProcessKind, StateFactor, VarId};
use super::super::types::Type;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, Ident, VarFamily};

/// A factor given a state before it is typed.
#[derive(Clone)]
pub struct StateHead<'a> {
    pub target: VarId,
    family: VarId,
    time: &'a Ident,
    state: &'a Ident,
    value: &'a ast::Expr,
    span: Span,
}

impl<'a> Checker<'a> {
    /// The state and the time of `p(y | x(t))`, `p(y | x[t])`, where y is a single variable and t no constant.
    pub fn given_state(&self, factor: &'a ast::Factor) -> Option<(&'a ast::VarDecl, &'a Ident)> {
        let ([target], [state]) = (&factor.targets[..], &factor.given[..]) else { return None };
        let (VarFamily::AtTime(time) | VarFamily::AtIndex(time)) = &state.family else { return None };
        let ast::ExprKind::Name(time) = &time.kind else { return None };
        let constant = matches!(self.declarations.get(&time.name, false), Some(Global::Dim(_) | Global::Let(_)));
        (target.family == VarFamily::Single && !constant).then_some((state, time))
    }

    pub fn state_factor_head(
        &mut self,
        id: DensityId,
        factor: &'a ast::Factor,
        (state, time): (&'a ast::VarDecl, &'a Ident),
        span: Span,
    ) -> Checked<()> {
        let [target] = &factor.targets[..] else { return Err(Diagnostic::internal("a factor of several variables").at(span).into()) };
        let (target, family) = (self.var_named(&target.name)?, self.var_named(&state.name)?);
        if let Some(first) = self.heads[id.index()].states.iter().find(|head| head.target == target) {
            let (name, var) = (&self.heads[id.index()].name, &self.model.vars[target].name);
            let problem = Diagnostic::new(Code::DuplicateFactor, format!("`{name}` has two factors for `{var}`"));
            let problem = problem.label(span, "the second factor").label(first.span, "the first factor");
            return Err(problem.help("give the other to a density of its own").into());
        }
        self.heads[id.index()].states.push(StateHead { target, family, time, state: &state.name, value: &factor.value, span });
        Ok(())
    }

    /// The factor given a state that a process, or the one from which it was made, has for a variable.
    pub fn state_head(&self, id: DensityId, target: VarId) -> Option<&StateHead<'a>> {
        let source = self.made.frozen.get(&id).copied().unwrap_or(id);
        let found = self.heads[source.index()].states.iter().find(|head| head.target == target);
        found.or_else(|| match self.model.densities[source].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Flow { of }) => self.state_head(*of, target),
            Some(ProcessKind::Guided(guided)) => self.state_head(guided.of, target),
            Some(ProcessKind::Reverse(_) | ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => None,
        })
    }

    /// Types the factors given a state; processes are known.
    pub fn finish_state_factors(&mut self, id: DensityId) {
        for head in self.heads[id.index()].states.clone() {
            let made = self.state_factor(id, &head);
            match self.settle(made) {
                Some(factor) => self.model.densities[id].states.push(factor),
                None => {
                    self.made.poisoned.insert(id);
                }
            }
        }
    }

    fn state_factor(&mut self, id: DensityId, head: &StateHead<'a>) -> Checked<StateFactor> {
        if self.heads[id.index()].process != Some(head.family) {
            let (name, var) = (&self.heads[id.index()].name, &self.model.vars[head.family].name);
            let problem =
                Diagnostic::unsupported(format!("a factor given `{var}` at any time of `{name}`, which is no process of `{var}`"));
            return Err(problem.at(head.span).help(format!("declare it beside `{name} = reverse(q, …)`")).into());
        }
        let ty = self.model.vars[head.target].ty.clone();
        let state_type = self.model.vars[head.family].member_type();
        let state = self.local(&head.state.name, state_type, head.state.span);
        let time = self.time_local(head.family, head.time.span);
        let scope = Scope { only_bound: true, instance: Some(Default::default()), ..Scope::default() };
        let dist = self.in_scope(scope, None, |this| {
            this.scope.names.push((head.time.name.clone(), super::super::checker::Binding::Local(time, 0)));
            this.scope.instants.push(head.family, &head.time.name, state);
            let dist = this.expr(head.value, Some(&Type::Distribution(Box::new(ty))));
            match dist.is_error() {
                true => Err(super::super::checker::Fault::Reported),
                false => this.fit_event(dist, head.target),
            }
        })?;
        Ok(StateFactor { target: head.target, state, time, dist, span: head.span })
    }
}
