//! Comprehensions and reductions: `[e for i in D]`, `sum(e for i in D if c)`, `sum(x)`.

use super::checker::{Checked, Checker};
use super::coerce::to_real;
use super::model::{Expr, ExprKind, Fold, Index, Subscript};
use super::support::Facts;
use super::types::{Support, Type};
use super::{expr, message};
use crate::base::op::{BinaryOp, ReduceOp};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast;

/// The reductions by name.
pub const FOLDS: &[(&str, Fold)] = &[
    ("sum", Fold::Reduce(ReduceOp::Sum)),
    ("prod", Fold::Reduce(ReduceOp::Prod)),
    ("max", Fold::Reduce(ReduceOp::Max)),
    ("min", Fold::Reduce(ReduceOp::Min)),
    ("all", Fold::Reduce(ReduceOp::And)),
    ("any", Fold::Reduce(ReduceOp::Or)),
    ("mean", Fold::Mean),
    ("logsumexp", Fold::LogSumExp),
];

impl<'a> Checker<'a> {
    /// Binds the indices; returns them with the sizes of their ranges.
    pub fn clauses(&mut self, clauses: &'a [ast::Clause]) -> Checked<(Vec<Index>, Vec<Size>)> {
        let (mut indices, mut sizes) = (vec![], vec![]);
        for clause in clauses {
            let (first, size) = self.range(&clause.over)?;
            let local = self.bind(&clause.index.name, Type::scalar(Support::Int), clause.index.span);
            let count = size.known().unwrap_or(1);
            self.extents.insert(local, (first, first + count as i64 - 1));
            indices.push(Index { local, first, count });
            sizes.push(size);
        }
        Ok((indices, sizes))
    }

    /// The first index and how many: a size counts from 0, `a..b` includes both ends.
    fn range(&mut self, over: &'a ast::Expr) -> Checked<(i64, Size)> {
        let (first, size) = match &over.kind {
            ast::ExprKind::Range { from, to } => {
                let (from, to) = (self.size(from)?, self.size(to)?);
                let first = from.constant().unwrap_or(0);
                (first, to - from + Size::from(1usize))
            }
            _ => (0, self.size(over)?),
        };
        match size.constant() {
            Some(n) if n < 0 => {
                let problem = Diagnostic::new(Code::OutOfRange, "this range runs downward").at(over.span);
                Err(problem.help("write the smaller end first").into())
            }
            _ => Ok((first, size)),
        }
    }

    /// `[e for i in D, j in K]`
    pub fn array_of(&mut self, body: &'a ast::Expr, clauses: &'a [ast::Clause], span: Span) -> Checked<Expr> {
        self.nested(|this| {
            let (indices, sizes) = this.clauses(clauses)?;
            let body = this.expr(body, None);
            let array = this.array(&body)?;
            let ty = Type::array(array.support, [sizes, array.shape].concat());
            Ok(Expr::new(ExprKind::Array { indices, body: Box::new(body) }, ty, span))
        })
    }

    /// `sum(e for i in D if c)`
    pub fn fold_over(
        &mut self,
        fold: Fold,
        body: &'a ast::Expr,
        clauses: &'a [ast::Clause],
        condition: Option<&'a ast::Expr>,
        span: Span,
    ) -> Checked<Expr> {
        self.nested(|this| {
            let (indices, mut conditions) = this.bounded_clauses(clauses)?;
            if let Some(condition) = condition {
                let condition = this.expr(condition, None);
                conditions.push(this.boolean(condition)?);
            }
            let condition = this.conjunction(conditions);
            let body = this.expr(body, None);
            let (body, mut support) = this.folded(fold, body)?;
            // Of nothing, a sum is 0, a mean is undefined, an extreme is infinite.
            if condition.is_some() && support.is_real() && !matches!(fold, Fold::Reduce(ReduceOp::Prod)) {
                support = Support::Real;
            }
            let ty = Type::array(support, this.array(&body)?.shape);
            Ok(Expr::new(ExprKind::Fold { fold, indices, condition, body: Box::new(body) }, ty, span))
        })
    }

    /// `sum(x)`: over all axes
    pub fn fold_all(&mut self, fold: Fold, of: Expr, span: Span) -> Checked<Expr> {
        let (of, support) = self.folded(fold, of)?;
        Ok(Expr::new(ExprKind::FoldAll(fold, Box::new(of)), Type::scalar(support), span))
    }

    /// What is reduced, as reals where the reduction needs them, and the support of the result.
    fn folded(&mut self, fold: Fold, of: Expr) -> Checked<(Expr, Support)> {
        if matches!(fold, Fold::Reduce(ReduceOp::And | ReduceOp::Or)) {
            return Ok((self.boolean(of)?, Support::Bool));
        }
        self.not_boolean(&of)?;
        let whole = !self.array(&of)?.support.is_real();
        // Products of whole numbers, such as factorials, soon exceed what an index may hold.
        let real_only = matches!(fold, Fold::Mean | Fold::LogSumExp | Fold::Reduce(ReduceOp::Prod));
        if whole && !real_only {
            return Ok((of, Support::Int));
        }
        let of = to_real(of);
        let facts = self.facts(&of);
        let kept = match fold {
            Fold::Mean | Fold::Reduce(ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod) => Facts { bit: false, ..facts },
            Fold::Reduce(ReduceOp::Sum) => Facts { positive: facts.positive, ..Facts::default() },
            Fold::LogSumExp | Fold::Reduce(ReduceOp::And | ReduceOp::Or) => Facts::default(),
        };
        Ok((of, kept.support()))
    }

    /// `x[i, a..b]`
    pub fn subscript(&mut self, base: Expr, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let array = self.array(&base)?;
        if args.len() > array.shape.len() {
            let message = format!("{} has {} axes, this names {}", base.ty, array.shape.len(), args.len());
            return Err(Diagnostic::new(Code::ShapeMismatch, message).at(span).into());
        }
        let firsts = self.first_indices(&base);
        let (mut subscripts, mut kept) = (vec![], vec![]);
        for (axis, arg) in args.iter().enumerate() {
            let ast::ArgKind::Positional(e) = &arg.kind else {
                return Err(Diagnostic::new(Code::WrongKind, "an index is needed here").at(arg.span).into());
            };
            let (first, size) = (firsts.get(axis).copied().unwrap_or(0), &array.shape[axis]);
            if let ast::ExprKind::Range { from, to } = &e.kind {
                let (from, to) = (self.size(from)? - Size::from(first), self.size(to)? - Size::from(first));
                self.in_range(&from, size, first, e.span)?;
                self.in_range(&to, size, first, e.span)?;
                let count = to - from.clone() + Size::from(1usize);
                subscripts.push(Subscript::Range { from: from.known().unwrap_or(0), count: count.known().unwrap_or(1) });
                kept.push(count);
            } else {
                subscripts.push(Subscript::At(self.index(e, size, first)?));
            }
        }
        let rank_left = array.shape.len() - args.len();
        let whole_events = rank_left >= array.support.event_rank();
        let support = if whole_events { array.support } else { expr::plain(&array.support) };
        kept.extend_from_slice(&array.shape[args.len()..]);
        Ok(Expr::new(ExprKind::Subscript(Box::new(base), subscripts), Type::array(support, kept), span))
    }

    /// One index, counted from 0.
    fn index(&mut self, e: &'a ast::Expr, size: &Size, first: i64) -> Checked<Expr> {
        let index = self.expr(e, None);
        let array = self.array(&index)?;
        if array.support.is_real() || array.support == Support::Bool {
            return Err(message::mismatch(&self.model, &index, &Type::scalar(Support::Int), None)
                .help("an index is a whole number")
                .into());
        }
        if !array.shape.is_empty() {
            return Err(Diagnostic::unsupported("an array of indices").at(e.span).help("write `[x[i[j]] for j in n]`").into());
        }
        if let Some(value) = self.constant_of(&index) {
            self.in_range(&Size::from(value as i64 - first), size, first, e.span)?;
        }
        if first == 0 {
            return Ok(index);
        }
        let offset = Expr::new(ExprKind::Int(first), Type::scalar(Support::Int), e.span);
        self.arithmetic(BinaryOp::Sub, "-", index, offset, e.span)
    }

    /// Tables count from the first value of their index.
    fn first_indices(&self, base: &Expr) -> Vec<i64> {
        match &base.kind {
            ExprKind::Const(id) => self.model.consts[*id].indices.iter().map(|index| index.first).collect(),
            ExprKind::Var(id) => self.model.vars[*id].members().map(|(from, _)| from).into_iter().collect(),
            _ => vec![],
        }
    }

    fn in_range(&self, index: &Size, size: &Size, first: i64, span: Span) -> Checked<()> {
        let (Some(index), Some(size)) = (index.constant(), size.constant()) else { return Ok(()) };
        if (0..size).contains(&index) {
            return Ok(());
        }
        let message = format!("index {} is out of range: this axis runs from {first} to {}", index + first, size - 1 + first);
        Err(Diagnostic::new(Code::OutOfRange, message).at(span).help("indices count from 0; the last is one less than the size").into())
    }
}
