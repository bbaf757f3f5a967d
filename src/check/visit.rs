//! Walking expressions of the checked program.

use super::model::{
    Bound, Expr, ExprKind, Factor, Guidance, Init, MemberQuery, Model, Place, Process, ProcessKind, Stmt, StmtKind, Subscript, Times,
    TrainStmt, Variance, Which,
};

impl Expr {
    /// Calls `f` with each part of this expression, not with the parts of parts.
    pub fn each_part<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Real(_)
            | ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Local(_)
            | ExprKind::Const(_)
            | ExprKind::Var(_)
            | ExprKind::Param(_)
            | ExprKind::Quantity(_)
            | ExprKind::DrawPushforward(_)
            | ExprKind::Noise(_) => {}
            ExprKind::Elbo(Bound { times, .. }) | ExprKind::Iwae(Bound { times, .. }) => match times {
                Times::Importance(weights) => f(weights),
                Times::All | Times::Uniform => {}
            },
            ExprKind::Unary(_, x)
            | ExprKind::ToReal(x)
            | ExprKind::ToInt(x)
            | ExprKind::Transpose(x)
            | ExprKind::Reshape(x)
            | ExprKind::Project(x, _)
            | ExprKind::FoldAll(_, x)
            | ExprKind::Total(x)
            | ExprKind::DistMember(x, _)
            | ExprKind::Entropy(x)
            | ExprKind::Stop(x)
            | ExprKind::LogPushforward(_, x)
            | ExprKind::Array { body: x, .. }
            | ExprKind::Grad { body: x, .. }
            | ExprKind::Jacobian { body: x, .. }
            | ExprKind::Divergence { body: x, .. }
            | ExprKind::Hessian { body: x, .. } => f(x),
            ExprKind::Binary(_, a, b)
            | ExprKind::Compare(_, a, b)
            | ExprKind::MatMul(a, b)
            | ExprKind::Join(a, b)
            | ExprKind::LogProb(a, b)
            | ExprKind::Kl(a, b) => [a, b].into_iter().for_each(|x| f(x)),
            ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|x| f(x)),
            ExprKind::Stack(parts) | ExprKind::Tuple(parts) => parts.iter().for_each(f),
            ExprKind::Primitive(_, args) | ExprKind::Call(_, args) | ExprKind::Apply(_, args) | ExprKind::Dist(_, args) => {
                args.iter().for_each(f)
            }
            ExprKind::ProcessMember { args, .. } => args.iter().for_each(f),
            ExprKind::Fold { condition, body, .. } => condition.iter().chain([body]).for_each(|x| f(x)),
            ExprKind::Subscript(base, subscripts) => {
                f(base);
                subscripts.iter().for_each(|subscript| match subscript {
                    Subscript::At(index) => f(index),
                    Subscript::Range { .. } => {}
                });
            }
            ExprKind::Block(stmts, result) => {
                stmts.iter().for_each(|stmt| stmt.each_expr(f));
                f(result);
            }
            ExprKind::Conditional(query) | ExprKind::LogDensity(query) => {
                query.targets.iter().chain(&query.given).filter_map(|(_, value)| value.as_ref()).for_each(&mut *f);
                query.member_targets.iter().chain(&query.member_given).for_each(|member| member.each_part(f));
            }
            ExprKind::Expectation { draws, body, .. } => {
                draws.iter().for_each(|draw| f(&draw.dist));
                f(body);
            }
        }
    }

    /// The name with respect to which this expression differentiates.
    pub fn differentiated_place(&self) -> Option<Place> {
        match self.kind {
            ExprKind::Grad { wrt, .. }
            | ExprKind::Jacobian { wrt, .. }
            | ExprKind::Divergence { wrt, .. }
            | ExprKind::Hessian { wrt, .. } => Some(wrt),
            _ => None,
        }
    }
}

impl MemberQuery {
    fn each_part<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match &self.which {
            Which::One(at) => f(at),
            Which::Range(from, to) => [from, to].into_iter().for_each(&mut *f),
        }
        self.value.iter().for_each(f);
    }
}

impl Stmt {
    /// Calls `f` with each expression of this statement and of the statements inside it.
    pub fn each_expr<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            StmtKind::Let(_, value) | StmtKind::Assign(_, value) => f(value),
            StmtKind::Draw(draw) => f(&draw.dist),
            StmtKind::For { body, .. } => body.iter().for_each(|stmt| stmt.each_expr(f)),
            StmtKind::While { condition, body, .. } => {
                f(condition);
                body.iter().for_each(|stmt| stmt.each_expr(f));
            }
            StmtKind::Require(require) => {
                f(&require.condition);
                require.values.iter().for_each(f);
            }
        }
    }
}

impl Model {
    /// Calls `f` with every expression of the program, outermost first; `extra` counts as one.
    pub fn each_expr<'a>(&'a self, extra: Option<&'a Expr>, f: &mut dyn FnMut(&'a Expr)) {
        let mut open: Vec<&Expr> = extra.into_iter().collect();
        open.extend(self.consts.values().map(|definition| &definition.value));
        open.extend(self.functions.values().map(|function| &function.body));
        open.extend(self.conjugates.iter().map(|rule| &rule.result));
        open.extend(self.marginals.iter().map(|rule| &rule.result));
        open.extend(self.densities.values().flat_map(|density| &density.factors).map(|factor: &Factor| &factor.dist));
        open.extend(self.densities.values().filter_map(|density| density.process.as_ref()).flat_map(Process::exprs));
        open.extend(self.densities.values().flat_map(|density| &density.states).map(|factor| &factor.dist));
        open.extend(self.densities.values().filter_map(|density| density.initial.as_ref()).map(|initial| &initial.dist));
        open.extend(self.pushforwards.values().flat_map(|pushed| [&pushed.base, &pushed.image]));
        open.extend(self.densities.values().flat_map(|density| &density.chain).map(|factor| &factor.dist));
        open.extend(self.quantities.values().map(|quantity| &quantity.value));
        open.extend(self.samples.iter().map(|sample| &sample.value));
        open.extend(self.params.values().filter_map(|param| match &param.init {
            Init::Value(value) | Init::Draw(value) => Some(value),
            Init::Rows(_) => None,
        }));
        self.trains.iter().for_each(|train| train.body.iter().for_each(|stmt| stmt.each_expr(&mut |expr| open.push(expr))));
        while let Some(expr) = open.pop() {
            f(expr);
            expr.each_part(&mut |part| open.push(part));
        }
    }
}

impl TrainStmt {
    fn each_expr<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match self {
            TrainStmt::Plain(stmt) => stmt.each_expr(f),
            TrainStmt::Optimise(optimise) => f(&optimise.value),
            TrainStmt::Repeat { body, .. } => body.iter().for_each(|stmt| stmt.each_expr(f)),
        }
    }
}

impl Process {
    fn exprs(&self) -> Vec<&Expr> {
        match &self.kind {
            ProcessKind::Chain | ProcessKind::Flow { .. } => vec![],
            ProcessKind::Ito { drift, diffusion, .. } => vec![drift, diffusion],
            ProcessKind::Interpolant { value, .. } => vec![value],
            ProcessKind::Reverse(reverse) => match &reverse.variance {
                Variance::Learned { part } => vec![&reverse.network, part],
                Variance::Posterior | Variance::Forward => vec![&reverse.network],
            },
            ProcessKind::Guided(guided) => {
                let (Guidance::ClassifierFree(strength) | Guidance::Classifier(strength) | Guidance::Drop(strength)) = &guided.guidance;
                guided.value.iter().chain([strength]).collect()
            }
        }
    }
}
