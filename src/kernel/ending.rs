//! Loops whose rows end one by one: every row of the carries goes its own way, and one that is done stays as it is. A back end may
//! then leave out the rows that are done, where the loop itself goes on until all are.

use super::place::Access;
use super::stage::fit;
use super::{BufferId, Kernels, Place, Split, Step, Strand};
use crate::base::op::{BinaryOp, DType, ReduceOp};
use crate::graph::{Graph, NodeId, Op};
use std::collections::HashSet;

/// How the rows of a loop end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    pub rows: usize,
    /// The carry that tells for each row whether it goes on
    pub active: usize,
    /// An integer for each row, for whoever changes their order
    pub order: BufferId,
}

/// A body without its last result, whether any row goes on, and the carry that tells of each row whether it does. None where a row
/// that is done might change. The body's inputs are turn, carries, constants.
pub fn without_rows_done(condition: &Graph, body: &Graph, carries: usize) -> Option<(Graph, usize)> {
    let last = carries.checked_sub(1)?;
    let flag = condition.node(*condition.outputs.first()?);
    let any = body.node(*body.outputs.get(last)?);
    let (Op::Input(number), Op::Reduce { op: ReduceOp::Or, .. }) = (&flag.op, &any.op) else { return None };
    let active = body.outputs[..last].iter().position(|output| *output == any.args[0])?;
    let done = Done { body, active: 1 + active };
    let stays = |(carry, &output): (usize, &NodeId)| if carry == active { done.is_false(output) } else { done.is_input(output, 1 + carry) };
    let fits = *number == carries && any.ty.len() == 1 && body.ty(any.args[0]).dtype == DType::Bool;
    (fits && body.outputs[..last].iter().enumerate().all(stays)).then(|| {
        let mut rest = body.clone();
        // Nobody reads it any more
        if let Some(any) = rest.outputs.pop() {
            let node = &mut rest.nodes[any.index()];
            node.op = Op::Fill { bits: 0, dtype: DType::Bool, shape: node.ty.shape.clone() };
            node.args.clear();
        }
        (rest, active)
    })
}

/// What a body computes for a row that is done.
struct Done<'a> {
    body: &'a Graph,
    /// The input that is false there
    active: usize,
}

impl Done<'_> {
    fn is_false(&self, id: NodeId) -> bool {
        let node = self.body.node(id);
        match &node.op {
            Op::Input(number) => *number == self.active,
            Op::Binary(BinaryOp::And) => node.args.iter().any(|&arg| self.is_false(arg)),
            Op::Broadcast { .. } | Op::Reshape(_) => self.is_false(node.args[0]),
            _ => false,
        }
    }

    /// The value of that input.
    fn is_input(&self, id: NodeId, number: usize) -> bool {
        let node = self.body.node(id);
        match &node.op {
            Op::Input(found) => *found == number,
            Op::Select if self.is_false(node.args[0]) => self.is_input(node.args[2], number),
            _ => false,
        }
    }
}

impl Kernels {
    /// Whether each row of the results is computed from the same row of the carries and from what all rows share, in strands of
    /// that many rows. Inputs are turn, carries, constants.
    pub(super) fn keeps_rows_apart(&self, rows: usize, carries: usize) -> bool {
        let is_carry = |id: BufferId| matches!(self.buffers[id].place, Place::Input(number) if (1..=carries).contains(&number));
        let mut own: HashSet<BufferId> = self.outputs.iter().copied().collect();
        own.extend(self.buffers.iter().map(|(id, _)| id).filter(|&id| is_carry(id)));
        let by_rows = |strand: &Strand| matches!(&strand.split, Split::Rows(split) if split.rows == rows);
        let strands = || self.stages.iter().flat_map(|stage| &stage.strands);
        let written = strands().filter(|strand| by_rows(strand)).flat_map(|strand| &self.steps[strand.steps.clone()]);
        own.extend(written.flat_map(|step| step.touched(Some(Access::Write))));
        let is_apart = |step: &Step| {
            let fit = fit(step, rows, &self.buffers).filter(|fit| !fit.cut);
            fit.is_some_and(|fit| step.touched(None).iter().all(|id| own.contains(id) != fit.crossing.contains(id)))
        };
        let is_shared = |step: &Step| step.bodies().next().is_none() && step.touched(None).iter().all(|id| !own.contains(id));
        strands().all(|strand| {
            let steps = &self.steps[strand.steps.clone()];
            if by_rows(strand) { steps.iter().all(is_apart) } else { steps.iter().all(is_shared) }
        })
    }
}

impl Step {
    /// The buffers that the step reads or writes, or those of one kind of access.
    fn touched(&self, only: Option<Access>) -> Vec<BufferId> {
        let mut found = vec![];
        self.accesses(&mut |id, access| found.extend(only.is_none_or(|only| only == access).then_some(id)));
        found
    }
}
