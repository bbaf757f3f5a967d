//! Distributions: overloads, parameters lifted over leading axes, instances of `dist` declarations, members.

use super::call::{match_params, missing_argument, unknown_argument};
use super::checker::{Binding, Checked, Checker, Fault, Scope, State, circle};
use super::coerce::Why;
use super::definition::with_statement;
use super::model::{Dist, DistId, Expr, ExprKind, Fold, Function, FunctionId, LocalId, VarId};
use super::pushforward::no_member_of_pushforward;
use super::sizes::Solved;
use super::types::{ArrayType, Support, Type};
use super::{logits, message, shape};
use crate::base::op::ReduceOp;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind, Declared, Member};
use std::collections::BTreeMap;

impl<'a> Checker<'a> {
    /// `Normal(mean, std)`. Scalars and arrays with leading axes are lifted: the density is the product over these axes.
    pub fn call_dist(&mut self, overloads: &[usize], args: &'a [ast::Arg], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let id = self.overload(overloads, args)?;
        let entry = &self.declarations.dists[id];
        let (decl, name) = (entry.get()?, entry.name);
        let params: Vec<&str> = decl.params.iter().map(|param| param.name.name.as_str()).collect();
        let (givens, before) = self.givens(args, params.len())?;
        let slots = match_params(name, &params, givens)?;
        let mut solved = Solved::new();
        let mut lead: Vec<Size> = vec![];
        let mut values = vec![];
        for (param, slot) in decl.params.iter().zip(slots) {
            let pattern = self.declared_type(&decl.params, &param.name.name, entry.library)?.fill(&solved);
            let why = Some((param.name.span, format!("`{}` of `{name}` is {}", param.name.name, pattern.close())));
            let want = Some(&pattern).filter(|ty| !ty.is_open());
            let value = match (slot, &param.default) {
                (Some((supplied, at)), _) => self.supplied(supplied, want, at),
                (None, Some(default)) => self.expr(default, want),
                (None, None) => return Err(missing_argument(name, &param.name.name, span, param.name.span).into()),
            };
            if entry.library && param.name.name == "logits" {
                logits::verify(&self.model, name, &value)?;
            }
            values.push(self.lift(value, &pattern, &mut solved, &mut lead, why)?);
        }
        let Some(ty) = &decl.ty else {
            return Err(Diagnostic::new(Code::SizeNotKnown, format!("`{name}` does not declare the type of its values"))
                .at(decl.name.span)
                .into());
        };
        let scope = Scope { library: entry.library, ..Scope::default() };
        let event = self.in_scope(scope, None, |this| this.annotation_with(ty, true))?.fill(&solved);
        if event.is_open() {
            return Err(message::size_not_known(span).into());
        }
        let Type::Array(event) = event else {
            if lead.is_empty() {
                lead = leading_axes(want, &event);
            }
            let sizes: Vec<(String, Size)> = solved.into_iter().collect();
            let dist = self.dist_instance(id, &sizes, &event, (span, format!("`{name}`, used here")))?;
            return Ok(with_statement(
                before,
                Expr::new(ExprKind::Dist(dist, values), Type::Distribution(Box::new(over_axes(&lead, event))), span),
            ));
        };
        if lead.is_empty()
            && let Some(Type::Distribution(wanted)) = want
            && let Type::Array(wanted) = &**wanted
            && wanted.shape.len() >= event.shape.len()
        {
            lead = wanted.shape[..wanted.shape.len() - event.shape.len()].to_vec();
        }
        let sizes: Vec<(String, Size)> = solved.into_iter().collect();
        let dist = self.dist_instance(id, &sizes, &Type::Array(event.clone()), (span, format!("`{name}`, used here")))?;
        let ty = Type::Distribution(Box::new(Type::array(event.support, [lead, event.shape].concat())));
        Ok(with_statement(before, Expr::new(ExprKind::Dist(dist, values), ty, span)))
    }

    /// The first overload that has all the named arguments and room for the others.
    fn overload(&self, overloads: &[usize], args: &[ast::Arg]) -> Checked<usize> {
        for &id in overloads {
            let params = &self.declarations.dists[id].get()?.params;
            let named = args.iter().all(|arg| match &arg.kind {
                ArgKind::Named(name, _) => params.iter().any(|param| param.name.name == name.name),
                _ => true,
            });
            if named && args.len() <= params.len() {
                return Ok(id);
            }
        }
        Ok(overloads.first().copied().unwrap_or(0))
    }

    fn declared_type(&mut self, params: &'a [ast::FnParam], name: &str, library: bool) -> Checked<Type> {
        let Some(ty) = params.iter().find(|param| param.name.name == name).and_then(|param| param.ty.as_ref()) else {
            return Ok(Type::real([]));
        };
        self.in_scope(Scope { library, ..Scope::default() }, None, |this| this.annotation_with(ty, true))
    }

    /// A parameter's value: the declared shape last, the same axes or none in front.
    fn lift(&mut self, value: Expr, pattern: &Type, solved: &mut Solved, lead: &mut Vec<Size>, why: Why) -> Checked<Expr> {
        let array = self.array(&value)?;
        let Type::Array(declared) = pattern else { return self.coerce(value, pattern, why) };
        let rank = declared.shape.len();
        if array.shape.len() < rank {
            return Err(message::mismatch(&self.model, &value, &pattern.close(), why).into());
        }
        let (front, event) = array.shape.split_at(array.shape.len() - rank);
        let event = Type::array(array.support.clone(), event.to_vec());
        let agree = front.is_empty() || lead.is_empty() || shape::same_shape(front, lead);
        if !agree || !pattern.unify(&event, solved) {
            let wanted = Type::array(declared.support.clone(), [&lead[..], &declared.shape[..]].concat()).fill(solved);
            return Err(message::mismatch(&self.model, &value, &wanted.close(), why).into());
        }
        if lead.is_empty() {
            *lead = front.to_vec();
        }
        let Type::Array(filled) = pattern.fill(solved) else { return Ok(value) };
        let wanted = Type::array(filled.support, [front, &filled.shape[..]].concat());
        self.coerce(value, &wanted, why)
    }

    /// The declaration for given sizes: one instance for all uses.
    pub fn dist_instance(&mut self, id: usize, sizes: &[(String, Size)], event: &Type, used: (Span, String)) -> Checked<DistId> {
        let key = (id, sizes.iter().map(|(_, size)| size.clone()).collect::<Vec<_>>());
        let entry = &self.declarations.dists[id];
        let decl = entry.get()?;
        match self.made.dists.get(&key) {
            Some(State::Done(dist)) => return Ok(*dist),
            Some(State::Busy) => return Err(circle(entry.name, used.0)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.dists.insert(key.clone(), State::Busy);
        let scope = Scope { library: entry.library, names: size_bindings(sizes), ..Scope::default() };
        let made = self.in_scope(scope, Some(used), |this| this.dist_members(decl, event));
        let made = self.settle(made).map(|dist| self.model.dists.push(dist));
        if let Some(dist) = made {
            self.made.dist_sizes.insert(dist, sizes.to_vec());
        }
        self.made.dists.insert(key, made.map_or(State::Failed, State::Done));
        made.ok_or(Fault::Reported)
    }

    /// A declaration at given sizes, without a use.
    pub fn dist_alone(&mut self, id: usize, sizes: Vec<(String, Size)>) -> Checked<DistId> {
        let entry = &self.declarations.dists[id];
        let decl = entry.get()?;
        let names = size_bindings(&sizes);
        let scope = Scope { library: entry.library, names, ..Scope::default() };
        let span = decl.name.span;
        let event = match &decl.ty {
            Some(ty) => self.in_scope(scope, None, |this| this.annotation(ty))?,
            None => Type::real([]),
        };
        self.dist_instance(id, &sizes, &event, (span, "alone".into()))
    }

    fn dist_members(&mut self, decl: &'a Declared, event_ty: &Type) -> Checked<Dist> {
        let name = &decl.name.name;
        let params = self.declared_params(decl)?;
        for member in decl.members.iter().filter(|member| member.params.is_empty()) {
            self.scope.names.push((member.name.name.clone(), Binding::Member(&member.body)));
        }
        self.scope.members_from = self.scope.names.len();
        let whole = matches!(event_ty, Type::Array(event) if !event.support.is_real());
        let (mut log_prob, mut draw, mut members) = (None, None, BTreeMap::new());
        for member in &decl.members {
            match (member.name.name.as_str(), &member.params[..]) {
                ("log_prob", [value]) => {
                    log_prob = Some(self.member_function(name, member, &params, |this| {
                        let value = this.bind(&value.name.name, event_ty.clone(), value.name.span);
                        let body = this.expr(&member.body, None);
                        (vec![value], this.scalar_real(body, "a log-density"))
                    }));
                }
                ("draw", []) => {
                    draw = Some(self.member_function(name, member, &params, |this| {
                        let body = this.expr(&member.body, Some(event_ty));
                        let body = if whole { to_int(body) } else { body };
                        (vec![], this.coerce(body, event_ty, Some((decl.name.span, format!("values of `{name}` are {event_ty}")))))
                    }));
                }
                (member_name, []) => {
                    let function = self.member_function(name, member, &params, |this| (vec![], Ok(this.expr(&member.body, None))));
                    members.insert(member_name.to_string(), function);
                }
                (other, _) => {
                    let known = ["log_prob(x)", "draw", "mean", "var", "std", "mode", "entropy"];
                    self.report(unknown_argument(other, "member with arguments", known.into_iter(), member.name.span));
                }
            }
        }
        let Some(log_prob) = log_prob else {
            let problem = Diagnostic::new(Code::UnknownArgument, format!("`{name}` has no log-density")).at(decl.name.span);
            return Err(problem.help("add a member `log_prob(x) = …`").into());
        };
        Ok(Dist { name: name.clone(), params, event: event_ty.clone(), log_prob, draw, members, span: decl.name.span })
    }

    /// The parameters of a declaration as locals in scope.
    pub fn declared_params(&mut self, decl: &'a Declared) -> Checked<Vec<LocalId>> {
        let mut params = vec![];
        for param in &decl.params {
            let ty = match &param.ty {
                Some(ty) => self.annotation(ty)?,
                None => Type::real([]),
            };
            params.push(self.bind(&param.name.name, ty, param.name.span));
        }
        Ok(params)
    }

    fn member_function(
        &mut self,
        dist: &str,
        member: &Member,
        params: &[LocalId],
        body: impl FnOnce(&mut Self) -> (Vec<LocalId>, Checked<Expr>),
    ) -> FunctionId {
        let (mut locals, body) = self.nested(body);
        let body = self.settle(body).unwrap_or_else(|| Expr::error(member.body.span));
        locals.extend_from_slice(params);
        let name = format!("{dist}.{}", member.name.name);
        self.model.functions.push(Function { name, settled: vec![], params: locals, body, span: member.name.span })
    }

    /// `d.mean`, `d.logits`
    pub fn member(&mut self, base: &'a ast::Expr, name: &'a ast::Ident, span: Span) -> Checked<Expr> {
        if let Some(process) = self.process_base(base) {
            return self.process_value(process?, base, name, span);
        }
        let of = self.expr(base, None);
        let Type::Distribution(event) = of.ty.clone() else {
            if of.is_error() {
                return Err(Fault::Reported);
            }
            let problem = Diagnostic::new(Code::WrongKind, format!("only a distribution has members, this is {}", of.ty)).at(of.span);
            return Err(problem.into());
        };
        let Type::Array(event) = *event else {
            return Err(Diagnostic::unsupported("a member of a joint distribution").at(span).into());
        };
        let ty = match self.dist_of(&of) {
            Some((dist, args)) => self.member_type(dist, &args, &event, name)?,
            None if name.name == "entropy" => return Ok(Expr::new(ExprKind::Entropy(Box::new(of)), Type::real([]), span)),
            None => match name.name.as_str() {
                "mode" if event.support.is_discrete() => Type::Array(event),
                "mean" | "var" | "std" | "mode" => Type::real(event.shape),
                "probs" if let Support::Cat(classes) = event.support => {
                    Type::array(Support::Simplex, [&event.shape[..], &[classes]].concat())
                }
                "prob" if event.support == Support::Bit => Type::array(Support::Unit, event.shape),
                "cov" if event.shape.len() == 1 => Type::array(Support::Cov, [&event.shape[..], &event.shape].concat()),
                _ => {
                    return Err(
                        unknown_argument(&name.name, "member", ["mean", "var", "std", "mode", "entropy"].into_iter(), name.span).into()
                    );
                }
            },
        };
        let member = Expr::new(ExprKind::DistMember(Box::new(of), name.name.clone()), ty, span);
        // Of a product over axes, the entropy is the sum.
        if name.name == "entropy" { self.fold_all(Fold::Reduce(ReduceOp::Sum), member, span) } else { Ok(member) }
    }

    fn member_type(&self, id: DistId, args: &[Expr], event: &ArrayType, name: &ast::Ident) -> Checked<Type> {
        let dist = &self.model.dists[id];
        let rank = match &dist.event {
            Type::Array(array) => array.shape.len(),
            _ => 0,
        };
        let lead = &event.shape[..event.shape.len().saturating_sub(rank)];
        if let Some(at) = dist.params.iter().position(|param| self.model.locals[*param].name == name.name) {
            let (Type::Array(param), Type::Array(arg)) = (&self.model.locals[dist.params[at]].ty, &args[at].ty) else {
                return Err(Fault::Reported);
            };
            return Ok(Type::array(arg.support.clone(), [lead, &param.shape[..]].concat()));
        }
        match dist.members.get(&name.name) {
            Some(function) => match &self.model.functions[*function].body.ty {
                Type::Array(array) => Ok(Type::array(array.support.clone(), [lead, &array.shape[..]].concat())),
                ty => Ok(ty.clone()),
            },
            None if self.is_pushforward(dist) => Err(no_member_of_pushforward(&name.name, name.span).into()),
            None => {
                let params = dist.params.iter().map(|param| self.model.locals[*param].name.as_str());
                let known = dist.members.keys().map(String::as_str).chain(params);
                Err(unknown_argument(&name.name, &format!("member of `{}`", dist.name), known, name.span).into())
            }
        }
    }

    /// The instance behind a distribution, where it can be seen: through blocks and declared factors.
    pub fn dist_of(&mut self, e: &Expr) -> Option<(DistId, Vec<Expr>)> {
        match &e.kind {
            ExprKind::Dist(id, args) => Some((*id, args.clone())),
            ExprKind::Block(_, tail) => self.dist_of(tail),
            ExprKind::Conditional(query) => {
                let dist = self.declared_factor(query)?;
                self.dist_of(&dist)
            }
            _ => None,
        }
    }

    /// A distribution as that of a variable: its events must be values of the variable, as counting or as continuous measure.
    pub fn fit_event(&mut self, dist: Expr, var: VarId) -> Checked<Expr> {
        let ty = self.model.vars[var].ty.clone();
        self.fit_event_of(dist, var, ty)
    }

    /// Likewise of one member of a chain.
    pub fn fit_event_of(&mut self, dist: Expr, var: VarId, ty: Type) -> Checked<Expr> {
        let (name, declared) = (self.model.vars[var].name.clone(), self.model.vars[var].span);
        let why = Some((declared, format!("`{name}` is declared {ty}")));
        let wanted = Type::Distribution(Box::new(ty.clone()));
        let of = match &dist.ty {
            Type::Distribution(of) => (**of).clone(),
            Type::Error => return Ok(dist),
            _ => return Err(message::mismatch(&self.model, &dist, &wanted, why).into()),
        };
        let (Type::Array(event), Type::Array(value)) = (&of, &ty) else {
            return self.coerce(dist, &wanted, why);
        };
        if !shape::same_shape(&event.shape, &value.shape) {
            return Err(message::mismatch(&self.model, &dist, &wanted, why).into());
        }
        if !is_density_of(&event.support, &value.support) {
            let family = self.dist_of(&dist).map_or("this".to_string(), |(id, _)| self.model.dists[id].name.clone());
            return Err(message::not_a_density(&family, &event.support, &name, &ty, dist.span, declared).into());
        }
        Ok(Expr { ty: wanted, ..dist })
    }
}

/// The axes that the first member of a wanted tuple has in front of those of the declared one.
fn leading_axes(want: Option<&Type>, event: &Type) -> Vec<Size> {
    let (Some(Type::Distribution(wanted)), Type::Tuple(declared)) = (want, event) else { return vec![] };
    match (&**wanted, declared.first()) {
        (Type::Tuple(wanted), Some(Type::Array(declared))) => match wanted.first() {
            Some(Type::Array(wanted)) => wanted.shape[..wanted.shape.len().saturating_sub(declared.shape.len())].to_vec(),
            _ => vec![],
        },
        _ => vec![],
    }
}

/// Each member of a tuple with these axes in front.
fn over_axes(lead: &[Size], event: Type) -> Type {
    match event {
        Type::Array(array) => Type::array(array.support, [lead, &array.shape].concat()),
        Type::Tuple(types) => Type::Tuple(types.into_iter().map(|ty| over_axes(lead, ty)).collect()),
        other => other,
    }
}

/// Whether a distribution with such events is one of a variable with such values.
fn is_density_of(event: &Support, value: &Support) -> bool {
    use Support::*;
    match (event, value) {
        _ if event == value => true,
        // A continuous density over the whole line is one of data that lie in a part of it.
        (Real, Positive | Unit | Ordered) => true,
        (Positive, Unit) => true,
        (Int, Cat(_)) => true,
        (Cat(k), Cat(n)) => shape::may_equal(k, n),
        _ => false,
    }
}

pub fn size_bindings<'a>(sizes: &[(String, Size)]) -> Vec<(String, Binding<'a>)> {
    sizes.iter().map(|(name, size)| (name.clone(), Binding::Size(size.clone()))).collect()
}

/// A draw that was computed as a real number, where events are whole.
fn to_int(e: Expr) -> Expr {
    match &e.ty {
        Type::Array(array) if array.support.is_real() => {
            let ty = Type::array(Support::Int, array.shape.clone());
            let span = e.span;
            Expr::new(ExprKind::ToInt(Box::new(e)), ty, span)
        }
        _ => e,
    }
}
