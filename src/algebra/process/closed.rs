//! Kernels of Itô processes in elementary functions.

use super::super::lowering::Lowering;
use super::super::value::Array;
use super::calculus::{Integrator, Linear, Number, Point, Reader, Scope, Sum, Variable, collect_atoms};
use super::coefficient::Coefficient;
use super::equation::{Equation, TURNS};
use super::transition::Transition;
use crate::base::diagnostic::Result;
use crate::graph::NodeId;
use std::collections::BTreeMap;

/// Times at which a primitive is tried, for each value of what is learned.
const POINTS: usize = 4;

/// F, u and g² as sums; `None` where one is no elementary function of time.
pub(super) struct Coefficients {
    pub slope: Option<Sum>,
    pub shift: Option<Sum>,
    pub square: Option<Sum>,
    pub scope: Scope,
}

impl<'m> Lowering<'m> {
    /// `None` where an integral is not elementary, as far as is known here.
    pub(super) fn in_closed_form(&mut self, equation: &Equation<'_, 'm>, from: &Array, to: &Array) -> Result<Option<Transition>> {
        let coefficients = self.read_coefficients(equation);
        let Coefficients { slope: Some(slope), shift: Some(shift), square: Some(square), scope } = coefficients else { return Ok(None) };
        let integrator = self.integrator(equation, &scope)?;
        let twice = slope.scale(Number::from(2));
        let (Some(mean), Some(variance)) = (integrator.linear(&slope, &shift), integrator.linear(&twice, &square)) else {
            return Ok(None);
        };
        let scope = self.scope_between(scope, from, to)?;
        let signal = self.emit_between(&mean.factor(), &scope)?;
        let shift = mean.from_zero();
        let shift = if shift.is_zero() { None } else { Some(self.emit_between(&shift, &scope)?) };
        let var = self.emit_between(&variance.from_zero(), &scope)?;
        let (signal, var) = (self.elementwise_of(signal), self.elementwise_of(var));
        Ok(Some(Transition { signal, shift, var }))
    }

    /// The solution of the mean equation alone, if it is elementary.
    pub(super) fn mean_in_closed_form(&mut self, equation: &Equation<'_, 'm>) -> Result<Option<(Linear, Scope)>> {
        let Coefficients { slope: Some(slope), scope, .. } = self.read_coefficients(equation) else { return Ok(None) };
        let integrator = self.integrator(equation, &scope)?;
        Ok(integrator.linear(&slope, &Sum::zero()).map(|mean| (mean, scope)))
    }

    /// A function of two times, as an array.
    pub(super) fn emit_between(&mut self, sum: &Sum, scope: &Scope) -> Result<Array> {
        let start = scope.variables.get(&Variable::Start).cloned();
        match start.and_then(|start| self.known_number(&start)) {
            Some(0.0) => self.emit(&sum.at(Variable::Start, &Sum::zero()).at(Variable::Elapsed, &Sum::time()), scope),
            Some(start) => self.emit(&sum.at(Variable::Start, &Sum::from(start)), scope),
            None => self.emit(sum, scope),
        }
    }

    /// With values for s, t and t - s.
    pub(super) fn scope_between(&mut self, mut scope: Scope, from: &Array, to: &Array) -> Result<Scope> {
        let elapsed = self.sub(to, from)?;
        scope.variables = BTreeMap::from([(Variable::Time, to.clone()), (Variable::Start, from.clone()), (Variable::Elapsed, elapsed)]);
        Ok(scope)
    }

    pub(super) fn elementwise_of(&self, array: Array) -> Coefficient {
        if self.shape(&array).is_empty() { Coefficient::Scalar(array) } else { Coefficient::Diagonal(array) }
    }

    /// Of elementwise coefficients.
    fn read_coefficients(&mut self, equation: &Equation<'_, 'm>) -> Coefficients {
        let mut scope = Scope::default();
        let dynamics = &equation.dynamics;
        let slope = self.read(dynamics.slope.as_ref().map(Coefficient::array), &equation.time, &mut scope);
        let shift = self.read(dynamics.shift.as_ref(), &equation.time, &mut scope);
        let diffusion = self.read(dynamics.diffusion.as_ref().map(Coefficient::array), &equation.time, &mut scope);
        Coefficients { slope, shift, square: diffusion.map(|g| g.squared()), scope }
    }

    /// An array as a function of a placeholder; what is absent is zero.
    pub(super) fn read(&mut self, array: Option<&Array>, time: &Array, scope: &mut Scope) -> Option<Sum> {
        let Some(array) = array else { return Some(Sum::zero()) };
        let (node, time) = (self.node(array), self.node(time));
        let sum = Reader::new(self.b(), time).read(node)?;
        collect_atoms(&sum, &mut |atom| {
            let plates = if self.b().shape(atom).is_empty() { vec![] } else { array.plates.clone() };
            scope.atoms.insert(atom, self.array(atom, plates));
        });
        Some(sum)
    }

    /// Tries primitives at times inside the range, with the starting values of parameters and with others.
    pub(super) fn integrator(&mut self, equation: &Equation<'_, 'm>, scope: &Scope) -> Result<Integrator> {
        let atoms: Vec<NodeId> = scope.atoms.keys().copied().collect();
        let time = self.node(&equation.time);
        let (first, last) = equation.range;
        let mut points = vec![];
        for turn in 0..TURNS {
            let values = self.probe(&atoms, time, turn)?.at(first);
            for i in 0..POINTS {
                let time = first + (last - first) * (i as f64 + 0.37) / POINTS as f64;
                let atoms = atoms.iter().copied().zip(values.iter().map(crate::graph::Value::first)).collect();
                points.push(Point { atoms, time, start: first });
            }
        }
        Ok(Integrator { points })
    }
}
