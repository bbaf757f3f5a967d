//! Chains: indexed families of random variables, the factors between their members, and questions about members.

use super::{Expr, Family, Index, LocalId, Model, Var, VarId};
use crate::base::Span;
use crate::check::types::{ArrayType, Type};

/// Which member of a chain a factor speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// `z[1]`
    Number(i64),
    /// `z[t - 1]`: this much after the factor's index
    Offset(i64),
}

/// A member that a factor is given; its value is a local of the factor's distribution.
#[derive(Clone, Copy, Debug)]
pub struct GivenMember {
    pub var: VarId,
    pub at: At,
    pub local: LocalId,
}

/// A factor between members of chains: `p(z[t] | z[t-1]) = dist`, for a run of values of t.
#[derive(Clone, Debug)]
pub struct MemberFactor {
    /// `t` and its values; none where every member is a number
    pub index: Option<Index>,
    pub target: VarId,
    /// None where the target is a single variable
    pub at: Option<At>,
    pub members: Vec<GivenMember>,
    /// Variables given as a whole: `ExprKind::Var` in `dist`
    pub given: Vec<VarId>,
    /// Of type `Distribution(type of one member)`
    pub dist: Expr,
    pub span: Span,
}

/// Members that a query asks for or is given: `z[t]`, `x[1..3]`.
#[derive(Clone, Debug)]
pub struct MemberQuery {
    pub var: VarId,
    pub which: Which,
    /// What is substituted
    pub value: Option<Expr>,
    pub span: Span,
}

/// Members by the numbers that the user writes. A number that is known beforehand is `ExprKind::Int`.
#[derive(Clone, Debug)]
pub enum Which {
    One(Expr),
    /// Both ends included
    Range(Expr, Expr),
}

impl At {
    /// The member for a value of the factor's index.
    pub fn member(self, index: i64) -> i64 {
        match self {
            At::Number(number) => number,
            At::Offset(offset) => index + offset,
        }
    }
}

impl MemberFactor {
    /// The values of the index: one, without meaning, where there is no index.
    pub fn indices(&self) -> impl Iterator<Item = i64> + use<> {
        let (first, count) = self.index.as_ref().map_or((0, 1), |index| (index.first, index.count));
        first..first + count as i64
    }
}

impl Var {
    /// The first and the last member of a chain.
    pub fn members(&self) -> Option<(i64, i64)> {
        match self.family {
            Family::Chain { from, to } => Some((from, to)),
            Family::Single | Family::Member { .. } | Family::Process { .. } | Family::Instant { .. } => None,
        }
    }

    /// The type of one member of a chain; of any other variable, its type.
    pub fn member_type(&self) -> Type {
        match (&self.ty, self.members()) {
            (Type::Array(ArrayType { support, shape }), Some(_)) => Type::array(support.clone(), &shape[1..]),
            (ty, _) => ty.clone(),
        }
    }
}

impl Model {
    /// The variable that observes one member of a chain: `data x[0] = …`.
    pub fn data_member(&self, chain: VarId) -> Option<(VarId, i64)> {
        self.vars.iter().find_map(|(id, var)| match var.family {
            Family::Member { of, at } if of == chain => Some((id, at)),
            Family::Member { .. } | Family::Single | Family::Chain { .. } | Family::Process { .. } | Family::Instant { .. } => None,
        })
    }
}
