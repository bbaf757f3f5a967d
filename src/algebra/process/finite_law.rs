//! Laws of finite chains at running times: of a state given an earlier one, of a state between two, and of a state before another when
//! a network predicts the first.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, Value};
use super::chain::Chain;
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, ReduceOp, UnaryOp};
use crate::check::Support;
use crate::check::model::{DensityId, ProcessMember, VarId};
use crate::graph::Op;

/// What a law is where it is given something of probability 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Impossible {
    Undefined,
    /// All probabilities 0: inside sums in which it counts nothing
    Nothing,
}

/// K x K matrices in every cell, or those of each element of the state.
struct Matrices {
    array: Array,
    by_element: bool,
}

impl<'m> Lowering<'m> {
    /// x[to] given x[from] = x.
    pub(super) fn finite_transition(&mut self, chain: &Chain<'m>, from: &Array, to: &Array, x: &Array) -> Result<Distribution> {
        let matrices = self.matrices_between(chain, from, to)?;
        let probs = self.rows_of(&matrices, chain.var, x)?;
        self.finite_distribution(chain.var, probs)
    }

    /// x[s] given the first member and a later one, by Bayes' rule: proportional to q(x[t] | x[s]) q(x[s] | x[0]).
    pub(super) fn finite_between(
        &mut self,
        chain: &Chain<'m>,
        (x0, x): (&Array, &Array),
        (s, t): (&Array, &Array),
        impossible: Impossible,
    ) -> Result<Distribution> {
        let first = self.int(chain.first);
        let early = self.matrices_between(chain, &first, s)?;
        let late = self.matrices_between(chain, s, t)?;
        let (prior, likelihood) = (self.rows_of(&early, chain.var, x0)?, self.columns_of(&late, chain.var, x)?);
        let joint = self.mul(&prior, &likelihood)?;
        let probs = self.normalised(&joint, impossible)?;
        self.finite_distribution(chain.var, probs)
    }

    /// p(x[s] | x[t]) = Σ q(x[s] | x[t], x[0]) p(x[0] | x[t]) over the values of x[0] from which x[t] can be reached, with the
    /// probabilities of a network (Austin et al. 2021, section 3.3).
    pub(super) fn finite_reverse(
        &mut self,
        density: DensityId,
        x: &Array,
        t: &Array,
        s: &Array,
        impossible: Impossible,
    ) -> Result<Distribution> {
        let model = self.model;
        let Some(reverse) = model.reverse(density) else {
            let name = &model.densities[density].name;
            return Err(Diagnostic::unsupported(format!("a prediction of `{name}`, which has no network")));
        };
        let chain = self.forward_chain(reverse.of)?;
        self.bind_local(reverse.state, Value::Array(x.clone()));
        self.bind_local(reverse.time, Value::Array(t.clone()));
        let logits = self.eval_array(&reverse.network)?;
        let predicted = self.predicted_probabilities(chain.var, &logits)?;
        let first = self.int(chain.first);
        let (whole, early, late) =
            (self.matrices_between(&chain, &first, t)?, self.matrices_between(&chain, &first, s)?, self.matrices_between(&chain, s, t)?);
        let (reached, likelihood) = (self.columns_of(&whole, chain.var, x)?, self.columns_of(&late, chain.var, x)?);
        let (zero, one) = (self.real(0.0), self.real(1.0));
        let possible = self.compare(CompareOp::Gt, &reached, &zero)?;
        let divisor = self.select(&possible, &reached, &one)?;
        let weights = self.binary(BinaryOp::Div, &predicted, &divisor)?;
        let weights = self.select(&possible, &weights, &zero)?;
        let mixed = self.mixed_rows(&early, &weights)?;
        let joint = self.mul(&mixed, &likelihood)?;
        let probs = self.normalised(&joint, impossible)?;
        self.finite_distribution(chain.var, probs)
    }

    fn predicted_probabilities(&mut self, var: VarId, logits: &Array) -> Result<Array> {
        if self.element_support(var)? == Support::Bit {
            let one = self.unary(UnaryOp::Sigmoid, logits);
            return self.two_classes(&one);
        }
        let (node, axis) = (self.node(logits), logits.plates.len() + self.shape(logits).len() - 1);
        let greatest = self.b().reduce(ReduceOp::Max, node, &[axis]);
        let greatest = self.b().stop(greatest);
        let greatest = self.array(greatest, logits.plates.clone());
        let greatest = self.along_classes(&greatest, logits);
        let shifted = self.sub(logits, &greatest)?;
        let weights = self.unary(UnaryOp::Exp, &shifted);
        self.normalised(&weights, Impossible::Undefined)
    }

    /// The law from which the reverse starts: that of the last member, where the first has all values with the same probability.
    pub(super) fn finite_prior(&mut self, density: DensityId) -> Result<Distribution> {
        let chain = self.forward_chain(self.model.forward(density))?;
        let (first, last) = (self.int(chain.first), self.int(chain.last));
        let Matrices { array, .. } = self.matrices_between(&chain, &first, &last)?;
        let (rank, shape) = (self.shape(&array).len(), self.state_shape(chain.var)?);
        let (node, axis) = (self.node(&array), array.plates.len() + rank - 2);
        let classes = self.shape(&array)[rank - 1];
        let total = self.b().reduce(ReduceOp::Sum, node, &[axis]);
        let (total, count) = (self.array(total, array.plates.clone()), self.real(1.0 / classes as f64));
        let mean = self.mul(&total, &count)?;
        let full = [&shape[..], &[classes]].concat();
        let axes: Vec<usize> = if rank == 2 { vec![shape.len()] } else { (0..=shape.len()).collect() };
        let probs = self.placed(&mean, &full, &axes);
        self.finite_distribution(chain.var, probs)
    }

    /// What is asked of a process with finitely many states.
    pub(super) fn finite_member(&mut self, density: DensityId, member: ProcessMember, args: &[Array]) -> Result<Value> {
        let forward = self.model.forward(density);
        let law = match (member, args) {
            (ProcessMember::Prior, []) => self.finite_prior(density)?,
            (ProcessMember::Initial, []) if self.model.reverse(density).is_some() => {
                let prior = self.finite_prior(density)?;
                return self.draw(&prior).map(Value::Array);
            }
            (ProcessMember::Initial, []) => return self.first_data(forward).map(Value::Array),
            (ProcessMember::Kernel, [x, from, to]) if self.model.reverse(density).is_some() => {
                self.finite_reverse(density, x, from, to, Impossible::Undefined)?
            }
            (ProcessMember::Kernel, [x, from, to]) => {
                let chain = self.forward_chain(forward)?;
                self.finite_transition(&chain, from, to, x)?
            }
            (ProcessMember::Bridge, [x0, x, t, s]) => {
                let chain = self.forward_chain(forward)?;
                self.finite_between(&chain, (x0, x), (s, t), Impossible::Undefined)?
            }
            _ => {
                let what = format!("`.{}` of a process with finitely many states", member.name());
                return Err(Diagnostic::unsupported(what).help("`.prior()`, `.kernel(x, t, s)`, `.bridge(x0, x, t, s)` and queries are"));
            }
        };
        Ok(Value::Distribution(law))
    }

    /// The data at the first time.
    fn first_data(&mut self, forward: DensityId) -> Result<Array> {
        let model = self.model;
        let (first, _) = self.time_range(forward)?;
        let data = model.densities[forward].process.as_ref().and_then(|process| model.data_at(process.var, first));
        match data {
            Some(data) => self.variable(data),
            None => Err(Diagnostic::unsupported("a start of a chain without data at its first time").at(model.densities[forward].span)),
        }
    }

    /// The matrix of all steps between two times.
    fn matrices_between(&mut self, chain: &Chain<'m>, from: &Array, to: &Array) -> Result<Matrices> {
        let tables = self.finite_tables(chain)?;
        let entry = |this: &mut Self, table: &Array, first: i64, time: &Array| {
            let first = this.int(first);
            let place = this.sub(time, &first)?;
            Ok(Matrices { array: this.entry(table, 0, &place)?, by_element: tables.by_element })
        };
        if self.steps_between(from, to) == Some(1) {
            return entry(self, &tables.step, tables.first + 1, to);
        }
        if self.whole_number(from) == Some(tables.first) {
            return entry(self, &tables.total, tables.first, to);
        }
        // Neighbours, one time twice, or from the first member; products of other steps are in no table.
        let (step, total) = (entry(self, &tables.step, tables.first + 1, to)?, entry(self, &tables.total, tables.first, to)?);
        let classes = self.shape(&step.array).last().copied().unwrap_or(1);
        let (gap, one, zero, first) = (self.sub(to, from)?, self.int(1), self.int(0), self.int(tables.first));
        let [adjacent, same] = [&one, &zero].map(|n| self.compare(CompareOp::Eq, &gap, n));
        let from_first = self.compare(CompareOp::Eq, from, &first)?;
        let (identity, nan) = (self.identity(classes), self.real(f64::NAN));
        let identity = self.elements_of_matrices(&identity, &step.array);
        let other = self.select(&from_first, &total.array, &nan)?;
        let other = self.select(&same?, &identity, &other)?;
        Ok(Matrices { array: self.select(&adjacent?, &step.array, &other)?, by_element: tables.by_element })
    }

    fn elements_of_matrices(&mut self, matrix: &Array, like: &Array) -> Array {
        let shape = self.shape(like);
        let rank = shape.len();
        self.placed(matrix, &shape, &[rank - 2, rank - 1])
    }

    /// Row x of each element's matrix, [state.., K].
    fn rows_of(&mut self, matrices: &Matrices, var: VarId, x: &Array) -> Result<Array> {
        let index = self.class_of(var, x)?;
        let (index, elements) = self.lift(&index, self.shape(x).len());
        let matrix = if matrices.by_element { self.lift_onto(&matrices.array, &elements) } else { matrices.array.clone() };
        let rows = self.gather(&matrix, 0, &index)?;
        Ok(self.lower_plates(&rows, &elements))
    }

    fn columns_of(&mut self, matrices: &Matrices, var: VarId, x: &Array) -> Result<Array> {
        let transposed = Matrices { array: self.transpose_last(&matrices.array), by_element: matrices.by_element };
        self.rows_of(&transposed, var, x)
    }

    /// Rows weighted and summed, [state.., K].
    fn mixed_rows(&mut self, matrices: &Matrices, weights: &Array) -> Result<Array> {
        let rank = self.shape(weights).len();
        let (weights, elements) = self.lift(weights, rank - 1);
        let matrix = if matrices.by_element { self.lift_onto(&matrices.array, &elements) } else { matrices.array.clone() };
        let mixed = self.matmul(&weights, &matrix)?;
        Ok(self.lower_plates(&mixed, &elements))
    }

    /// The number of a value among all values of its support.
    fn class_of(&mut self, var: VarId, x: &Array) -> Result<Array> {
        if self.element_support(var)? == Support::Spin {
            let zero = self.real(0.0);
            let up = self.compare(CompareOp::Gt, x, &zero)?;
            return Ok(self.cast(&up, DType::Int));
        }
        Ok(self.cast(x, DType::Int))
    }

    /// Weights over their sum along the last axis.
    fn normalised(&mut self, weights: &Array, impossible: Impossible) -> Result<Array> {
        let axis = weights.plates.len() + self.shape(weights).len() - 1;
        let total = self.apply(Op::Reduce { op: ReduceOp::Sum, axes: vec![axis] }, weights);
        let total = match impossible {
            Impossible::Undefined => total,
            Impossible::Nothing => {
                let (zero, one) = (self.real(0.0), self.real(1.0));
                let positive = self.compare(CompareOp::Gt, &total, &zero)?;
                self.select(&positive, &total, &one)?
            }
        };
        let total = self.along_classes(&total, weights);
        self.binary(BinaryOp::Div, weights, &total)
    }

    /// Repeated along the last axis of another array.
    fn along_classes(&mut self, x: &Array, like: &Array) -> Array {
        let shape = self.shape(like);
        let axes: Vec<usize> = (0..shape.len() - 1).collect();
        self.placed(x, &shape, &axes)
    }

    /// The product over elements of laws with these probabilities, [state.., K].
    fn finite_distribution(&mut self, var: VarId, probs: Array) -> Result<Distribution> {
        let (support, shape) = (self.element_support(var)?, self.state_shape(var)?);
        let dist = self.finite_instance(&support)?;
        let param = match support {
            Support::Bit => {
                let last = self.shape(&probs).len() - 1;
                self.one_element(&probs, last, 1)
            }
            _ => probs,
        };
        Ok(Distribution { dist, params: vec![param], shape })
    }
}
