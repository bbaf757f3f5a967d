//! Kernels of Itô processes by quadrature: the integrals of the mean and variance equations over nodes between two times.
//!
//! With h = t - s and nodes r = s + c h: A(t, r) = exp ∫ F from r to t, the shift is h Σ w A(t, r) u(r) and the variance
//! h Σ w A(t, r)² g(r)². The number of nodes is such that twice as many change nothing above [`TOLERANCE`].

use super::super::lowering::Lowering;
use super::super::value::{Array, PlateId};
use super::equation::{Equation, NumericEquation, TURNS, not_a_process};
use super::quadrature::Rule;
use super::transition::Transition;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::graph::Value;

/// Relative
const TOLERANCE: f64 = 1e-10;
/// Numbers of panels that are tried
const PANELS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Times between the ends at which rules are compared
const GRID: usize = 12;

impl<'m> Lowering<'m> {
    pub(super) fn by_quadrature(&mut self, equation: &Equation<'_, 'm>, from: &Array, to: &Array) -> Result<Transition> {
        let rule = self.sufficient_rule(equation)?;
        let h = self.sub(to, from)?;
        let plate = self.plate(rule.nodes.len());
        let (weights, inner) = (self.over_nodes(&rule.weights, plate), self.at_nodes(&rule, plate, from, &h)?);
        let at = self.in_plate(plate, |this| (equation.at)(this, &inner))?;
        let signal_to_end = self.factors_to_end(equation, &rule, plate, [from, to], &h)?;
        let integral = |this: &mut Self, x: &Array| -> Result<Array> {
            let weighted = this.mul(&weights, x)?;
            let sum = this.sum_over(&weighted, &[plate]);
            this.mul(&h, &sum)
        };
        let signal = self.whole_factor(equation, &rule, plate, [from, to], &h)?;
        let shift = match &at.shift {
            Some(shift) => {
                let carried = self.mul(&signal_to_end, shift)?;
                Some(integral(self, &carried)?)
            }
            None => None,
        };
        let g = match &at.diffusion {
            Some(g) => g.elementwise()?.clone(),
            None => self.real(0.0),
        };
        let spread = self.mul(&signal_to_end, &g)?;
        let squared = self.mul(&spread, &spread)?;
        let var = integral(self, &squared)?;
        let (signal, var) = (self.elementwise_of(signal), self.elementwise_of(var));
        Ok(Transition { signal, shift, var })
    }

    /// A(t, s)
    fn whole_factor(&mut self, equation: &Equation<'_, 'm>, rule: &Rule, plate: PlateId, ends: [&Array; 2], h: &Array) -> Result<Array> {
        if let Some((mean, scope)) = self.mean_in_closed_form(equation)? {
            let scope = self.scope_between(scope, ends[0], ends[1])?;
            return self.emit_between(&mean.factor(), &scope);
        }
        let weights = self.over_nodes(&rule.weights, plate);
        let slope = self.slope_at_nodes(equation, rule, plate, ends[0], h)?;
        let weighted = self.mul(&weights, &slope)?;
        let sum = self.sum_over(&weighted, &[plate]);
        let exponent = self.mul(h, &sum)?;
        Ok(self.unary(UnaryOp::Exp, &exponent))
    }

    /// A(t, r) at each node r.
    fn factors_to_end(&mut self, equation: &Equation<'_, 'm>, rule: &Rule, plate: PlateId, ends: [&Array; 2], h: &Array) -> Result<Array> {
        if let Some((mean, scope)) = self.mean_in_closed_form(equation)? {
            let nodes = self.at_nodes(rule, plate, ends[0], h)?;
            let scope = self.scope_between(scope, &nodes, ends[1])?;
            return self.emit_between(&mean.factor(), &scope);
        }
        let other = self.plate(rule.nodes.len());
        let slope = self.slope_at_nodes(equation, rule, other, ends[0], h)?;
        let n = rule.nodes.len();
        let tails = self.b().literal(DType::Real, &[n, n], &rule.tails.concat());
        let tails = self.array(tails, vec![plate, other]);
        let weighted = self.mul(&tails, &slope)?;
        let sum = self.sum_over(&weighted, &[other]);
        let exponent = self.mul(h, &sum)?;
        Ok(self.unary(UnaryOp::Exp, &exponent))
    }

    fn slope_at_nodes(&mut self, equation: &Equation<'_, 'm>, rule: &Rule, plate: PlateId, from: &Array, h: &Array) -> Result<Array> {
        let nodes = self.at_nodes(rule, plate, from, h)?;
        match self.in_plate(plate, |this| (equation.at)(this, &nodes))?.slope {
            Some(slope) => Ok(slope.elementwise()?.clone()),
            None => Ok(self.real(0.0)),
        }
    }

    fn in_plate<T>(&mut self, plate: PlateId, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.scope.push(plate);
        let result = f(self);
        self.scope.pop();
        result
    }

    fn over_nodes(&mut self, numbers: &[f64], plate: PlateId) -> Array {
        let node = self.b().literal(DType::Real, &[numbers.len()], numbers);
        self.array(node, vec![plate])
    }

    /// s + c h
    fn at_nodes(&mut self, rule: &Rule, plate: PlateId, from: &Array, h: &Array) -> Result<Array> {
        let nodes = self.over_nodes(&rule.nodes, plate);
        let along = self.binary(BinaryOp::Mul, &nodes, h)?;
        self.add(from, &along)
    }

    /// The smallest rule that agrees with the next.
    fn sufficient_rule(&mut self, equation: &Equation<'_, 'm>) -> Result<Rule> {
        let (first, last) = equation.range;
        let time = |i: usize| first + (last - first) * i as f64 / GRID as f64;
        let pairs: Vec<(f64, f64)> = (1..=GRID).flat_map(|i| [(first, time(i)), (time(i - 1), time(i))]).collect();
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
