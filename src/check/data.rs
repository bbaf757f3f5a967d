//! Data: variables, their sources, the part held out.

use super::checker::{Checked, Checker, Fault};
use super::model::{Argument, Data, Family, Source, Var, VarId};
use super::types::Type;
use super::{call, shape};
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, Span, nearest};
use crate::syntax::ast::{self, ArgKind, ExprKind, VarFamily};

/// The sources that the runtime can read or make.
const SOURCES: &[&str] = &["csv", "npy", "npz", "idx", "digits", "mnist", "iris", "moons", "gaussians", "swiss_roll", "checkerboard"];

impl<'a> Checker<'a> {
    /// Declares the variables that have a type here; `global`: each has one value for all rows.
    pub fn declare_vars(&mut self, vars: &'a [ast::VarDecl], global: bool) {
        for var in vars.iter().filter(|var| var.ty.is_some()) {
            let declared = self.declare_var(var, global);
            self.settle(declared);
        }
    }

    fn declare_var(&mut self, var: &'a ast::VarDecl, global: bool) -> Checked<()> {
        let construct = match &var.family {
            VarFamily::Single => None,
            VarFamily::Chain { .. } if global => Some("a global chain"),
            VarFamily::Chain { from, to } => return self.declare_chain(var, from, to),
            VarFamily::AtIndex(_) => Some("a member of a chain with a type of its own"),
            VarFamily::Process { .. } if global => Some("a global process"),
            VarFamily::Process { from, to, .. } => return self.declare_process(var, from, to),
            VarFamily::AtTime(_) => Some("a state of a process with a type of its own"),
        };
        if let Some(construct) = construct {
            return Err(Diagnostic::unsupported(construct).at(var.span).into());
        }
        let Some(ty) = &var.ty else { return Ok(()) };
        let ty = self.annotation(ty)?;
        if !self.vars.contains_key(&var.name.name) {
            let made = Var { name: var.name.name.clone(), ty, observed: None, global, family: Family::Single, span: var.name.span };
            let id = self.model.vars.push(made);
            self.vars.insert(var.name.name.clone(), id);
        }
        Ok(())
    }

    pub fn data(
        &mut self,
        vars: &'a [ast::VarDecl],
        source: Option<&'a ast::Expr>,
        settings: &'a [ast::Setting],
        span: Span,
    ) -> Checked<()> {
        let Some(source) = source else {
            let problem = Diagnostic::new(Code::DataMissing, "this data has no source").at(span);
            return Err(problem.help("write `= csv(\"file.csv\")`, or the rows themselves: `= [1, 0, 1]`").into());
        };
        let mut ids: Vec<VarId> = vec![];
        for var in vars {
            match &var.family {
                VarFamily::Single | VarFamily::Chain { .. } => match self.vars.get(&var.name.name) {
                    Some(id) => ids.push(*id),
                    None => return Err(Fault::Reported),
                },
                VarFamily::AtIndex(at) => ids.push(self.data_member(var, at)?),
                VarFamily::AtTime(at) => ids.push(self.data_instant(var, at)?),
                VarFamily::Process { .. } => {
                    return Err(Diagnostic::unsupported("data for whole paths of a process").at(var.span).into());
                }
            }
        }
        let source = self.source(source)?;
        let source = self.one_series(source, &ids);
        let object = match (&source, &ids[..]) {
            (Source::Values { shape, span, .. }, [var]) => self.list_fits(shape, *var, *span)?,
            _ => false,
        };
        let mut split = 0.0;
        for setting in settings {
            match setting.name.name.as_str() {
                "split" => {
                    split = self.setting_number(&setting.value)?;
                    if object {
                        let problem = Diagnostic::new(Code::BadSetting, "one object has no rows to hold out").at(setting.name.span);
                        return Err(problem.help("leave `split` away, or declare the type of one row").into());
                    }
                    if !(0.0..1.0).contains(&split) {
                        let problem = Diagnostic::new(Code::BadSetting, format!("the part held out is {split}")).at(setting.value.span);
                        return Err(problem.help("write a fraction below 1: `split: 0.1`").into());
                    }
                }
                name => return Err(call::unknown_argument(name, "setting", ["split"].into_iter(), setting.name.span).into()),
            }
        }
        let id = self.model.data.push(Data { vars: ids.clone(), source, object, split, span });
        for var in ids {
            if self.model.vars[var].observed.is_some() {
                let problem = Diagnostic::new(Code::DuplicateName, format!("`{}` has two sources", self.model.vars[var].name)).at(span);
                return Err(problem.into());
            }
            self.model.vars[var].observed = Some(id);
        }
        Ok(())
    }

    /// A list in the file is one value of the declared type, which is answered by true, or holds rows of it, one at least.
    fn list_fits(&self, shape: &[usize], var: VarId, span: Span) -> Checked<bool> {
        let var = &self.model.vars[var];
        let Type::Array(array) = &var.ty else { return Ok(false) };
        let whole: Vec<Size> = shape.iter().map(|n| Size::from(*n)).collect();
        if !shape.contains(&0) && whole.len() == array.shape.len() && shape::same_shape(&whole, &array.shape) {
            return Ok(true);
        }
        let row: Vec<Size> = whole.iter().skip(1).cloned().collect();
        if shape.contains(&0) {
            return Err(Diagnostic::new(Code::DataEmpty, format!("`{}` has no rows", var.name)).at(span).into());
        }
        if shape::same_shape(&row, &array.shape) {
            return Ok(false);
        }
        let found = Type::array(array.support.clone(), row);
        let problem = Diagnostic::new(Code::DataShape, format!("one row of this list is {found}, `{}` is {}", var.name, var.ty));
        let problem = problem.label(span, "a list of rows").label(var.span, format!("`{}` is declared {}", var.name, var.ty));
        Err(problem.help("the outer list holds the rows, each of the declared type").into())
    }

    fn source(&mut self, e: &'a ast::Expr) -> Checked<Source> {
        match &e.kind {
            ExprKind::List(_) => {
                let (mut shape, mut values) = (vec![], vec![]);
                self.rows(e, 0, &mut shape, &mut values)?;
                Ok(Source::Values { shape, values, span: e.span })
            }
            ExprKind::Member { base, name } => match self.source(base)? {
                Source::Named { name: source, args, field: None, .. } => {
                    Ok(Source::Named { name: source, args, field: Some(name.name.clone()), span: e.span })
                }
                _ => Err(Diagnostic::new(Code::WrongKind, "this source has no fields").at(name.span).into()),
            },
            ExprKind::Call { callee, args, given: None } => {
                let ExprKind::Name(name) = &callee.kind else { return Err(not_a_source(e.span).into()) };
                if name.name == "jsonl" {
                    return Err(Diagnostic::unsupported("the source `jsonl`").at(e.span).into());
                }
                if !SOURCES.contains(&name.name.as_str()) {
                    let problem = Diagnostic::new(Code::UnknownName, format!("`{}` is not a source of data", name.name)).at(name.span);
                    return Err(match nearest(&name.name, SOURCES.iter().copied()) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem.help(format!("sources are {}", SOURCES.join(", "))),
                    }
                    .into());
                }
                let args = args.iter().map(|arg| match &arg.kind {
                    ArgKind::Positional(e) => Ok((None, self.source_argument(e)?)),
                    ArgKind::Named(name, e) => Ok((Some(name.name.clone()), self.source_argument(e)?)),
                    _ => Err(not_a_source(arg.span).into()),
                });
                let args = args.collect::<Checked<_>>()?;
                Ok(Source::Named { name: name.name.clone(), args, field: None, span: e.span })
            }
            _ => Err(not_a_source(e.span).into()),
        }
    }

    /// Nested lists of numbers, all of one shape.
    fn rows(&mut self, e: &'a ast::Expr, depth: usize, shape: &mut Vec<usize>, values: &mut Vec<f64>) -> Checked<()> {
        let ExprKind::List(parts) = &e.kind else {
            if depth != shape.len() {
                return Err(Diagnostic::new(Code::DataShape, "the rows of this list have different shapes").at(e.span).into());
            }
            values.push(self.setting_number(e)?);
            return Ok(());
        };
        match shape.get(depth) {
            None if values.is_empty() => shape.push(parts.len()),
            Some(len) if *len == parts.len() => {}
            _ => return Err(Diagnostic::new(Code::DataShape, "the rows of this list have different shapes").at(e.span).into()),
        }
        parts.iter().try_for_each(|part| self.rows(part, depth + 1, shape, values))
    }

    fn source_argument(&mut self, e: &'a ast::Expr) -> Checked<Argument> {
        match &e.kind {
            ExprKind::Text(text) => Ok(Argument::Text(text.clone())),
            ExprKind::List(parts) => Ok(Argument::List(parts.iter().map(|part| self.source_argument(part)).collect::<Checked<_>>()?)),
            _ => Ok(Argument::Number(self.setting_number(e)?)),
        }
    }

    /// A number that is known before anything runs.
    pub fn setting_number(&mut self, e: &'a ast::Expr) -> Checked<f64> {
        let value = self.expr(e, None);
        if value.is_error() {
            return Err(Fault::Reported);
        }
        match self.constant_of(&value) {
            Some(number) => Ok(number),
            None => Err(Diagnostic::new(Code::BadSetting, "a number that is known beforehand is needed here").at(e.span).into()),
        }
    }
}

fn not_a_source(span: Span) -> Diagnostic {
    Diagnostic::new(Code::WrongKind, "a source of data is needed here")
        .label(span, "not a source")
        .help("write `csv(\"file.csv\")`, `mnist().binary`, or the rows themselves: `[1, 0, 1]`")
}
