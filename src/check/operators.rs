//! Operators on values: `+ - * / ^ @ ++ '`, comparison, `and or not`, `if`.

use super::checker::{Checked, Checker};
use super::coerce::to_real;
use super::model::{Expr, ExprKind};
use super::types::{ArrayType, Support, Type};
use super::{message, shape, support};
use crate::base::op::{BinaryOp, CompareOp, UnaryOp};
use crate::base::size::Size;
use crate::base::{Diagnostic, Span};
use crate::syntax::ast;

/// The meaning of a binary operator between values, and its spelling.
enum Meaning {
    Arithmetic(BinaryOp),
    Compare(CompareOp),
    Logic(BinaryOp),
    MatMul,
    Join,
    Parallel,
}

fn meaning(op: ast::BinaryOp) -> (Meaning, &'static str) {
    use Meaning::*;
    match op {
        ast::BinaryOp::Add => (Arithmetic(BinaryOp::Add), "+"),
        ast::BinaryOp::Sub => (Arithmetic(BinaryOp::Sub), "-"),
        ast::BinaryOp::Mul => (Arithmetic(BinaryOp::Mul), "*"),
        ast::BinaryOp::Div => (Arithmetic(BinaryOp::Div), "/"),
        ast::BinaryOp::Pow => (Arithmetic(BinaryOp::Pow), "^"),
        ast::BinaryOp::MatMul => (MatMul, "@"),
        ast::BinaryOp::Join => (Join, "++"),
        ast::BinaryOp::Eq => (Compare(CompareOp::Eq), "=="),
        ast::BinaryOp::Ne => (Compare(CompareOp::Ne), "!="),
        ast::BinaryOp::Lt => (Compare(CompareOp::Lt), "<"),
        ast::BinaryOp::Le => (Compare(CompareOp::Le), "<="),
        ast::BinaryOp::Gt => (Compare(CompareOp::Gt), ">"),
        ast::BinaryOp::Ge => (Compare(CompareOp::Ge), ">="),
        ast::BinaryOp::And => (Logic(BinaryOp::And), "and"),
        ast::BinaryOp::Or => (Logic(BinaryOp::Or), "or"),
        ast::BinaryOp::Parallel => (Parallel, "||"),
    }
}

impl<'a> Checker<'a> {
    pub fn operator(
        &mut self,
        op: ast::BinaryOp,
        left: &'a ast::Expr,
        right: &'a ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        let (meaning, spelling) = meaning(op);
        let (left, right) = match meaning {
            Meaning::Arithmetic(_) | Meaning::Compare(_) => self.operands(left, right, want),
            Meaning::Logic(_) | Meaning::MatMul | Meaning::Join | Meaning::Parallel => (self.expr(left, None), self.expr(right, None)),
        };
        match meaning {
            Meaning::Arithmetic(op) => self.arithmetic(op, spelling, left, right, span),
            Meaning::Compare(op) => self.compare(op, spelling, left, right, span),
            Meaning::Logic(op) => {
                let (left, right) = (self.boolean(left)?, self.boolean(right)?);
                let shape = self.elementwise(spelling, &left, &right)?;
                Ok(Expr::new(ExprKind::Binary(op, Box::new(left), Box::new(right)), Type::array(Support::Bool, shape), span))
            }
            Meaning::MatMul => self.matmul(left, right, span),
            Meaning::Join => {
                let (left, right) = self.alike(left, right)?;
                let (l, r) = (self.array(&left)?, self.array(&right)?);
                let shape = shape::join(&l.shape, &r.shape).map_err(|d| message::operands(d, &self.model, spelling, &left, &right))?;
                // Two simplexes end to end are none.
                let support = super::expr::plain(&support::either(&l.support, &r.support).unwrap_or(Support::Real));
                Ok(Expr::new(ExprKind::Join(Box::new(left), Box::new(right)), Type::array(support, shape), span))
            }
            Meaning::Parallel => Err(message::wrong_kind("||", "the bar of a divergence", "an operator", span)
                .help("write `KL(a || b)`, or `or` between conditions")
                .into()),
        }
    }

    /// Both operands of an elementwise operation. One whose shape is open, such as `noise()`, takes that of the other.
    fn operands(&mut self, left: &'a ast::Expr, right: &'a ast::Expr, want: Option<&Type>) -> (Expr, Expr) {
        let hint = |other: &Expr| match &other.ty {
            Type::Array(array) if !array.shape.is_empty() => Some(Type::real(array.shape.clone())),
            _ => want.cloned(),
        };
        if is_flexible(left) && !is_flexible(right) {
            let right = self.expr(right, want);
            let left = self.expr(left, hint(&right).as_ref());
            (left, right)
        } else {
            let left = self.expr(left, want);
            let right = self.expr(right, hint(&left).as_ref());
            (left, right)
        }
    }

    pub fn elementwise(&self, spelling: &str, left: &Expr, right: &Expr) -> Checked<Vec<Size>> {
        let (l, r) = (self.array(left)?, self.array(right)?);
        Ok(shape::elementwise(&l.shape, &r.shape).map_err(|d| message::operands(d, &self.model, spelling, left, right))?)
    }

    pub fn arithmetic(&mut self, op: BinaryOp, spelling: &str, left: Expr, right: Expr, span: Span) -> Checked<Expr> {
        for side in [&left, &right] {
            self.not_boolean(side)?;
        }
        let shape = self.elementwise(spelling, &left, &right)?;
        let whole = !self.array(&left)?.support.is_real() && !self.array(&right)?.support.is_real();
        if whole && !matches!(op, BinaryOp::Div | BinaryOp::Pow) {
            let ty = Type::array(Support::Int, shape);
            return Ok(Expr::new(ExprKind::Binary(op, Box::new(left), Box::new(right)), ty, span));
        }
        let (left, right) = (to_real(left), to_real(right));
        let one = self.constant_of(&left) == Some(1.0);
        let even = self.constant_of(&right).is_some_and(|exponent| exponent % 2.0 == 0.0);
        let support = support::binary(op, self.facts(&left), self.facts(&right), one, even).support();
        let made = Expr::new(ExprKind::Binary(op, Box::new(left), Box::new(right)), Type::array(support, shape.clone()), span);
        Ok(if self.is_covariance(&made) { Expr { ty: Type::array(Support::Cov, shape), ..made } } else { made })
    }

    pub fn compare(&mut self, op: CompareOp, spelling: &str, left: Expr, right: Expr, span: Span) -> Checked<Expr> {
        let shape = self.elementwise(spelling, &left, &right)?;
        let (l, r) = (self.array(&left)?, self.array(&right)?);
        let booleans = l.support == Support::Bool && r.support == Support::Bool;
        let (left, right) = match op {
            CompareOp::Eq | CompareOp::Ne if booleans => (left, right),
            _ => {
                self.not_boolean(&left)?;
                self.not_boolean(&right)?;
                self.alike(left, right)?
            }
        };
        Ok(Expr::new(ExprKind::Compare(op, Box::new(left), Box::new(right)), Type::array(Support::Bool, shape), span))
    }

    fn matmul(&mut self, left: Expr, right: Expr, span: Span) -> Checked<Expr> {
        for side in [&left, &right] {
            self.not_boolean(side)?;
        }
        let (l, r) = (self.array(&left)?, self.array(&right)?);
        let shape = shape::matmul(&l.shape, &r.shape).map_err(|d| message::operands(d, &self.model, "@", &left, &right))?;
        Ok(Expr::new(ExprKind::MatMul(Box::new(to_real(left)), Box::new(to_real(right))), Type::real(shape), span))
    }

    pub fn unary(&mut self, op: UnaryOp, operand: Expr, span: Span) -> Checked<Expr> {
        self.not_boolean(&operand)?;
        let array = self.array(&operand)?;
        let whole = matches!(op, UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign) && !array.support.is_real();
        if whole {
            // A negated literal is a literal.
            let kind = match (op, &operand.kind) {
                (UnaryOp::Neg, ExprKind::Int(value)) => ExprKind::Int(-value),
                _ => ExprKind::Unary(op, Box::new(operand)),
            };
            return Ok(Expr::new(kind, Type::array(Support::Int, array.shape), span));
        }
        let operand = to_real(operand);
        let support = match op {
            UnaryOp::IsFinite => Support::Bool,
            _ => support::unary(op, self.facts(&operand)).support(),
        };
        Ok(Expr::new(ExprKind::Unary(op, Box::new(operand)), Type::array(support, array.shape), span))
    }

    pub fn not(&mut self, operand: Expr, span: Span) -> Checked<Expr> {
        let operand = self.boolean(operand)?;
        let ty = operand.ty.clone();
        Ok(Expr::new(ExprKind::Unary(UnaryOp::Not, Box::new(operand)), ty, span))
    }

    /// `if c then a else b`: elementwise where the condition is an array.
    pub fn choose(&mut self, condition: Expr, then: Expr, otherwise: Expr, span: Span) -> Checked<Expr> {
        let condition = self.boolean(condition)?;
        if then.is_error() || otherwise.is_error() {
            return Ok(Expr::error(span));
        }
        let (Type::Array(_), Type::Array(_)) = (&then.ty, &otherwise.ty) else {
            let ty = then.ty.clone();
            let otherwise = self.coerce(otherwise, &ty, Some((then.span, format!("the other branch is {ty}"))))?;
            return Ok(Expr::new(ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise)), ty, span));
        };
        let (then, otherwise) = self.alike(then, otherwise)?;
        let shape = self.elementwise("if", &then, &otherwise)?;
        let (a, b) = (self.array(&then)?, self.array(&otherwise)?);
        let c = self.array(&condition)?;
        let support = if a.support.is_real() {
            match support::either(&a.support, &b.support) {
                Some(structured) if structured.event_rank() > 0 && c.shape.is_empty() => structured,
                // Entries of two vectors, mixed
                Some(structured) if structured.event_rank() > 0 => super::expr::plain(&structured),
                _ => self.facts(&then).and(self.facts(&otherwise)).support(),
            }
        } else {
            support::either(&a.support, &b.support).unwrap_or(Support::Bool)
        };
        let shape = shape::elementwise(&c.shape, &shape).map_err(|d| message::operands(d, &self.model, "if", &condition, &then))?;
        let ty = Type::Array(ArrayType { support, shape });
        Ok(Expr::new(ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise)), ty, span))
    }

    /// Two numbers of one kind: both whole, or both real.
    pub fn alike(&mut self, left: Expr, right: Expr) -> Checked<(Expr, Expr)> {
        let (l, r) = (self.array(&left)?, self.array(&right)?);
        match (&l.support, &r.support) {
            (Support::Bool, Support::Bool) => Ok((left, right)),
            (Support::Bool, _) => {
                Err(message::mismatch(&self.model, &left, &Type::real(l.shape), Some((right.span, format!("as this is {}", right.ty))))
                    .into())
            }
            (_, Support::Bool) => {
                Err(message::mismatch(&self.model, &right, &Type::real(r.shape), Some((left.span, format!("as this is {}", left.ty))))
                    .into())
            }
            (a, b) if a.is_real() == b.is_real() => Ok((left, right)),
            _ => Ok((to_real(left), to_real(right))),
        }
    }

    pub fn boolean(&mut self, e: Expr) -> Checked<Expr> {
        let array = self.array(&e)?;
        if array.support == Support::Bool {
            return Ok(e);
        }
        let wanted = Type::array(Support::Bool, array.shape);
        Err(message::mismatch(&self.model, &e, &wanted, None).help("compare it: `… > 0`, `… == 1`").into())
    }

    pub fn not_boolean(&self, e: &Expr) -> Checked<()> {
        let array = self.array(e)?;
        if array.support == Support::Bool {
            let wanted = Type::real(array.shape);
            let problem: Diagnostic = message::mismatch(&self.model, e, &wanted, None);
            return Err(problem.into());
        }
        Ok(())
    }
}

/// Takes its shape from what stands beside it.
fn is_flexible(e: &ast::Expr) -> bool {
    match &e.kind {
        ast::ExprKind::Name(name) => name.name == "identity",
        ast::ExprKind::Call { callee, args, .. } => {
            let named = |names: &[&str]| matches!(&callee.kind, ast::ExprKind::Name(name) if names.contains(&name.name.as_str()));
            named(&["noise", "uniform"]) && args.is_empty()
        }
        ast::ExprKind::Unary { operand, .. } => is_flexible(operand),
        ast::ExprKind::Binary { left, right, .. } => is_flexible(left) || is_flexible(right),
        _ => false,
    }
}
