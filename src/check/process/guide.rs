//! Processes that are guided by a label: `guide(p, y, weight: w)`, `drop(p, y, rate: r)`.

use super::super::checker::{Checked, Checker};
use super::super::model::{DensityId, Expr, ExprKind, Guidance, Guided, Reverse, VarId};
use super::super::types::{ArrayType, Support, Type};
use super::made::Made;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind, Ident};

impl<'a> Checker<'a> {
    /// `guide(p, y, weight: w)`, `guide(p, y = 3, weight: w)`
    pub(super) fn guide(&mut self, made: &Made<'a>) -> Checked<Guided> {
        let (name, value) = self.label(made, "guide(p, y, weight: 2)")?;
        let label = match self.vars.get(&name.name) {
            Some(label) if self.state_head(made.of, *label).is_some() => self.guiding_factor(made, *label, name.span)?,
            _ => self.label_of(made.of, name)?,
        };
        let value = value.map(|value| self.label_value(label, value)).transpose()?;
        let weight = self.strength(made, "weight", 1.0)?;
        let (known, at) = (self.constant_of(&weight), weight.span);
        if let Some(weight) = known.filter(|weight| !(*weight >= 0.0 && weight.is_finite())) {
            let problem = Diagnostic::new(Code::OutOfRange, format!("the weight of guidance is {weight}")).at(at);
            return Err(problem.help("a weight is 0, where nothing is added, or above").into());
        }
        let by_factor = self.state_head(made.of, label).is_some();
        let guidance = if by_factor { Guidance::Classifier(weight) } else { Guidance::ClassifierFree(weight) };
        Ok(Guided { of: made.of, label, value, guidance })
    }

    /// `drop(p, y, rate: r)`
    pub(super) fn drop_label(&mut self, made: &Made<'a>) -> Checked<Guided> {
        let (name, value) = self.label(made, "drop(p, y, rate: 0.1)")?;
        if let Some(value) = value {
            return Err(Diagnostic::unsupported("a value for a label that is dropped").at(value.span).into());
        }
        let label = self.label_of(made.of, name)?;
        let rate = self.strength(made, "rate", 0.1)?;
        let (known, at) = (self.constant_of(&rate), rate.span);
        if let Some(rate) = known.filter(|rate| !(0.0..=1.0).contains(rate)) {
            let problem = Diagnostic::new(Code::OutOfRange, format!("labels cannot be dropped with probability {rate}")).at(at);
            return Err(problem.help("a rate lies between 0 and 1").into());
        }
        Ok(Guided { of: made.of, label, value: None, guidance: Guidance::Drop(rate) })
    }

    /// A factor p(y | x(t)) guides; the network does not know y then.
    fn guiding_factor(&self, made: &Made<'a>, label: VarId, span: Span) -> Checked<VarId> {
        match self.model.reverse(made.of).and_then(|reverse| self.taken_as(reverse, label)) {
            None => Ok(label),
            Some((_, declared)) => {
                let name = &self.model.vars[label].name;
                let problem = Diagnostic::new(Code::WrongKind, format!("both a factor and the network could guide by `{name}`"));
                let problem = problem.label(span, "guided by it here").label(declared, "the network takes it here");
                Err(problem.help("give the factor to a process whose network does not take the label").into())
            }
        }
    }

    /// The label in the second argument: `y` or `y = 3`.
    fn label(&self, made: &Made<'a>, shape: &str) -> Checked<(&'a Ident, Option<&'a ast::Expr>)> {
        let (of, value) = match made.args.get(1).map(|arg| &arg.kind) {
            Some(ArgKind::Positional(of)) => (of, None),
            Some(ArgKind::Substituted(of, value)) => (of, Some(value)),
            Some(ArgKind::Named(..) | ArgKind::Draw(..) | ArgKind::Comprehension { .. }) | None => return Err(no_label(made, shape).into()),
        };
        match &of.kind {
            ast::ExprKind::Name(name) => Ok((name, value)),
            _ => Err(no_label(made, shape).into()),
        }
    }

    /// The third argument, by position or name.
    fn strength(&mut self, made: &Made<'a>, name: &'static str, default: f64) -> Checked<Expr> {
        let value = match made.args.get(2).map(|arg| &arg.kind) {
            None => return Ok(Expr::new(ExprKind::Real(default), Type::real([]), made.span)),
            Some(ArgKind::Positional(value)) => value,
            Some(ArgKind::Named(found, value)) if found.name == name => value,
            Some(ArgKind::Named(found, _)) => {
                return Err(super::super::call::unknown_argument(&found.name, "argument", [name].into_iter(), found.span).into());
            }
            Some(ArgKind::Substituted(..) | ArgKind::Draw(..) | ArgKind::Comprehension { .. }) => {
                return Err(Diagnostic::new(Code::ArgumentCount, format!("`{}` takes one label", made.maker)).at(made.span).into());
            }
        };
        if let Some(more) = made.args.get(3) {
            let message = format!("`{}` takes a process, a label and a {name}", made.maker);
            return Err(Diagnostic::new(Code::ArgumentCount, message).at(more.span).into());
        }
        let value = self.expect(value, &Type::real([]), None);
        if value.is_error() { Err(super::super::checker::Fault::Reported) } else { Ok(value) }
    }

    fn label_value(&mut self, label: VarId, value: &'a ast::Expr) -> Checked<Expr> {
        let var = &self.model.vars[label];
        let (ty, why) = (var.ty.clone(), Some((var.span, format!("`{}` is declared {}", var.name, var.ty))));
        let value = self.expect(value, &ty, why);
        if value.is_error() { Err(super::super::checker::Fault::Reported) } else { Ok(value) }
    }

    /// The variable that guides: the network of the process takes it, and knows a value that says nothing.
    fn label_of(&self, of: DensityId, name: &Ident) -> Checked<VarId> {
        let label = self.var_named(name)?;
        let Some(reverse) = self.model.reverse(of) else {
            let problem = Diagnostic::new(Code::WrongKind, format!("`{}` has no network to guide", self.heads[of.index()].name));
            return Err(problem.at(name.span).help("guide what `reverse` made: `guide(p, y, weight: 2)`").into());
        };
        match self.taken_as(reverse, label) {
            Some((ty, declared)) => self.has_none(label, &ty, name.span, declared).map(|()| label),
            None => {
                let (var, span) = (&self.model.vars[label].name, self.model.densities[of].span);
                let problem = Diagnostic::new(
                    Code::UnknownVariable,
                    format!("the network of `{}` is not given `{var}`", self.heads[of.index()].name),
                );
                let problem = problem.label(name.span, "guided by it here").label(span, "made here");
                let help = format!(
                    "let the network take it, `net f(x, t, {var} : …)`, or declare a factor given the state, `p({var} | x(t)) = …`"
                );
                Err(problem.help(help).into())
            }
        }
    }

    /// Type and place of the parameter as which a network takes a variable.
    fn taken_as(&self, reverse: &Reverse, label: VarId) -> Option<(Type, Span)> {
        let mut calls = vec![&reverse.network];
        while let Some(e) = calls.pop() {
            if let ExprKind::Call(function, args) = &e.kind {
                let params = &self.model.functions[*function].params;
                let at = args.iter().position(|arg| matches!(arg.kind, ExprKind::Var(var) if var == label));
                if let Some(param) = at.and_then(|at| params.get(at)) {
                    let local = &self.model.locals[*param];
                    return Some((local.ty.clone(), local.span));
                }
            }
            e.each_part(&mut |part| calls.push(part));
        }
        None
    }

    /// Classes need one more that means "no label"; of real labels, zero does.
    fn has_none(&self, label: VarId, taken: &Type, used: Span, declared: Span) -> Checked<()> {
        let var = &self.model.vars[label];
        match (&var.ty, taken) {
            (Type::Array(ArrayType { support: Support::Cat(k), shape }), Type::Array(ArrayType { support: Support::Cat(n), .. })) => {
                let wanted = k.clone() + Size::from(1usize);
                if shape.is_empty() && *n == wanted {
                    return Ok(());
                }
                let problem =
                    Diagnostic::new(Code::SupportMismatch, format!("the network knows no value of `{}` that means no label", var.name));
                let problem = problem.label(used, "needed here").label(declared, format!("takes one of {n} classes"));
                Err(problem.help(format!("declare one class more, which stands for none: `{} : Cat<{wanted}>`", var.name)).into())
            }
            (Type::Array(ArrayType { support: Support::Real, .. }), _) => Ok(()),
            (ty, _) => {
                let problem = Diagnostic::unsupported(format!("guidance by a label that is {ty}")).at(used);
                Err(problem.help("a label is a class, `Cat<K>`, or `Real[n]`, where zeros mean no label").into())
            }
        }
    }
}

fn no_label(made: &Made<'_>, shape: &str) -> Diagnostic {
    Diagnostic::new(Code::ArgumentCount, format!("`{}` needs a label", made.maker)).at(made.span).help(format!("write `{shape}`"))
}
