//! Kernels of Itô processes by quadrature: the integrals of the mean and variance equations over nodes between two times.
//!
//! With h = t - s and nodes r = s + c h: A(t, r) = exp ∫ F from r to t, the shift is h Σ w A(t, r) u(r) and the variance
//! h Σ w A(t, r)² g(r)². The number of nodes is such that twice as many change nothing above [`TOLERANCE`].

use super::super::calculus::{Linear, Scope};
use super::super::dynamics::Dynamics;
use super::super::transition::Transition;
use super::equation::{Equation, NumericEquation, Solution, TURNS, not_a_process};
use super::quadrature::Rule;
use crate::algebra::lowering::Lowering;
use crate::algebra::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{DType, UnaryOp};
use crate::graph::Value;

/// Relative
pub(super) const TOLERANCE: f64 = 1e-10;
/// Numbers of panels that are tried
const PANELS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Parts of the range over which rules are compared
const SPANS: [(f64, f64); 4] = [(0.0, 1.0), (0.0, 0.5), (0.0, 0.01), (0.5, 1.0)];

/// What the integrals between two times are made of.
struct Nodes<'n> {
    mean: Option<&'n (Linear, Scope)>,
    rule: &'n Rule,
    from: &'n Array,
    to: &'n Array,
    /// t - s
    h: Array,
}

impl<'m> Lowering<'m> {
    pub(super) fn solution_by_nodes(&mut self, equation: &Equation<'_, 'm>) -> Result<Solution> {
        let rule = self.sufficient_rule(equation)?;
        Ok(Solution::Nodes { mean: self.closed_signal(equation)?, rule })
    }

    pub(super) fn transition_by_nodes(
        &mut self,
        equation: &Equation<'_, 'm>,
        mean: Option<&(Linear, Scope)>,
        rule: &Rule,
        [from, to]: [&Array; 2],
    ) -> Result<Transition> {
        let nodes = Nodes { mean, rule, from, to, h: self.sub(to, from)? };
        let plate = self.plate(rule.nodes.len());
        let dynamics = self.dynamics_at_nodes(equation, &nodes, plate)?;
        let (signal, carried) = (self.whole_factor(equation, &nodes)?, self.factors_to_end(equation, &nodes, plate)?);
        let shift = match &dynamics.shift {
            Some(shift) => {
                let carried = self.mul(&carried, shift)?;
                Some(self.integral(&nodes, &rule.weights, &carried, plate)?)
            }
            None => None,
        };
        let var = match &dynamics.diffusion {
            Some(g) => {
                let spread = self.mul(&carried, g.elementwise()?)?;
                let squared = self.mul(&spread, &spread)?;
                self.integral(&nodes, &rule.weights, &squared, plate)?
            }
            None => self.real(0.0),
        };
        let (signal, var) = (self.elementwise_of(signal), self.elementwise_of(var));
        Ok(Transition { signal, shift, var })
    }

    /// A(t, s)
    fn whole_factor(&mut self, equation: &Equation<'_, 'm>, nodes: &Nodes<'_>) -> Result<Array> {
        if let Some((mean, scope)) = nodes.mean {
            let scope = self.at_times(scope, nodes.from, nodes.to)?;
            return self.emit_between(&mean.factor(), &scope);
        }
        let plate = self.plate(nodes.rule.nodes.len());
        let slope = self.slope_at_nodes(equation, nodes, plate)?;
        let exponent = self.integral(nodes, &nodes.rule.weights, &slope, plate)?;
        Ok(self.unary(UnaryOp::Exp, &exponent))
    }

    /// A(t, r) at each node r.
    fn factors_to_end(&mut self, equation: &Equation<'_, 'm>, nodes: &Nodes<'_>, plate: PlateId) -> Result<Array> {
        if let Some((mean, scope)) = nodes.mean {
            let inner = self.at_nodes(nodes, plate)?;
            let scope = self.at_times(scope, &inner, nodes.to)?;
            return self.emit_between(&mean.factor(), &scope);
        }
        let n = nodes.rule.nodes.len();
        let other = self.plate(n);
        let slope = self.slope_at_nodes(equation, nodes, other)?;
        let tails = self.b().literal(DType::Real, &[n, n], &nodes.rule.tails.concat());
        let tails = self.array(tails, vec![plate, other]);
        let weighted = self.mul(&tails, &slope)?;
        let sum = self.sum_over(&weighted, &[other]);
        let exponent = self.mul(&nodes.h, &sum)?;
        Ok(self.unary(UnaryOp::Exp, &exponent))
    }

    fn slope_at_nodes(&mut self, equation: &Equation<'_, 'm>, nodes: &Nodes<'_>, plate: PlateId) -> Result<Array> {
        match self.dynamics_at_nodes(equation, nodes, plate)?.slope {
            Some(slope) => Ok(slope.elementwise()?.clone()),
            None => Ok(self.real(0.0)),
        }
    }

    fn dynamics_at_nodes(&mut self, equation: &Equation<'_, 'm>, nodes: &Nodes<'_>, plate: PlateId) -> Result<Dynamics> {
        let inner = self.at_nodes(nodes, plate)?;
        self.in_plate(plate, |this| (equation.at)(this, &inner))
    }

    /// h Σ w x
    fn integral(&mut self, nodes: &Nodes<'_>, weights: &[f64], x: &Array, plate: PlateId) -> Result<Array> {
        let weights = self.over_nodes(weights, plate);
        let weighted = self.mul(&weights, x)?;
        let sum = self.sum_over(&weighted, &[plate]);
        self.mul(&nodes.h, &sum)
    }

    pub(super) fn in_plate<T>(&mut self, plate: PlateId, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.scope.push(plate);
        let result = f(self);
        self.scope.pop();
        result
    }

    pub(super) fn over_nodes(&mut self, numbers: &[f64], plate: PlateId) -> Array {
        let node = self.b().literal(DType::Real, &[numbers.len()], numbers);
        self.array(node, vec![plate])
    }

    /// s + c h
    fn at_nodes(&mut self, nodes: &Nodes<'_>, plate: PlateId) -> Result<Array> {
        let places = self.over_nodes(&nodes.rule.nodes, plate);
        let along = self.mul(&places, &nodes.h)?;
        self.add(nodes.from, &along)
    }

    /// The smallest rule that agrees with the next.
    fn sufficient_rule(&mut self, equation: &Equation<'_, 'm>) -> Result<Rule> {
        let (first, last) = equation.range;
        let time = |part: f64| first + (last - first) * part;
        let pairs = SPANS.map(|(from, to)| (time(from), time(to)));
        let turns = (0..TURNS).map(|turn| self.numeric_equation(equation, turn)).collect::<Result<Vec<_>>>()?;
        let solve = |rule: &Rule| -> Vec<Vec<f64>> {
            let each = |&(s, t): &(f64, f64)| turns.iter().flat_map(|numbers| solved(numbers, rule, s, t)).collect();
            pairs.iter().map(each).collect()
        };
        let mut rule = Rule::new(PANELS[0]);
        let mut values = solve(&rule);
        let mut worst = (0.0, first);
        for &panels in &PANELS[1..] {
            let finer = Rule::new(panels);
            let next = solve(&finer);
            let error =
                |(a, b): (&f64, &f64)| if a.is_finite() && b.is_finite() { (a - b).abs() / b.abs().max(1e-12) } else { f64::INFINITY };
            let errors = values.iter().zip(&next).map(|(a, b)| a.iter().zip(b).map(error).fold(0.0, f64::max));
            worst = errors.zip(&pairs).map(|(error, pair)| (error, pair.1)).fold((0.0, first), |a, b| if b.0 > a.0 { b } else { a });
            if worst.0 <= TOLERANCE {
                return Ok(rule);
            }
            (rule, values) = (finer, next);
        }
        let nodes = rule.nodes.len();
        let message = format!("the mean and variance equations cannot be solved to 1e-10 up to t = {}", worst.1);
        Err(not_a_process(message, equation.drift)
            .label(equation.diffusion, "with this diffusion coefficient")
            .help(format!("{nodes} nodes leave a relative error of {:.1e}: a coefficient may be singular there", worst.0)))
    }
}

/// Signal, shift and variance of each element by a rule.
fn solved(numbers: &NumericEquation, rule: &Rule, s: f64, t: f64) -> Vec<f64> {
    let h = t - s;
    let at: Vec<_> = rule.nodes.iter().map(|c| numbers.at(s + c * h)).collect();
    let count = at.iter().flat_map(|n| [&n.slope, &n.shift, &n.diffusion]).flatten().map(|value| value.elements.len()).max().unwrap_or(1);
    let element = |value: &Option<Value>, i: usize| value.as_ref().map_or(0.0, |value| value.elements[i % value.elements.len()]);
    let sum = |weights: &[f64], f: &dyn Fn(usize) -> f64| weights.iter().enumerate().map(|(at, w)| w * f(at)).sum::<f64>() * h;
    (0..count)
        .flat_map(|i| {
            let to_end: Vec<f64> = rule.tails.iter().map(|tail| sum(tail, &|k| element(&at[k].slope, i)).exp()).collect();
            let signal = sum(&rule.weights, &|k| element(&at[k].slope, i)).exp();
            let shift = sum(&rule.weights, &|k| to_end[k] * element(&at[k].shift, i));
            let var = sum(&rule.weights, &|k| (to_end[k] * element(&at[k].diffusion, i)).powi(2));
            // A shift may vanish where parts of it cancel: it is as exact as they are.
            let size = sum(&rule.weights, &|k| (to_end[k] * element(&at[k].shift, i)).abs());
            [signal, if size > 0.0 { 1.0 + shift / size } else { 1.0 }, var]
        })
        .collect()
}
