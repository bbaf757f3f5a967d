//! Linear-Gaussian factors between members: z[t] = A z[t-1] + b + noise, x[t] = H z[t] + d + noise, in every step of a segment.
//!
//! Where all coefficients and covariances are diagonal, elements do not see each other: their axes become plates, and every matrix
//! below is one number.

use super::super::gaussian::affine::{Affine, Coefficient, NotAffine};
use super::super::gaussian::factor::Covariance;
use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::value::{Array, Distribution, PlateId};
use super::network::{Network, State};
use super::part::{Position, Steps};
use super::segment::{Part, Segment};
use crate::base::diagnostic::Result;
use crate::base::{Code, Diagnostic};
use crate::check::model::{At, Density, MemberFactor, VarId};

/// A latent member by its variable and how many steps ago it was.
pub(super) type Entry = (VarId, i64);

/// A factor with a mean that is affine in latent members, before the representation is chosen.
pub(super) struct LinearFactor {
    pub target: Entry,
    /// Whether the target is latent; otherwise its value
    pub value: Option<Array>,
    pub shape: Vec<usize>,
    pub parents: Vec<Entry>,
    pub parent_shapes: Vec<Vec<usize>>,
    pub mean: Affine,
    pub covariance: Covariance,
}

/// A factor as arrays that the filter computes with: numbers where elements are plates, otherwise vectors and matrices.
#[derive(Clone)]
pub(super) struct LinearPart {
    pub target: Entry,
    pub parents: Vec<Entry>,
    /// The value of an observed target
    pub value: Option<Array>,
    pub coefficients: Vec<Array>,
    pub offset: Array,
    /// The covariance of the noise
    pub noise: Array,
}

impl LinearPart {
    /// The arrays on which covariances depend.
    pub fn spread(&self) -> impl Iterator<Item = &Array> {
        self.coefficients.iter().chain([&self.noise])
    }

    /// The arrays on which means alone depend.
    pub fn level(&self) -> impl Iterator<Item = &Array> {
        self.value.iter().chain([&self.offset])
    }

    /// The same with each array replaced.
    pub fn map(&self, f: &mut impl FnMut(&Array) -> Array) -> LinearPart {
        LinearPart {
            target: self.target,
            parents: self.parents.clone(),
            value: self.value.as_ref().map(&mut *f),
            coefficients: self.coefficients.iter().map(&mut *f).collect(),
            offset: f(&self.offset),
            noise: f(&self.noise),
        }
    }
}

impl<'m> Lowering<'m> {
    /// The factors of a segment, those of latent targets first, parents before children; or what is in the way.
    pub(super) fn linear_factors(&mut self, network: &Network<'m>, segment: &Segment, steps: Steps) -> Result<Vec<LinearFactor>> {
        let found = segment.parts.iter().map(|part| self.linear_factor(network, part, steps)).collect::<Result<Vec<_>>>()?;
        let (mut waiting, observed): (Vec<LinearFactor>, Vec<LinearFactor>) = found.into_iter().partition(|f| f.value.is_none());
        let mut ordered: Vec<LinearFactor> = vec![];
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|f| !waiting.iter().any(|other| f.parents.contains(&other.target))).unwrap_or(0);
            ordered.push(waiting.remove(ready));
        }
        ordered.extend(observed);
        Ok(ordered)
    }

    fn linear_factor(&mut self, network: &Network<'m>, part: &Part, steps: Steps) -> Result<LinearFactor> {
        let factor = network.factor(part.factor);
        let entry = |var: VarId, at: At| (var, steps.first - at.member(steps.first + part.shift));
        let target = entry(factor.target, factor.at.unwrap_or(At::Number(0)));
        let latent = part.states[0] == State::Latent;
        if latent && target.1 != 0 {
            return Err(Diagnostic::unsupported("a linear-Gaussian chain whose members are given later ones").at(factor.span));
        }
        let given = factor.members.iter().zip(&part.states[1..]).filter(|(_, state)| **state == State::Latent);
        let mut parents: Vec<Entry> = given.map(|(member, _)| entry(member.var, member.at)).collect();
        parents.dedup();
        let shape_of = |var: VarId| Ok(tensor_type(&network.model.vars[var].member_type())?.shape);
        let parent_shapes = parents.iter().map(|(var, _)| shape_of(*var)).collect::<Result<Vec<_>>>()?;

        let placeholders: Vec<Array> = parent_shapes.iter().map(|shape| self.placeholder(shape, None)).collect();
        let d = self.part_at(network, part, steps, &parents, &placeholders)?;
        let Some(family) = self.gaussian_family(d.dist) else { return Err(self.not_gaussian_member(network, part, &d)) };
        let y = self.full_mean(&d);
        let mut mean = |this: &mut Lowering<'m>, values: &[Array]| {
            let d = this.part_at(network, part, steps, &parents, values)?;
            Ok(this.full_mean(&d))
        };
        let mean = match self.affine_at(&placeholders, &y, &mut mean)? {
            Ok(mean) => mean,
            Err(found) => return Err(self.not_affine_member(network, part, &parents, &found)),
        };
        if let Some(at) = (0..parents.len()).find(|&at| self.leads_to(&placeholders[at], &d.params[1])) {
            return Err(self.spread_varies_member(network, part, parents[at]));
        }
        let covariance = self.covariance(&d, &family)?;
        let value = if latent { None } else { Some(self.part_target(network, part, &Position::All(steps), &|_, _| None)?) };
        Ok(LinearFactor { target, value, shape: d.shape, parents, parent_shapes, mean, covariance })
    }

    fn part_at(&mut self, network: &Network<'m>, part: &Part, steps: Steps, parents: &[Entry], values: &[Array]) -> Result<Distribution> {
        let latent = |var: VarId, lag: i64| parents.iter().position(|entry| *entry == (var, lag)).map(|at| values[at].clone());
        self.part_distribution(network, part, &Position::All(steps), &latent)
    }

    /// Numbers over plates of elements.
    pub(super) fn over_elements(&mut self, factor: &LinearFactor, elements: &[PlateId]) -> Result<LinearPart> {
        let own = |this: &mut Self, x: &Array| if this.shape(x).is_empty() { x.clone() } else { this.lift_onto(x, elements) };
        let mut coefficients = vec![];
        for coefficient in factor.mean.coefficients.iter().flatten() {
            let (Coefficient::Diagonal(array) | Coefficient::Matrix(array)) = coefficient;
            coefficients.push(own(self, array));
        }
        let (Covariance::Diagonal(std) | Covariance::Full(std)) = &factor.covariance;
        let std = own(self, std);
        Ok(LinearPart {
            target: factor.target,
            parents: factor.moving_parents(),
            value: factor.value.as_ref().map(|value| own(self, value)),
            coefficients,
            offset: own(self, &factor.mean.offset),
            noise: self.mul(&std, &std)?,
        })
    }

    /// Vectors and matrices.
    pub(super) fn as_matrices(&mut self, factor: &LinearFactor) -> Result<LinearPart> {
        let mut coefficients = vec![];
        for (coefficient, shape) in factor.mean.coefficients.iter().zip(&factor.parent_shapes) {
            match coefficient {
                Some(Coefficient::Diagonal(d)) => {
                    let d = self.vector(d, shape);
                    coefficients.push(self.diagonal_matrix(&d)?);
                }
                Some(Coefficient::Matrix(matrix)) => coefficients.push(matrix.clone()),
                None => {}
            }
        }
        let noise = match &factor.covariance {
            Covariance::Diagonal(std) => {
                let variance = self.mul(std, std)?;
                let variance = self.vector(&variance, &factor.shape);
                self.diagonal_matrix(&variance)?
            }
            Covariance::Full(cov) => cov.clone(),
        };
        Ok(LinearPart {
            target: factor.target,
            parents: factor.moving_parents(),
            value: factor.value.as_ref().map(|value| self.vector(value, &factor.shape)),
            coefficients,
            offset: self.vector(&factor.mean.offset, &factor.shape),
            noise,
        })
    }

    /// `p(z[t] | z[t-1])`
    pub(in crate::algebra) fn member_head(&self, density: &Density, factor: &MemberFactor) -> String {
        let name = |var: VarId, at: At| format!("{}[{}]", self.model.vars[var].name, self.model.member(factor, at));
        let target = factor.at.map_or_else(|| self.model.vars[factor.target].name.clone(), |at| name(factor.target, at));
        let given: Vec<String> = factor.members.iter().map(|m| name(m.var, m.at)).collect();
        let bar = if given.is_empty() { "" } else { " | " };
        format!("{}({target}{bar}{})", density.name, given.join(", "))
    }

    fn in_the_way(&self, network: &Network<'m>, part: &Part, reason: String, problem: Diagnostic) -> Diagnostic {
        let p = &network.density.name;
        let problem = problem.label(network.span, "asked for here").label(network.factor(part.factor).span, reason);
        problem.help(format!("give values to the latent members, or bound the density with `ELBO({p}, q)` after declaring a `q` of them"))
    }

    fn not_gaussian_member(&self, network: &Network<'m>, part: &Part, d: &Distribution) -> Diagnostic {
        let (head, family) = (self.member_head(network.density, network.factor(part.factor)), &self.model.dists[d.dist].name);
        let problem =
            Diagnostic::new(Code::NoRule, format!("no rule sums or integrates this chain: {head} is not Gaussian, it is {family}"));
        self.in_the_way(network, part, format!("{head} is {family}"), problem)
    }

    fn not_affine_member(&self, network: &Network<'m>, part: &Part, parents: &[Entry], found: &NotAffine) -> Diagnostic {
        let (through, place) = match self.call_around(&network.factor(part.factor).dist, found.span) {
            Some((name, span)) => (format!("`{name}`"), span),
            None => (found.operation.clone(), found.span),
        };
        let z = parents.get(found.variable).map_or("it", |(var, _)| self.model.vars[*var].name.as_str());
        let head = self.member_head(network.density, network.factor(part.factor));
        let message = format!("no rule integrates this chain: {head} is not linear-Gaussian in {z}, because it passes through {through}");
        let problem = Diagnostic::new(Code::NoRule, message).label(place, format!("not linear in {z}"));
        self.in_the_way(network, part, format!("the mean of {head}"), problem)
    }

    fn spread_varies_member(&self, network: &Network<'m>, part: &Part, parent: Entry) -> Diagnostic {
        let (head, z) = (self.member_head(network.density, network.factor(part.factor)), &self.model.vars[parent.0].name);
        let message = format!("no rule integrates this chain: the covariance of {head} depends on {z}");
        self.in_the_way(network, part, format!("depends on {z}"), Diagnostic::new(Code::NoRule, message))
    }
}

impl LinearFactor {
    /// The latent members on which the mean depends.
    fn moving_parents(&self) -> Vec<Entry> {
        let moving = self.parents.iter().zip(&self.mean.coefficients).filter(|(_, coefficient)| coefficient.is_some());
        moving.map(|(entry, _)| *entry).collect()
    }

    /// Whether element i of the target sees element i of each parent alone, all of one shape.
    pub fn is_elementwise(&self, shape: &[usize]) -> bool {
        let diagonal = |c: &Option<Coefficient>| matches!(c, None | Some(Coefficient::Diagonal(_)));
        self.shape == shape
            && self.parent_shapes.iter().all(|own| own == shape)
            && self.mean.coefficients.iter().all(diagonal)
            && matches!(self.covariance, Covariance::Diagonal(_))
    }
}
