//! Transitions of Gaussian chains between running times, and the law of a state between two others.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::chain::{Chain, Kernel};
use super::coefficient::Coefficient;
use super::transition::{Moments, Transition};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::DensityId;
use crate::graph::{Graph, NodeId, Op};

impl<'m> Lowering<'m> {
    /// x[to] given x[from], of a density that is a Gaussian chain. Times are whole numbers that may vary; outside of the declared
    /// range, and where `to` comes before `from`, everything is NaN.
    pub(super) fn chain_transition(&mut self, density: DensityId, from: &Array, to: &Array) -> Result<Transition> {
        let chain = self.forward_chain(density)?;
        self.transition_of(&chain, from, to)
    }

    pub(super) fn transition_of(&mut self, chain: &Chain<'m>, from: &Array, to: &Array) -> Result<Transition> {
        let tables = self.chain_tables(chain)?;
        if self.steps_between(from, to) == Some(1) {
            return self.at_member(&tables.step, tables.first + 1, to);
        }
        let late = self.at_member(&tables.total, tables.first, to)?;
        if self.whole_number(from) == Some(tables.first) {
            return Ok(late);
        }
        let early = self.at_member(&tables.total, tables.first, from)?;
        let step = self.at_member(&tables.step, tables.first + 1, to)?;
        let (zero, one, gap) = (self.int(0), self.int(1), self.sub(to, from)?);
        if step.has_matrix() {
            let problem = Diagnostic::unsupported("a law between two running members of a chain whose coefficients are matrices");
            return Err(problem.at(chain.span()).help("neighbours `x[t-1]`, `x[t]` and the first member are supported"));
        }
        let (adjacent, ordered) = (self.compare(CompareOp::Eq, &gap, &one)?, self.compare(CompareOp::Ge, &gap, &zero)?);
        // By division and subtraction, except for neighbours, of which a difference would be small.
        let ratio = self.binary(BinaryOp::Div, late.signal.array(), early.signal.array())?;
        let signal = self.select(&adjacent, step.signal.array(), &ratio)?;
        let before = self.mul(&signal, early.var.array())?;
        let before = self.mul(&signal, &before)?;
        let added = self.sub(late.var.array(), &before)?;
        let var = self.select(&adjacent, step.var.array(), &added)?;
        let nan = self.real(f64::NAN);
        let var = self.select(&ordered, &var, &nan)?;
        let shift = match (&late.shift, &early.shift, &step.shift) {
            (Some(late), Some(early), Some(step)) => {
                let moved = self.mul(&signal, early)?;
                let between = self.sub(late, &moved)?;
                Some(self.select(&adjacent, step, &between)?)
            }
            _ => None,
        };
        let of_kind = |kind: &Coefficient, array: Array| kind.with(array);
        Ok(Transition { signal: of_kind(&step.signal, signal), shift, var: of_kind(&late.var, var) })
    }

    /// How many steps lie between two times, where that is known: times are a value plus constants.
    pub(super) fn steps_between(&mut self, from: &Array, to: &Array) -> Option<i64> {
        let (from, to) = (self.node(from), self.node(to));
        let graph = self.b().graph();
        let ((base, from), (other, to)) = (offset(graph, from), offset(graph, to));
        (base == other).then_some(to - from)
    }

    /// A whole number that is known.
    pub(super) fn whole_number(&mut self, x: &Array) -> Option<i64> {
        let node = self.node(x);
        match offset(self.b().graph(), node) {
            (None, number) => Some(number),
            (Some(_), _) => None,
        }
    }

    /// The entry of tables for one member.
    fn at_member(&mut self, tables: &Transition, first: i64, member: &Array) -> Result<Transition> {
        let first = self.int(first);
        let at = self.sub(member, &first)?;
        let entries = tables.arrays().iter().map(|table| self.entry(table, 0, &at)).collect::<Result<Vec<Array>>>()?;
        let mut entries = entries.into_iter();
        Ok(tables.map(|table| entries.next().unwrap_or_else(|| table.clone())))
    }

    /// The law of y between x and z, by Bayes' rule:
    ///
    /// ```text
    /// y | x = N(m, S),  z | y = N(A y + c, R),  V = A S Aᵀ + R
    /// y | x, z = N(m + K (z − A m − c), (I − K A) S),  K = S Aᵀ V⁻¹
    /// ```
    ///
    /// (Ho, Jain, Abbeel: Denoising diffusion probabilistic models, 2020, equations 6 and 7.) Elementwise the mean is the weighted mean
    /// R/V · m + K (z − c) and the variance R S / V, neither of them a difference.
    pub(super) fn between(&mut self, early: &Transition, late: &Transition, x: &Array, z: &Array) -> Result<Moments> {
        let m = self.transported(early, x)?;
        let z = match &late.shift {
            Some(shift) => self.sub(z, shift)?,
            None => z.clone(),
        };
        if early.has_matrix() || late.has_matrix() {
            return self.matrix_bridge(&m, early, late, &z);
        }
        let (s, a, r) = (early.var.array(), late.signal.array(), late.var.array());
        let through = self.mul(a, s)?;
        let seen = self.mul(a, &through)?;
        let v = self.add(&seen, r)?;
        let (own, gain) = (self.binary(BinaryOp::Div, r, &v)?, self.binary(BinaryOp::Div, &through, &v)?);
        let (from_x, from_z) = (self.mul(&own, &m)?, self.mul(&gain, &z)?);
        let mean = self.add(&from_x, &from_z)?;
        let var = self.mul(&own, s)?;
        let scalar = self.shape(&var).is_empty();
        Ok(Moments { mean, var: if scalar { Coefficient::Scalar(var) } else { Coefficient::Diagonal(var) } })
    }

    /// With the variance in the form of Joseph, which stays positive definite: (I − K A) S (I − K A)ᵀ + K R Kᵀ.
    fn matrix_bridge(&mut self, m: &Array, early: &Transition, late: &Transition, z: &Array) -> Result<Moments> {
        let shape = self.shape(m);
        let n = shape.iter().product();
        let [s, a, r] = [&early.var, &late.signal, &late.var].map(|c| self.as_matrix(c, &shape));
        let (s, a, r) = (s?, a?, r?);
        let through = self.matmul(&a, &s)?;
        let transposed = self.transpose_last(&a);
        let seen = self.matmul(&through, &transposed)?;
        let v = self.add(&seen, &r)?;
        let factor = self.cholesky_factor(&v);
        let solved = self.solve_factored(&factor, &through)?;
        let gain = self.transpose_last(&solved);
        let image = self.coefficient_times(&Coefficient::Matrix(a.clone()), m)?;
        let residual = self.sub(z, &image)?;
        let moved = self.coefficient_times(&Coefficient::Matrix(gain.clone()), &residual)?;
        let mean = self.add(m, &moved)?;
        let (identity, seen) = (self.identity(n), self.matmul(&gain, &a)?);
        let left = self.sub(&identity, &seen)?;
        let [left, s, gain, r] = [left, s, gain, r].map(Coefficient::Matrix);
        let (own, noise) = (self.coefficient_congruence(&left, &s)?, self.coefficient_congruence(&gain, &r)?);
        let var = self.coefficient_sum(&own, &noise)?;
        Ok(Moments { mean, var })
    }

    /// Why a chain has no law in closed form.
    pub(super) fn no_chain_law(&self, chain: &Chain<'m>, kernel: &Kernel<'m>, reason: &str, place: Option<Span>) -> Diagnostic {
        let head = self.member_head(&self.model.densities[chain.density], kernel.factor);
        let x = &self.model.vars[chain.var].name;
        let through = place.and_then(|place| self.call_around(&kernel.factor.dist, place));
        let (reason, place) = match through {
            Some((name, span)) => (format!("its mean passes through `{name}`"), Some(span)),
            None => (reason.to_owned(), place),
        };
        let problem = Diagnostic::new(Code::NoRule, format!("{head} is not linear-Gaussian in {x}: {reason}"));
        let problem = problem.label(place.unwrap_or(kernel.factor.dist.span), "no law of later members is known in closed form");
        problem.help(format!("draw the chain member by member: `x ~ {}({x})`", self.model.densities[chain.density].name))
    }
}

/// A whole number as a node plus a constant, or as a constant.
fn offset(graph: &Graph, id: NodeId) -> (Option<NodeId>, i64) {
    let node = graph.node(id);
    match &node.op {
        Op::Fill { bits, .. } => (None, f64::from_bits(*bits) as i64),
        Op::Broadcast { .. } => match offset(graph, node.args[0]) {
            (None, number) => (None, number),
            (Some(_), _) => (Some(id), 0),
        },
        Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)) => match (offset(graph, node.args[0]), offset(graph, node.args[1])) {
            ((base, a), (None, b)) => (base, if *op == BinaryOp::Add { a + b } else { a - b }),
            ((None, a), (base, b)) if *op == BinaryOp::Add => (base, a + b),
            _ => (Some(id), 0),
        },
        _ => (Some(id), 0),
    }
}
