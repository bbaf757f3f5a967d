//! Chains of states in one direction: which factors of a density are their kernels, and a kernel at a time that is a value.

use super::super::leaves::tensor_type;
use super::super::lowering::{IndexPlate, Lowering};
use super::super::value::{Array, Distribution, Value};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{At, DensityId, LocalId, MemberFactor, VarId};

/// From which neighbour a member follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `q(x[t] | x[t-1])`
    Forward,
    /// `p(x[t-1] | x[t])`
    Backward,
}

/// Members x[first], …, x[last], each but one end given its neighbour.
#[derive(Clone, Debug)]
pub struct Chain<'m> {
    pub density: DensityId,
    pub var: VarId,
    pub first: i64,
    pub last: i64,
    /// In the order of their members, which they cover without gaps
    pub kernels: Vec<Kernel<'m>>,
}

/// A factor of neighbours, for a run of members.
#[derive(Clone, Debug)]
pub struct Kernel<'m> {
    pub factor: &'m MemberFactor,
    /// The members that it gives: the number of the first, and how many
    pub from: i64,
    pub count: usize,
}

impl Kernel<'_> {
    pub fn span(&self) -> Span {
        self.factor.span
    }

    /// The factor's index is the member's number minus this.
    fn shift(&self) -> i64 {
        self.from - self.factor.index.as_ref().map_or(self.from, |index| index.first)
    }
}

impl Chain<'_> {
    /// Whether kernels depend on other variables.
    pub fn has_givens(&self) -> bool {
        self.kernels.iter().any(|kernel| !kernel.factor.given.is_empty())
    }

    pub fn span(&self) -> Span {
        self.kernels.first().map_or_else(Span::default, Kernel::span)
    }
}

impl<'m> Lowering<'m> {
    /// The chain of a variable in a density, if each of its members but one end has a factor that is given its neighbour, and no other
    /// member.
    pub(in crate::algebra) fn chain_of(&self, id: DensityId, var: VarId, direction: Direction) -> Option<Chain<'m>> {
        let (first, last) = self.model.vars[var].members()?;
        let (neighbour, end) = match direction {
            Direction::Forward => (-1, first),
            Direction::Backward => (1, last),
        };
        let mut kernels = vec![];
        for factor in self.model.densities[id].chain.iter().filter(|factor| factor.target == var) {
            let (start, count) = (factor.indices().next()?, factor.indices().count());
            let from = factor.at?.member(start);
            match &factor.members[..] {
                [] if from == end && count == 1 => continue,
                [given] if given.var == var && given.at.member(start) == from + neighbour => {}
                _ => return None,
            }
            if count > 1 && !matches!((factor.at, factor.members[0].at), (Some(At::Offset(_)), At::Offset(_))) {
                return None;
            }
            kernels.push(Kernel { factor, from, count });
        }
        kernels.sort_by_key(|kernel| kernel.from);
        let mut next = if direction == Direction::Forward { first + 1 } else { first };
        for kernel in &kernels {
            if kernel.from != next {
                return None;
            }
            next += kernel.count as i64;
        }
        let beyond = if direction == Direction::Forward { last + 1 } else { last };
        (next == beyond && !kernels.is_empty()).then_some(Chain { density: id, var, first, last, kernels })
    }

    /// The chain of which a density is the process, in the direction of time.
    pub(in crate::algebra) fn forward_chain(&self, id: DensityId) -> Result<Chain<'m>> {
        let density = &self.model.densities[id];
        let var = density.process.as_ref().map(|process| process.var);
        var.and_then(|var| self.chain_of(id, var, Direction::Forward)).ok_or_else(|| {
            let problem = Diagnostic::new(Code::NoRule, format!("the factors of `{}` are no chain in the direction of time", density.name));
            problem.at(density.span).help("give each member but the first a factor of the one before: `q(x[t] | x[t-1]) = …`")
        })
    }

    /// The shape of one member.
    pub(in crate::algebra) fn state_shape(&self, var: VarId) -> Result<Vec<usize>> {
        Ok(tensor_type(&self.model.vars[var].member_type())?.shape)
    }

    /// The distribution of all members of a kernel at once, along a plate, given a value for the neighbour of each.
    pub(super) fn kernel_along(
        &mut self,
        chain: &Chain<'m>,
        kernel: &Kernel<'m>,
        plate: super::super::value::PlateId,
        given: &Array,
    ) -> Result<Distribution> {
        let first = kernel.from - kernel.shift();
        let index = self.counting(plate, first);
        self.scope.push(plate);
        let found = self.kernel_with(chain, kernel, index, Some(IndexPlate { plate, first }), given);
        self.scope.pop();
        found
    }

    /// The distribution of one member, whose number is a value, given a value for its neighbour.
    pub(in crate::algebra) fn kernel_at(
        &mut self,
        chain: &Chain<'m>,
        kernel: &Kernel<'m>,
        member: &Array,
        given: &Array,
    ) -> Result<Distribution> {
        let shift = self.int(-kernel.shift());
        let index = self.add(member, &shift)?;
        self.kernel_with(chain, kernel, index, None, given)
    }

    fn kernel_with(
        &mut self,
        chain: &Chain<'m>,
        kernel: &Kernel<'m>,
        index: Array,
        plate: Option<IndexPlate>,
        given: &Array,
    ) -> Result<Distribution> {
        let factor = kernel.factor;
        let member = factor.members.first().ok_or_else(|| Diagnostic::internal("a kernel without a given member"))?;
        let mut names: Vec<(LocalId, Value)> = vec![(member.local, given.clone().into())];
        names.extend(factor.index.as_ref().map(|own| (own.local, index.into())));
        let old: Vec<(LocalId, Option<Value>)> =
            names.into_iter().map(|(local, value)| (local, self.locals.insert(local, value))).collect();
        if let (Some(own), Some(plate)) = (&factor.index, plate) {
            self.indices.insert(own.local, plate);
        }
        let frozen = self.frozen || self.model.densities[chain.density].frozen;
        let outer = std::mem::replace(&mut self.frozen, frozen);
        let found = self.eval(&factor.dist);
        self.frozen = outer;
        if let Some(own) = &factor.index {
            self.indices.remove(&own.local);
        }
        for (local, value) in old.into_iter().rev() {
            match value {
                Some(value) => self.locals.insert(local, value),
                None => self.locals.remove(&local),
            };
        }
        found?.distribution()
    }
}
