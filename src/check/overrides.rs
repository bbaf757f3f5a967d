//! `--set name=value`: the file with other numbers for its dims, its `let`s and the starting values of its parameters.

use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Diagnostics, nearest};
use crate::syntax::ast::{DeclKind, Expr, ExprKind, File, UnaryOp};

pub fn apply(file: &File, overrides: &[(String, String)], problems: &mut Diagnostics) -> File {
    let mut file = file.clone();
    for (name, text) in overrides {
        if let Err(problem) = set(&mut file, name, text) {
            problems.push(problem);
        }
    }
    file
}

fn set(file: &mut File, name: &str, text: &str) -> Result<()> {
    let mut known = vec![];
    for decl in &mut file.decls {
        match &mut decl.kind {
            DeclKind::Dim(dims) => {
                for (dim, value) in dims {
                    if dim.name == name {
                        return replace(value, name, text, true);
                    }
                    known.push(dim.name.clone());
                }
            }
            DeclKind::Let(lets) => {
                for def in lets {
                    if def.name.name == name {
                        return replace(&mut def.value, name, text, false);
                    }
                    known.push(def.name.name.clone());
                }
            }
            DeclKind::Param(params) => {
                for def in params {
                    match &mut def.init_value {
                        Some(value) if def.name.name == name => return replace(value, name, text, false),
                        Some(_) => known.push(def.name.name.clone()),
                        None => {}
                    }
                }
            }
            _ => {}
        }
    }
    let problem = Diagnostic::new(Code::UnknownName, format!("`--set {name}={text}`: the file has no number of this name"));
    Err(match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("it has {}", known.join(", "))),
    })
}

fn replace(e: &mut Expr, name: &str, text: &str, dim: bool) -> Result<()> {
    let number = match &e.kind {
        ExprKind::Number { .. } => true,
        ExprKind::Unary { op: UnaryOp::Neg, operand } => matches!(operand.kind, ExprKind::Number { .. }),
        _ => dim,
    };
    if !number {
        let problem = Diagnostic::new(Code::WrongKind, format!("`{name}` is not a number that `--set` can replace"));
        return Err(problem.label(e.span, "computed here"));
    }
    let digits = text.replace('_', "");
    let value: f64 = match digits.parse() {
        Ok(value) => value,
        Err(_) => return Err(Diagnostic::new(Code::BadSetting, format!("`--set {name}={text}`: `{text}` is not a number")).at(e.span)),
    };
    let integer = digits.parse::<i64>().is_ok();
    if dim && (!integer || value < 0.0) {
        return Err(Diagnostic::new(Code::BadSetting, format!("`--set {name}={text}`: a dim is a whole number, 0 or more")).at(e.span));
    }
    let literal = |value: f64| ExprKind::Number { value, integer, text: value.abs().to_string() };
    e.kind = if value < 0.0 {
        ExprKind::Unary { op: UnaryOp::Neg, operand: Box::new(Expr { kind: literal(-value), span: e.span }) }
    } else {
        literal(value)
    };
    Ok(())
}
