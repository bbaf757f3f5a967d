//! The messages that are hard to say well, in one place: what was found, what was expected, where that came from, what to try.

use super::model::{Expr, ExprKind, Model};
use super::shape;
use super::types::{ArrayType, Support, Type};
use crate::base::{Code, Diagnostic, Span};

/// Where an operand's type was declared, if it is a named thing.
pub fn origin(model: &Model, e: &Expr) -> Option<(Span, String)> {
    let (name, ty, span) = match &e.kind {
        ExprKind::Local(id) => (&model.locals[*id].name, &model.locals[*id].ty, model.locals[*id].span),
        ExprKind::Const(id) => (&model.consts[*id].name, &model.consts[*id].ty, model.consts[*id].span),
        ExprKind::Var(id) => (&model.vars[*id].name, &model.vars[*id].ty, model.vars[*id].span),
        ExprKind::Param(id) => (&model.params[*id].path, &model.params[*id].ty, model.params[*id].span),
        ExprKind::Call(id, _) => (&model.functions[*id].name, &model.functions[*id].body.ty, model.functions[*id].span),
        _ => return None,
    };
    Some((span, format!("`{name}` is declared here, {ty}")))
}

/// Two operands whose shapes do not agree; says so if the other product would fit.
pub fn operands(problem: Diagnostic, model: &Model, op: &str, left: &Expr, right: &Expr) -> Diagnostic {
    let shape_of = |e: &Expr| match &e.ty {
        Type::Array(array) => array.shape.clone(),
        _ => vec![],
    };
    let (l, r) = (shape_of(left), shape_of(right));
    let mut problem = problem.label(left.span, format!("this is {}", left.ty)).label(right.span, format!("this is {}", right.ty));
    for (span, text) in [left, right].into_iter().filter_map(|e| origin(model, e)) {
        problem = problem.label(span, text);
    }
    match op {
        "@" if shape::elementwise(&l, &r).is_ok() => problem.help("the shapes fit the elementwise product: write `*`"),
        "*" if shape::matmul(&l, &r).is_ok() => problem.help("the shapes fit the matrix product: write `@`"),
        "@" if shape::matmul(&l, &shape::transpose(&r)).is_ok() => problem.help("the shapes fit with the right side transposed: `'`"),
        "@" if shape::matmul(&shape::transpose(&l), &r).is_ok() => problem.help("the shapes fit with the left side transposed: `'`"),
        _ => problem.help("only a scalar stretches to the shape of the other operand"),
    }
}

pub fn not_an_array(e: &Expr) -> Diagnostic {
    let found = Diagnostic::new(Code::TypeMismatch, format!("a number or an array is needed here, this is a {}", kind_of(&e.ty)))
        .label(e.span, format!("this is {}", e.ty));
    match &e.ty {
        Type::Distribution(_) => found.help("take `.mean` of it, draw from it with `~`, or take its density with `log`"),
        _ => found.help("take it apart with `let (a, b) = …`"),
    }
}

fn kind_of(ty: &Type) -> &'static str {
    match ty {
        Type::Array(_) => "number",
        Type::Tuple(_) => "tuple",
        Type::Distribution(_) => "distribution",
        Type::Error => "mistake",
    }
}

/// Arrays, or distributions over arrays, of different shapes.
fn differ_in_shape(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Array(a), Type::Array(b)) => !shape::same_shape(&a.shape, &b.shape),
        (Type::Distribution(a), Type::Distribution(b)) => differ_in_shape(a, b),
        _ => false,
    }
}

/// A value of one type where another is wanted.
pub fn mismatch(model: &Model, e: &Expr, wanted: &Type, why: Option<(Span, String)>) -> Diagnostic {
    let shapes = differ_in_shape(&e.ty, wanted);
    let code = if shapes { Code::ShapeMismatch } else { Code::TypeMismatch };
    let mut problem =
        Diagnostic::new(code, format!("{wanted} is needed here, this is {}", e.ty)).label(e.span, format!("this is {}", e.ty));
    for (span, text) in origin(model, e).into_iter().chain(why) {
        problem = problem.label(span, text);
    }
    match (&e.ty, wanted) {
        (Type::Array(ArrayType { support: Support::Bool, .. }), Type::Array(_)) => problem.help("choose the numbers: `if … then 1 else 0`"),
        (Type::Distribution(_), Type::Array(_)) => problem.help("take `.mean` of it, or draw from it with `~`"),
        (Type::Distribution(_), Type::Distribution(of)) if shapes => {
            problem.help(format!("give each parameter the shape of {of}, or one number that is repeated"))
        }
        (_, Type::Distribution(_)) => problem.help("write a distribution, such as `Normal(0, 1)`"),
        _ if shapes => problem.help("nothing but a scalar is stretched: make the two shapes equal"),
        _ => problem,
    }
}

/// A value that may lie outside the support where it stands.
pub fn outside(model: &Model, e: &Expr, constant: Option<f64>, wanted: &Support, why: Option<(Span, String)>) -> Diagnostic {
    let message = match constant {
        Some(value) => format!("{value} is not {}", region(wanted)),
        None => format!("{} is needed here, this may be any {}", region(wanted), e.ty),
    };
    let mut problem = Diagnostic::new(Code::SupportMismatch, message).label(e.span, format!("this is {}", e.ty));
    for (span, text) in origin(model, e).into_iter().chain(why) {
        problem = problem.label(span, text);
    }
    match wanted {
        Support::Positive if constant.is_some() => problem.help("write a number above 0"),
        Support::Positive => problem.help("map it there with `exp(…)` or `softplus(…)`"),
        Support::Unit => problem.help("map it there with `sigmoid(…)`, or use the `logits:` form"),
        Support::Simplex => problem.help("map it there with `softmax(…)`"),
        Support::Cov => problem.help("declare it as a `param … : Cov[D]`, or add one: `W @ W' + 0.1 * identity`"),
        Support::Bit | Support::Spin | Support::Int | Support::Bool | Support::Cat(_) | Support::Ordered | Support::Real => {
            match constant {
                Some(_) => problem,
                None => problem.help(format!("declare it as `{}` where it comes from", Type::scalar(wanted.clone()))),
            }
        }
    }
}

pub fn region(support: &Support) -> String {
    match support {
        Support::Real => "a real number".into(),
        Support::Positive => "a positive number".into(),
        Support::Unit => "a number in [0, 1]".into(),
        Support::Bit => "0 or 1".into(),
        Support::Spin => "-1 or 1".into(),
        Support::Int => "a whole number".into(),
        Support::Bool => "true or false".into(),
        Support::Cat(size) => format!("one of the classes 0 .. {}", size.clone() - 1usize.into()),
        Support::Simplex => "a vector of probabilities that sum to 1".into(),
        Support::Cov => "a positive definite matrix".into(),
        Support::Ordered => "an increasing vector".into(),
    }
}

pub fn wrong_kind(name: &str, is: &str, used_as: &str, span: Span) -> Diagnostic {
    Diagnostic::new(Code::WrongKind, format!("`{name}` is {is}, here it is used as {used_as}")).at(span)
}

pub fn not_constant(name: &str, span: Span) -> Diagnostic {
    Diagnostic::new(Code::WrongKind, format!("a `let` of the file is a constant, `{name}` is not"))
        .label(span, "learned or random")
        .help("write it where it is used, or as a `fn` of its arguments")
}

pub fn not_a_size(span: Span) -> Diagnostic {
    Diagnostic::new(Code::WrongKind, "a size is needed here")
        .label(span, "not a size")
        .help("sizes are whole numbers, dims, and their sums and products")
}

pub fn size_not_known(span: Span) -> Diagnostic {
    Diagnostic::new(Code::SizeNotKnown, "this size cannot be inferred")
        .label(span, "not known here")
        .help("write the size in brackets, or declare the type of the argument")
}

/// A size that stands in brackets, and that no argument tells.
pub fn size_missing(name: &str, size: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(Code::SizeNotKnown, format!("`{name}` needs its size `{size}`"))
        .label(span, "no argument tells it")
        .label(declared, "declared here")
        .help(format!("write it in brackets: `{name}[…](…)`"))
}

/// A latent variable where no factor, draw or substitution gives it a value.
pub fn latent(name: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::new(Code::LatentWithoutValue, format!("the latent variable `{name}` has no value here"))
        .label(span, "used here")
        .label(declared, format!("`{name}` is declared here and not observed"))
        .help(format!("take an expectation, `E[{name} ~ q({name} | x)](…)`, or make it a given of the factor"))
}

/// A likelihood whose events are not of the kind of the data.
pub fn not_a_density(dist: &str, event: &Support, var: &str, ty: &Type, span: Span, declared: Span) -> Diagnostic {
    let discrete_data = matches!(ty, Type::Array(array) if array.support.is_discrete());
    let problem = Diagnostic::new(Code::NotADensity, format!("`{dist}` is not a density of `{var}`, which is {ty}"))
        .label(span, format!("gives {} as its value", region(event)))
        .label(declared, format!("`{var}` is {ty}"));
    let binary = matches!(ty, Type::Array(array) if matches!(array.support, Support::Bit | Support::Spin | Support::Bool));
    match event {
        Support::Bit => problem.help(
            "of values between 0 and 1 use `ContinuousBernoulli`, or take `.binary` data; of grey levels (`Int`, `Cat<256>`) a \
             discretised likelihood: `DiscretisedLogistic`, `DiscretisedNormal`, `Categorical`",
        ),
        _ if discrete_data && !event.is_discrete() && binary => {
            problem.help("a continuous density gives no probability to single values: use `Bernoulli`")
        }
        _ if discrete_data && !event.is_discrete() => problem.help(format!(
            "a continuous density gives no probability to whole numbers: use a discretised likelihood (`DiscretisedLogistic`, \
             `DiscretisedNormal`), or dequantise: p(y : Real[…]) = {dist}(…), p({var} | y) = Floor(y), q(y | {var}) = dequantise({var})"
        )),
        _ => problem.help("choose a distribution over the values that the variable has"),
    }
}
