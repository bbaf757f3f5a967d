//! Expressions: one line a form; what needs more than a line has a file of its own.

use super::leaves::tensor_type;
use super::lowering::Lowering;
use super::value::{Array, Value};
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Diagnostic, Span};
use crate::check::Type;
use crate::check::model::{Expr, ExprKind, FunctionId};

impl Lowering<'_> {
    pub fn eval(&mut self, expr: &Expr) -> Result<Value> {
        self.at(expr.span, |this| this.eval_kind(expr))
    }

    pub(super) fn eval_array(&mut self, expr: &Expr) -> Result<Array> {
        self.eval(expr)?.array()
    }

    fn eval_kind(&mut self, expr: &Expr) -> Result<Value> {
        let array = match &expr.kind {
            ExprKind::Real(value) => self.real(*value),
            ExprKind::Int(value) => self.int(*value),
            ExprKind::Bool(value) => {
                let node = self.b().bool(*value);
                self.array(node, vec![])
            }
            ExprKind::Local(id) => return self.local(*id),
            ExprKind::Const(id) => self.constant(*id)?,
            ExprKind::Var(id) => self.variable(*id)?,
            ExprKind::Param(id) => self.param(*id)?,
            ExprKind::Quantity(id) => return self.eval(&self.model.quantities[*id].value),

            ExprKind::Unary(op, x) => {
                let x = self.eval_array(x)?;
                self.unary(*op, &x)
            }
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.eval_array(a)?, self.eval_array(b)?);
                self.binary(*op, &a, &b)?
            }
            ExprKind::Compare(op, a, b) => {
                let (a, b) = (self.eval_array(a)?, self.eval_array(b)?);
                self.compare(*op, &a, &b)?
            }
            ExprKind::ToReal(x) => {
                let x = self.eval_array(x)?;
                self.cast(&x, DType::Real)
            }
            ExprKind::ToInt(x) => {
                let x = self.eval_array(x)?;
                self.cast(&x, DType::Int)
            }
            ExprKind::If(condition, then, otherwise) => {
                let condition = self.eval_array(condition)?;
                let (then, otherwise) = (self.eval(then)?, self.eval(otherwise)?);
                return self.choose(&condition, &then, &otherwise);
            }

            ExprKind::MatMul(a, b) => {
                let (a, b) = (self.eval_array(a)?, self.eval_array(b)?);
                self.matmul(&a, &b)?
            }
            ExprKind::Transpose(x) => {
                let x = self.eval_array(x)?;
                self.transpose_last(&x)
            }
            ExprKind::Join(a, b) => {
                let (a, b) = (self.eval_array(a)?, self.eval_array(b)?);
                self.join(&a, &b)
            }
            ExprKind::Subscript(base, subscripts) => self.subscript(base, subscripts)?,
            ExprKind::Stack(parts) => self.stack(parts)?,
            ExprKind::Reshape(x) => {
                let x = self.eval_array(x)?;
                let shape = [&self.sizes(&x.plates)[..], &tensor_type(&expr.ty)?.shape].concat();
                let node = self.node(&x);
                let node = self.b().reshape(node, &shape);
                self.array(node, x.plates)
            }
            ExprKind::Tuple(parts) => return Ok(Value::Tuple(parts.iter().map(|part| self.eval(part)).collect::<Result<_>>()?)),
            ExprKind::Project(tuple, index) => match self.eval(tuple)? {
                Value::Tuple(mut values) if *index < values.len() => return Ok(values.swap_remove(*index)),
                _ => return Err(Diagnostic::internal("a part of what is not a tuple")),
            },

            ExprKind::Fold { fold, indices, condition, body } => self.fold(*fold, indices, condition.as_deref(), body)?,
            ExprKind::Array { indices, body } => self.comprehension(indices, body)?,
            ExprKind::FoldAll(fold, x) => {
                let x = self.eval_array(x)?;
                let rank = self.shape(&x).len();
                let (x, lifted) = self.lift(&x, rank);
                self.fold_plates(*fold, &x, None, &lifted)?
            }
            ExprKind::Total(x) => self.total(x)?,
            ExprKind::Primitive(primitive, args) => self.primitive(*primitive, args, &expr.ty)?,

            ExprKind::Block(stmts, result) => {
                self.run(stmts)?;
                return self.eval(result);
            }
            ExprKind::Call(function, args) => {
                let args = args.iter().map(|arg| self.eval(arg)).collect::<Result<_>>()?;
                return self.called(*function, expr.span, |this| this.call(*function, args));
            }

            ExprKind::Apply(bijector, args) => {
                let args = args.iter().map(|arg| self.eval(arg)).collect::<Result<_>>()?;
                self.apply_bijector(*bijector, args)?
            }
            ExprKind::DrawPushforward(id) => self.draw_pushforward(*id)?,
            ExprKind::LogPushforward(id, x) => {
                let x = self.eval_array(x)?;
                self.log_pushforward(*id, &x)?
            }

            ExprKind::Dist(dist, args) => return self.distribution(*dist, args, &expr.ty).map(Value::Distribution),
            ExprKind::Conditional(query) => return self.conditional(query).map(Value::Distribution),
            ExprKind::LogDensity(query) => self.log_density(query)?,
            ExprKind::DistMember(dist, member) => {
                let dist = self.eval(dist)?.distribution()?;
                self.dist_member(&dist, member)?
            }
            ExprKind::LogProb(dist, x) => {
                let Type::Distribution(event) = &dist.ty else { return Err(Diagnostic::internal("a log-density of no distribution")) };
                let (dist, value) = (self.eval(dist)?.distribution()?, self.eval_array(x)?);
                let (value, outside) = self.confine(value, &x.ty, event)?;
                let log = self.log_prob(&dist, &value)?;
                self.impossible(log, outside)?
            }
            ExprKind::Expectation { draws, samples, estimator, body } => self.expectation(draws, *samples, *estimator, body)?,
            ExprKind::Kl(a, b) => {
                self.derive_divergence(a, b, expr.span);
                let (a, b) = (self.eval(a)?.distribution()?, self.eval(b)?.distribution()?);
                self.divergence_of(&a, &b, expr.span)?
            }
            ExprKind::Entropy(a) => {
                self.derive_entropy(a, expr.span);
                let a = self.eval(a)?.distribution()?;
                self.entropy(&a, expr.span)?
            }
            ExprKind::Elbo(bound) => self.elbo(bound, expr.span)?,
            ExprKind::Iwae(bound) => self.iwae(bound, expr.span)?,

            ExprKind::Grad { wrt, body } => self.gradient(*wrt, body)?,
            ExprKind::Jacobian { wrt, body } => self.jacobian(*wrt, body)?,
            ExprKind::Divergence { wrt, body } => self.trace_of_jacobian(*wrt, body)?,
            ExprKind::Hessian { wrt, body } => self.hessian(*wrt, body)?,
            ExprKind::Stop(x) => {
                let value = self.eval(x)?;
                return Ok(value.map(&mut |array| self.stop(array)));
            }
            ExprKind::ProcessMember { density, member, args } => return self.process_member(*density, *member, args),
            ExprKind::Noise(kind) => self.noise(*kind, &tensor_type(&expr.ty)?.shape)?,
        };
        Ok(Value::Array(array))
    }

    /// Functions are inlined: the graph shares what is equal.
    pub(super) fn call(&mut self, function: FunctionId, args: Vec<Value>) -> Result<Value> {
        let function = &self.model.functions[function];
        if function.params.len() != args.len() {
            return Err(Diagnostic::internal(format!("{} arguments for `{}`", args.len(), function.name)));
        }
        for (&param, arg) in function.params.iter().zip(args) {
            self.bind_local(param, arg);
            self.indices.remove(&param);
        }
        self.eval(&function.body)
    }

    /// What goes wrong inside is shown at the call.
    fn called<T>(&mut self, function: FunctionId, span: Span, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.calls.push((span, format!("`{}`, used here", self.model.functions[function].name)));
        let result = inside(self);
        let result = result.map_err(|error| if error.chain.is_empty() { Diagnostic { chain: self.calls.clone(), ..error } } else { error });
        self.calls.pop();
        result
    }

    /// `if`: both sides are computed, cell by cell one is taken.
    fn choose(&mut self, condition: &Array, then: &Value, otherwise: &Value) -> Result<Value> {
        match (then, otherwise) {
            (Value::Array(a), Value::Array(b)) => Ok(Value::Array(self.select(condition, a, b)?)),
            (Value::Tuple(a), Value::Tuple(b)) if a.len() == b.len() => {
                let parts = a.iter().zip(b).map(|(a, b)| self.choose(condition, a, b));
                Ok(Value::Tuple(parts.collect::<Result<_>>()?))
            }
            _ => Err(Diagnostic::unsupported("`if` between distributions")),
        }
    }
}
