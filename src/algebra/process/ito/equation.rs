//! The mean and variance equations of dx = (F x + u) dt + g dW (Särkkä and Solin: Applied stochastic differential equations, 2019,
//! section 6.1): which way they are solved, and whether the equation defines a process at all.

use super::super::calculus::{Linear, Scope};
use super::super::coefficient::Coefficient;
use super::super::dynamics::Dynamics;
use super::super::transition::Transition;
use super::matrix::Clock;
use super::panels::Panels;
use super::probe::Probe;
use super::quadrature::Rule;
use crate::algebra::frame::FrameId;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::Array;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Process, VarId};
use crate::graph::{NodeId, Value};
use std::collections::HashMap;
use std::rc::Rc;

/// Times at which coefficients are looked at, between the ends.
const GRID: usize = 64;
/// Values of parameters with which they are looked at: those at the start, and random ones.
pub(super) const TURNS: u32 = 3;

/// A linear stochastic differential equation.
pub(super) struct Equation<'e, 'm> {
    /// Its coefficients at a time
    pub at: &'e dyn Fn(&mut Lowering<'m>, &Array) -> Result<Dynamics>,
    /// Those at the placeholder `time`
    pub dynamics: Dynamics,
    pub time: Array,
    pub range: (f64, f64),
    /// Of the state
    pub shape: Vec<usize>,
    pub drift: Span,
    pub diffusion: Span,
}

/// How an equation is solved between any two times.
pub(super) enum Solution {
    /// By elementary functions
    Closed { mean: Linear, variance: Linear, scope: Scope },
    /// By quadrature, the mean perhaps by elementary functions
    Nodes { mean: Option<(Linear, Scope)>, rule: Rule },
    /// Matrices that are a function of time by constant ones
    Clock(Clock),
    /// Any other matrices
    Panels(Panels),
}

/// What is known of equations: the placeholders at which they are read, and the solutions by the nodes of F, u and g.
#[derive(Default)]
pub struct EquationCache {
    placeholders: HashMap<(VarId, FrameId), (Array, Array)>,
    solutions: HashMap<(FrameId, [Option<NodeId>; 3]), Rc<Solution>>,
}

/// F, u and g as numbers at a time.
pub(super) struct Numbers {
    pub slope: Option<Value>,
    pub shift: Option<Value>,
    pub diffusion: Option<Value>,
}

/// F, u and g as functions of the time, for some values of what is learned.
pub(super) struct NumericEquation {
    probe: Probe,
    present: [bool; 3],
}

impl NumericEquation {
    pub fn at(&self, time: f64) -> Numbers {
        let mut values = self.probe.at(time).into_iter();
        let mut next = |present: bool| if present { values.next() } else { None };
        let [slope, shift, diffusion] = self.present;
        Numbers { slope: next(slope), shift: next(shift), diffusion: next(diffusion) }
    }
}

impl<'m> Equation<'_, 'm> {
    pub fn is_elementwise(&self) -> bool {
        let is_matrix = |coefficient: &Option<Coefficient>| coefficient.as_ref().is_some_and(Coefficient::is_matrix);
        !is_matrix(&self.dynamics.slope) && !is_matrix(&self.dynamics.diffusion)
    }

    fn arrays(&self) -> [Option<&Array>; 3] {
        let Dynamics { slope, shift, diffusion } = &self.dynamics;
        [slope.as_ref().map(Coefficient::array), shift.as_ref(), diffusion.as_ref().map(Coefficient::array)]
    }
}

impl<'m> Lowering<'m> {
    /// The time and the state at which equations over a family are read: the same ones each time, so that equal equations are equal nodes.
    pub(super) fn equation_placeholders(&mut self, family: VarId, shape: &[usize]) -> (Array, Array) {
        let key = (family, self.frames.current());
        if let Some(known) = self.equations.placeholders.get(&key) {
            return known.clone();
        }
        let made = (self.placeholder(&[], None), self.placeholder(shape, None));
        self.equations.placeholders.insert(key, made.clone());
        made
    }

    /// x(to) given x(from).
    pub(super) fn solve_equation(
        &mut self,
        process: &'m Process,
        equation: &Equation<'_, 'm>,
        from: &Array,
        to: &Array,
    ) -> Result<Transition> {
        let solution = self.solution(process, equation)?;
        match &*solution {
            Solution::Closed { mean, variance, scope } => self.closed_transition(mean, variance, scope, from, to),
            Solution::Nodes { mean, rule } => self.transition_by_nodes(equation, mean.as_ref(), rule, [from, to]),
            Solution::Clock(clock) => self.transition_by_clock(equation, clock, from, to),
            Solution::Panels(panels) => self.transition_by_panels(equation, panels, from, to),
        }
    }

    fn solution(&mut self, process: &'m Process, equation: &Equation<'_, 'm>) -> Result<Rc<Solution>> {
        let nodes = equation.arrays().map(|array| array.map(|array| self.node(array)));
        let key = (self.frames.current(), nodes);
        if let Some(known) = self.equations.solutions.get(&key) {
            return Ok(known.clone());
        }
        self.check_equation(equation)?;
        let solution = match equation.is_elementwise() {
            true => match self.closed_solution(equation)? {
                Some(closed) => closed,
                None => self.solution_by_nodes(equation)?,
            },
            false => self.matrix_solution(equation)?,
        };
        self.record_solution(process, equation, &solution)?;
        let solution = Rc::new(solution);
        self.equations.solutions.insert(key, solution.clone());
        Ok(solution)
    }

    pub(super) fn numeric_equation(&mut self, equation: &Equation<'_, 'm>, turn: u32) -> Result<NumericEquation> {
        let arrays = equation.arrays();
        let present = arrays.map(|array| array.is_some());
        let nodes: Vec<NodeId> = arrays.into_iter().flatten().map(|array| self.node(array)).collect();
        let time = self.node(&equation.time);
        Ok(NumericEquation { probe: self.probe(&nodes, time, turn)?, present })
    }

    /// Coefficients are finite between the ends, the diffusion coefficient is not negative, and noise comes in from the start.
    fn check_equation(&mut self, equation: &Equation<'_, 'm>) -> Result<()> {
        let numbers = self.numeric_equation(equation, 0)?;
        let (first, last) = equation.range;
        for i in 1..GRID {
            let time = first + (last - first) * i as f64 / GRID as f64;
            let Numbers { slope, shift, diffusion } = numbers.at(time);
            if slope.iter().chain(&shift).any(|value| !value.is_finite()) {
                return Err(not_a_process(format!("the drift is not a finite number at t = {time}"), equation.drift));
            }
            let elements: &[f64] = diffusion.as_ref().map_or(&[], |value| &value.elements);
            if elements.iter().any(|value| !value.is_finite()) {
                return Err(undefined_diffusion(time, equation.diffusion));
            }
            if let Some(value) = elements.iter().find(|value| **value < 0.0 && equation.is_elementwise()) {
                let message = format!("the diffusion coefficient is negative at t = {time}: {value:.4}");
                return Err(not_a_process(message, equation.diffusion).help(STANDARD_DEVIATION));
            }
            if i == 1 && elements.iter().all(|value| *value == 0.0) {
                let message = format!("no noise has come in at t = {time}: the state there has no density");
                return Err(not_a_process(message, equation.diffusion).help("the coefficient of dW is not zero from the first time on"));
            }
        }
        Ok(())
    }
}

pub(super) fn not_a_process(message: String, at: Span) -> Diagnostic {
    Diagnostic::new(Code::NoProcess, message).at(at)
}

const STANDARD_DEVIATION: &str = "the coefficient of dW is a standard deviation";

/// Such as the square root of a negative number.
pub fn undefined_diffusion(time: f64, at: Span) -> Diagnostic {
    not_a_process(format!("the diffusion coefficient is not a finite number at t = {time}"), at).help(STANDARD_DEVIATION)
}
