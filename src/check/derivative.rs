//! Derivatives: `grad[x](e)`, `jac[x](e)`, `div[x](e)`, `hess[x](e)`.

use super::checker::{Checked, Checker, Fault};
use super::model::{Expr, ExprKind, Place};
use super::types::Type;
use super::{message, shape};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

impl<'a> Checker<'a> {
    /// `grad[x](e)`
    pub fn derivative(&mut self, name: &str, brackets: &'a [ast::Arg], args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let [ast::Arg { kind: ArgKind::Positional(wrt), .. }] = brackets else {
            let problem = Diagnostic::new(Code::ArgumentCount, format!("`{name}` needs what to differentiate by, in brackets")).at(span);
            return Err(problem.help(format!("write `{name}[x](…)`")).into());
        };
        let by = self.expr(wrt, None);
        let place = match by.kind {
            ExprKind::Local(id) => Place::Local(id),
            ExprKind::Var(id) => Place::Var(id),
            ExprKind::Param(id) => Place::Param(id),
            _ if by.is_error() => return Err(Fault::Reported),
            _ => {
                let problem = Diagnostic::new(Code::WrongKind, "a derivative is taken by a name").at(wrt.span);
                return Err(problem.help("bind it with `let` first").into());
            }
        };
        let body = self.positional(name, args, 1, span)?.into_iter().next().unwrap_or(Expr::error(span));
        let (input, output) = (self.array(&by)?, self.array(&body)?);
        for e in [&by, &body] {
            if !self.array(e)?.support.is_real() {
                return Err(message::mismatch(&self.model, e, &Type::real(self.array(e)?.shape), None).into());
            }
        }
        let scalar = |e: Expr| {
            if output.shape.is_empty() {
                Ok(e)
            } else {
                let problem = Diagnostic::new(Code::NotScalar, format!("`{name}` differentiates a scalar, this is {}", e.ty)).at(e.span);
                Err(problem.help("take `jac[x](…)` of a vector, or reduce it with `sum(…)`"))
            }
        };
        let (kind, shape) = match name {
            "grad" => (ExprKind::Grad { wrt: place, body: Box::new(scalar(body)?) }, input.shape),
            "hess" => (ExprKind::Hessian { wrt: place, body: Box::new(scalar(body)?) }, [input.shape.clone(), input.shape].concat()),
            "jac" => (ExprKind::Jacobian { wrt: place, body: Box::new(body) }, [output.shape, input.shape].concat()),
            _ => {
                if !shape::same_shape(&input.shape, &output.shape) {
                    let problem = Diagnostic::new(Code::ShapeMismatch, "a divergence needs a value of the shape of its argument");
                    return Err(message::operands(problem, &self.model, "div", &by, &body).into());
                }
                (ExprKind::Divergence { wrt: place, body: Box::new(body) }, vec![])
            }
        };
        Ok(Expr::new(kind, Type::real(shape), span))
    }
}
