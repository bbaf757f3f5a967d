//! Processes: what stands behind a density over an indexed family of random variables, and what may be asked of it.

use super::{DensityId, Expr, ExprKind, Family, LocalId, Model, VarId};
use crate::base::Span;

/// The process of a density.
#[derive(Clone, Debug)]
pub struct Process {
    /// The indexed family
    pub var: VarId,
    pub kind: ProcessKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ProcessKind {
    /// Kernels between neighbouring members: the factors of the density
    Chain,
    /// `q : dx = f dt + g dW`, where f depends on state and time, g on the time
    Ito {
        state: LocalId,
        time: LocalId,
        drift: Expr,
        diffusion: Expr,
    },
    /// `q : x(t) = a(t) * x(0) + b(t) * noise`
    Interpolant {
        time: LocalId,
        /// x at the first time
        start: LocalId,
        /// Standard normal noise, or x at the last time
        other: LocalId,
        /// The data that x is at the last time
        end: Option<VarId>,
        value: Expr,
    },
    Reverse(Reverse),
    /// The probability-flow equation of another
    Flow {
        of: DensityId,
    },
    /// `guide(p, y, weight: w)`, `drop(p, y, rate: r)`
    Guided(Guided),
}

/// Another process whose network is told more, or less, of a label.
#[derive(Clone, Debug)]
pub struct Guided {
    pub of: DensityId,
    pub label: VarId,
    /// The label, where it is substituted: `guide(p, y = 3)`
    pub value: Option<Expr>,
    pub guidance: Guidance,
}

/// `p(y | x(t)) = dist`, beside the factors of a process: of a variable given the state at any time.
#[derive(Clone, Debug)]
pub struct StateFactor {
    pub target: VarId,
    pub state: LocalId,
    pub time: LocalId,
    /// Of type `Distribution(type of the target)`
    pub dist: Expr,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Guidance {
    /// `guide(p, y, weight: w)`, where the network takes y: (1 + w) f(x, t, y) − w f(x, t, none)
    ClassifierFree(Expr),
    /// `guide(p, y, weight: w)`, where p has a factor p(y | x(t)): score + w ∇ log p(y | x(t))
    Classifier(Expr),
    /// `drop(p, y, rate: r)`: no label with probability r
    Drop(Expr),
}

/// `reverse(q, noise: f)`
#[derive(Clone, Debug)]
pub struct Reverse {
    /// The forward process
    pub of: DensityId,
    pub prediction: Prediction,
    pub state: LocalId,
    pub time: LocalId,
    /// What the network makes of state, time and the variables that it is given
    pub network: Expr,
    pub variance: Variance,
}

/// The variance of a kernel from x(t) back to x(s).
#[derive(Clone, Debug)]
pub enum Variance {
    /// That of x(s) given x(t) and x(0) (Ho, Jain, Abbeel: Denoising diffusion probabilistic models, 2020, section 3.2)
    Posterior,
    /// That of x(t) given x(s) (the same)
    Forward,
    /// Between the two in logarithms, at the part that a second output of the network says (Nichol, Dhariwal: Improved denoising
    /// diffusion probabilistic models, 2021, equation 15)
    Learned { part: Expr },
}

/// `q(x(0) | y) = dist`: the distribution of the first state, where not all of it is data.
#[derive(Clone, Debug)]
pub struct Initial {
    pub given: Vec<VarId>,
    pub dist: Expr,
    pub span: Span,
}

/// What a network may predict about x(t) = a x(0) + b noise. Each is a linear combination of x(0) and noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prediction {
    Noise,
    X0,
    /// ∇ log q(x(t)) = −E[noise | x(t)] / b
    Score,
    /// a noise − b x(0) (Salimans, Ho: Progressive distillation for fast sampling of diffusion models, 2022, appendix D)
    V,
    /// dx(t)/dt = a' x(0) + b' noise (Lipman et al.: Flow matching for generative modeling, 2023)
    Velocity,
}

/// What may be asked of a process. t: a time, x: a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessMember {
    /// `q.signal(t)`: a, where x(t) = a x(0) + b noise
    Signal,
    /// `q.noise(t)`: b
    Noise,
    /// `q.var(t)`: b²
    Var,
    /// `q.log_snr(t)`: log a²/b²
    LogSnr,
    /// `q.diffused(x0, e, t)`: a x0 + b e
    Diffused,
    /// `q.drift(x, t)`: f of dx = f dt + g dW
    Drift,
    /// `q.diffusion(t)`: g
    Diffusion,
    /// `q.diffuse(t, w)`: g w
    Diffuse,
    /// `q.velocity(x0, e, t)`: the derivative by the time of a x0 + b e
    Rate,
    /// `q.noise()`: a draw of the noise, or of x at the last time where that is data
    Other,
    /// `q.time(u)`: the time at the part u of the range
    Time,
    /// `q.initial()`: a draw of the state from which sampling starts
    Initial,
    /// `p.kernel(x, t, s)`: the distribution of the state at time s given that it is x at time t
    Kernel,
    /// `q.bridge(x0, x, t, s)`: that of the state at time s given x0 at the first time and x at time t, s < t
    Bridge,
    /// `p.prior()`: that of the state from which sampling starts
    Prior,
    /// `p.last`: the time from which sampling starts
    Last,
    /// `p.score(x, t)`
    Predicted(Prediction),
}

impl ProcessMember {
    /// As it is written after the dot.
    pub fn name(self) -> &'static str {
        match self {
            ProcessMember::Signal => "signal",
            ProcessMember::Noise => "noise",
            ProcessMember::Var => "var",
            ProcessMember::LogSnr => "log_snr",
            ProcessMember::Diffused => "diffused",
            ProcessMember::Drift => "drift",
            ProcessMember::Diffusion => "diffusion",
            ProcessMember::Diffuse => "diffuse",
            ProcessMember::Rate => "velocity",
            ProcessMember::Other => "noise",
            ProcessMember::Time => "time",
            ProcessMember::Initial => "initial",
            ProcessMember::Kernel => "kernel",
            ProcessMember::Bridge => "bridge",
            ProcessMember::Prior => "prior",
            ProcessMember::Last => "last",
            ProcessMember::Predicted(prediction) => prediction.name(),
        }
    }
}

/// The time in a query, where it is a number.
pub fn constant_time(at: &Expr) -> Option<f64> {
    match &at.kind {
        ExprKind::Real(time) => Some(*time),
        ExprKind::Int(time) => Some(*time as f64),
        ExprKind::ToReal(at) => constant_time(at),
        _ => None,
    }
}

impl Prediction {
    pub const ALL: [Prediction; 5] = [Prediction::Noise, Prediction::X0, Prediction::Score, Prediction::V, Prediction::Velocity];

    /// As it is written in `reverse(q, noise: f)` and `p.noise(x, t)`.
    pub fn name(self) -> &'static str {
        match self {
            Prediction::Noise => "noise",
            Prediction::X0 => "x0",
            Prediction::Score => "score",
            Prediction::V => "v",
            Prediction::Velocity => "velocity",
        }
    }
}

impl Model {
    /// The forward process from which a process was made, itself if it is one.
    pub fn forward(&self, density: DensityId) -> DensityId {
        match self.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Reverse(reverse)) => reverse.of,
            Some(ProcessKind::Flow { of } | ProcessKind::Guided(Guided { of, .. })) => self.forward(*of),
            Some(ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => density,
        }
    }

    /// The reverse process behind a process, if it was made from one.
    pub fn reverse(&self, density: DensityId) -> Option<&Reverse> {
        match self.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Reverse(reverse)) => Some(reverse),
            Some(ProcessKind::Flow { of } | ProcessKind::Guided(Guided { of, .. })) => self.reverse(*of),
            Some(ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => None,
        }
    }

    /// Whether a process is run by its probability-flow equation.
    pub fn is_flow(&self, density: DensityId) -> bool {
        match self.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Flow { .. }) => true,
            Some(ProcessKind::Guided(guided)) => self.is_flow(guided.of),
            Some(ProcessKind::Reverse(_) | ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => false,
        }
    }

    /// The factor of a variable given the state, of a process or of the one from which it was made.
    pub fn state_factor(&self, density: DensityId, target: VarId) -> Option<&StateFactor> {
        let found = self.densities[density].states.iter().find(|factor| factor.target == target);
        found.or_else(|| match self.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Flow { of } | ProcessKind::Guided(Guided { of, .. })) => self.state_factor(*of, target),
            Some(ProcessKind::Reverse(_) | ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => None,
        })
    }

    /// The data that x is at a time of a process: `data x(0) = …`.
    pub fn data_at(&self, family: VarId, time: f64) -> Option<VarId> {
        self.vars.iter().find_map(|(id, var)| match var.family {
            Family::Instant { of, at } if of == family && at == time => Some(id),
            Family::Member { of, at } if of == family && at as f64 == time => Some(id),
            Family::Instant { .. } | Family::Member { .. } | Family::Single | Family::Chain { .. } | Family::Process { .. } => None,
        })
    }

    /// The first and the last time of a family.
    pub fn times(&self, family: VarId) -> Option<(f64, f64)> {
        match self.vars[family].family {
            Family::Chain { from, to } => Some((from as f64, to as f64)),
            Family::Process { from, to } => Some((from, to)),
            Family::Single | Family::Member { .. } | Family::Instant { .. } => None,
        }
    }
}
