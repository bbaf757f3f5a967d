//! `reverse(q, noise: f)`, `reverse(q, v: f, variance: forward)`: the network of a reverse process, and the variance of its kernels.

use super::super::call::{Given, Supplied, unknown_argument};
use super::super::checker::{Callable, Checked, Checker, Fault, Scope};
use super::super::coerce::to_real;
use super::super::model::{Expr, ExprKind, LocalId, Prediction, Reverse, VarId, Variance};
use super::super::types::{ArrayType, Support, Type};
use super::made::Made;
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind, Ident};

/// What `reverse` was told beside the process.
#[derive(Default)]
struct Told<'a> {
    prediction: Option<(Prediction, &'a ast::Expr)>,
    variance: Option<(Variance, Span)>,
}

impl<'a> Checker<'a> {
    pub(super) fn reverse(&mut self, made: &Made<'a>, var: VarId) -> Checked<Reverse> {
        self.is_forward(made)?;
        let told = self.told_reverse(made)?;
        let Some((prediction, f)) = told.prediction else {
            let problem = Diagnostic::new(Code::ArgumentCount, "`reverse` takes a process and what a network predicts").at(made.span);
            return Err(problem.help(format!("write `reverse(q, noise: f)`, or one of {}", predictions().join(", "))).into());
        };
        if prediction == Prediction::Velocity && self.model.vars[var].members().is_some() {
            let problem = Diagnostic::new(Code::NoRule, "a chain has no velocity: it runs in discrete steps").at(f.span);
            return Err(problem.help("predict noise, x0, score or v, or declare the process by an equation").into());
        }
        let ty = self.model.vars[var].member_type();
        let (state, time) = (self.local(&self.model.vars[var].name.clone(), ty.clone(), f.span), self.time_local(var, f.span));
        let scope = Scope { instance: Some(Default::default()), ..Scope::default() };
        let network = self.in_scope(scope, None, |this| this.network(f, state, time))?;
        let why = Some((self.model.vars[var].span, format!("the state is {ty}")));
        let predicted = predicted_type(&ty, prediction, f.span)?;
        let (network, variance) = match &network.ty {
            Type::Tuple(parts) if parts.len() == 2 => {
                if let Some((_, span)) = told.variance {
                    let problem = Diagnostic::new(Code::UnknownArgument, "the network has a second output, which is the variance");
                    return Err(problem.label(span, "a second variance").label(f.span, "has two outputs").into());
                }
                let part = |at: usize, ty: &Type| Expr::new(ExprKind::Project(Box::new(network.clone()), at), ty.clone(), f.span);
                let (y, v) = (part(0, &parts[0]), part(1, &parts[1]));
                (self.coerce(y, &predicted, why.clone())?, Variance::Learned { part: self.part_of_variance(v, &ty, why)? })
            }
            _ => (self.coerce(network, &predicted, why)?, told.variance.map_or(Variance::Posterior, |(variance, _)| variance)),
        };
        Ok(Reverse { of: made.of, prediction, state, time, network, variance })
    }

    /// What is reversed has not been made from another.
    fn is_forward(&self, made: &Made<'a>) -> Checked<()> {
        if !self.is_made(made.of) {
            return Ok(());
        }
        let (of, forward) = (&self.heads[made.of.index()], &self.heads[self.forward_of(made.of).index()].name);
        let problem = Diagnostic::new(Code::WrongKind, format!("`{}` runs backwards already", of.name));
        let problem = problem.label(made.span, "reversed again here").label(of.span, format!("`{}` is made here", of.name));
        Err(problem.help(format!("reverse the forward process: `reverse({forward}, …)`")).into())
    }

    fn told_reverse(&mut self, made: &Made<'a>) -> Checked<Told<'a>> {
        let mut told = Told::default();
        for arg in made.args.iter().skip(1) {
            let ArgKind::Named(name, value) = &arg.kind else {
                let problem = Diagnostic::new(Code::UnknownArgument, "what a network predicts is named").at(arg.span);
                return Err(problem.help(format!("write `reverse(q, noise: f)`, or one of {}", predictions().join(", "))).into());
            };
            if name.name == "variance" {
                told.variance = Some((variance(value)?, arg.span));
                continue;
            }
            let Some(prediction) = Prediction::ALL.into_iter().find(|prediction| prediction.name() == name.name) else {
                return Err(unknown_prediction(name).into());
            };
            if told.prediction.is_some() {
                let problem = Diagnostic::new(Code::UnknownArgument, "a reverse process has one network").at(arg.span);
                return Err(problem.help("all that it does not predict follows from what it does").into());
            }
            told.prediction = Some((prediction, value));
        }
        Ok(told)
    }

    /// The second output of a network as a number between 0 and 1, one for all elements or one for each.
    fn part_of_variance(&mut self, v: Expr, state: &Type, why: Option<(Span, String)>) -> Checked<Expr> {
        let bounded = matches!(&v.ty, Type::Array(ArrayType { support: Support::Unit, .. }));
        let v = match &v.ty {
            Type::Array(array) if array.shape.is_empty() => to_real(v),
            _ => self.coerce(v, state, why)?,
        };
        if bounded {
            return Ok(v);
        }
        let (ty, span) = (v.ty.clone(), v.span);
        Ok(Expr::new(ExprKind::Unary(UnaryOp::Sigmoid, Box::new(v)), ty, span))
    }

    /// f(x, t, …): what the network takes beyond state and time are random variables, by name.
    fn network(&mut self, f: &'a ast::Expr, state: LocalId, time: LocalId) -> Checked<Expr> {
        let Some(Callable::Definition(id, sizes)) = self.as_callable(f).transpose()? else {
            let problem = Diagnostic::new(Code::WrongKind, "this is not a function of state and time").at(f.span);
            return Err(problem.help("give the name of a net: `net f(x : Real[D], t : Real) -> Real[D] = …`").into());
        };
        let decl = self.declarations.definitions[id].get()?.decl;
        if decl.params.len() < 2 {
            let message = format!("`{}` takes {} arguments, the network of a process takes two", decl.name.name, decl.params.len());
            let problem = Diagnostic::new(Code::ArgumentCount, message).label(f.span, "needed here");
            return Err(problem.label(decl.name.span, "declared here").help("the state and the time: `f(x, t)`").into());
        }
        let mut givens = vec![];
        for (position, param) in decl.params.iter().enumerate() {
            let value = match position {
                0 => self.read(state, f.span),
                1 => self.read(time, f.span),
                _ => {
                    let var = self.var_named(&param.name)?;
                    Expr::new(ExprKind::Var(var), self.model.vars[var].ty.clone(), f.span)
                }
            };
            givens.push(Given { name: None, value: Supplied::Value(value), span: f.span });
        }
        let call = self.call_with(id, sizes, givens, f.span)?;
        match call.ty {
            Type::Error => Err(Fault::Reported),
            _ => Ok(call),
        }
    }
}

/// What a network predicts of a state of this type: of classes, the logits of x(0).
fn predicted_type(state: &Type, prediction: Prediction, span: Span) -> Checked<Type> {
    let Type::Array(ArrayType { support, shape }) = state else { return Ok(state.clone()) };
    if !support.is_discrete() {
        return Ok(state.clone());
    }
    if prediction != Prediction::X0 {
        let problem =
            Diagnostic::new(Code::WrongKind, format!("states are {state}: a network cannot predict their `{}`", prediction.name()));
        return Err(problem.at(span).help("let it predict the first state by logits: `reverse(q, x0: f)`").into());
    }
    Ok(match support {
        Support::Cat(classes) => Type::real([&shape[..], std::slice::from_ref(classes)].concat()),
        _ => Type::real(shape.clone()),
    })
}

/// `posterior`, `forward`
fn variance(value: &ast::Expr) -> Result<Variance, Diagnostic> {
    match &value.kind {
        ast::ExprKind::Name(name) if name.name == "posterior" => Ok(Variance::Posterior),
        ast::ExprKind::Name(name) if name.name == "forward" => Ok(Variance::Forward),
        _ => {
            let problem = Diagnostic::new(Code::UnknownArgument, "a variance is `posterior` or `forward`").at(value.span);
            Err(problem.help("a learned one is a second output of the network"))
        }
    }
}

fn unknown_prediction(name: &Ident) -> Diagnostic {
    unknown_argument(&name.name, "prediction", predictions().into_iter().chain(["variance"]), name.span)
}

fn predictions() -> [&'static str; 5] {
    Prediction::ALL.map(Prediction::name)
}
