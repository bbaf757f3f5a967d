//! Loops and branches: steps whose bodies are kernels again.

use super::ending::without_rows_done;
use super::lower::{Failure, Lowered, Lowering, broken, lower};
use super::{BufferId, Carry, Cond, Ending, Kernels, Region, Scan, Step, While};
use crate::base::Diagnostic;
use crate::base::op::DType;
use crate::graph::{Graph, Node, NodeId, Op};

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
                let mut inner = lower(body, &[])?;
                let mut constants = args[carries + sequences..].to_vec();
                self.hoist_operands(&mut inner, 1 + carries + sequences, &mut constants);
                let (turn, arena) = (self.buffer(DType::Int, 1), self.buffer(DType::Real, inner.arena));
                let element = |arg: usize| self.graph.ty(node.args[arg]).len() / (*length).max(1);
                let sequences = (*carries..carries + sequences).map(|arg| (args[arg], element(arg))).collect::<Vec<_>>();
                let types = body.output_types();
                Step::Scan(Scan {
                    length: *length,
                    reverse: *reverse,
                    turn,
                    carries: self.carries(node, &args[..*carries], &results),
                    constants,
                    sequences,
                    stacked: results.iter().zip(&types).skip(*carries).map(|(&buffer, ty)| (buffer, ty.len())).collect(),
                    arena,
                    body: Box::new(inner),
                })
            }
            Op::While { condition, body, carries } => self.looped(condition, body, *carries, (node, &args, &results))?,
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

    fn looped(&mut self, condition: &Graph, body: &Graph, carries: usize, of: (&Node, &[Region], &[BufferId])) -> Result<Step, Diagnostic> {
        let (node, args, results) = of;
        let by_rows = self.by_rows(condition, body, carries)?;
        let (mut body, ending) = match by_rows {
            Some((body, ending)) => (body, Some(ending)),
            None => (lower(body, &[])?, None),
        };
        let condition = lower(condition, &[])?;
        let mut constants = args[carries..].to_vec();
        self.hoist_operands(&mut body, 1 + carries, &mut constants);
        let (turn, flag) = (self.buffer(DType::Int, 1), self.buffer(DType::Bool, 1));
        let arena = self.buffer(DType::Real, condition.arena.max(body.arena));
        let carries = self.carries(node, &args[..carries], results);
        let (condition, body) = (Box::new(condition), Box::new(body));
        Ok(Step::While(While { condition, body, turn, flag, carries, constants, arena, ending }))
    }

    /// The body of a loop whose rows end one by one.
    fn by_rows(&mut self, condition: &Graph, body: &Graph, carries: usize) -> Result<Option<(Kernels, Ending)>, Diagnostic> {
        let Some((rest, active)) = without_rows_done(condition, body, carries) else { return Ok(None) };
        let rows = rest.ty(rest.outputs[active]).len();
        let kernels = lower(&rest, &[])?;
        Ok(kernels.keeps_rows_apart(rows, carries).then(|| (kernels, Ending { rows, active, order: self.buffer(DType::Int, rows) })))
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
