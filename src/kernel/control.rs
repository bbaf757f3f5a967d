//! Loops and branches: steps whose bodies are kernels again.

use super::lower::{Failure, Lowered, Lowering, broken, lower};
use super::{BufferId, Carry, Cond, Kernels, Region, Scan, Step, While};
use crate::base::op::DType;
use crate::graph::{Node, NodeId, Op};

impl Step {
    /// The kernels of a loop or branch.
    pub fn bodies(&self) -> impl Iterator<Item = &Kernels> {
        let bodies = match self {
            Step::Loop(_) | Step::Contract(_) | Step::Library(_) => [None, None],
            Step::Scan(scan) => [Some(&scan.body), None],
            Step::While(looped) => [Some(&looped.condition), Some(&looped.body)],
            Step::Cond(cond) => [Some(&cond.then), Some(&cond.otherwise)],
        };
        bodies.into_iter().flatten().map(|body| &**body)
    }
}

impl Lowering<'_> {
    pub(super) fn control(&mut self, id: NodeId, node: &Node) -> Lowered {
        let args = node.args.iter().map(|&arg| self.region(arg)).collect::<Result<Vec<Region>, Failure>>()?;
        let results = self.results(id, node);
        let step = match &node.op {
            Op::Scan { body, carries, sequences, length, reverse } => {
                let inner = lower(body, &[])?;
                let (turn, arena) = (self.buffer(DType::Int, 1), self.buffer(DType::Real, inner.arena));
                let element = |arg: usize| self.graph.ty(node.args[arg]).len() / (*length).max(1);
                let sequences = (*carries..carries + sequences).map(|arg| (args[arg], element(arg))).collect::<Vec<_>>();
                let types = body.output_types();
                Step::Scan(Scan {
                    length: *length,
                    reverse: *reverse,
                    turn,
                    carries: self.carries(node, &args[..*carries], &results),
                    constants: args[carries + sequences.len()..].to_vec(),
                    sequences,
                    stacked: results.iter().zip(&types).skip(*carries).map(|(&buffer, ty)| (buffer, ty.len())).collect(),
                    arena,
                    body: Box::new(inner),
                })
            }
            Op::While { condition, body, carries } => {
                let (condition, body) = (lower(condition, &[])?, lower(body, &[])?);
                let (turn, flag) = (self.buffer(DType::Int, 1), self.buffer(DType::Bool, 1));
                let arena = self.buffer(DType::Real, condition.arena.max(body.arena));
                let carried = self.carries(node, &args[..*carries], &results);
                let constants = args[*carries..].to_vec();
                let (condition, body) = (Box::new(condition), Box::new(body));
                Step::While(While { condition, body, turn, flag, carries: carried, constants, arena })
            }
            Op::Cond { then, otherwise } => {
                let (then, otherwise) = (lower(then, &[])?, lower(otherwise, &[])?);
                let arena = self.buffer(DType::Real, then.arena.max(otherwise.arena));
                let (then, otherwise) = (Box::new(then), Box::new(otherwise));
                Step::Cond(Cond { condition: args[0], then, otherwise, operands: args[1..].to_vec(), results, arena })
            }
            _ => return Err(broken(self.graph, id).into()),
        };
        self.steps.push(step);
        Ok(())
    }

    /// A buffer for each result of a control node, whether or not it is used.
    fn results(&mut self, id: NodeId, node: &Node) -> Vec<BufferId> {
        let buffers: Vec<BufferId> = node.results.iter().map(|ty| self.buffer(ty.dtype, ty.len())).collect();
        for other in self.graph.ids().filter(|other| self.graph.node(*other).args.first() == Some(&id)) {
            if let Op::Project(number) = self.graph.node(other).op {
                self.of.insert(other, buffers[number]);
            }
        }
        buffers
    }

    fn carries(&mut self, node: &Node, initial: &[Region], results: &[BufferId]) -> Vec<Carry> {
        let carry = |(number, (&initial, &result)): (usize, (&Region, &BufferId))| {
            let ty = &node.results[number];
            Carry { initial, result, spare: self.buffer(ty.dtype, ty.len()), len: ty.len() }
        };
        initial.iter().zip(results).enumerate().map(carry).collect()
    }
}
