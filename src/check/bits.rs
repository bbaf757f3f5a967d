//! `bits_per_dim(e)`: what a code by the probabilities of discrete data takes for each of its numbers.

use super::checker::{Checked, Checker, Fault};
use super::measure::{self, Measure};
use super::model::{Expr, ExprKind, VarId};
use super::types::{ArrayType, Support, Type};
use crate::base::op::{BinaryOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// -e / (D log 2), e the log-probability of discrete variables of D numbers together. Of a density it has no meaning: that depends
    /// on the unit of its variable.
    pub fn bits_per_dim(&mut self, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let Some(log) = self.positional("bits_per_dim", args, 1, span)?.pop() else { return Err(Fault::Reported) };
        if log.is_error() {
            return Err(Fault::Reported);
        }
        let log = self.scalar_real(log, "a log-probability")?;
        let terms = match measure::measure(&self.model, &log) {
            Measure::Of(terms) if !terms.is_empty() => terms,
            Measure::Of(_) | Measure::Density(_) | Measure::Free | Measure::Unknown | Measure::Parts(_) => {
                let problem = Diagnostic::new(Code::NoBits, "bits per dimension are those of a log-probability");
                let help = "write it inside the parentheses, or its name: `bits_per_dim(log p(x))`, `bits_per_dim(ELBO(p, q))`";
                return Err(problem.label(log.span, "no log-probability of data is seen here").help(help).into());
            }
        };
        if let Some((var, _)) = terms.iter().find(|(_, count)| **count != 1.0) {
            return Err(self.not_once(*var, terms[var], log.span).into());
        }
        let mut count = 0;
        for &var in terms.keys() {
            count += self.discrete_numbers(var, log.span)?;
        }
        let bits = Expr::new(ExprKind::Real(count as f64 * std::f64::consts::LN_2), Type::scalar(Support::Positive), span);
        let minus = Expr::new(ExprKind::Unary(UnaryOp::Neg, Box::new(log)), Type::real([]), span);
        Ok(Expr::new(ExprKind::Binary(BinaryOp::Div, Box::new(minus), Box::new(bits)), Type::real([]), span))
    }

    fn not_once(&self, var: VarId, count: f64, span: Span) -> Diagnostic {
        let name = &self.model.vars[var].name;
        let problem = Diagnostic::new(Code::NoBits, format!("this is not the log-probability of {name}"));
        match count < 0.0 {
            true => problem.label(span, format!("the log-probability of {name} is subtracted here")).help(
                "give the log-probability itself, not its negative; in a bound every latent variable has its prior and its posterior",
            ),
            false => problem.label(span, format!("it is counted {count} times")).help("give the log-probability itself"),
        }
    }

    /// How many numbers a discrete variable has.
    fn discrete_numbers(&self, var: VarId, span: Span) -> Checked<usize> {
        let var = &self.model.vars[var];
        match &var.ty {
            Type::Array(ArrayType { support, shape }) if support.is_discrete() => {
                let sizes: Option<Vec<usize>> = shape.iter().map(|size| size.known()).collect();
                sizes.map(|sizes| sizes.iter().product()).ok_or(Fault::Reported)
            }
            _ => {
                let (name, ty) = (&var.name, &var.ty);
                let y = if name == "y" { "u" } else { "y" };
                Err(Diagnostic::new(Code::NoBits, format!("{name} is {ty}: its density has no number of bits, it depends on the unit"))
                    .label(span, format!("a density of {name}"))
                    .label(var.span, format!("`{name}` is {ty}"))
                    .help(format!(
                        "declare the data as the whole numbers that they are, `{name} : Int[…] = ….images`, and dequantise: p({y} : …) = …, \
                         p({name} | {y}) = Floor({y}), q({y} | {name}) = dequantise({name}), `bits_per_dim(ELBO(p, q))`"
                    ))
                    .into())
            }
        }
    }
}
