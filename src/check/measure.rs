//! Over which variables an expression is a log-density. A density has a unit, one over that of its variable (its base measure:
//! Lebesgue for real values; probabilities of discrete values, over the counting measure, have none). So log-densities of different
//! variables may be added to that of all of them, but neither subtracted, nor compared, nor chosen between.

use super::coerce::constant_of;
use super::model::{
    Bound, DensityId, Expr, ExprKind, Fold, FunctionId, LocalId, Model, Pattern, Place, Query, Stmt, StmtKind, TrainStmt, VarId,
};
use super::types::Type;
use crate::base::op::{BinaryOp, ReduceOp, UnaryOp};
use crate::base::{Code, Diagnostic, Diagnostics, Span};
use std::collections::{BTreeMap, HashMap};

/// How often of each variable.
type Terms = BTreeMap<VarId, f64>;

/// What is known of the measure of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// No log-density: a number, which may be added to everything
    Free,
    /// A sum of log-densities
    Of(Terms),
    /// Its exponential, times numbers: a density
    Density(Terms),
    /// Made of log-densities in a way that is not followed, such as a change of variables: never judged
    Unknown,
    /// Of each element of a tuple, or of a list whose elements differ
    Parts(Vec<Measure>),
}

impl Measure {
    fn scaled(self, by: Option<f64>) -> Measure {
        match (self, by) {
            (Measure::Of(terms), Some(by)) => Measure::Of(terms.into_iter().map(|(var, count)| (var, count * by)).collect()),
            (Measure::Of(terms), None) if !terms.is_empty() => Measure::Unknown,
            (measure, _) => measure,
        }
    }

    fn plus(self, other: Measure) -> Measure {
        match (self, other) {
            (Measure::Of(mut terms), Measure::Of(more)) => {
                for (var, count) in more {
                    *terms.entry(var).or_insert(0.0) += count;
                }
                terms.retain(|_, count| count.abs() > 1e-9);
                Measure::Of(terms)
            }
            (Measure::Free, other) | (other, Measure::Free) => other,
            _ => Measure::Unknown,
        }
    }

    fn exponential(self) -> Measure {
        match self {
            Measure::Of(terms) => Measure::Density(terms),
            measure => measure.lost(),
        }
    }

    /// Of a function of the value that is not followed.
    fn lost(self) -> Measure {
        if self == Measure::Free { Measure::Free } else { Measure::Unknown }
    }
}

/// Judges every quantity, objective and sample of a program, and the expression to be evaluated.
pub fn judge(model: &Model, expression: Option<&Expr>, problems: &mut Diagnostics) {
    let mut judge = Judge::new(model);
    let quantities = model.quantities.values().map(|quantity| &quantity.value);
    for value in quantities.chain(model.samples.iter().map(|sample| &sample.value)).chain(expression) {
        judge.whole(value);
    }
    model.trains.iter().for_each(|train| judge.train(&train.body));
    judge.problems.dedup_by(|a, b| a.span() == b.span());
    problems.0.append(&mut judge.problems);
}

/// The measure of one expression, whose locals carry no log-density.
pub fn measure(model: &Model, expression: &Expr) -> Measure {
    Judge::new(model).of(expression)
}

struct Judge<'m> {
    model: &'m Model,
    locals: HashMap<LocalId, Measure>,
    /// Functions whose bodies make log-densities
    dense: HashMap<FunctionId, bool>,
    /// Variables that stand for each other in `log p(x = y)`: points of one space
    same: Vec<(VarId, VarId)>,
    problems: Vec<Diagnostic>,
}

impl<'m> Judge<'m> {
    fn new(model: &'m Model) -> Judge<'m> {
        Judge { model, locals: HashMap::new(), dense: HashMap::new(), same: vec![], problems: vec![] }
    }

    fn train(&mut self, body: &'m [TrainStmt]) {
        for stmt in body {
            match stmt {
                TrainStmt::Plain(stmt) => self.statement(stmt),
                TrainStmt::Optimise(optimise) => self.whole(&optimise.value),
                TrainStmt::Repeat { body, .. } => self.train(body),
            }
        }
    }

    /// An expression that is not a part of a larger sum: no log-density of one variable may be left subtracted from that of another.
    fn whole(&mut self, e: &'m Expr) {
        let measure = self.of(e);
        self.not_mixed(&measure, e.span);
    }

    fn of(&mut self, e: &'m Expr) -> Measure {
        match &e.kind {
            ExprKind::Real(_) | ExprKind::Int(_) | ExprKind::Bool(_) | ExprKind::Const(_) | ExprKind::Noise(_) => Measure::Free,
            ExprKind::ProcessMember { .. } => {
                self.parts_of(e);
                Measure::Free
            }
            ExprKind::Var(_) | ExprKind::Param(_) => Measure::Free,
            ExprKind::Local(id) => self.locals.get(id).cloned().unwrap_or(Measure::Free),
            ExprKind::Quantity(id) => self.of(&self.model.quantities[*id].value),
            ExprKind::Unary(op, x) => self.unary(*op, x),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e.span),
            ExprKind::Compare(_, a, b) => {
                self.agreed(a, b, "compares", e.span);
                Measure::Free
            }
            ExprKind::If(condition, a, b) => {
                self.of(condition);
                self.agreed(a, b, "chooses between", e.span)
            }
            ExprKind::ToReal(x) | ExprKind::ToInt(x) | ExprKind::Transpose(x) | ExprKind::Reshape(x) => self.of(x),
            ExprKind::Stop(x) | ExprKind::Total(x) => self.of(x),
            ExprKind::Array { body, .. } | ExprKind::Expectation { body, .. } => {
                self.parts_of(e);
                self.of(body)
            }
            ExprKind::Subscript(base, _) => {
                self.parts_of(e);
                match self.of(base) {
                    Measure::Parts(_) => Measure::Unknown,
                    measure => measure,
                }
            }
            ExprKind::Stack(parts) => {
                let measures: Vec<Measure> = parts.iter().map(|part| self.of(part)).collect();
                match measures.first() {
                    Some(first) if measures.iter().all(|measure| measure == first) => first.clone(),
                    _ => Measure::Parts(measures),
                }
            }
            ExprKind::Tuple(parts) => Measure::Parts(parts.iter().map(|part| self.of(part)).collect()),
            ExprKind::Project(tuple, index) => match self.of(tuple) {
                Measure::Parts(parts) => parts.get(*index).cloned().unwrap_or(Measure::Unknown),
                measure => measure,
            },
            ExprKind::Fold { fold, indices, condition, body } => {
                condition.iter().for_each(|condition| drop(self.of(condition)));
                let count = indices.iter().map(|index| index.count as f64).product();
                self.fold(*fold, body, condition.is_none().then_some(count), e.span)
            }
            ExprKind::FoldAll(fold, x) => {
                let count = match &x.ty {
                    Type::Array(array) => array.shape.iter().map(|size| size.known().map(|size| size as f64)).product(),
                    _ => None,
                };
                self.fold(*fold, x, count, e.span)
            }
            ExprKind::MatMul(..) | ExprKind::Join(..) | ExprKind::Primitive(..) | ExprKind::Apply(..) => self.parts_of(e).lost(),
            // Only in the members of a pushforward's distribution
            ExprKind::DrawPushforward(_) => Measure::Free,
            ExprKind::LogPushforward(_, x) => {
                self.of(x);
                Measure::Unknown
            }
            ExprKind::Block(stmts, result) => {
                stmts.iter().for_each(|stmt| self.statement(stmt));
                self.of(result)
            }
            ExprKind::Call(function, args) => self.call(*function, args),
            ExprKind::Dist(..) | ExprKind::Conditional(_) | ExprKind::DistMember(..) | ExprKind::Kl(..) | ExprKind::Entropy(_) => {
                self.parts_of(e);
                Measure::Free
            }
            ExprKind::Grad { body, .. }
            | ExprKind::Jacobian { body, .. }
            | ExprKind::Divergence { body, .. }
            | ExprKind::Hessian { body, .. } => {
                self.of(body);
                Measure::Free
            }
            ExprKind::LogDensity(query) => {
                self.parts_of(e);
                self.queried(query)
            }
            ExprKind::LogProb(dist, _) => {
                self.parts_of(e);
                match &dist.kind {
                    ExprKind::Conditional(query) if matches!(query.targets[..], [(var, _)] if is_discrete(self.model, var)) => {
                        self.queried(query)
                    }
                    _ => Measure::Unknown,
                }
            }
            ExprKind::Elbo(bound) | ExprKind::Iwae(bound) => self.bound(bound),
        }
    }

    /// Visits all parts; free if all of them are.
    fn parts_of(&mut self, e: &'m Expr) -> Measure {
        let mut parts = vec![];
        e.each_part(&mut |part| parts.push(part));
        let carrying = parts.into_iter().map(|part| self.of(part)).filter(|measure| *measure != Measure::Free).count();
        if carrying == 0 { Measure::Free } else { Measure::Unknown }
    }

    fn unary(&mut self, op: UnaryOp, x: &'m Expr) -> Measure {
        let measure = self.of(x);
        match op {
            UnaryOp::Neg => measure.scaled(Some(-1.0)),
            // A density again, which another factor may complete.
            UnaryOp::Exp => measure.exponential(),
            UnaryOp::Log => {
                self.not_mixed(&measure, x.span);
                match measure {
                    Measure::Density(terms) => Measure::Of(terms),
                    measure => measure.lost(),
                }
            }
            _ => {
                self.not_mixed(&measure, x.span);
                measure.lost()
            }
        }
    }

    fn binary(&mut self, op: BinaryOp, a: &'m Expr, b: &'m Expr, span: Span) -> Measure {
        match op {
            BinaryOp::Add => match (self.of(a), self.of(b)) {
                (left @ Measure::Density(_), right @ Measure::Density(_)) => self.alike((left, a.span), (right, b.span), "adds", span),
                (left, right) => left.plus(right),
            },
            BinaryOp::Sub => self.of(a).plus(self.of(b).scaled(Some(-1.0))),
            BinaryOp::Max => self.agreed(a, b, "takes the larger of", span),
            BinaryOp::Min => self.agreed(a, b, "takes the smaller of", span),
            BinaryOp::Mul | BinaryOp::Div => match (self.of(a), self.of(b)) {
                (left, Measure::Free) => {
                    let by = constant_of(self.model, b);
                    left.scaled(if op == BinaryOp::Div { by.map(|by| 1.0 / by) } else { by })
                }
                (Measure::Free, right) if op == BinaryOp::Mul => right.scaled(constant_of(self.model, a)),
                (Measure::Density(left), Measure::Density(right)) => {
                    let sign = if op == BinaryOp::Mul { 1.0 } else { -1.0 };
                    Measure::Of(left).plus(Measure::Of(right).scaled(Some(sign))).exponential()
                }
                _ => Measure::Unknown,
            },
            BinaryOp::Pow | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::And | BinaryOp::Or => {
                let (a, b) = (self.of(a), self.of(b));
                a.plus(b).lost()
            }
        }
    }

    /// Both sides must be densities over the same variables.
    fn agreed(&mut self, a: &'m Expr, b: &'m Expr, verb: &str, span: Span) -> Measure {
        let (left, right) = (self.of(a), self.of(b));
        self.alike((left, a.span), (right, b.span), verb, span)
    }

    fn alike(&mut self, (left, a): (Measure, Span), (right, b): (Measure, Span), verb: &str, span: Span) -> Measure {
        match (left, right) {
            (Measure::Free, other) | (other, Measure::Free) => other,
            (Measure::Of(left), Measure::Of(right)) => {
                self.over_the_same((&left, a), (&right, b), (verb, "log-densities"), span);
                Measure::Of(left)
            }
            (Measure::Density(left), Measure::Density(right)) => {
                self.over_the_same((&left, a), (&right, b), (verb, "densities"), span);
                Measure::Density(left)
            }
            (Measure::Parts(left), Measure::Parts(right)) if left == right => Measure::Parts(left),
            _ => Measure::Unknown,
        }
    }

    fn over_the_same(&mut self, (left, a): (&Terms, Span), (right, b): (&Terms, Span), (verb, what): (&str, &str), span: Span) {
        let rest = self.united(&Measure::Of(left.clone()).plus(Measure::Of(right.clone()).scaled(Some(-1.0))));
        if rest.keys().all(|var| is_discrete(self.model, *var)) {
            return;
        }
        let mut problem = Diagnostic::new(Code::MeasureMismatch, format!("this {verb} {what} over different measures"))
            .label(span, format!("{verb} them here"));
        // The elements of a list that was made elsewhere have no place of their own.
        if a != b {
            problem = problem.label(a, self.over(left)).label(b, self.over(right));
        }
        self.problems.push(problem.help(
            "a density has a unit, one over that of its variables: the result depends on it; take both of the same variables, or of \
             discrete ones",
        ));
    }

    /// A reduction over a list whose elements have measures of their own.
    fn reduced(&mut self, fold: Fold, parts: Vec<Measure>, span: Span) -> Measure {
        let verb = match fold {
            Fold::LogSumExp => "adds up the exponentials of",
            Fold::Reduce(ReduceOp::Max) => "takes the largest of",
            Fold::Reduce(ReduceOp::Min) => "takes the smallest of",
            Fold::Reduce(ReduceOp::Sum) if parts.iter().any(|part| matches!(part, Measure::Density(_))) => "adds",
            Fold::Reduce(ReduceOp::Sum) => return parts.into_iter().fold(Measure::Free, Measure::plus),
            Fold::Mean | Fold::Reduce(ReduceOp::Prod | ReduceOp::And | ReduceOp::Or) => return Measure::Unknown,
        };
        parts.into_iter().fold(Measure::Free, |left, right| self.alike((left, span), (right, span), verb, span))
    }

    /// Whole multiples of log-densities with both signs, some of them continuous.
    fn not_mixed(&mut self, measure: &Measure, span: Span) {
        let terms = self.united(measure);
        let whole = terms.values().all(|count| (count - count.round()).abs() < 1e-9);
        let (plus, minus): (Terms, Terms) = terms.into_iter().partition(|(_, count)| *count > 0.0);
        let continuous = plus.keys().chain(minus.keys()).any(|var| !is_discrete(self.model, *var));
        if !whole || !continuous || plus.is_empty() || minus.is_empty() {
            return;
        }
        let message = format!("this subtracts {} from {}", self.over(&minus), self.over(&plus));
        self.problems.push(Diagnostic::new(Code::MeasureMismatch, message).label(span, "log-densities over different measures").help(
            "a density has a unit, one over that of its variables, so this difference depends on it; subtract log-densities of the same \
             variables, or add the term that is missing: in log p(x | z) - log q(z | x) it is log p(z)",
        ));
    }

    fn over(&self, terms: &Terms) -> String {
        let names: Vec<String> = terms.keys().map(|var| &self.model.vars[*var]).map(|var| format!("{} ({})", var.name, var.ty)).collect();
        if names.is_empty() { "the log of a ratio".into() } else { format!("a log-density of {}", names.join(" and ")) }
    }

    /// The counts, of variables of one space together.
    fn united(&self, measure: &Measure) -> Terms {
        let Measure::Of(terms) = measure else { return BTreeMap::new() };
        let mut united = BTreeMap::new();
        for (var, count) in terms {
            *united.entry(self.representative(*var)).or_insert(0.0) += count;
        }
        united.retain(|_, count| f64::abs(*count) > 1e-9);
        united
    }

    fn representative(&self, var: VarId) -> VarId {
        let mut class = vec![var];
        while let Some((a, b)) = self.same.iter().find(|(a, b)| class.contains(a) != class.contains(b)) {
            class.push(if class.contains(a) { *b } else { *a });
        }
        class.into_iter().min().unwrap_or(var)
    }

    fn fold(&mut self, fold: Fold, body: &'m Expr, count: Option<f64>, span: Span) -> Measure {
        match (self.of(body), fold) {
            (Measure::Parts(parts), _) => self.reduced(fold, parts, span),
            (measure, Fold::Reduce(ReduceOp::Sum)) => measure.scaled(count),
            (measure, Fold::Mean | Fold::LogSumExp | Fold::Reduce(ReduceOp::Max | ReduceOp::Min)) => measure,
            (measure, Fold::Reduce(ReduceOp::Prod | ReduceOp::And | ReduceOp::Or)) => measure.lost(),
        }
    }

    /// Once for each target. At a computed value of a continuous variable, a Jacobian may stand elsewhere.
    fn queried(&mut self, query: &'m Query) -> Measure {
        if !query.member_targets.is_empty() {
            return Measure::Unknown;
        }
        let mut terms = BTreeMap::new();
        for (var, value) in &query.targets {
            match value.as_ref().map(|value| &value.kind) {
                None => {}
                Some(ExprKind::Var(other)) => self.same.push((*var, *other)),
                Some(_) if is_discrete(self.model, *var) => {}
                Some(_) if value.as_ref().is_some_and(|value| constant_of(self.model, value).is_some()) => {}
                Some(_) => return Measure::Unknown,
            }
            terms.insert(*var, 1.0);
        }
        Measure::Of(terms)
    }

    /// A bound on the log-density of what p has and q does not.
    fn bound(&self, bound: &Bound) -> Measure {
        let process = self.model.densities[bound.p].process.as_ref();
        if let Some((data, _)) = process.and_then(|process| self.model.data_member(process.var)) {
            return Measure::Of(BTreeMap::from([(data, 1.0)]));
        }
        let targets = |id: DensityId| self.model.densities[id].factors.iter().flat_map(|factor| factor.targets.iter().copied());
        let latent: Vec<VarId> = targets(bound.q).collect();
        Measure::Of(targets(bound.p).filter(|var| !latent.contains(var)).map(|var| (var, 1.0)).collect())
    }

    fn call(&mut self, function: FunctionId, args: &'m [Expr]) -> Measure {
        let measures: Vec<Measure> = args.iter().map(|arg| self.of(arg)).collect();
        if measures.iter().all(|measure| *measure == Measure::Free) && !self.is_dense(function) {
            return Measure::Free;
        }
        let function = &self.model.functions[function];
        self.locals.extend(function.params.iter().copied().zip(measures));
        self.of(&function.body)
    }

    fn is_dense(&mut self, function: FunctionId) -> bool {
        if let Some(dense) = self.dense.get(&function) {
            return *dense;
        }
        let (mut open, mut dense) = (vec![&self.model.functions[function].body], false);
        while let (Some(e), false) = (open.pop(), dense) {
            dense = match &e.kind {
                ExprKind::LogDensity(_) | ExprKind::LogProb(..) | ExprKind::Elbo(_) | ExprKind::Iwae(_) | ExprKind::Quantity(_) => true,
                ExprKind::Call(inner, _) => self.is_dense(*inner),
                _ => false,
            };
            e.each_part(&mut |part| open.push(part));
        }
        self.dense.insert(function, dense);
        dense
    }

    fn statement(&mut self, stmt: &'m Stmt) {
        match &stmt.kind {
            StmtKind::Let(pattern, value) => {
                let measure = self.of(value);
                self.bind(pattern, measure);
            }
            StmtKind::Draw(draw) => drop(self.of(&draw.dist)),
            StmtKind::Assign(place, value) => {
                let measure = self.of(value);
                if let Place::Local(local) = place {
                    self.locals.insert(*local, measure);
                }
            }
            StmtKind::For { body, carried, .. } | StmtKind::While { body, carried, .. } => {
                let locals = carried.iter().filter_map(|place| match place {
                    Place::Local(local) => Some(*local),
                    Place::Var(_) | Place::Param(_) => None,
                });
                self.locals.extend(locals.clone().map(|local| (local, Measure::Unknown)));
                body.iter().for_each(|stmt| self.statement(stmt));
                self.locals.extend(locals.map(|local| (local, Measure::Unknown)));
            }
            StmtKind::Require(require) => [&require.condition].into_iter().chain(&require.values).for_each(|value| drop(self.of(value))),
        }
    }

    fn bind(&mut self, pattern: &Pattern, measure: Measure) {
        match (pattern, measure) {
            (Pattern::Local(local), measure) => drop(self.locals.insert(*local, measure)),
            (Pattern::Tuple(patterns), Measure::Parts(parts)) => {
                patterns.iter().zip(parts).for_each(|(pattern, part)| self.bind(pattern, part))
            }
            (Pattern::Tuple(patterns), measure) => patterns.iter().for_each(|pattern| self.bind(pattern, measure.clone().lost())),
        }
    }
}

/// A variable with the counting measure.
fn is_discrete(model: &Model, var: VarId) -> bool {
    matches!(&model.vars[var].ty, Type::Array(array) if array.support.is_discrete())
}
