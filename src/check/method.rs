//! How a `train` block finds what it looks for: `exactly`, `by em`, `by vbem`, `by gradient`; which settings go with which method.

use super::checker::{Checked, Checker};
use super::model::{Method, Settings, Train, TrainStmt};
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast::{self, ExprKind};

const METHODS: &[&str] = &["em", "vbem", "gradient"];
/// Named in the language, and not supported so far
const LATER: &[&str] = &["contrastive_divergence"];

impl<'a> Checker<'a> {
    pub fn method(&mut self, optimise: &'a ast::Optimise, span: Span) -> Checked<Method> {
        let optimiser = optimise.optimiser.as_ref();
        let by = match &optimise.method {
            ast::Method::Unstated => return Ok(Method::Gradient { optimiser: self.optimiser(optimiser, span)? }),
            ast::Method::Exactly => match optimiser {
                None => return Ok(Method::Exactly),
                Some(optimiser) => {
                    let problem = Diagnostic::new(Code::BadSetting, "an exact maximum needs no optimiser").at(optimiser.span);
                    return Err(problem.help("leave `with …` out, or leave `exactly` out").into());
                }
            },
            ast::Method::By(by) => by,
        };
        let name = match &by.kind {
            ExprKind::Name(name) => name.name.as_str(),
            ExprKind::Call { callee, .. } => match &callee.kind {
                ExprKind::Name(name) => name.name.as_str(),
                _ => "",
            },
            _ => "",
        };
        match (name, &by.kind) {
            ("em", ExprKind::Name(_)) => Ok(Method::Em { otherwise: self.optimiser(optimiser, span)? }),
            ("vbem", ExprKind::Name(_)) => match optimiser {
                None => Ok(Method::Vbem),
                Some(optimiser) => {
                    let problem = Diagnostic::new(Code::BadSetting, "`by vbem` needs no optimiser: every step is in closed form");
                    Err(problem.at(optimiser.span).help("leave `with …` out, or follow the gradient: leave `by vbem` out").into())
                }
            },
            ("gradient", ExprKind::Name(_)) => Ok(Method::Gradient { optimiser: self.optimiser(optimiser, span)? }),
            (name, _) if LATER.contains(&name) => Err(Diagnostic::unsupported(format!("`by {name}`")).at(by.span).into()),
            (name, _) => {
                let problem = Diagnostic::new(Code::UnknownName, "this is not a method of estimation").at(by.span);
                let near = nearest(name, METHODS.iter().copied()).unwrap_or("em");
                Err(problem.help(format!("did you mean `by {near}`? Known are `exactly`, `by em`, `by vbem` and `by gradient`")).into())
            }
        }
    }

    /// Settings that mean nothing for the method of a block; methods that do not go together.
    pub fn check_method(&mut self, block: &Train, written: &'a [ast::Setting]) {
        let mut methods = vec![];
        each_method(&block.body, &mut |method, span| methods.push((method.clone(), span)));
        let Some((method, span)) = methods.iter().find(|(method, _)| method.is_closed_form()).cloned() else {
            if let Some(setting) = written.iter().find(|setting| setting.name.name == "tolerance") {
                let problem = Diagnostic::new(Code::BadSetting, "a gradient does not tell how near the maximum is").at(setting.name.span);
                self.report(problem.help("`tolerance` goes with `by em` and `by vbem`; for gradients write `steps` or `epochs`"));
            }
            return;
        };
        if let Some((other, at)) = methods.iter().find(|(other, _)| other.name() != method.name()) {
            let problem = Diagnostic::new(Code::BadSetting, format!("`{}` beside `{}`", other.name(), method.name()));
            let problem = problem.label(*at, "another method than").label(span, "the one here");
            self.report(problem.help("give each its own `train` block: blocks run in order"));
        }
        let meaningless: &[&str] = match method {
            Method::Exactly => &["batch", "steps", "epochs", "ema", "clip", "tolerance"],
            Method::Em { .. } | Method::Vbem => &["batch", "epochs", "ema", "clip"],
            Method::Gradient { .. } => &[],
        };
        if let Some(setting) = written.iter().find(|setting| meaningless.contains(&setting.name.name.as_str())) {
            let name = &setting.name.name;
            let message = format!("`{name}` has no meaning beside `{}`, which looks at all rows at once", method.name());
            self.report(Diagnostic::new(Code::BadSetting, message).at(setting.name.span).help(match method {
                Method::Exactly => "leave it out: the maximum is found in one step",
                Method::Em { .. } | Method::Vbem | Method::Gradient { .. } => "leave it out; `steps` and `tolerance` say how long",
            }));
        }
    }
}

fn each_method(body: &[TrainStmt], f: &mut dyn FnMut(&Method, Span)) {
    for stmt in body {
        match stmt {
            TrainStmt::Optimise(optimise) => f(&optimise.method, optimise.span),
            TrainStmt::Repeat { body, .. } => each_method(body, f),
            TrainStmt::Plain(_) => {}
        }
    }
}

impl Method {
    /// As the file writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Gradient { .. } => "by gradient",
            Method::Exactly => "exactly",
            Method::Em { .. } => "by em",
            Method::Vbem => "by vbem",
        }
    }

    /// Whether the objective is maximised by rules rather than by following its gradient.
    pub fn is_closed_form(&self) -> bool {
        match self {
            Method::Exactly | Method::Em { .. } | Method::Vbem => true,
            Method::Gradient { .. } => false,
        }
    }
}

impl Train {
    /// The method of the block: all its statements have the same, where one is not by gradient.
    pub fn closed_form(&self) -> Option<Method> {
        let mut found = None;
        each_method(&self.body, &mut |method, _| found = found.take().or(method.is_closed_form().then(|| method.clone())));
        found
    }
}

impl Settings {
    /// The number of steps of a block by a method, where its settings or the method fix it.
    pub fn steps_by(&self, method: Option<&Method>) -> Option<u64> {
        match method {
            Some(Method::Exactly) => Some(1),
            Some(Method::Em { .. } | Method::Vbem) => Some(self.steps.unwrap_or(DEFAULT_ITERATIONS)),
            Some(Method::Gradient { .. }) | None => self.steps,
        }
    }
}

/// Iterations of a block that does not say `steps`
const DEFAULT_ITERATIONS: u64 = 100;
