//! Where in the source text a step comes from.

use super::place::Access;
use super::{Kernels, Step};
use crate::base::Span;

impl Kernels {
    /// The source expressions whose values the step writes, each once. A fused loop has one for each of its results.
    pub fn spans(&self, step: &Step) -> Vec<Span> {
        let mut spans = vec![];
        step.accesses(&mut |buffer, access| {
            if let (Access::Write, Some(&span)) = (access, self.origins.get(&buffer))
                && !spans.contains(&span)
            {
                spans.push(span);
            }
        });
        spans
    }
}
