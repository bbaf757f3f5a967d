//! Least squares: where the log-density is quadratic in parameters, one step of Newton's method finds its maximum
//! (normal equations; Bishop: Pattern recognition and machine learning, 2006, equation 3.15).

use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use super::Weighted;
use super::rule::stands_in;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, ReduceOp, UnaryOp};
use crate::check::model::ParamId;
use crate::graph::{Graph, NodeId, Op};
use crate::pass::{self, derivative};

/// More unknowns than these are left to the gradient: the equations would be too large.
const MOST_UNKNOWNS: usize = 2048;

impl<'m> Lowering<'m> {
    /// Real parameters that are left: jointly, those that share factors.
    pub(super) fn fit_quadratic(&mut self, factors: &[Weighted<'m>], exactly: bool, fitted: &mut Vec<(ParamId, Array)>) -> Result<()> {
        let known: Vec<ParamId> = fitted.iter().map(|(id, _)| *id).collect();
        for group in groups(factors, |id| !known.contains(&id) && self.model.params[id].constraint.is_none()) {
            let scale = if exactly { self.unit_scales(factors, &group) } else { vec![] };
            let unknowns = group.iter().map(|&id| Ok(tensor_type(&self.model.params[id].ty)?.len())).sum::<Result<usize>>()?;
            if unknowns > MOST_UNKNOWNS {
                continue;
            }
            if let Some(found) = self.newton(factors, &group, &scale)? {
                let names: Vec<&str> = group.iter().map(|&id| self.param_name(id)).collect();
                let span = self.model.params[group[0]].span;
                self.note(span, format!("{}: the log-density is quadratic, so least squares finds the maximum", names.join(", ")));
                self.derive_least_squares(factors, &group);
                fitted.extend(found);
            }
        }
        Ok(())
    }

    /// A single scale for all observations does not move the maximum: it is taken as 1, and found after the rest. Observations of
    /// another factor have another scale, by which they count for more or less.
    fn unit_scales(&mut self, factors: &[Weighted<'m>], group: &[ParamId]) -> Vec<(ParamId, Array)> {
        let touched: Vec<_> = factors.iter().filter(|factor| factor.learned.iter().any(|id| group.contains(id))).collect();
        let [factor] = touched[..] else { return vec![] };
        let slots: Vec<ParamId> = (factor.slots.iter().flatten())
            .filter(|slot| slot.indices.is_empty() && !group.contains(&slot.param))
            .map(|slot| slot.param)
            .collect();
        let scalar = |id: &ParamId| tensor_type(&self.model.params[*id].ty).is_ok_and(|ty| ty.shape.is_empty());
        let scalars: Vec<ParamId> = slots.into_iter().filter(|id| scalar(id) && stands_in(factors, *id) == 1).collect();
        scalars.into_iter().map(|id| (id, self.real(1.0))).collect()
    }

    /// The maximum over the parameters of a group, from zero, with one more step for its rounding errors. `None` where the second
    /// derivative depends on them.
    fn newton(
        &mut self,
        factors: &[Weighted<'m>],
        group: &[ParamId],
        scales: &[(ParamId, Array)],
    ) -> Result<Option<Vec<(ParamId, Array)>>> {
        let Some(curvature) = self.curvature(factors, group, scales)? else { return Ok(None) };
        let factor = self.b().push(Op::Cholesky, &[curvature]);
        let mut at: Vec<(ParamId, Array)> = vec![];
        for &id in group {
            let shape = tensor_type(&self.model.params[id].ty)?.shape;
            let zero = self.b().fill(0.0, DType::Real, &shape);
            at.push((id, self.array(zero, vec![])));
        }
        for _ in 0..2 {
            let slope = self.slope(factors, &at, scales)?;
            let b = self.b();
            let forward = b.push(Op::TriangularSolve { transpose: false }, &[factor, slope]);
            let step = b.push(Op::TriangularSolve { transpose: true }, &[factor, forward]);
            let mut first = 0;
            for (_, value) in &mut at {
                let shape = self.shape(value);
                let len = shape.iter().product::<usize>();
                let (part, old) = (self.b().slice_axis(step, 0, first, first + len), self.node(value));
                let part = self.b().reshape(part, &shape);
                let new = self.b().add(old, part);
                *value = self.array(new, vec![]);
                first += len;
            }
        }
        Ok(Some(at))
    }

    /// The sum of the log-factors that mention the parameters, as a function of these; over `plate` if it is given.
    fn log_likelihood(
        &mut self,
        factors: &[Weighted<'m>],
        at: &[(ParamId, Array)],
        scales: &[(ParamId, Array)],
        plate: Option<PlateId>,
    ) -> Result<Array> {
        let mut sum = self.real(0.0);
        let bound = [at, scales].concat();
        for factor in factors.iter().filter(|factor| factor.learned.iter().any(|id| at.iter().any(|(known, _)| known == id))) {
            for (record, weight) in std::iter::once((&factor.record, &factor.weight)).chain(factor.others.iter().map(|(r, w)| (r, w))) {
                let log = self.replayed(record, &bound, |this, record| {
                    let d = this.distribution_of(record)?;
                    this.log_prob(&d, &record.value)
                })?;
                let weight = self.stop(weight);
                let weighted = self.mul(&weight, &log)?;
                let others: Vec<PlateId> = weighted.plates.iter().copied().filter(|p| Some(*p) != plate).collect();
                let total = self.sum_over(&weighted, &others);
                sum = self.add(&sum, &total)?;
            }
        }
        Ok(sum)
    }

    /// The gradient as a column.
    fn slope(&mut self, factors: &[Weighted<'m>], at: &[(ParamId, Array)], scales: &[(ParamId, Array)]) -> Result<NodeId> {
        let mut variables = vec![];
        for (id, value) in at {
            let node = self.node(value);
            let node = self.b().distinct(node);
            variables.push((*id, self.array(node, vec![])));
        }
        let total = self.log_likelihood(factors, &variables, scales, None)?;
        let (total, wrt) = (self.node(&total), variables.iter().map(|(_, v)| v.node).collect::<Vec<_>>());
        let gradients = derivative::gradient(self.b(), total, &wrt, None)?;
        let b = self.b();
        let columns: Vec<NodeId> = gradients
            .into_iter()
            .map(|gradient| {
                let len = b.ty(gradient).len();
                b.reshape(gradient, &[len, 1])
            })
            .collect();
        Ok(b.join(&columns, 0))
    }

    /// Minus the second derivative as a matrix, by forward over reverse, a row for each unknown.
    fn curvature(&mut self, factors: &[Weighted<'m>], group: &[ParamId], scales: &[(ParamId, Array)]) -> Result<Option<NodeId>> {
        let sizes = group.iter().map(|&id| Ok(tensor_type(&self.model.params[id].ty)?.len())).collect::<Result<Vec<_>>>()?;
        let count: usize = sizes.iter().sum();
        let plate = self.plate(count);
        let (mut variables, mut directions, mut first) = (vec![], vec![], 0);
        for (&id, &size) in group.iter().zip(&sizes) {
            let value = self.param(id)?;
            let shape = [&[count], &self.shape(&value)[..]].concat();
            // The matrix does not depend on where it is computed: that is what `vanish` makes sure of.
            let value = self.stop(&value);
            let copies = self.expanded(&value, &[plate]);
            let node = self.b().distinct(copies.node);
            variables.push((id, self.array(node, vec![plate])));
            let unit: Vec<f64> = (0..count * size).map(|i| f64::from(u8::from(i / size == first + i % size))).collect();
            directions.push(self.b().literal(DType::Real, &shape, &unit));
            first += size;
        }
        let total = self.log_likelihood(factors, &variables, scales, Some(plate))?;
        let total = self.expanded(&total, &[plate]);
        let wrt: Vec<NodeId> = variables.iter().map(|(_, v)| v.node).collect();
        let b = self.b();
        let ones = b.fill_like(1.0, total.node);
        let slopes = derivative::gradient(b, total.node, &wrt, Some(ones))?;
        let rows = derivative::tangent(b, &slopes, &wrt, &directions)?;
        let third = derivative::tangent(b, &rows, &wrt, &directions)?;
        if has_kinks(b.graph(), &wrt, total.node) || !self.vanish(&third)? || self.vanish(&rows)? {
            return Ok(None);
        }
        let b = self.b();
        let rows: Vec<NodeId> = rows
            .into_iter()
            .map(|row| {
                let len = b.ty(row).len() / count.max(1);
                b.reshape(row, &[count, len])
            })
            .collect();
        let matrix = b.join(&rows, 1);
        let minus = b.fill_like(-1.0, matrix);
        Ok(Some(b.binary(BinaryOp::Mul, matrix, minus)))
    }

    /// Whether nodes are zero whatever the inputs are: decided by simplification.
    pub(super) fn vanish(&mut self, nodes: &[NodeId]) -> Result<bool> {
        let graph = pass::optimise(self.b().clone().finish(nodes)?)?;
        let zero = |id: &NodeId| match &graph.node(*id).op {
            Op::Fill { bits, .. } => f64::from_bits(*bits) == 0.0,
            Op::Literal(literal) => literal.values.iter().all(|value| *value == 0.0),
            _ => false,
        };
        Ok(graph.outputs.iter().all(zero))
    }
}

/// Whether a function of the variables passes an operation whose derivatives do not tell what it does: |x| has the second derivative 0.
fn has_kinks(graph: &Graph, variables: &[NodeId], y: NodeId) -> bool {
    let first = variables.iter().map(|id| id.index()).min().unwrap_or(0);
    let mut moving = vec![false; y.index() + 1];
    variables.iter().for_each(|id| moving[id.index()] = true);
    for index in first..=y.index() {
        moving[index] |= graph.nodes[index].args.iter().any(|arg| moving[arg.index()]);
    }
    let mut seen = vec![false; y.index() + 1];
    let mut open = vec![y];
    while let Some(id) = open.pop() {
        if !moving[id.index()] || std::mem::replace(&mut seen[id.index()], true) {
            continue;
        }
        if is_kink(graph, id) {
            return true;
        }
        open.extend(&graph.node(id).args);
    }
    false
}

fn is_kink(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    match &node.op {
        Op::Unary(op) => matches!(op, UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round),
        Op::Binary(op) => matches!(op, BinaryOp::Max | BinaryOp::Min | BinaryOp::Rem | BinaryOp::FloorDiv),
        Op::Reduce { op, .. } => !matches!(op, ReduceOp::Sum | ReduceOp::Prod),
        Op::Sort { .. } | Op::Scan { .. } | Op::While { .. } | Op::Cond { .. } | Op::Stop => true,
        _ => node.ty.dtype != DType::Real,
    }
}

/// The parameters that may be found, grouped by the factors that they share.
fn groups(factors: &[Weighted<'_>], candidate: impl Fn(ParamId) -> bool) -> Vec<Vec<ParamId>> {
    let mut groups: Vec<Vec<ParamId>> = vec![];
    for factor in factors {
        let own: Vec<ParamId> = factor.learned.iter().copied().filter(|&id| candidate(id)).collect();
        let (joined, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.iter().any(|id| own.contains(id)));
        let mut group: Vec<ParamId> = joined.concat().into_iter().chain(own).collect();
        group.sort_unstable();
        group.dedup();
        apart.push(group);
        groups = apart;
    }
    groups.retain(|group| !group.is_empty());
    groups
}
