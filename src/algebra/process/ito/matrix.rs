//! Kernels of Itô processes whose coefficients are matrices.
//!
//! What holds over a piece of time, [`Piece`], follows from its parts: A = A₂ A₁, b = A₂ b₁ + b₂, V = A₂ V₁ A₂' + V₂. Of A the difference
//! E = A - I is kept, so that short times keep their digits.
//!
//! Where F(t), g(t) g(t)' and u(t) are one function of time by constants, its integral is the time of an equation with constant
//! coefficients ([`Clock`]): over a short piece by the power series, then by doubling. Others are solved on panels of nodes ([`Panels`]): Ψ(r) = A(t, r)
//! is the fixed point of Ψ(r) = I + ∫ Ψ F from r to the panel's end, by the polynomials through its nodes.

use super::super::calculus::{Linear, Reader, Scope, Sum};
use super::super::coefficient::Coefficient;
use super::super::transition::Transition;
use super::dense::Dense;
use super::equation::{Equation, Numbers, NumericEquation, Solution, TURNS, not_a_process};
use super::numeric::{SPANS, TOLERANCE};
use super::quadrature::Rule;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::{Array, PlateId};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType};

/// Terms of the series, and iterations on a panel: with norms up to [`PIECE`] they leave less than 1e-16, with norms up to 1 less than 1e-9.
const TERMS: usize = 12;
/// The largest norm of F over a piece, at the start; learned coefficients may grow.
const PIECE: f64 = 0.25;
const MOST_PANELS: usize = 256;
const MOST_DOUBLINGS: u32 = 16;
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
    doublings: u32,
    /// A power of two near the norm of F(r)
    size: f64,
}

pub(super) struct Panels {
    /// A power of two
    count: usize,
}

/// A - I, b and V of x(t) = A x(s) + b + noise of covariance V.
struct Piece {
    growth: Array,
    shift: Option<Array>,
    var: Array,
}

/// The same as numbers.
struct DensePiece {
    growth: Dense,
    var: Dense,
}

/// F, g g' and u as matrices and a vector.
struct Constant {
    slope: Array,
    square: Array,
    shift: Option<Array>,
}

impl<'m> Lowering<'m> {
    pub(super) fn matrix_solution(&mut self, equation: &Equation<'_, 'm>) -> Result<Solution> {
        let turns = (0..TURNS).map(|turn| self.numeric_equation(equation, turn)).collect::<Result<Vec<_>>>()?;
        if let Some(clock) = self.clock(equation, &turns)? {
            self.refuse_singular(equation, &turns[0], 16)?;
            return Ok(Solution::Clock(clock));
        }
        let count = sufficient_panels(equation, &turns)?;
        self.refuse_singular(equation, &turns[0], count)?;
        Ok(Solution::Panels(Panels { count }))
    }

    /// The covariance of the state has a Cholesky factor.
    fn refuse_singular(&self, equation: &Equation<'_, 'm>, numbers: &NumericEquation, panels: usize) -> Result<()> {
        let (first, last) = equation.range;
        for part in [0.1, 0.5, 1.0] {
            let time = first + (last - first) * part;
            if !dense_piece(equation.count(), numbers, (first, time), panels).var.is_positive_definite() {
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
        let Some(measure) = Reader::new(self.b(), time).element(node, &[entry / n, entry % n]) else { return Ok(None) };
        let scope = self.scalar_scope(&measure);
        let integrator = self.integrator(equation, &scope)?;
        let Some(Linear { particular: time, .. }) = integrator.linear(&Sum::zero(), &measure) else { return Ok(None) };
        let longest = turns.iter().map(|numbers| total_norm(numbers, n, equation.range)).fold(0.0, f64::max);
        let doublings = ((longest / PIECE).log2().ceil().max(0.0) as u32).min(MOST_DOUBLINGS);
        let size = at_reference.norm().log2().round().exp2();
        Ok(Some(Clock { measure, time, scope, reference, doublings, size }))
    }

    /// Scalar atoms, without plates.
    fn scalar_scope(&self, sum: &Sum) -> Scope {
        let mut scope = Scope::default();
        super::super::calculus::collect_atoms(sum, &mut |atom| {
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
        let measure = self.emit(&clock.measure.at(super::super::calculus::Variable::Time, &Sum::from(clock.reference)), &scope)?;
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

    /// A short piece of an equation with constant coefficients: A = Σ (F τ)ʲ / j!, V = Σ τʲ⁺¹ / (j + 1)! Lʲ(Q) with L(Q) = F Q + Q F'.
    fn series(&mut self, constant: &Constant, size: &Array, time: &Array) -> Result<Piece> {
        let (slope, square) = (self.mul(&constant.slope, size)?, self.mul(&constant.square, size)?);
        let source = constant.shift.as_ref().map(|shift| self.mul(shift, size)).transpose()?;
        let mut power = time.clone();
        let (mut linear, mut growth) = (slope.clone(), self.mul(&slope, time)?);
        let (mut spread, mut var) = (square.clone(), self.mul(&square, time)?);
        let mut carried = source.clone();
        let mut shift = source.map(|source| self.mul(&source, time)).transpose()?;
        for term in 2..=TERMS {
            power = self.mul(&power, time)?;
            let inverse = self.real(1.0 / term as f64);
            let scaled = self.mul(&slope, &inverse)?;
            linear = self.matmul(&linear, &scaled)?;
            let next = self.mul(&linear, &power)?;
            growth = self.add(&growth, &next)?;
            let half = self.matmul(&scaled, &spread)?;
            let other = self.transpose_last(&half);
            spread = self.add(&half, &other)?;
            let next = self.mul(&spread, &power)?;
            var = self.add(&var, &next)?;
            if let (Some(vector), Some(sum)) = (&carried, &shift) {
                let vector = self.matmul(&scaled, vector)?;
                let next = self.mul(&vector, &power)?;
                shift = Some(self.add(sum, &next)?);
                carried = Some(vector);
            }
        }
        Ok(Piece { growth, shift, var })
    }

    /// One piece of time after another.
    fn followed(&mut self, first: &Piece, second: &Piece) -> Result<Piece> {
        let product = self.matmul(&second.growth, &first.growth)?;
        let sum = self.add(&first.growth, &second.growth)?;
        let growth = self.add(&sum, &product)?;
        let shift = match (&first.shift, &second.shift) {
            (Some(a), Some(b)) => {
                let carried = self.matmul(&second.growth, a)?;
                let sum = self.add(a, b)?;
                Some(self.add(&sum, &carried)?)
            }
            (None, shift) => shift.clone(),
            (Some(a), None) => {
                let carried = self.matmul(&second.growth, a)?;
                Some(self.add(a, &carried)?)
            }
        };
        // (I + E) V (I + E)' = V + E V + V E' + E V E'
        let left = self.matmul(&second.growth, &first.var)?;
        let back = self.transpose_last(&second.growth);
        let both = self.matmul(&left, &back)?;
        let right = self.transpose_last(&left);
        let sum = self.add(&left, &right)?;
        let carried = self.add(&sum, &both)?;
        let sum = self.add(&first.var, &second.var)?;
        Ok(Piece { growth, shift, var: self.add(&sum, &carried)? })
    }

    fn matrix_transition(&mut self, equation: &Equation<'_, 'm>, piece: Piece) -> Result<Transition> {
        let identity = self.identity_matrix(equation.count());
        let signal = self.add(&identity, &piece.growth)?;
        let shift = piece.shift.map(|shift| self.flattened(&shift, &equation.shape));
        Ok(Transition { signal: Coefficient::Matrix(signal), shift, var: Coefficient::Matrix(piece.var) })
    }

    fn identity_matrix(&mut self, n: usize) -> Array {
        let values: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
        let node = self.b().literal(DType::Real, &[n, n], &values);
        self.array(node, vec![])
    }

    fn constant_coefficients(&mut self, equation: &Equation<'_, 'm>, time: &Array) -> Result<Constant> {
        let dynamics = (equation.at)(self, time)?;
        let slope = self.matrix_of(dynamics.slope.as_ref(), equation)?;
        let g = self.matrix_of(dynamics.diffusion.as_ref(), equation)?;
        let transposed = self.transpose_last(&g);
        let square = self.matmul(&g, &transposed)?;
        let shift = dynamics.shift.map(|shift| self.vector(&shift, &equation.shape));
        Ok(Constant { slope, square, shift })
    }

    fn matrix_of(&mut self, coefficient: Option<&Coefficient>, equation: &Equation<'_, 'm>) -> Result<Array> {
        match coefficient {
            Some(Coefficient::Matrix(matrix)) => Ok(matrix.clone()),
            Some(Coefficient::Scalar(x) | Coefficient::Diagonal(x)) => {
                let diagonal = self.vector(x, &equation.shape);
                self.diagonal_matrix(&diagonal)
            }
            None => {
                let n = equation.count();
                let node = self.b().fill(0.0, DType::Real, &[n, n]);
                Ok(self.array(node, vec![]))
            }
        }
    }

    pub(super) fn transition_by_panels(
        &mut self,
        equation: &Equation<'_, 'm>,
        panels: &Panels,
        from: &Array,
        to: &Array,
    ) -> Result<Transition> {
        let rule = Rule::new(1);
        let h = self.sub(to, from)?;
        let (panel, node) = (self.plate(panels.count), self.plate(rule.nodes.len()));
        let part = self.real(1.0 / panels.count as f64);
        let length = self.mul(&h, &part)?;
        let starts: Vec<f64> = (0..panels.count).map(|at| at as f64).collect();
        let (starts, places) = (self.over_nodes(&starts, panel), self.over_nodes(&rule.nodes, node));
        let places = self.add(&starts, &places)?;
        let along = self.mul(&places, &length)?;
        let times = self.add(from, &along)?;
        let constant = self.in_plate(panel, |this| this.in_plate(node, |this| this.constant_coefficients(equation, &times)))?;
        let slope = self.mul(&constant.slope, &length)?;
        let to_end = self.propagators(&slope, &rule, node, equation.count())?;
        let weights = self.over_nodes(&rule.weights, node);
        let integral = |this: &mut Self, x: &Array| -> Result<Array> {
            let weighted = this.mul(&weights, x)?;
            Ok(this.sum_over(&weighted, &[node]))
        };
        let moved = self.matmul(&to_end, &slope)?;
        let growth = integral(self, &moved)?;
        let left = self.matmul(&to_end, &constant.square)?;
        let back = self.transpose_last(&to_end);
        let spread = self.matmul(&left, &back)?;
        let spread = self.mul(&spread, &length)?;
        let var = integral(self, &spread)?;
        let shift = match &constant.shift {
            Some(shift) => {
                let carried = self.matmul(&to_end, shift)?;
                let carried = self.mul(&carried, &length)?;
                Some(integral(self, &carried)?)
            }
            None => None,
        };
        let piece = self.all_together(Piece { growth, shift, var }, panel, panels.count)?;
        self.matrix_transition(equation, piece)
    }

    /// Ψ at each node, where F already has the panel's length as a factor.
    fn propagators(&mut self, slope: &Array, rule: &Rule, node: PlateId, n: usize) -> Result<Array> {
        let count = rule.nodes.len();
        let tails = self.b().literal(DType::Real, &[count, count], &rule.tails.concat());
        let tails = self.array(tails, vec![]);
        let identity = self.identity_matrix(n);
        let mut found = identity.clone();
        for _ in 0..TERMS {
            let product = self.matmul(&found, slope)?;
            let lowered = self.lower_plates(&product, &[node]);
            let rows = self.flattened(&lowered, &[count, n * n]);
            let integrals = self.matmul(&tails, &rows)?;
            let integrals = self.flattened(&integrals, &[count, n, n]);
            let integrals = self.lift_onto(&integrals, &[node]);
            found = self.add(&identity, &integrals)?;
        }
        Ok(found)
    }

    /// Pieces along a plate as one, neighbours first.
    fn all_together(&mut self, mut pieces: Piece, mut plate: PlateId, mut count: usize) -> Result<Piece> {
        while count > 1 {
            count /= 2;
            let half = self.plate(count);
            let mut first = vec![];
            let mut second = vec![];
            for array in [Some(&pieces.growth), pieces.shift.as_ref(), Some(&pieces.var)] {
                let halves = array.map(|array| self.halves(array, plate, half, count));
                let (a, b) = halves.unzip();
                first.push(a);
                second.push(b);
            }
            let piece = |parts: Vec<Option<Array>>| -> Result<Piece> {
                let lost = || Diagnostic::internal("a piece without moments");
                let mut parts = parts.into_iter();
                let mut next = || parts.next().flatten();
                let (growth, shift, var) = (next(), next(), next());
                Ok(Piece { growth: growth.ok_or_else(lost)?, shift, var: var.ok_or_else(lost)? })
            };
            pieces = self.followed(&piece(first)?, &piece(second)?)?;
            plate = half;
        }
        let one = |this: &mut Self, array: &Array| this.sum_over(array, &[plate]);
        Ok(Piece {
            growth: one(self, &pieces.growth),
            shift: pieces.shift.as_ref().map(|shift| one(self, shift)),
            var: one(self, &pieces.var),
        })
    }

    /// Cells 0, 2, … and cells 1, 3, … of a plate, over a plate of half its size.
    fn halves(&mut self, x: &Array, plate: PlateId, half: PlateId, count: usize) -> (Array, Array) {
        let shape = self.shape(x);
        let lowered = self.lower_plates(x, &[plate]);
        let pairs = self.flattened(&lowered, &[&[count, 2], &shape[..]].concat());
        let mut cell = |at: usize| {
            let axis = pairs.plates.len() + 1;
            let node = self.node(&pairs);
            let node = self.b().slice_axis(node, axis, at, at + 1);
            let array = self.array(node, pairs.plates.clone());
            let flat = self.flattened(&array, &[&[count], &shape[..]].concat());
            self.lift_onto(&flat, &[half])
        };
        (cell(0), cell(1))
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
fn all_at(Numbers { slope, shift, diffusion }: &Numbers, n: usize) -> [Vec<f64>; 3] {
    let dense = |value: &Option<crate::graph::Value>| value.as_ref().map_or_else(|| Dense::zero(n), |value| Dense::of(n, &value.elements));
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
fn total_norm(numbers: &NumericEquation, n: usize, (first, last): (f64, f64)) -> f64 {
    let at = |i: usize| first + (last - first) * (i as f64 + 0.5) / GRID as f64;
    let norm = |i: usize| Dense { n, elements: slope_at(numbers, at(i), n) }.norm();
    (0..GRID).map(norm).fold(0.0, f64::max) * (last - first)
}

/// The solution between two times on panels.
fn dense_piece(n: usize, numbers: &NumericEquation, (s, t): (f64, f64), panels: usize) -> DensePiece {
    let rule = Rule::new(1);
    let length = (t - s) / panels as f64;
    let mut whole = DensePiece { growth: Dense::zero(n), var: Dense::zero(n) };
    let identity = Dense::of(n, &[1.0]);
    for panel in 0..panels {
        let at: Vec<_> = rule.nodes.iter().map(|c| all_at(&numbers.at(s + (panel as f64 + c) * length), n)).collect();
        let slopes: Vec<Dense> = at.iter().map(|at| Dense { n, elements: at[0].clone() }.scaled(length)).collect();
        let mut to_end = vec![identity.clone(); at.len()];
        for _ in 0..TERMS {
            let moved: Vec<Dense> = to_end.iter().zip(&slopes).map(|(psi, slope)| psi.times(slope)).collect();
            let next = |tail: &Vec<f64>| tail.iter().zip(&moved).fold(identity.clone(), |sum, (w, moved)| sum.plus(moved, *w));
            to_end = rule.tails.iter().map(next).collect();
        }
        let sum = |each: &dyn Fn(usize) -> Dense| (0..at.len()).fold(Dense::zero(n), |sum, k| sum.plus(&each(k), rule.weights[k]));
        let growth = sum(&|k| to_end[k].times(&slopes[k]));
        let var = sum(&|k| to_end[k].times(&Dense { n, elements: at[k][1].clone() }).times(&to_end[k].transpose())).scaled(length);
        let carry = identity.plus(&growth, 1.0);
        let carried = carry.times(&whole.var).times(&carry.transpose());
        whole =
            DensePiece { growth: growth.plus(&whole.growth, 1.0).plus(&growth.times(&whole.growth), 1.0), var: var.plus(&carried, 1.0) };
    }
    whole
}

/// The smallest number of panels with which doubling it changes nothing.
fn sufficient_panels(equation: &Equation<'_, '_>, turns: &[NumericEquation]) -> Result<usize> {
    let n = equation.count();
    let (first, last) = equation.range;
    let norm = turns.iter().map(|numbers| total_norm(numbers, n, equation.range)).fold(0.0, f64::max);
    let mut count = ((norm / PIECE).ceil() as usize).max(1).next_power_of_two();
    let solve = |count: usize| -> Vec<DensePiece> {
        let spans = SPANS.map(|(from, to)| (first + (last - first) * from, first + (last - first) * to));
        spans.iter().flat_map(|span| turns.iter().map(|numbers| dense_piece(n, numbers, *span, count))).collect()
    };
    let distance = |a: &Dense, b: &Dense| a.plus(b, -1.0).norm() / b.norm().max(f64::MIN_POSITIVE);
    let mut known = solve(count);
    while count < MOST_PANELS {
        let next = solve(2 * count);
        let pairs = known.iter().zip(&next);
        let worst = pairs.map(|(a, b)| distance(&a.growth, &b.growth).max(distance(&a.var, &b.var))).fold(0.0, f64::max);
        if worst <= TOLERANCE {
            return Ok(count);
        }
        (count, known) = (2 * count, next);
    }
    let message = format!("the mean and variance equations cannot be solved to 1e-10 up to t = {last}");
    Err(not_a_process(message, equation.drift)
        .label(equation.diffusion, "with this diffusion coefficient")
        .help(format!("{count} panels are not enough: a coefficient may be singular")))
}
