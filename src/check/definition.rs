//! Instances of `fn`, `layer` and `net`: sizes and types inferred from the arguments, the body checked for them.

use super::call::{Given, Supplied, match_params, missing_argument};
use super::checker::{ArgKey, Binding, Callable, Checked, Checker, Fault, Instance, Scope, State, circle};
use super::declarations::{Definition, DefinitionKind, Signature};
use super::message;
use super::model::{Expr, ExprKind, Function, FunctionId, Stmt};
use super::partial::Settled;
use super::process::{is_process, is_size};
use super::sizes::{Solved, open_names};
use super::types::Type;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, FnParam, TypeExprKind};

/// More calls inside calls than any program needs: a recursion whose types never repeat.
const MAX_DEPTH: usize = 64;

/// What a declaration takes.
#[derive(Clone, Copy)]
pub struct Parameters<'a> {
    pub name: &'a ast::Ident,
    pub sizes: &'a [ast::SizeParam],
    pub params: &'a [FnParam],
    pub library: bool,
}

impl<'a> From<&Definition<'a>> for Parameters<'a> {
    fn from(definition: &Definition<'a>) -> Parameters<'a> {
        let Signature { name, sizes, params, .. } = definition.decl;
        Parameters { name, sizes, params, library: definition.library }
    }
}

/// The arguments of one use, as the definition's parameters take them.
pub struct Arguments<'a> {
    pub scope: Scope<'a>,
    keys: Vec<ArgKey>,
    /// What was given that is no value, as it reads
    settled: Vec<String>,
    /// Names and types of those that are values
    pub params: Vec<(&'a ast::Ident, Type)>,
    pub values: Vec<Expr>,
}

impl<'a> Checker<'a> {
    pub fn call_definition(&mut self, id: usize, sizes: Vec<Size>, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let (givens, before) = self.givens(args, self.declarations.definitions[id].get()?.decl.params.len())?;
        let call = self.call_with(id, sizes, givens, span)?;
        Ok(with_statement(before, call))
    }

    /// A call whose arguments are known.
    pub fn call_with(&mut self, id: usize, sizes: Vec<Size>, givens: Vec<Given<'a>>, span: Span) -> Checked<Expr> {
        let definition = self.declarations.definitions[id].get()?;
        let name = &definition.decl.name.name;
        if self.chain.len() > MAX_DEPTH {
            return Err(circle(name, span));
        }
        let params: Vec<&str> = definition.decl.params.iter().map(|param| param.name.name.as_str()).collect();
        let slots = match_params(name, &params, givens)?;
        let arguments = self.arguments(Parameters::from(&definition), &sizes, slots, span)?;
        let values = arguments.values.clone();
        let used = (span, format!("`{name}`, used here"));
        let function = match definition.kind {
            DefinitionKind::Net if self.scope.constant => return Err(message::not_constant(name, span).into()),
            DefinitionKind::Net => self.net(id, sizes, span)?,
            DefinitionKind::Fn => self.function(id, &definition, sizes, arguments, used)?,
            DefinitionKind::Layer => self.layer(&definition, arguments, used)?,
            DefinitionKind::Bijector => return self.apply_bijector(&definition, arguments, used),
        };
        let ty = self.model.functions[function].body.ty.clone();
        if ty == Type::Error {
            return Err(Fault::Reported);
        }
        Ok(Expr::new(ExprKind::Call(function, values), ty, span))
    }

    /// Types of the arguments in the scope of the definition, where sizes are learnt from left to right.
    pub fn arguments(
        &mut self,
        decl: Parameters<'a>,
        sizes: &[Size],
        slots: Vec<Option<(Supplied<'a>, Span)>>,
        span: Span,
    ) -> Checked<Arguments<'a>> {
        let names = self.bind_sizes(&decl.name.name, decl.sizes, sizes, span)?;
        let scope = Scope { names, library: decl.library, constant: self.scope.constant, ..Scope::default() };
        let mut made = Arguments { scope, keys: vec![], settled: vec![], params: vec![], values: vec![] };
        let mut solved = Solved::new();
        let mut failed = false;
        for (param, slot) in decl.params.iter().zip(slots) {
            // A default may speak of an argument that was reported.
            if failed && slot.is_none() {
                continue;
            }
            match self.argument(decl, param, slot, &mut made, &mut solved, span) {
                Ok(()) => {}
                Err(fault) => {
                    self.fault(fault);
                    failed = true;
                }
            }
        }
        let unsized_name = decl.sizes.iter().find(|size| !made.scope.names.iter().any(|(name, _)| *name == size.name.name));
        if let (Some(size), false) = (unsized_name, failed) {
            return Err(message::size_missing(&decl.name.name, &size.name.name, span, size.name.span).into());
        }
        let unknown = made.values.iter().any(Expr::is_error);
        if failed || unknown { Err(Fault::Reported) } else { Ok(made) }
    }

    fn argument(
        &mut self,
        decl: Parameters<'a>,
        param: &'a FnParam,
        slot: Option<(Supplied<'a>, Span)>,
        made: &mut Arguments<'a>,
        solved: &mut Solved,
        span: Span,
    ) -> Checked<()> {
        // A default is written in the definition: it is checked in its scope.
        let by_default = slot.is_none();
        let (supplied, at) = match (slot, &param.default) {
            (Some(slot), _) => slot,
            (None, Some(default)) => (Supplied::Written(default), default.span),
            (None, None) => return Err(missing_argument(&decl.name.name, &param.name.name, span, param.name.span).into()),
        };
        if let Some(ty) = param.ty.as_ref().filter(|ty| is_process(ty)) {
            let density = match supplied {
                Supplied::Written(e) => self.inside(by_default, &mut made.scope, |this| this.process_named(e))?,
                Supplied::Settled(Settled::Callable(Callable::Density(density))) => density,
                Supplied::Value(_) | Supplied::Settled(_) => {
                    return Err(message::wrong_kind(&param.name.name, "a value", "a process", ty.span).into());
                }
            };
            made.keys.push(ArgKey::Callable(Callable::Density(density)));
            made.settled.push(self.model.densities[density].name.clone());
            made.scope.names.push((param.name.name.clone(), Binding::Callable(Callable::Density(density))));
            return Ok(());
        }
        if let Some(ty) = param.ty.as_ref().filter(|ty| is_size(ty)) {
            let size = match supplied {
                Supplied::Written(e) => self.inside(by_default, &mut made.scope, |this| this.size(e))?,
                Supplied::Settled(Settled::Size(size)) => size,
                Supplied::Value(_) | Supplied::Settled(_) => return Err(message::not_a_size(ty.span).into()),
            };
            made.keys.push(ArgKey::Size(size.clone()));
            if !by_default {
                made.settled.push(format!("{}: {size}", param.name.name));
            }
            made.scope.names.push((param.name.name.clone(), Binding::Size(size)));
            return Ok(());
        }
        let is_function = matches!(&param.ty, Some(ty) if matches!(ty.kind, TypeExprKind::Fn { .. }));
        let callable = match &supplied {
            _ if param.ty.is_some() && !is_function => None,
            Supplied::Written(e) => self.inside(by_default, &mut made.scope, |this| this.as_callable(e)),
            Supplied::Settled(Settled::Callable(callable)) => Some(Ok(callable.clone())),
            Supplied::Value(_) | Supplied::Settled(_) => None,
        };
        if let Some(callable) = callable {
            let callable = callable?;
            made.keys.push(ArgKey::Callable(callable.clone()));
            made.scope.names.push((param.name.name.clone(), Binding::Callable(callable)));
            return Ok(());
        }
        if is_function {
            let problem = Diagnostic::new(Code::WrongKind, format!("`{}` of `{}` is a function", param.name.name, decl.name.name));
            return Err(problem
                .label(at, "not a function")
                .label(param.name.span, "declared here")
                .help("give the name of a function")
                .into());
        }
        let declared = match &param.ty {
            Some(ty) => Some(self.inside(true, &mut made.scope, |this| this.annotation_with(ty, true))?.fill(solved)),
            None => None,
        };
        let want = declared.as_ref().filter(|ty| !ty.is_open()).cloned();
        let mut value = self.inside(by_default, &mut made.scope, |this| this.supplied(supplied, want.as_ref(), at));
        if let Some(declared) = &declared {
            let why = Some((param.name.span, format!("`{}` is declared {}", param.name.name, declared.close())));
            if !declared.unify(&value.ty, solved) {
                return Err(message::mismatch(&self.model, &value, &declared.close(), why).into());
            }
            let filled = declared.fill(solved);
            if value.is_error() {
                return Err(Fault::Reported);
            }
            if filled.is_open() {
                return Err(message::size_not_known(at).into());
            }
            value = self.coerce(value, &filled, why)?;
            learn(&mut made.scope, declared, solved);
        }
        made.keys.push(ArgKey::Type(value.ty.clone()));
        made.params.push((&param.name, value.ty.clone()));
        made.values.push(value);
        Ok(())
    }

    /// In the scope of the definition if `inside`, otherwise in the current one.
    fn inside<T>(&mut self, inside: bool, scope: &mut Scope<'a>, act: impl FnOnce(&mut Self) -> T) -> T {
        if !inside {
            return act(self);
        }
        std::mem::swap(&mut self.scope, scope);
        let result = act(self);
        std::mem::swap(&mut self.scope, scope);
        result
    }

    /// A pure function: one instance for each list of argument types.
    fn function(
        &mut self,
        id: usize,
        definition: &Definition<'a>,
        sizes: Vec<Size>,
        arguments: Arguments<'a>,
        used: (Span, String),
    ) -> Checked<FunctionId> {
        let key = (id, sizes, arguments.keys.clone());
        match self.made.functions.get(&key) {
            Some(State::Done(function)) => return Ok(*function),
            Some(State::Busy) => return Err(circle(&definition.decl.name.name, used.0)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.functions.insert(key.clone(), State::Busy);
        let name = definition.decl.name.name.clone();
        let function = self.instance(definition, name, arguments, Some(used));
        self.made.functions.insert(key, State::Done(function));
        Ok(function)
    }

    /// A layer: an instance, and parameters, of its own for each use.
    fn layer(&mut self, definition: &Definition<'a>, mut arguments: Arguments<'a>, used: (Span, String)) -> Checked<FunctionId> {
        let name = &definition.decl.name.name;
        let Some(outer) = self.scope.instance.clone() else {
            let problem = message::wrong_kind(name, "a layer with its own weights", "a pure function", used.0);
            return Err(problem.help("use it in a `net` or a `layer`").into());
        };
        let path = self.unique_path(&outer.path, name);
        arguments.scope.instance = Some(Instance { path: path.clone(), net: outer.net });
        Ok(self.instance(definition, path, arguments, Some(used)))
    }

    /// `enc` and `dense`: `enc.dense1`, `enc.dense2`, …
    pub fn unique_path(&mut self, outer: &str, name: &str) -> String {
        let path = if outer.is_empty() { name.to_string() } else { format!("{outer}.{name}") };
        let count = self.made.paths.entry(path.clone()).or_insert(0);
        *count += 1;
        format!("{path}{count}")
    }

    /// A net: one instance for all uses; of a family `net f[k]`, one for all uses with the same sizes.
    pub fn net(&mut self, id: usize, sizes: Vec<Size>, used: Span) -> Checked<FunctionId> {
        let definition = self.declarations.definitions[id].get()?;
        let decl = definition.decl;
        let key = (id, sizes);
        match self.made.nets.get(&key) {
            Some(State::Done(function)) => return Ok(*function),
            Some(State::Busy) => return Err(circle(&decl.name.name, used)),
            Some(State::Failed) => return Err(Fault::Reported),
            Some(State::New) | None => {}
        }
        self.made.nets.insert(key.clone(), State::Busy);
        let made = self.net_arguments(&definition, &key.1, used).map(|mut arguments| {
            let path = member_path(&decl.name.name, &key.1);
            arguments.scope.instance = Some(Instance { path: path.clone(), net: Some(decl.name.name.clone()) });
            self.instance(&definition, path, arguments, None)
        });
        let made = self.settle(made);
        self.made.nets.insert(key, made.map_or(State::Failed, State::Done));
        made.ok_or(Fault::Reported)
    }

    fn net_arguments(&mut self, definition: &Definition<'a>, sizes: &[Size], used: Span) -> Checked<Arguments<'a>> {
        let decl = definition.decl;
        if sizes.is_empty() && decl.sizes.iter().any(|size| !size.variadic && size.default.is_none()) {
            let problem = Diagnostic::new(Code::SizeNotKnown, format!("`{}` is a family of nets", decl.name.name)).at(used);
            return Err(problem.label(decl.name.span, "declared here").help("name the member in brackets").into());
        }
        let names = self.bind_sizes(&decl.name.name, decl.sizes, sizes, used)?;
        let scope = Scope { names, library: definition.library, ..Scope::default() };
        let mut made = Arguments { scope, keys: vec![], settled: vec![], params: vec![], values: vec![] };
        for param in definition.decl.params {
            let Some(ty) = &param.ty else {
                let problem = Diagnostic::new(Code::SizeNotKnown, format!("the argument `{}` of a net needs a type", param.name.name));
                return Err(problem.at(param.name.span).help("all uses share the weights: write `x : Real[D]`").into());
            };
            let ty = self.inside(true, &mut made.scope, |this| this.annotation(ty))?;
            made.params.push((&param.name, ty));
        }
        Ok(made)
    }

    /// The body, checked in the scope of the definition.
    fn instance(
        &mut self,
        definition: &Definition<'a>,
        name: String,
        arguments: Arguments<'a>,
        used: Option<(Span, String)>,
    ) -> FunctionId {
        let decl = definition.decl;
        let (params, settled) = (arguments.params, arguments.settled);
        self.in_scope(arguments.scope, used, |this| {
            let params: Vec<_> = params.into_iter().map(|(name, ty)| this.bind(&name.name, ty, name.span)).collect();
            let result = decl.result.map(|ty| this.annotation(ty));
            let body = match result.map(|result| this.settle(result)) {
                Some(Some(ty)) => {
                    let why = decl.result.map(|written| (written.span, format!("`{}` is declared to give {ty}", decl.name.name)));
                    this.expect(decl.body, &ty, why)
                }
                Some(None) => Expr::error(decl.body.span),
                None => this.expr(decl.body, None),
            };
            this.model.functions.push(Function { name, settled, params, body, span: decl.name.span })
        })
    }

    /// A generic definition of the user, checked for sizes and types that are not known yet.
    pub fn check_alone(&mut self, id: usize) {
        let definition = self.declarations.definitions[id].get();
        let Some(definition) = self.settle(definition) else { return };
        let decl = definition.decl;
        let instance = (definition.kind != DefinitionKind::Fn).then(Instance::default);
        let mut scope = Scope { library: definition.library, instance, ..Scope::default() };
        for size in decl.sizes {
            let unknown = Size::variable(size.name.name.as_str());
            let binding = if size.variadic { Binding::Sizes(vec![unknown]) } else { Binding::Size(unknown) };
            scope.names.push((size.name.name.clone(), binding));
        }
        let mut made = Arguments { scope, keys: vec![], settled: vec![], params: vec![], values: vec![] };
        for param in decl.params {
            match &param.ty {
                Some(ty) if matches!(ty.kind, TypeExprKind::Fn { .. }) => {
                    made.scope.names.push((param.name.name.clone(), Binding::Callable(Callable::Unknown)));
                }
                // Nothing is known of a process before it is given.
                Some(ty) if is_process(ty) => return,
                Some(ty) if is_size(ty) => {
                    let unknown = Size::variable(param.name.name.as_str());
                    made.scope.names.push((param.name.name.clone(), Binding::Size(unknown)));
                }
                Some(ty) => {
                    let ty = self.inside(true, &mut made.scope, |this| this.annotation_with(ty, true));
                    let ty = self.settle(ty).unwrap_or(Type::Error);
                    learn_open(&mut made.scope, &ty);
                    made.params.push((&param.name, ty.close()));
                }
                None => made.params.push((&param.name, Type::Error)),
            }
        }
        if definition.kind == DefinitionKind::Bijector {
            return self.bijector_alone(&definition, made.scope, &made.params);
        }
        self.instance(&definition, decl.name.name.clone(), made, None);
    }
}

/// `f` and the sizes 3: `f3`
fn member_path(name: &str, sizes: &[Size]) -> String {
    let sizes: Vec<String> = sizes.iter().map(Size::to_string).collect();
    format!("{name}{}", sizes.join("_"))
}

/// Binds the sizes of a parameter's type that its argument has told.
pub fn learn(scope: &mut Scope<'_>, declared: &Type, solved: &Solved) {
    let names = declared.sizes().into_iter().flat_map(open_names);
    for name in names {
        if let Some(size) = solved.get(&name) {
            scope.names.push((name, Binding::Size(size.clone())));
        }
    }
}

/// Binds the sizes of a parameter's type as unknowns.
pub fn learn_open(scope: &mut Scope<'_>, declared: &Type) {
    for name in declared.sizes().into_iter().flat_map(open_names) {
        scope.names.push((name.clone(), Binding::Size(Size::variable(name))));
    }
}

/// The statement that binds a spread tuple, before the expression that uses its parts.
pub fn with_statement(before: Option<Stmt>, e: Expr) -> Expr {
    match before {
        Some(stmt) => {
            let (ty, span) = (e.ty.clone(), e.span);
            Expr::new(ExprKind::Block(vec![stmt], Box::new(e)), ty, span)
        }
        None => e,
    }
}
