//! How much probability a `dist` that a file declares gives to all of its values: its density over a grid.

use super::leaves::tensor_type;
use super::lowering::{Lowering, RowCounts};
use super::program::Program;
use super::value::{Array, Distribution};
use crate::base::diagnostic::Result;
use crate::check::Support;
use crate::check::model::{DistId, Model};
use crate::check::types::Type;

/// Intervals of the trapezoidal rule. Where a density jumps, it errs by about one value in a thousand.
const INTERVALS: i32 = 20_000;
/// Whole numbers are tried from minus this to this.
const COUNTS: i32 = 2_000;

/// The log-density at values all over its support, and the width that each stands for.
pub struct Mass {
    pub program: Program,
    pub widths: Vec<f64>,
}

/// `None` for distributions over arrays, or with a parameter for which no number is typical.
pub fn lower_mass(model: &Model, id: DistId) -> Result<Option<Mass>> {
    let dist = &model.dists[id];
    let Some((values, widths)) = scalar(&dist.event).and_then(grid) else { return Ok(None) };
    let none = RowCounts::new();
    let mut lowering = Lowering::new(model, &none, None);
    let mut params = vec![];
    for (i, &local) in dist.params.iter().enumerate() {
        match scalar(&model.locals[local].ty).and_then(|support| lowering.typical(support, i as f64)) {
            Some(value) => params.push(value),
            None => return Ok(None),
        }
    }
    let plate = lowering.plate(values.len());
    lowering.scope.push(plate);
    let dtype = tensor_type(&dist.event)?.dtype;
    let node = lowering.b().literal(dtype, &[values.len()], &values);
    let x = lowering.array(node, vec![plate]);
    let log = lowering.log_prob(&Distribution { dist: id, params, shape: vec![] }, &x)?;
    let log = lowering.expanded(&log, &[plate]);
    let node = lowering.node(&log);
    Ok(Some(Mass { program: lowering.close(&[node])?, widths }))
}

fn scalar(ty: &Type) -> Option<&Support> {
    match ty {
        Type::Array(array) if array.shape.is_empty() => Some(&array.support),
        _ => None,
    }
}

/// Values of a support and their widths; continuous ones by a substitution that reaches far into both tails.
fn grid(support: &Support) -> Option<(Vec<f64>, Vec<f64>)> {
    let each = |values: Vec<f64>| {
        let widths = vec![1.0; values.len()];
        Some((values, widths))
    };
    let substituted = |low: f64, high: f64, value: fn(f64) -> (f64, f64)| {
        let step = (high - low) / f64::from(INTERVALS);
        Some((0..=INTERVALS).map(|i| value(low + f64::from(i) * step)).map(|(x, slope)| (x, slope * step)).unzip())
    };
    match support {
        Support::Real => substituted(-12.0, 12.0, |u| (u.sinh(), u.cosh())),
        Support::Positive => substituted(-30.0, 12.0, |u| (u.exp(), u.exp())),
        Support::Unit => substituted(-30.0, 30.0, |u| (1.0 / (1.0 + (-u).exp()), 1.0 / (2.0 + u.exp() + (-u).exp()))),
        Support::Int => each((-COUNTS..=COUNTS).map(f64::from).collect()),
        Support::Bit => each(vec![0.0, 1.0]),
        Support::Spin => each(vec![-1.0, 1.0]),
        Support::Cat(_) | Support::Bool | Support::Simplex | Support::Cov | Support::Ordered => None,
    }
}

impl Lowering<'_> {
    /// A number of a parameter's type; later parameters are greater, so that low < high.
    fn typical(&mut self, support: &Support, position: f64) -> Option<Array> {
        match support {
            Support::Real => Some(self.real(0.4 + 1.3 * position)),
            Support::Positive => Some(self.real(1.3 + 0.4 * position)),
            Support::Unit => Some(self.real(0.3)),
            Support::Int => Some(self.int(4 + 5 * position as i64)),
            Support::Bit | Support::Spin | Support::Bool | Support::Cat(_) | Support::Simplex | Support::Cov | Support::Ordered => None,
        }
    }
}
