//! `process vp(x, bmin = 0.1, bmax = 20) : dx = …`, in the library and in files, and its uses `q = vp(x, bmax: 10)`.
//!
//! A use is the equation as if it stood in the file, with the family for the first parameter and the arguments for the others.

use super::super::call::match_params;
use super::super::checker::{Binding, Checked, Checker, Fault, Scope};
use super::super::declarations::Global;
use super::super::definition::{Parameters, learn};
use super::super::model::{DensityId, Family, VarId};
use super::super::sizes::Solved;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind, Equation, ExprKind, ProcessDecl};

/// How every `process` declaration names the time.
const TIME: &str = "t";

/// A use of a `process` declaration, before its equation is checked.
#[derive(Clone, Debug)]
pub struct Declared<'a> {
    id: DensityId,
    decl: &'a ProcessDecl,
    /// Its arguments, as its equation names them
    scope: Scope<'a>,
    span: Span,
}

impl<'a> Checker<'a> {
    /// `vp(x, bmin: 0.1)`: which declaration, with what.
    pub fn declared_process(&self, e: &'a ast::Expr) -> Option<(usize, &'a [ast::Arg])> {
        let ExprKind::Call { callee, args, given: None } = &e.kind else { return None };
        let ExprKind::Name(name) = &callee.kind else { return None };
        match self.declarations.get(&name.name, false) {
            Some(&Global::Process(id)) => Some((id, args)),
            _ => None,
        }
    }

    /// The head of `q = vp(x)`.
    pub fn declared_head(&mut self, name: &'a ast::Ident, process: usize, args: &'a [ast::Arg], span: Span) -> Checked<()> {
        let id = self.density_head(name, span);
        let made = self.family_and_arguments(process, args, span).and_then(|(family, scope)| {
            let decl = self.declarations.processes[process].get()?;
            if let Equation::Kernel(factor) = &decl.equation {
                let used = Some((span, format!("`{}`, used here", decl.name.name)));
                return self.in_scope(scope, used, |this| this.member_factor_head(id, factor, span));
            }
            self.heads[id.index()].process = Some(family);
            self.made.declared.push(Declared { id, decl, scope, span });
            Ok(())
        });
        if made.is_err() {
            self.made.poisoned.insert(id);
        }
        made
    }

    /// The family of a use, and the scope in which its equation is checked.
    fn family_and_arguments(&mut self, process: usize, args: &'a [ast::Arg], span: Span) -> Checked<(VarId, Scope<'a>)> {
        let entry = &self.declarations.processes[process];
        let (decl, library) = (entry.get()?, entry.library);
        let Some((state, params)) = decl.params.split_first() else {
            let problem = Diagnostic::new(Code::ArgumentCount, format!("`{}` is for no family", decl.name.name)).at(decl.name.span);
            return Err(problem.help(format!("its first parameter stands for one: `process {}(x) : …`", decl.name.name)).into());
        };
        let [ast::Arg { kind: ArgKind::Positional(family), .. }, rest @ ..] = args else {
            return Err(no_family(decl, span).into());
        };
        let ExprKind::Name(name) = &family.kind else { return Err(no_family(decl, family.span).into()) };
        let family = self.var_named(name)?;
        self.family_fits(decl, family, name.span)?;
        same_name(decl, state)?;
        let (givens, _) = self.givens(rest, 0)?;
        let names: Vec<&str> = params.iter().map(|param| param.name.name.as_str()).collect();
        let slots = match_params(&decl.name.name, &names, givens)?;
        let parameters = Parameters { name: &decl.name, sizes: &[], params, library };
        let made = self.top_level(|this| this.arguments(parameters, &[], slots, span))?;
        let mut scope = made.scope;
        if let Some(ty) = &state.ty {
            self.learn_state(ty, family, &mut scope, span)?;
        }
        let values = made.params.iter().zip(made.values).map(|((name, _), value)| (name.name.clone(), Binding::Value(Box::new(value))));
        scope.names.extend(values);
        scope.family = Some((&state.name.name, family));
        (scope.only_bound, scope.instance) = (true, Some(Default::default()));
        Ok((family, scope))
    }

    /// `x : Real[n]`: the sizes of the state have names in the equation.
    fn learn_state(&mut self, written: &'a ast::TypeExpr, family: VarId, scope: &mut Scope<'a>, span: Span) -> Checked<()> {
        let outer = Scope { library: scope.library, ..Scope::default() };
        let declared = self.in_scope(outer, None, |this| this.annotation_with(written, true))?;
        let (mut solved, state) = (Solved::new(), self.model.vars[family].member_type());
        if !declared.unify(&state, &mut solved) {
            let problem = Diagnostic::new(Code::ShapeMismatch, format!("the state is {state}, this process is for {}", declared.close()));
            return Err(problem.label(span, "used here").label(written.span, "declared here").into());
        }
        learn(scope, &declared, &solved);
        Ok(())
    }

    /// Equations are for processes in continuous time, kernels for chains.
    fn family_fits(&self, decl: &ProcessDecl, family: VarId, span: Span) -> Checked<()> {
        let var = &self.model.vars[family];
        let (fits, kind, example) = match (&decl.equation, &var.family) {
            (Equation::Kernel(_), Family::Chain { .. }) => (true, "", ""),
            (Equation::Kernel(_), _) => (false, "steps through a chain", "[0..T]"),
            (Equation::Ito { .. } | Equation::Interpolant { .. }, Family::Process { .. }) => (true, "", ""),
            (Equation::Ito { .. } | Equation::Interpolant { .. }, _) => (false, "runs in continuous time", "(t in 0..1)"),
        };
        if fits {
            return Ok(());
        }
        let problem = Diagnostic::new(Code::WrongKind, format!("`{}` {kind}, `{}` does not", decl.name.name, var.name));
        let problem = problem.label(span, "given here").label(var.span, "declared here");
        Err(problem.help(format!("declare it: `var {}{example} : Real[D]`", var.name)).into())
    }

    /// Types the equations of all uses.
    pub fn finish_declared_processes(&mut self) {
        for made in std::mem::take(&mut self.made.declared) {
            let Some(var) = self.heads[made.id.index()].process else { continue };
            let used = Some((made.span, format!("`{}`, used here", made.decl.name.name)));
            let kind = self.in_scope(made.scope, used, |this| {
                let kind = this.equation(var, &made.decl.equation, TIME, made.span);
                kind.map_err(|fault| {
                    this.fault(fault);
                    Fault::Reported
                })
            });
            let put = self.process_of(made.id, var, kind, made.span);
            self.settle(put);
        }
    }
}

/// The equation is about the first parameter.
fn same_name(decl: &ProcessDecl, state: &ast::FnParam) -> Checked<()> {
    let about = match &decl.equation {
        Equation::Ito { variable, .. } => Some(variable),
        Equation::Kernel(factor) => factor.targets.first().map(|target| &target.name),
        Equation::Interpolant { left, .. } => match &left.kind {
            ExprKind::Call { callee, .. } => match &callee.kind {
                ExprKind::Name(name) => Some(name),
                _ => None,
            },
            _ => None,
        },
    };
    match about.filter(|about| about.name != state.name.name) {
        Some(about) => {
            let problem = Diagnostic::new(Code::UnknownName, format!("`{}` is about `{}`", decl.name.name, state.name.name));
            let problem = problem.label(about.span, "another name here").label(state.name.span, "its first parameter");
            Err(problem.help("the first parameter stands for the family").into())
        }
        None => Ok(()),
    }
}

fn no_family(decl: &ProcessDecl, span: Span) -> Diagnostic {
    let name = &decl.name.name;
    let problem = Diagnostic::new(Code::ArgumentCount, format!("`{name}` needs the family of variables whose process it is"));
    problem
        .label(span, "not given here")
        .label(decl.name.span, "declared here")
        .help(format!("write `q = {name}(x)`, with `var x` declared"))
}
