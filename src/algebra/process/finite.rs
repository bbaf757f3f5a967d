//! Chains with finitely many values, element by element: tables over t of the matrices of one step, Q(t)[i, j] = q(x[t] = j | x[t-1] = i),
//! and of their products Q(1) Q(2) … Q(t) (Austin et al.: Structured denoising diffusion models in discrete state-spaces, 2021, equations 2
//! and 3; Hoogeboom et al.: Argmax flows and multinomial diffusion, 2021). K values take K x K numbers a step, however many elements.

use super::super::chain::{Inside, Steps, Turn, is_finite};
use super::super::distribution::finite_support;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::chain::{Chain, Kernel};
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::check::Support;
use crate::check::model::{DensityId, DistId, VarId};
use crate::check::types::{ArrayType, Type};
use crate::graph::{self, Literal, NodeId};
use std::collections::HashMap;

/// Tables of K x K matrices with a leading axis of times, then the axes of the state where its elements differ.
#[derive(Clone, Debug)]
pub(super) struct FiniteTables {
    /// The number of the first member
    pub first: i64,
    /// For t from the second member on
    pub step: Array,
    /// From the first member on: the first matrix is the identity
    pub total: Array,
    /// Whether elements of the state have matrices of their own
    pub by_element: bool,
}

/// The tables of the chains that were asked for.
#[derive(Default)]
pub struct FiniteCache {
    constant: HashMap<(DensityId, VarId), ([Literal; 2], bool)>,
    learned: HashMap<(DensityId, VarId, bool), FiniteTables>,
}

impl<'m> Lowering<'m> {
    /// Whether a process is a chain of finitely many values.
    pub(super) fn has_finite_states(&self, id: DensityId) -> bool {
        self.model.densities[id].process.as_ref().is_some_and(|process| is_finite(&self.model.vars[process.var].member_type()))
    }

    /// The support of one element of the state.
    pub(super) fn element_support(&self, var: VarId) -> Result<Support> {
        match self.model.vars[var].member_type() {
            Type::Array(ArrayType { support, .. }) => Ok(support),
            Type::Tuple(_) | Type::Distribution(_) | Type::Error => Err(Diagnostic::internal("a chain of tuples")),
        }
    }

    pub(super) fn finite_tables(&mut self, chain: &Chain<'m>) -> Result<FiniteTables> {
        let key = (chain.density, chain.var);
        if let Some((literals, by_element)) = self.finite_chains.constant.get(&key).cloned() {
            return Ok(self.finite_literals(chain, &literals, by_element));
        }
        if chain.has_givens() {
            let step = self.step_matrices(chain)?;
            return self.with_products(chain, step, true);
        }
        if let Some((literals, by_element)) = self.constant_matrices(chain)? {
            self.finite_chains.constant.insert(key, (literals.clone(), by_element));
            return Ok(self.finite_literals(chain, &literals, by_element));
        }
        let key = (chain.density, chain.var, self.frozen);
        if let Some(tables) = self.finite_chains.learned.get(&key) {
            return Ok(tables.clone());
        }
        let bodies = self.frames.suspend();
        let step = self.step_matrices(chain);
        let tables = step.and_then(|step| self.with_products(chain, step, true));
        self.frames.resume(bodies);
        let tables = tables?;
        self.finite_chains.learned.insert(key, tables.clone());
        Ok(tables)
    }

    fn finite_literals(&mut self, chain: &Chain<'m>, literals: &[Literal; 2], by_element: bool) -> FiniteTables {
        let [step, total] = [0, 1].map(|i| {
            let literal = &literals[i];
            let node = self.b().literal(literal.dtype, &literal.shape, &literal.values);
            self.array(node, vec![])
        });
        FiniteTables { first: chain.first, step, total, by_element }
    }

    /// The tables as numbers, if they depend on nothing else; one matrix for all elements where these agree.
    fn constant_matrices(&mut self, chain: &Chain<'m>) -> Result<Option<([Literal; 2], bool)>> {
        let none = HashMap::new();
        let mut inner = Lowering::new(self.model, &none, None);
        let step = inner.step_matrices(chain)?;
        if !inner.inputs().is_empty() {
            return Ok(None);
        }
        let step = interpreted(inner, &[step])?.remove(0);
        self.refuse_no_probabilities(chain, &step)?;
        let (step, by_element) = one_for_all_elements(step);
        let mut inner = Lowering::new(self.model, &none, None);
        let node = inner.b().literal(step.dtype, &step.shape, &step.values);
        let array = inner.array(node, vec![]);
        let tables = inner.with_products(chain, array, by_element)?;
        let total = interpreted(inner, &[tables.total])?.remove(0);
        Ok(Some(([step, total], by_element)))
    }

    /// Every row of a step's matrix is a probability vector.
    fn refuse_no_probabilities(&self, chain: &Chain<'m>, step: &Literal) -> Result<()> {
        let classes = step.shape.last().copied().unwrap_or(1);
        let each = step.values.len() / step.shape[0].max(1);
        let wrong = |row: &[f64]| row.iter().any(|p| !(-1e-12..=1.0 + 1e-12).contains(p)) || (row.iter().sum::<f64>() - 1.0).abs() > 1e-9;
        let Some(at) = step.values.chunks(classes).position(wrong) else { return Ok(()) };
        let (t, row) = (chain.first + 1 + (at * classes / each) as i64, &step.values[at * classes..(at + 1) * classes]);
        let (q, x) = (&self.model.densities[chain.density].name, &self.model.vars[chain.var].name);
        let kernel = chain.kernels.iter().find(|kernel| t < kernel.from + kernel.count as i64);
        let span = kernel.map_or_else(|| chain.span(), |kernel| kernel.factor.dist.span);
        Err(Diagnostic::new(Code::SupportMismatch, format!("{q}({x}[{t}] | {x}[{}]) has no probabilities: {row:?}", t - 1))
            .label(span, format!("they must lie between 0 and 1 and sum to 1 in every step; this is t = {t}"))
            .help("of `log((1 - beta[t]) * one_hot[K](x[t-1]) + beta[t] / K)`, all beta[t] lie between 0 and 1"))
    }

    /// The matrices of all steps, [steps, state.., K, K].
    fn step_matrices(&mut self, chain: &Chain<'m>) -> Result<Array> {
        let pieces = chain.kernels.iter().map(|kernel| self.kernel_matrices(chain, kernel)).collect::<Result<Vec<_>>>()?;
        Ok(self.joined(&pieces))
    }

    fn kernel_matrices(&mut self, chain: &Chain<'m>, kernel: &Kernel<'m>) -> Result<Array> {
        let (shape, support) = (self.state_shape(chain.var)?, self.element_support(chain.var)?);
        self.refuse_mixed_elements(chain, kernel, &shape)?;
        let Some((values, classes)) = self.all_values(&support, &[])? else {
            return Err(Diagnostic::unsupported("a chain of so many values").at(kernel.span()));
        };
        let node = self.expand(&values, &values.plates, &shape);
        let values = self.array(node, values.plates);
        let plate = self.plate(kernel.count);
        let d = self.kernel_along(chain, kernel, plate, &values)?;
        let Some(probs) = self.class_probabilities(&d)? else {
            let reason = format!("it is {}", self.model.dists[d.dist].name);
            return Err(self.no_finite_law(chain, kernel, &reason));
        };
        // [steps, values, state.., K], then the values behind the state
        let lowered = self.lower_plates(&probs, &[plate, classes]);
        let (plates, rank) = (lowered.plates.len(), self.shape(&lowered).len());
        let mut perm: Vec<usize> = (0..plates + rank).filter(|&axis| axis != plates + 1).collect();
        perm.insert(plates + rank - 2, plates + 1);
        let node = self.node(&lowered);
        let node = self.b().transpose(node, &perm);
        Ok(self.array(node, lowered.plates))
    }

    /// The probabilities of all values of each element, along a last axis.
    pub(super) fn class_probabilities(&mut self, d: &Distribution) -> Result<Option<Array>> {
        match self.model.dists[d.dist].name.as_str() {
            "Categorical" => self.dist_member(d, "probs").map(Some),
            "Bernoulli" => {
                let one = self.dist_member(d, "prob")?;
                self.two_classes(&one).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// [1 − p, p]
    pub(super) fn two_classes(&mut self, p: &Array) -> Result<Array> {
        let unit = self.real(1.0);
        let zero = self.sub(&unit, p)?;
        let shape = [&self.shape(p)[..], &[1]].concat();
        let (zero, one) = (self.flattened(&zero, &shape), self.flattened(p, &shape));
        let (a, b) = (self.node(&zero), self.node(&one));
        let axis = p.plates.len() + shape.len() - 1;
        let node = self.b().join(&[a, b], axis);
        Ok(self.array(node, p.plates.clone()))
    }

    /// Each element follows from the same element of the member before alone, which is decided by following the axes of the state.
    fn refuse_mixed_elements(&mut self, chain: &Chain<'m>, kernel: &Kernel<'m>, shape: &[usize]) -> Result<()> {
        if shape.is_empty() {
            return Ok(());
        }
        let support = self.element_support(chain.var)?;
        let dtype = if support.is_real() { DType::Real } else { DType::Int };
        let zero = self.b().fill(0.0, dtype, shape);
        let hidden = self.b().stop(zero);
        let node = self.b().distinct(hidden);
        let z = self.array(node, vec![]);
        let plate = self.plate(kernel.count);
        let d = self.kernel_along(chain, kernel, plate, &z)?;
        let Some(probs) = self.class_probabilities(&d)? else { return Ok(()) };
        if !self.leads_to(&z, &probs) || self.follows_elements(&probs, &z) {
            return Ok(());
        }
        Err(self.no_finite_law(chain, kernel, "its elements depend on other elements, or it cannot be seen that they do not"))
    }

    pub(super) fn no_finite_law(&self, chain: &Chain<'m>, kernel: &Kernel<'m>, reason: &str) -> Diagnostic {
        let head = self.member_head(&self.model.densities[chain.density], kernel.factor);
        Diagnostic::new(Code::NoRule, format!("{head} is no product of finite laws, one for each element: {reason}"))
            .label(kernel.factor.dist.span, "no law of later members is known in closed form")
            .help(format!("draw the chain member by member: `x ~ {}(x)`", self.model.densities[chain.density].name))
    }

    /// The products of the matrices of a step, from the identity on.
    fn with_products(&mut self, chain: &Chain<'m>, step: Array, by_element: bool) -> Result<FiniteTables> {
        let shape = self.shape(&step);
        let (count, classes) = (shape[0], shape[shape.len() - 1]);
        let steps = Steps { plate: self.plate(count), first: 0 };
        let mut inputs = self.lift_onto(&step, &[steps.plate]);
        let (elements, own) = {
            let (lifted, plates) = self.lift(&inputs, shape.len() - 3);
            inputs = lifted;
            (plates, self.identity(classes))
        };
        let around: Vec<_> = inputs.plates.iter().copied().filter(|&plate| plate != steps.plate).collect();
        let start = self.expanded(&own, &around);
        let done = self.over_steps(steps, std::slice::from_ref(&start), &[inputs], |this, inside: Inside| {
            let product = this.matmul(&inside.carries[0], &inside.inputs[0])?;
            Ok(Turn { carries: vec![product.clone()], kept: vec![product] })
        })?;
        let later = done.kept.into_iter().next().ok_or_else(|| Diagnostic::internal("a loop without result"))?;
        let later = self.lower_plates(&later, &[&[steps.plate], &elements[..]].concat());
        let start = self.lower_plates(&start, &elements);
        let start = self.with_member_axis(&start);
        let total = self.joined(&[start, later]);
        Ok(FiniteTables { first: chain.first, step, total, by_element: by_element && shape.len() > 3 })
    }

    /// The library's distribution over one element, by probabilities.
    pub(super) fn finite_instance(&self, support: &Support) -> Result<DistId> {
        let (name, param) = if *support == Support::Bit { ("Bernoulli", "prob") } else { ("Categorical", "probs") };
        let values = finite_support(support).map_or(0, |values| values.len());
        let fits = |id: &DistId| {
            let dist = &self.model.dists[*id];
            let named = dist.name == name && matches!(dist.params[..], [only] if self.model.locals[only].name == param);
            let event = |ty: &Type| matches!(ty, Type::Array(of) if of.shape.is_empty() && finite_support(&of.support).is_some_and(|v| v.len() == values));
            named && event(&dist.event)
        };
        let found = self.model.dists.ids().find(fits);
        found.ok_or_else(|| Diagnostic::internal(format!("no {name} was instantiated for a chain")))
    }
}

/// Values of arrays that depend on nothing.
pub(super) fn interpreted(mut inner: Lowering<'_>, arrays: &[Array]) -> Result<Vec<Literal>> {
    let types: Vec<_> = arrays.iter().map(|array| inner.ty(array)).collect();
    let nodes: Vec<NodeId> = arrays.iter().map(|array| inner.node(array)).collect();
    let closed = inner.frames.leave(&nodes)?;
    let values = graph::interpret::interpret(&closed.graph, &[]);
    let literals = types.into_iter().zip(values);
    Ok(literals.map(|(ty, value)| Literal { dtype: ty.dtype, shape: ty.shape, values: value.elements.clone() }).collect())
}

/// The matrices of the first element, if all elements have the same; and whether they differ.
fn one_for_all_elements(step: Literal) -> (Literal, bool) {
    let rank = step.shape.len();
    let (steps, classes) = (step.shape[0], step.shape[rank - 1]);
    let matrix = classes * classes;
    let each = step.values.len() / steps.max(1);
    let of_step = |t: usize| step.values[t * each..(t + 1) * each].chunks(matrix);
    if rank == 3 || (0..steps).any(|t| of_step(t).any(|other| other != &step.values[t * each..t * each + matrix])) {
        return (step, rank > 3);
    }
    let values: Vec<f64> = (0..steps).flat_map(|t| step.values[t * each..t * each + matrix].to_vec()).collect();
    (Literal { dtype: step.dtype, shape: vec![steps, classes, classes], values: values.into() }, false)
}
