//! Kernels of Itô processes whose coefficients are matrices.
//!
//! Where F(t), g(t) g(t)' and u(t) are one function of time by constants, its integral is the time of an equation with constant
//! coefficients ([`Clock`]): over a short piece by the power series, then by doubling. Others are solved on [`Panels`].

use super::super::calculus::{Linear, Reader, Scope, Sum, Variable, collect_atoms};
use super::super::coefficient::Coefficient;
use super::super::transition::Transition;
use super::dense::Dense;
use super::equation::{Equation, Numbers, NumericEquation, Solution, TURNS, not_a_process};
use super::panels::{DensePiece, Panels, dense_piece, panels_for, sufficient_panels};
use crate::algebra::lowering::Lowering;
use crate::algebra::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType};
use crate::graph::Value;

/// Terms of series, and iterations on a panel: with norms up to 1/2 they leave less than 1e-12, with norms up to 1 less than 1e-8.
pub(super) const TERMS: usize = 12;
/// The largest norm of F over a piece at the start: learned coefficients may grow.
const PIECE: f64 = 0.25;
const MOST_DOUBLINGS: f64 = 24.0;
/// Times at which coefficients are compared
const GRID: usize = 9;

/// F(t) = c(t) F(r), g g' = c(t) g(r) g(r)', u(t) = c(t) u(r), with ∫ c elementary.
pub(super) struct Clock {
    /// The element of F that is its measure, as a function of time
    measure: Sum,
    time: Sum,
    scope: Scope,
    /// r
    reference: f64,
    pub doublings: u32,
    /// A power of two near the norm of F(r)
    size: f64,
}

/// F, g g' and u as matrices and a vector.
pub(super) struct Constant {
    pub slope: Array,
    pub square: Array,
    pub shift: Option<Array>,
}

impl<'m> Lowering<'m> {
    pub(super) fn matrix_solution(&mut self, equation: &Equation<'_, 'm>) -> Result<Solution> {
        let turns = (0..TURNS).map(|turn| self.numeric_equation(equation, turn)).collect::<Result<Vec<_>>>()?;
        if let Some(clock) = self.clock(equation, &turns)? {
            let norm = total_norm(&turns[0], equation.count(), equation.range);
            self.refuse_singular(equation, &turns[0], panels_for(norm))?;
            return Ok(Solution::Clock(clock));
        }
        let count = sufficient_panels(equation, &turns)?;
        self.refuse_singular(equation, &turns[0], count)?;
        Ok(Solution::Panels(Panels { count }))
    }

    /// The covariance of the state has a Cholesky factor.
    fn refuse_singular(&self, equation: &Equation<'_, 'm>, numbers: &NumericEquation, panels: usize) -> Result<()> {
        let (first, last) = equation.range;
        let (mut whole, mut before) = (DensePiece::none(equation.count()), 0.0);
        for part in [0.1, 0.5, 1.0] {
            let [start, time] = [before, part].map(|part| first + (last - first) * part);
            let own = ((part - before) * panels as f64).ceil() as usize;
            whole = whole.followed(&dense_piece(equation.count(), numbers, (start, time), own));
            before = part;
            if !whole.var.is_positive_definite() {
                let message = format!("the covariance of the state is not positive definite at t = {time}");
                return Err(not_a_process(message, equation.diffusion)
                    .help("noise must reach every element of the state, directly or through the drift"));
            }
        }
        Ok(())
    }

    fn clock(&mut self, equation: &Equation<'_, 'm>, turns: &[NumericEquation]) -> Result<Option<Clock>> {
        let (first, last) = equation.range;
        let reference = first + (last - first) / 2.0;
        let n = equation.count();
        let at_reference = Dense::of(n, &slope_at(&turns[0], reference, n));
        let largest = |best: usize, at: usize| if at_reference.elements[at].abs() > at_reference.elements[best].abs() { at } else { best };
        let entry = (0..n * n).fold(0, largest);
        if !turns.iter().all(|numbers| is_proportional(numbers, n, entry, reference, equation.range)) {
            return Ok(None);
        }
        let Some(Coefficient::Matrix(slope)) = &equation.dynamics.slope else { return Ok(None) };
        if !slope.plates.is_empty() {
            return Ok(None);
        }
        let (node, time) = (self.node(slope), self.node(&equation.time));
        let Some(measure) = Reader::new(self.b(), time, &[]).element(node, &[entry / n, entry % n]) else { return Ok(None) };
        let scope = self.scalar_scope(&measure);
        let integrator = self.integrator(equation, &scope)?;
        let Some(Linear { particular: time, .. }) = integrator.linear(&Sum::zero(), &measure) else { return Ok(None) };
        let longest = turns.iter().map(|numbers| total_norm(numbers, n, equation.range)).fold(0.0, f64::max);
        let doublings = (longest / PIECE).log2().ceil().max(0.0);
        if doublings > MOST_DOUBLINGS {
            return Ok(None);
        }
        let size = at_reference.norm().log2().round().exp2();
        Ok(Some(Clock { measure, time, scope, reference, doublings: doublings as u32, size }))
    }

    /// Scalar atoms, without plates.
    fn scalar_scope(&self, sum: &Sum) -> Scope {
        let mut scope = Scope::default();
        collect_atoms(sum, &mut |atom| {
            scope.atoms.insert(atom, self.array(atom, vec![]));
        });
        scope
    }

    pub(super) fn transition_by_clock(
        &mut self,
        equation: &Equation<'_, 'm>,
        clock: &Clock,
        from: &Array,
        to: &Array,
    ) -> Result<Transition> {
        let reference = self.real(clock.reference);
        let constant = self.constant_coefficients(equation, &reference)?;
        let scope = self.at_times(&clock.scope, from, to)?;
        let passed = self.emit_between(&clock.time.difference(), &scope)?;
        let measure = self.emit(&clock.measure.at(Variable::Time, &Sum::from(clock.reference)), &scope)?;
        let passed = self.binary(BinaryOp::Div, &passed, &measure)?;
        let short = self.real(clock.size / f64::from(clock.doublings).exp2());
        let short = self.mul(&passed, &short)?;
        let size = self.real(1.0 / clock.size);
        let mut piece = self.series(&constant, &size, &short)?;
        for _ in 0..clock.doublings {
            piece = self.followed(&piece, &piece)?;
        }
        self.matrix_transition(equation, piece)
    }

    pub(super) fn constant_coefficients(&mut self, equation: &Equation<'_, 'm>, time: &Array) -> Result<Constant> {
        let dynamics = (equation.at)(self, time)?;
        let slope = self.state_matrix(dynamics.slope.as_ref(), equation)?;
        let g = self.state_matrix(dynamics.diffusion.as_ref(), equation)?;
        let transposed = self.transpose_last(&g);
        let square = self.matmul(&g, &transposed)?;
        let shift = dynamics.shift.map(|shift| self.vector(&shift, &equation.shape));
        Ok(Constant { slope, square, shift })
    }

    fn state_matrix(&mut self, coefficient: Option<&Coefficient>, equation: &Equation<'_, 'm>) -> Result<Array> {
        if let Some(coefficient) = coefficient {
            return self.as_matrix(coefficient, &equation.shape);
        }
        let n = equation.count();
        let node = self.b().fill(0.0, DType::Real, &[n, n]);
        Ok(self.array(node, vec![]))
    }
}

impl Equation<'_, '_> {
    /// Elements of the state.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

fn slope_at(numbers: &NumericEquation, time: f64, n: usize) -> Vec<f64> {
    numbers.at(time).slope.map_or_else(|| vec![0.0; n * n], |slope| Dense::of(n, &slope.elements).elements)
}

/// F, g g' and u, one after the other.
pub(super) fn all_at(Numbers { slope, shift, diffusion }: &Numbers, n: usize) -> [Vec<f64>; 3] {
    let dense = |value: &Option<Value>| value.as_ref().map_or_else(|| Dense::zero(n), |value| Dense::of(n, &value.elements));
    let g = dense(diffusion);
    let shift = shift.as_ref().map_or_else(|| vec![0.0; n], |shift| (0..n).map(|i| shift.elements[i % shift.elements.len()]).collect());
    [dense(slope).elements, g.times(&g.transpose()).elements, shift]
}

/// Whether all coefficients change with time as one element of F does.
fn is_proportional(numbers: &NumericEquation, n: usize, entry: usize, reference: f64, (first, last): (f64, f64)) -> bool {
    let base = all_at(&numbers.at(reference), n);
    (1..GRID).all(|i| {
        let time = first + (last - first) * i as f64 / GRID as f64;
        let now = all_at(&numbers.at(time), n);
        let ratio = now[0][entry] / base[0][entry];
        ratio.is_finite()
            && now.iter().zip(&base).all(|(now, base)| {
                let size = now.iter().chain(base).fold(0.0, |size: f64, x| size.max(x.abs()));
                now.iter().zip(base).all(|(a, b)| (a - ratio * b).abs() <= 1e-11 * size)
            })
    })
}

/// ∫ ‖F‖, from above.
pub(super) fn total_norm(numbers: &NumericEquation, n: usize, (first, last): (f64, f64)) -> f64 {
    let at = |i: usize| first + (last - first) * (i as f64 + 0.5) / GRID as f64;
    let norm = |i: usize| Dense { n, elements: slope_at(numbers, at(i), n) }.norm();
    (0..GRID).map(norm).fold(0.0, f64::max) * (last - first)
}
