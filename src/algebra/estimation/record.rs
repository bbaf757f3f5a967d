//! What a factor leaves while a log-density is lowered, for the M-step.

use super::super::gaussian::system::Moments;
use super::super::leaves::tensor_type;
use super::super::lowering::{Lowering, union};
use super::super::value::{Array, Distribution, PlateId};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{DensityId, Factor, Place, VarId};
use crate::graph::Op;
use std::collections::HashMap;

/// A factor of a log-density, with the values that its variables had.
#[derive(Clone)]
pub struct Record<'m> {
    pub density: DensityId,
    pub factor: &'m Factor,
    pub distribution: Distribution,
    pub vars: HashMap<VarId, Array>,
    /// The value of the factor's variable
    pub value: Array,
    /// The log-density of the value, as a node of its own; of a block of factors, that of its observations
    pub log: Array,
    /// Along which a Gaussian latent variable takes the points of a cubature rule
    pub points: Option<PlateId>,
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
        let log = self.of_its_own(&log);
        let (distribution, value, vars) = (distribution.clone(), value.clone(), self.vars.clone());
        let record = Record { density, factor, distribution, vars, value, log: log.clone(), points: None };
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
            let (value, vars) = (self.variable(target)?, self.vars.clone());
            Ok(Record { density, factor, distribution, vars, value, log: log.clone(), points: Some(plate) })
        });
        let found = found.collect::<Result<Vec<_>>>();
        self.restore(Place::Var(latent), old.map(Into::into));
        self.records = records;
        let found = found?;
        self.records.iter_mut().for_each(|records| records.extend(found.clone()));
        Ok(log)
    }

    fn of_its_own(&mut self, x: &Array) -> Array {
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
