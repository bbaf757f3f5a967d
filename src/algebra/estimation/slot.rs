//! Where a learned parameter stands in a factor: as a parameter of its distribution, whole or chosen by finite values.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::record::Record;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::check::model::{Expr, ExprKind, LocalId, ParamId, Pattern, Stmt, StmtKind, Subscript};
use crate::check::types::Type;

/// `mu`, or `mu[k]` with the value of `k` in each cell.
#[derive(Clone)]
pub(super) struct Slot {
    pub param: ParamId,
    /// The whole numbers that choose along its first axes
    pub indices: Vec<Array>,
}

impl<'m> Lowering<'m> {
    /// For each parameter of a factor's distribution, the learned parameter that stands there and nowhere else in the factor.
    pub(super) fn slots(&mut self, record: &Record<'m>, learned: &[ParamId]) -> Result<Vec<Option<Slot>>> {
        let mut lets = vec![];
        let Some(args) = arguments(record.factor.dist, &mut lets) else {
            return Ok(record.distribution.params.iter().map(|_| None).collect());
        };
        let places: Vec<_> = args.iter().map(|arg| place(arg, &lets)).collect();
        self.replayed(record, &[], |this, record| {
            let mut slots = vec![];
            for (position, found) in places.into_iter().enumerate() {
                let usable = found.filter(|(id, _)| learned.contains(id) && this.stands_alone(record, *id, position));
                slots.push(match usable {
                    Some((param, indices)) if this.supports_agree(record, param, position) => {
                        let indices = indices.into_iter().map(|index| this.eval_array(index));
                        let indices = indices.collect::<Result<Vec<_>>>()?;
                        let indices = indices.iter().map(|index| this.cast(index, DType::Int)).collect();
                        Some(Slot { param, indices })
                    }
                    _ => None,
                });
            }
            Ok(slots)
        })
    }

    /// Whether no other parameter of the distribution depends on it.
    fn stands_alone(&self, record: &Record<'m>, id: ParamId, position: usize) -> bool {
        let graph = self.frames.graph(0);
        let raw = self.raw_params[&id].node;
        let others = record.distribution.params.iter().enumerate().filter(|(other, _)| *other != position);
        others.into_iter().all(|(_, param)| !super::depends(graph, param.node, raw))
    }

    /// Whether every value that a rule may yield is one of the learned parameter.
    fn supports_agree(&self, record: &Record<'m>, id: ParamId, position: usize) -> bool {
        let dist = &self.model.dists[record.distribution.dist];
        match (&self.model.params[id].ty, &self.model.locals[dist.params[position]].ty) {
            (Type::Array(learned), Type::Array(declared)) => learned.support == declared.support,
            _ => false,
        }
    }
}

impl Slot {
    /// Whether the same values choose.
    pub fn chooses_as(&self, other: &Slot) -> bool {
        let key = |slot: &Slot| slot.indices.iter().map(|index| (index.frame, index.node, index.plates.clone())).collect::<Vec<_>>();
        self.param == other.param && key(self) == key(other)
    }
}

/// The arguments of the distribution that an expression names, behind blocks; the `let`s of these.
pub(super) fn arguments<'e>(expr: &'e Expr, lets: &mut Vec<(LocalId, &'e Expr)>) -> Option<&'e [Expr]> {
    match &expr.kind {
        ExprKind::Dist(_, args) => Some(args),
        ExprKind::Block(stmts, tail) => {
            for stmt in stmts {
                if let Stmt { kind: StmtKind::Let(Pattern::Local(local), value), .. } = stmt {
                    lets.push((*local, value));
                }
            }
            arguments(tail, lets)
        }
        _ => None,
    }
}

/// The parameter that an expression is, and what chooses along its first axes.
pub(super) fn place<'e>(expr: &'e Expr, lets: &[(LocalId, &'e Expr)]) -> Option<(ParamId, Vec<&'e Expr>)> {
    match &expr.kind {
        ExprKind::Param(id) => Some((*id, vec![])),
        ExprKind::Local(local) => lets.iter().find(|(known, _)| known == local).and_then(|(_, value)| place(value, lets)),
        ExprKind::Subscript(base, subscripts) => {
            let (id, mut indices) = place(base, lets)?;
            for subscript in subscripts {
                match subscript {
                    Subscript::At(index) => indices.push(index),
                    Subscript::Range { .. } => return None,
                }
            }
            Some((id, indices))
        }
        _ => None,
    }
}
