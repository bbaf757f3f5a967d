//! What a file gives of a bijector beside its forward map, as a graph to be compared with that map at random points.

use crate::algebra::leaves::tensor_type;
use crate::algebra::lowering::{Lowering, RowCounts, union};
use crate::algebra::program::Program;
use crate::algebra::value::{Array, PlateId};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::base::op::{DType, UnaryOp};
use crate::check::Support;
use crate::check::model::{Bijector, BijectorId, FunctionId, LocalId, Model, Noise};
use crate::check::types::Type;

/// Points at which a bijector is tried.
pub const POINTS: usize = 6;

/// Outputs, each with a leading axis of points: u, then inverse(forward(u)) if the inverse is given, then `log_det` and the Jacobian
/// matrix of the forward map if that is given.
pub struct Verification {
    pub program: Program,
    pub inverse: bool,
    pub log_det: bool,
    /// The number of elements of u
    pub count: usize,
}

/// `None` where nothing is given that could be wrong, or where an argument is of a type from which no points are drawn.
pub fn lower_verification(model: &Model, id: BijectorId) -> Result<Option<Verification>> {
    let bijector = &model.bijectors[id];
    let Bijector { forward: Some(forward), inverse, log_det, .. } = *bijector else { return Ok(None) };
    if inverse.is_none() && log_det.is_none() {
        return Ok(None);
    }
    let none = RowCounts::new();
    let mut lowering = Lowering::new(model, &none, None);
    let plate = lowering.plate(POINTS);
    lowering.scope.push(plate);
    let mut points = vec![];
    for &local in &model.functions[forward].params {
        match lowering.points(local)? {
            Some(array) => points.push(array),
            None => return Ok(None),
        }
    }
    let (u, rest) = points.split_first().ok_or_else(|| Diagnostic::internal("a bijector without argument"))?;
    let mut outputs = vec![u.clone()];
    if let Some(inverse) = inverse {
        let y = lowering.member(forward, u, rest)?;
        outputs.push(lowering.member(inverse, &y, rest)?);
    }
    if let Some(log_det) = log_det {
        outputs.push(lowering.member(log_det, u, rest)?);
        outputs.push(lowering.jacobian_of(forward, u, rest)?);
    }
    let nodes = outputs.iter().map(|array| lowering.by_point(array, plate)).collect::<Vec<_>>();
    let count = lowering.shape(u).iter().product();
    Ok(Some(Verification { program: lowering.close(&nodes)?, inverse: inverse.is_some(), log_det: log_det.is_some(), count }))
}

impl Lowering<'_> {
    /// Random values of the type of an argument.
    fn points(&mut self, local: LocalId) -> Result<Option<Array>> {
        let ty = &self.model.locals[local].ty;
        let shape = tensor_type(ty)?.shape;
        let Type::Array(array) = ty else { return Ok(None) };
        let noise = self.noise(Noise::Normal, &shape)?;
        Ok(match array.support {
            Support::Real => Some(noise),
            Support::Positive => Some(self.unary(UnaryOp::Exp, &noise)),
            Support::Unit => Some(self.unary(UnaryOp::Sigmoid, &noise)),
            Support::Bit | Support::Spin | Support::Int | Support::Bool | Support::Cat(_) => None,
            Support::Simplex | Support::Cov | Support::Ordered => None,
        })
    }

    fn by_point(&mut self, array: &Array, plate: PlateId) -> crate::graph::NodeId {
        let full = self.expanded(array, &[plate]);
        self.node(&full)
    }

    /// ∂yᵢ/∂uⱼ as a matrix, elements counted in row-major order.
    fn jacobian_of(&mut self, forward: FunctionId, u: &Array, rest: &[Array]) -> Result<Array> {
        let shape = self.shape(u);
        let count: usize = shape.iter().product();
        let outputs = self.plate(count);
        let plates = union([&u.plates[..], &[outputs]]);
        let fresh = self.expanded(u, &plates);
        let y = self.member(forward, &fresh, rest)?;
        let own = self.shape(&y);
        let identity: Vec<f64> = (0..count * count).map(|i| f64::from(u8::from(i / count == i % count))).collect();
        let chosen = self.b().literal(DType::Real, &[&[count], &own[..]].concat(), &identity);
        let chosen = self.array(chosen, vec![outputs]);
        let masked = self.mul(&y, &chosen)?;
        let (lifted, axes) = self.lift(&masked, own.len());
        let each = self.sum_over(&lifted, &axes);
        let rows = self.gradient_of_sum(&each, &fresh)?;
        let matrix = self.lower_plates(&rows, &[outputs]);
        let flat = [&self.sizes(&matrix.plates)[..], &[count, count]].concat();
        let node = self.node(&matrix);
        let node = self.b().reshape(node, &flat);
        Ok(self.array(node, matrix.plates))
    }
}
