//! `train` blocks and their settings; `sample` blocks and their pictures.

use super::call::unknown_argument;
use super::checker::{Checked, Checker, Fault};
use super::declarations::{DefinitionKind, Global};
use super::message;
use super::model::{Expr, Optimise, ParamId, Picture, Sample, Settings, Stmt, Train, TrainStmt};
use super::types::Type;
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, ArgKind};

const SETTINGS: &[&str] = &["batch", "steps", "epochs", "ema", "clip", "tolerance", "seed"];
const PICTURES: &[&str] = &["image", "scatter", "histogram", "path", "text"];

impl<'a> Checker<'a> {
    pub fn train(&mut self, name: Option<&ast::Ident>, body: &'a [ast::Stmt], written: &'a [ast::Setting], span: Span) {
        let settings = self.settings(written);
        let body = self.top_level(|this| this.train_statements(body));
        let train = Train { name: name.map(|name| name.name.clone()), body, settings, span };
        self.check_method(&train, written);
        self.model.trains.push(train);
    }

    fn train_statements(&mut self, stmts: &'a [ast::Stmt]) -> Vec<TrainStmt> {
        let mut lowered = vec![];
        for stmt in stmts {
            let made = self.train_statement(stmt, &mut lowered);
            self.settle(made);
        }
        lowered
    }

    fn train_statement(&mut self, stmt: &'a ast::Stmt, into: &mut Vec<TrainStmt>) -> Checked<()> {
        match &stmt.kind {
            ast::StmtKind::Optimise(optimise) => into.push(TrainStmt::Optimise(self.optimise(optimise, stmt.span)?)),
            ast::StmtKind::Repeat { index: None, times, body } => {
                let times = self.count(times)?;
                let body = self.nested(|this| this.train_statements(body));
                into.push(TrainStmt::Repeat { times, body });
            }
            ast::StmtKind::Repeat { index: Some(index), .. } => {
                return Err(Diagnostic::unsupported("an index of `repeat` in a train block").at(index.span).into());
            }
            ast::StmtKind::Update { .. } => return Err(Diagnostic::unsupported("`update`").at(stmt.span).into()),
            _ => {
                let mut plain: Vec<Stmt> = vec![];
                self.statement(stmt, &mut plain);
                into.extend(plain.into_iter().map(TrainStmt::Plain));
            }
        }
        Ok(())
    }

    fn optimise(&mut self, optimise: &'a ast::Optimise, span: Span) -> Checked<Optimise> {
        let value = self.expr(&optimise.value, None);
        let value = self.scalar_real(value, "an objective");
        let method = self.method(optimise, span);
        let over = if optimise.over.is_empty() { Ok(None) } else { self.over(&optimise.over).map(Some) };
        let (value, method, over) = (self.settle(value), self.settle(method), self.settle(over));
        let (Some(value), Some(method), Some(over)) = (value, method, over) else { return Err(Fault::Reported) };
        if value.is_error() {
            return Err(Fault::Reported);
        }
        Ok(Optimise { maximize: optimise.maximize, value, over, method, span })
    }

    /// The parameters made in nets, and those named.
    fn over(&mut self, names: &'a [ast::Ident]) -> Checked<Vec<ParamId>> {
        let mut over = vec![];
        for name in names {
            match self.declarations.get(&name.name, false) {
                Some(&Global::Definition(id)) if self.declarations.definitions[id].get()?.kind == DefinitionKind::Net => {
                    if self.declarations.definitions[id].get()?.is_lone_net() {
                        self.net(id, vec![], name.span)?;
                    }
                    let inside = self.model.params.iter().filter(|(_, param)| param.net.as_deref() == Some(&name.name));
                    over.extend(inside.map(|(id, _)| id));
                }
                Some(&Global::Param(id)) => over.push(self.global_param(id, name.span)?),
                Some(Global::Density) => {
                    return Err(Diagnostic::unsupported("`over` a density").at(name.span).help("name its nets and parameters").into());
                }
                Some(Global::Unsupported) => return Err(Fault::Reported),
                Some(_) => {
                    return Err(message::wrong_kind(&name.name, "not a net or a parameter", "something to optimise over", name.span).into());
                }
                None => return Err(self.unknown_name(name).into()),
            }
        }
        Ok(over)
    }

    fn settings(&mut self, written: &'a [ast::Setting]) -> Settings {
        let mut settings = Settings::default();
        for setting in written {
            let made = self.setting(setting, &mut settings);
            self.settle(made);
        }
        settings
    }

    fn setting(&mut self, setting: &'a ast::Setting, settings: &mut Settings) -> Checked<()> {
        let name = setting.name.name.as_str();
        if !SETTINGS.contains(&name) {
            return Err(unknown_argument(name, "setting", SETTINGS.iter().copied(), setting.name.span).into());
        }
        let value = self.setting_number(&setting.value)?;
        let bad = |expected: &str| {
            let problem = Diagnostic::new(Code::BadSetting, format!("`{name}` is {value}")).label(setting.value.span, "given here");
            Err(problem.help(format!("`{name}` is {expected}")).into())
        };
        let whole = value.fract() == 0.0 && (0.0..9e15).contains(&value);
        match name {
            "batch" if whole && value >= 1.0 => settings.batch = Some(value as usize),
            "steps" if whole && value >= 1.0 => settings.steps = Some(value as u64),
            "epochs" if whole && value >= 1.0 => settings.epochs = Some(value as u64),
            "seed" if whole => settings.seed = Some(value as u64),
            "ema" if value > 0.0 && value < 1.0 => settings.ema = Some(value),
            "clip" if value > 0.0 => settings.clip = Some(value),
            "tolerance" if value > 0.0 => settings.tolerance = Some(value),
            "ema" => return bad("between 0 and 1"),
            "clip" | "tolerance" => return bad("above 0"),
            "seed" => return bad("a whole number"),
            _ => return bad("a whole number above 0"),
        }
        Ok(())
    }

    pub fn sample(&mut self, name: &ast::Ident, value: &'a ast::Expr, picture: Option<&'a ast::Expr>, span: Span) {
        let value = self.top_level(|this| this.expr(value, None));
        if value.is_error() {
            return;
        }
        if let Type::Distribution(_) = value.ty {
            return self.report(message::not_an_array(&value));
        }
        let picture = picture.map(|picture| self.picture(picture, &value)).transpose();
        if let Some(picture) = self.settle(picture) {
            self.model.samples.push(Sample { name: name.name.clone(), value, picture, span });
        }
    }

    fn picture(&mut self, e: &'a ast::Expr, value: &Expr) -> Checked<Picture> {
        let (name, args) = match &e.kind {
            ast::ExprKind::Name(name) => (name, &[][..]),
            ast::ExprKind::Call { callee, args, given: None } if matches!(callee.kind, ast::ExprKind::Name(_)) => match &callee.kind {
                ast::ExprKind::Name(name) => (name, &args[..]),
                _ => return Err(Fault::Reported),
            },
            _ => return Err(Diagnostic::new(Code::WrongKind, "this is not a picture").at(e.span).into()),
        };
        let shape = match &value.ty {
            Type::Array(array) => array.shape.iter().map(|size| size.known()).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let unfit = |what: String| {
            let problem =
                Diagnostic::new(Code::ShapeMismatch, what).label(e.span, "shown here").label(value.span, format!("this is {}", value.ty));
            Err(problem.into())
        };
        match (name.name.as_str(), args) {
            ("image", [h, w]) => {
                let (height, width) = (self.pixel_count(h)?, self.pixel_count(w)?);
                match shape.as_deref() {
                    Some([n]) if *n == height * width => Ok(Picture::Image { height, width }),
                    Some([h, w]) if (*h, *w) == (height, width) => Ok(Picture::Image { height, width }),
                    // Several images: a row for each
                    Some([_, n]) if *n == height * width => Ok(Picture::Image { height, width }),
                    Some([_, h, w]) if (*h, *w) == (height, width) => Ok(Picture::Image { height, width }),
                    _ => unfit(format!("an image of {height} by {width} needs {} values, this is {}", height * width, value.ty)),
                }
            }
            ("image", _) => Err(Diagnostic::new(Code::ArgumentCount, "an image has a height and a width")
                .at(e.span)
                .help("write `image(28, 28)`")
                .into()),
            // Of vectors with more entries, the first two are shown.
            ("scatter", []) if shape.as_deref().is_some_and(|shape| shape.len() <= 2 && shape.last().is_some_and(|n| *n >= 2)) => {
                Ok(Picture::Scatter)
            }
            ("scatter", []) => unfit(format!("a scatter plot shows points Real[2], this is {}", value.ty)),
            ("histogram", []) if shape.is_some() => Ok(Picture::Histogram),
            ("path", []) if shape.is_some() => Ok(Picture::Path),
            ("text", []) if shape.is_some() => Ok(Picture::Text),
            ("histogram" | "path" | "text", []) => unfit(format!("{} cannot be shown so", value.ty)),
            (other, _) => Err(unknown_argument(other, "picture", PICTURES.iter().copied(), name.span).into()),
        }
    }

    fn pixel_count(&mut self, arg: &'a ast::Arg) -> Checked<usize> {
        match &arg.kind {
            ArgKind::Positional(e) => self.count(e),
            _ => Err(message::not_a_size(arg.span).into()),
        }
    }
}
