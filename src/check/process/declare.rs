//! `var x(t in 0..1) : Real[D]`, `data x(0) = …`, `q : dx = f dt + g dW`, `q : x(t) = a(t) * x(0) + b(t) * noise`.

use super::super::checker::{Binding, Checked, Checker, Fault, Scope};
use super::super::model::{DensityId, Expr, ExprKind, Family, LocalId, Process, ProcessKind, Var, VarId};
use super::super::types::{ArrayType, Support, Type};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, Equation};

impl<'a> Checker<'a> {
    /// `x(t in 0..1) : T`
    pub fn declare_process(&mut self, var: &'a ast::VarDecl, from: &'a ast::Expr, to: &'a ast::Expr) -> Checked<()> {
        let Some(ty) = &var.ty else { return Err(untyped(var).into()) };
        let ty = self.annotation(ty)?;
        if !matches!(&ty, Type::Array(ArrayType { support, .. }) if support.is_real()) {
            return Err(Diagnostic::new(Code::SupportMismatch, format!("the state of a process is real, this is {ty}"))
                .at(var.span)
                .help("discrete states make a chain: `var x[0..T] : Cat<K>`")
                .into());
        }
        let (first, last) = (self.setting_number(from)?, self.setting_number(to)?);
        if !(first < last && last.is_finite() && first.is_finite()) {
            let problem = Diagnostic::new(Code::OutOfRange, format!("time cannot run from {first} to {last}"));
            return Err(problem.at(from.span.to(to.span)).help("the first time comes first: `x(t in 0..1)`").into());
        }
        if !self.vars.contains_key(&var.name.name) {
            let family = Family::Process { from: first, to: last };
            let made = Var { name: var.name.name.clone(), ty, observed: None, global: false, family, span: var.name.span };
            let id = self.model.vars.push(made);
            self.vars.insert(var.name.name.clone(), id);
        }
        Ok(())
    }

    /// `data x(0) = …`: the state at one time, as a variable of its own.
    pub fn data_instant(&mut self, var: &'a ast::VarDecl, at: &'a ast::Expr) -> Checked<VarId> {
        let Some(&family) = self.vars.get(&var.name.name) else {
            let problem = Diagnostic::new(Code::UnknownName, format!("`{}` is not a process", var.name.name)).at(var.name.span);
            return Err(problem.help(format!("declare it: `var {}(t in 0..1) : Real[D]`", var.name.name)).into());
        };
        let time = self.setting_number(at)?;
        self.time_exists(family, time, at.span)?;
        let declared = &self.model.vars[family];
        if self.model.data_at(family, time).is_some() {
            return Err(Diagnostic::new(Code::DuplicateName, format!("`{}({time})` has two sources", declared.name)).at(var.span).into());
        }
        if self.model.times(family).is_some_and(|(first, last)| time != first && time != last) {
            return Err(Diagnostic::unsupported("data for a time between the ends").at(at.span).into());
        }
        let (name, ty) = (format!("{}({time})", declared.name), declared.ty.clone());
        let family = Family::Instant { of: family, at: time };
        Ok(self.model.vars.push(Var { name, ty, observed: None, global: false, family, span: var.span }))
    }

    /// A time that is known lies in the declared range.
    pub fn time_exists(&self, family: VarId, time: f64, span: Span) -> Checked<()> {
        let var = &self.model.vars[family];
        let Family::Process { from, to } = var.family else {
            let problem = Diagnostic::new(Code::WrongKind, format!("`{}` is not a process in continuous time", var.name));
            let problem = problem.label(span, "a time is asked for here").label(var.span, "declared here");
            return Err(problem.help(format!("declare it: `var {}(t in 0..1) : Real[D]`", var.name)).into());
        };
        if (from..=to).contains(&time) {
            return Ok(());
        }
        let problem = Diagnostic::new(Code::OutOfRange, format!("`{}({time})` does not exist", var.name));
        let problem = problem.label(span, "asked for here").label(var.span, format!("the time runs from {from} to {to}"));
        Err(problem.help("use a time in this range, or declare a longer one").into())
    }

    /// Notes that a density is a process, before its equation is checked.
    pub fn process_head(&mut self, name: &'a ast::Ident, equation: &'a Equation, span: Span) -> Checked<()> {
        let id = self.density_head(name, span);
        let head = &self.heads[id.index()];
        if head.process.is_some() || !head.factors.is_empty() || !head.chain.is_empty() {
            let problem = Diagnostic::new(Code::DuplicateFactor, format!("`{}` is declared twice", name.name)).label(span, "again here");
            return Err(problem.label(head.span, "first here").help("give one of the two another name").into());
        }
        let family = match equation {
            Equation::Ito { variable, .. } => self.var_named(variable),
            Equation::Interpolant { left, .. } => self.interpolated(left),
            Equation::Kernel(factor) => self.var_named(&factor.density),
        };
        let family = family.and_then(|family| {
            let first = self.model.times(family).map_or(0.0, |(first, _)| first);
            self.time_exists(family, first, span)?;
            Ok(family)
        });
        match family {
            Ok(family) => self.heads[id.index()].process = Some(family),
            Err(_) => {
                self.made.poisoned.insert(id);
            }
        }
        family.map(|_| ())
    }

    /// The variable of `x(t) = …`.
    fn interpolated(&mut self, left: &'a ast::Expr) -> Checked<VarId> {
        match &left.kind {
            ast::ExprKind::Call { callee, .. } => match &callee.kind {
                ast::ExprKind::Name(name) => self.var_named(name),
                _ => Err(not_a_state(left.span).into()),
            },
            _ => Err(not_a_state(left.span).into()),
        }
    }

    /// Types the equation of a process.
    pub fn finish_process(&mut self, name: &'a ast::Ident, equation: &'a Equation, span: Span) -> Checked<()> {
        let id = self.density_head(name, span);
        let Some(var) = self.heads[id.index()].process else { return Err(Fault::Reported) };
        // No random variable has a value but those that the equation binds.
        let scope = Scope { only_bound: true, instance: Some(Default::default()), ..Scope::default() };
        let time = self.time_name(var);
        let kind = self.in_scope(scope, None, |this| this.equation(var, equation, &time, span));
        self.process_of(id, var, kind, span)
    }

    /// Puts the process into the model, or remembers that there is none.
    pub fn process_of(&mut self, id: DensityId, var: VarId, kind: Checked<ProcessKind>, span: Span) -> Checked<()> {
        match kind {
            Ok(kind) => {
                // Its kernels are normal.
                let state = Type::Distribution(Box::new(self.model.vars[var].member_type()));
                self.gaussian_answers(&state, span)?;
                self.put_process(id, Process { var, kind, span });
            }
            Err(fault) => {
                self.made.poisoned.insert(id);
                return Err(fault);
            }
        }
        Ok(())
    }

    /// An equation in the scope of what it may name.
    pub fn equation(&mut self, var: VarId, equation: &'a Equation, time: &str, span: Span) -> Checked<ProcessKind> {
        match equation {
            Equation::Ito { variable, drift, diffusion } => self.ito(var, (variable, time), drift.as_ref(), diffusion.as_ref(), span),
            Equation::Interpolant { left, value } => self.interpolant(var, left, value),
            Equation::Kernel(_) => Ok(ProcessKind::Chain),
        }
    }

    pub fn put_process(&mut self, id: DensityId, process: Process) {
        self.model.densities[id].process = Some(process);
    }

    fn ito(
        &mut self,
        var: VarId,
        (variable, time_name): (&'a ast::Ident, &str),
        drift: Option<&'a ast::Expr>,
        diffusion: Option<&'a ast::Expr>,
        span: Span,
    ) -> Checked<ProcessKind> {
        let state_type = self.model.vars[var].ty.clone();
        let Type::Array(ArrayType { shape, .. }) = &state_type else { return Err(Fault::Reported) };
        let shape = shape.clone();
        let time = self.bind(time_name, Type::real([]), variable.span);
        let state = self.bind(&variable.name, state_type.clone(), variable.span);
        self.scope.instants.push(var, time_name, state);
        let why = Some((self.model.vars[var].span, format!("`{}` is declared here", self.model.vars[var].name)));
        let zero = |ty: Type| Expr::new(ExprKind::Real(0.0), ty, span);
        let drift = match drift {
            // A scalar stretches over the state
            Some(drift) => self.drift(drift, &state_type, why)?,
            None => zero(Type::real([])),
        };
        // The coefficient of the noise depends on the time alone.
        self.scope.names.retain(|(name, binding)| !(*name == variable.name && matches!(binding, Binding::Local(id, _) if *id == state)));
        self.scope.instants = super::Instants::default();
        let diffusion = match diffusion {
            Some(diffusion) => super::super::coerce::to_real(self.expr(diffusion, None)),
            None => zero(Type::real([])),
        };
        self.fits_state(&diffusion, &shape)?;
        Ok(ProcessKind::Ito { state, time, drift, diffusion })
    }

    fn drift(&mut self, drift: &'a ast::Expr, state: &Type, why: Option<(Span, String)>) -> Checked<Expr> {
        let drift = self.expr(drift, Some(state));
        if self.array(&drift)?.shape.is_empty() {
            return Ok(super::super::coerce::to_real(drift));
        }
        self.coerce(drift, state, why)
    }

    /// A coefficient of the noise is a number, an array of the state's shape, or a matrix.
    fn fits_state(&self, diffusion: &Expr, state: &[crate::base::size::Size]) -> Checked<()> {
        let found = self.array(diffusion)?.shape;
        let square = state.len() == 1 && found.len() == 2 && super::super::shape::same_shape(&found, &[state, state].concat());
        if found.is_empty() || super::super::shape::same_shape(&found, state) || square {
            return Ok(());
        }
        let problem = Diagnostic::new(Code::ShapeMismatch, format!("the diffusion coefficient is {}", diffusion.ty)).at(diffusion.span);
        Err(problem.help("it is a number, an array of the shape of the state, or a square matrix").into())
    }

    fn interpolant(&mut self, var: VarId, left: &'a ast::Expr, value: &'a ast::Expr) -> Checked<ProcessKind> {
        let ast::ExprKind::Call { args, .. } = &left.kind else { return Err(not_a_state(left.span).into()) };
        let [ast::Arg { kind: ast::ArgKind::Positional(time), .. }] = &args[..] else { return Err(not_a_state(left.span).into()) };
        let ast::ExprKind::Name(time) = &time.kind else { return Err(not_a_state(left.span).into()) };
        let Some((first, last)) = self.model.times(var) else { return Err(Fault::Reported) };
        let (state, why) = (self.model.vars[var].ty.clone(), Some((self.model.vars[var].span, "declared here".to_string())));
        let end = self.model.data_at(var, last);
        let local = self.bind(&time.name, Type::real([]), time.span);
        let start = self.local(&format!("x({first})"), state.clone(), left.span);
        self.scope.instants.push_number(var, first, start);
        let other = match end {
            Some(_) => {
                let end = self.local(&format!("x({last})"), state.clone(), left.span);
                self.scope.instants.push_number(var, last, end);
                end
            }
            // Noise is what x is at the last time, where nothing else is known of it.
            None => {
                let noise = self.bind("noise", state.clone(), left.span);
                self.scope.instants.push_number(var, last, noise);
                noise
            }
        };
        let value = self.expect(value, &state, why);
        if value.is_error() {
            return Err(Fault::Reported);
        }
        Ok(ProcessKind::Interpolant { time: local, start, other, end, value })
    }

    /// How the file names the time of a process.
    pub fn time_name(&self, var: VarId) -> String {
        self.declarations.times.get(self.model.vars[var].name.as_str()).map_or("t".into(), |time| time.name.clone())
    }

    /// A fresh time of a process or chain.
    pub fn time_local(&mut self, var: VarId, span: Span) -> LocalId {
        let support = match self.model.vars[var].family {
            Family::Chain { .. } | Family::Member { .. } => Support::Int,
            Family::Process { .. } | Family::Instant { .. } | Family::Single => Support::Real,
        };
        let name = self.time_name(var);
        self.local(&name, Type::scalar(support), span)
    }
}

fn untyped(var: &ast::VarDecl) -> Diagnostic {
    let problem = Diagnostic::new(Code::UnknownName, format!("the process `{}` has no type", var.name.name)).at(var.span);
    problem.help(format!("write the type of its state: `{}(t in 0..1) : Real[D]`", var.name.name))
}

fn not_a_state(span: Span) -> Diagnostic {
    Diagnostic::new(Code::WrongKind, "an interpolant gives the state at a time")
        .at(span)
        .help("write `q : x(t) = a(t) * x(0) + b(t) * noise`")
}
