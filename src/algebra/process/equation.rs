//! The mean and variance equations of dx = (F x + u) dt + g dW (Särkkä and Solin: Applied stochastic differential equations, 2019,
//! section 6.1): which way they are solved, and whether the equation defines a process at all.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::coefficient::Coefficient;
use super::dynamics::Dynamics;
use super::probe::Probe;
use super::transition::Transition;
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic, Span};
use crate::graph::{NodeId, Value};

/// Times at which coefficients are looked at, between the ends.
const GRID: usize = 32;
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
    pub drift: Span,
    pub diffusion: Span,
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

impl<'m> Lowering<'m> {
    /// x(to) given x(from).
    pub(super) fn solve_equation(&mut self, equation: &Equation<'_, 'm>, from: &Array, to: &Array) -> Result<Transition> {
        self.check_equation(equation)?;
        let is_matrix = |coefficient: &Option<Coefficient>| matches!(coefficient, Some(Coefficient::Matrix(_)));
        if is_matrix(&equation.dynamics.slope) || is_matrix(&equation.dynamics.diffusion) {
            return Err(Diagnostic::unsupported("matrices").at(equation.drift));
        }
        match self.in_closed_form(equation, from, to)? {
            Some(transition) => Ok(transition),
            None => self.by_quadrature(equation, from, to),
        }
    }

    pub(super) fn numeric_equation(&mut self, equation: &Equation<'_, 'm>, turn: u32) -> Result<NumericEquation> {
        let Dynamics { slope, shift, diffusion } = &equation.dynamics;
        let arrays = [slope.as_ref().map(Coefficient::array), shift.as_ref(), diffusion.as_ref().map(Coefficient::array)];
        let present = arrays.map(|array| array.is_some());
        let nodes: Vec<NodeId> = arrays.into_iter().flatten().map(|array| self.node(array)).collect();
        let time = self.node(&equation.time);
        Ok(NumericEquation { probe: self.probe(&nodes, time, turn)?, present })
    }

    /// Coefficients are finite between the ends, the diffusion coefficient is not negative, and noise comes in from the start.
    fn check_equation(&mut self, equation: &Equation<'_, 'm>) -> Result<()> {
        let numbers = self.numeric_equation(equation, 0)?;
        let (first, last) = equation.range;
        let mut silent = true;
        for i in 1..GRID {
            let time = first + (last - first) * i as f64 / GRID as f64;
            let Numbers { slope, shift, diffusion } = numbers.at(time);
            if slope.iter().chain(&shift).any(|value| !value.is_finite()) {
                return Err(not_a_process(format!("the drift is not a finite number at t = {time}"), equation.drift));
            }
            let Some(diffusion) = diffusion else { continue };
            if !diffusion.is_finite() {
                return Err(not_a_process(format!("the diffusion coefficient is not a finite number at t = {time}"), equation.diffusion)
                    .help("the coefficient of dW is a standard deviation: a root of something that becomes negative has no value"));
            }
            let elementwise = !matches!(equation.dynamics.diffusion, Some(Coefficient::Matrix(_)));
            if let Some(value) = diffusion.elements.iter().find(|value| elementwise && **value < 0.0) {
                return Err(not_a_process(format!("the diffusion coefficient is negative at t = {time}: {value:.4}"), equation.diffusion)
                    .help("the coefficient of dW is a standard deviation"));
            }
            silent &= diffusion.elements.iter().all(|value| *value == 0.0);
            if i == 1 && silent {
                let message = format!("no noise has come in at t = {time}: the state there has no density");
                return Err(
                    not_a_process(message, equation.diffusion).help("the coefficient of dW must not be zero from the first time on")
                );
            }
        }
        Ok(())
    }
}

pub(super) fn not_a_process(message: String, at: Span) -> Diagnostic {
    Diagnostic::new(Code::NoProcess, message).at(at)
}
