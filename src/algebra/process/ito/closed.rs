//! Kernels of Itô processes in elementary functions.

use super::super::calculus::{Integrator, Linear, Number, Point, Reader, Scope, Sum, Variable, collect_atoms};
use super::super::coefficient::Coefficient;
use super::super::transition::Transition;
use super::equation::{Equation, Numbers, Solution, TURNS};
use crate::algebra::lowering::Lowering;
use crate::algebra::value::Array;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::graph::{NodeId, Value};
use std::collections::BTreeMap;

/// Times at which a primitive is tried, for each value of what is learned.
const POINTS: usize = 4;

impl<'m> Lowering<'m> {
    /// `None` where an integral is not elementary, as far as is known here.
    pub(super) fn closed_solution(&mut self, equation: &Equation<'_, 'm>) -> Result<Option<Solution>> {
        let mut scope = Scope::default();
        let dynamics = &equation.dynamics;
        let slope = self.read(dynamics.slope.as_ref().map(Coefficient::array), &equation.time, &mut scope);
        let shift = self.read(dynamics.shift.as_ref(), &equation.time, &mut scope);
        let diffusion = self.read(dynamics.diffusion.as_ref().map(Coefficient::array), &equation.time, &mut scope);
        let (Some(slope), Some(shift), Some(diffusion)) = (slope, shift, diffusion) else { return Ok(None) };
        let square = diffusion.squared();
        if !self.is_read_right(equation, [&slope, &shift, &square], &scope)? {
            return Ok(None);
        }
        let integrator = self.integrator(equation, &scope)?;
        let Some(mean) = integrator.linear(&slope, &shift) else { return Ok(None) };
        let variance = integrator.linear(&slope.scale(Number::from(2)), &square);
        Ok(variance.map(|variance| Solution::Closed { mean, variance, scope }))
    }

    /// The solution of x' = F x alone, if it is elementary.
    pub(super) fn closed_signal(&mut self, equation: &Equation<'_, 'm>) -> Result<Option<(Linear, Scope)>> {
        let mut scope = Scope::default();
        let slope = equation.dynamics.slope.as_ref().map(Coefficient::array);
        let Some(slope) = self.read(slope, &equation.time, &mut scope) else { return Ok(None) };
        let numbers = self.numeric_equation(equation, 0)?;
        let right = |point: &Point| numbers.at(point.time).slope.is_none_or(|value| near(value.first(), slope.evaluate(point)));
        if !self.sample_points(equation, &scope)?.iter().take(POINTS).all(right) {
            return Ok(None);
        }
        let integrator = self.integrator(equation, &scope)?;
        Ok(integrator.linear(&slope, &Sum::zero()).map(|mean| (mean, scope)))
    }

    pub(super) fn closed_transition(
        &mut self,
        mean: &Linear,
        variance: &Linear,
        scope: &Scope,
        from: &Array,
        to: &Array,
    ) -> Result<Transition> {
        let scope = self.at_times(scope, from, to)?;
        let signal = self.emit_between(&mean.factor(), &scope)?;
        let shift = mean.accumulated();
        let shift = if shift.is_zero() { None } else { Some(self.emit_between(&shift, &scope)?) };
        let var = self.emit_between(&variance.accumulated(), &scope)?;
        let (signal, var) = (self.elementwise_of(signal), self.elementwise_of(var));
        Ok(Transition { signal, shift, var })
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
    pub(super) fn at_times(&mut self, scope: &Scope, from: &Array, to: &Array) -> Result<Scope> {
        let elapsed = self.sub(to, from)?;
        let variables = BTreeMap::from([(Variable::Time, to.clone()), (Variable::Start, from.clone()), (Variable::Elapsed, elapsed)]);
        Ok(Scope { variables, atoms: scope.atoms.clone() })
    }

    pub(super) fn elementwise_of(&self, array: Array) -> Coefficient {
        if self.shape(&array).is_empty() { Coefficient::Scalar(array) } else { Coefficient::Diagonal(array) }
    }

    /// An array as a function of a placeholder; what is absent is zero.
    pub(super) fn read(&mut self, array: Option<&Array>, time: &Array, scope: &mut Scope) -> Option<Sum> {
        self.read_with(array, time, &[], scope)
    }

    /// The same with nodes that are taken as they are.
    pub(super) fn read_with(&mut self, array: Option<&Array>, time: &Array, atoms: &[NodeId], scope: &mut Scope) -> Option<Sum> {
        let Some(array) = array else { return Some(Sum::zero()) };
        let (node, time) = (self.node(array), self.node(time));
        let sum = Reader::new(self.b(), time, atoms).read(node)?;
        collect_atoms(&sum, &mut |atom| {
            let plates = if self.b().shape(atom).is_empty() { vec![] } else { array.plates.clone() };
            scope.atoms.insert(atom, self.array(atom, plates));
        });
        Some(sum)
    }

    /// Tries primitives at times inside the range, with the starting values of parameters and with others.
    pub(super) fn integrator(&mut self, equation: &Equation<'_, 'm>, scope: &Scope) -> Result<Integrator> {
        Ok(Integrator::new(self.sample_points(equation, scope)?))
    }

    /// So many for each turn.
    fn sample_points(&mut self, equation: &Equation<'_, 'm>, scope: &Scope) -> Result<Vec<Point>> {
        let atoms: Vec<NodeId> = scope.atoms.keys().copied().collect();
        let time = self.node(&equation.time);
        let (first, last) = equation.range;
        let mut points = vec![];
        for turn in 0..TURNS {
            let values = self.probe(&atoms, time, turn)?.at(first);
            for i in 0..POINTS {
                let time = first + (last - first) * (i as f64 + 0.37) / POINTS as f64;
                let atoms = atoms.iter().copied().zip(values.iter().map(Value::first)).collect();
                points.push(Point { atoms, time, start: first });
            }
        }
        Ok(points)
    }

    /// Whether F, u and g² as sums are what the graph computes: roots of squares are positive, which sums do not know.
    fn is_read_right(&mut self, equation: &Equation<'_, 'm>, sums: [&Sum; 3], scope: &Scope) -> Result<bool> {
        let points = self.sample_points(equation, scope)?;
        for (turn, points) in (0..TURNS).zip(points.chunks(POINTS)) {
            let numbers = self.numeric_equation(equation, turn)?;
            for point in points {
                let Numbers { slope, shift, diffusion } = numbers.at(point.time);
                let values = [slope, shift, diffusion.map(|g| g.map(DType::Real, |g| g * g))];
                let right = |(value, sum): (&Option<Value>, &&Sum)| near(value.as_ref().map_or(0.0, Value::first), sum.evaluate(point));
                if !values.iter().zip(&sums).all(right) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Equal, but for rounding; what has no value may be anything.
fn near(value: f64, sum: f64) -> bool {
    !value.is_finite() || (value - sum).abs() <= 1e-9 * value.abs().max(1e-9)
}
