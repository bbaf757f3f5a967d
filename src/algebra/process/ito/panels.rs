//! Equations with matrices that change with time, on panels of nodes: Ψ(r) = A(t, r) is the fixed point of Ψ(r) = I + ∫ Ψ F from r to
//! the panel's end, by the polynomials through its nodes (Clenshaw and Norton: The solution of nonlinear ordinary differential equations
//! in Chebyshev series, 1963, for their iteration).

use super::super::transition::Transition;
use super::dense::Dense;
use super::equation::{Equation, NumericEquation, not_a_process};
use super::matrix::{TERMS, all_at, total_norm};
use super::numeric::TOLERANCE;
use super::piece::Piece;
use super::quadrature::Rule;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::DType;

/// The largest norm of F over a panel at the start: learned coefficients may grow.
const PANEL: f64 = 0.5;
const MOST_PANELS: usize = 256;

pub(super) struct Panels {
    /// A power of two
    pub count: usize,
}

/// A - I and V as numbers.
pub(super) struct DensePiece {
    pub growth: Dense,
    pub var: Dense,
}

impl<'m> Lowering<'m> {
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
}

impl DensePiece {
    /// Of no time.
    pub fn none(n: usize) -> DensePiece {
        DensePiece { growth: Dense::zero(n), var: Dense::zero(n) }
    }

    /// This piece, then another.
    pub fn followed(&self, next: &DensePiece) -> DensePiece {
        let carry = Dense::of(next.growth.n, &[1.0]).plus(&next.growth, 1.0);
        let carried = carry.times(&self.var).times(&carry.transpose());
        let growth = next.growth.plus(&self.growth, 1.0).plus(&next.growth.times(&self.growth), 1.0);
        DensePiece { growth, var: next.var.plus(&carried, 1.0) }
    }
}

/// The solution between two times on panels.
pub(super) fn dense_piece(n: usize, numbers: &NumericEquation, (s, t): (f64, f64), panels: usize) -> DensePiece {
    let rule = Rule::new(1);
    let length = (t - s) / panels as f64;
    let panel = |panel: usize| dense_panel(n, numbers, &rule, s + panel as f64 * length, length);
    (0..panels).fold(DensePiece::none(n), |whole, number| whole.followed(&panel(number)))
}

fn dense_panel(n: usize, numbers: &NumericEquation, rule: &Rule, start: f64, length: f64) -> DensePiece {
    let identity = Dense::of(n, &[1.0]);
    let at: Vec<_> = rule.nodes.iter().map(|c| all_at(&numbers.at(start + c * length), n)).collect();
    let slopes: Vec<Dense> = at.iter().map(|at| Dense { n, elements: at[0].clone() }.scaled(length)).collect();
    let mut to_end = vec![identity.clone(); at.len()];
    for _ in 0..TERMS {
        let moved: Vec<Dense> = to_end.iter().zip(&slopes).map(|(psi, slope)| psi.times(slope)).collect();
        for (psi, tail) in to_end.iter_mut().zip(&rule.tails) {
            psi.elements.clone_from(&identity.elements);
            tail.iter().zip(&moved).for_each(|(&weight, moved)| psi.add(moved, weight));
        }
    }
    let mut piece = DensePiece::none(n);
    for (k, psi) in to_end.iter().enumerate() {
        let square = Dense { n, elements: at[k][1].clone() };
        piece.growth.add(&psi.times(&slopes[k]), rule.weights[k]);
        piece.var.add(&psi.times(&square).times(&psi.transpose()), rule.weights[k] * length);
    }
    piece
}

/// So many that the norm of F over one is small.
pub(super) fn panels_for(norm: f64) -> usize {
    ((norm / PANEL).ceil() as usize).clamp(1, MOST_PANELS).next_power_of_two()
}

/// The smallest number of panels with which doubling it changes nothing.
pub(super) fn sufficient_panels(equation: &Equation<'_, '_>, turns: &[NumericEquation]) -> Result<usize> {
    let n = equation.count();
    let (first, last) = equation.range;
    let norm = turns.iter().map(|numbers| total_norm(numbers, n, equation.range)).fold(0.0, f64::max);
    let mut count = panels_for(norm);
    let early = first + (last - first) / 100.0;
    let solve = |count: usize| -> Vec<DensePiece> {
        let whole = turns.iter().map(|numbers| dense_piece(n, numbers, (first, last), count));
        whole.chain([dense_piece(n, &turns[0], (first, early), count)]).collect()
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
