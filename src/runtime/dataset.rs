//! The data that a model declares, read, checked against the declared types, and split.

use super::data::{self, Argument, Source, Split};
use crate::algebra::{RowCounts, tensor_type};
use crate::backend::{Precision, Tensor};
use crate::base::diagnostic::{At, Result};
use crate::base::{Code, Diagnostic, Id};
use crate::check::model::{self, Data, Model, VarId};
use crate::check::types::{ArrayType, Support, Type};
use std::collections::HashMap;
use std::path::Path;

#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// All rows of each observed variable
    pub tables: HashMap<VarId, Tensor>,
    pub counts: RowCounts,
    /// The rows to train on and those held out; the same for all variables
    pub split: Split,
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
        if !self.counts.is_empty() {
            return Err(Diagnostic::unsupported("a second `data` declaration")
                .help("one source may give several variables: `data (x : A, y : B) = …`"));
        }
        let arrays = read(declaration, folder, seed)?;
        if arrays.len() != declaration.vars.len() {
            let message = format!("the source gives {} arrays for {} variables", arrays.len(), declaration.vars.len());
            return Err(Diagnostic::new(Code::DataShape, message));
        }
        for (&var, array) in declaration.vars.iter().zip(arrays) {
            let Type::Array(ArrayType { support, .. }) = &model.vars[var].ty else {
                return Err(Diagnostic::internal("data of another type than an array"));
            };
            let ty = tensor_type(&model.vars[var].ty)?;
            data::conform(&array, &ty.shape, admitted(support)?).map_err(|e| e.at(model.vars[var].span))?;
            self.counts.entry(id).or_insert(array.rows());
            if self.counts[&id] != array.rows() {
                let message = format!("{} has {} rows, the variables before it {}", array.name, array.rows(), self.counts[&id]);
                return Err(Diagnostic::new(Code::DataShape, message));
            }
            self.tables.insert(var, array.into_tensor(ty.dtype, precision));
        }
        self.split = data::split(self.counts[&id], declaration.split)?;
        Ok(())
    }

    /// The rows that metrics are about: those held out, or all where none are.
    pub fn evaluation_rows(&self) -> &[u32] {
        if self.split.held_out.is_empty() { &self.split.train } else { &self.split.held_out }
    }
}

fn read(declaration: &Data, folder: &Path, seed: u32) -> Result<Vec<data::Array>> {
    match &declaration.source {
        model::Source::Values { shape, values, span } => {
            let array = data::Array::new("the list", shape.clone(), data::Values::Doubles(values.clone()));
            if array.rows() == 0 {
                return Err(Diagnostic::new(Code::DataEmpty, "the list has no rows").label(*span, "empty"));
            }
            Ok(vec![array])
        }
        model::Source::Named { name, args, field, span } => {
            let args: Vec<(Option<String>, Argument)> =
                args.iter().map(|(name, value)| Ok((name.clone(), argument(value)?))).collect::<Result<_>>().at(*span)?;
            let source = Source::call(name, &args, folder).at(*span)?;
            match (field, declaration.vars.len()) {
                (None, count) if count > 1 => source.load_fields(count, seed).at(*span),
                (field, _) => Ok(vec![source.load(field.as_deref(), seed).at(*span)?]),
            }
        }
    }
}

fn argument(value: &model::Argument) -> Result<Argument> {
    match value {
        model::Argument::Number(number) => Ok(Argument::Number(*number)),
        model::Argument::Text(text) => Ok(Argument::Text(text.clone())),
        model::Argument::List(items) => {
            let names = items.iter().map(|item| match item {
                model::Argument::Text(text) => Ok(text.clone()),
                model::Argument::Number(_) | model::Argument::List(_) => {
                    Err(Diagnostic::new(Code::TypeMismatch, "a list of names in quotes is needed here"))
                }
            });
            Ok(Argument::Names(names.collect::<Result<_>>()?))
        }
    }
}

/// The values that data of a support may hold.
fn admitted(support: &Support) -> Result<data::Support> {
    Ok(match support {
        Support::Real => data::Support::Real,
        Support::Positive => data::Support::Positive,
        Support::Unit => data::Support::Unit,
        Support::Bit => data::Support::Bit,
        Support::Spin => data::Support::Spin,
        Support::Int => data::Support::Int,
        Support::Bool => data::Support::Bool,
        Support::Simplex => data::Support::Simplex,
        Support::Cat(k) => data::Support::Cat(k.known().unwrap_or(0)),
        Support::Cov | Support::Ordered => return Err(Diagnostic::unsupported("data that are covariances or ordered vectors")),
    })
}
