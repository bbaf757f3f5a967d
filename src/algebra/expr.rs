//! Expressions: one line a form; what needs more than a line has a file of its own.

use super::lowering::{Lowering, Result, union};
use super::value::{Array, Value};
use crate::base::Diagnostic;
use crate::base::op::{BinaryOp, DType, ReduceOp};
use crate::check::model::{Expr, ExprKind, FunctionId, LocalId, Pattern, Place, Primitive, Stmt, StmtKind};
use crate::check::types::Type;
use crate::graph::Op;

use super::leaves::tensor_type;

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
            ExprKind::Primitive(primitive, args) => self.primitive(*primitive, args, &expr.ty)?,

            ExprKind::Block(stmts, result) => {
                self.run(stmts)?;
                return self.eval(result);
            }
            ExprKind::Call(function, args) => {
                let args = args.iter().map(|arg| self.eval(arg)).collect::<Result<_>>()?;
                return self.call(*function, args);
            }

            ExprKind::Dist(dist, args) => return self.distribution(*dist, args, &expr.ty).map(Value::Distribution),
            ExprKind::Conditional(query) => return self.conditional(query).map(Value::Distribution),
            ExprKind::LogDensity(query) => self.log_density(query)?,
            ExprKind::DistMember(dist, member) => {
                let dist = self.eval(dist)?.distribution()?;
                self.dist_member(&dist, member)?
            }
            ExprKind::LogProb(dist, x) => {
                let (dist, x) = (self.eval(dist)?.distribution()?, self.eval_array(x)?);
                self.log_prob(&dist, &x)?
            }
            ExprKind::Expectation { draws, samples, estimator, body } => self.expectation(draws, *samples, *estimator, body)?,
            ExprKind::Kl(a, b) => {
                let (a, b) = (self.eval(a)?.distribution()?, self.eval(b)?.distribution()?);
                self.divergence_of(&a, &b, expr.span)?
            }
            ExprKind::Entropy(a) => {
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

    pub(super) fn run(&mut self, stmts: &[Stmt]) -> Result<()> {
        stmts.iter().try_for_each(|stmt| self.at(stmt.span, |this| this.run_stmt(stmt)))
    }

    fn run_stmt(&mut self, stmt: &Stmt) -> Result<()> {
        match &stmt.kind {
            StmtKind::Let(pattern, value) => {
                let value = self.eval(value)?;
                self.bind_pattern(pattern, value)
            }
            StmtKind::Draw(draw) => {
                let dist = self.eval(&draw.dist)?.distribution()?;
                let value = self.draw(&dist)?;
                self.bind(draw.target, value);
                Ok(())
            }
            StmtKind::Assign(local, value) => {
                let value = self.eval(value)?;
                self.bind_local(*local, value);
                Ok(())
            }
            StmtKind::For { index, from, to, body, carried } => self.for_loop(*index, *from, *to, body, carried),
            StmtKind::While { condition, body, carried } => self.while_loop(condition, body, carried),
        }
    }

    fn bind_pattern(&mut self, pattern: &Pattern, value: Value) -> Result<()> {
        match (pattern, value) {
            (Pattern::Local(local), value) => {
                self.bind_local(*local, value);
                Ok(())
            }
            (Pattern::Tuple(parts), Value::Tuple(values)) if parts.len() == values.len() => {
                parts.iter().zip(values).try_for_each(|(part, value)| self.bind_pattern(part, value))
            }
            (Pattern::Tuple(_), _) => Err(Diagnostic::internal("a pattern that does not fit its value")),
        }
    }

    /// A name with respect to which the program differentiates is told apart from other names of the same value.
    fn bind_local(&mut self, local: LocalId, value: Value) {
        let value = match value {
            Value::Array(array) if self.differentiable.contains(&local) => {
                let node = self.node(&array);
                let node = self.b().distinct(node);
                Value::Array(self.array(node, array.plates))
            }
            value => value,
        };
        self.locals.insert(local, value);
    }

    /// Gives a name a value; the old value is returned for [`Lowering::restore`].
    pub(super) fn bind(&mut self, place: Place, value: Array) -> Option<Value> {
        match place {
            Place::Local(local) => self.locals.insert(local, Value::Array(value)),
            Place::Var(var) => self.vars.insert(var, value).map(Value::Array),
            Place::Param(param) => self.params.insert(param, value).map(Value::Array),
        }
    }

    pub(super) fn restore(&mut self, place: Place, old: Option<Value>) {
        match (place, old) {
            (place, Some(Value::Array(array))) => {
                self.bind(place, array);
            }
            (Place::Local(local), Some(value)) => {
                self.locals.insert(local, value);
            }
            (Place::Local(local), None) => {
                self.locals.remove(&local);
            }
            (Place::Var(var), _) => {
                self.vars.remove(&var);
            }
            (Place::Param(param), _) => {
                self.params.remove(&param);
            }
        }
    }

    /// Contraction over the last axis of `a` and the first (of a vector) or last but one (of a matrix) of `b`.
    fn matmul(&mut self, a: &Array, b: &Array) -> Result<Array> {
        let (ra, rb) = (self.shape(a).len(), self.shape(b).len());
        if ra == 0 || rb == 0 || ra > 2 || rb > 2 {
            return Err(Diagnostic::unsupported(format!("`@` of arrays with {ra} and {rb} axes")));
        }
        let plates = union([&a.plates[..], &b.plates[..]].into_iter());
        let label = |p: &super::value::PlateId| plates.iter().position(|q| q == p).unwrap_or(0) as u8;
        let base = plates.len() as u8;
        let [row, inner, column] = [base, base + 1, base + 2];
        let axes = |array: &Array, own: Vec<u8>| array.plates.iter().map(label).chain(own).collect::<Vec<u8>>();
        let left = axes(a, if ra == 2 { vec![row, inner] } else { vec![inner] });
        let right = axes(b, if rb == 2 { vec![inner, column] } else { vec![inner] });
        let mut out: Vec<u8> = (0..base).collect();
        out.extend((ra == 2).then_some(row));
        out.extend((rb == 2).then_some(column));
        let (x, y) = (self.node(a), self.node(b));
        let node = self.b().contract(x, y, &left, &right, &out);
        Ok(self.array(node, plates))
    }

    fn transpose_last(&mut self, x: &Array) -> Array {
        let rank = self.ty(x).rank();
        if self.shape(x).len() < 2 {
            return x.clone();
        }
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 1, rank - 2);
        let node = self.node(x);
        let node = self.b().transpose(node, &perm);
        self.array(node, x.plates.clone())
    }

    /// Along the last axis; scalars are vectors of length 1.
    fn join(&mut self, a: &Array, b: &Array) -> Array {
        let plates = union([&a.plates[..], &b.plates[..]].into_iter());
        let mut parts = vec![];
        for array in [a, b] {
            let mut shape = self.shape(array);
            let node = self.expand(array, &plates, &shape.clone());
            if shape.is_empty() {
                shape.push(1);
            }
            let full = [&self.sizes(&plates)[..], &shape].concat();
            parts.push(self.b().reshape(node, &full));
        }
        let axis = self.b().ty(parts[0]).rank() - 1;
        let node = self.b().join(&parts, axis);
        self.array(node, plates)
    }

    /// `[a, b, c]`: a new leading axis.
    fn stack(&mut self, parts: &[Expr]) -> Result<Array> {
        if let Some(literal) = self.literal_stack(parts) {
            return Ok(literal);
        }
        let arrays = parts.iter().map(|part| self.eval_array(part)).collect::<Result<Vec<_>>>()?;
        let (nodes, plates) = self.align(&arrays.iter().collect::<Vec<_>>())?;
        let axis = plates.len();
        let rows: Vec<_> = nodes
            .into_iter()
            .map(|node| {
                let mut shape = self.b().shape(node).to_vec();
                shape.insert(axis, 1);
                self.b().reshape(node, &shape)
            })
            .collect();
        let node = self.b().join(&rows, axis);
        Ok(self.array(node, plates))
    }

    /// A list of numbers as one literal.
    fn literal_stack(&mut self, parts: &[Expr]) -> Option<Array> {
        let values: Option<Vec<(f64, DType)>> = parts
            .iter()
            .map(|part| match part.kind {
                ExprKind::Real(value) => Some((value, DType::Real)),
                ExprKind::Int(value) => Some((value as f64, DType::Int)),
                _ => None,
            })
            .collect();
        let values = values?;
        let dtype = values.first()?.1;
        if values.iter().any(|(_, other)| *other != dtype) {
            return None;
        }
        let numbers: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
        let node = self.b().literal(dtype, &[numbers.len()], &numbers);
        Some(self.array(node, vec![]))
    }

    fn primitive(&mut self, primitive: Primitive, args: &[Expr], ty: &Type) -> Result<Array> {
        let arrays = args.iter().map(|arg| self.eval_array(arg)).collect::<Result<Vec<_>>>()?;
        let axis = arrays.first().map_or(0, |x| x.plates.len());
        match (primitive, &arrays[..]) {
            (Primitive::CumSum, [x]) => Ok(self.apply(Op::CumSum { axis, reverse: false }, x)),
            (Primitive::Sort, [x]) => Ok(self.apply(Op::Sort { axis }, x)),
            (Primitive::ArgMax, [x]) => Ok(self.apply(Op::ArgMax { axis }, x)),
            (Primitive::Cholesky, [x]) => Ok(self.apply(Op::Cholesky, x)),
            (Primitive::SolveLower, [l, b]) => self.solve(l, b, false),
            (Primitive::SolveUpper, [l, b]) => self.solve(l, b, true),
            (Primitive::Diagonal, [x]) => self.diagonal(x),
            (Primitive::Identity, []) => {
                let shape = tensor_type(ty)?.shape;
                let [.., n, _] = shape[..] else { return Err(Diagnostic::internal("identity of a vector")) };
                let values: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
                let node = self.b().literal(DType::Real, &[n, n], &values);
                let node = self.b().broadcast(node, &shape, &[shape.len() - 2, shape.len() - 1]);
                Ok(self.array(node, vec![]))
            }
            (primitive, _) => Err(Diagnostic::internal(format!("{} arguments for {primitive:?}", arrays.len()))),
        }
    }

    fn apply(&mut self, op: Op, x: &Array) -> Array {
        let node = self.node(x);
        let node = self.b().push(op, &[node]);
        self.array(node, x.plates.clone())
    }

    /// L y = b or Lᵀ y = b.
    fn solve(&mut self, l: &Array, b: &Array, transpose: bool) -> Result<Array> {
        let plates = union([&l.plates[..], &b.plates[..]].into_iter());
        let (shape_l, shape_b) = (self.shape(l), self.shape(b));
        let (l, y) = (self.expand(l, &plates, &shape_l), self.expand(b, &plates, &shape_b));
        let leading = self.sizes(&plates);
        let columns = if shape_b.len() == 1 { vec![shape_b[0], 1] } else { shape_b.clone() };
        let y = self.b().reshape(y, &[&leading[..], &columns].concat());
        let node = self.b().push(Op::TriangularSolve { transpose }, &[l, y]);
        let node = self.b().reshape(node, &[&leading[..], &shape_b].concat());
        Ok(self.array(node, plates))
    }

    fn diagonal(&mut self, x: &Array) -> Result<Array> {
        let shape = self.shape(x);
        let [n, m] = shape[..] else { return Err(Diagnostic::internal("diagonal of what is not a matrix")) };
        let values: Vec<f64> = (0..n * m).map(|i| f64::from(u8::from(i / m == i % m))).collect();
        let mask = self.b().literal(DType::Real, &[n, m], &values);
        let mask = self.array(mask, vec![]);
        let masked = self.binary(BinaryOp::Mul, x, &mask)?;
        let node = self.node(&masked);
        let axis = masked.plates.len() + 1;
        let node = self.b().reduce(ReduceOp::Sum, node, &[axis]);
        Ok(self.array(node, masked.plates))
    }
}
