//! What is asked of a process: `q.signal(t)`, `p.score(x, t)`, `q.times`. What is not in the table is a function of the library or the
//! file whose first parameter is a `Process`: `q.snr(t)` is `snr(q, t)`.

use super::super::call::{Given, Supplied, unknown_argument};
use super::super::checker::{Callable, Checked, Checker};
use super::super::coerce::to_real;
use super::super::declarations::{Definition, DefinitionKind, Global};
use super::super::definition::with_statement;
use super::super::listed::Listed;
use super::super::model::{DensityId, Expr, ExprKind, Family, Prediction, ProcessKind, ProcessMember, VarId};
use super::super::types::{Support, Type};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, TypeExprKind};

/// What an argument is, or a result.
#[derive(Clone, Copy)]
enum Sort {
    Time,
    State,
    Number,
    /// A distribution over states
    Distribution,
}

/// Name, arguments, result.
const MEMBERS: &[(&str, &[Sort], ProcessMember, Sort)] = &[
    ("signal", &[Sort::Time], ProcessMember::Signal, Sort::Number),
    ("noise", &[Sort::Time], ProcessMember::Noise, Sort::Number),
    ("var", &[Sort::Time], ProcessMember::Var, Sort::Number),
    ("log_snr", &[Sort::Time], ProcessMember::LogSnr, Sort::Number),
    ("diffused", &[Sort::State, Sort::State, Sort::Time], ProcessMember::Diffused, Sort::State),
    ("drift", &[Sort::State, Sort::Time], ProcessMember::Drift, Sort::State),
    ("diffusion", &[Sort::Time], ProcessMember::Diffusion, Sort::Number),
    ("diffuse", &[Sort::Time, Sort::State], ProcessMember::Diffuse, Sort::State),
    ("velocity", &[Sort::State, Sort::State, Sort::Time], ProcessMember::Rate, Sort::State),
    ("noise", &[], ProcessMember::Other, Sort::State),
    ("coupled", &[Sort::State, Sort::State], ProcessMember::Coupled, Sort::State),
    ("time", &[Sort::Number], ProcessMember::Time, Sort::Time),
    ("initial", &[], ProcessMember::Initial, Sort::State),
    ("kernel", &[Sort::State, Sort::Time, Sort::Time], ProcessMember::Kernel, Sort::Distribution),
    ("bridge", &[Sort::State, Sort::State, Sort::Time, Sort::Time], ProcessMember::Bridge, Sort::Distribution),
    ("prior", &[], ProcessMember::Prior, Sort::Distribution),
    ("noise", &[Sort::State, Sort::Time], ProcessMember::Predicted(Prediction::Noise), Sort::State),
    ("x0", &[Sort::State, Sort::Time], ProcessMember::Predicted(Prediction::X0), Sort::State),
    ("score", &[Sort::State, Sort::Time], ProcessMember::Predicted(Prediction::Score), Sort::State),
    ("v", &[Sort::State, Sort::Time], ProcessMember::Predicted(Prediction::V), Sort::State),
    ("velocity", &[Sort::State, Sort::Time], ProcessMember::Predicted(Prediction::Velocity), Sort::State),
];

/// Members without arguments that stand for expressions of their own.
const VALUES: &[&str] = &["data", "first", "last", "times", "backward", "continuous", "stochastic", "finite", "steps"];

/// Times are drawn from this part of the range on: at its start the noise is zero and the score has no bound (Song et al.:
/// Score-based generative modeling through stochastic differential equations, 2021, appendix C).
const EARLIEST: f64 = 1e-3;

/// The type of a parameter that is a process
const PROCESS: &str = "Process";

/// As many as the chains of Ho et al. 2020 have
const CONTINUOUS_STEPS: i64 = 1000;

impl<'a> Checker<'a> {
    /// The process behind `q` in `q.signal(t)`, if it is one.
    pub fn process_base(&mut self, base: &'a ast::Expr) -> Option<Checked<DensityId>> {
        match self.as_callable(base) {
            Some(Ok(Callable::Density(id))) => Some(self.usable(id)),
            Some(Err(fault)) if super::made::maker(base).is_some() => Some(Err(fault)),
            Some(Ok(_)) | Some(Err(_)) | None => None,
        }
    }

    /// `q.signal(t)`
    pub fn process_call(
        &mut self,
        id: DensityId,
        base: &'a ast::Expr,
        name: &'a ast::Ident,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Checked<Expr> {
        let family = self.family_of(id, base.span)?;
        let named = MEMBERS.iter().filter(|(known, ..)| *known == name.name);
        let Some((_, sorts, member, result)) = named.clone().find(|(_, sorts, ..)| sorts.len() == args.len()) else {
            if let Some((_, sorts, ..)) = named.clone().next() {
                let message = format!("`{}` takes {} arguments, here are {}", name.name, sorts.len(), args.len());
                return Err(Diagnostic::new(Code::ArgumentCount, message).at(span).into());
            }
            return self.library_member(base, name, args, span);
        };
        let mut values = vec![];
        for (arg, sort) in args.iter().zip(*sorts) {
            let ast::ArgKind::Positional(arg) = &arg.kind else {
                let problem = Diagnostic::new(Code::UnknownArgument, format!("`{}` takes its arguments by position", name.name));
                return Err(problem.at(arg.span).into());
            };
            values.push(self.process_argument(family, arg, *sort)?);
        }
        let kind = ExprKind::ProcessMember { density: id, member: *member, args: values };
        let ty = self.sort_type(family, *result);
        self.gaussian_answers(&ty, span)?;
        Ok(Expr::new(kind, ty, span))
    }

    fn sort_type(&self, family: VarId, sort: Sort) -> Type {
        match sort {
            Sort::State => self.model.vars[family].member_type(),
            Sort::Number => Type::real([]),
            Sort::Distribution => Type::Distribution(Box::new(self.model.vars[family].member_type())),
            Sort::Time => self.time_type(family),
        }
    }

    fn time_type(&self, family: VarId) -> Type {
        match self.model.vars[family].family {
            Family::Chain { .. } | Family::Member { .. } => Type::scalar(Support::Int),
            Family::Process { .. } | Family::Instant { .. } | Family::Single => Type::real([]),
        }
    }

    fn process_argument(&mut self, family: VarId, arg: &'a ast::Expr, sort: Sort) -> Checked<Expr> {
        let ty = self.sort_type(family, sort);
        let why = Some((self.model.vars[family].span, format!("`{}` is declared here", self.model.vars[family].name)));
        let value = self.expr(arg, Some(&ty));
        let known = match sort {
            Sort::Time => self.constant_of(&value),
            Sort::State | Sort::Number | Sort::Distribution => None,
        };
        if let (Some(time), Family::Process { .. }) = (known, self.model.vars[family].family) {
            self.time_exists(family, time, arg.span)?;
        }
        if let (Some(time), Family::Chain { .. }) = (known, self.model.vars[family].family) {
            self.member_exists(family, time as i64, arg.span)?;
        }
        self.coerce(value, &ty, why)
    }

    /// `q.snr(t)`: the function of that name that takes a process.
    fn library_member(&mut self, base: &'a ast::Expr, name: &'a ast::Ident, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let declared = match self.declarations.get(&name.name, self.scope.library) {
            Some(&Global::Definition(id)) => Some(id),
            _ => None,
        };
        let Some(id) = declared else { return Err(self.no_member(name).into()) };
        if !takes_process(&self.declarations.definitions[id].get()?) {
            return Err(self.no_member(name).into());
        }
        let (mut givens, before) = self.givens(args, usize::MAX)?;
        givens.insert(0, Given { name: None, value: Supplied::Written(base), span: base.span });
        let call = self.call_with(id, vec![], givens, span)?;
        Ok(with_statement(before, call))
    }

    /// What is neither in the tables nor a function of a process.
    fn no_member(&self, name: &ast::Ident) -> Diagnostic {
        let takes = |entry: &&Listed<'_, Definition<'_>>| {
            entry.may_mention(PROCESS) && entry.get().is_ok_and(|definition| takes_process(&definition))
        };
        let functions = self.declarations.definitions.iter().filter(takes).map(|entry| entry.name);
        let known = MEMBERS.iter().map(|(known, ..)| *known).chain(VALUES.iter().copied()).chain(functions);
        unknown_argument(&name.name, "member of a process", known, name.span)
    }

    /// `q.data`, `q.first`, `q.last`, `q.times`; whether it runs from the last time to the first (`q.backward`), in continuous time, with
    /// noise.
    pub fn process_value(&mut self, id: DensityId, base: &'a ast::Expr, name: &'a ast::Ident, span: Span) -> Checked<Expr> {
        let family = self.family_of(id, base.span)?;
        let (first, last) = self.model.times(family).unwrap_or((0.0, 1.0));
        let whole = self.time_type(family) == Type::scalar(Support::Int);
        let number = |value: f64| match whole {
            true => Expr::new(ExprKind::Int(value as i64), Type::scalar(Support::Int), span),
            false => Expr::new(ExprKind::Real(value), Type::real([]), span),
        };
        match name.name.as_str() {
            "first" => Ok(number(first)),
            "last" if self.is_made(id) => {
                let kind = ExprKind::ProcessMember { density: id, member: ProcessMember::Last, args: vec![] };
                Ok(Expr::new(kind, self.time_type(family), span))
            }
            "last" => Ok(number(last)),
            "backward" => Ok(truth(self.model.reverse(id).is_some(), span)),
            "continuous" => Ok(truth(!whole, span)),
            "finite" => Ok(truth(is_finite(&self.model.vars[family].member_type()), span)),
            "stochastic" => Ok(truth(self.is_stochastic(id), span)),
            "data" => match self.model.data_at(family, first) {
                Some(data) => {
                    self.has_value(data, span)?;
                    Ok(Expr::new(ExprKind::Var(data), self.model.vars[data].ty.clone(), span))
                }
                None => {
                    if let Some(mean) = self.initial_mean(id, span)? {
                        return Ok(mean);
                    }
                    let var = &self.model.vars[family];
                    let problem = Diagnostic::new(Code::DataMissing, format!("`{}` has no data at its first time", var.name));
                    Err(problem
                        .label(span, "needed here")
                        .label(var.span, "declared here")
                        .help("add `data x(0) = …` or `data x[0] = …`")
                        .into())
                }
            },
            "times" if whole => self.uniform_times("DiscreteUniform", ["low", "high"], [number(first + 1.0), number(last)], span),
            "times" => {
                let earliest = number(first + EARLIEST * (last - first));
                self.uniform_times("Uniform", ["low", "high"], [earliest, number(last)], span)
            }
            _ => Err(self.no_member(name).into()),
        }
    }

    /// Whether the equation of a process has a noise.
    fn is_stochastic(&self, id: DensityId) -> bool {
        match self.model.densities[id].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Ito { diffusion, .. }) => self.constant_of(diffusion) != Some(0.0),
            Some(_) | None => !self.model.is_flow(id),
        }
    }

    /// `p.steps` where a size may stand: how many a chain has; of continuous time `CONTINUOUS_STEPS`.
    pub fn process_size(&mut self, base: &'a ast::Expr, name: &ast::Ident) -> Option<Checked<Size>> {
        let id = match self.process_base(base).filter(|_| name.name == "steps")? {
            Ok(id) => id,
            Err(fault) => return Some(Err(fault)),
        };
        Some(self.family_of(id, base.span).map(|family| Size::from(self.steps_of(family))))
    }

    fn steps_of(&self, family: VarId) -> i64 {
        match (self.model.vars[family].family, self.model.times(family)) {
            (Family::Process { .. } | Family::Instant { .. }, _) | (_, None) => CONTINUOUS_STEPS,
            (Family::Chain { .. } | Family::Member { .. } | Family::Single, Some((first, last))) => (last - first) as i64,
        }
    }

    fn uniform_times(&mut self, name: &str, params: [&str; 2], bounds: [Expr; 2], span: Span) -> Checked<Expr> {
        let ty = bounds[0].ty.clone();
        let dist = self.library_dist(name, &params, vec![], &ty, span)?;
        let bounds = bounds.into_iter().map(|bound| if ty == Type::real([]) { to_real(bound) } else { bound });
        Ok(Expr::new(ExprKind::Dist(dist, bounds.collect()), Type::Distribution(Box::new(ty)), span))
    }
}

/// A function whose first parameter is a process may be called as a member of one.
fn takes_process(definition: &Definition<'_>) -> bool {
    let first = definition.decl.params.first().and_then(|param| param.ty.as_ref());
    definition.kind == DefinitionKind::Fn && first.is_some_and(is_process)
}

fn truth(value: bool, span: Span) -> Expr {
    Expr::new(ExprKind::Bool(value), Type::scalar(Support::Bool), span)
}

/// `p : Process`
pub fn is_process(ty: &ast::TypeExpr) -> bool {
    matches!(&ty.kind, TypeExprKind::Named { name, bound: None, shape } if name.name == PROCESS && shape.is_empty())
}

/// `steps : Size`
pub fn is_size(ty: &ast::TypeExpr) -> bool {
    matches!(&ty.kind, TypeExprKind::Named { name, bound: None, shape } if name.name == "Size" && shape.is_empty())
}

/// Whether states of a type can be listed.
fn is_finite(state: &Type) -> bool {
    matches!(state, Type::Array(array) if matches!(array.support, Support::Bit | Support::Cat(_)))
}
