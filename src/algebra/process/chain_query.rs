//! Queries of one member of a chain given others, at numbers that may vary: `q(x[t] | x[0])`, `q(x[t] | x[s])`,
//! `q(x[t-1] | x[t], x[0])`.

use super::super::chain::{is_continuous, is_finite};
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::chain::{Chain, Direction};
use super::finite_law::Impossible;
use super::transition::Moments;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::BinaryOp;
use crate::check::model::{Expr, ExprKind, LocalId, MemberQuery, Query, Which};

/// The members that a query is given, earlier and later than its target.
pub(super) struct Neighbours<'q> {
    pub early: (&'q MemberQuery, &'q Expr),
    pub late: Option<(&'q MemberQuery, &'q Expr)>,
}

impl<'m> Lowering<'m> {
    /// The distribution of a member that a query asks for, if it is answered by the kernels of a chain in the direction of time.
    pub(in crate::algebra) fn chain_member(&mut self, query: &Query, member: &MemberQuery, at: &Expr) -> Result<Option<Distribution>> {
        let Some(chain) = self.chain_of(query.density, member.var, Direction::Forward) else { return Ok(None) };
        let given = |var| chain.kernels.iter().any(|kernel| kernel.factor.given.contains(&var));
        if query.given.iter().any(|(var, _)| !given(*var)) {
            return Ok(None);
        }
        let state = self.model.vars[member.var].member_type();
        let Some(near) = self.neighbours(&chain, query, at)? else { return Ok(None) };
        if let (Some((None, from)), Some((None, to)), None) = (linear_number(near.early.1), linear_number(at), near.late)
            && to == from + 1
        {
            // A declared factor
            return Ok(None);
        }
        let known = is_known(at) && is_known(near.early.1) && near.late.is_none_or(|(_, at)| is_known(at));
        let law = match () {
            () if is_finite(&state) => self.finite_chain_member(&chain, query, at, &near),
            () if is_continuous(&state) => self.gaussian_chain_member(&chain, query, at, &near),
            () => return Ok(None),
        };
        match law {
            // What stands between members with known numbers may have other rules.
            Err(_) if known => Ok(None),
            law => law.map(Some),
        }
    }

    fn gaussian_chain_member(&mut self, chain: &Chain<'m>, query: &Query, at: &Expr, near: &Neighbours<'_>) -> Result<Distribution> {
        let t = self.eval_array(at)?;
        let (x, s) = (self.given_member(near.early.0, near.early.1)?, self.eval_array(near.early.1)?);
        let early = self.transition_of(chain, &s, &t)?;
        let shifted = early.shift.is_some();
        let moments = match near.late {
            None => Moments { mean: self.transported(&early, &x)?, var: early.var },
            Some((late, at_late)) => {
                let (z, u) = (self.given_member(late, at_late)?, self.eval_array(at_late)?);
                let late = self.transition_of(chain, &t, &u)?;
                self.between(&early, &late, &x, &z)?
            }
        };
        self.record_chain_law(chain, query, near, at, shifted);
        self.normal(chain.var, moments)
    }

    fn finite_chain_member(&mut self, chain: &Chain<'m>, query: &Query, at: &Expr, near: &Neighbours<'_>) -> Result<Distribution> {
        let t = self.eval_array(at)?;
        let (x, s) = (self.given_member(near.early.0, near.early.1)?, self.eval_array(near.early.1)?);
        let law = match near.late {
            None => self.finite_transition(chain, &s, &t, &x),
            Some(_) if self.whole_number(&s) != Some(chain.first) => {
                let what = "a finite chain between two members of which the earlier is not the first";
                return Err(Diagnostic::unsupported(what).at(query.span));
            }
            Some((late, at_late)) => {
                let (z, u) = (self.given_member(late, at_late)?, self.eval_array(at_late)?);
                self.finite_between(chain, (&x, &z), (&t, &u), Impossible::Undefined)
            }
        }?;
        self.record_finite_law(chain, query, near, at);
        Ok(law)
    }

    /// Which of the given members comes before the target and which after it; none where other rules must answer.
    pub(super) fn neighbours<'q>(&self, chain: &Chain<'m>, query: &'q Query, at: &Expr) -> Result<Option<Neighbours<'q>>> {
        let mut found = vec![];
        for member in &query.member_given {
            match &member.which {
                Which::One(number) if member.var == chain.var => found.push((member, number)),
                Which::One(_) | Which::Range(..) => return Ok(None),
            }
        }
        match found[..] {
            [only] if !comes_before(chain, at, only.1) => Ok(Some(Neighbours { early: only, late: None })),
            [a, b] if comes_before(chain, a.1, b.1) => Ok(Some(Neighbours { early: a, late: Some(b) })),
            [a, b] if comes_before(chain, b.1, a.1) => Ok(Some(Neighbours { early: b, late: Some(a) })),
            [_, b] => {
                let what = "a query given two members of which it is not known which comes first";
                Err(Diagnostic::unsupported(what).at(b.0.span).help("give the first member and a later one, or neighbours: `x[t], x[t-1]`"))
            }
            _ => Ok(None),
        }
    }

    /// The value of a member that is given.
    pub(super) fn given_member(&mut self, member: &MemberQuery, at: &Expr) -> Result<Array> {
        if let Some(value) = &member.value {
            return self.eval_array(value);
        }
        match (self.model.data_member(member.var), linear_number(at)) {
            (Some((data, number)), Some((None, asked))) if number == asked => self.variable(data),
            _ => {
                let (first, _) = self.model.vars[member.var].members().unwrap_or((0, 0));
                let all = self.variable(member.var)?;
                self.member_of(&all, at, first)
            }
        }
    }
}

fn is_known(number: &Expr) -> bool {
    matches!(linear_number(number), Some((None, _)))
}

/// Whether a member's number is known to be below another, both in the range of the chain.
fn comes_before(chain: &Chain<'_>, a: &Expr, b: &Expr) -> bool {
    match (linear_number(a), linear_number(b)) {
        (Some((base, a)), Some((other, b))) if base == other => a < b,
        (Some((None, a)), _) => a == chain.first,
        (_, Some((None, b))) => b == chain.last,
        _ => false,
    }
}

/// A number as a name plus a constant, or as a constant.
pub(super) fn linear_number(number: &Expr) -> Option<(Option<LocalId>, i64)> {
    match &number.kind {
        ExprKind::Int(n) => Some((None, *n)),
        ExprKind::Local(local) => Some((Some(*local), 0)),
        ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => match (linear_number(a)?, linear_number(b)?) {
            ((base, a), (None, b)) => Some((base, if *op == BinaryOp::Add { a + b } else { a - b })),
            ((None, a), (base, b)) if *op == BinaryOp::Add => Some((base, a + b)),
            _ => None,
        },
        _ => None,
    }
}
