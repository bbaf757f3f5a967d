//! Conjugate pairs, from `rule posterior(…)`, `rule predictive(…)` and `rule marginal(…)` declarations.

use super::{DistId, Expr, LocalId};
use crate::base::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConjugateKind {
    /// `posterior(theta ~ Beta(a, b), x ~ Bernoulli(theta))`: of theta, given observations x, which are summed by [`ExprKind::Total`]
    ///
    /// [`ExprKind::Total`]: super::ExprKind::Total
    Posterior,
    /// `predictive(theta ~ Beta(a, b), x ~ Bernoulli(theta))`: of x, theta being integrated out
    Predictive,
}

/// A rule for one pair of instances of distributions.
#[derive(Clone, Debug)]
pub struct Conjugate {
    pub kind: ConjugateKind,
    pub prior: DistId,
    /// What stands for the parameters of the prior, in their order
    pub parameters: Vec<LocalId>,
    /// One, or the members of a tuple
    pub latents: Vec<LocalId>,
    pub likelihood: DistId,
    pub observed: LocalId,
    /// What the parameters of the likelihood must be, in their order
    pub arguments: Vec<Argument>,
    /// Of type `Distribution`
    pub result: Expr,
    /// The literature source
    pub source: Option<String>,
    pub span: Span,
}

/// `marginal(mu, (mu, v) ~ NormalInverseGamma(m, k, a, b))`: of one member of a tuple, the others being integrated out.
#[derive(Clone, Debug)]
pub struct Marginal {
    pub joint: DistId,
    /// What stands for the parameters of the joint distribution, in their order
    pub parameters: Vec<LocalId>,
    pub member: usize,
    /// Of type `Distribution`
    pub result: Expr,
    /// The literature source
    pub source: Option<String>,
    pub span: Span,
}

/// A parameter of the likelihood in the pattern of a rule.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A fresh name: whatever does not depend on the latent variables
    Known(LocalId),
    /// An expression of the latent variables
    Latent(Expr),
    /// An expression linear in the latent variables: `c * rate`, with the fresh name of its coefficient
    Scaled(Expr, LocalId),
}
