//! The functions that every expression knows, as flat tables.

use super::checker::{Checked, Checker};
use super::coerce::to_real;
use super::comprehension::FOLDS;
use super::model::{Expr, ExprKind, Index, Noise, Primitive};
use super::support::Facts;
use super::types::{Support, Type};
use super::{message, shape};
use crate::base::op::{BinaryOp, UnaryOp};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

const UNARY: &[(&str, UnaryOp)] = &[
    ("exp", UnaryOp::Exp),
    ("log", UnaryOp::Log),
    ("sqrt", UnaryOp::Sqrt),
    ("abs", UnaryOp::Abs),
    ("sign", UnaryOp::Sign),
    ("sin", UnaryOp::Sin),
    ("cos", UnaryOp::Cos),
    ("tanh", UnaryOp::Tanh),
    ("sigmoid", UnaryOp::Sigmoid),
    ("softplus", UnaryOp::Softplus),
    ("erf", UnaryOp::Erf),
    ("erf_inv", UnaryOp::ErfInv),
    ("log_gamma", UnaryOp::LogGamma),
    ("digamma", UnaryOp::Digamma),
    ("log1p", UnaryOp::Log1p),
    ("expm1", UnaryOp::Expm1),
    ("floor", UnaryOp::Floor),
    ("ceil", UnaryOp::Ceil),
    ("round", UnaryOp::Round),
    ("is_finite", UnaryOp::IsFinite),
];

const BINARY: &[(&str, BinaryOp)] = &[("max", BinaryOp::Max), ("min", BinaryOp::Min), ("rem", BinaryOp::Rem)];

const PRIMITIVES: &[(&str, Primitive)] = &[
    ("cumsum", Primitive::CumSum),
    ("sort", Primitive::Sort),
    ("argmax", Primitive::ArgMax),
    ("cholesky", Primitive::Cholesky),
    ("solve_lower", Primitive::SolveLower),
    ("solve_upper", Primitive::SolveUpper),
    ("diagonal", Primitive::Diagonal),
];

const NOISE: &[(&str, Noise)] = &[("noise", Noise::Normal), ("uniform", Noise::Uniform)];

const FORMS: &[&str] = &[
    "stop",
    "require",
    "int",
    "total",
    "identity",
    "zeros",
    "ones",
    "grad",
    "jac",
    "div",
    "hess",
    "E",
    "pushforward",
    "KL",
    "H",
    "ELBO",
    "IWAE",
    "bits_per_dim",
];

/// Named in the language, and not supported so far.
pub const UNSUPPORTED: &[&str] = &["Autoregressive", "log_likelihood", "gibbs", "contrastive_divergence", "gpt"];

pub fn names() -> impl Iterator<Item = &'static str> {
    let folds = FOLDS.iter().map(|(name, _)| *name);
    let tables = UNARY.iter().map(|(name, _)| *name).chain(BINARY.iter().map(|(name, _)| *name)).chain(folds);
    tables.chain(PRIMITIVES.iter().map(|(name, _)| *name)).chain(NOISE.iter().map(|(name, _)| *name)).chain(FORMS.iter().copied())
}

pub fn is_builtin(name: &str) -> bool {
    names().any(|known| known == name) || UNSUPPORTED.contains(&name)
}

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// `identity` where a matrix is wanted.
pub fn identity(want: Option<&Type>, span: Span) -> Checked<Expr> {
    match want {
        Some(Type::Array(array))
            if array.shape.len() >= 2 && shape::may_equal(&array.shape[array.shape.len() - 1], &array.shape[array.shape.len() - 2]) =>
        {
            let ty = Type::array(Support::Cov, array.shape.clone());
            Ok(Expr::new(ExprKind::Primitive(Primitive::Identity, vec![]), ty, span))
        }
        _ => Err(Diagnostic::new(Code::SizeNotKnown, "the size of this identity matrix is not known")
            .at(span)
            .help("write `identity[n]`")
            .into()),
    }
}

impl<'a> Checker<'a> {
    /// `name[brackets](args)`; the brackets may be absent.
    pub fn builtin(
        &mut self,
        name: &str,
        brackets: &'a [ast::Arg],
        args: &'a [ast::Arg],
        want: Option<&Type>,
        span: Span,
    ) -> Checked<Expr> {
        if UNSUPPORTED.contains(&name) {
            return Err(Diagnostic::unsupported(format!("`{name}`")).at(span).into());
        }
        if let (Some(fold), [arg]) = (find(FOLDS, name), args) {
            return match &arg.kind {
                ArgKind::Comprehension { body, clauses, condition } => self.fold_over(fold, body, clauses, condition.as_ref(), span),
                _ => {
                    let of = self.positional(name, args, 1, span)?;
                    self.fold_all(fold, of.into_iter().next().unwrap_or(Expr::error(span)), span)
                }
            };
        }
        match name {
            "E" => return self.expectation(brackets, args, span),
            "pushforward" => return self.pushforward(args, want, span),
            "KL" | "H" => return self.divergence(name, args, span),
            "bits_per_dim" => return self.bits_per_dim(args, span),
            "ELBO" | "IWAE" => return self.bound_on_evidence(name, args, span),
            "grad" | "jac" | "div" | "hess" => return self.derivative(name, brackets, args, span),
            "zeros" | "ones" => return self.filled(if name == "ones" { 1.0 } else { 0.0 }, brackets, want, span),
            "identity" => return self.identity_of(brackets, want, span),
            "total" => return self.total(args, span),
            "require" => {
                return Err(Diagnostic::new(Code::WrongKind, "`require` is a statement")
                    .at(span)
                    .help("write it on a line of a block")
                    .into());
            }
            "log"
                if args.len() == 1
                    && let ArgKind::Positional(e) = &args[0].kind =>
            {
                return self.log(e, span);
            }
            _ => {}
        }
        if let Some(noise) = find(NOISE, name) {
            let shape = match want {
                _ if !brackets.is_empty() => self.bracket_sizes(brackets)?,
                Some(Type::Array(array)) => array.shape.clone(),
                _ => vec![],
            };
            let support = if noise == Noise::Uniform { Support::Unit } else { Support::Real };
            return Ok(Expr::new(ExprKind::Noise(noise), Type::array(support, shape), span));
        }
        let arity = match name {
            _ if find(BINARY, name).is_some() => 2,
            "solve_lower" | "solve_upper" => 2,
            _ => 1,
        };
        let values = self.positional(name, args, arity, span)?;
        self.apply_builtin(name, values, span)
    }

    /// `total(e)`: the sum over all observations of a rule.
    fn total(&mut self, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        if !self.scope.observing {
            let problem = Diagnostic::new(Code::WrongKind, "`total` sums over the observations of a rule, and here are none").at(span);
            return Err(problem.help("for the elements of an array write `sum(…)`").into());
        }
        let of = self.positional("total", args, 1, span)?.into_iter().next().map(to_real).unwrap_or(Expr::error(span));
        self.not_boolean(&of)?;
        let array = self.array(&of)?;
        let support = if self.facts(&of).positive { Support::Positive } else { Support::Real };
        Ok(Expr::new(ExprKind::Total(Box::new(of)), Type::array(support, array.shape), span))
    }

    /// A function of values only, also where it was given as an argument.
    pub fn apply_builtin(&mut self, name: &str, values: Vec<Expr>, span: Span) -> Checked<Expr> {
        if let Some(primitive) = find(PRIMITIVES, name) {
            return self.primitive(primitive, name, values, span);
        }
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(x), None) => {
                if let Some(op) = find(UNARY, name) {
                    self.unary(op, x, span)
                } else if let Some(fold) = find(FOLDS, name) {
                    self.fold_all(fold, x, span)
                } else if name == "int" {
                    let array = self.array(&x)?;
                    Ok(Expr::new(ExprKind::ToInt(Box::new(x)), Type::array(Support::Int, array.shape), span))
                } else if name == "stop" {
                    let ty = x.ty.clone();
                    Ok(Expr::new(ExprKind::Stop(Box::new(x)), ty, span))
                } else {
                    Err(message::wrong_kind(name, "a form of its own", "a function", span).into())
                }
            }
            (Some(x), Some(y)) if find(BINARY, name).is_some() => {
                let op = find(BINARY, name).unwrap_or(BinaryOp::Max);
                self.arithmetic(op, name, x, y, span)
            }
            _ => Err(Diagnostic::new(Code::ArgumentCount, format!("`{name}` takes another number of arguments")).at(span).into()),
        }
    }

    fn primitive(&mut self, primitive: Primitive, name: &str, values: Vec<Expr>, span: Span) -> Checked<Expr> {
        let values: Vec<Expr> = values.into_iter().map(to_real).collect();
        let mut arrays = vec![];
        for value in &values {
            self.not_boolean(value)?;
            arrays.push(self.array(value)?);
        }
        let Some(first) = arrays.first() else {
            return Err(Diagnostic::new(Code::ArgumentCount, format!("`{name}` needs an argument")).at(span).into());
        };
        let rank = |rank: usize, what: &str| -> Checked<()> {
            if first.shape.len() == rank {
                return Ok(());
            }
            let message = format!("`{name}` takes {what}, this is {}", values[0].ty);
            Err(Diagnostic::new(Code::ShapeMismatch, message).at(values[0].span).into())
        };
        let ty = match primitive {
            Primitive::CumSum => match first.shape.is_empty() {
                true => return rank(1, "an array").map(|()| Expr::error(span)),
                false => Type::real(first.shape.clone()),
            },
            Primitive::Sort => rank(1, "a vector").map(|()| Type::real(first.shape.clone()))?,
            Primitive::ArgMax => rank(1, "a vector").map(|()| Type::scalar(Support::Cat(first.shape[0].clone())))?,
            Primitive::Cholesky => rank(2, "a matrix").map(|()| Type::real(first.shape.clone()))?,
            Primitive::Diagonal => {
                rank(2, "a matrix")?;
                let support = if first.support == Support::Cov { Support::Positive } else { Support::Real };
                Type::array(support, [first.shape[0].clone()])
            }
            Primitive::SolveLower | Primitive::SolveUpper => {
                rank(2, "a triangular matrix")?;
                let right = &arrays[arrays.len() - 1].shape;
                if right.is_empty() || !shape::may_equal(&first.shape[1], &right[0]) {
                    let problem = Diagnostic::new(
                        Code::ShapeMismatch,
                        format!("`{name}` cannot solve {} for {}", values[0].ty, values[values.len() - 1].ty),
                    );
                    return Err(message::operands(problem, &self.model, name, &values[0], &values[values.len() - 1]).into());
                }
                Type::real(right.clone())
            }
            Primitive::Identity => return identity(None, span),
        };
        Ok(Expr::new(ExprKind::Primitive(primitive, values), ty, span))
    }

    pub fn positional(&mut self, name: &str, args: &'a [ast::Arg], count: usize, span: Span) -> Checked<Vec<Expr>> {
        if args.len() != count {
            let message = format!("`{name}` takes {count} argument{}, here are {}", if count == 1 { "" } else { "s" }, args.len());
            return Err(Diagnostic::new(Code::ArgumentCount, message).at(span).into());
        }
        let mut values = vec![];
        for arg in args {
            match &arg.kind {
                ArgKind::Positional(e) => values.push(self.expr(e, None)),
                _ => {
                    return Err(Diagnostic::new(Code::UnknownArgument, format!("`{name}` takes its arguments by position"))
                        .at(arg.span)
                        .into());
                }
            }
        }
        Ok(values)
    }

    fn bracket_sizes(&mut self, brackets: &'a [ast::Arg]) -> Checked<Vec<Size>> {
        let mut sizes = vec![];
        for arg in brackets {
            match &arg.kind {
                ArgKind::Positional(e) => sizes.push(self.size(e)?),
                _ => return Err(message::not_a_size(arg.span).into()),
            }
        }
        Ok(sizes)
    }

    /// `zeros[n]`, or of the wanted shape
    fn filled(&mut self, value: f64, brackets: &'a [ast::Arg], want: Option<&Type>, span: Span) -> Checked<Expr> {
        let sizes = match want {
            _ if !brackets.is_empty() => self.bracket_sizes(brackets)?,
            Some(Type::Array(array)) => array.shape.clone(),
            _ => return Err(message::size_not_known(span).into()),
        };
        let support = Facts::of_number(value).support();
        let body = Box::new(Expr::new(ExprKind::Real(value), Type::scalar(support.clone()), span));
        let indices = sizes.iter().map(|size| {
            let local = self.local("_", Type::scalar(Support::Int), span);
            Index { local, first: 0, count: size.known().unwrap_or(1) }
        });
        let indices = indices.collect();
        Ok(Expr::new(ExprKind::Array { indices, body }, Type::array(support, sizes), span))
    }

    fn identity_of(&mut self, brackets: &'a [ast::Arg], want: Option<&Type>, span: Span) -> Checked<Expr> {
        match self.bracket_sizes(brackets)?.as_slice() {
            [n] => identity(Some(&Type::real([n.clone(), n.clone()])), span),
            _ => identity(want, span),
        }
    }
}
