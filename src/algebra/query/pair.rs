//! One conjugate pair: whether a rule fits a prior and a likelihood, and what it says.
//!
//! The latent variables are bound to a node of their own, and the likelihood is lowered. A fresh name of the pattern stands for any
//! parameter that does not depend on this node; an expression of the latent variables must give the very node that the user's
//! parameter is, both simplified. So what counts is what the program computes, not how it is written.

use super::super::lowering::Lowering;
use super::super::observations::Observations;
use super::super::value::{Array, Distribution, PlateId, Value};
use super::classes::Members;
use super::conjugate::Family;
use super::product::{Attempt, Obstacle};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Conjugate, ConjugateArgument, ConjugateKind, DistId, Factor, LocalId, VarId};
use crate::check::types::Type;
use crate::graph::{Graph, NodeId, Op};
use crate::pass;

/// A distribution of latent variables, with a plate for each axis over which it is repeated.
#[derive(Clone)]
pub(in crate::algebra) struct Known {
    pub dist: DistId,
    pub params: Vec<Array>,
    pub plates: Vec<PlateId>,
    /// Of one event
    pub event: Vec<usize>,
}

/// A likelihood at the stand-ins of the latent variables.
pub(super) struct Likelihood {
    dist: DistId,
    pub params: Vec<Array>,
    pub observed: Array,
    /// Those over which it is repeated and its latent variables are not: so many observations
    pub plates: Vec<PlateId>,
    /// How much an observation counts, where that is not 1
    pub weight: Option<Array>,
}

impl<'m> Lowering<'m> {
    pub(in crate::algebra) fn known(&mut self, d: &Distribution) -> Result<Known> {
        let (params, plates) = self.lift_params(d)?;
        let params = params.into_iter().map(|param| param.array()).collect::<Result<_>>()?;
        Ok(Known { dist: d.dist, params, event: d.shape[plates.len()..].to_vec(), plates })
    }

    /// The repeated axes as axes again.
    pub(super) fn lowered(&mut self, known: &Known) -> Distribution {
        let params = known.params.iter().map(|param| self.lower_plates(param, &known.plates)).collect();
        Distribution { dist: known.dist, params, shape: [&self.sizes(&known.plates)[..], &known.event].concat() }
    }

    /// A value inside the support, for each latent variable: the member `centre` where the distribution has one, else its mean.
    pub(super) fn centre(&mut self, known: &Known) -> Result<Vec<Array>> {
        let one = Distribution { dist: known.dist, params: known.params.clone(), shape: known.event.clone() };
        let members = &self.model.dists[known.dist].members;
        match (members.get("centre").copied(), self.model.dists[known.dist].event.clone()) {
            (Some(centre), Type::Tuple(_)) => {
                let value = self.call(centre, known.params.iter().cloned().map(Value::Array).collect())?;
                Ok(value.arrays().into_iter().cloned().collect())
            }
            (None, Type::Tuple(_)) => {
                let message = format!("{} declares no `centre`", self.model.dists[known.dist].name);
                Err(Diagnostic::new(Code::NoRule, message).help("declare `centre = …`, a value inside its support"))
            }
            (centre, Type::Array(_) | Type::Distribution(_) | Type::Error) => {
                Ok(vec![self.dist_member(&one, if centre.is_some() { "centre" } else { "mean" })?])
            }
        }
    }

    /// The log-density, summed over the repeated axes.
    pub(super) fn log_prob_of(&mut self, known: &Known, at: &[Array]) -> Result<Array> {
        let log = self.log_prob_of_each(known, at)?;
        Ok(self.sum_over(&log, &known.plates))
    }

    /// The log-density, of each repeated part.
    pub(super) fn log_prob_of_each(&mut self, known: &Known, at: &[Array]) -> Result<Array> {
        let one = Distribution { dist: known.dist, params: known.params.clone(), shape: known.event.clone() };
        match at {
            [value] => self.log_prob(&one, value),
            parts => self.log_prob_of_tuple(&one, parts.to_vec()),
        }
    }

    /// What a rule of this kind says of a factor, given a distribution of its latent variables.
    pub(super) fn paired(
        &mut self,
        kind: ConjugateKind,
        family: &Family<'m>,
        known: &Known,
        child: &'m Factor,
    ) -> Result<Attempt<(&'m Conjugate, Known)>> {
        let (rule, likelihood) = match self.matched(kind, family, known, child)? {
            Attempt::Done(found) => found,
            Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let observations = self.observations_of(family, &likelihood);
        let result = self.conclude(rule, known, &likelihood, observations)?;
        Ok(Attempt::Done((rule, result)))
    }

    /// The rule of this kind that fits a factor, its names being bound, and the factor as the rule sees it.
    pub(super) fn matched(
        &mut self,
        kind: ConjugateKind,
        family: &Family<'m>,
        known: &Known,
        child: &'m Factor,
    ) -> Result<Attempt<(&'m Conjugate, Likelihood)>> {
        let rules: Vec<&'m Conjugate> = self.model.conjugates.iter().filter(|rule| rule.kind == kind && rule.prior == known.dist).collect();
        if rules.is_empty() {
            let prior = &self.model.dists[known.dist].name;
            return Ok(Attempt::Obstacle(Obstacle {
                span: child.span,
                reason: format!("no rule makes {prior} conjugate to anything here"),
            }));
        }
        let centre = self.centre(known)?;
        let whole: Vec<Array> = centre.iter().map(|value| self.stand_in(value, &known.plates)).collect();
        let old = self.bind_all(&family.prior.targets, whole.clone());
        let found = self.at_stand_ins(kind, family, known, child, &whole);
        self.restore_all(old);
        let (stand_ins, likelihood) = match found? {
            Attempt::Done(found) => found,
            Attempt::Obstacle(obstacle) => return Ok(Attempt::Obstacle(obstacle)),
        };
        let mut tried = false;
        for rule in rules.into_iter().filter(|rule| rule.likelihood == likelihood.dist) {
            tried = true;
            let vanishing = match rule.arguments.iter().any(|argument| matches!(argument, ConjugateArgument::Scaled(..))) {
                true => self.vanishing(kind, family, known, child)?,
                false => vec![],
            };
            if self.fits(rule, known, &stand_ins, &likelihood, &vanishing)? {
                return Ok(Attempt::Done((rule, likelihood)));
            }
        }
        Ok(Attempt::Obstacle(self.unfit(family, known, child, &likelihood, tried)))
    }

    /// The likelihood, and the stand-ins as rules take them: element by element, or one member for all classes.
    fn at_stand_ins(
        &mut self,
        kind: ConjugateKind,
        family: &Family<'m>,
        known: &Known,
        child: &'m Factor,
        whole: &[Array],
    ) -> Result<Attempt<(Vec<Array>, Likelihood)>> {
        match self.likelihood(kind, family, &known.plates, child)? {
            Attempt::Done(likelihood) => {
                let lifted = whole.iter().map(|value| self.lift_onto(value, &known.plates)).collect();
                Ok(Attempt::Done((lifted, likelihood)))
            }
            Attempt::Obstacle(obstacle) => Ok(match self.of_one_class(kind, family, known, child, whole)? {
                Some(found) => Attempt::Done(found),
                None => Attempt::Obstacle(obstacle),
            }),
        }
    }

    /// The likelihood where every use of the latent variables is of one class, `theta[k]`, at stand-ins for one member of each.
    fn of_one_class(
        &mut self,
        kind: ConjugateKind,
        family: &Family<'m>,
        known: &Known,
        child: &'m Factor,
        whole: &[Array],
    ) -> Result<Option<(Vec<Array>, Likelihood)>> {
        let ([plate, rest @ ..], ConjugateKind::Posterior) = (&known.plates[..], kind) else { return Ok(None) };
        let mut members = vec![];
        for value in self.centre(known)? {
            let member = self.first_member(&value, *plate);
            members.push(self.stand_in(&member, rest));
        }
        let vars = family.prior.targets.clone();
        let outer = self.members.replace(Members { vars, members: members.clone(), ..Members::default() });
        let likelihood = self.likelihood(kind, family, rest, child);
        let found = std::mem::replace(&mut self.members, outer);
        let (Attempt::Done(mut likelihood), Some(Members { class: Some(class), several: false, .. })) = (likelihood?, found) else {
            return Ok(None);
        };
        for param in likelihood.params.clone() {
            if whole.iter().any(|latent| self.depends(&param, latent)) {
                return Ok(None);
            }
        }
        likelihood.weight = Some(self.class_weight(&class, *plate)?);
        let members = members.iter().map(|member| self.lift_onto(member, rest)).collect();
        Ok(Some((members, likelihood)))
    }

    /// The value as a node of its own, its plates lowered.
    fn stand_in(&mut self, value: &Array, plates: &[PlateId]) -> Array {
        let value = self.lower_plates(value, plates);
        let node = self.node(&value);
        let node = self.b().distinct(node);
        self.array(node, value.plates)
    }

    fn likelihood(
        &mut self,
        kind: ConjugateKind,
        family: &Family<'m>,
        repeated: &[PlateId],
        child: &'m Factor,
    ) -> Result<Attempt<Likelihood>> {
        let d = self.factor_distribution(family.density, child)?;
        let [target] = child.targets[..] else {
            return Ok(Attempt::Obstacle(Obstacle { span: child.span, reason: "several variables share this factor".into() }));
        };
        let rank = d.shape.len() - self.event_rank(&self.model.dists[d.dist])?;
        let elementwise = d.shape[..rank] == self.sizes(repeated)[..];
        let plates: Vec<PlateId> = match (repeated, kind) {
            ([], ConjugateKind::Posterior) => d.shape[..rank].iter().map(|&size| self.plate(size)).collect(),
            (_, ConjugateKind::Posterior | ConjugateKind::Predictive) if elementwise => repeated.to_vec(),
            (_, ConjugateKind::Posterior | ConjugateKind::Predictive) => {
                let names = [&family.prior.targets[..], &[target]].map(|vars| self.names(vars));
                let reason = format!("each element of {} would have to go with one element of {}", names[1], names[0]);
                return Ok(Attempt::Obstacle(Obstacle { span: child.span, reason }));
            }
        };
        let params = self.lift_params_onto(&d, &plates)?.into_iter().map(|param| param.array()).collect::<Result<Vec<_>>>()?;
        let observed = match kind {
            ConjugateKind::Posterior => self.observation(&d, target, &plates)?,
            ConjugateKind::Predictive => self.real(0.0),
        };
        let plates = if repeated.is_empty() { plates } else { vec![] };
        Ok(Attempt::Done(Likelihood { dist: d.dist, params, observed, plates, weight: None }))
    }

    /// The value of a variable as the likelihood takes it.
    fn observation(&mut self, d: &Distribution, target: VarId, plates: &[PlateId]) -> Result<Array> {
        let dtype = super::tensor_type(&self.model.dists[d.dist].event)?.dtype;
        let x = self.variable(target)?;
        let x = self.cast(&x, dtype);
        Ok(if self.shape(&x).len() + plates.len() > d.shape.len() || !plates.is_empty() { self.lift_onto(&x, plates) } else { x })
    }

    /// Whether the parameters of the likelihood are what the pattern says. Its names are bound on the way.
    fn fits(
        &mut self,
        rule: &'m Conjugate,
        known: &Known,
        stand_ins: &[Array],
        likelihood: &Likelihood,
        vanishing: &[bool],
    ) -> Result<bool> {
        self.name_all(&rule.parameters, &known.params);
        self.name_all(&rule.latents, stand_ins);
        let pairs = || rule.arguments.iter().zip(&likelihood.params);
        for (argument, param) in pairs() {
            if let ConjugateArgument::Known(local) = argument {
                if stand_ins.iter().any(|latent| self.depends(param, latent)) {
                    return Ok(false);
                }
                self.locals.insert(*local, param.clone().into());
            }
        }
        for (at, (argument, param)) in pairs().enumerate() {
            let fits = match argument {
                ConjugateArgument::Known(_) => true,
                ConjugateArgument::Latent(pattern) => {
                    let pattern = self.eval_array(pattern)?;
                    self.same(&pattern, param, stand_ins)?
                }
                ConjugateArgument::Scaled(_, name) => {
                    let coefficient = match stand_ins {
                        [latent] if self.same(param, latent, stand_ins)? => Some(self.real(1.0)),
                        [latent] if vanishing.get(at) == Some(&true) => self.slope_in(param, latent, &known.plates)?,
                        _ => None,
                    };
                    let found = coefficient.is_some();
                    coefficient.into_iter().for_each(|value| {
                        self.locals.insert(*name, value.into());
                    });
                    found
                }
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Which parameters of the likelihood are 0 where the latent variables are.
    fn vanishing(&mut self, kind: ConjugateKind, family: &Family<'m>, known: &Known, child: &'m Factor) -> Result<Vec<bool>> {
        let centre = self.centre(known)?;
        let zeros = centre.iter().map(|value| {
            let value = self.lower_plates(value, &known.plates);
            let node = self.node(&value);
            let node = self.b().fill_like(0.0, node);
            self.array(node, value.plates)
        });
        let zeros: Vec<Array> = zeros.collect();
        let old = self.bind_all(&family.prior.targets, zeros);
        let likelihood = self.likelihood(kind, family, &known.plates, child);
        self.restore_all(old);
        let Attempt::Done(likelihood) = likelihood? else { return Ok(vec![]) };
        let outputs = likelihood.params.iter().map(|param| self.node(param)).collect();
        let graph = Graph { outputs, ..self.frames.builder().graph().clone() };
        let simple = pass::simplify::simplify(pass::simplify::sweep(&graph))?;
        Ok(simple.outputs.iter().map(|&id| is_zero(&simple, id)).collect())
    }

    /// c of a parameter c θ that is 0 where θ is: its derivative, if that does not depend on θ. Of a θ that is repeated, it is not asked for.
    fn slope_in(&mut self, param: &Array, latent: &Array, repeated: &[PlateId]) -> Result<Option<Array>> {
        if !repeated.is_empty() {
            return Ok(None);
        }
        let (y, x) = (self.node(param), self.node(latent));
        let ones = self.b().fill_like(1.0, x);
        let slope = pass::tangent(self.b(), &[y], &[x], &[ones])?;
        let slope = pass::simplify::simplified(self.b(), &[x], &slope);
        let slope = self.array(slope[0], param.plates.clone());
        Ok((!self.depends(&slope, latent)).then_some(slope))
    }

    pub(super) fn name_all(&mut self, names: &[LocalId], values: &[Array]) {
        for (&local, value) in names.iter().zip(values) {
            self.locals.insert(local, value.clone().into());
        }
    }

    /// The observations that a likelihood makes: of a global variable, all rows.
    fn observations_of(&self, family: &Family<'m>, likelihood: &Likelihood) -> Observations {
        let global = family.prior.targets.iter().any(|&var| self.model.vars[var].global);
        let rows = if global { self.whole_plates() } else { vec![] };
        let varies = |plate: &PlateId| likelihood.observed.varies_over(*plate) || likelihood.params.iter().any(|p| p.varies_over(*plate));
        let plates = rows.into_iter().filter(varies).chain(likelihood.plates.iter().copied()).collect();
        Observations { plates, weight: likelihood.weight.clone() }
    }

    /// What the rule says of these observations, its names being bound.
    pub(super) fn conclude(
        &mut self,
        rule: &'m Conjugate,
        known: &Known,
        likelihood: &Likelihood,
        observations: Observations,
    ) -> Result<Known> {
        self.locals.insert(rule.observed, likelihood.observed.clone().into());
        let outer = self.observations.replace(observations);
        let result = self.eval(&rule.result);
        self.observations = outer;
        let result = result?.distribution()?;
        Ok(Known { dist: result.dist, params: result.params, plates: known.plates.clone(), event: result.shape })
    }

    /// Whether one value is computed from another.
    fn depends(&mut self, x: &Array, on: &Array) -> bool {
        let (x, on) = (self.node(x), self.node(on));
        let graph = self.frames.builder().graph();
        let mut seen = vec![false; graph.nodes.len()];
        let mut open = vec![x];
        while let Some(id) = open.pop() {
            if id == on {
                return true;
            }
            if !std::mem::replace(&mut seen[id.index()], true) {
                open.extend(&graph.node(id).args);
            }
        }
        false
    }

    /// Whether two values are the same function of the latent variables.
    fn same(&mut self, a: &Array, b: &Array, latents: &[Array]) -> Result<bool> {
        let (nodes, _) = self.align(&[a, b])?;
        if nodes[0] == nodes[1] {
            return Ok(true);
        }
        let latents: Vec<NodeId> = latents.iter().map(|latent| self.node(latent)).collect();
        let simple = pass::simplify::simplified(self.b(), &latents, &nodes);
        Ok(simple[0] == simple[1])
    }

    fn unfit(&self, family: &Family<'m>, known: &Known, child: &Factor, likelihood: &Likelihood, tried: bool) -> Obstacle {
        let [prior, of_child] = [known.dist, likelihood.dist].map(|dist| &self.model.dists[dist].name);
        let (latents, child_names) = (self.names(&family.prior.targets), self.names(&child.targets));
        let reason = match tried {
            false => format!("no rule makes {prior} and {of_child} a conjugate pair"),
            true => format!("the parameters of {of_child} of {child_names} are not those that make {prior} of {latents} conjugate"),
        };
        Obstacle { span: child.span, reason }
    }
}

fn is_zero(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    match &node.op {
        Op::Fill { bits, .. } => f64::from_bits(*bits) == 0.0,
        Op::Literal(literal) => literal.values.iter().all(|value| *value == 0.0),
        Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) => is_zero(graph, node.args[0]),
        _ => false,
    }
}
