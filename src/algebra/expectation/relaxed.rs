//! Biased gradients of discrete draws, for those who ask for them by name.

use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, UnaryOp};
use crate::check::Support;
use crate::check::model::Noise;
use crate::check::types::Type;

impl Lowering<'_> {
    /// A number in (0, 1) in place of a bit: sigmoid((logits + logistic noise) / temperature), the Gumbel softmax of two classes
    /// (Jang, Gu, Poole: Categorical reparameterization with Gumbel-softmax, 2017; Maddison, Mnih, Teh: The concrete distribution,
    /// 2017, appendix B).
    pub(super) fn relaxed_draw(&mut self, d: &Distribution, temperature: f64) -> Result<Array> {
        let logits = self.bit_logits(d)?;
        let u = self.noise(Noise::Uniform, &d.shape)?;
        let one = self.real(1.0);
        let rest = self.sub(&one, &u)?;
        let (log, log_rest) = (self.unary(UnaryOp::Log, &u), self.unary(UnaryOp::Log, &rest));
        let noise = self.sub(&log, &log_rest)?;
        let moved = self.add(&logits, &noise)?;
        let temperature = self.real(temperature);
        let scaled = self.binary(BinaryOp::Div, &moved, &temperature)?;
        Ok(self.unary(UnaryOp::Sigmoid, &scaled))
    }

    /// The draw itself, with the derivative of its probability
    /// (Bengio, Léonard, Courville: Estimating or propagating gradients through stochastic neurons, 2013, section 4).
    pub(super) fn straight_through_draw(&mut self, d: &Distribution) -> Result<Array> {
        let logits = self.bit_logits(d)?;
        let x = self.draw(d)?;
        let x = self.stop(&x);
        let probability = self.unary(UnaryOp::Sigmoid, &logits);
        let fixed = self.stop(&probability);
        let zero = self.sub(&probability, &fixed)?;
        self.add(&x, &zero)
    }

    fn bit_logits(&mut self, d: &Distribution) -> Result<Array> {
        let dist = &self.model.dists[d.dist];
        let bits = matches!(&dist.event, Type::Array(array) if array.support == Support::Bit && array.shape.is_empty());
        let known = dist.members.contains_key("logits") || dist.params.iter().any(|&local| self.model.locals[local].name == "logits");
        if bits && known {
            return self.dist_member(d, "logits");
        }
        let what = format!("a relaxation of {}, whose values are not bits", dist.name);
        Err(Diagnostic::unsupported(what).help("leave the estimator out: an exact sum, or the score function with a baseline, unbiased"))
    }
}
