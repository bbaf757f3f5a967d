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
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution};
use super::chain::{Chain, Direction, Kernel};
use super::coefficient::Coefficient;
use super::finite_law::Impossible;
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, CompareOp, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Bound, DensityId, MemberFactor, ProcessKind, Times};

/// A sum over steps with more numbers than this, over all steps, rows and elements of the state, is a loop; otherwise all steps are
/// computed side by side.
const MOST_SIDE_BY_SIDE: usize = 1 << 14;

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
            Backward::Reverse(p) if self.has_finite_states(*p) => self.finite_prior(*p),
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
    pub(super) fn step_term(&mut self, of: &ChainBound<'m>, t: &Array, x: &Array, part: Part) -> Result<Array> {
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
            Backward::Reverse(p) if self.has_finite_states(*p) => self.finite_reverse(*p, x, t, &before, Impossible::Nothing),
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

    /// q(x[t] | x[0])
    pub(super) fn forward_law(&mut self, chain: &Chain<'m>, t: &Array, x0: &Array) -> Result<Distribution> {
        let first = self.int(chain.first);
        if self.has_finite_states(chain.density) {
            return self.finite_transition(chain, &first, t, x0);
        }
        let transition = self.transition_of(chain, &first, t)?;
        let mean = self.transported(&transition, x0)?;
        self.normal(chain.var, super::transition::Moments { mean, var: transition.var })
    }

    /// q(x[t-1] | x[t], x[0])
    pub(super) fn posterior_law(&mut self, chain: &Chain<'m>, t: &Array, x: &Array, x0: &Array) -> Result<Distribution> {
        let (first, one) = (self.int(chain.first), self.int(1));
        let before = self.sub(t, &one)?;
        if self.has_finite_states(chain.density) {
            return self.finite_between(chain, (x0, x), (&before, t), Impossible::Nothing);
        }
        let (early, late) = (self.transition_of(chain, &first, &before)?, self.transition_of(chain, &before, t)?);
        let moments = self.between(&early, &late, x0, x)?;
        self.normal(chain.var, moments)
    }
}
