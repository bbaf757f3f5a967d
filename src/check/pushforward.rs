//! `pushforward(f, base)`: the distribution of f(u), where u is a draw of the base. It is an instance of a distribution like any other:
//! its parameters are those of the base and the further arguments of f; draw and log-density are left to the algebra.

use super::call::{Given, Supplied};
use super::checker::{Callable, Checked, Checker, Fault};
use super::density::FactorHead;
use super::model::{Dist, DistId, Expr, ExprKind, Function, FunctionId, LocalId, Pattern, Pushforward, Stmt, StmtKind, VarId};
use super::sizes::Solved;
use super::types::{ArrayType, Type};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};
use std::collections::BTreeMap;

/// The values after the base; for each, the parameter that it becomes and the argument of f that reads it.
struct Further<'a> {
    values: Vec<Expr>,
    params: Vec<LocalId>,
    givens: Vec<Given<'a>>,
}

/// A map of one event: its name, its argument, its value, and the locals that stand for its further arguments.
struct Image {
    map: String,
    input: LocalId,
    value: Expr,
    further: Vec<LocalId>,
}

/// A base as it is written out: what is bound before it, the distribution and its parameters.
struct Base {
    before: Vec<Stmt>,
    dist: DistId,
    args: Vec<Expr>,
    event: ArrayType,
    span: Span,
}

impl<'a> Checker<'a> {
    /// `pushforward(f, base)`, `pushforward(f, base, x)`: what follows the base are further arguments of f.
    pub fn pushforward(&mut self, args: &'a [ast::Arg], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let written = args.iter().map(|arg| match &arg.kind {
            ArgKind::Positional(e) => Ok(e),
            _ => Err(form(arg.span)),
        });
        let written = written.collect::<Result<Vec<_>, _>>()?;
        let [f, base, rest @ ..] = &written[..] else { return Err(form(span).into()) };
        let Some(callable) = self.as_callable(f) else {
            return Err(form(f.span).label(f.span, "not a function").into());
        };
        let Callable::Definition(id, sizes) = callable? else {
            let problem = form(f.span).label(f.span, "neither a `net` nor a `fn` nor a `bijector`");
            return Err(problem.help("write it as a function: `fn f(u) = exp(u)`").into());
        };
        let declared = self.first_argument(id, &sizes, f.span)?.filter(|ty| !ty.is_open());
        let wanted = match want {
            Some(Type::Distribution(of)) => Some((**of).clone()),
            _ => None,
        };
        let lead = lifted(declared.as_ref(), wanted.as_ref());
        let domain = match (&declared, &wanted) {
            (Some(declared), Some(Type::Array(all))) if lead > 0 => with_lead(declared, &all.shape[..lead]),
            (Some(declared), _) => Some(declared.clone()),
            (None, _) => wanted,
        };
        let mut base = self.base(base, domain.as_ref())?;
        let further = self.further_arguments(rest, &mut base.before)?;
        let name = self.declarations.definitions[id].name.to_string();
        let inner = ArrayType { shape: base.event.shape[lead..].to_vec(), ..base.event.clone() };
        let input = self.local("u", Type::Array(inner), span);
        let first = Given { name: None, value: Supplied::Value(self.read(input, f.span)), span: f.span };
        let image = self.call_with(id, sizes, std::iter::once(first).chain(further.givens).collect(), f.span)?;
        let Type::Array(to) = image.ty.clone() else {
            return Err(form(f.span).label(f.span, format!("gives {}, not one array", image.ty)).into());
        };
        if !to.support.is_real() {
            return Err(form(f.span).label(f.span, format!("gives {}, which has no density", image.ty)).into());
        }
        let event = ArrayType { shape: [&base.event.shape[..lead], &to.shape[..]].concat(), support: to.support.clone() };
        let image = Image { map: name, input, value: image, further: further.params };
        let dist = self.pushforward_dist(image, &base, lead, span);
        let args = base.args.into_iter().chain(further.values).collect();
        let ty = Type::Distribution(Box::new(Type::Array(event)));
        let value = Expr::new(ExprKind::Dist(dist, args), ty.clone(), span);
        Ok(if base.before.is_empty() { value } else { Expr::new(ExprKind::Block(base.before, Box::new(value)), ty, span) })
    }

    /// A density of one variable, or a distribution.
    fn base(&mut self, written: &'a ast::Expr, domain: Option<&Type>) -> Checked<Base> {
        let density = match &written.kind {
            ast::ExprKind::Name(name) => self.density_named(name).transpose()?,
            _ => None,
        };
        let value = match density {
            Some(id) => {
                let source = self.made.frozen.get(&id).copied().unwrap_or(id);
                let alone = matches!(&self.heads[source.index()].factors[..], [only] if only.given.is_empty());
                if !alone {
                    let problem = Diagnostic::new(Code::WrongKind, "the base of a `pushforward` is a density of one variable");
                    return Err(problem.at(written.span).help("name a conditional as `p(z | x)`").into());
                }
                self.factor(source, 0, written.span)?
            }
            None => {
                let want = domain.map(|of| Type::Distribution(Box::new(of.clone())));
                self.expr(written, want.as_ref())
            }
        };
        let Type::Distribution(event) = value.ty.clone() else {
            let problem = form(written.span).label(written.span, format!("a {}, not a distribution", value.ty));
            return if value.is_error() { Err(Fault::Reported) } else { Err(problem.into()) };
        };
        let mut before = vec![];
        match (self.written_out(value, &mut before), *event) {
            (Some((dist, args)), Type::Array(event)) => Ok(Base { before, dist, args, event, span: written.span }),
            _ => {
                let problem = Diagnostic::unsupported("a base of `pushforward` that is not a distribution with its parameters");
                Err(problem.at(written.span).help("write the distribution out, such as `Normal(0, 1)`, or name its density").into())
            }
        }
    }

    fn written_out(&mut self, e: Expr, before: &mut Vec<Stmt>) -> Option<(DistId, Vec<Expr>)> {
        match e.kind {
            ExprKind::Dist(id, args) => Some((id, args)),
            ExprKind::Block(stmts, tail) => {
                before.extend(stmts);
                self.written_out(*tail, before)
            }
            ExprKind::Conditional(query) if query.targets.iter().chain(&query.given).all(|(_, value)| value.is_none()) => {
                let dist = self.declared_factor(&query)?;
                self.written_out(dist, before)
            }
            _ => None,
        }
    }

    /// The values after the base, each as a parameter of the distribution and an argument of f. A tuple's parts are arguments of
    /// their own.
    fn further_arguments(&mut self, rest: &[&'a ast::Expr], before: &mut Vec<Stmt>) -> Checked<Further<'a>> {
        let mut values = vec![];
        for e in rest {
            let value = self.expr(e, None);
            match value.ty.clone() {
                Type::Error => return Err(Fault::Reported),
                Type::Array(_) => values.push(value),
                Type::Tuple(types) => {
                    let parts: Vec<LocalId> = types.iter().map(|ty| self.local("_", ty.clone(), e.span)).collect();
                    let pattern = Pattern::Tuple(parts.iter().map(|&part| Pattern::Local(part)).collect());
                    before.push(Stmt { kind: StmtKind::Let(pattern, value), span: e.span });
                    values.extend(parts.into_iter().map(|part| self.read(part, e.span)));
                }
                Type::Distribution(_) => return Err(form(e.span).label(e.span, "a distribution is no argument of the map").into()),
            }
        }
        let local = |(at, value): (usize, &Expr)| self.local(&format!("argument {}", at + 1), value.ty.clone(), value.span);
        let params: Vec<LocalId> = values.iter().enumerate().map(local).collect();
        let given = |(&local, value): (&LocalId, &Expr)| Given {
            name: None,
            value: Supplied::Value(self.read(local, value.span)),
            span: value.span,
        };
        let givens = params.iter().zip(&values).map(given).collect();
        Ok(Further { values, params, givens })
    }

    /// The distribution over events of f's result type. Its parameters are lifted with the base's leading axes.
    fn pushforward_dist(&mut self, f: Image, base: &Base, lead: usize, span: Span) -> DistId {
        let of = self.model.dists[base.dist].clone();
        let mut params = vec![];
        for (&own, arg) in of.params.iter().zip(&base.args) {
            let (own_name, ty) = (self.model.locals[own].name.clone(), own_type(&arg.ty, &self.model.locals[own].ty, lead));
            params.push(self.local(&format!("{own_name} of the base"), ty, arg.span));
        }
        let args = params.iter().map(|&param| self.read(param, base.span)).collect();
        let inner = self.model.locals[f.input].ty.clone();
        let base_ty = Type::Distribution(Box::new(inner));
        let base = Expr::new(ExprKind::Dist(base.dist, args), base_ty, base.span);
        params.extend(f.further);
        let event = f.value.ty.clone();
        let name = format!("pushforward({}, {})", f.map, of.name);
        let id = self.model.pushforwards.push(Pushforward { map: f.map, base, input: f.input, image: f.value, span });
        let x = self.local("x", event.clone(), span);
        let log = Expr::new(ExprKind::LogPushforward(id, Box::new(self.read(x, span))), Type::real([]), span);
        let log_params = std::iter::once(x).chain(params.iter().copied()).collect();
        let mut function = |member: &str, params: Vec<LocalId>, body: Expr| -> FunctionId {
            self.model.functions.push(Function { name: format!("{name}.{member}"), settled: vec![], params, body, span })
        };
        let log_prob = function("log_prob", log_params, log);
        let draw = function("draw", params.clone(), Expr::new(ExprKind::DrawPushforward(id), event.clone(), span));
        self.model.dists.push(Dist { name, params, event, log_prob, draw: Some(draw), members: BTreeMap::new(), span })
    }

    /// Whether a distribution is a pushforward.
    pub fn is_pushforward(&self, dist: &Dist) -> bool {
        dist.draw.is_some_and(|draw| matches!(self.model.functions[draw].body.kind, ExprKind::DrawPushforward(_)))
    }

    /// `p = pushforward(f, base)`: a density of the only data variable that has the type of f's values.
    pub fn density_of_pushforward(&mut self, name: &'a ast::Ident, args: &'a [ast::Arg], value: &'a ast::Expr, span: Span) {
        let id = self.density_head(name, span);
        let found = self.image_variable(name, args, span);
        match self.settle(found) {
            Some(var) => self.heads[id.index()].factors.push(FactorHead { value, targets: vec![var], given: vec![], dist: None, span }),
            None => {
                self.made.poisoned.insert(id);
            }
        }
    }

    fn image_variable(&mut self, name: &ast::Ident, args: &'a [ast::Arg], span: Span) -> Checked<VarId> {
        let Some(ast::Arg { kind: ArgKind::Positional(f), .. }) = args.first() else { return Err(form(span).into()) };
        let Some(Ok(Callable::Definition(id, sizes))) = self.as_callable(f) else { return Err(form(f.span).into()) };
        let definition = self.declarations.definitions[id].get()?;
        let names = self.bind_sizes(&definition.decl.name.name, definition.decl.sizes, &sizes, f.span).unwrap_or_default();
        let scope = super::checker::Scope { names, library: definition.library, ..Default::default() };
        let result = match definition.decl.result {
            Some(ty) => Some(self.in_scope(scope, None, |this| this.annotation_with(ty, true))?),
            None => None,
        };
        let observed = self.model.vars.iter().filter(|(_, var)| var.observed.is_some());
        let fits = observed.filter(|(_, var)| match (&result, &var.ty) {
            (None, Type::Array(array)) => array.support.is_real(),
            (Some(result), ty) => result.unify(ty, &mut Solved::new()),
            (None, _) => false,
        });
        let found: Vec<VarId> = fits.map(|(id, _)| id).collect();
        match found[..] {
            [var] => Ok(var),
            _ => {
                let names: Vec<&str> = found.iter().map(|id| self.model.vars[*id].name.as_str()).collect();
                let message = match &names[..] {
                    [] => format!("no observed variable has the type of this density `{}`", name.name),
                    names => format!("`{}` may be a density of {}", name.name, names.join(" or of ")),
                };
                let p = &name.name;
                let help = format!("name the variable: `{p}(x) = pushforward(…)`");
                Err(Diagnostic::new(Code::UnknownVariable, message).label(span, "of which variable?").help(help).into())
            }
        }
    }
}

/// How many leading axes of the wanted event the map does not see: it is repeated over them.
fn lifted(domain: Option<&Type>, wanted: Option<&Type>) -> usize {
    match (domain, wanted) {
        (Some(Type::Array(domain)), Some(Type::Array(wanted))) => wanted.shape.len().saturating_sub(domain.shape.len()),
        _ => 0,
    }
}

fn with_lead(ty: &Type, lead: &[crate::base::size::Size]) -> Option<Type> {
    match ty {
        Type::Array(array) => Some(Type::array(array.support.clone(), [lead, &array.shape[..]].concat())),
        Type::Tuple(_) | Type::Distribution(_) | Type::Error => None,
    }
}

/// The type of a parameter of the base as one event sees it: without the leading axes, where it has them.
fn own_type(arg: &Type, declared: &Type, lead: usize) -> Type {
    match (arg, declared) {
        (Type::Array(arg), Type::Array(declared)) if arg.shape.len() >= declared.shape.len() + lead => {
            Type::array(arg.support.clone(), arg.shape[lead..].to_vec())
        }
        _ => arg.clone(),
    }
}

/// `.mean` and the like.
pub fn no_member_of_pushforward(member: &str, span: Span) -> Diagnostic {
    let problem = Diagnostic::new(Code::NoRule, format!("the {member} of a pushforward has no closed form"));
    problem
        .label(span, "only draws and log-densities are known")
        .help("estimate it: `E[x ~ p(x), samples: 1000](…)`, or `H(p(x))` for the entropy")
}

fn form(span: Span) -> Diagnostic {
    Diagnostic::new(Code::WrongKind, "`pushforward` takes a function and a distribution of its argument")
        .at(span)
        .help("write `p(x) = pushforward(f, Normal(0, 1))`, with `net f`, `fn f` or `bijector f`")
}
