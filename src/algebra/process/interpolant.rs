//! Interpolants `x(t) = a(t) * x(0) + b(t) * noise`, also with a shift, or with x at the last time for the noise
//! (Albergo, Boffi, Vanden-Eijnden: Stochastic interpolants: a unifying framework for flows and diffusions, 2023).
//!
//! a and b are what the symbolic derivatives by x(0) and by the noise leave: numbers, arrays or matrices that depend on the time alone.

use super::super::gaussian::affine::{self, Affine};
use super::super::leaves::tensor_type;
use super::super::lowering::{Lowering, union};
use super::super::value::{Array, Value};
use super::coefficient::Coefficient;
use super::dynamics::Dynamics;
use super::transition::Transition;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, LocalId, Process, ProcessKind, VarId};
use crate::graph::{NodeId, Op};
use crate::pass::{derivative, simplify};

/// x(t) = a x(0) + shift + b noise, or the derivatives of these by the time.
pub(super) struct Interpolation {
    pub a: Coefficient,
    pub b: Coefficient,
    pub shift: Option<Array>,
}

/// What stands on the right of `x(t) =`.
#[derive(Clone, Copy)]
pub(super) struct Interpolant<'m> {
    time: LocalId,
    start: LocalId,
    other: LocalId,
    /// The data that takes the place of the noise
    pub end: Option<VarId>,
    pub value: &'m Expr,
}

impl<'m> Interpolant<'m> {
    pub fn of(process: &'m Process) -> Result<Interpolant<'m>> {
        match &process.kind {
            ProcessKind::Interpolant { time, start, other, end, value } => {
                Ok(Interpolant { time: *time, start: *start, other: *other, end: *end, value })
            }
            ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                Err(Diagnostic::internal("no interpolant"))
            }
        }
    }

    /// What needs the law of x(t) given x(0) alone.
    fn one_sided(self, what: &str) -> Result<()> {
        match self.end {
            None => Ok(()),
            Some(_) => {
                let message = format!("{what} needs noise at the last time, where this interpolant has data of no known density");
                Err(Diagnostic::new(Code::NoRule, message)
                    .label(self.value.span, "between two data variables")
                    .help("learn its velocity, `p = reverse(q, velocity: f)`, and follow `flow(p)`"))
            }
        }
    }
}

impl<'m> Lowering<'m> {
    /// x(to) given x(from) of the diffusion whose marginals are those of the interpolant: a(t|s) = a(t)/a(s),
    /// b²(t|s) = b²(t) − a²(t|s) b²(s) (Kingma et al.: Variational diffusion models, 2021, appendix A).
    pub(super) fn interpolant_transition(&mut self, process: &'m Process, from: &Array, to: &Array) -> Result<Transition> {
        let interpolant = Interpolant::of(process)?;
        interpolant.one_sided("a transition kernel")?;
        let end = self.interpolation(process, to)?;
        let whole = self.variance(&end.b)?;
        if self.is_first(process, from) {
            return Ok(Transition { signal: end.a, shift: end.shift, var: whole });
        }
        self.refuse_falling_noise(process)?;
        let start = self.interpolation(process, from)?;
        let signal = self.ratio(&end.a, &start.a, interpolant)?;
        let before = self.variance(&start.b)?;
        let passed = self.coefficient_congruence(&signal, &before)?;
        let passed = self.coefficient_scaled(-1.0, &passed)?;
        let var = self.coefficient_sum(&whole, &passed)?;
        let shift = self.shift_left(end.shift, &signal, start.shift)?;
        Ok(Transition { signal, shift, var })
    }

    /// F = a'/a, u = c' − F c, g² = (b²)' − 2 F b² (Karras et al.: Elucidating the design space of diffusion-based generative models, 2022,
    /// appendix B.1; Kingma et al. 2021).
    pub(super) fn interpolant_dynamics(&mut self, process: &'m Process, t: &Array) -> Result<Dynamics> {
        self.refuse_falling_noise(process)?;
        let (dynamics, squared) = self.interpolant_equation(process, t)?;
        let diffusion = self.spread(&squared);
        Ok(Dynamics { diffusion: Some(diffusion), ..dynamics })
    }

    /// The equation without its noise, and g².
    pub(super) fn interpolant_equation(&mut self, process: &'m Process, t: &Array) -> Result<(Dynamics, Coefficient)> {
        let interpolant = Interpolant::of(process)?;
        interpolant.one_sided("a stochastic equation")?;
        let t = &self.own_time(t);
        let now = self.interpolation(process, t)?;
        let slope = self.growth(&now.a, t, interpolant)?;
        let var = self.variance(&now.b)?;
        let rate = self.rate(&var, t)?;
        let double = self.coefficient_scaled(-2.0, &slope)?;
        let drained = self.coefficient_product(&double, &var)?;
        let squared = self.coefficient_sum(&rate, &drained)?;
        let moved = now.shift.as_ref().map(|shift| self.array_rate(shift, t)).transpose()?;
        let shift = self.shift_left(moved, &slope, now.shift)?;
        Ok((Dynamics { slope: Some(slope), shift, diffusion: None }, squared))
    }

    /// a, b and the shift with their derivatives by the time.
    pub(super) fn interpolation_and_rate(&mut self, process: &'m Process, t: &Array) -> Result<(Interpolation, Interpolation)> {
        let t = &self.own_time(t);
        let now = self.interpolation(process, t)?;
        let shift = now.shift.as_ref().map(|shift| self.array_rate(shift, t)).transpose()?;
        let rate = Interpolation { a: self.rate(&now.a, t)?, b: self.rate(&now.b, t)?, shift };
        Ok((now, rate))
    }

    /// a, b and the shift at a time.
    pub(super) fn interpolation(&mut self, process: &'m Process, t: &Array) -> Result<Interpolation> {
        self.refuse_wrong_start(process)?;
        let Interpolation { a, b, shift } = self.interpolation_at(process, t)?;
        let b = if Interpolant::of(process)?.end.is_none() && b.is_matrix() { self.triangular(&b)? } else { b };
        Ok(Interpolation { a, b, shift })
    }

    /// The same as it is written, whatever is wrong with it.
    pub(super) fn interpolation_at(&mut self, process: &'m Process, t: &Array) -> Result<Interpolation> {
        let interpolant = Interpolant::of(process)?;
        self.bind_local(interpolant.time, Value::Array(t.clone()));
        let shape = tensor_type(&self.model.vars[process.var].member_type())?.shape;
        let ends = [self.placeholder(&shape, None), self.placeholder(&shape, None)];
        let between = &mut |this: &mut Lowering<'m>, at: &[Array]| this.between_ends(interpolant, at);
        let y = between(self, &ends)?;
        let (a, b) = match self.affine_at(&ends, &y, between)? {
            Ok(Affine { coefficients, .. }) => {
                let mut found = coefficients.into_iter().map(|found| self.of_affine(found));
                (found.next(), found.next())
            }
            Err(obstacle) => {
                let of = if obstacle.variable == 0 { "x at the first time" } else { "the noise" };
                let problem = Diagnostic::new(Code::NoRule, format!("this interpolant is not affine in {of}"));
                let problem = problem.label(interpolant.value.span, "not a(t) * x(0) + b(t) * noise");
                return Err(problem
                    .label(obstacle.span, format!("it passes through {}", obstacle.operation))
                    .help("simulate such a process as a chain or as an equation"));
            }
        };
        let (Some(a), Some(b)) = (a, b) else { return Err(Diagnostic::internal("an interpolant has two ends")) };
        let shift = self.shift_at(interpolant, &shape)?;
        Ok(Interpolation { a, b, shift })
    }

    fn between_ends(&mut self, interpolant: Interpolant<'m>, ends: &[Array]) -> Result<Array> {
        for (local, end) in [interpolant.start, interpolant.other].into_iter().zip(ends) {
            self.bind_local(local, Value::Array(end.clone()));
        }
        self.eval_array(interpolant.value)
    }

    fn of_affine(&mut self, found: Option<affine::Coefficient>) -> Coefficient {
        match found {
            None => Coefficient::Scalar(self.real(0.0)),
            Some(affine::Coefficient::Diagonal(one)) if self.shape(&one).is_empty() => Coefficient::Scalar(one),
            Some(affine::Coefficient::Diagonal(each)) => Coefficient::Diagonal(each),
            Some(affine::Coefficient::Matrix(matrix)) => Coefficient::Matrix(matrix),
        }
    }

    /// What is left where both ends are zero; none if that is nothing.
    fn shift_at(&mut self, interpolant: Interpolant<'m>, shape: &[usize]) -> Result<Option<Array>> {
        let zero = self.b().fill(0.0, DType::Real, shape);
        let zero = self.array(zero, vec![]);
        let shift = self.between_ends(interpolant, &[zero.clone(), zero])?;
        let node = self.node(&shift);
        let node = simplify::simplified(self.b(), &[], &[node])[0];
        let nothing = matches!(self.b().graph().node(node).op, Op::Fill { bits, .. } if f64::from_bits(bits) == 0.0);
        Ok(if nothing { None } else { Some(self.array(node, shift.plates.clone())) })
    }

    /// The lower triangular factor of b bᵀ, which has the same law.
    fn triangular(&mut self, b: &Coefficient) -> Result<Coefficient> {
        let square = self.coefficient_square(b)?;
        Ok(self.spread(&square))
    }

    /// b bᵀ; of a square root, what stands under it.
    fn variance(&mut self, b: &Coefficient) -> Result<Coefficient> {
        match b {
            Coefficient::Scalar(array) | Coefficient::Diagonal(array) => match self.under(array, UnaryOp::Sqrt) {
                Some(square) => Ok(b.with(square)),
                None => self.coefficient_square(b),
            },
            Coefficient::Matrix(_) => self.coefficient_square(b),
        }
    }

    /// u, where x is a function of it.
    fn under(&mut self, x: &Array, op: UnaryOp) -> Option<Array> {
        let node = self.node(x);
        let found = self.b().graph().node(node);
        let operand = found.args.first().copied().filter(|_| found.op == Op::Unary(op))?;
        Some(self.array(operand, x.plates.clone()))
    }

    /// a'/a: of exp u, u'; of sqrt u, u'/2u. Neither is lost where a is small.
    fn growth(&mut self, a: &Coefficient, t: &Array, interpolant: Interpolant<'m>) -> Result<Coefficient> {
        let array = a.elementwise().map_err(|problem| problem.at(interpolant.value.span))?;
        if let Some(exponent) = self.under(array, UnaryOp::Exp) {
            return Ok(a.with(self.array_rate(&exponent, t)?));
        }
        let (of, factor) = match self.under(array, UnaryOp::Sqrt) {
            Some(square) => (square, 0.5),
            None => (array.clone(), 1.0),
        };
        let rate = self.array_rate(&of, t)?;
        let ratio = self.binary(BinaryOp::Div, &rate, &of)?;
        self.coefficient_scaled(factor, &a.with(ratio))
    }

    fn ratio(&mut self, a: &Coefficient, b: &Coefficient, interpolant: Interpolant<'m>) -> Result<Coefficient> {
        self.elementwise_coefficient(BinaryOp::Div, a, b).map_err(|problem| problem.at(interpolant.value.span))
    }

    /// c − A d of shifts that may be absent.
    fn shift_left(&mut self, c: Option<Array>, a: &Coefficient, d: Option<Array>) -> Result<Option<Array>> {
        let Some(d) = d else { return Ok(c) };
        let passed = self.coefficient_times(a, &d)?;
        match c {
            Some(c) => self.sub(&c, &passed).map(Some),
            None => Ok(Some(self.unary(UnaryOp::Neg, &passed))),
        }
    }

    pub(super) fn rate(&mut self, coefficient: &Coefficient, t: &Array) -> Result<Coefficient> {
        Ok(coefficient.with(self.array_rate(coefficient.array(), t)?))
    }

    /// The derivative by the time, which each cell of the plates has of its own.
    pub(super) fn array_rate(&mut self, x: &Array, t: &Array) -> Result<Array> {
        let (y, t) = (self.node(x), self.node(t));
        let ones = self.b().fill_like(1.0, t);
        let found: NodeId = derivative::tangent(self.b(), &[y], &[t], &[ones])?[0];
        Ok(self.array(found, x.plates.clone()))
    }

    /// A copy of the time that derivatives are taken by.
    pub(super) fn own_time(&mut self, t: &Array) -> Array {
        let plates = union([&t.plates[..], &self.scope.clone()]);
        let full = self.expanded(t, &plates);
        let node = self.node(&full);
        let node = self.b().distinct(node);
        self.array(node, plates)
    }

    /// Whether a time is the first of the range, and known to be.
    fn is_first(&mut self, process: &Process, time: &Array) -> bool {
        let Some((first, _)) = self.model.times(process.var) else { return false };
        let node = self.node(time);
        matches!(self.b().graph().node(node).op, Op::Fill { bits, .. } if f64::from_bits(bits) == first)
    }
}
