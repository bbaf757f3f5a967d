//! What a factor leaves while a log-density is lowered, for the M-step.

use super::super::gaussian::system::Moments;
use super::super::leaves::tensor_type;
use super::super::lowering::{IndexPlate, Lowering, union};
use super::super::value::{Array, Distribution, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::{Diagnostic, Span};
use crate::check::model::{DensityId, Expr, Factor, LocalId, ParamId, Place, VarId};
use crate::graph::Op;
use std::collections::HashMap;

/// What is declared of a factor.
#[derive(Clone)]
pub struct RecordedFactor<'m> {
    pub dist: &'m Expr,
    pub span: Span,
    /// The variables that it relates, its target first
    pub vars: Vec<VarId>,
    /// Where it is no factor of members of a chain
    pub of_rows: Option<(DensityId, &'m Factor)>,
}

/// A factor of a log-density, with the values that its names had.
#[derive(Clone)]
pub struct Record<'m> {
    pub factor: RecordedFactor<'m>,
    pub distribution: Distribution,
    pub names: Names,
    /// The value of the factor's variable
    pub value: Array,
    /// The log-density of the value, as a node of its own; of a block of factors, that of its observations
    pub log: Array,
    /// Along which a Gaussian latent variable takes the points of a cubature rule
    pub points: Option<PlateId>,
}

/// What the names in a factor stood for.
#[derive(Clone)]
pub struct Names {
    vars: HashMap<VarId, Array>,
    locals: Vec<(LocalId, Value)>,
    index: Option<(LocalId, IndexPlate)>,
}

impl<'m> Lowering<'m> {
    /// The log-density of a factor, which is recorded where an estimate is being made.
    pub(in crate::algebra) fn recorded(
        &mut self,
        density: DensityId,
        factor: &'m Factor,
        distribution: &Distribution,
        value: &Array,
        log: Array,
    ) -> Array {
        if self.records.is_none() || self.frozen || self.model.densities[density].frozen {
            return log;
        }
        self.recorded_member(RecordedFactor::of_rows(density, factor), vec![], None, distribution, value, log)
    }

    /// The same of a factor whose members and index are names.
    pub(in crate::algebra) fn recorded_member(
        &mut self,
        factor: RecordedFactor<'m>,
        locals: Vec<(LocalId, Value)>,
        index: Option<(LocalId, IndexPlate)>,
        distribution: &Distribution,
        value: &Array,
        log: Array,
    ) -> Array {
        let log = self.of_its_own(&log);
        let names = Names { vars: self.vars.clone(), locals, index };
        let (distribution, value) = (distribution.clone(), value.clone());
        let record = Record { factor, distribution, names, value, log: log.clone(), points: None };
        self.records.iter_mut().for_each(|records| records.push(record.clone()));
        log
    }

    /// The log-density of a linear-Gaussian block. Each of its factors is recorded with the latent variable at the points of a cubature
    /// rule under its posterior, which is exact for the quadratic functions of it that an M-step needs.
    pub(in crate::algebra) fn recorded_block(
        &mut self,
        density: DensityId,
        factors: &[&'m Factor],
        log: Array,
        latent: impl FnOnce(&mut Self) -> Result<Option<(VarId, Moments)>>,
    ) -> Result<Array> {
        if self.records.is_none() || self.frozen || self.model.densities[density].frozen {
            return Ok(log);
        }
        let log = self.of_its_own(&log);
        let records = self.records.take();
        let Some((latent, moments)) = latent(self)? else {
            self.records = records;
            return Ok(log);
        };
        let (points, plate) = self.cubature(latent, &moments)?;
        let old = self.bind(Place::Var(latent), points);
        let found = factors.iter().map(|factor| {
            let distribution = self.factor_distribution(density, factor)?;
            let [target] = factor.targets[..] else { return Err(Diagnostic::internal("a factor of several variables")) };
            let value = self.variable(target)?;
            let names = Names { vars: self.vars.clone(), locals: vec![], index: None };
            let factor = RecordedFactor::of_rows(density, factor);
            Ok(Record { factor, distribution, names, value, log: log.clone(), points: Some(plate) })
        });
        let found = found.collect::<Result<Vec<_>>>();
        self.restore(Place::Var(latent), old);
        self.records = records;
        let found = found?;
        self.records.iter_mut().for_each(|records| records.extend(found.clone()));
        Ok(log)
    }

    /// With the names of a factor meaning what they meant when it was recorded, and parameters having these values.
    pub(super) fn replayed<T>(
        &mut self,
        record: &Record<'m>,
        params: &[(ParamId, Array)],
        f: impl FnOnce(&mut Self, &Record<'m>) -> Result<T>,
    ) -> Result<T> {
        let Names { vars, locals, index } = record.names.clone();
        let vars = std::mem::replace(&mut self.vars, vars);
        let locals: Vec<_> = locals.into_iter().map(|(local, value)| (local, self.locals.insert(local, value))).collect();
        self.indices.extend(index);
        let old: Vec<_> = params.iter().map(|(id, value)| (*id, self.bind(Place::Param(*id), value.clone()))).collect();
        let result = f(self, record);
        old.into_iter().rev().for_each(|(id, value)| self.restore(Place::Param(id), value));
        if let Some((local, _)) = index {
            self.indices.remove(&local);
        }
        locals.into_iter().rev().for_each(|(local, value)| self.restore(Place::Local(local), value));
        self.vars = vars;
        result
    }

    /// The distribution of a record under the names and parameters that are in force.
    pub(super) fn distribution_of(&mut self, record: &Record<'m>) -> Result<Distribution> {
        self.eval(record.factor.dist)?.distribution()
    }

    /// The same value as a node that nothing else is.
    pub(in crate::algebra) fn of_its_own(&mut self, x: &Array) -> Array {
        let node = self.node(x);
        let node = self.b().distinct(node);
        self.array(node, x.plates.clone())
    }

    /// The 2n points m ± √n c, where c runs over the columns of the Cholesky factor of the covariance: the mean over them is that under
    /// the normal distribution, for polynomials up to the third degree (Arasaratnam, Haykin: Cubature Kalman filters, 2009, section IV).
    fn cubature(&mut self, latent: VarId, moments: &Moments) -> Result<(Array, PlateId)> {
        let shape = tensor_type(&self.model.vars[latent].ty)?.shape;
        let n: usize = shape.iter().product();
        let plates = union([&moments.mean.plates[..], &moments.cov.plates[..]]);
        let cov = self.stop(&moments.cov);
        let cov = self.expanded(&cov, &plates);
        let root = self.b().push(Op::Cholesky, &[cov.node]);
        let root = self.array(root, plates.clone());
        let columns = self.transpose_last(&root);
        let scale = self.real((n as f64).sqrt());
        let up = self.mul(&columns, &scale)?;
        let scale = self.real(-(n as f64).sqrt());
        let down = self.mul(&columns, &scale)?;
        let axis = plates.len();
        let both = self.b().join(&[up.node, down.node], axis);
        let both = self.array(both, plates);
        let (offsets, plate) = self.lift(&both, 1);
        let mean = self.stop(&moments.mean);
        let points = self.add(&mean, &offsets)?;
        let full = [&self.sizes(&points.plates)[..], &shape].concat();
        let node = self.b().reshape(points.node, &full);
        Ok((self.array(node, points.plates), plate[0]))
    }

    /// The weights of a record's cells, along the points of its cubature rule too.
    pub(super) fn spread_over_points(&mut self, record: &Record<'m>, weight: &Array) -> Result<Array> {
        let Some(plate) = record.points else { return Ok(weight.clone()) };
        let share = self.real(1.0 / self.sizes(&[plate])[0] as f64);
        let weight = self.mul(weight, &share)?;
        let plates = union([&weight.plates[..], &[plate]]);
        Ok(self.expanded(&weight, &plates))
    }
}

impl<'m> RecordedFactor<'m> {
    fn of_rows(density: DensityId, factor: &'m Factor) -> RecordedFactor<'m> {
        let vars = factor.targets.iter().chain(&factor.given).copied().collect();
        RecordedFactor { dist: &factor.dist, span: factor.span, vars, of_rows: Some((density, factor)) }
    }
}
