//! One draw inside an expectation: how its gradient passes, and what closes it.

use super::super::derivation::Treatment;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{CompareOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Estimator, Place};
use crate::check::types::Type;
use crate::graph::{NodeId, Op};
use std::collections::HashSet;

/// A draw, until its expectation is closed.
pub(in crate::algebra) enum Site {
    /// The log-probabilities of all values along a plate
    Enumerated { plate: PlateId, log_weights: Array },
    /// The draw, through which the gradient flows
    Pathwise(Array),
    /// The same of a draw that is none of the distribution, or with a gradient that is not its own
    Relaxed,
    /// From a distribution that is a constant
    Fixed,
    /// The log-probability of the draw
    Score(Array),
}

impl Site {
    fn treatment(&self) -> Treatment {
        match self {
            Site::Enumerated { .. } => Treatment::ExactSum,
            Site::Pathwise(_) => Treatment::Pathwise,
            Site::Relaxed => Treatment::Relaxed,
            Site::Fixed => Treatment::Sampled,
            Site::Score(_) => Treatment::ScoreFunction,
        }
    }
}

/// The names that an expectation bound, with what they stood for before.
pub(super) struct Drawn {
    pub sites: Vec<Site>,
    pub samples: usize,
    old: Vec<(Place, Option<Value>)>,
}

impl Drawn {
    pub fn with(samples: usize) -> Drawn {
        Drawn { sites: vec![], samples, old: vec![] }
    }

    pub fn treatments(&self) -> Vec<Treatment> {
        self.sites.iter().map(Site::treatment).collect()
    }
}

impl Lowering<'_> {
    /// Draws, binds the name, and remembers how to close the expectation. The draw as the body sees it.
    pub(super) fn draw_into(
        &mut self,
        drawn: &mut Drawn,
        target: Place,
        d: &Distribution,
        estimator: Estimator,
        span: Span,
    ) -> Result<Array> {
        let name = self.place_name(target);
        let enumerated = if estimator == Estimator::Chosen { self.enumerated(d)? } else { None };
        let (site, x) = match enumerated {
            Some(enumerated) => enumerated,
            None => self.for_name(target, |this| this.drawn(d, estimator)).map_err(|e| e.at(span))?,
        };
        let draws = if drawn.samples == 1 { "1 draw".to_owned() } else { format!("{} draws", drawn.samples) };
        let gradient = match &site {
            Site::Enumerated { .. } | Site::Fixed | Site::Relaxed => "",
            Site::Pathwise(_) => ", pathwise gradient",
            Site::Score(_) if drawn.samples > 1 => ", score-function gradient with leave-one-out baseline",
            Site::Score(_) => ", score-function gradient without baseline",
        };
        let gradient = if self.differentiated { gradient } else { "" };
        let note = match &site {
            Site::Enumerated { plate, .. } => format!("exact sum of {} values", self.sizes(&[*plate])[0]),
            Site::Fixed | Site::Pathwise(_) | Site::Score(_) => format!("sampled with {draws}, unbiased{gradient}"),
            Site::Relaxed => format!("sampled with {draws}, BIASED: {}", estimator.described()),
        };
        self.note(span, format!("E over {name}: {note}"));
        drawn.sites.push(site);
        self.bind_drawn(drawn, target, x.clone());
        Ok(x)
    }

    pub(super) fn bind_drawn(&mut self, drawn: &mut Drawn, target: Place, x: Array) {
        let old = self.bind(target, x);
        drawn.old.push((target, old));
    }

    /// All values of a small finite support in place of a draw.
    pub(in crate::algebra) fn enumerated(&mut self, d: &Distribution) -> Result<Option<(Site, Array)>> {
        let Some((values, plate)) = self.enumerate(d)? else { return Ok(None) };
        let log_weights = self.log_prob(d, &values)?;
        Ok(Some((Site::Enumerated { plate, log_weights }, values)))
    }

    fn drawn(&mut self, d: &Distribution, estimator: Estimator) -> Result<(Site, Array)> {
        match estimator {
            Estimator::GumbelSoftmax(temperature) => Ok((Site::Relaxed, self.relaxed_draw(d, temperature)?)),
            Estimator::StraightThrough => Ok((Site::Relaxed, self.straight_through_draw(d)?)),
            Estimator::Chosen | Estimator::Pathwise | Estimator::ScoreFunction => {
                let x = self.draw(d)?;
                self.estimated(d, x, estimator)
            }
        }
    }

    /// How the gradient passes a draw, and the draw as the body sees it.
    pub(in crate::algebra) fn estimated(&mut self, d: &Distribution, x: Array, estimator: Estimator) -> Result<(Site, Array)> {
        let pathwise = self.is_reparameterised(d, &x);
        if estimator == Estimator::Chosen && !d.params.is_empty() && d.params.iter().all(|param| self.is_constant(param)) {
            return Ok((Site::Fixed, x));
        }
        match estimator {
            Estimator::Chosen | Estimator::Pathwise if pathwise => Ok((Site::Pathwise(x.clone()), x)),
            Estimator::Pathwise => {
                let name = &self.model.dists[d.dist].name;
                let message = format!("a draw of {name} is not a differentiable function of its parameters");
                Err(Diagnostic::new(Code::NoEstimator, message).help("leave the estimator out, or write `estimator: score_function`"))
            }
            Estimator::Chosen | Estimator::ScoreFunction | Estimator::GumbelSoftmax(_) | Estimator::StraightThrough => {
                let x = self.stop(&x);
                let log = self.log_prob(d, &x)?;
                Ok((Site::Score(log), x))
            }
        }
    }

    /// A draw is differentiable if its values are continuous and no loop of unknown length (a rejection) made it.
    pub(in crate::algebra) fn is_reparameterised(&mut self, d: &Distribution, x: &Array) -> bool {
        let discrete = matches!(&self.model.dists[d.dist].event, Type::Array(array) if array.support.is_discrete());
        let params: Vec<NodeId> = d.params.iter().map(|p| self.node(p)).collect();
        let graph = self.frames.builder().graph();
        let mut open = vec![x.node];
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            if params.contains(&id) || !seen.insert(id) {
                continue;
            }
            if matches!(graph.node(id).op, Op::While { .. }) {
                return false;
            }
            open.extend(&graph.node(id).args);
        }
        !discrete
    }

    /// The value of the expectation, with a gradient that is unbiased. `samples`: their plate.
    pub(in crate::algebra) fn close_sites(&mut self, sites: &[Site], samples: Option<PlateId>, mut value: Array) -> Result<Array> {
        for site in sites.iter().rev() {
            match site {
                Site::Pathwise(_) | Site::Relaxed | Site::Fixed => {}
                Site::Enumerated { plate, log_weights } => {
                    let weights = self.unary(UnaryOp::Exp, log_weights);
                    let counted = self.where_possible(&weights, &value)?;
                    let weighted = self.mul(&weights, &counted)?;
                    value = self.sum_over(&weighted, &[*plate]);
                }
                Site::Score(log) => {
                    if self.differentiated {
                        let signal = self.learning_signal(&value, samples)?;
                        value = self.with_score(&value, &signal, log)?;
                    }
                }
            }
        }
        Ok(value)
    }

    /// value + signal · (log q − stop(log q)): the same value; its gradient gains signal · ∇ log q.
    pub(super) fn with_score(&mut self, value: &Array, signal: &Array, log: &Array) -> Result<Array> {
        let score = self.stop(log);
        let zero = self.sub(log, &score)?;
        let term = self.mul(signal, &zero)?;
        self.add(value, &term)
    }

    /// What is infinite or undefined at values of probability zero does not count: 0 · log 0 is 0.
    fn where_possible(&mut self, weights: &Array, value: &Array) -> Result<Array> {
        let zero = self.real(0.0);
        let possible = self.compare(CompareOp::Gt, weights, &zero)?;
        let finite = self.unary(UnaryOp::IsFinite, value);
        let kept = self.select(&finite, value, &zero)?;
        self.select(&possible, value, &kept)
    }

    pub(super) fn forget(&mut self, drawn: Drawn) {
        drawn.old.into_iter().rev().for_each(|(place, old)| self.restore(place, old));
    }

    pub(in crate::algebra) fn place_name(&self, place: Place) -> String {
        match place {
            Place::Local(local) => self.model.locals[local].name.clone(),
            Place::Var(var) => self.model.vars[var].name.clone(),
            Place::Param(param) => self.model.params[param].path.clone(),
        }
    }
}

impl Estimator {
    /// What a relaxation does, for `tilde check`.
    fn described(self) -> String {
        match self {
            Estimator::GumbelSoftmax(temperature) => format!("relaxed to a continuous draw at temperature {temperature}"),
            Estimator::StraightThrough => "straight-through gradient, that of the probabilities".to_owned(),
            Estimator::Chosen | Estimator::Pathwise | Estimator::ScoreFunction => String::new(),
        }
    }
}
