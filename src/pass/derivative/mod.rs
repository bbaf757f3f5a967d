//! Derivatives, graph to graph, in both modes.
//!
//! The rules are equations over [`Term`](super::term::Term)s, a file per family of operations; [`reverse`] and [`forward`] walk the
//! graph and apply them. Derivatives are nodes like all others, so they nest. `Int` and `Bool` values and everything behind `Stop`
//! have derivative zero.

pub use names::rule_name;

use super::term::with_terms;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::graph::{Builder, NodeId};

pub(super) mod activity;
mod control;
mod elementwise;
mod forward;
mod indexing;
mod linear;
mod names;
mod reduce;
mod reverse;
mod scan;
mod shape;

/// The gradient of `y` with respect to the value of each node of `wrt`, by the reverse mode.
///
/// Each node of `wrt` may be intermediate: its gradient is that of `y` as a function of its value, everything computed from it
/// moving along. `seed` is the cotangent of `y`, of its shape; it may be absent where `y` is a scalar, and is 1 then. The results
/// have the shapes of `wrt`, and are zero where `y` does not depend on them.
///
/// Fails with `NotScalar` if the seed is absent and `y` not a scalar, with `NoDerivative` at an operation without a rule.
pub fn gradient(b: &mut Builder, y: NodeId, wrt: &[NodeId], seed: Option<NodeId>) -> Result<Vec<NodeId>, Diagnostic> {
    let seed = seed_of(b, y, seed)?;
    let gradients = with_terms(b, |cell| reverse::cotangents(cell, &[(y, seed)], wrt, &mut |_| ()))?;
    Ok(wrt.iter().zip(gradients).map(|(&x, gradient)| gradient.unwrap_or_else(|| zeros(b, x))).collect())
}

/// One node that the reverse mode went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    pub node: NodeId,
    /// The derivative of the result with respect to this node's value
    pub cotangent: NodeId,
}

/// [`gradient`] of a scalar, with every node that the reverse mode went through, results first.
pub fn gradient_with_record(b: &mut Builder, y: NodeId, wrt: &[NodeId]) -> Result<(Vec<NodeId>, Vec<Applied>), Diagnostic> {
    let seed = seed_of(b, y, None)?;
    let mut record = vec![];
    let gradients = with_terms(b, |cell| reverse::cotangents(cell, &[(y, seed)], wrt, &mut |applied| record.push(applied)))?;
    Ok((wrt.iter().zip(gradients).map(|(&x, gradient)| gradient.unwrap_or_else(|| zeros(b, x))).collect(), record))
}

fn seed_of(b: &mut Builder, y: NodeId, seed: Option<NodeId>) -> Result<NodeId, Diagnostic> {
    match seed {
        Some(seed) => Ok(seed),
        None if b.shape(y).is_empty() => Ok(b.real(1.0)),
        None => {
            let message = format!("a gradient needs a scalar, and this is {}", b.ty(y));
            Err(Diagnostic::new(Code::NotScalar, message).at(b.graph().node(y).span))
        }
    }
}

/// The derivative of each node of `y` when the nodes of `wrt` move along `direction`, by the forward mode.
///
/// Directions have the shapes of `wrt`, results the shapes of `y`. If a node of `wrt` depends on another one, its movement adds to
/// what it inherits. Fails with `NoDerivative` at an operation without a rule.
pub fn tangent(b: &mut Builder, y: &[NodeId], wrt: &[NodeId], direction: &[NodeId]) -> Result<Vec<NodeId>, Diagnostic> {
    let directions: Vec<(NodeId, NodeId)> = wrt.iter().copied().zip(direction.iter().copied()).collect();
    let tangents = with_terms(b, |cell| forward::tangents(cell, y, &directions))?;
    Ok(y.iter().zip(tangents).map(|(&y, tangent)| tangent.unwrap_or_else(|| zeros(b, y))).collect())
}

fn zeros(b: &mut Builder, like: NodeId) -> NodeId {
    let shape = b.shape(like).to_vec();
    b.fill(0.0, DType::Real, &shape)
}
