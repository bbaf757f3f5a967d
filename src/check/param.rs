//! Parameters: their type, how they start, and the bijection that keeps them in their support.

use super::annotation::written_name;
use super::checker::{Binding, Checked, Checker, Fault, Scope, State, circle};
use super::definition::learn_open;
use super::model::{Constraint, Expr, ExprKind, Function, FunctionId, Init, Param, ParamId, Primitive};
use super::sizes::Solved;
use super::types::{ArrayType, Support, Type};
use super::{call, dist, message, shape};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind, ParamDef};

impl<'a> Checker<'a> {
    /// A parameter of the file, on demand.
    pub fn global_param(&mut self, id: usize, used: Span) -> Checked<ParamId> {
        let def = self.declarations.params[id];
        match self.made.params.get(&id) {
            Some(State::Done(param)) => return Ok(*param),
            Some(State::Busy) => return Err(circle(&def.name.name, used)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.params.insert(id, State::Busy);
        let param = self.top_level(|this| this.param(def, def.name.name.clone(), None));
        let param = self.settle(param);
        self.made.params.insert(id, param.map_or(State::Failed, State::Done));
        param.ok_or(Fault::Reported)
    }

    /// A parameter of a layer or net: its name stands for it in the rest of the body.
    pub fn layer_param(&mut self, def: &'a ParamDef) {
        let made = match self.scope.instance.clone() {
            Some(instance) => {
                let path = format!("{}.{}", instance.path, def.name.name);
                self.param(def, path, instance.net)
            }
            None => {
                let problem = Diagnostic::new(Code::WrongKind, "a pure function has no parameters to learn").at(def.name.span);
                Err(problem.help("make it a `layer` or a `net`").into())
            }
        };
        let value = match self.settle(made) {
            Some(id) => Expr::new(ExprKind::Param(id), self.model.params[id].ty.clone(), def.name.span),
            None => Expr::error(def.name.span),
        };
        self.scope.names.push((def.name.name.clone(), Binding::Value(Box::new(value))));
    }

    fn param(&mut self, def: &'a ParamDef, path: String, net: Option<String>) -> Checked<ParamId> {
        let ty = self.annotation(&def.ty)?;
        let Type::Array(array) = &ty else {
            return Err(Diagnostic::unsupported("a parameter that is a tuple").at(def.ty.span).into());
        };
        if array.support.is_discrete() {
            let problem =
                Diagnostic::new(Code::TypeMismatch, format!("a parameter is learned by its gradient, {ty} has none")).at(def.ty.span);
            return Err(problem.help("make it a latent variable of a density").into());
        }
        let init = match (&def.init_dist, &def.init_value) {
            (Some(dist), _) => self.drawn_init(dist, array, def)?,
            (None, Some(value)) => Init::Value(self.init_value(value, array, def)?),
            (None, None) => Init::Value(default_init(array, def.name.span)),
        };
        let constraint = self.constraint(array, def.name.span)?;
        Ok(self.model.params.push(Param { path, ty: ty.clone(), init, constraint, net, span: def.name.span }))
    }

    /// `~ Normal(0, 1)`, `~ rows(x)`
    fn drawn_init(&mut self, dist: &'a ast::Expr, array: &ArrayType, def: &ParamDef) -> Checked<Init> {
        if let ast::ExprKind::Call { callee, args, .. } = &dist.kind
            && matches!(&callee.kind, ast::ExprKind::Name(name) if name.name == "rows")
        {
            return self.rows_init(args, array, dist.span);
        }
        let want = Type::Distribution(Box::new(Type::Array(array.clone())));
        let value = self.expr(dist, Some(&want));
        let Type::Distribution(of) = &value.ty else {
            return if value.is_error() { Err(Fault::Reported) } else { Err(message::mismatch(&self.model, &value, &want, None).into()) };
        };
        let why = Some((def.ty.span, format!("`{}` is declared here", def.name.name)));
        match &**of {
            Type::Array(event) if !shape::same_shape(&event.shape, &array.shape) => {
                Err(message::mismatch(&self.model, &value, &want, why).into())
            }
            Type::Array(event) if event.support != array.support && array.support != Support::Real => {
                Err(message::outside(&self.model, &value, None, &array.support, why).into())
            }
            _ => Ok(Init::Draw(value)),
        }
    }

    fn rows_init(&mut self, args: &'a [ast::Arg], array: &ArrayType, span: Span) -> Checked<Init> {
        let [ast::Arg { kind: ArgKind::Positional(of), .. }] = args else {
            return Err(Diagnostic::new(Code::ArgumentCount, "`rows` takes the name of the data")
                .at(span)
                .help("write `~ rows(x)`")
                .into());
        };
        let data = self.expr(of, None);
        match (&data.kind, &data.ty) {
            (ExprKind::Var(var), Type::Array(row)) if self.model.vars[*var].observed.is_some() => {
                if array.shape.len() != row.shape.len() + 1 || !shape::same_shape(&array.shape[1..], &row.shape) {
                    let message = format!("rows of {} do not fill {}", data.ty, Type::Array(array.clone()));
                    let problem = Diagnostic::new(Code::ShapeMismatch, message).label(span, "drawn here");
                    return Err(problem.help("one leading axis counts the rows that are taken").into());
                }
                Ok(Init::Rows(*var))
            }
            (_, Type::Error) => Err(Fault::Reported),
            _ => Err(Diagnostic::new(Code::WrongKind, "`rows` takes the name of observed data").at(of.span).into()),
        }
    }

    /// A value of the type, or a scalar that fills it.
    fn init_value(&mut self, value: &'a ast::Expr, array: &ArrayType, def: &ParamDef) -> Checked<Expr> {
        let ty = Type::Array(array.clone());
        let value = self.expr(value, Some(&ty));
        let found = self.array(&value)?;
        let why = Some((def.ty.span, format!("`{}` is declared {ty}", def.name.name)));
        let fills = found.shape.is_empty() && array.support.event_rank() == 0;
        let wanted = if fills { Type::scalar(array.support.clone()) } else { ty };
        self.coerce(value, &wanted, why)
    }

    /// The bijection of a constrained support, from a `bijector` declaration.
    fn constraint(&mut self, array: &ArrayType, span: Span) -> Checked<Option<Constraint>> {
        let event_rank = array.support.event_rank();
        if array.support == Support::Real {
            return Ok(None);
        }
        let event = Type::array(array.support.clone(), array.shape[array.shape.len() - event_rank..].to_vec());
        for (id, entry) in self.declarations.bijectors.iter().enumerate() {
            if !entry.may_mention(written_name(&array.support)) {
                continue;
            }
            let Some(written) = &entry.get()?.ty else { continue };
            let scope = Scope { library: entry.library, ..Scope::default() };
            let declared = self.in_scope(scope, None, |this| this.annotation_with(written, true))?;
            let mut solved = Solved::new();
            let same = matches!((&declared, &event), (Type::Array(a), Type::Array(b)) if a.support == b.support);
            if same && declared.unify(&event, &mut solved) {
                return self.bijector(id, solved, &event, span).map(Some);
            }
        }
        let problem = Diagnostic::new(Code::UnknownName, format!("there is no bijector onto {event}")).at(span);
        Err(problem.help("declare one: `bijector name(u : Real) : … { forward = …  inverse(y) = … }`").into())
    }

    fn bijector(&mut self, id: usize, solved: Solved, event: &Type, span: Span) -> Checked<Constraint> {
        let sizes: Vec<_> = solved.into_iter().collect();
        let key = (id, sizes.iter().map(|(_, size)| size.clone()).collect::<Vec<_>>());
        if let Some(made) = self.made.constraints.get(&key) {
            return Ok(made.clone());
        }
        let entry = &self.declarations.bijectors[id];
        let decl = entry.get()?;
        let names = dist::size_bindings(&sizes);
        let scope = Scope { library: entry.library, names, ..Scope::default() };
        let used = (span, format!("the bijector `{}`, used here", decl.name.name));
        let made = self.in_scope(scope, Some(used), |this| -> Checked<Constraint> {
            let [param] = &decl.params[..] else {
                return Err(Diagnostic::new(Code::ArgumentCount, "a bijector has one argument").at(decl.name.span).into());
            };
            let free = match &param.ty {
                Some(ty) => {
                    let ty = this.annotation_with(ty, true)?;
                    learn_open(&mut this.scope, &ty);
                    ty.close()
                }
                None => Type::real([]),
            };
            let function = |this: &mut Self, member: &'a ast::Member, name: &str, from: &Type, to: &Type| -> FunctionId {
                this.nested(|this| {
                    let local = this.bind(name, from.clone(), member.name.span);
                    let body = this.expect(&member.body, to, None);
                    let name = format!("{}.{}", decl.name.name, member.name.name);
                    this.model.functions.push(Function { name, settled: vec![], params: vec![local], body, span: member.name.span })
                })
            };
            let (mut forward, mut inverse) = (None, None);
            for member in &decl.members {
                match (member.name.name.as_str(), &member.params[..]) {
                    ("forward", []) => forward = Some(function(this, member, &param.name.name, &free, event)),
                    ("inverse", [y]) => inverse = Some(function(this, member, &y.name.name, event, &free)),
                    (other, _) => {
                        let known = ["forward", "inverse(y)"].into_iter();
                        this.report(call::unknown_argument(other, "member", known, member.name.span));
                    }
                }
            }
            match (forward, inverse) {
                (Some(forward), inverse) => Ok(Constraint { forward, inverse }),
                (None, _) => {
                    let problem = Diagnostic::new(Code::UnknownArgument, format!("`{}` needs `forward`", decl.name.name));
                    Err(problem.at(decl.name.span).into())
                }
            }
        })?;
        self.made.constraints.insert(key, made.clone());
        Ok(made)
    }
}

/// Where nothing is written: 0, or the plainest value of the support.
fn default_init(array: &ArrayType, span: Span) -> Expr {
    let number = |value: f64| Expr::new(ExprKind::Real(value), Type::scalar(array.support.clone()), span);
    let ty = Type::Array(array.clone());
    match array.support {
        Support::Positive => number(1.0),
        Support::Unit => number(0.5),
        Support::Simplex => {
            let k = array.shape.last().and_then(|size| size.known()).unwrap_or(1).max(1);
            filled(ty, &mut |_| Expr::new(ExprKind::Real(1.0 / k as f64), Type::scalar(Support::Unit), span), span)
        }
        Support::Cov => Expr::new(ExprKind::Primitive(Primitive::Identity, vec![]), ty, span),
        Support::Ordered => filled(ty, &mut |position| Expr::new(ExprKind::Real(position as f64), Type::real([]), span), span),
        Support::Real | Support::Bit | Support::Spin | Support::Int | Support::Bool | Support::Cat(_) => number(0.0),
    }
}

/// An array whose last axis is written out; leading axes repeat it.
fn filled(ty: Type, entry: &mut dyn FnMut(usize) -> Expr, span: Span) -> Expr {
    let Type::Array(array) = &ty else { return Expr::error(span) };
    let Some((last, lead)) = array.shape.split_last() else { return entry(0) };
    let row_ty = Type::array(array.support.clone(), [last.clone()]);
    let row = Expr::new(ExprKind::Stack((0..last.known().unwrap_or(1)).map(entry).collect()), row_ty, span);
    lead.iter().rev().fold(row, |inner, size| {
        let shape = match &inner.ty {
            Type::Array(inner) => [std::slice::from_ref(size), &inner.shape[..]].concat(),
            _ => vec![],
        };
        let copies = vec![inner; size.known().unwrap_or(1)];
        Expr::new(ExprKind::Stack(copies), Type::array(array.support.clone(), shape), span)
    })
}
