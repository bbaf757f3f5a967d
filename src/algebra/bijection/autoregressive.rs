//! Maps whose elements depend on those before them, in some order: yᵢ = g(uᵢ; u of earlier elements), with g invertible in uᵢ.
//!
//! The order is found from the dependence of elements. The inverse finds one level of the order in each turn of a loop (Song, Meng,
//! Ermon: Accelerating feedforward computation via parallel nonlinear equation solving, 2021, proposition 1: exact after as many turns as
//! there are levels). The Jacobian is triangular, so its determinant is the product of the slopes of g in uᵢ.

use super::dependence::Dependence;
use super::elementwise::{OneUnknown, binary_inverse, binary_slope, log_abs, unary_inverse, unary_slope};
use super::solver::Solver;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, UnaryOp};
use crate::graph::{NodeId, Op, TensorType};
use crate::pass::derivative;
use std::collections::{BTreeMap, HashMap};

/// A node as a function of another, element by element, beside what earlier elements make known.
struct Region {
    y: NodeId,
    u: NodeId,
    /// The elementwise operations from u to y, operands first
    inside: Vec<NodeId>,
    /// Depend on earlier elements only
    earlier: Vec<NodeId>,
    /// For each element of y, after how many others it can be found
    levels: Vec<usize>,
}

/// Values of nodes of the map in the graph that is being built.
type Values = HashMap<NodeId, NodeId>;

impl Solver<'_, '_> {
    /// Uses one equation that is stuck because all operands are unknown, if its elements can be found one after the other.
    pub(super) fn sweep(&mut self) -> Result<bool> {
        for y in self.pending().to_vec() {
            for u in self.bottlenecks(y) {
                let Some(region) = self.region(y, u) else { continue };
                if !self.is_given() && self.chain(&region).is_none() && !self.is_affine(&region) {
                    continue;
                }
                let span = self.map.node(y).span;
                self.b().span = span;
                self.undo_region(&region)?;
                self.settled(y);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The unknown nodes through which all of a node's dependence on the argument passes, nearest first.
    fn bottlenecks(&self, y: NodeId) -> Vec<NodeId> {
        let unknown = self.ancestors(y, None);
        let shape = self.map.shape(y);
        let fits = |u: &NodeId| *u != y && self.map.shape(*u) == shape && self.map.axes(*u) == self.map.axes(y) && !self.in_pieces(*u);
        let mut found: Vec<NodeId> = unknown.iter().copied().filter(fits).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        let argument = self.map.argument;
        found.retain(|u| *u == argument || !self.ancestors(y, Some(*u)).iter().any(|&a| a == argument || self.in_pieces(a)));
        found
    }

    /// What a node depends on and is not known, itself included; not what lies behind `cut`.
    fn ancestors(&self, y: NodeId, cut: Option<NodeId>) -> Vec<NodeId> {
        let mut open = vec![y];
        let mut seen = vec![];
        let mut marked = vec![false; self.map.graph.nodes.len()];
        while let Some(id) = open.pop() {
            if Some(id) == cut || (id != y && self.is_known(id)) || std::mem::replace(&mut marked[id.index()], true) {
                continue;
            }
            seen.push(id);
            open.extend(&self.map.node(id).args);
        }
        seen
    }

    /// The elementwise part between u and y, if the elements of y can be put in an order.
    fn region(&self, y: NodeId, u: NodeId) -> Option<Region> {
        let mut dependence = Dependence::on(self.lowering, self.map, Some(u));
        let plates = self.map.axes(y);
        let rows = dependence.rows(y, &plates);
        let levels = levels(rows.len(), |i, j| rows[i].depends_on(j))?;
        let mut region = Region { y, u, inside: vec![], earlier: vec![], levels };
        // Users before their operands, with the elements that matter: those multiplied by a structural zero do not.
        let mut open: BTreeMap<NodeId, Vec<bool>> = BTreeMap::from([(y, vec![true; rows.len()])]);
        while let Some((id, matters)) = open.pop_last() {
            if id == u || (id != y && self.is_known(id)) {
                continue;
            }
            let node = self.map.node(id);
            let own = dependence.rows(id, &self.map.axes(id));
            let elements = || (0..rows.len()).filter(|&i| matters[i]);
            let is_earlier = id != y && own.len() == rows.len() && elements().all(|i| !own[i].depends_on(i));
            if is_earlier {
                // Elements may only wait for those on which y itself waits.
                if elements().any(|i| (0..rows.len()).any(|j| own[i].depends_on(j) && !rows[i].depends_on(j))) {
                    return None;
                }
                region.earlier.push(id);
                continue;
            }
            if !is_elementwise(&node.op, self.map.shape(*node.args.first()?), &node.ty.shape) {
                return None;
            }
            region.inside.push(id);
            for (at, &arg) in node.args.iter().enumerate() {
                let used = match &node.op {
                    Op::Binary(BinaryOp::Mul) => {
                        let other = dependence.rows(node.args[1 - at], &plates);
                        elements().map(|i| (i, other[i].nonzero)).collect::<Vec<_>>()
                    }
                    _ => elements().map(|i| (i, true)).collect(),
                };
                let wanted = open.entry(arg).or_insert_with(|| vec![false; rows.len()]);
                used.into_iter().for_each(|(i, used)| wanted[i] |= used);
            }
        }
        region.inside.sort_unstable();
        Some(region)
    }

    /// The operations from y to u where each has one operand that depends on u: y first.
    fn chain(&self, region: &Region) -> Option<Vec<NodeId>> {
        let mut chain = vec![];
        let mut at = region.y;
        while at != region.u {
            chain.push(at);
            let node = self.map.node(at);
            let within = |arg: &&NodeId| **arg == region.u || region.inside.contains(arg);
            let mut inside = node.args.iter().filter(within);
            let next = inside.next().copied();
            let known = match &node.op {
                Op::Unary(op) => invertible(*op),
                Op::Binary(op) => matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div),
                Op::Select => false,
                _ => true,
            };
            if inside.next().is_some() || !known {
                return None;
            }
            at = next?;
        }
        Some(chain)
    }

    /// Whether y is affine in uᵢ with all else fixed.
    fn is_affine(&self, region: &Region) -> bool {
        let mut degree: HashMap<NodeId, usize> = HashMap::from([(region.u, 1)]);
        for &id in &region.inside {
            let node = self.map.node(id);
            let of = |arg: usize| degree.get(&node.args[arg]).copied().unwrap_or(0);
            let all = (0..node.args.len()).map(of);
            let own = match &node.op {
                Op::Binary(BinaryOp::Add | BinaryOp::Sub) => of(0).max(of(1)),
                Op::Binary(BinaryOp::Mul) => of(0) + of(1),
                Op::Binary(BinaryOp::Div) if of(1) == 0 => of(0),
                Op::Unary(UnaryOp::Neg) => of(0),
                Op::Select if of(0) == 0 => of(1).max(of(2)),
                Op::Reshape(_) | Op::Broadcast { .. } => of(0),
                _ => all.sum::<usize>() * 2,
            };
            degree.insert(id, own);
        }
        degree.get(&region.y) == Some(&1)
    }

    fn undo_region(&mut self, region: &Region) -> Result<()> {
        let mut around = self.around(region)?;
        if self.is_given() {
            self.establish(region.u, None)?;
        } else {
            let y = self.value(region.y)?;
            around.insert(region.y, y);
            let u = match region.levels.iter().max() {
                None | Some(0) => self.update(region, &around)?,
                Some(last) => self.turns(region, &around, last + 1)?,
            };
            self.establish(region.u, Some(u))?;
        }
        let u = self.value(region.u)?;
        let mut values = around;
        values.insert(region.u, u);
        for &id in &region.earlier {
            let value = self.value(id)?;
            values.insert(id, value);
        }
        let slope = self.region_slope(region, &values)?;
        self.slope(region.y, Some(slope)).map(|_| ())
    }

    /// The values of what is known and used between u and y.
    fn around(&mut self, region: &Region) -> Result<Values> {
        let between = self.ancestors(region.y, Some(region.u));
        let mut values = Values::new();
        for id in between {
            for arg in self.map.node(id).args.clone() {
                if self.is_known(arg) {
                    let value = self.value(arg)?;
                    values.insert(arg, value);
                }
            }
        }
        Ok(values)
    }

    /// Level after level, in a loop.
    fn turns(&mut self, region: &Region, around: &Values, count: usize) -> Result<NodeId> {
        let ty = TensorType::real(self.map.shape(region.y).to_vec());
        let start = self.b().fill(0.0, DType::Real, &ty.shape);
        let levels = self.level_array(region);
        let frame = self.lowering.frames.current();
        self.lowering.frames.enter();
        let turn = self.b().input("turn", TensorType::int([]));
        let guess = self.b().input("carry", ty.clone());
        let mut inner: Values = around.iter().map(|(&id, &node)| (id, self.lowering.frames.node(frame, node))).collect();
        inner.insert(region.u, guess);
        let updated = self.found_level(region, &mut inner, (frame, levels), turn);
        let closed = updated.and_then(|updated| self.lowering.frames.leave(&[updated]))?;
        let results = self.b().scan(closed.graph, &[start], &[], &closed.constants, count, false);
        results.first().copied().ok_or_else(|| Diagnostic::internal("a loop without result"))
    }

    /// Elements up to the level of this turn; those above stay 0, so that nothing undefined spreads from them.
    fn found_level(
        &mut self,
        region: &Region,
        values: &mut Values,
        (frame, levels): (crate::algebra::frame::FrameId, NodeId),
        turn: NodeId,
    ) -> Result<NodeId> {
        for id in self.order(region) {
            self.compute(id, values);
        }
        let updated = self.update(region, values)?;
        let levels = self.lowering.frames.node(frame, levels);
        let shape = self.b().shape(updated).to_vec();
        let turn = self.b().spread(turn, &shape);
        let found = self.b().compare(CompareOp::Le, levels, turn);
        let zero = self.b().fill_like(0.0, updated);
        Ok(self.b().select(found, updated, zero))
    }

    /// What the earlier elements make known, operands first.
    fn order(&self, region: &Region) -> Vec<NodeId> {
        let mut needed: Vec<NodeId> = region.earlier.iter().flat_map(|&id| self.ancestors(id, Some(region.u))).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    fn compute(&mut self, id: NodeId, values: &mut Values) {
        let node = self.map.node(id);
        let args: Vec<NodeId> = node.args.iter().filter_map(|arg| values.get(arg).copied()).collect();
        let value = self.b().push(node.op.clone(), &args);
        values.insert(id, value);
    }

    /// u from y and from what is known.
    fn update(&mut self, region: &Region, values: &Values) -> Result<NodeId> {
        let y = value_of(values, region.y)?;
        let Some(chain) = self.chain(region) else { return self.affine_update(region, values, y) };
        let mut value = y;
        for id in chain {
            let inverse = match &self.map.node(id).op {
                Op::Unary(op) => unary_inverse(self.b(), *op, value),
                Op::Binary(op) => {
                    let of = self.one_unknown(id, *op, region, values)?;
                    binary_inverse(self.b(), of, value)
                }
                _ => Some(value),
            };
            value = inverse.ok_or_else(|| self.stuck(id))?;
        }
        Ok(value)
    }

    fn one_unknown(&self, id: NodeId, op: BinaryOp, region: &Region, values: &Values) -> Result<OneUnknown> {
        let args = &self.map.node(id).args;
        let first = args[0] == region.u || region.inside.contains(&args[0]);
        let known = if first { args[1] } else { args[0] };
        Ok(OneUnknown { op, first, known: value_of(values, known)? })
    }

    /// u = (y − g(0)) / g′
    fn affine_update(&mut self, region: &Region, values: &Values, y: NodeId) -> Result<NodeId> {
        let zero = self.b().fill_like(0.0, y);
        let (at_zero, slope) = self.image_and_slope(region, values, zero)?;
        let b = self.b();
        let rest = b.sub(y, at_zero);
        Ok(b.div(rest, slope))
    }

    /// g(u) and g′(u), what else is known being fixed.
    fn image_and_slope(&mut self, region: &Region, values: &Values, u: NodeId) -> Result<(NodeId, NodeId)> {
        let u = self.b().distinct(u);
        let mut values = values.clone();
        values.insert(region.u, u);
        for &id in &region.inside {
            self.compute(id, &mut values);
        }
        let image = value_of(&values, region.y)?;
        let ones = self.b().fill_like(1.0, u);
        let slope = derivative::tangent(self.b(), &[image], &[u], &[ones])?;
        Ok((image, slope[0]))
    }

    /// log |∂yᵢ/∂uᵢ|
    fn region_slope(&mut self, region: &Region, values: &Values) -> Result<NodeId> {
        let Some(chain) = self.chain(region) else {
            // The slope is a function of u, through which gradients flow.
            let u = value_of(values, region.u)?;
            let (_, slope) = self.image_and_slope(region, values, u)?;
            return Ok(log_abs(self.b(), slope));
        };
        let mut values = values.clone();
        for &id in &region.inside {
            self.compute(id, &mut values);
        }
        let shape = self.map.shape(region.y).to_vec();
        let mut total = self.b().fill(0.0, DType::Real, &shape);
        for id in chain {
            let node = self.map.node(id);
            let slope = match &node.op {
                Op::Unary(op) => {
                    let (x, y) = (value_of(&values, node.args[0])?, value_of(&values, id)?);
                    unary_slope(self.b(), *op, x, y)
                }
                Op::Binary(op) => {
                    let of = self.one_unknown(id, *op, region, &values)?;
                    let x = if of.first { node.args[0] } else { node.args[1] };
                    let (x, y) = (value_of(&values, x)?, value_of(&values, id)?);
                    binary_slope(self.b(), of, x, y)
                }
                _ => continue,
            };
            let slope = slope.ok_or_else(|| self.stuck(id))?;
            total = self.b().add(total, slope);
        }
        Ok(total)
    }

    /// The level of each element, the same in all cells of the plates.
    fn level_array(&mut self, region: &Region) -> NodeId {
        let shape = self.map.shape(region.y).to_vec();
        let plates = self.map.axes(region.y);
        let own: Vec<usize> = (0..shape.len()).filter(|axis| !plates.contains(axis)).collect();
        let sizes: Vec<usize> = own.iter().map(|&axis| shape[axis]).collect();
        let levels: Vec<f64> = region.levels.iter().map(|&level| level as f64).collect();
        let literal = self.b().literal(DType::Int, &sizes, &levels);
        self.b().broadcast(literal, &shape, &own)
    }
}

fn value_of(values: &Values, id: NodeId) -> Result<NodeId> {
    values.get(&id).copied().ok_or_else(|| Diagnostic::internal("a node of a map without value"))
}

/// Those of which [`unary_inverse`] knows the inverse.
fn invertible(op: UnaryOp) -> bool {
    use UnaryOp::*;
    matches!(op, Neg | Exp | Expm1 | Log | Log1p | Sqrt | Recip | Tanh | Sigmoid | Softplus | Erf | ErfInv)
}

/// An operation on elements at the same place, or one that hands its operand on as it is.
fn is_elementwise(op: &Op, from: &[usize], to: &[usize]) -> bool {
    match op {
        Op::Unary(_) | Op::Binary(_) | Op::Select => true,
        Op::Reshape(_) | Op::Broadcast { .. } => from == to,
        _ => false,
    }
}

/// For each element, the length of the longest way through the others on which it depends; `None` where these ways form a circle.
fn levels(count: usize, depends: impl Fn(usize, usize) -> bool) -> Option<Vec<usize>> {
    let mut levels: Vec<Option<usize>> = vec![None; count];
    for level in 0..count.max(1) {
        let ready =
            |i: &usize| levels[*i].is_none() && (0..count).all(|j| j == *i || !depends(*i, j) || levels[j].is_some_and(|l| l < level));
        let now: Vec<usize> = (0..count).filter(ready).collect();
        if now.is_empty() {
            break;
        }
        now.into_iter().for_each(|i| levels[i] = Some(level));
    }
    levels.into_iter().collect()
}
