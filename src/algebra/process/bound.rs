//! The bound on the evidence of a chain, q in the direction of time and p against it:
//!
//! ```text
//! ELBO(p, q) = E log p(x[0] | x[1]) − Σ_t E KL(q(x[t-1] | x[t], x[0]) || p(x[t-1] | x[t])) − KL(q(x[T] | x[0]) || p(x[T]))
//! ```
//!
//! (Sohl-Dickstein et al.: Deep unsupervised learning using nonequilibrium thermodynamics, 2015, equation 14; Ho, Jain, Abbeel: Denoising
//! diffusion probabilistic models, 2020, equation 5.) The sum runs over all steps, or over one that is drawn, by which it is unbiased. What
//! is left to draw in each step is x[t] ~ q(x[t] | x[0]): summed over where it has few values, in closed form where p(x[t-1] | x[t]) is
//! linear-Gaussian.

use super::super::chain::{Inside, Steps, Turn};
use super::super::expectation::Site;
use super::super::gaussian::affine;
use super::super::gaussian::factor::Family;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, PlateId};
use super::chain::{Chain, Direction, Kernel};
use super::coefficient::Coefficient;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, DType, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Bound, DensityId, Expr, MemberFactor, Noise, ProcessKind, Times};

/// A sum over steps with more numbers than this, over all steps, rows and elements of the state, is a loop; otherwise all steps are
/// computed side by side.
const MOST_SIDE_BY_SIDE: usize = 1 << 16;

/// Which terms of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// log p(x[0] | x[1])
    First,
    /// The divergences of later steps
    Later,
    /// Whichever belongs to the step
    Either,
}

/// The model of a bound, against the direction of time.
#[derive(Clone)]
pub(super) enum Backward<'m> {
    /// Kernels `p(x[t-1] | x[t]) = …` and `p(x[T]) = …`
    Declared(Chain<'m>, &'m MemberFactor),
    /// `reverse(q, noise: f)`
    Reverse(DensityId),
}

/// A bound whose densities are chains.
pub(super) struct ChainBound<'m> {
    pub bound: Bound,
    pub forward: Chain<'m>,
    pub backward: Backward<'m>,
    /// The value of the first member
    pub x0: Array,
    pub span: Span,
}

impl<'m> Lowering<'m> {
    /// The bound, if q is a chain in the direction of time and p one against it.
    pub(in crate::algebra) fn bound_of_chain(&mut self, bound: &Bound, span: Span) -> Result<Option<Array>> {
        let Some(of) = self.chain_bound(bound, span)? else {
            return match bound.times {
                Times::All => Ok(None),
                Times::Uniform | Times::Importance(_) => {
                    let problem = Diagnostic::new(Code::UnknownArgument, "`t:` is for bounds of chains, and this is none").at(span);
                    Err(problem.help("leave it out, or declare `q(x[t] | x[t-1]) = …` and `p(x[t-1] | x[t]) = …`"))
                }
            };
        };
        self.record_chain_bound(&of);
        let last = self.int(of.forward.last);
        let end = self.forward_law(&of.forward, &last, &of.x0)?;
        let prior = self.backward_prior(&of)?;
        let left = self.divergence_of(&end, &prior, span)?;
        let sum = match &of.bound.times {
            Times::All => self.all_steps(&of)?,
            Times::Uniform => self.drawn_step(&of, None)?,
            Times::Importance(weights) => self.drawn_step(&of, Some(weights))?,
        };
        self.sub(&sum, &left).map(Some)
    }

    fn chain_bound(&mut self, bound: &Bound, span: Span) -> Result<Option<ChainBound<'m>>> {
        let process = |id: DensityId| self.model.densities[id].process.as_ref();
        let (Some(q), Some(p)) = (process(bound.q), process(bound.p)) else { return Ok(None) };
        let Some(forward) = self.chain_of(bound.q, q.var, Direction::Forward).filter(|_| p.var == q.var) else { return Ok(None) };
        let backward = match &p.kind {
            ProcessKind::Chain => {
                let Some(chain) = self.chain_of(bound.p, p.var, Direction::Backward) else { return Ok(None) };
                let ends = self.model.densities[bound.p].chain.iter().filter(|factor| factor.target == p.var && factor.members.is_empty());
                let prior = ends.into_iter().next().ok_or_else(|| self.no_prior(bound.p, &chain, span))?;
                Backward::Declared(chain, prior)
            }
            ProcessKind::Reverse(_) | ProcessKind::Guided(_) => Backward::Reverse(bound.p),
            ProcessKind::Flow { .. } | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. } => return Ok(None),
        };
        let Some(data) = self.model.data_at(forward.var, forward.first as f64) else {
            let x = &self.model.vars[forward.var];
            let problem = Diagnostic::new(Code::DataMissing, format!("`{}[{}]` has no value in this bound", x.name, forward.first));
            let problem = problem.label(span, "needed here").label(x.span, "declared here");
            return Err(problem.help(format!("declare it: `data {}[{}] = …`", x.name, forward.first)));
        };
        let x0 = self.variable(data)?;
        Ok(Some(ChainBound { bound: bound.clone(), forward, backward, x0, span }))
    }

    fn no_prior(&self, p: DensityId, chain: &Chain<'_>, span: Span) -> Diagnostic {
        let (p, x) = (&self.model.densities[p].name, &self.model.vars[chain.var].name);
        Diagnostic::new(Code::UnknownVariable, format!("{p} has no factor for {x}[{}]", chain.last))
            .label(span, "needed here")
            .help(format!("declare `{p}({x}[{}]) = …`", chain.last))
    }

    /// p(x[T])
    fn backward_prior(&mut self, of: &ChainBound<'m>) -> Result<Distribution> {
        match &of.backward {
            Backward::Declared(chain, prior) => {
                let frozen = self.frozen || self.model.densities[chain.density].frozen;
                let outer = std::mem::replace(&mut self.frozen, frozen);
                let found = self.eval(&prior.dist);
                self.frozen = outer;
                found?.distribution()
            }
            Backward::Reverse(p) => {
                let moments = self.prior(*p)?;
                self.normal(of.forward.var, moments)
            }
        }
    }

    /// The first term, and the divergences of all steps after the first.
    fn all_steps(&mut self, of: &ChainBound<'m>) -> Result<Array> {
        let first = self.int(of.forward.first + 1);
        let start = self.over_state(of, &first, Part::First)?;
        let count = (of.forward.last - of.forward.first - 1) as usize;
        if count == 0 {
            return Ok(start);
        }
        let steps = Steps { plate: self.plate(count), first: of.forward.first + 2 };
        let rows: usize = self.sizes(&of.x0.plates).iter().product();
        let numbers = count * rows * of.bound.samples.unwrap_or(1) * self.count(&of.x0);
        let terms = if numbers <= MOST_SIDE_BY_SIDE {
            let t = self.counting(steps.plate, steps.first);
            self.scope.push(steps.plate);
            let terms = self.over_state(of, &t, Part::Later);
            self.scope.pop();
            terms?
        } else {
            let done = self.over_steps(steps, &[], &[], |this, inside: Inside| {
                let first = this.int(steps.first);
                let t = this.add(&inside.number, &first)?;
                Ok(Turn { carries: vec![], kept: vec![this.over_state(of, &t, Part::Later)?] })
            })?;
            done.kept.into_iter().next().ok_or_else(|| Diagnostic::internal("a loop without result"))?
        };
        self.note(of.span, format!("the divergences of all {count} later steps"));
        let later = self.sum_over(&terms, &[steps.plate]);
        self.add(&start, &later)
    }

    /// The term of a step at x[t].
    fn step_term(&mut self, of: &ChainBound<'m>, t: &Array, x: &Array, part: Part) -> Result<Array> {
        let model = self.backward_law(of, t, x, part)?;
        let second = self.int(of.forward.first + 2);
        let later = match part {
            Part::First => return self.log_prob(&model, &of.x0),
            Part::Later => t.clone(),
            // Where its divergence is not taken, a step has that of another: nothing undefined may reach its derivative.
            Part::Either => self.binary(BinaryOp::Max, t, &second)?,
        };
        let before = self.posterior_law(&of.forward, &later, x, &of.x0)?;
        let divergence = self.divergence_of(&before, &model, of.span)?;
        let negative = self.unary(UnaryOp::Neg, &divergence);
        if part == Part::Later {
            return Ok(negative);
        }
        let is_later = self.compare(CompareOp::Ge, t, &second)?;
        let start = match self.one_kernel_for_all(of) {
            true => self.log_prob(&model, &of.x0)?,
            false => {
                let first = self.int(of.forward.first + 1);
                self.step_term(of, &first, x, Part::First)?
            }
        };
        self.select(&is_later, &negative, &start)
    }

    /// p(x[t-1] | x[t])
    pub(super) fn backward_law(&mut self, of: &ChainBound<'m>, t: &Array, x: &Array, part: Part) -> Result<Distribution> {
        let one = self.int(1);
        let before = self.sub(t, &one)?;
        match &of.backward {
            Backward::Declared(chain, _) => {
                let kernel = self.kernel_of_steps(of, chain, part)?;
                self.kernel_at(chain, kernel, &before, x)
            }
            Backward::Reverse(p) => {
                let mut moments = self.reverse_kernel(*p, x, t, &before)?;
                if part != Part::Later {
                    moments.var = self.with_first_variance(of, moments.var, t)?;
                }
                self.normal(of.forward.var, moments)
            }
        }
    }

    /// The bridge to x[0] has no variance: there, that of the first step (Ho, Jain, Abbeel 2020, section 3.2).
    fn with_first_variance(&mut self, of: &ChainBound<'m>, var: Coefficient, t: &Array) -> Result<Coefficient> {
        let (start, first) = (self.int(of.forward.first), self.int(of.forward.first + 1));
        let own = self.transition_of(&of.forward, &start, &first)?.var;
        let is_first = self.compare(CompareOp::Eq, t, &first)?;
        let chosen = self.select(&is_first, own.array(), var.array())?;
        Ok(if matches!(var, Coefficient::Scalar(_)) { own.with(chosen) } else { var.with(chosen) })
    }

    /// Whether x[0] follows from x[1] by the same factor as any other member.
    fn one_kernel_for_all(&self, of: &ChainBound<'m>) -> bool {
        match &of.backward {
            Backward::Declared(chain, _) => chain.kernels.len() == 1,
            Backward::Reverse(_) => true,
        }
    }

    /// The kernel of the first member, or of all others.
    fn kernel_of_steps<'c>(&self, of: &ChainBound<'m>, chain: &'c Chain<'m>, part: Part) -> Result<&'c Kernel<'m>> {
        let (member, end) = match part {
            Part::First => (chain.first, chain.first),
            Part::Later | Part::Either => (chain.first + 1, chain.last - 1),
        };
        let covers = |kernel: &&Kernel<'m>| kernel.from <= member && end < kernel.from + kernel.count as i64;
        chain.kernels.iter().find(covers).ok_or_else(|| {
            let p = &self.model.densities[chain.density].name;
            let what = format!("a bound of a chain `{p}` with several factors beside that of its first member");
            Diagnostic::unsupported(what).at(of.span)
        })
    }

    /// The expectation of a term over x[t] ~ q(x[t] | x[0]).
    fn over_state(&mut self, of: &ChainBound<'m>, t: &Array, part: Part) -> Result<Array> {
        let law = self.forward_law(&of.forward, t, &of.x0)?;
        let name = format!("E over {}[t]", self.model.vars[of.forward.var].name);
        if let Some(value) = self.expected_term(of, t, &law, part)? {
            self.note(of.span, format!("{name}: in closed form, linear-Gaussian"));
            return Ok(value);
        }
        let samples = of.bound.samples.filter(|&n| n > 1).map(|n| self.plate(n));
        self.scope.extend(samples);
        let value = self.over_draws(of, t, &law, part, samples);
        self.scope.truncate(self.scope.len() - usize::from(samples.is_some()));
        self.mean_over(&value?, samples.as_slice())
    }

    fn over_draws(&mut self, of: &ChainBound<'m>, t: &Array, law: &Distribution, part: Part, samples: Option<PlateId>) -> Result<Array> {
        let (site, x) = match self.enumerated(law)? {
            Some(enumerated) => enumerated,
            None => {
                let x = self.draw(law)?;
                self.estimated(law, x, of.bound.estimator)?
            }
        };
        let how = match (&site, of.bound.samples) {
            (Site::Enumerated { plate, .. }, _) => format!("exact sum of {} values", self.sizes(&[*plate])[0]),
            (_, Some(n)) if n > 1 => format!("sampled with {n} draws, unbiased"),
            _ => "sampled with 1 draw, unbiased".to_owned(),
        };
        self.note(of.span, format!("E over {}[t]: {how}", self.model.vars[of.forward.var].name));
        let value = self.step_term(of, t, &x, part)?;
        self.close_sites(&[site], samples, value)
    }

    /// In closed form, where q and p are Gaussian with independent elements and their means affine in x[t]: with d(x) the difference
    /// of the means and v the variance of p, the term is −½ Σ d(x)²/v + const, and its expectation over x ~ N(m, s²) that at m
    /// minus ½ Σ (∂d/∂x)² s²/v.
    fn expected_term(&mut self, of: &ChainBound<'m>, t: &Array, law: &Distribution, part: Part) -> Result<Option<Array>> {
        let Some(Family::Normal) = self.gaussian_family(law.dist) else { return Ok(None) };
        if part == Part::Either || of.bound.samples.is_some() {
            return Ok(None);
        }
        let z = self.placeholder(&law.shape, None);
        let model = self.backward_law(of, t, &z, part)?;
        if !matches!(self.gaussian_family(model.dist), Some(Family::Normal)) || self.leads_to(&z, &model.params[1]) {
            return Ok(None);
        }
        let at = self.difference_of_means(of, t, &z, part)?;
        let mut difference = |this: &mut Self, x: &[Array]| this.difference_of_means(of, t, &x[0], part);
        let Ok(mut affine) = self.affine_at(&[z], &at, &mut difference)? else { return Ok(None) };
        let term = self.step_term(of, t, &law.params[0], part)?;
        let Some(slope) = affine.coefficients.remove(0) else { return Ok(Some(term)) };
        let spread = self.mul(&law.params[1], &law.params[1])?;
        let spread = self.vector(&spread, &law.shape);
        let moved = match slope {
            affine::Coefficient::Diagonal(g) => {
                let (g, shape) = (self.vector(&g, &law.shape), law.shape.clone());
                let squared = self.mul(&g, &g)?;
                let moved = self.mul(&squared, &spread)?;
                self.flattened(&moved, &shape)
            }
            affine::Coefficient::Matrix(g) => {
                let squared = self.mul(&g, &g)?;
                let moved = self.matmul(&squared, &spread)?;
                self.flattened(&moved, &law.shape)
            }
        };
        let variance = self.mul(&model.params[1], &model.params[1])?;
        let ratio = self.binary(BinaryOp::Div, &moved, &variance)?;
        let (sum, half) = (self.sum_of_elements(&ratio), self.real(0.5));
        let lost = self.mul(&half, &sum)?;
        self.sub(&term, &lost).map(Some)
    }

    /// The mean of q(x[t-1] | x[t], x[0]), of the first step x[0], minus that of p(x[t-1] | x[t]).
    fn difference_of_means(&mut self, of: &ChainBound<'m>, t: &Array, x: &Array, part: Part) -> Result<Array> {
        let model = self.backward_law(of, t, x, part)?;
        let mean = self.full_mean(&model);
        match part {
            Part::First => self.sub(&of.x0, &mean),
            Part::Later | Part::Either => {
                let before = self.posterior_law(&of.forward, t, x, &of.x0)?;
                let own = self.full_mean(&before);
                self.sub(&own, &mean)
            }
        }
    }

    /// One step, drawn for each row, over the probability with which it is.
    fn drawn_step(&mut self, of: &ChainBound<'m>, weights: Option<&Expr>) -> Result<Array> {
        let count = (of.forward.last - of.forward.first) as usize;
        let (t, inverse) = match weights {
            None => (self.uniform_step(of, count)?, self.real(count as f64)),
            Some(weights) => self.weighted_step(of, weights, count)?,
        };
        let how = if weights.is_some() { "by the given weights" } else { "uniformly" };
        self.note(of.span, format!("one of {count} steps drawn {how} for each row, unbiased"));
        let part = if count == 1 { Part::First } else { Part::Either };
        let value = self.over_state(of, &t, part)?;
        self.mul(&inverse, &value)
    }

    fn uniform_step(&mut self, of: &ChainBound<'m>, count: usize) -> Result<Array> {
        let (u, n) = (self.noise(Noise::Uniform, &[])?, self.real(count as f64));
        let scaled = self.mul(&u, &n)?;
        let whole = self.cast(&scaled, DType::Int);
        let (most, first) = (self.int(count as i64 - 1), self.int(of.forward.first + 1));
        let whole = self.binary(BinaryOp::Min, &whole, &most)?;
        self.add(&whole, &first)
    }

    /// A step drawn with probability proportional to its weight, and one over that probability.
    fn weighted_step(&mut self, of: &ChainBound<'m>, weights: &Expr, count: usize) -> Result<(Array, Array)> {
        let weights = self.eval_array(weights)?;
        let weights = self.stop(&weights);
        let (lifted, plates) = self.lift(&weights, 1);
        let total = self.sum_over(&lifted, &plates);
        let probs = self.binary(BinaryOp::Div, &weights, &total)?;
        let cumulated = self.apply(crate::graph::Op::CumSum { axis: probs.plates.len(), reverse: false }, &probs);
        let below = self.lift_onto(&cumulated, &plates);
        let u = self.noise(Noise::Uniform, &[])?;
        let passed = self.compare(CompareOp::Le, &below, &u)?;
        let passed = self.cast(&passed, DType::Int);
        let place = self.sum_over(&passed, &plates);
        let (most, first, one) = (self.int(count as i64 - 1), self.int(of.forward.first + 1), self.real(1.0));
        let place = self.binary(BinaryOp::Min, &place, &most)?;
        let probability = self.entry(&probs, 0, &place)?;
        Ok((self.add(&place, &first)?, self.binary(BinaryOp::Div, &one, &probability)?))
    }

    /// q(x[t] | x[0])
    pub(super) fn forward_law(&mut self, chain: &Chain<'m>, t: &Array, x0: &Array) -> Result<Distribution> {
        let first = self.int(chain.first);
        let transition = self.transition_of(chain, &first, t)?;
        let mean = self.transported(&transition, x0)?;
        self.normal(chain.var, super::transition::Moments { mean, var: transition.var })
    }

    /// q(x[t-1] | x[t], x[0])
    fn posterior_law(&mut self, chain: &Chain<'m>, t: &Array, x: &Array, x0: &Array) -> Result<Distribution> {
        let (first, one) = (self.int(chain.first), self.int(1));
        let before = self.sub(t, &one)?;
        let (early, late) = (self.transition_of(chain, &first, &before)?, self.transition_of(chain, &before, t)?);
        let moments = self.between(&early, &late, x0, x)?;
        self.normal(chain.var, moments)
    }
}
