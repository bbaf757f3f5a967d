//! What the printed derivation says of processes, in the notation of Kingma et al.: x(t) = α(t) x(0) + σ(t) ε.

use super::super::derivation::{Formula, Names, Relation, Step};
use super::super::lowering::Lowering;
use crate::check::model::{DensityId, Prediction, Process, ProcessKind, Reverse, Variance};

const SCORE: &str = "Vincent: A connection between score matching and denoising autoencoders (2011)";
const TWEEDIE: &str = "Efron: Tweedie's formula and selection bias (2011)";
const V: &str = "Salimans, Ho: Progressive distillation for fast sampling of diffusion models (2022), appendix D";
const MATCHING: &str = "Lipman et al.: Flow matching for generative modeling (2023)";
const REVERSE: &str = "Anderson: Reverse-time diffusion equation models (1982)";
const FLOW: &str = "Song et al.: Score-based generative modeling through stochastic differential equations (2021), equation 13";
const KERNEL: &str = "Ho, Jain, Abbeel: Denoising diffusion probabilistic models (2020), section 3.2";
const LEARNED: &str = "Nichol, Dhariwal: Improved denoising diffusion probabilistic models (2021), equation 15";

/// The symbols of a process.
struct Symbols<'m> {
    x: Formula,
    t: Formula,
    /// In discrete steps, times are subscripts
    chain: bool,
    forward: &'m Process,
}

impl Symbols<'_> {
    fn of(&self, name: impl Into<Formula>, t: impl Into<Formula>) -> Formula {
        if self.chain { name.into().index([t.into()]) } else { Formula::apply(name, [t.into()]) }
    }

    fn now(&self, name: impl Into<Formula>) -> Formula {
        self.of(name, self.t.clone())
    }

    fn state(&self) -> Formula {
        self.now(self.x.clone())
    }

    fn signal(&self) -> Formula {
        self.now("alpha")
    }

    fn noise(&self) -> Formula {
        self.now("sigma")
    }

    /// As it is predicted
    fn x0(&self) -> Formula {
        self.of(self.x.clone().hat(), 0)
    }

    fn score(&self, density: &str) -> Formula {
        Formula::gradient(self.x.clone(), Formula::log(Formula::density_of(density, vec![self.state()], vec![])))
    }

    /// The time before t at which a kernel back arrives.
    fn earlier(&self) -> Formula {
        if self.chain { self.t.clone() - 1 } else { "s".into() }
    }

    /// ∇ log q, of this name.
    fn predicted(&self, wanted: Prediction, density: &str) -> Formula {
        match wanted {
            Prediction::Noise => Formula::from("epsilon").hat(),
            Prediction::X0 => self.x0(),
            Prediction::Score => self.score(density),
            Prediction::V => Formula::from("v").hat(),
            Prediction::Velocity => Formula::name(format!("d{}", name_of(&self.x))) / Formula::name(format!("d{}", name_of(&self.t))),
        }
    }
}

impl<'m> Lowering<'m> {
    fn process_symbols(&self, density: DensityId) -> Option<Symbols<'m>> {
        let forward = self.forward_process(density).ok()?;
        let chain = self.in_steps(forward.var);
        let t = match (&forward.kind, self.model.reverse(density)) {
            (ProcessKind::Ito { time, .. } | ProcessKind::Interpolant { time, .. }, _) => self.model.locals[*time].name.as_str(),
            (_, Some(reverse)) => self.model.locals[reverse.time].name.as_str(),
            (ProcessKind::Chain | ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_), None) => "t",
        };
        Some(Symbols { x: self.var_formula(forward.var), t: t.into(), chain, forward })
    }

    fn forward_name(&self, density: DensityId) -> &'m str {
        let model = self.model;
        &model.densities[model.forward(density)].name
    }

    /// What the network says at x(t) and t, in the user's names.
    fn network_formula(&self, reverse: &Reverse, of: &Symbols<'_>, output: &crate::check::model::Expr) -> Formula {
        let mut names = Names::new(self.model);
        names.bind(reverse.state, of.state());
        names.bind(reverse.time, of.t.clone());
        names.expr(output)
    }

    /// x(t) = α(t) x(0) + σ(t) ε, or as it is declared.
    pub(super) fn record_diffused(&mut self, density: DensityId) {
        let Some(of) = self.process_symbols(density) else { return };
        let start = of.of(of.x.clone(), 0);
        let noise = Formula::from("epsilon");
        let declared = self.declared_interpolant(&of);
        let law = Formula::density_of(self.forward_name(density), vec![of.state()], vec![start.clone()]);
        let law = declared.is_none().then(|| law.equals(Formula::normal(of.signal() * start.clone(), of.noise().squared())));
        let value = declared.unwrap_or_else(|| of.signal() * start + of.noise() * noise.clone());
        let mut step = Step::new("state given the data", of.state(), value, of.forward.span);
        step = step.with(Formula::drawn(noise, Formula::normal(0, 1)));
        self.derive(law.into_iter().fold(step, Step::with));
    }

    /// An interpolant as it is declared, of x(0) and noise.
    fn declared_interpolant(&self, of: &Symbols<'_>) -> Option<Formula> {
        let ProcessKind::Interpolant { time, start, other, end: None, value } = &of.forward.kind else { return None };
        let mut names = Names::new(self.model);
        names.bind(*time, of.t.clone());
        names.bind(*start, of.of(of.x.clone(), 0));
        names.bind(*other, Formula::from("epsilon"));
        Some(names.expr(value))
    }

    /// One prediction from another.
    pub(super) fn record_prediction(&mut self, density: DensityId, wanted: Prediction) {
        let (Some(of), Some(reverse)) = (self.process_symbols(density), self.model.reverse(density)) else { return };
        let name = self.forward_name(density);
        let y = self.network_formula(reverse, &of, &reverse.network);
        let span = self.model.densities[density].span;
        if wanted == reverse.prediction {
            let before = of.predicted(wanted, name);
            self.derive(Step::new(format!("{}, learned", spoken(wanted)), before, y, span).approximately());
            return;
        }
        let after = self.converted(&of, (reverse.prediction, y), wanted, name);
        let rule = match wanted {
            Prediction::Velocity => "probability-flow equation".into(),
            _ => format!("{} from {}", spoken(wanted), spoken(reverse.prediction)),
        };
        let step = Step::new(rule, of.predicted(wanted, name), after, span);
        // The score itself is not what the network says.
        let step = if wanted == Prediction::Score { step.approximately() } else { step };
        let interpolant = matches!(of.forward.kind, ProcessKind::Interpolant { .. });
        self.derive(match source(wanted, reverse.prediction, interpolant) {
            Some(source) => step.source(source),
            None => step,
        });
    }

    fn converted(&self, of: &Symbols<'_>, (known, y): (Prediction, Formula), wanted: Prediction, name: &str) -> Formula {
        let (x, a, b) = (of.state(), of.signal(), of.noise());
        let square = a.clone().squared() + b.clone().squared();
        let x0 = || match known {
            Prediction::X0 => y.clone(),
            Prediction::Noise => (x.clone() - b.clone() * y.clone()) / a.clone(),
            Prediction::Score => (x.clone() + b.clone().squared() * y.clone()) / a.clone(),
            Prediction::V => (a.clone() * x.clone() - b.clone() * y.clone()) / square.clone(),
            Prediction::Velocity => of.x0(),
        };
        let noise = || match known {
            Prediction::Noise => y.clone(),
            Prediction::X0 => (x.clone() - a.clone() * y.clone()) / b.clone(),
            Prediction::Score => -(b.clone() * y.clone()),
            Prediction::V => (b.clone() * x.clone() + a.clone() * y.clone()) / square.clone(),
            Prediction::Velocity => Formula::from("epsilon").hat(),
        };
        match wanted {
            Prediction::X0 => x0(),
            Prediction::Noise => noise(),
            Prediction::Score => -(noise() / b.clone()),
            Prediction::V => a.clone() * noise() - b.clone() * x0(),
            Prediction::Velocity => match of.forward.kind {
                ProcessKind::Interpolant { .. } => of.now("α'") * x0() + of.now("σ'") * noise(),
                _ => {
                    let (f, g) = self.equation_formulas(of);
                    f - g.squared() / 2 * of.score(name)
                }
            },
        }
    }

    /// f and g of dx = f dt + g dW.
    fn equation_formulas(&self, of: &Symbols<'_>) -> (Formula, Formula) {
        match &of.forward.kind {
            ProcessKind::Ito { state, time, drift, diffusion } => {
                let mut names = Names::new(self.model);
                names.bind(*state, of.state());
                names.bind(*time, of.t.clone());
                (names.expr(drift), names.expr(diffusion))
            }
            ProcessKind::Interpolant { .. } => (of.now("α'") / of.signal() * of.state(), of.now("g")),
            ProcessKind::Chain | ProcessKind::Reverse(_) | ProcessKind::Flow { .. } | ProcessKind::Guided(_) => {
                (Formula::apply("f", [of.state(), of.t.clone()]), of.now("g"))
            }
        }
    }

    /// dx = (f − g² ∇ log q) dt + g dW, or dx/dt = f − g² ∇ log q / 2.
    pub(super) fn record_equation(&mut self, density: DensityId) {
        let (Some(of), Some(reverse)) = (self.process_symbols(density), self.model.reverse(density)) else { return };
        let span = self.model.densities[density].span;
        let name = self.forward_name(density);
        let (f, g) = self.equation_formulas(&of);
        let d = |name: &Formula| Formula::name(format!("d{}", name_of(name)));
        let white = Formula::name("dW");
        let forward = f.clone() * d(&of.t) + g.clone() * white.clone();
        self.derive(Step::new("forward equation", d(&of.x), forward, of.forward.span));
        if self.model.is_flow(density) {
            self.record_prediction(density, Prediction::Velocity);
            if !matches!(of.forward.kind, ProcessKind::Interpolant { .. }) && reverse.prediction != Prediction::Velocity {
                self.record_prediction(density, Prediction::Score);
            }
            return;
        }
        self.record_prediction(density, Prediction::Score);
        let back = (f - g.clone().squared() * of.score(name)) * d(&of.t) + g * white;
        let step = Step::new("reverse equation", d(&of.x), back, span);
        self.derive(step.with(d(&of.t).related(Relation::Less, 0)).source(REVERSE));
    }

    /// p(x(s) | x(t)) = N(…)
    pub(super) fn record_kernel(&mut self, density: DensityId) {
        let (Some(of), Some(reverse)) = (self.process_symbols(density), self.model.reverse(density)) else { return };
        self.record_prediction(density, Prediction::X0);
        let made = &self.model.densities[density];
        let s = of.earlier();
        let pair = |name: &str| Formula::from(name).index([of.t.clone(), s.clone()]);
        let at = |name: &str, t: &Formula| of.of(name, t.clone());
        let (step, before, whole) = (pair("sigma").squared(), at("sigma", &s).squared(), at("sigma", &of.t).squared());
        let mean = step.clone() / whole.clone() * (at("alpha", &s) * of.x0()) + pair("alpha") * before.clone() / whole.clone() * of.state();
        let posterior = before.clone() * step.clone() / whole.clone();
        let (var, source) = match &reverse.variance {
            Variance::Posterior => (posterior, KERNEL),
            Variance::Forward => (step.clone(), KERNEL),
            Variance::Learned { part } => {
                let v = self.network_formula(reverse, &of, part);
                let log = v.clone() * Formula::log(step.clone()) + (Formula::from(1) - v) * Formula::log(posterior);
                (Formula::exp(log), LEARNED)
            }
        };
        let earlier = of.of(of.x.clone(), s.clone());
        let law = Formula::density_of(&made.name, vec![earlier.clone()], vec![of.state()]);
        let normal = Formula::normal(mean, var).at(earlier);
        let signal = pair("alpha").equals(at("alpha", &of.t) / at("alpha", &s));
        let added = step.equals(whole - pair("alpha").squared() * before);
        self.derive(Step::new("bridge by Bayes' rule", law, normal, made.span).with(signal).with(added).source(source));
    }
}

fn name_of(formula: &Formula) -> String {
    match formula {
        Formula::Name(name) => name.clone(),
        _ => "x".into(),
    }
}

fn spoken(prediction: Prediction) -> &'static str {
    match prediction {
        Prediction::Noise => "noise",
        Prediction::X0 => "x(0)",
        Prediction::Score => "score",
        Prediction::V => "v",
        Prediction::Velocity => "velocity",
    }
}

fn source(wanted: Prediction, known: Prediction, interpolant: bool) -> Option<&'static str> {
    match (wanted, known) {
        (Prediction::Velocity, _) if !interpolant => Some(FLOW),
        (Prediction::Velocity, _) | (_, Prediction::Velocity) => Some(MATCHING),
        (Prediction::X0, Prediction::Score) => Some(TWEEDIE),
        (Prediction::Score, _) | (_, Prediction::Score) => Some(SCORE),
        (Prediction::V, _) | (_, Prediction::V) => Some(V),
        (Prediction::X0 | Prediction::Noise, Prediction::X0 | Prediction::Noise) => None,
    }
}
