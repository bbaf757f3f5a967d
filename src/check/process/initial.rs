//! `q(x(0) | y) = dist`: the first state of a process whose data are only part of it, such as positions without velocities.

use super::super::checker::{Checked, Checker, Fault, Scope};
use super::super::model::{DensityId, Expr, ExprKind, Initial, VarId};
use super::super::types::Type;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, VarFamily};

/// The distribution of the first state, before it is typed.
#[derive(Clone)]
pub struct InitialHead<'a> {
    value: &'a ast::Expr,
    /// The indexed family
    var: VarId,
    pub given: Vec<VarId>,
    span: Span,
}

impl<'a> Checker<'a> {
    /// Notes that a density says how its process starts.
    pub fn initial_head(&mut self, id: DensityId, factor: &'a ast::Factor, at: &'a ast::Expr, span: Span) -> Checked<()> {
        let var = self.var_named(&factor.targets[0].name)?;
        let time = self.setting_number(at)?;
        self.time_exists(var, time, at.span)?;
        let name = self.model.vars[var].name.clone();
        if self.model.times(var).is_none_or(|(first, _)| first != time) {
            let problem = Diagnostic::unsupported(format!("a factor of `{name}({time})`, which is not the first state")).at(at.span);
            return Err(problem.help("later states follow from the equation of the process").into());
        }
        if let Some(other) = factor.given.iter().find(|given| given.family != VarFamily::Single) {
            return Err(Diagnostic::unsupported("a first state given another state").at(other.span).into());
        }
        let given = factor.given.iter().map(|given| self.var_named(&given.name)).collect::<Checked<Vec<VarId>>>()?;
        let head = &mut self.heads[id.index()];
        if let Some(first) = &head.initial {
            let problem = Diagnostic::new(Code::DuplicateFactor, format!("`{}` has two factors for `{name}({time})`", head.name));
            return Err(problem.label(span, "the second factor").label(first.span, "the first factor").into());
        }
        head.initial = Some(InitialHead { value: &factor.value, var, given, span });
        Ok(())
    }

    /// Types how the process of a density starts, once.
    pub fn finish_initial(&mut self, id: DensityId) -> Checked<()> {
        let Some(head) = self.heads[id.index()].initial.clone() else { return Ok(()) };
        if self.model.densities[id].initial.is_some() {
            return Ok(());
        }
        if self.heads[id.index()].process != Some(head.var) {
            let (name, var) = (&self.heads[id.index()].name, &self.model.vars[head.var].name);
            let problem = Diagnostic::new(Code::UnknownVariable, format!("`{name}` is no process of `{var}`")).at(head.span);
            return Err(problem.help(format!("declare its equation: `{name} : d{var} = … dt + … dW`")).into());
        }
        let data = self.model.times(head.var).and_then(|(first, _)| self.model.data_at(head.var, first));
        if let Some(data) = data.map(|data| &self.model.vars[data]) {
            let problem = Diagnostic::new(Code::DuplicateFactor, format!("`{}` is data and has a distribution", data.name));
            let problem = problem.label(head.span, "its distribution").label(data.span, "its data");
            return Err(problem.help("leave one of the two out").into());
        }
        let want = Type::Distribution(Box::new(self.model.vars[head.var].ty.clone()));
        let scope = Scope { bound: head.given.clone(), only_bound: true, instance: Some(Default::default()), ..Scope::default() };
        let dist = self.in_scope(scope, None, |this| {
            let dist = this.expr(head.value, Some(&want));
            if dist.is_error() { Err(Fault::Reported) } else { this.fit_event(dist, head.var) }
        })?;
        self.model.densities[id].initial = Some(Initial { given: head.given, dist, span: head.span });
        Ok(())
    }

    /// What stands for the data of a process that starts from a distribution: its mean.
    pub fn initial_mean(&mut self, id: DensityId, span: Span) -> Checked<Option<Expr>> {
        let forward = self.forward_of(id);
        self.finish_initial(forward)?;
        let Some(initial) = &self.model.densities[forward].initial else { return Ok(None) };
        let Type::Distribution(of) = &initial.dist.ty else { return Err(Fault::Reported) };
        let kind = ExprKind::DistMember(Box::new(initial.dist.clone()), "mean".into());
        Ok(Some(Expr::new(kind, (**of).clone(), span)))
    }
}
