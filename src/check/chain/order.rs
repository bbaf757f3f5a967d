//! The factors between members must not form a circle: each member follows from members that stand before it.

use super::super::checker::Checker;
use super::super::model::{DensityId, MemberFactor, VarId};
use crate::base::{Code, Diagnostic};
use std::collections::HashMap;

impl Checker<'_> {
    /// Reports the factors of the members that wait for each other.
    pub fn check_members_acyclic(&mut self, id: DensityId, factors: &[MemberFactor]) {
        let key = |var: VarId, number: i64| (var, if self.model.vars[var].members().is_some() { number } else { 0 });
        let mut waits: HashMap<(VarId, i64), usize> = HashMap::new();
        let mut awaited: HashMap<(VarId, i64), Vec<(VarId, i64)>> = HashMap::new();
        let mut made_by: HashMap<(VarId, i64), usize> = HashMap::new();
        let nodes = |factor: &MemberFactor, index: i64| {
            let target = key(factor.target, factor.at.map_or(0, |at| at.member(index)));
            let parents: Vec<(VarId, i64)> = factor.members.iter().map(|m| key(m.var, m.at.member(index))).collect();
            (target, parents)
        };
        for (i, factor) in factors.iter().enumerate() {
            for index in factor.indices() {
                made_by.insert(nodes(factor, index).0, i);
            }
        }
        for factor in factors {
            for index in factor.indices() {
                let (target, parents) = nodes(factor, index);
                let parents: Vec<_> = parents.into_iter().filter(|parent| made_by.contains_key(parent)).collect();
                waits.insert(target, parents.len());
                parents.into_iter().for_each(|parent| awaited.entry(parent).or_default().push(target));
            }
        }
        let mut ready: Vec<(VarId, i64)> = waits.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
        while let Some(node) = ready.pop() {
            waits.remove(&node);
            for next in awaited.remove(&node).unwrap_or_default() {
                if let Some(count) = waits.get_mut(&next) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(next);
                    }
                }
            }
        }
        let mut circle: Vec<usize> = waits.keys().filter_map(|node| made_by.get(node).copied()).collect();
        circle.sort_unstable();
        circle.dedup();
        let Some(&first) = circle.first() else { return };
        let name = &self.heads[id.index()].name;
        let mut problem = Diagnostic::new(Code::Cycle, format!("the factors of `{name}` depend on each other in a circle"))
            .label(factors[first].span, "this factor needs what it gives");
        for &other in circle.iter().filter(|&&other| factors[other].span != factors[first].span) {
            problem = problem.label(factors[other].span, "and this one in turn");
        }
        self.report(problem.help("a member may be given members whose factors do not need it: earlier ones, or later ones, not both"));
    }
}
