//! Factors between members: `p(z[1]) = …`, `p(z[t] | z[t-1]) = …`. In the second, `t` runs over the members that have no factor of
//! their own and whose given members exist.

use super::super::checker::{Binding, Checked, Checker, Fault, Scope};
use super::super::declarations::Global;
use super::super::model::{At, DensityId, Expr, GivenMember, Index, LocalId, MemberFactor, VarId};
use super::super::types::{Support, Type};
use crate::base::{Code, Diagnostic, Span};
use crate::syntax::ast::{self, VarFamily};

/// A factor before it is typed: the members that it relates.
#[derive(Clone)]
pub struct ChainHead<'a> {
    pub decl: &'a ast::Factor,
    /// `t`, by its name
    pub index: Option<&'a ast::Ident>,
    pub target: VarId,
    /// None where the target is a single variable
    pub at: Option<At>,
    pub members: Vec<(VarId, At)>,
    pub given: Vec<VarId>,
    /// What its distribution may name
    pub scope: Scope<'a>,
    pub span: Span,
}

impl ChainHead<'_> {
    fn is_for(&self, var: VarId, number: i64) -> bool {
        self.target == var && self.at.is_none_or(|at| at == At::Number(number))
    }
}

impl<'a> Checker<'a> {
    /// Notes which members a factor relates.
    pub fn member_factor_head(&mut self, id: DensityId, factor: &'a ast::Factor, span: Span) -> Checked<()> {
        let [target] = &factor.targets[..] else {
            let problem = Diagnostic::unsupported("a factor of several variables").at(span);
            return Err(problem.help("write one factor for each variable").into());
        };
        let mut index = None;
        let (var, at) = self.factor_member(target, &mut index)?;
        let (mut members, mut given) = (vec![], vec![]);
        for var in &factor.given {
            match self.factor_member(var, &mut index)? {
                (var, Some(at)) => members.push((var, at)),
                (var, None) => given.push(var),
            }
        }
        let targets_one = !matches!(at, Some(At::Offset(_)));
        if let Some(index) = index.filter(|_| targets_one) {
            let problem = Diagnostic::new(Code::UnknownName, format!("`{}` is not an index of this factor's variable", index.name));
            return Err(problem
                .at(index.span)
                .help(format!("write `{}[{}]` on the left, or a number here", target.name.name, index.name))
                .into());
        }
        let scope = Scope { bound: given.clone(), only_bound: true, instance: Some(Default::default()), ..self.scope.clone() };
        let head = ChainHead { decl: factor, index, target: var, at, members, given, scope, span };
        if let (Some(At::Number(number)), Some(first)) = (at, self.same_target(id, &head)) {
            return Err(self.second_factor(id, &format!("[{number}]"), &head, first).into());
        }
        if let Some(first) = self.same_target(id, &head) {
            return Err(self.second_factor(id, "", &head, first).into());
        }
        self.heads[id.index()].chain.push(head);
        Ok(())
    }

    fn same_target(&self, id: DensityId, head: &ChainHead<'a>) -> Option<Span> {
        let general = |at: Option<At>| matches!(at, Some(At::Offset(_)));
        let same = |other: &&ChainHead<'a>| other.target == head.target && (other.at == head.at || general(other.at) && general(head.at));
        self.heads[id.index()].chain.iter().find(same).map(|other| other.span)
    }

    fn second_factor(&self, id: DensityId, at: &str, head: &ChainHead<'a>, first: Span) -> Diagnostic {
        let (name, var) = (&self.heads[id.index()].name, &self.model.vars[head.target].name);
        Diagnostic::new(Code::DuplicateFactor, format!("`{name}` has two factors for `{var}{at}`"))
            .label(head.span, "the second factor")
            .label(first, "the first factor")
            .help("one factor gives the members that have none of their own; give the other to a density of its own")
    }

    /// A variable of a factor, and which member it is.
    fn factor_member(&mut self, var: &'a ast::VarDecl, index: &mut Option<&'a ast::Ident>) -> Checked<(VarId, Option<At>)> {
        let id = self.var_named(&var.name)?;
        match &var.family {
            VarFamily::Single => Ok((id, None)),
            VarFamily::AtIndex(e) => {
                let at = self.factor_at(e, index)?;
                match at {
                    At::Number(number) => self.member_exists(id, number, e.span)?,
                    At::Offset(_) => {
                        let (from, _) = self.model.vars[id].members().unwrap_or((0, 0));
                        self.member_exists(id, from, e.span)?;
                    }
                }
                Ok((id, Some(at)))
            }
            VarFamily::Chain { .. } => Err(Diagnostic::unsupported("a factor of a range of members").at(var.span).into()),
            VarFamily::Process { .. } | VarFamily::AtTime(_) => Err(Diagnostic::unsupported("a factor of a process").at(var.span).into()),
        }
    }

    /// `1`, `t`, `t - 1`, `t + 1`; a name that is no constant is the index.
    fn factor_at(&mut self, e: &'a ast::Expr, index: &mut Option<&'a ast::Ident>) -> Checked<At> {
        if let ast::ExprKind::Name(name) = &e.kind
            && !matches!(self.declarations.get(&name.name, self.scope.library), Some(Global::Dim(_) | Global::Let(_)))
        {
            let first = *index.get_or_insert(name);
            if first.name == name.name {
                return Ok(At::Offset(0));
            }
            let problem = Diagnostic::new(Code::UnknownName, format!("a factor has one index, this is a second: `{}`", name.name));
            return Err(problem.label(name.span, "the second").label(first.span, "the first").into());
        }
        if let ast::ExprKind::Binary { op, left, right } = &e.kind {
            let shift = match op {
                ast::BinaryOp::Add => 1,
                ast::BinaryOp::Sub => -1,
                _ => return self.number_at(e),
            };
            return match (self.factor_at(left, index)?, self.factor_at(right, index)?) {
                (At::Number(a), At::Number(b)) => Ok(At::Number(a + shift * b)),
                (At::Offset(a), At::Number(b)) => Ok(At::Offset(a + shift * b)),
                (At::Number(a), At::Offset(b)) if shift == 1 => Ok(At::Offset(a + b)),
                _ => Err(not_a_member(e.span).into()),
            };
        }
        self.number_at(e)
    }

    fn number_at(&mut self, e: &'a ast::Expr) -> Checked<At> {
        match self.number(e)? {
            Some(number) => Ok(At::Number(number)),
            None => Err(not_a_member(e.span).into()),
        }
    }

    /// Types all factors between members of a density.
    pub fn finish_chain(&mut self, id: DensityId) -> Vec<MemberFactor> {
        let heads = self.heads[id.index()].chain.clone();
        let mut factors = vec![];
        for head in &heads {
            let made = self.member_factor(id, head);
            factors.extend(self.settle(made).into_iter().flatten());
        }
        factors
    }

    /// One factor for each run of members.
    fn member_factor(&mut self, id: DensityId, head: &ChainHead<'a>) -> Checked<Vec<MemberFactor>> {
        let runs = self.runs(id, head);
        if runs.is_empty() && matches!(head.at, Some(At::Offset(_))) {
            // A chain as short as its start: nothing is left for the factor of the others.
            if self.model.vars[head.target].members().is_some_and(|(from, to)| (from..=to).all(|number| self.has_own(id, head, number))) {
                return Ok(vec![]);
            }
            return Err(self.gives_nothing(id, head).into());
        }
        let ty = self.model.vars[head.target].member_type();
        let want = Type::Distribution(Box::new(ty.clone()));
        let used = head.scope.family.map(|_| (head.span, format!("`{}`, used here", head.decl.density.name)));
        let (dist, scope) = self.in_scope(head.scope.clone(), used, |this| {
            this.bind_members(head, &runs);
            let dist = this.expr(&head.decl.value, Some(&want));
            let dist = if dist.is_error() { Err(Fault::Reported) } else { this.fit_event_of(dist, head.target, ty) };
            (dist, std::mem::take(&mut this.scope.members))
        });
        let dist = dist?;
        let members: Vec<GivenMember> = scope.members.iter().map(|&(var, at, local)| GivenMember { var, at, local }).collect();
        let factor = |index| MemberFactor {
            index,
            target: head.target,
            at: head.at,
            members: members.clone(),
            given: head.given.clone(),
            dist: dist.clone(),
            span: head.span,
        };
        Ok(match scope.index {
            Some(local) => runs.iter().map(|&(first, count)| factor(Some(Index { local, first, count }))).collect(),
            None => vec![factor(None)],
        })
    }

    /// The index and the given members become locals.
    fn bind_members(&mut self, head: &ChainHead<'a>, runs: &[(i64, usize)]) {
        if let (Some(index), Some(&(first, _)), Some(&(last, count))) = (head.index, runs.first(), runs.last()) {
            let local = self.bind(&index.name, Type::scalar(Support::Int), index.span);
            self.extents.insert(local, (first, last + count as i64 - 1));
            self.scope.members.index = Some(local);
        }
        for &(var, at) in &head.members {
            let (name, ty) = (self.model.vars[var].name.clone(), self.model.vars[var].member_type());
            let local = self.local(&name, ty, head.span);
            self.scope.members.members.push((var, at, local));
        }
    }

    /// The values of the index: runs of members of the target that no other factor gives, and whose given members exist. The first
    /// member of `q(x[t] | x[t-1])` has no factor where none is declared for it.
    fn runs(&self, id: DensityId, head: &ChainHead<'a>) -> Vec<(i64, usize)> {
        let Some(At::Offset(offset)) = head.at else { return vec![] };
        let Some((from, to)) = self.model.vars[head.target].members() else { return vec![] };
        let mut runs: Vec<(i64, usize)> = vec![];
        for number in (from..=to).filter(|&number| !self.has_own(id, head, number) && self.members_exist(head, number - offset)) {
            match runs.last_mut() {
                Some((first, count)) if *first + *count as i64 + offset == number => *count += 1,
                _ => runs.push((number - offset, 1)),
            }
        }
        runs
    }

    /// Whether another factor is for this very member.
    fn has_own(&self, id: DensityId, head: &ChainHead<'a>, number: i64) -> bool {
        let mut others = self.heads[id.index()].chain.iter().filter(|other| other.span != head.span);
        others.any(|other| other.at == Some(At::Number(number)) && other.is_for(head.target, number))
    }

    /// Whether all given members exist for a value of the index.
    fn members_exist(&self, head: &ChainHead<'a>, index: i64) -> bool {
        head.members.iter().all(|&(var, at)| {
            let range = self.model.vars[var].members();
            range.is_none_or(|(from, to)| (from..=to).contains(&at.member(index)))
        })
    }

    /// A factor that gives no member, although one has no factor of its own: it would be given one that does not exist.
    fn gives_nothing(&self, id: DensityId, head: &ChainHead<'a>) -> Diagnostic {
        let (p, target) = (&self.heads[id.index()].name, &self.model.vars[head.target]);
        let problem = Diagnostic::new(Code::OutOfRange, format!("this factor of `{p}` gives no member of `{}`", target.name))
            .label(head.span, "each member has a factor of its own, or needs a member that does not exist");
        let vars = head.members.iter().map(|(var, _)| *var).chain([head.target]);
        let mut seen: Vec<VarId> = vec![];
        vars.fold(problem, |problem, var| match self.model.vars[var].members() {
            Some((from, to)) if !seen.contains(&var) => {
                seen.push(var);
                problem.label(self.model.vars[var].span, format!("`{}` runs from {from} to {to}", self.model.vars[var].name))
            }
            _ => problem,
        })
    }

    /// `z[t - 1]` inside a factor.
    pub fn given_member(&mut self, var: VarId, index: &'a ast::Expr, span: Span) -> Checked<Expr> {
        let local = self.member_local(var, index)?;
        Ok(self.read(local, span))
    }

    fn member_local(&mut self, var: VarId, e: &'a ast::Expr) -> Checked<LocalId> {
        let index = self.scope.members.index;
        let name = index.map(|local| self.model.locals[local].name.clone());
        let mut found = None;
        let at = self.factor_at(e, &mut found)?;
        let own = found.is_none_or(|found| {
            let bound = self.scope.names.iter().rev().find(|(n, _)| *n == found.name);
            Some(&found.name) == name.as_ref() && matches!(bound, Some((_, Binding::Local(local, _))) if Some(*local) == index)
        });
        let local = self.scope.members.members.iter().find(|(v, a, _)| *v == var && *a == at).map(|(.., local)| *local);
        local.filter(|_| own).ok_or_else(|| {
            let declared = &self.model.vars[var];
            let problem =
                Diagnostic::new(Code::LatentWithoutValue, format!("this member of `{}` is not a given of this factor", declared.name));
            let problem = problem.label(e.span, "used here").label(declared.span, "declared here");
            problem.help(format!("condition on it: `p(… | {}[…])`", declared.name)).into()
        })
    }
}

fn not_a_member(span: Span) -> Diagnostic {
    let problem = Diagnostic::new(Code::WrongKind, "a member is named by a number, or by the index plus or minus a number").at(span);
    problem.help("write `z[1]`, `z[t]`, `z[t-1]`")
}
