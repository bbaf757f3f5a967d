//! Checked expressions as mathematics.

use super::formula::{Big, Formula, Relation};
use super::total::Total;
use crate::base::Span;
use crate::base::op::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use crate::check::model::{
    Bound, Draw, Expr, ExprKind, Fold, Function, FunctionId, Index, LocalId, Model, Noise, Pattern, Place, Primitive,
};
use crate::check::model::{MemberQuery, Query, Stmt, StmtKind, Subscript, Which};
use crate::check::types::Type;
use std::collections::HashMap;

impl Formula {
    /// The expression with the names that the user gave. Functions of the file are called, not written out.
    pub fn of_expr(model: &Model, expr: &Expr) -> Formula {
        Names::new(model).expr(expr)
    }
}

/// What the names of expressions are called in formulas: locals may stand for more than their names.
pub struct Names<'m> {
    pub model: &'m Model,
    locals: HashMap<LocalId, Formula>,
    /// What standard noise is called
    pub(super) noise: Formula,
    /// What a sum over all observations is
    pub(in crate::algebra) total: Option<Total>,
}

impl<'m> Names<'m> {
    pub fn new(model: &'m Model) -> Names<'m> {
        Names { model, locals: HashMap::new(), noise: "epsilon".into(), total: None }
    }

    /// From now on a local is written as this formula.
    pub fn bind(&mut self, local: LocalId, formula: Formula) {
        self.locals.insert(local, formula);
    }

    /// The body of a function with formulas for its arguments: how a `rule` or a log-density reads for the user's distributions.
    pub fn inlined(&mut self, function: FunctionId, args: impl IntoIterator<Item = Formula>) -> Formula {
        let function = &self.model.functions[function];
        for (&param, arg) in function.params.iter().zip(args) {
            self.bind(param, arg);
        }
        self.expr(&function.body)
    }

    pub fn expr(&mut self, expr: &Expr) -> Formula {
        match &expr.kind {
            ExprKind::Real(value) => Formula::Number(*value),
            ExprKind::Int(value) => Formula::Number(*value as f64),
            ExprKind::Bool(value) => Formula::name(if *value { "true" } else { "false" }),
            ExprKind::Local(id) => self.local(*id),
            ExprKind::Const(id) => self.model.consts[*id].name.as_str().into(),
            ExprKind::Var(_) | ExprKind::Param(_) | ExprKind::Quantity(_) => self.leaf(&expr.kind),
            ExprKind::Unary(op, x) => self.unary(*op, x),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b),
            ExprKind::Compare(op, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                a.related(comparison(*op), b)
            }
            ExprKind::ToReal(x) | ExprKind::Reshape(x) | ExprKind::Stop(x) => self.expr(x),
            ExprKind::ToInt(x) => Formula::apply("int", [self.expr(x)]),
            ExprKind::If(condition, then, otherwise) => Formula::cases(self.expr(condition), self.expr(then), self.expr(otherwise)),
            ExprKind::MatMul(a, b) => self.matmul(a, b),
            ExprKind::Transpose(x) => self.expr(x).transpose(),
            ExprKind::Join(a, b) => Formula::tuple([self.expr(a), self.expr(b)]),
            ExprKind::Subscript(base, subscripts) => self.subscript(base, subscripts),
            ExprKind::Stack(parts) => Formula::List(self.all(parts)),
            ExprKind::Tuple(parts) => Formula::Tuple(self.all(parts)),
            ExprKind::Project(tuple, part) => self.project(tuple, *part),
            ExprKind::Fold { fold, indices, condition, body } => self.fold(*fold, indices, condition.as_deref(), body),
            ExprKind::Array { indices, body } => {
                let (body, indices) = (self.expr(body), self.indices(indices));
                // An array whose entries are all the same is written as one.
                if indices.iter().any(|index| body.mentions(index)) { Formula::List(vec![body]).index(indices) } else { body }
            }
            ExprKind::FoldAll(fold, x) => self.fold_all(*fold, x),
            ExprKind::Primitive(primitive, args) => self.primitive(*primitive, args),
            ExprKind::Block(stmts, result) => {
                stmts.iter().for_each(|stmt| self.statement(stmt));
                self.expr(result)
            }
            ExprKind::Call(function, args) => self.call(*function, args, expr.span),
            ExprKind::Apply(bijector, args) => Formula::apply(self.model.bijectors[*bijector].name.as_str(), self.all(args)),
            ExprKind::Dist(dist, args) => {
                let dist = &self.model.dists[*dist];
                let params = self.all(args);
                let named: Vec<&str> = dist.params.iter().map(|&local| self.model.locals[local].name.as_str()).collect();
                Formula::family(&dist.name, &named, params)
            }
            ExprKind::DrawPushforward(pushforward) => self.expr(&self.model.pushforwards[*pushforward].image),
            ExprKind::LogPushforward(pushforward, x) => {
                let base = self.expr(&self.model.pushforwards[*pushforward].base);
                let x = self.expr(x);
                Formula::log(Formula::distribution("pushforward", [base]).at(x))
            }
            ExprKind::ProcessMember { density, member, args } => {
                let of = format!("{}.{}", self.model.densities[*density].name, member.name());
                Formula::apply(of.as_str(), self.all(args))
            }
            ExprKind::Conditional(query) => self.query(query),
            ExprKind::LogDensity(query) => Formula::log(self.query(query)),
            ExprKind::DistMember(dist, member) => self.member(dist, member),
            ExprKind::LogProb(dist, x) => {
                let x = self.expr(x);
                Formula::log(self.expr(dist).at(x))
            }
            ExprKind::Expectation { draws, body, .. } => {
                let draws: Vec<Formula> = draws.iter().map(|draw| self.draw(draw)).collect();
                Formula::expectation(draws, self.expr(body))
            }
            ExprKind::Kl(a, b) => Formula::kl(self.expr(a), self.expr(b)),
            ExprKind::Entropy(a) => Formula::entropy(self.expr(a)),
            ExprKind::Elbo(bound) => self.bound("ELBO", bound),
            ExprKind::Iwae(bound) => self.bound("IWAE", bound),
            ExprKind::Grad { wrt, body } => Formula::gradient(self.place(*wrt), self.expr(body)),
            ExprKind::Jacobian { wrt, body } => Formula::partial(self.expr(body), self.place(*wrt)),
            ExprKind::Divergence { wrt, body } => Formula::apply("tr", [Formula::partial(self.expr(body), self.place(*wrt))]),
            ExprKind::Hessian { wrt, body } => {
                let wrt = self.place(*wrt);
                let gradient = Formula::gradient(wrt.clone(), self.expr(body));
                Formula::gradient(wrt, gradient)
            }
            ExprKind::Total(of) => {
                let of = self.expr(of);
                match &self.total {
                    Some(total) => total.sum(of),
                    None => Formula::sum_over("n", of),
                }
            }
            ExprKind::Noise(Noise::Normal) => self.noise.clone(),
            ExprKind::Noise(Noise::Uniform) => "u".into(),
        }
    }

    fn all(&mut self, exprs: &[Expr]) -> Vec<Formula> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn local(&self, id: LocalId) -> Formula {
        self.locals.get(&id).cloned().unwrap_or_else(|| self.model.locals[id].name.as_str().into())
    }

    fn leaf(&self, kind: &ExprKind) -> Formula {
        match kind {
            ExprKind::Var(id) => self.model.vars[*id].name.as_str().into(),
            ExprKind::Param(id) => self.model.params[*id].path.as_str().into(),
            ExprKind::Quantity(id) => Formula::name(self.model.quantities[*id].name.as_str()),
            _ => Formula::words("…"),
        }
    }

    pub fn place(&self, place: Place) -> Formula {
        match place {
            Place::Local(id) => self.local(id),
            Place::Var(id) => self.model.vars[id].name.as_str().into(),
            Place::Param(id) => self.model.params[id].path.as_str().into(),
        }
    }

    fn unary(&mut self, op: UnaryOp, x: &Expr) -> Formula {
        let x = self.expr(x);
        match op {
            UnaryOp::Neg => -x,
            UnaryOp::Abs => x.abs(),
            UnaryOp::Recip => Formula::from(1) / x,
            UnaryOp::Expm1 => Formula::exp(x) - 1,
            UnaryOp::Log1p => Formula::log(Formula::from(1) + x),
            UnaryOp::LogGamma => Formula::log(Formula::apply("Gamma", [x])),
            UnaryOp::Digamma => Formula::apply("psi", [x]),
            UnaryOp::Trigamma => Formula::apply(Formula::from("psi").index([1]), [x]),
            UnaryOp::Log => Formula::log(x),
            UnaryOp::Exp | UnaryOp::Sqrt | UnaryOp::Sin | UnaryOp::Cos | UnaryOp::Tanh => Formula::apply(unary_name(op), [x]),
            UnaryOp::Sigmoid | UnaryOp::Softplus | UnaryOp::Erf | UnaryOp::Sign => Formula::apply(unary_name(op), [x]),
            UnaryOp::ErfInv | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round => Formula::apply(unary_name(op), [x]),
            UnaryOp::Not | UnaryOp::IsFinite => Formula::apply(unary_name(op), [x]),
        }
    }

    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr) -> Formula {
        let arrays = rank(&a.ty) > 0 && rank(&b.ty) > 0;
        let (a, b) = (self.expr(a), self.expr(b));
        if op == BinaryOp::Mul && arrays { a.elementwise(b) } else { Formula::of_binary(op, a, b) }
    }

    fn matmul(&mut self, a: &Expr, b: &Expr) -> Formula {
        let row = rank(&a.ty) == 1;
        let (a, b) = (self.expr(a), self.expr(b));
        if row { a.transpose() * b } else { a * b }
    }

    fn subscript(&mut self, base: &Expr, subscripts: &[Subscript]) -> Formula {
        let first: Vec<i64> = match &base.kind {
            ExprKind::Const(id) => self.model.consts[*id].indices.iter().map(|index| index.first).collect(),
            _ => vec![],
        };
        let base = self.expr(base);
        let indices: Vec<Formula> = subscripts
            .iter()
            .enumerate()
            .map(|(at, subscript)| match subscript {
                Subscript::At(expr) => self.expr(as_written(expr, first.get(at).copied().unwrap_or(0))),
                Subscript::Range { from, count } => Formula::words(format!("{from}:{}", from + count - 1)),
            })
            .collect();
        base.index(indices)
    }

    fn project(&mut self, tuple: &Expr, part: usize) -> Formula {
        match self.expr(tuple) {
            Formula::Tuple(mut parts) if part < parts.len() => parts.swap_remove(part),
            other => other.index([part + 1]),
        }
    }

    fn indices(&self, indices: &[Index]) -> Vec<Formula> {
        indices.iter().map(|index| self.local(index.local)).collect()
    }

    fn fold(&mut self, fold: Fold, indices: &[Index], condition: Option<&Expr>, body: &Expr) -> Formula {
        let mut below = self.indices(indices);
        below.extend(condition.map(|condition| self.expr(condition)));
        let body = self.expr(body);
        let big = |operator, body| Formula::Big { operator, below: below.clone(), above: None, body: Box::new(body) };
        match fold {
            Fold::Reduce(ReduceOp::Sum) => big(Big::Sum, body),
            Fold::Reduce(ReduceOp::Prod) => big(Big::Product, body),
            Fold::Reduce(ReduceOp::Max | ReduceOp::Or) => big(Big::Max, body),
            Fold::Reduce(ReduceOp::Min | ReduceOp::And) => big(Big::Min, body),
            Fold::Mean => {
                let count: usize = indices.iter().map(|index| index.count).product();
                Formula::from(1) / count * big(Big::Sum, body)
            }
            Fold::LogSumExp => Formula::log(big(Big::Sum, Formula::exp(body))),
        }
    }

    fn fold_all(&mut self, fold: Fold, x: &Expr) -> Formula {
        let x = self.expr(x);
        match fold {
            Fold::Reduce(ReduceOp::Sum) => Formula::apply("sum", [x]),
            Fold::Reduce(ReduceOp::Prod) => Formula::apply("prod", [x]),
            Fold::Reduce(ReduceOp::Max | ReduceOp::Or) => Formula::apply("max", [x]),
            Fold::Reduce(ReduceOp::Min | ReduceOp::And) => Formula::apply("min", [x]),
            Fold::Mean => Formula::apply("mean", [x]),
            Fold::LogSumExp => Formula::apply("logsumexp", [x]),
        }
    }

    fn primitive(&mut self, primitive: Primitive, args: &[Expr]) -> Formula {
        let mut args = self.all(args);
        match (primitive, args.len()) {
            (Primitive::Identity, _) => Formula::name("I"),
            (Primitive::SolveLower, 2) => args.remove(0).inverse() * args.remove(0),
            (Primitive::SolveUpper, 2) => args.remove(0).transpose().inverse() * args.remove(0),
            (Primitive::CumSum, _) => Formula::apply("cumsum", args),
            (Primitive::Sort, _) => Formula::apply("sort", args),
            (Primitive::ArgMax, _) => Formula::apply("argmax", args),
            (Primitive::Cholesky, _) => Formula::apply("chol", args),
            (Primitive::Diagonal, _) => Formula::apply("diag", args),
            (Primitive::SolveLower, _) => Formula::apply("solve_lower", args),
            (Primitive::SolveUpper, _) => Formula::apply("solve_upper", args),
        }
    }

    /// A `let` is written out where it is used; draws and loops keep their names.
    pub(super) fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let(Pattern::Local(local), value) => {
                let value = self.expr(value);
                self.bind(*local, value);
            }
            StmtKind::Assign(Place::Local(local), value) => {
                let value = self.expr(value);
                self.bind(*local, value);
            }
            StmtKind::Let(Pattern::Tuple(parts), value) => {
                // Parts of what a function gives are called as the file calls them.
                let named = |part: &Pattern| matches!(part, Pattern::Local(local) if self.model.locals[*local].name != "_");
                if matches!(value.kind, ExprKind::Call(..)) && parts.iter().all(named) {
                    return;
                }
                let value = self.expr(value);
                for (at, part) in parts.iter().enumerate() {
                    if let Pattern::Local(local) = part {
                        let part = match &value {
                            Formula::Tuple(values) if at < values.len() => values[at].clone(),
                            other => other.clone().index([at + 1]),
                        };
                        self.bind(*local, part);
                    }
                }
            }
            StmtKind::Draw(_) | StmtKind::Assign(..) | StmtKind::For { .. } | StmtKind::While { .. } | StmtKind::Require(_) => {}
        }
    }

    fn call(&mut self, function: FunctionId, args: &[Expr], span: Span) -> Formula {
        let Function { name, settled, .. } = &self.model.functions[function];
        if !settled.is_empty() {
            // What the call leaves out is not written either.
            let written = args.iter().filter(|arg| arg.span.file == span.file && span.start <= arg.span.start && arg.span.end <= span.end);
            let written: Vec<Formula> = written.map(|arg| self.expr(arg)).collect();
            return Formula::apply(Formula::name(name.as_str()), settled.iter().map(|text| Formula::words(text.clone())).chain(written));
        }
        let mut args = self.all(args);
        match (name.as_str(), args.len()) {
            ("dot", 2) => args.remove(0).transpose() * args.remove(0),
            ("outer", 2) => args.remove(0) * args.remove(0).transpose(),
            ("norm", 1) => args.remove(0).norm(),
            ("norm2", 1) => squared_norm(args.remove(0)),
            ("trace", 1) => Formula::apply("tr", args),
            ("log_sigmoid", 1) => Formula::log(Formula::apply("sigmoid", args)),
            ("xlogx", 1) => args[0].clone() * Formula::log(args.remove(0)),
            ("xlogy", 2) => args.remove(0) * Formula::log(args.remove(0)),
            ("log_factorial", 1) => Formula::log(Formula::apply("factorial", args)),
            ("log_beta", 2) => Formula::log(Formula::apply("B", args)),
            ("log_choose", 2) => Formula::log(Formula::apply("binom", args)),
            ("log_det_cholesky", 1) => {
                let factor = args.remove(0);
                let matrix = cholesky_of(&factor).cloned().unwrap_or_else(|| factor.clone() * factor.transpose());
                Formula::log(matrix.determinant())
            }
            _ => Formula::apply(Formula::name(name.as_str()), args),
        }
    }

    fn member(&mut self, dist: &Expr, member: &str) -> Formula {
        let dist = self.expr(dist);
        match member {
            "mean" => Formula::apply(Formula::name("mean"), [dist]),
            "entropy" => Formula::entropy(dist),
            _ => Formula::apply(Formula::name(member), [dist]),
        }
    }

    /// p(x = y | z), as asked.
    pub fn query(&mut self, query: &Query) -> Formula {
        let mut side = |vars: &[(_, Option<Expr>)]| {
            let part = |(var, value): &(_, Option<Expr>)| {
                let name = self.leaf(&ExprKind::Var(*var));
                match value {
                    Some(value) => name.equals(self.expr(value)),
                    None => name,
                }
            };
            vars.iter().map(part).collect::<Vec<Formula>>()
        };
        let (mut targets, mut given) = (side(&query.targets), side(&query.given));
        targets.extend(query.member_targets.iter().map(|members| self.members(members)));
        given.extend(query.member_given.iter().map(|members| self.members(members)));
        Formula::density_of(&self.model.densities[query.density].name, targets, given)
    }

    /// x_3, x_{1:5}, with what is substituted.
    fn members(&mut self, members: &MemberQuery) -> Formula {
        let name = self.leaf(&ExprKind::Var(members.var));
        let indexed = match &members.which {
            Which::One(at) if self.model.vars[members.var].members().is_none() => Formula::apply(name, [self.expr(at)]),
            Which::One(at) => name.index([self.expr(at)]),
            Which::Range(from, to) => match (&from.kind, &to.kind) {
                (ExprKind::Int(from), ExprKind::Int(to)) => name.index([Formula::words(format!("{from}:{to}"))]),
                _ => name.index([self.expr(from), self.expr(to)]),
            },
        };
        match &members.value {
            Some(value) if !self.is_member(members, value) => indexed.equals(self.expr(value)),
            Some(_) | None => indexed,
        }
    }

    /// Whether a value is a member under its own name: a draw of it, or a symbol.
    fn is_member(&self, members: &MemberQuery, value: &Expr) -> bool {
        let ExprKind::Local(local) = value.kind else { return false };
        let name = self.model.vars[members.var].name.as_str();
        let rest = self.model.locals[local].name.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['(', '[']))
    }

    pub fn draw(&mut self, draw: &Draw) -> Formula {
        Formula::drawn(self.place(draw.target), self.expr(&draw.dist))
    }

    fn bound(&self, name: &str, bound: &Bound) -> Formula {
        let (p, q) = (&self.model.densities[bound.p].name, &self.model.densities[bound.q].name);
        let name = match (name, bound.samples) {
            ("IWAE", Some(samples)) => Formula::name(name).index([samples]),
            _ => Formula::name(name),
        };
        Formula::apply(name, [p.as_str().into(), q.as_str().into()])
    }
}

impl Formula {
    /// A distribution of the library by the names of its parameters: standard deviations become variances, logits probabilities.
    pub fn family(family: &str, names: &[&str], mut params: Vec<Formula>) -> Formula {
        match (family, names) {
            ("Bernoulli" | "Binomial", _) => {
                if let Some(at) = names.iter().position(|name| *name == "logits") {
                    params[at] = Formula::apply("sigmoid", [params[at].clone()]);
                }
            }
            ("Categorical", ["logits"]) => params = vec![Formula::apply("softmax", params)],
            _ => {}
        }
        Formula::distribution(family, params)
    }
}

/// A, of its factor chol(A).
fn cholesky_of(factor: &Formula) -> Option<&Formula> {
    match factor {
        Formula::Apply(function, args) if **function == Formula::Name("chol".into()) => args.first(),
        _ => None,
    }
}

/// ‖x‖²; of L⁻¹ x, with L Lᵀ = A, it is xᵀ A⁻¹ x.
fn squared_norm(of: Formula) -> Formula {
    if let Formula::Mul(factors) = &of
        && let [Formula::Inverse(factor), rest @ ..] = &factors[..]
        && let Some(matrix) = cholesky_of(factor)
    {
        let x = Formula::product(rest.iter().cloned());
        return x.clone().transpose() * matrix.clone().inverse() * x;
    }
    of.norm().pow(2)
}

fn rank(ty: &Type) -> usize {
    match ty {
        Type::Array(array) => array.shape.len(),
        Type::Tuple(_) | Type::Distribution(_) | Type::Error => 0,
    }
}

fn unary_name(op: UnaryOp) -> String {
    match op {
        UnaryOp::ErfInv => "erf_inv".into(),
        UnaryOp::IsFinite => "is_finite".into(),
        op => format!("{op:?}").to_lowercase(),
    }
}

pub(super) fn comparison(op: CompareOp) -> Relation {
    match op {
        CompareOp::Eq => Relation::Equal,
        CompareOp::Ne => Relation::NotEqual,
        CompareOp::Lt => Relation::Less,
        CompareOp::Le => Relation::LessEqual,
        CompareOp::Gt => Relation::Greater,
        CompareOp::Ge => Relation::GreaterEqual,
    }
}

/// An index as the file has it, of a table whose first entry has that number.
fn as_written(index: &Expr, first: i64) -> &Expr {
    match &index.kind {
        ExprKind::Binary(BinaryOp::Sub, written, subtracted) if first != 0 && matches!(subtracted.kind, ExprKind::Int(n) if n == first) => {
            written
        }
        _ => index,
    }
}
