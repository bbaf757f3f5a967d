//! Expectations, and the bounds made of them.
//!
//! An expectation of a sum is the sum of the expectations. A log-density of a drawn variable is in closed form where a rule has one
//! (Rao and Blackwell's theorem: what need not be sampled adds no noise). What is left is computed at the draws, each of which is
//! treated by the first that applies: an exact sum over a small finite support; a sample whose gradient flows through the draw
//! (pathwise; Kingma, Welling: Auto-encoding variational Bayes, 2014, section 2.4); a sample with the score-function estimator
//! (Williams: Simple statistical gradient-following algorithms, 1992), of several samples with the others as baseline. Relaxations,
//! which are biased, are only made where the file asks for them by name.

mod baseline;
mod bound;
mod draw;
mod nonlinear;
mod relaxed;
mod terms;

use self::draw::Drawn;
pub(super) use self::draw::Site;
pub(super) use self::nonlinear::Estimate;
pub(super) use self::terms::ExpectedLog;
use self::terms::Open;
use super::lowering::Lowering;
use super::value::{Array, Distribution, PlateId};
use crate::base::Span;
use crate::base::diagnostic::Result;
use crate::check::model::{Draw, Estimator, Expr, Place};

impl Lowering<'_> {
    pub(super) fn expectation(&mut self, draws: &[Draw], samples: Option<usize>, estimator: Estimator, body: &Expr) -> Result<Array> {
        let value = self.sampled(samples, estimator, |this, samples, drawn| {
            let mut open = vec![];
            for draw in draws {
                let d = this.eval(&draw.dist)?.distribution()?;
                let x = this.draw_into(drawn, draw.target, &d, estimator, draw.span)?;
                if let (Place::Var(var), Estimator::Chosen) = (draw.target, estimator) {
                    open.push(Open { var, dist: d, value: x });
                }
            }
            let value = this.expected(body, &open)?;
            for (draw, site) in draws.iter().zip(&drawn.sites) {
                match site {
                    Site::Pathwise(x) if estimator == Estimator::Chosen => this.refuse_steps(draw, x, &value)?,
                    Site::Pathwise(_) | Site::Relaxed | Site::Enumerated { .. } | Site::Fixed | Site::Score(_) => {}
                }
            }
            this.derive_expectation(draws, &drawn.treatments(), samples, body);
            Ok(value)
        })?;
        self.remember_estimate(&value, draws.iter().map(|draw| draw.span).collect());
        Ok(value)
    }

    /// `what` has no closed form, so it is the expectation of a Rust function: an exact sum, or one draw with an unbiased gradient.
    pub(super) fn with_draw(
        &mut self,
        d: &Distribution,
        what: &str,
        span: Span,
        body: impl FnOnce(&mut Self, &Array) -> Result<Array>,
    ) -> Result<Array> {
        let (how, (site, x)) = match self.enumerated(d)? {
            Some(enumerated) => ("an exact sum", enumerated),
            None => {
                let x = self.draw(d)?;
                ("estimated with 1 draw, unbiased", self.estimated(d, x, Estimator::Chosen)?)
            }
        };
        self.note(span, format!("{what}: no closed form is known; {how}"));
        let value = body(self, &x)?;
        self.close_sites(&[site], None, value)
    }

    /// The mean over samples of what `f` makes of its draws. Where no number of them was asked for, one is made; two where a
    /// score-function gradient needs a baseline.
    fn sampled(
        &mut self,
        samples: Option<usize>,
        estimator: Estimator,
        f: impl Fn(&mut Self, Option<usize>, &mut Drawn) -> Result<Array>,
    ) -> Result<Array> {
        let before = (self.notes.len(), self.derivation.clone());
        let (scored, value) = self.with_samples(samples, &f)?;
        if samples.is_some() || !scored || !self.differentiated || estimator != Estimator::Chosen {
            return Ok(value);
        }
        self.notes.truncate(before.0);
        self.derivation = before.1;
        Ok(self.with_samples(Some(2), &f)?.1)
    }

    /// Whether a draw has a score-function gradient, and the mean.
    fn with_samples(
        &mut self,
        samples: Option<usize>,
        f: &impl Fn(&mut Self, Option<usize>, &mut Drawn) -> Result<Array>,
    ) -> Result<(bool, Array)> {
        let plate: Option<PlateId> = samples.filter(|&n| n > 1).map(|n| self.plate(n));
        self.scope.extend(plate);
        let mut drawn = Drawn::with(samples.unwrap_or(1));
        let value = f(self, samples, &mut drawn).and_then(|value| self.close_sites(&drawn.sites, plate, value));
        let scored = drawn.sites.iter().any(|site| matches!(site, Site::Score(_)));
        self.forget(drawn);
        self.scope.truncate(self.scope.len() - usize::from(plate.is_some()));
        let value = value?;
        Ok((scored, plate.map_or(Ok(value.clone()), |plate| self.mean_over(&value, &[plate]))?))
    }
}
