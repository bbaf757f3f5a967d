//! Written types: `Real[N, K]`, `Cat<K>`, `(A, B)`.

use super::checker::{Checked, Checker};
use super::sizes::{self, Solved};
use super::types::{ArrayType, Support, Type};
use crate::base::diagnostic::Result;
use crate::base::size::Size;
use crate::base::{Code, Diagnostic, nearest};
use crate::syntax::ast::{Expr, Ident, TypeExpr, TypeExprKind};

const SUPPORTS: &[(&str, Support)] = &[
    ("Real", Support::Real),
    ("Positive", Support::Positive),
    ("Unit", Support::Unit),
    ("Bit", Support::Bit),
    ("Spin", Support::Spin),
    ("Int", Support::Int),
    ("Bool", Support::Bool),
    ("Simplex", Support::Simplex),
    ("Cov", Support::Cov),
    ("Ordered", Support::Ordered),
];

/// A class of `Cat<K>`: the support that has a bound
const CLASSES: &str = "Cat";

impl<'a> Checker<'a> {
    /// A type whose sizes are all known.
    pub fn annotation(&mut self, ty: &'a TypeExpr) -> Checked<Type> {
        self.annotation_with(ty, false)
    }

    /// With `open`, unknown lower-case sizes are for a use to supply.
    pub fn annotation_with(&mut self, ty: &'a TypeExpr, open: bool) -> Checked<Type> {
        match &ty.kind {
            TypeExprKind::Tuple(types) => Ok(Type::Tuple(types.iter().map(|ty| self.annotation_with(ty, open)).collect::<Checked<_>>()?)),
            TypeExprKind::Fn { .. } => Err(Diagnostic::new(Code::WrongKind, "a function cannot be stored")
                .at(ty.span)
                .help("take it as an argument of a `fn`")
                .into()),
            TypeExprKind::Named { name, bound, shape } => {
                let support = match bound {
                    Some(bound) if name.name == CLASSES => Support::Cat(self.size_with(bound, open)?),
                    _ => support_named(name)?,
                };
                let mut sizes = vec![];
                for axis in shape {
                    if axis.ragged {
                        return Err(Diagnostic::unsupported("a ragged axis `<=L`").at(axis.size.span).into());
                    }
                    sizes.push(self.axis(&axis.size, open)?);
                }
                if sizes.len() < support.event_rank().min(1) {
                    let message = format!("`{}` needs a size", name.name);
                    return Err(Diagnostic::new(Code::SizeNotKnown, message).at(ty.span).help(format!("write `{}[K]`", name.name)).into());
                }
                if support == Support::Cov {
                    sizes.extend(sizes.last().cloned());
                }
                Ok(Type::Array(ArrayType { support, shape: sizes }))
            }
        }
    }

    fn axis(&mut self, e: &'a Expr, open: bool) -> Checked<Size> {
        let size = self.size_with(e, open)?;
        match size.constant() {
            Some(n) if n < 0 => Err(Diagnostic::new(Code::OutOfRange, format!("this axis has size {n}")).at(e.span).into()),
            _ => Ok(size),
        }
    }
}

/// The word for a support in types.
pub fn written_name(support: &Support) -> &'static str {
    let named = SUPPORTS.iter().find(|(_, known)| known == support);
    named.map_or(CLASSES, |(name, _)| name)
}

fn support_named(name: &Ident) -> Result<Support> {
    if let Some((_, support)) = SUPPORTS.iter().find(|(known, _)| *known == name.name) {
        return Ok(support.clone());
    }
    let unknown = Diagnostic::new(Code::UnknownName, format!("`{}` is not a type", name.name)).at(name.span);
    Err(match nearest(&name.name, SUPPORTS.iter().map(|(known, _)| *known)) {
        _ if name.name == CLASSES => unknown.help("write how many classes there are: `Cat<K>`"),
        Some(near) => unknown.help(format!("did you mean `{near}`?")),
        None => unknown.help("types are Real, Positive, Unit, Bit, Spin, Int, Bool, Cat<K>, Simplex[K], Cov[D] and Ordered[K]"),
    })
}

impl Type {
    /// With every size replaced.
    pub fn map_sizes(&self, map: &dyn Fn(&Size) -> Size) -> Type {
        match self {
            Type::Array(array) => {
                let support = match &array.support {
                    Support::Cat(size) => Support::Cat(map(size)),
                    support => support.clone(),
                };
                Type::array(support, array.shape.iter().map(map).collect::<Vec<_>>())
            }
            Type::Tuple(types) => Type::Tuple(types.iter().map(|ty| ty.map_sizes(map)).collect()),
            Type::Distribution(of) => Type::Distribution(Box::new(of.map_sizes(map))),
            Type::Error => Type::Error,
        }
    }

    pub fn sizes(&self) -> Vec<&Size> {
        match self {
            Type::Array(ArrayType { support: Support::Cat(size), shape }) => shape.iter().chain([size]).collect(),
            Type::Array(array) => array.shape.iter().collect(),
            Type::Tuple(types) => types.iter().flat_map(Type::sizes).collect(),
            Type::Distribution(of) => of.sizes(),
            Type::Error => vec![],
        }
    }

    /// With the sizes that are learnt so far.
    pub fn fill(&self, solved: &Solved) -> Type {
        self.map_sizes(&|size| sizes::fill(size, solved))
    }

    pub fn is_open(&self) -> bool {
        self.sizes().into_iter().any(sizes::is_open)
    }

    /// As written, for messages.
    pub fn close(&self) -> Type {
        self.map_sizes(&sizes::close)
    }

    /// Learns the open sizes of a declared type from that of an argument; `false` where the shapes cannot agree.
    pub fn unify(&self, found: &Type, solved: &mut Solved) -> bool {
        match (self, found) {
            (Type::Array(declared), Type::Array(array)) => {
                if let (Support::Cat(k), Support::Cat(found)) = (&declared.support, &array.support)
                    && !sizes::unify(k, found, solved)
                    && !has_more(k, found)
                {
                    return false;
                }
                let pairs = declared.shape.iter().zip(&array.shape);
                declared.shape.len() == array.shape.len() && pairs.fold(true, |ok, (d, f)| sizes::unify(d, f, solved) && ok)
            }
            (Type::Tuple(declared), Type::Tuple(types)) => {
                declared.len() == types.len() && declared.iter().zip(types).fold(true, |ok, (d, f)| d.unify(f, solved) && ok)
            }
            (Type::Distribution(declared), Type::Distribution(of)) => declared.unify(of, solved),
            (_, Type::Error) | (Type::Error, _) => true,
            _ => false,
        }
    }
}

/// A class of a few is one of more: `Cat<10>` where `Cat<11>` is taken.
fn has_more(declared: &Size, found: &Size) -> bool {
    matches!((declared.constant(), found.constant()), (Some(declared), Some(found)) if declared > found)
}
