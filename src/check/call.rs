//! Calls: `f(args)`, `dense[H](x)`, `p(x | z)`, `d.log_prob(x)`, and names with brackets.

use super::checker::{Binding, Callable, Checked, Checker, Fault};
use super::model::{Expr, ExprKind, Pattern, Stmt, StmtKind};
use super::names::Named;
use super::partial::Settled;
use super::types::Type;
use super::{builtin, message};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast::{self, ArgKind, SizeParam};

/// What stands at a parameter: written there, a part of a tuple that was spread, or what was settled before.
#[derive(Clone)]
pub enum Supplied<'a> {
    Written(&'a ast::Expr),
    Value(Expr),
    Settled(Settled),
}

/// One argument of a call.
pub struct Given<'a> {
    pub name: Option<&'a ast::Ident>,
    pub value: Supplied<'a>,
    pub span: Span,
}

impl<'a> Checker<'a> {
    pub fn call(
        &mut self,
        callee: &'a ast::Expr,
        args: &'a [ast::Arg],
        given: Option<&'a [ast::Arg]>,
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        match &callee.kind {
            ast::ExprKind::Name(name) if self.family_named(name).is_some() => match self.family_named(name) {
                Some(family) => self.instant_value(family, args, span),
                None => Err(Fault::Reported),
            },
            ast::ExprKind::Name(name) => match self.name(name)? {
                Named::Callable(Callable::Density(density)) => {
                    let query = self.query(density, args, given, false, span)?;
                    self.conditional(query)
                }
                Named::Callable(_) if given.is_some() => {
                    Err(message::wrong_kind(&name.name, "not a density", "a density", name.span).into())
                }
                Named::Callable(callable) => self.apply(callable, &[], args, want, span),
                // `dim H` does not hide the entropy `H(…)`.
                Named::Value(_) if builtin::is_builtin(&name.name) => self.builtin(&name.name, &[], args, want, span),
                Named::Value(value) if value.is_error() => Err(Fault::Reported),
                Named::Value(value) => {
                    let problem = message::wrong_kind(&name.name, &format!("a value, {}", value.ty), "a function", name.span);
                    Err(problem.help("for a product write `*`; for an entry write `[i]`").into())
                }
            },
            ast::ExprKind::Bracket { base, args: brackets } => match &base.kind {
                ast::ExprKind::Name(name) => match self.name(name)? {
                    Named::Callable(callable) => self.apply(callable, brackets, args, want, span),
                    Named::Value(_) if builtin::is_builtin(&name.name) => self.builtin(&name.name, brackets, args, want, span),
                    Named::Value(value) if value.is_error() => Err(Fault::Reported),
                    Named::Value(_) => Err(message::wrong_kind(&name.name, "a value", "a function", name.span).into()),
                },
                _ => Err(Diagnostic::new(Code::WrongKind, "this is not a function").at(base.span).into()),
            },
            ast::ExprKind::Member { base, name } if let Some(process) = self.process_base(base) => {
                self.process_call(process?, base, name, args, span)
            }
            ast::ExprKind::Member { base, name } if name.name == "log_prob" => {
                let of = self.expr(base, None);
                if of.is_error() {
                    return Err(Fault::Reported);
                }
                let Type::Distribution(event) = of.ty.clone() else {
                    return Err(message::mismatch(&self.model, &of, &Type::Distribution(Box::new(Type::real([]))), None).into());
                };
                let [ast::Arg { kind: ArgKind::Positional(value), .. }] = args else {
                    return Err(Diagnostic::new(Code::ArgumentCount, "`.log_prob` takes one value").at(span).into());
                };
                let value = self.point(value, &event, Some((of.span, format!("the events are {event}"))));
                Ok(Expr::new(ExprKind::LogProb(Box::new(of), Box::new(value)), Type::real([]), span))
            }
            ast::ExprKind::Member { .. } => Err(Diagnostic::unsupported("a member with arguments").at(span).into()),
            _ => Err(Diagnostic::new(Code::WrongKind, "this is not a function").at(callee.span).into()),
        }
    }

    fn apply(
        &mut self,
        callable: Callable,
        brackets: &'a [ast::Arg],
        args: &'a [ast::Arg],
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        match callable {
            Callable::Builtin(name) => self.builtin(&name, brackets, args, want, span),
            Callable::Definition(id, sizes) => {
                let sizes = if brackets.is_empty() { sizes } else { self.size_args(id, brackets)? };
                self.call_definition(id, sizes, args, span)
            }
            Callable::Partial(partial) => self.call_partial(&partial, args, span),
            Callable::Dist(overloads) => self.call_dist(&overloads, args, want, span),
            Callable::Density(_) => Err(message::wrong_kind("this", "a density", "a function", span).into()),
            Callable::Unknown => {
                for arg in args {
                    if let ArgKind::Positional(e) | ArgKind::Named(_, e) = &arg.kind {
                        self.expr(e, None);
                    }
                }
                Ok(Expr::error(span))
            }
        }
    }

    /// `x[i]`, `zeros[n]`, `noise[n]`
    pub fn bracket(&mut self, base: &'a ast::Expr, args: &'a [ast::Arg], want: Option<&Type>, span: Span) -> Checked<Expr> {
        if let ast::ExprKind::Name(name) = &base.kind {
            if let Some(member) = self.member_value(name, args, span) {
                return member;
            }
            match self.name(name)? {
                Named::Callable(Callable::Builtin(name)) => return self.builtin(&name, args, &[], want, span),
                Named::Callable(_) => {
                    let problem = message::wrong_kind(&name.name, "not a value", "a value", span);
                    return Err(problem.help(format!("call it: `{}[…](…)`", name.name)).into());
                }
                Named::Value(value) => return self.subscript(value, args, span),
            }
        }
        let base = self.expr(base, None);
        self.subscript(base, args, span)
    }

    /// A callable that is written where a value or a function may stand.
    pub fn as_callable(&mut self, e: &'a ast::Expr) -> Option<Checked<Callable>> {
        let (name, brackets) = match &e.kind {
            ast::ExprKind::Name(name) => (name, &[][..]),
            ast::ExprKind::Call { .. } => return self.anonymous_process(e).or_else(|| self.partial(e)),
            ast::ExprKind::Bracket { base, args } => match &base.kind {
                ast::ExprKind::Name(name) => (name, &args[..]),
                _ => return None,
            },
            _ => return None,
        };
        if name.name == "identity" {
            return None;
        }
        match self.name(name) {
            Ok(Named::Callable(Callable::Definition(id, _))) if !brackets.is_empty() => {
                Some(self.size_args(id, brackets).map(|sizes| Callable::Definition(id, sizes)))
            }
            Ok(Named::Callable(callable)) if brackets.is_empty() => Some(Ok(callable)),
            _ => None,
        }
    }

    /// The sizes in the brackets of a layer, in the order of its declaration; a variadic one takes what is left over.
    fn size_args(&mut self, id: usize, brackets: &'a [ast::Arg]) -> Checked<Vec<Size>> {
        let (mut sizes, mut named) = (vec![], vec![]);
        for arg in brackets {
            match &arg.kind {
                ArgKind::Positional(e) => match self.spread_sizes(e) {
                    Some(spread) => sizes.extend(spread),
                    None => sizes.push(self.size(e)?),
                },
                ArgKind::Named(name, e) => named.push((name, self.size(e)?)),
                _ => return Err(message::not_a_size(arg.span).into()),
            }
        }
        let declared = self.declarations.definitions[id].get()?.decl.sizes;
        let place = |name: &ast::Ident| declared.iter().position(|size| size.name.name == name.name);
        named.sort_by_key(|(name, _)| place(name));
        for (name, size) in named {
            let Some(at) = place(name) else {
                let known = declared.iter().map(|size| size.name.name.as_str());
                return Err(unknown_argument(&name.name, "size", known, name.span).into());
            };
            sizes.insert(at.min(sizes.len()), size);
        }
        Ok(sizes)
    }

    /// The name of a list of sizes stands for all of them.
    fn spread_sizes(&self, e: &ast::Expr) -> Option<Vec<Size>> {
        let ast::ExprKind::Name(name) = &e.kind else { return None };
        self.scope.names.iter().rev().find(|(n, _)| *n == name.name).and_then(|(_, binding)| match binding {
            Binding::Sizes(sizes) => Some(sizes.clone()),
            _ => None,
        })
    }

    /// Binds the sizes of a definition by its declared list.
    pub fn bind_sizes(&mut self, name: &str, declared: &'a [SizeParam], sizes: &[Size], span: Span) -> Checked<Vec<(String, Binding<'a>)>> {
        let singles = declared.iter().filter(|size| !size.variadic).count();
        let variadic = declared.iter().any(|size| size.variadic);
        let required = declared.iter().filter(|size| !size.variadic && size.default.is_none()).count();
        // Sizes that no bracket names are learnt from the arguments.
        if sizes.is_empty() && !variadic && required == singles {
            return Ok(vec![]);
        }
        if sizes.len() < required || (sizes.len() > singles && !variadic) {
            let names: Vec<&str> = declared.iter().map(|size| size.name.name.as_str()).collect();
            let problem =
                Diagnostic::new(Code::ArgumentCount, format!("`{name}` takes the sizes [{}], here are {}", names.join(", "), sizes.len()));
            return Err(problem.at(span).help("write one size for each, in brackets").into());
        }
        let mut rest = sizes.len().saturating_sub(singles);
        let mut next = sizes.iter().cloned();
        let mut bound: Vec<(String, Binding<'a>)> = vec![];
        for size in declared {
            let binding = if size.variadic {
                let many: Vec<Size> = next.by_ref().take(rest).collect();
                rest = 0;
                Binding::Sizes(many)
            } else if let Some(size) = next.next() {
                Binding::Size(size)
            } else {
                match &size.default {
                    Some(default) => Binding::Size(self.size(default)?),
                    None => return Err(message::size_not_known(span).into()),
                }
            };
            bound.push((size.name.name.clone(), binding));
        }
        Ok(bound)
    }

    /// The arguments of a call. The parts of a single tuple are spread over several parameters; the statement binds it.
    pub fn givens(&mut self, args: &'a [ast::Arg], params: usize) -> Checked<(Vec<Given<'a>>, Option<Stmt>)> {
        if let [ast::Arg { kind: ArgKind::Positional(e), span }] = args
            && params > 1
            && matches!(e.kind, ast::ExprKind::Call { .. } | ast::ExprKind::Name(_) | ast::ExprKind::Block(_) | ast::ExprKind::Tuple(_))
            && self.as_callable(e).is_none()
        {
            let value = self.expr(e, None);
            return match (value.ty.clone(), value.kind) {
                (Type::Error, _) => Err(Fault::Reported),
                (Type::Tuple(_), ExprKind::Tuple(parts)) => Ok((parts.into_iter().map(value_given).collect(), None)),
                (Type::Tuple(types), kind) => {
                    let parts: Vec<_> = types.iter().map(|ty| self.local("_", ty.clone(), *span)).collect();
                    let pattern = Pattern::Tuple(parts.iter().map(|&part| Pattern::Local(part)).collect());
                    let bind = Stmt { kind: StmtKind::Let(pattern, Expr::new(kind, value.ty, value.span)), span: *span };
                    Ok((parts.into_iter().map(|part| value_given(self.read(part, *span))).collect(), Some(bind)))
                }
                (ty, kind) => Ok((vec![value_given(Expr::new(kind, ty, value.span))], None)),
            };
        }
        let mut givens = vec![];
        for arg in args {
            match &arg.kind {
                ArgKind::Positional(e) => givens.push(Given { name: None, value: Supplied::Written(e), span: arg.span }),
                ArgKind::Named(name, e) => givens.push(Given { name: Some(name), value: Supplied::Written(e), span: arg.span }),
                ArgKind::Substituted(..) | ArgKind::Draw(..) | ArgKind::Comprehension { .. } => {
                    let problem = Diagnostic::new(Code::WrongKind, "this form is not an argument of a function").at(arg.span);
                    return Err(problem.help("write `name: value`").into());
                }
            }
        }
        Ok((givens, None))
    }

    pub fn supplied(&mut self, supplied: Supplied<'a>, want: Option<&Type>, at: Span) -> Expr {
        match supplied {
            Supplied::Written(e) => self.expr(e, want),
            Supplied::Value(value) => value,
            Supplied::Settled(_) => {
                self.fault(message::wrong_kind("this", "not a value", "a value", at).into());
                Expr::error(at)
            }
        }
    }
}

fn value_given<'a>(value: Expr) -> Given<'a> {
    let span = value.span;
    Given { name: None, value: Supplied::Value(value), span }
}

/// The argument of each parameter, by position and by name.
pub fn match_params<'a>(what: &str, params: &[&str], givens: Vec<Given<'a>>) -> Checked<Vec<Option<(Supplied<'a>, Span)>>> {
    let mut slots: Vec<Option<(Supplied<'a>, Span)>> = vec![None; params.len()];
    let count = givens.len();
    for (position, given) in givens.into_iter().enumerate() {
        let at = match given.name {
            Some(name) => match params.iter().position(|param| *param == name.name) {
                Some(at) => at,
                None => return Err(unknown_argument(&name.name, "argument", params.iter().copied(), name.span).into()),
            },
            None if position < params.len() => position,
            None => {
                let problem = Diagnostic::new(Code::ArgumentCount, format!("`{what}` takes {} arguments, here are {count}", params.len()));
                return Err(problem.at(given.span).help(format!("its arguments are ({})", params.join(", "))).into());
            }
        };
        if slots[at].is_some() {
            let problem = Diagnostic::new(Code::ArgumentCount, format!("`{}` of `{what}` is given twice", params[at]));
            return Err(problem.at(given.span).into());
        }
        slots[at] = Some((given.value, given.span));
    }
    Ok(slots)
}

pub fn missing_argument(what: &str, param: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(Code::ArgumentCount, format!("`{what}` needs its argument `{param}`"))
        .label(span, "not given here")
        .label(declared, format!("`{param}` is declared here"))
        .help(format!("add `{param}: …`"))
}

pub fn unknown_argument<'n>(name: &str, kind: &str, known: impl Iterator<Item = &'n str> + Clone, span: Span) -> Diagnostic {
    let problem = Diagnostic::new(Code::UnknownArgument, format!("there is no {kind} `{name}` here")).at(span);
    match nearest(name, known.clone()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("known are: {}", known.collect::<Vec<_>>().join(", "))),
    }
}
