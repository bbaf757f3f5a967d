//! x(t) given x(s), and what follows from it for three times.

use super::super::gaussian::factor::Family;
use super::super::lowering::Lowering;
use super::super::value::Array;
use super::coefficient::Coefficient;
use super::interpolant::Interpolation;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::check::model::{DensityId, Initial, ProcessKind};

/// x(t) given x(s) is normal with mean signal · x(s) + shift and variance var.
#[derive(Clone, Debug)]
pub(in crate::algebra) struct Transition {
    pub signal: Coefficient,
    pub shift: Option<Array>,
    /// Of a matrix: the covariance
    pub var: Coefficient,
}

/// x at a time: signal · x(0) + shift + spread · noise.
#[derive(Clone, Debug)]
pub(super) struct Marginal {
    pub signal: Coefficient,
    pub shift: Option<Array>,
    /// The standard deviation, or the Cholesky factor of the covariance
    pub spread: Coefficient,
    pub var: Coefficient,
}

/// The mean and the variance of a normal state.
pub(super) struct Moments {
    pub mean: Array,
    pub var: Coefficient,
}

impl Transition {
    /// Signal, variance, then the shift.
    pub fn arrays(&self) -> Vec<Array> {
        [self.signal.array(), self.var.array()].into_iter().chain(&self.shift).cloned().collect()
    }

    /// The same with every array replaced, in the order of [`Transition::arrays`].
    pub fn map(&self, mut f: impl FnMut(&Array) -> Array) -> Transition {
        let (signal, var) = (f(self.signal.array()), f(self.var.array()));
        Transition { signal: self.signal.with(signal), var: self.var.with(var), shift: self.shift.as_ref().map(f) }
    }

    pub fn has_matrix(&self) -> bool {
        self.signal.is_matrix() || self.var.is_matrix()
    }
}

impl Lowering<'_> {
    /// x(to) given x(from), of a forward process. `from` may be the first time.
    pub(super) fn transition(&mut self, density: DensityId, from: &Array, to: &Array) -> Result<Transition> {
        let density = self.model.forward(density);
        let model = self.model;
        let Some(process) = &model.densities[density].process else { return Err(Diagnostic::internal("a density without a process")) };
        match &process.kind {
            ProcessKind::Chain => self.chain_transition(density, from, to),
            ProcessKind::Ito { .. } => self.ito_transition(process, from, to),
            ProcessKind::Interpolant { .. } => self.interpolant_transition(process, from, to),
            ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                Err(Diagnostic::internal("a forward process was expected"))
            }
        }
    }

    /// x(t) given x at the first time.
    pub(super) fn marginal_transition(&mut self, density: DensityId, t: &Array) -> Result<Transition> {
        let first = self.first_time(density)?;
        self.transition(density, &first, t)
    }

    pub(super) fn first_time(&mut self, density: DensityId) -> Result<Array> {
        let (first, _) = self.time_range(density)?;
        Ok(self.time_number(density, first))
    }

    pub(super) fn time_range(&self, density: DensityId) -> Result<(f64, f64)> {
        let process = self.model.densities[density].process.as_ref();
        process.and_then(|process| self.model.times(process.var)).ok_or_else(|| Diagnostic::internal("a process without times"))
    }

    /// A time as its process counts it.
    pub(super) fn time_number(&mut self, density: DensityId, time: f64) -> Array {
        let whole = self.model.densities[density].process.as_ref().is_some_and(|p| self.model.vars[p.var].members().is_some());
        let dtype = if whole { DType::Int } else { DType::Real };
        let node = self.b().fill(time, dtype, &[]);
        self.array(node, vec![])
    }

    /// signal · x + shift
    pub(super) fn transported(&mut self, transition: &Transition, x: &Array) -> Result<Array> {
        let mean = self.coefficient_times(&transition.signal, x)?;
        match &transition.shift {
            Some(shift) => self.add(&mean, shift),
            None => Ok(mean),
        }
    }

    /// x at a time given x at the first: a x(0) + shift + b noise.
    pub(super) fn marginal(&mut self, density: DensityId, t: &Array) -> Result<Marginal> {
        let model = self.model;
        let forward = model.forward(density);
        if let Some(process) = &model.densities[forward].process
            && let ProcessKind::Interpolant { .. } = process.kind
        {
            // As it is written: what multiplies a second variable may be negative.
            let Interpolation { a, b, shift } = self.interpolation(process, t)?;
            let var = self.coefficient_square(&b)?;
            return Ok(Marginal { signal: a, shift, spread: b, var });
        }
        let Transition { signal, shift, var } = self.from_data(density, t)?;
        let spread = self.spread(&var);
        Ok(Marginal { signal, shift, spread, var })
    }

    /// x at a time given the data: x at the first time, or, where `q(x(0) | y)` is declared, its mean.
    pub(super) fn from_data(&mut self, density: DensityId, t: &Array) -> Result<Transition> {
        let mut transition = self.marginal_transition(density, t)?;
        if let Some(initial) = self.initial_moments(density)? {
            let passed = self.coefficient_congruence(&transition.signal, &initial.var)?;
            transition.var = self.coefficient_sum(&passed, &transition.var)?;
        }
        Ok(transition)
    }

    /// The declared distribution of the first state.
    pub(super) fn initial_moments(&mut self, density: DensityId) -> Result<Option<Moments>> {
        let model = self.model;
        let Some(initial) = &model.densities[model.forward(density)].initial else { return Ok(None) };
        let dist = self.eval(&initial.dist)?.distribution()?;
        let [mean, spread] = &dist.params[..] else { return Err(not_normal(initial)) };
        match self.gaussian_family(dist.dist) {
            Some(Family::Normal) => {
                let var = self.mul(spread, spread)?;
                let scalar = self.shape(&var).is_empty();
                let var = if scalar { Coefficient::Scalar(var) } else { Coefficient::Diagonal(var) };
                Ok(Some(Moments { mean: mean.clone(), var }))
            }
            Some(Family::MvNormal) => Ok(Some(Moments { mean: mean.clone(), var: Coefficient::Matrix(spread.clone()) })),
            None => Err(not_normal(initial)),
        }
    }

    /// x(s) given x(t) and x at the first time, s < t: Bayes' rule for x(s) given the first and x(t) given x(s).
    pub(super) fn bridge(&mut self, density: DensityId, x0: &Array, x: &Array, t: &Array, s: &Array) -> Result<Moments> {
        let (before, step) = (self.marginal_transition(density, s)?, self.transition(density, s, t)?);
        self.between(&before, &step, x0, x)
    }
}

fn not_normal(initial: &Initial) -> Diagnostic {
    Diagnostic::new(Code::NoRule, "the first state of a process is normal, or its later states have no known distribution")
        .label(initial.span, "not normal")
        .help("use `Normal(mean, std)` or `MvNormal(mean, cov: S)`")
}
