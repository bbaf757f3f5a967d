//! Distributions as values: log-densities, draws, members, closed forms between them.
//!
//! A distribution is declared over one event; used over more axes it is the product over them. Those axes become plates before a
//! member of the declaration is called, so a declaration never speaks of them.

use super::leaves::tensor_type;
use super::lowering::Lowering;
use super::value::{Array, Distribution, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{DType, UnaryOp};
use crate::base::{Code, Diagnostic, Span};
use crate::check::Support;
use crate::check::model::{Dist, DistId, Expr, FunctionId, RuleKind};
use crate::check::types::Type;

impl Lowering<'_> {
    /// `Normal(mean, std)`, of a type that says over which axes it is repeated.
    pub(super) fn distribution(&mut self, dist: DistId, args: &[Expr], ty: &Type) -> Result<Distribution> {
        let Type::Distribution(of) = ty else { return Err(Diagnostic::internal("a distribution of another type")) };
        let params = args.iter().map(|arg| self.eval_array(arg)).collect::<Result<Vec<_>>>()?;
        let shape = match (&**of, &self.model.dists[dist].event) {
            // Of a tuple, the axes that its members have in front of those of the event
            (Type::Tuple(of), Type::Tuple(event)) => {
                let (Some(of), Some(event)) = (of.first(), event.first()) else { return Err(Diagnostic::internal("an empty tuple")) };
                let (mut shape, event) = (tensor_type(of)?.shape, tensor_type(event)?.rank());
                shape.truncate(shape.len() - event);
                shape
            }
            (of, _) => tensor_type(of)?.shape,
        };
        Ok(Distribution { dist, params, shape })
    }

    pub(super) fn event_rank(&self, dist: &Dist) -> Result<usize> {
        match &dist.event {
            Type::Tuple(_) => Ok(0),
            event => Ok(tensor_type(event)?.rank()),
        }
    }

    /// Fresh plates for the axes over which a distribution is repeated, and its parameters over them.
    pub(super) fn lift_params(&mut self, d: &Distribution) -> Result<(Vec<Value>, Vec<PlateId>)> {
        let dist = &self.model.dists[d.dist];
        let lifted_axes = d.shape.len() - self.event_rank(dist)?;
        let plates: Vec<PlateId> = d.shape[..lifted_axes].iter().map(|&size| self.plate(size)).collect();
        Ok((self.lift_params_onto(d, &plates)?, plates))
    }

    pub(super) fn lift_params_onto(&mut self, d: &Distribution, plates: &[PlateId]) -> Result<Vec<Value>> {
        let locals = &self.model.dists[d.dist].params;
        let lift = |(param, &local): (&Array, _)| {
            let own = tensor_type(&self.model.locals[local].ty)?.rank();
            let lifted = self.shape(param).len() > own;
            Ok(Value::Array(if lifted { self.lift_onto(param, plates) } else { param.clone() }))
        };
        d.params.iter().zip(locals).map(lift).collect()
    }

    /// The log-density of a value: the sum over the repeated axes.
    pub(super) fn log_prob(&mut self, d: &Distribution, x: &Array) -> Result<Array> {
        let dist = &self.model.dists[d.dist];
        let (function, event) = (dist.log_prob, self.event_rank(dist)?);
        let dtype = tensor_type(&dist.event)?.dtype;
        let (params, plates) = self.lift_params(d)?;
        let x = self.cast(x, dtype);
        let x = if self.shape(&x).len() > event { self.lift_onto(&x, &plates) } else { x };
        let args = std::iter::once(Value::Array(x)).chain(params).collect();
        let value = self.call(function, args)?.array()?;
        Ok(self.sum_over(&value, &plates))
    }

    /// The log-density of a value of several parts.
    pub(super) fn log_prob_of_tuple(&mut self, d: &Distribution, parts: Vec<Array>) -> Result<Array> {
        let (params, plates) = self.lift_params(d)?;
        let parts = parts.iter().map(|part| Value::Array(self.lift_onto(part, &plates))).collect();
        let args = std::iter::once(Value::Tuple(parts)).chain(params).collect();
        let value = self.call(self.model.dists[d.dist].log_prob, args)?.array()?;
        Ok(self.sum_over(&value, &plates))
    }

    pub(super) fn draw(&mut self, d: &Distribution) -> Result<Array> {
        let dist = &self.model.dists[d.dist];
        let Some(function) = dist.draw else {
            let message = format!("{} declares no `draw`", dist.name);
            return Err(Diagnostic::new(Code::NoRule, message).help("draw from another distribution, or declare `draw = …` in it"));
        };
        let dtype = tensor_type(&dist.event)?.dtype;
        let value = self.over_lifted(d, function)?;
        Ok(self.cast(&value, dtype))
    }

    /// A function of the parameters, computed over the repeated axes.
    fn over_lifted(&mut self, d: &Distribution, function: FunctionId) -> Result<Array> {
        let (params, plates) = self.lift_params(d)?;
        self.scope.extend(&plates);
        let value = self.call(function, params);
        self.scope.truncate(self.scope.len() - plates.len());
        let value = value?.array()?;
        Ok(self.lower_plates(&value, &plates))
    }

    /// `.mean`, `.std`, …, or a parameter by its name.
    pub(super) fn dist_member(&mut self, d: &Distribution, member: &str) -> Result<Array> {
        let dist = &self.model.dists[d.dist];
        if let Some(&function) = dist.members.get(member) {
            return self.over_lifted(d, function);
        }
        let named = dist.params.iter().position(|&local| self.model.locals[local].name == member);
        match named {
            Some(i) => {
                let (params, plates) = self.lift_params(d)?;
                let param = params[i].clone().array()?;
                Ok(self.lower_plates(&param, &plates))
            }
            None => match self.with_full_covariance(d)? {
                Some(full) if member == "cov" => Ok(full.params[1].clone()),
                _ => Err(Diagnostic::new(Code::UnknownArgument, format!("{} has no `{member}`", dist.name))),
            },
        }
    }

    /// A closed form from a `rule` declaration or, of an entropy, from the member of that name: summed over the repeated axes.
    pub(super) fn closed_form(&mut self, kind: RuleKind, ds: &[&Distribution]) -> Result<Option<Array>> {
        match (self.by_rule(kind, ds)?, kind) {
            // KL(a ‖ b) = −E log b − H(a)
            (None, RuleKind::Kl) => match (self.by_rule(RuleKind::CrossEntropy, ds)?, self.by_rule(RuleKind::Entropy, &ds[..1])?) {
                (Some(cross), Some(entropy)) => self.sub(&cross, &entropy).map(Some),
                _ => Ok(None),
            },
            (found, _) => Ok(found),
        }
    }

    fn by_rule(&mut self, kind: RuleKind, ds: &[&Distribution]) -> Result<Option<Array>> {
        let ids: Vec<DistId> = ds.iter().map(|d| d.dist).collect();
        let rule = self.model.rules.iter().find(|rule| rule.kind == kind && rule.dists == ids).map(|rule| rule.function);
        let member = || match kind {
            RuleKind::Entropy => self.model.dists[ids[0]].members.get("entropy").copied(),
            RuleKind::Kl | RuleKind::CrossEntropy | RuleKind::MaximumLikelihood => None,
        };
        let Some(function) = rule.or_else(member) else { return Ok(None) };
        if ds.iter().any(|d| d.shape != ds[0].shape) {
            return Ok(None);
        }
        // All of them share the plates of the first.
        let (mut params, plates) = self.lift_params(ds[0])?;
        for d in &ds[1..] {
            params.extend(self.lift_params_onto(d, &plates)?);
        }
        let value = self.call(function, params)?.array()?;
        Ok(Some(self.sum_over(&value, &plates)))
    }

    /// KL(a || b): in closed form where a rule has one, otherwise the mean of log a(x) − log b(x) over the values x of a finite a, or
    /// at one draw.
    pub(super) fn divergence_of(&mut self, a: &Distribution, b: &Distribution, span: Span) -> Result<Array> {
        let names = format!("KL({} || {})", self.model.dists[a.dist].name, self.model.dists[b.dist].name);
        let (a, b) = &self.of_one_family(a, b)?;
        if let Some(closed) = self.closed_form(RuleKind::Kl, &[a, b])? {
            self.note(span, format!("{names}: closed form"));
            return Ok(closed);
        }
        self.with_draw(a, &names, span, |this, x| {
            let (p, q) = (this.log_prob(a, x)?, this.log_prob(b, x)?);
            this.sub(&p, &q)
        })
    }

    pub(super) fn entropy(&mut self, a: &Distribution, span: Span) -> Result<Array> {
        let name = format!("H({})", self.model.dists[a.dist].name);
        if let Some(closed) = self.closed_form(RuleKind::Entropy, &[a])? {
            self.note(span, format!("{name}: closed form"));
            return Ok(closed);
        }
        self.with_draw(a, &name, span, |this, x| {
            let log = this.log_prob(a, x)?;
            Ok(this.unary(UnaryOp::Neg, &log))
        })
    }

    /// All values of a distribution over a small finite support, along a fresh plate.
    pub(super) fn enumerate(&mut self, d: &Distribution) -> Result<Option<(Array, PlateId)>> {
        match &self.model.dists[d.dist].event {
            Type::Array(event) if event.shape.is_empty() => self.all_values(&event.support, &d.shape),
            Type::Array(_) | Type::Tuple(_) | Type::Distribution(_) | Type::Error => Ok(None),
        }
    }

    /// All arrays of a shape over a small finite support, along a fresh plate.
    pub(super) fn all_values(&mut self, support: &Support, shape: &[usize]) -> Result<Option<(Array, PlateId)>> {
        let Some(values) = finite_support(support) else { return Ok(None) };
        let sites: usize = shape.iter().product();
        let count = (values.len() as f64).powi(sites as i32);
        if count > MOST_ENUMERATED as f64 {
            return Ok(None);
        }
        let count = count as usize;
        let dtype = tensor_type(&Type::scalar(support.clone()))?.dtype;
        let digit = |row: usize, site: usize| values[row / values.len().pow((sites - 1 - site) as u32) % values.len()];
        let table: Vec<f64> = (0..count).flat_map(|row| (0..sites).map(move |site| (row, site))).map(|(r, s)| digit(r, s)).collect();
        let plate = self.plate(count);
        let counts_up = dtype == DType::Int && shape.is_empty();
        let node = if counts_up { self.b().iota(count) } else { self.b().literal(dtype, &[&[count], shape].concat(), &table) };
        Ok(Some((self.array(node, vec![plate]), plate)))
    }
}

/// Supports of more values than this are sampled, not enumerated.
const MOST_ENUMERATED: usize = 1024;

/// The values of one number of a finite support.
pub(super) fn finite_support(support: &Support) -> Option<Vec<f64>> {
    match support {
        Support::Bit | Support::Bool => Some(vec![0.0, 1.0]),
        Support::Spin => Some(vec![-1.0, 1.0]),
        Support::Cat(k) => k.known().map(|k| (0..k).map(|v| v as f64).collect()),
        Support::Real | Support::Positive | Support::Unit | Support::Int | Support::Simplex | Support::Cov | Support::Ordered => None,
    }
}
