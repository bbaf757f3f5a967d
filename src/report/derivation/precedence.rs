//! Where brackets are needed: how tightly each form binds.

use crate::algebra::Formula;
use crate::algebra::derivation::Big;

/// From what binds loosest to what needs no brackets anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    Relation,
    Sum,
    Product,
    /// `log x`, `∇ f`: takes one factor to its right
    Prefix,
    Power,
    Atom,
}

/// Functions that are written without brackets before one simple argument.
pub const BARE: [&str; 9] = ["log", "exp", "sin", "cos", "tanh", "max", "min", "tr", "det"];

pub fn binding(formula: &Formula) -> Binding {
    match formula {
        Formula::Number(value) if *value < 0.0 => Binding::Sum,
        Formula::Number(_) | Formula::Name(_) | Formula::Words(_) | Formula::Index(..) | Formula::Accent(..) => Binding::Atom,
        Formula::Neg(_) | Formula::Add(_) => Binding::Sum,
        Formula::Mul(_) | Formula::Elementwise(_) | Formula::Div(..) | Formula::Partial { .. } | Formula::Big { .. } => Binding::Product,
        Formula::Pow(..) | Formula::Transpose(_) | Formula::Inverse(_) => Binding::Power,
        Formula::Apply(function, args) if bare(function, args) => Binding::Prefix,
        Formula::Gradient { .. } => Binding::Prefix,
        Formula::Determinant(_) | Formula::Abs(_) | Formula::Norm(_) | Formula::Apply(..) => Binding::Atom,
        Formula::Density { .. } | Formula::Distribution { .. } | Formula::Expectation { .. } => Binding::Atom,
        Formula::Divergence(..) | Formula::Entropy(_) | Formula::Tuple(_) | Formula::List(_) => Binding::Atom,
        Formula::Labelled(..) | Formula::Relation(..) => Binding::Relation,
        // A brace closes it on the left only.
        Formula::Cases { .. } => Binding::Sum,
    }
}

/// Whether a function stands before its argument without brackets: `log x`, `exp W`, but `exp(a b)`.
pub fn bare(function: &Formula, args: &[Formula]) -> bool {
    let named = matches!(function, Formula::Name(name) if BARE.contains(&name.as_str()));
    let [arg] = args else { return false };
    let log = matches!(function, Formula::Name(name) if name == "log");
    let sum = log && matches!(arg, Formula::Big { .. });
    named && (sum || binding(arg) >= Binding::Power && !matches!(arg, Formula::Tuple(_)) || log && binding(arg) == Binding::Prefix)
}

/// Whether what follows on the right could be read as part of it.
pub fn open_to_the_right(formula: &Formula) -> bool {
    match formula {
        Formula::Big { operator: Big::Integral, .. } => false,
        Formula::Big { .. } | Formula::Gradient { .. } | Formula::Neg(_) | Formula::Cases { .. } => true,
        Formula::Apply(function, args) => bare(function, args),
        Formula::Mul(factors) => factors.last().is_some_and(open_to_the_right),
        Formula::Number(_) | Formula::Name(_) | Formula::Words(_) | Formula::Index(..) | Formula::Accent(..) => false,
        Formula::Add(_) | Formula::Elementwise(_) | Formula::Div(..) | Formula::Pow(..) | Formula::Partial { .. } => false,
        Formula::Transpose(_) | Formula::Inverse(_) | Formula::Determinant(_) | Formula::Abs(_) | Formula::Norm(_) => false,
        Formula::Labelled(..) | Formula::Density { .. } | Formula::Distribution { .. } | Formula::Expectation { .. } => false,
        Formula::Divergence(..) | Formula::Entropy(_) | Formula::Relation(..) | Formula::Tuple(_) | Formula::List(_) => false,
    }
}
