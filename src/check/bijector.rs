//! Uses of a `bijector`: its forward map with weights of its own, and what the file gives of inverse and log-determinant.

use super::call::unknown_argument;
use super::checker::{Checked, Checker, Fault, Instance, Scope};
use super::declarations::Definition;
use super::definition::Arguments;
use super::model::{Bijector, Expr, ExprKind, Function, FunctionId, LocalId};
use super::types::Type;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, Ident, Member};

/// The types of the arguments: the first is what is mapped.
type Params<'a> = [(&'a Ident, Type)];

impl<'a> Checker<'a> {
    /// `affine_coupling[64](z)`: an instance, with parameters, of its own for each use. In a pure function it has none.
    pub fn apply_bijector(&mut self, definition: &Definition<'a>, arguments: Arguments<'a>, used: (Span, String)) -> Checked<Expr> {
        let decl = definition.decl;
        let (span, values) = (used.0, arguments.values);
        let instance = self.scope.instance.clone().map(|outer| {
            let path = self.unique_path(&outer.path, &decl.name.name);
            Instance { path, net: outer.net }
        });
        let Some((_, from)) = arguments.params.first().cloned() else {
            return Err(Diagnostic::new(Code::ArgumentCount, "a bijector needs an argument to map").at(decl.name.span).into());
        };
        let made = self.in_scope(arguments.scope, Some(used), |this| this.bijector_members(definition, &arguments.params, instance))?;
        let (bijector, to) = made;
        if !same_count(&from, &to) {
            let problem = Diagnostic::new(Code::NotInvertible, format!("`{}` maps {from} to {to}, which cannot be undone", decl.name.name));
            let at = decl.result.map_or(decl.name.span, |result| result.span);
            return Err(problem.label(at, "a bijection keeps the number of elements").at(span).into());
        }
        let id = self.model.bijectors.push(bijector);
        Ok(Expr::new(ExprKind::Apply(id, values), to, span))
    }

    /// A bijector of the user, checked without a use.
    pub fn bijector_alone(&mut self, definition: &Definition<'a>, scope: Scope<'a>, params: &Params<'a>) {
        let made = self.in_scope(scope, None, |this| this.bijector_members(definition, params, Some(Instance::default())));
        self.settle(made);
    }

    fn bijector_members(
        &mut self,
        definition: &Definition<'a>,
        params: &Params<'a>,
        instance: Option<Instance>,
    ) -> Checked<(Bijector, Type)> {
        let decl = definition.decl;
        let name = &decl.name.name;
        let Some(((u, from), rest)) = params.split_first() else { return Err(Fault::Reported) };
        let declared = decl.result.map(|ty| self.annotation(ty)).transpose()?;
        // Weights belong to the map that is written out; what else is given shares none with it.
        let main = |member: &Member| std::ptr::eq(&member.body, decl.body);
        let (mut forward, mut inverse, mut log_det) = (None, None, None);
        let mut to = declared.clone();
        for member in definition.members {
            self.scope.instance = if main(member) { instance.clone() } else { None };
            match (member.name.name.as_str(), &member.params[..]) {
                ("forward", []) => {
                    let function = self.bijector_member(name, member, (*u, from.clone()), rest, declared.as_ref())?;
                    to.get_or_insert(self.model.functions[function].body.ty.clone());
                    forward = Some(function);
                }
                ("inverse", [y]) => {
                    let of = to.clone().unwrap_or_else(|| from.clone());
                    inverse = Some(self.bijector_member(name, member, (&y.name, of), rest, Some(from))?);
                }
                ("log_det", []) => {
                    log_det = Some(self.bijector_member(name, member, (*u, from.clone()), rest, Some(&Type::real([])))?);
                }
                (other, _) => {
                    let known = ["forward", "inverse(y)", "log_det"].into_iter();
                    return Err(unknown_argument(other, "member", known, member.name.span).into());
                }
            }
        }
        let to = to.unwrap_or_else(|| from.clone());
        Ok((Bijector { name: name.clone(), forward, inverse, log_det, span: decl.name.span }, to))
    }

    /// One member as a function of what it maps and of the other arguments.
    fn bijector_member(
        &mut self,
        bijector: &str,
        member: &'a Member,
        first: (&'a Ident, Type),
        rest: &Params<'a>,
        want: Option<&Type>,
    ) -> Checked<FunctionId> {
        self.nested(|this| {
            let all = std::iter::once(first).chain(rest.iter().map(|(name, ty)| (*name, ty.clone())));
            let params: Vec<LocalId> = all.map(|(name, ty)| this.bind(&name.name, ty, name.span)).collect();
            let body = match want {
                Some(want) => this.expect(&member.body, want, Some((member.name.span, format!("`{}` gives {want}", member.name.name)))),
                None => this.expr(&member.body, None),
            };
            if body.is_error() {
                return Err(Fault::Reported);
            }
            let name = format!("{bijector}.{}", member.name.name);
            Ok(this.model.functions.push(Function { name, settled: vec![], params, body, span: member.name.span }))
        })
    }

    /// The declared type of the first argument of a definition, as far as it is known without a use.
    pub fn first_argument(&mut self, id: usize, sizes: &[crate::base::size::Size], span: Span) -> Checked<Option<Type>> {
        let definition = self.declarations.definitions[id].get()?;
        let decl = definition.decl;
        let Some(ty) = decl.params.first().and_then(|param| param.ty.as_ref()) else { return Ok(None) };
        if matches!(ty.kind, ast::TypeExprKind::Fn { .. }) {
            return Ok(None);
        }
        let names = self.bind_sizes(&decl.name.name, decl.sizes, sizes, span).unwrap_or_default();
        let scope = Scope { names, library: definition.library, ..Scope::default() };
        let ty = self.in_scope(scope, None, |this| this.annotation_with(ty, true))?;
        Ok(Some(ty))
    }
}

/// Whether two arrays may have as many elements.
fn same_count(a: &Type, b: &Type) -> bool {
    let (Type::Array(a), Type::Array(b)) = (a, b) else { return false };
    let count = |shape: &[crate::base::size::Size]| shape.iter().map(|size| size.known()).product::<Option<usize>>();
    match (count(&a.shape), count(&b.shape)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}
