//! The data that a model declares, read, checked against the declared types, and split.

use super::data::{self, Split};
use crate::algebra::{RowCount, RowCounts, tensor_type};
use crate::backend::{Precision, Tensor};
use crate::base::diagnostic::{At, Result};
use crate::base::{Code, Diagnostic, Id};
use crate::check::model::{Data, Model, Source, VarId};
use crate::check::types::Type;
use crate::graph::TensorType;
use std::collections::HashMap;
use std::path::Path;

#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// All rows of each observed variable, or the one object that it is
    pub tables: HashMap<VarId, Tensor>,
    pub counts: RowCounts,
    /// The rows of the first source to train on and those held out; the same for all its variables
    pub split: Split,
    /// The rows to train on of each source, where it holds others out
    pub training_rows: HashMap<Id<Data>, Tensor>,
}

impl Dataset {
    /// Reads all `data` of a model. `folder`: where paths in the file start from.
    pub fn load(model: &Model, folder: &Path, seed: u32, precision: Precision) -> Result<Dataset> {
        let mut dataset = Dataset::default();
        for (id, declaration) in model.data.iter() {
            dataset.add(model, id, declaration, folder, seed, precision).at(declaration.span)?;
        }
        Ok(dataset)
    }

    fn add(&mut self, model: &Model, id: Id<Data>, declaration: &Data, folder: &Path, seed: u32, precision: Precision) -> Result<()> {
        let arrays = read(model, declaration, folder, seed)?;
        let mut rows = None;
        for (&var, mut array) in declaration.vars.iter().zip(arrays) {
            // One object is checked as the only row.
            if declaration.object {
                array.shape.insert(0, 1);
            }
            let Type::Array(declared) = &model.vars[var].ty else {
                return Err(Diagnostic::internal("data of another type than an array"));
            };
            let ty = tensor_type(&model.vars[var].ty)?;
            // One series of a chain is one row.
            if model.vars[var].members().is_some() && array.shape.len() == declared.shape.len() {
                array.shape.insert(0, 1);
            }
            let array = array.flattened(&ty.shape);
            data::conform(&array, declared).at(model.vars[var].span)?;
            let before = *rows.get_or_insert(array.rows());
            if before != array.rows() {
                let message = format!("{} has {} rows, the variables before it {before}", array.name, array.rows());
                return Err(Diagnostic::new(Code::DataShape, message));
            }
            let tensor = array.into_tensor(ty.dtype, precision);
            self.tables.insert(var, if declaration.object { Tensor { ty, ..tensor } } else { tensor });
        }
        match rows {
            Some(rows) if !declaration.object => self.divide(id, declaration, rows, precision),
            _ => Ok(()),
        }
    }

    /// Holds rows of a source out.
    fn divide(&mut self, id: Id<Data>, declaration: &Data, rows: usize, precision: Precision) -> Result<()> {
        let split = data::split(rows, declaration.split)?;
        let first = self.counts.is_empty();
        self.counts.insert(id, RowCount { all: rows, train: split.train.len() });
        if !split.held_out.is_empty() {
            let numbers = split.train.iter().map(|&row| f64::from(row));
            self.training_rows.insert(id, Tensor::new(TensorType::int([split.train.len()]), precision, numbers));
        }
        if first {
            self.split = split;
        }
        Ok(())
    }

    /// The rows that metrics are about: those held out, or all where none are.
    pub fn evaluation_rows(&self) -> &[u32] {
        if self.split.held_out.is_empty() { &self.split.train } else { &self.split.held_out }
    }
}

/// One array for each variable: of a built-in source its features and its labels, of any other the columns in order.
fn read(model: &Model, declaration: &Data, folder: &Path, seed: u32) -> Result<Vec<data::Array>> {
    let source = &declaration.source;
    if declaration.vars.len() == 1 {
        return Ok(vec![data::load(source, folder, seed)?]);
    }
    if let Source::Named { name, args, field: _, span } = source
        && ["digits", "mnist", "iris"].contains(&name.as_str())
        && declaration.vars.len() == 2
    {
        let labels = Source::Named { name: name.clone(), args: args.clone(), field: Some("labels".into()), span: *span };
        return Ok(vec![data::load(source, folder, seed)?, data::load(&labels, folder, seed)?]);
    }
    let types = declaration.vars.iter().map(|&var| tensor_type(&model.vars[var].ty)).collect::<Result<Vec<_>>>()?;
    columns(data::load(source, folder, seed)?, &types)
}

/// Neighbouring columns of a table, shaped as the types say.
fn columns(table: data::Array, types: &[TensorType]) -> Result<Vec<data::Array>> {
    let wanted: usize = types.iter().map(TensorType::len).sum();
    let [rows, width] = table.shape[..] else {
        return Err(Diagnostic::new(Code::DataShape, format!("{} is not a table of rows and columns", table.name)));
    };
    if width != wanted {
        let message = format!("{} has {width} columns, the declared variables {wanted}", table.name);
        return Err(Diagnostic::new(Code::DataShape, message).help("declare one type for each part, in the order of the columns"));
    }
    let mut first = 0;
    let part = |ty: &TensorType| {
        let own = first..first + ty.len();
        first = own.end;
        let places = (0..rows).flat_map(|row| own.clone().map(move |column| row * width + column));
        data::Array::new(table.name.clone(), [&[rows], &ty.shape[..]].concat(), table.values.gather(places))
    };
    Ok(types.iter().map(part).collect())
}
