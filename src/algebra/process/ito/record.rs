//! What the printed derivation says of the mean and variance equations and of how they were solved.

use super::super::calculus::{Linear, Number, Scope, Sum};
use super::super::coefficient::Coefficient;
use super::Ito;
use super::equation::{Equation, Solution};
use crate::algebra::derivation::{Formula, Names, Relation, Step};
use crate::algebra::lowering::Lowering;
use crate::base::diagnostic::Result;
use crate::check::model::Process;
use crate::graph::NodeId;
use std::collections::HashMap;

const SOURCE: &str = "Särkkä, Solin: Applied stochastic differential equations, 2019, section 6.1";

/// Names of atoms.
type NamedAtoms = HashMap<NodeId, Formula>;

impl<'m> Lowering<'m> {
    /// The equations and their solution.
    pub(super) fn record_solution(&mut self, process: &'m Process, equation: &Equation<'_, 'm>, solution: &Solution) -> Result<()> {
        let known = self.symbolic_solution(equation)?;
        self.record_equations(Ito::of(process)?, equation, known.as_ref());
        let (how, exact) = described(solution);
        self.note(equation.drift, format!("transition kernel {how}"));
        match (solution, known) {
            (Solution::Closed { .. }, Some(known)) => {
                self.record_mean(equation, &known);
                self.record_variance(equation, &known);
            }
            _ => self.record_integral(equation, how, exact),
        }
        Ok(())
    }

    /// dm/dt = F m + u, dv/dt = 2 F v + g²
    fn record_equations(&mut self, ito: Ito<'m>, equation: &Equation<'_, 'm>, known: Option<&Known>) {
        let v = variance_name(equation);
        let rate = |of: &str| Formula::name(format!("d{of}")) / Formula::name("dt");
        let mut names = Names::new(self.model);
        names.bind(ito.state, "m".into());
        names.bind(ito.time, "t".into());
        let (drift, g) = (names.expr(ito.drift), names.expr(ito.diffusion));
        self.derive(Step::new("mean equation", rate("m"), drift, equation.drift).source(SOURCE));
        let (slope, var, moving) = (Formula::from("F"), Formula::from(v), equation.dynamics.slope.is_some());
        let (growth, square) = match equation.is_elementwise() {
            true => (Formula::from(2) * slope.clone() * var, g.squared()),
            false => (slope.clone() * var.clone() + var * slope.clone().transpose(), g.clone() * g.transpose()),
        };
        let after = if moving { growth + square } else { square };
        let step = Step::new("variance equation", rate(v), after, equation.diffusion).source(SOURCE);
        self.derive(match known.filter(|_| moving) {
            Some(known) => step.with(slope.equals(known.slope.formula(&known.names))),
            None => step,
        });
    }

    /// m(t) = Φ(t) / Φ(s) m(s), and what the drift adds.
    fn record_mean(&mut self, equation: &Equation<'_, 'm>, known: &Known) {
        let Linear { homogeneous, particular } = &known.mean;
        let whole = match particular.is_zero() {
            true => factor() * of("m", "s"),
            false => of("M", "t") + factor() * (of("m", "s") - of("M", "s")),
        };
        let step = Step::new("solution of the mean equation", of("m", "t"), whole, equation.drift)
            .with(factor().equals(of("Phi", "t") / of("Phi", "s")))
            .with(of("Phi", "t").equals(homogeneous.formula(&known.names)));
        self.derive(match particular.is_zero() {
            true => step,
            false => step.with(of("M", "t").equals(particular.formula(&known.names))),
        });
    }

    /// v(t, s) = E(t) - A(t, s)² E(s)
    fn record_variance(&mut self, equation: &Equation<'_, 'm>, known: &Known) {
        let particular = &known.variance.particular;
        let before = Formula::apply("v", ["t".into(), "s".into()]);
        let written = particular.formula(&known.names);
        let step = |after: Formula| Step::new("solution of the variance equation", before, after, equation.diffusion);
        self.derive(match particular.is_constant() {
            true if known.mean.homogeneous.is_constant() => step(Formula::from(0)),
            true => step(written * (Formula::from(1) - factor().squared())),
            false if known.mean.homogeneous.is_constant() => step(of("E", "t") - of("E", "s")).with(of("E", "t").equals(written)),
            false => step(of("E", "t") - factor().squared() * of("E", "s")).with(of("E", "t").equals(written)),
        });
    }

    /// ∫ A(t, r)² g(r)² dr, and how it is computed.
    fn record_integral(&mut self, equation: &Equation<'_, 'm>, how: String, exact: bool) {
        let noise = Formula::apply("A", ["t".into(), "r".into()]) * of("g", "r");
        let body = if equation.is_elementwise() { noise.squared() } else { noise.clone() * noise.transpose() };
        let integral = Formula::integral("r", body);
        let before = Formula::apply(variance_name(equation), ["t".into(), "s".into()]);
        let relation = if exact { Relation::Equal } else { Relation::Approximate };
        let step = Step::new("solution of the mean and variance equations", before, integral, equation.diffusion);
        self.derive(step.related(relation).with(Formula::words(format!("{how}, r from s to t"))));
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

/// A(t, s)
fn factor() -> Formula {
    Formula::apply("A", ["t".into(), "s".into()])
}

/// f(t)
fn of(name: &str, time: &str) -> Formula {
    Formula::apply(name, [time.into()])
}

fn variance_name(equation: &Equation<'_, '_>) -> &'static str {
    if equation.is_elementwise() { "v" } else { "V" }
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
