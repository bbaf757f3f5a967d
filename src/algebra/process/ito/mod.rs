//! Itô processes with an affine drift: their equation, by symbolic derivatives, and their kernels, by the mean and variance equations.

mod closed;
mod dense;
mod equation;
mod matrix;
mod numeric;
mod panels;
mod piece;
mod probe;
mod quadrature;
mod record;

pub use equation::{EquationCache, undefined_diffusion};

use super::coefficient::Coefficient;
use super::dynamics::Dynamics;
use super::transition::Transition;
use crate::algebra::gaussian::affine::{self, Affine, NotAffine};
use crate::algebra::leaves::tensor_type;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::{Array, Value};
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, LocalId, Process, ProcessKind};
use equation::Equation;

/// What stands on the right of `dx =`.
#[derive(Clone, Copy)]
struct Ito<'m> {
    state: LocalId,
    time: LocalId,
    drift: &'m Expr,
    diffusion: &'m Expr,
}

impl<'m> Ito<'m> {
    fn of(process: &'m Process) -> Result<Ito<'m>> {
        match &process.kind {
            ProcessKind::Ito { state, time, drift, diffusion } => Ok(Ito { state: *state, time: *time, drift, diffusion }),
            ProcessKind::Chain
            | ProcessKind::Interpolant { .. }
            | ProcessKind::Reverse(_)
            | ProcessKind::Flow { .. }
            | ProcessKind::Guided(_) => Err(Diagnostic::internal("no Itô process")),
        }
    }
}

impl<'m> Lowering<'m> {
    /// x(to) given x(from): Särkkä and Solin: Applied stochastic differential equations (2019), section 6.1.
    pub(super) fn ito_transition(&mut self, process: &'m Process, from: &Array, to: &Array) -> Result<Transition> {
        let ito = Ito::of(process)?;
        let shape = tensor_type(&self.model.vars[process.var].member_type())?.shape;
        let (time, _) = self.equation_placeholders(process.var, &shape);
        let dynamics = self.ito_dynamics(process, &time)?;
        let range = self.model.times(process.var).ok_or_else(|| Diagnostic::internal("a process without times"))?;
        let at = |this: &mut Lowering<'m>, t: &Array| this.ito_dynamics(process, t);
        let equation = Equation { at: &at, dynamics, time, range, shape, drift: ito.drift.span, diffusion: ito.diffusion.span };
        self.solve_equation(process, &equation, from, to)
    }

    /// The equation of an Itô process with an affine drift at a time.
    pub(super) fn ito_dynamics(&mut self, process: &'m Process, t: &Array) -> Result<Dynamics> {
        let ito = Ito::of(process)?;
        self.bind_local(ito.time, Value::Array(t.clone()));
        let shape = tensor_type(&self.model.vars[process.var].member_type())?.shape;
        let (_, x) = self.equation_placeholders(process.var, &shape);
        let drift = &mut |this: &mut Lowering<'m>, at: &[Array]| this.drift_at(ito, &at[0]);
        let y = drift(self, std::slice::from_ref(&x))?;
        let slope = match self.affine_at(std::slice::from_ref(&x), &y, drift)? {
            Ok(Affine { mut coefficients, .. }) => coefficients.pop().flatten(),
            Err(obstacle) => return Err(not_affine(ito, &obstacle)),
        };
        let slope = slope.map(|slope| match slope {
            affine::Coefficient::Diagonal(one) if self.shape(&one).is_empty() => Coefficient::Scalar(one),
            affine::Coefficient::Diagonal(each) => Coefficient::Diagonal(each),
            affine::Coefficient::Matrix(matrix) => Coefficient::Matrix(matrix),
        });
        let zero = self.b().fill(0.0, DType::Real, &shape);
        let zero = self.array(zero, vec![]);
        let shift = drift(self, &[zero])?;
        let value = self.eval_array(ito.diffusion)?;
        let value = self.cast(&value, DType::Real);
        let diffusion = match self.shape(&value).len() {
            0 => Coefficient::Scalar(value),
            rank if rank == shape.len() => Coefficient::Diagonal(value),
            _ => Coefficient::Matrix(value),
        };
        Ok(Dynamics { slope, shift: Some(shift), diffusion: Some(diffusion) })
    }

    fn drift_at(&mut self, ito: Ito<'m>, x: &Array) -> Result<Array> {
        self.bind_local(ito.state, Value::Array(x.clone()));
        let drift = self.eval_array(ito.drift)?;
        let zero = self.real(0.0);
        let zero = self.mul(x, &zero)?;
        self.add(&drift, &zero)
    }
}

fn not_affine(ito: Ito<'_>, obstacle: &NotAffine) -> Diagnostic {
    let message = "the drift is not affine in the state, so that the process has no transition kernel in closed form";
    Diagnostic::new(Code::NoKernel, message)
        .label(ito.drift.span, "the drift")
        .label(obstacle.span, format!("the state passes through {}", obstacle.operation))
        .help("simulate it with `euler_maruyama(q, …)`, and match scores by `implicit(s, x)` or `sliced(s, x)`, which need no kernel")
}
