//! What the printed derivation says of the mean and variance equations and of how they were solved.

use super::super::calculus::{Linear, Number, Scope, Sum};
use super::super::coefficient::Coefficient;
use super::Ito;
use super::equation::{Equation, Solution};
use crate::algebra::derivation::{Big, Formula, Names, Relation, Step};
use crate::algebra::lowering::Lowering;
use crate::base::diagnostic::Result;
use crate::check::model::Process;
use crate::graph::NodeId;
use std::collections::HashMap;

const SOURCE: &str = "Särkkä, Solin: Applied stochastic differential equations, 2019, section 6.1";

/// Names of atoms.
type NamedAtoms = HashMap<NodeId, Formula>;

impl<'m> Lowering<'m> {
    /// The equations, their solution, and the kernel.
    pub(super) fn record_solution(&mut self, process: &'m Process, equation: &Equation<'_, 'm>, solution: &Solution) -> Result<()> {
        let ito = Ito::of(process)?;
        let elementwise = equation.is_elementwise();
        let (t, s) = (Formula::from("t"), Formula::from("s"));
        let v = if elementwise { "v" } else { "V" };
        let (mean, var) = (Formula::from("m"), Formula::from(v));
        let rate = |of: &str| Formula::name(format!("d{of}")) / Formula::name("dt");
        let of = |name: &str, time: &Formula| Formula::apply(name, [time.clone()]);
        let mut names = Names::new(self.model);
        names.bind(ito.state, mean.clone());
        names.bind(ito.time, t.clone());
        let (drift, g) = (names.expr(ito.drift), names.expr(ito.diffusion));
        self.derive(Step::new("mean equation", rate("m"), drift, equation.drift).source(SOURCE));
        let known = self.symbolic_solution(equation)?;
        let slope = Formula::from("F");
        let growth = match (elementwise, &equation.dynamics.slope) {
            (_, None) => Formula::from(0),
            (true, Some(_)) => Formula::from(2) * slope.clone() * var.clone(),
            (false, Some(_)) => slope.clone() * var.clone() + var.clone() * slope.clone().transpose(),
        };
        let square = if elementwise { g.clone().squared() } else { g.clone() * g.transpose() };
        let mut step = Step::new("variance equation", rate(v), growth + square, equation.diffusion).source(SOURCE);
        if let (Some(known), Some(_)) = (&known, &equation.dynamics.slope) {
            step = step.with(slope.equals(known.slope.formula(&known.names)));
        }
        self.derive(step);
        let factor = Formula::apply("A", [t.clone(), s.clone()]);
        let between = Formula::apply(v, [t.clone(), s.clone()]);
        let integral = |body: Formula| Formula::Big { operator: Big::Integral, below: vec!["r".into()], above: None, body: Box::new(body) };
        let carried = factor.clone() * of("m", &s);
        let to_end = Formula::apply("A", [t.clone(), "r".into()]);
        match (solution, known) {
            (Solution::Closed { .. }, Some(known)) => {
                let homogeneous = known.mean.homogeneous.formula(&known.names);
                let ratio = of("Phi", &t) / of("Phi", &s);
                let particular = &known.mean.particular;
                let whole = if particular.is_zero() { carried } else { of("M", &t) + factor.clone() * (of("m", &s) - of("M", &s)) };
                let mut step = Step::new("solution of the mean equation", of("m", &t), whole, equation.drift)
                    .with(factor.clone().equals(ratio))
                    .with(of("Phi", &t).equals(homogeneous));
                if !particular.is_zero() {
                    step = step.with(of("M", &t).equals(particular.formula(&known.names)));
                }
                self.derive(step);
                let particular = &known.variance.particular;
                let squared = factor.clone().squared();
                let (after, remark) = match particular.is_constant() {
                    true => {
                        let level = particular.formula(&known.names);
                        let rest = Formula::from(1) - squared;
                        (if level.is_number(1.0) { rest } else { level * rest }, None)
                    }
                    false => {
                        let after = of("E", &t) - squared * of("E", &s);
                        (after, Some(of("E", &t).equals(particular.formula(&known.names))))
                    }
                };
                let step = Step::new("solution of the variance equation", between.clone(), after, equation.diffusion);
                self.derive(match remark {
                    Some(remark) => step.with(remark),
                    None => step,
                });
                self.note(equation.drift, "transition kernel in closed form");
            }
            (solution, _) => {
                let (how, exact) = described(solution);
                let relation = if exact { Relation::Equal } else { Relation::Approximate };
                let squares = if elementwise {
                    (to_end.clone() * of("g", &"r".into())).squared()
                } else {
                    let noise = to_end.clone() * of("g", &"r".into());
                    noise.clone() * noise.transpose()
                };
                let step = Step::new("solution of the mean and variance equations", between.clone(), integral(squares), equation.diffusion);
                self.derive(step.related(relation).with(Formula::words(format!("{how}, r from s to t"))));
                self.note(equation.drift, format!("transition kernel {how}"));
            }
        }
        Ok(())
    }

    /// The solution in the names of the file: named numbers and parameters stand for themselves.
    fn symbolic_solution(&mut self, equation: &Equation<'_, 'm>) -> Result<Option<Known>> {
        if !equation.is_elementwise() {
            return Ok(None);
        }
        let outer = self.symbols.replace(vec![]);
        let dynamics = (equation.at)(self, &equation.time);
        let symbols = std::mem::replace(&mut self.symbols, outer).unwrap_or_default();
        let dynamics = dynamics?;
        let atoms: Vec<NodeId> = symbols.iter().map(|(node, _)| *node).collect();
        let mut scope = Scope::default();
        let mut read = |this: &mut Self, array| this.read_with(array, &equation.time, &atoms, &mut scope);
        let slope = read(self, dynamics.slope.as_ref().map(Coefficient::array));
        let shift = read(self, dynamics.shift.as_ref());
        let diffusion = read(self, dynamics.diffusion.as_ref().map(Coefficient::array));
        let (Some(slope), Some(shift), Some(diffusion)) = (slope, shift, diffusion) else { return Ok(None) };
        let integrator = self.integrator(equation, &scope)?;
        let mean = integrator.linear(&slope, &shift);
        let variance = integrator.linear(&slope.scale(Number::from(2)), &diffusion.squared());
        let names = symbols.into_iter().collect();
        Ok(mean.zip(variance).map(|(mean, variance)| Known { slope, mean, variance, names }))
    }
}

struct Known {
    slope: Sum,
    mean: Linear,
    variance: Linear,
    names: NamedAtoms,
}

/// How, and whether it is exact.
fn described(solution: &Solution) -> (String, bool) {
    match solution {
        Solution::Closed { .. } => ("in closed form".into(), true),
        Solution::Nodes { rule, .. } => (format!("by quadrature to 1e-10, {} nodes", rule.nodes.len()), false),
        Solution::Clock(clock) => (format!("by the matrix exponential, its series and {} doublings", clock.doublings), true),
        Solution::Panels(panels) => (format!("by quadrature to 1e-10 on {} panels", panels.count), false),
    }
}
