//! The parameters of a model: their starting values, what they are called in files, and the values inside their supports.

use super::checkpoint::Checkpoint;
use super::dataset::Dataset;
use super::engine::{Compiled, Engine};
use crate::algebra::{self, InputRole, tensor_type};
use crate::backend::{Elements, Tensor};
use crate::base::diagnostic::{At, Result};
use crate::base::philox::philox4x32;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, ExprKind, Init, Model, ParamId};
use crate::graph::TensorType;
use std::collections::BTreeMap;

/// Unconstrained numbers of all parameters.
pub type Parameters = BTreeMap<ParamId, Tensor>;

/// Sites of the choice of rows, apart from those of a program's own draws.
const ROWS_SITE: u32 = 0x5A00_0000;

/// Starting values: drawn with the engine's seed, or rows of the data.
pub fn initial(model: &Model, dataset: &Dataset, engine: &Engine) -> Result<Parameters> {
    let (program, ids) = algebra::lower_init(model)?;
    let mut compiled = engine.compile(program, vec![])?;
    compiled.run()?;
    let mut parameters: Parameters = ids.into_iter().enumerate().map(|(i, id)| (id, compiled.plan.output(i).clone())).collect();
    for (id, param) in model.params.iter() {
        if let Init::Rows(var) = param.init {
            let table = dataset.tables.get(&var).ok_or_else(|| Diagnostic::internal("rows of what is not data")).at(param.span)?;
            parameters.insert(id, chosen_rows(&tensor_type(&param.ty)?, table, dataset, engine, id).at(param.span)?);
        }
    }
    Ok(parameters)
}

/// Distinct training rows, as many as the leading axis of the parameter.
fn chosen_rows(ty: &TensorType, table: &Tensor, dataset: &Dataset, engine: &Engine, id: ParamId) -> Result<Tensor> {
    let wanted = ty.shape.first().copied().unwrap_or(0);
    let mut rows = dataset.split.train.clone();
    if wanted > rows.len() || ty.shape.get(1..) != table.shape().get(1..) {
        let message = format!("rows({ty}) of data with {} training rows of shape {:?}", rows.len(), &table.shape()[1..]);
        return Err(Diagnostic::new(Code::DataShape, message));
    }
    for i in 0..wanted {
        let word = philox4x32([i as u32, 0, 0, 0], [engine.seed, ROWS_SITE.wrapping_add(id.index() as u32)])[0];
        let left = (rows.len() - i) as u64;
        rows.swap(i, i + ((u64::from(word) * left) >> 32) as usize);
    }
    let width: usize = ty.shape[1..].iter().product();
    let all = table.to_f64();
    let values = rows[..wanted].iter().flat_map(|&row| all[row as usize * width..][..width].iter().copied());
    Ok(Tensor::new(ty.clone(), engine.precision, values))
}

/// What `params.safetensors` holds: each parameter inside its support under its path; where that differs, the unconstrained numbers
/// beside it as `path.unconstrained`, from which the file is read back exactly.
pub fn to_checkpoint(model: &Model, parameters: &Parameters, engine: &Engine) -> Result<Checkpoint> {
    let mut checkpoint = Checkpoint::default();
    for (&id, raw) in parameters {
        let param = &model.params[id];
        if param.constraint.is_none() {
            checkpoint.tensors.insert(param.path.clone(), raw.clone());
            continue;
        }
        checkpoint.tensors.insert(format!("{}.unconstrained", param.path), raw.clone());
        checkpoint.tensors.insert(param.path.clone(), constrained(model, id, parameters, engine)?);
    }
    Ok(checkpoint)
}

/// A parameter inside its support.
pub fn constrained(model: &Model, id: ParamId, parameters: &Parameters, engine: &Engine) -> Result<Tensor> {
    let param = &model.params[id];
    let expr = Expr { kind: ExprKind::Param(id), ty: param.ty.clone(), span: param.span };
    let evaluated = algebra::lower_expression(model, &expr, &Default::default(), None)?;
    let mut compiled = engine.compile(evaluated.program, vec![])?;
    bind(&mut compiled, parameters);
    compiled.run()?;
    Ok(compiled.plan.output(0).clone())
}

/// # Errors
/// `Checkpoint` where a parameter is missing or of another shape, or the file holds parameters that the model does not have.
pub fn from_checkpoint(model: &Model, checkpoint: &Checkpoint, engine: &Engine) -> Result<Parameters> {
    let mut parameters = Parameters::new();
    for (id, param) in model.params.iter() {
        let name = if param.constraint.is_some() { format!("{}.unconstrained", param.path) } else { param.path.clone() };
        let tensor = checkpoint.tensor(&name, &tensor_type(&param.ty)?)?;
        parameters.insert(id, in_precision(tensor, engine));
    }
    let known = |name: &str| {
        let path = name.strip_suffix(".unconstrained").unwrap_or(name);
        model.params.values().any(|param| param.path == path)
    };
    match checkpoint.tensors.keys().find(|name| !known(name)) {
        Some(stranger) => {
            Err(Diagnostic::new(Code::Checkpoint, format!("the checkpoint holds `{stranger}`, which the file does not have"))
                .help("was it written by another version of the file?"))
        }
        None => Ok(parameters),
    }
}

/// The tensor as the engine's plans hold it.
pub fn in_precision(tensor: &Tensor, engine: &Engine) -> Tensor {
    let like = Tensor::zeros(TensorType::new(tensor.ty.dtype, []), engine.precision);
    let same = matches!(
        (&tensor.elements, &like.elements),
        (Elements::F32(_), Elements::F32(_))
            | (Elements::F64(_), Elements::F64(_))
            | (Elements::I32(_), Elements::I32(_))
            | (Elements::I64(_), Elements::I64(_))
    );
    if same { tensor.clone() } else { Tensor::new(tensor.ty.clone(), engine.precision, tensor.to_f64()) }
}

/// Binds all parameters that a plan reads.
pub fn bind(compiled: &mut Compiled, parameters: &Parameters) {
    for (index, role) in compiled.inputs.iter().enumerate() {
        if let InputRole::Param(id) = role
            && let Some(tensor) = parameters.get(id)
        {
            compiled.plan.set_input(index, tensor.clone());
        }
    }
}
