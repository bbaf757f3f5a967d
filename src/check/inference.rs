//! Quantities of inference: expectations, divergences, bounds on the evidence.

use super::call::unknown_argument;
use super::checker::{Callable, Checked, Checker, Fault};
use super::model::{Bound, DensityId, Estimator, Expr, ExprKind, Times};
use super::names::Named;
use super::types::{Support, Type};
use super::{coerce, expr, message};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

impl<'a> Checker<'a> {
    /// `E[z ~ q(z | x), samples: 8](e)`
    pub fn expectation(&mut self, brackets: &'a [ast::Arg], args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let [ast::Arg { kind: ArgKind::Positional(body), .. }] = args else {
            let problem = Diagnostic::new(Code::ArgumentCount, "an expectation is taken of one expression").at(span);
            return Err(problem.help("write `E[z ~ q(z | x)](…)`").into());
        };
        self.nested(|this| {
            let (mut draws, mut samples, mut chosen) = (vec![], None, Estimator::default());
            let mut failed = false;
            for arg in brackets {
                match &arg.kind {
                    ArgKind::Draw(target, dist) => {
                        let draw = this.draw(target, dist, arg.span);
                        match this.settle(draw) {
                            Some(draw) => draws.push(draw),
                            None => failed = true,
                        }
                    }
                    ArgKind::Named(name, value) => match name.name.as_str() {
                        "samples" => samples = Some(this.count(value)?),
                        "estimator" => chosen = this.estimator(value)?,
                        _ => return Err(unknown_argument(&name.name, "setting", ["samples", "estimator"].into_iter(), name.span).into()),
                    },
                    _ => return Err(Diagnostic::new(Code::WrongKind, "a draw `z ~ …` is needed here").at(arg.span).into()),
                }
            }
            let body = this.expr(body, None);
            if failed || body.is_error() {
                return Err(Fault::Reported);
            }
            let array = this.array(&body)?;
            this.not_boolean(&body)?;
            let support = expr::plain(&array.support);
            let support = if support.is_real() && support != Support::Bit { support } else { Support::Real };
            let kind = ExprKind::Expectation { draws, samples, estimator: chosen, body: Box::new(coerce::to_real(body)) };
            Ok(Expr::new(kind, Type::array(support, array.shape), span))
        })
    }

    /// `estimator: score_function`, `estimator: gumbel_softmax(0.5)`
    fn estimator(&mut self, e: &'a ast::Expr) -> Checked<Estimator> {
        let unknown = || {
            let help =
                "`pathwise`, `score_function`, or of bits the biased `gumbel_softmax(0.5)`, by its temperature, and `straight_through`";
            Diagnostic::new(Code::BadSetting, "this is not an estimator").at(e.span).help(help)
        };
        match &e.kind {
            ast::ExprKind::Name(name) => match name.name.as_str() {
                "pathwise" => Ok(Estimator::Pathwise),
                "score_function" => Ok(Estimator::ScoreFunction),
                "straight_through" => Ok(Estimator::StraightThrough),
                _ => Err(unknown().into()),
            },
            ast::ExprKind::Call { callee, args, given: None } => match (&callee.kind, &args[..]) {
                (ast::ExprKind::Name(name), [ast::Arg { kind: ArgKind::Positional(of), .. }]) if name.name == "gumbel_softmax" => {
                    let temperature = self.expr(of, None);
                    match self.constant_of(&temperature) {
                        Some(temperature) if temperature > 0.0 => Ok(Estimator::GumbelSoftmax(temperature)),
                        _ if temperature.is_error() => Err(Fault::Reported),
                        _ => {
                            let problem = Diagnostic::new(Code::BadSetting, "the temperature of a relaxation is a constant above 0");
                            Err(problem.at(of.span).into())
                        }
                    }
                }
                _ => Err(unknown().into()),
            },
            _ => Err(unknown().into()),
        }
    }

    /// A whole number above 0 that is known.
    pub fn count(&mut self, value: &'a ast::Expr) -> Checked<usize> {
        match self.number(value)? {
            Some(n) if n < 1 => {
                let problem = Diagnostic::new(Code::BadSetting, format!("{n} is not a whole number above 0"));
                Err(problem.at(value.span).into())
            }
            Some(n) => Ok(n as usize),
            None => Ok(1),
        }
    }

    /// `KL(a || b)`, `H(a)`
    pub fn divergence(&mut self, name: &str, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let arg = match args {
            [ast::Arg { kind: ArgKind::Positional(e), .. }] => e,
            _ => {
                return Err(Diagnostic::new(Code::ArgumentCount, format!("`{name}` takes one argument"))
                    .at(span)
                    .help("write `KL(a || b)`, `H(a)`")
                    .into());
            }
        };
        if name == "H" {
            let of = self.distribution(arg)?;
            return Ok(Expr::new(ExprKind::Entropy(Box::new(of)), Type::real([]), span));
        }
        let ast::ExprKind::Binary { op: ast::BinaryOp::Parallel, left, right } = &arg.kind else {
            return Err(Diagnostic::new(Code::ArgumentCount, "a divergence is between two distributions")
                .at(arg.span)
                .help("write `KL(a || b)`")
                .into());
        };
        let left = self.distribution(left)?;
        let want = left.ty.clone();
        let right = self.expr(right, Some(&want));
        let right = self.as_distribution(right)?;
        if let (Type::Distribution(a), Type::Distribution(b)) = (&left.ty, &right.ty)
            && !coerce::fits(a, b)
            && !coerce::fits(b, a)
        {
            return Err(message::mismatch(&self.model, &right, &left.ty, Some((left.span, format!("compared with {}", left.ty)))).into());
        }
        Ok(Expr::new(ExprKind::Kl(Box::new(left), Box::new(right)), Type::real([]), span))
    }

    fn distribution(&mut self, e: &'a ast::Expr) -> Checked<Expr> {
        let value = self.expr(e, None);
        self.as_distribution(value)
    }

    fn as_distribution(&self, value: Expr) -> Checked<Expr> {
        match &value.ty {
            Type::Distribution(_) => Ok(value),
            Type::Error => Err(Fault::Reported),
            ty => {
                let wanted = Type::Distribution(Box::new(ty.clone()));
                Err(message::mismatch(&self.model, &value, &wanted, None).into())
            }
        }
    }

    /// `ELBO(p, q)`, `IWAE(p, q, samples: n)`
    pub fn bound_on_evidence(&mut self, bound_name: &str, args: &'a [ast::Arg], span: Span) -> Checked<Expr> {
        let (mut densities, mut samples, mut chosen, mut times) = (vec![], None, Estimator::default(), None);
        for arg in args {
            match &arg.kind {
                ArgKind::Positional(e) => densities.push(self.density_arg(e)?),
                ArgKind::Named(name, value) => match name.name.as_str() {
                    "samples" => samples = Some(self.count(value)?),
                    "estimator" => chosen = self.estimator(value)?,
                    "t" if bound_name == "ELBO" => times = Some(value),
                    _ => return Err(unknown_argument(&name.name, "setting", ["samples", "estimator", "t"].into_iter(), name.span).into()),
                },
                _ => return Err(Diagnostic::new(Code::WrongKind, "the name of a density is needed here").at(arg.span).into()),
            }
        }
        let [p, q] = densities[..] else {
            let problem =
                Diagnostic::new(Code::ArgumentCount, format!("`{bound_name}` takes two densities, the model and its approximation"));
            return Err(problem.at(span).help(format!("write `{bound_name}(p, q)`")).into());
        };
        for id in [p, q] {
            if let Some(var) = self.heads[id.index()].process.or_else(|| self.family_of(id, span).ok()) {
                let ty = Type::Distribution(Box::new(self.model.vars[var].member_type()));
                self.gaussian_answers(&ty, span)?;
            }
        }
        let times = times.map_or(Ok(Times::All), |times| self.times_of_bound(q, times))?;
        let bound = Bound { p, q, samples, estimator: chosen, times };
        let kind = if bound_name == "ELBO" { ExprKind::Elbo(bound) } else { ExprKind::Iwae(bound) };
        Ok(Expr::new(kind, Type::real([]), span))
    }

    /// `t: sampled`, `t: importance(w)`
    fn times_of_bound(&mut self, q: DensityId, e: &'a ast::Expr) -> Checked<Times> {
        let steps = self.model.times(self.family_of(q, e.span)?).map_or(0.0, |(first, last)| last - first);
        match &e.kind {
            ast::ExprKind::Name(name) if name.name == "sampled" => Ok(Times::Uniform),
            ast::ExprKind::Call { callee, args, given: None } if is_name(callee, "importance") => {
                let [ast::Arg { kind: ArgKind::Positional(weights), .. }] = &args[..] else {
                    let problem = Diagnostic::new(Code::ArgumentCount, "`importance` takes a weight for each step").at(e.span);
                    return Err(problem.help("write `importance(w)` after `let w[t in 1..T] = …`").into());
                };
                let ty = Type::array(Support::Real, vec![Size::from(steps as usize)]);
                let why = Some((e.span, format!("there are {steps} steps")));
                Ok(Times::Importance(Box::new(self.expect(weights, &ty, why))))
            }
            ast::ExprKind::Name(name) if name.name == "importance" => {
                let problem = Diagnostic::unsupported("importance weights that are measured while training").at(e.span);
                Err(problem.help("give a weight for each step, `t: importance(w)`, or write `t: sampled`").into())
            }
            _ => {
                let problem = Diagnostic::new(Code::WrongKind, "this does not say how steps are drawn").at(e.span);
                Err(problem.help("write `t: sampled` or `t: importance(w)`").into())
            }
        }
    }

    fn density_arg(&mut self, e: &'a ast::Expr) -> Checked<DensityId> {
        let ast::ExprKind::Name(name) = &e.kind else {
            return Err(Diagnostic::new(Code::WrongKind, "the name of a density is needed here")
                .at(e.span)
                .help("write `p` for all its factors")
                .into());
        };
        match self.name(name)? {
            Named::Callable(Callable::Density(id)) => self.usable(id),
            _ => Err(message::wrong_kind(&name.name, "not a density", "a density", e.span).into()),
        }
    }
}

fn is_name(e: &ast::Expr, wanted: &str) -> bool {
    matches!(&e.kind, ast::ExprKind::Name(name) if name.name == wanted)
}
