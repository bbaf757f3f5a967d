//! What an observed variable stands for: its value in the rows that a run sees; or, in a query about a global variable, its values in
//! all rows to train on, along a plate of their own; or the one object that the data is.

use super::leaves::tensor_type;
use super::lowering::{InputRole, Lowering};
use super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, UnaryOp};
use crate::base::{Diagnostic, Id};
use crate::check::model::{Data, Noise, VarId};
use crate::graph::{NodeId, TensorType};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct ObservedData {
    /// In a query about a global variable: data means all rows to train on
    pub whole: bool,
    /// The rows of this run are independent draws, not rows of the data
    pub draws: bool,
    /// The plate of all rows to train on, of each source that was asked for them
    plates: HashMap<Id<Data>, PlateId>,
    tables: HashMap<VarId, NodeId>,
    /// Values by whether they are those of all rows
    known: HashMap<(VarId, bool), Array>,
}

impl Lowering<'_> {
    /// The value of a variable that `data` observes.
    pub(super) fn observed(&mut self, id: VarId, data: Id<Data>) -> Result<Array> {
        let whole = self.data.whole;
        if let Some(array) = self.data.known.get(&(id, whole)) {
            return Ok(array.clone());
        }
        let array = match self.row_counts.get(&data).copied() {
            _ if self.model.data[data].object => {
                let table = self.table(id, None)?;
                self.root_array(table, vec![])
            }
            Some(count) if whole => {
                let table = self.table(id, Some(count.all))?;
                let plate = self.whole_plate(data);
                let node = match count.train < count.all {
                    true => {
                        let chosen = self.training_rows(data, count.train);
                        self.frames.root().gather(table, chosen, 0)
                    }
                    false => table,
                };
                self.root_array(node, vec![plate])
            }
            _ => self.some_rows(id, data)?,
        };
        self.data.known.insert((id, whole), array.clone());
        Ok(array)
    }

    /// In the rows that this run sees.
    fn some_rows(&mut self, id: VarId, data: Id<Data>) -> Result<Array> {
        self.touched_data = true;
        let name = &self.model.vars[id].name;
        let Some(rows) = self.rows else {
            return Err(Diagnostic::internal(format!("{name} is data and no rows are given")));
        };
        if let Some(first) = self.row_counts.keys().min().filter(|first| **first != data) {
            let others = self.names(&self.model.data[*first].vars);
            return Err(Diagnostic::unsupported(format!("row by row, data beside the first source: {name} beside {others}")).help(
                "ask for all rows at once, as queries about a `global` variable do, or declare one source: `data (x : A, y : B) = …`",
            ));
        }
        let table = self.table(id, Some(self.row_counts.get(&data).map_or(0, |count| count.all)))?;
        let chosen = self.rows_node().ok_or_else(|| Diagnostic::internal("no row numbers"))?;
        let node = self.frames.root().gather(table, chosen, 0);
        Ok(self.root_array(node, vec![rows]))
    }

    /// One of the rows to train on, drawn anew in every cell of the plates.
    pub(super) fn drawn_row(&mut self, id: VarId) -> Result<Array> {
        let var = &self.model.vars[id];
        let data = var.observed.ok_or_else(|| Diagnostic::internal(format!("{} is not data", var.name)))?;
        let Some(count) = self.row_counts.get(&data).copied() else { return self.observed(id, data) };
        let table = self.table(id, Some(count.all))?;
        let (part, rows) = (self.noise(Noise::Uniform, &[])?, self.real(count.train as f64));
        let place = self.mul(&part, &rows)?;
        let (place, last) = (self.unary(UnaryOp::Floor, &place), self.real(count.train.saturating_sub(1) as f64));
        let place = self.binary(BinaryOp::Min, &place, &last)?;
        let place = self.cast(&place, DType::Int);
        let mut chosen = self.node(&place);
        if count.train < count.all {
            let training = self.training_rows(data, count.train);
            let training = self.frames.node(0, training);
            chosen = self.b().gather(training, chosen, 0);
        }
        let table = self.frames.node(0, table);
        let node = self.b().gather(table, chosen, 0);
        Ok(self.array(node, place.plates))
    }

    /// All that is observed of a variable: `rows` values, or one object.
    fn table(&mut self, id: VarId, rows: Option<usize>) -> Result<NodeId> {
        if let Some(&table) = self.data.tables.get(&id) {
            return Ok(table);
        }
        let var = &self.model.vars[id];
        let one = tensor_type(&var.ty)?;
        let leading: Vec<usize> = rows.into_iter().collect();
        let table = self.root_input(InputRole::Data(id), &var.name, TensorType::new(one.dtype, [leading, one.shape].concat()));
        self.data.tables.insert(id, table);
        Ok(table)
    }

    fn training_rows(&mut self, data: Id<Data>, count: usize) -> NodeId {
        let role = InputRole::TrainingRows(data);
        let known = self.inputs.iter().position(|input| *input == role).and_then(|at| self.input_node(at));
        known.unwrap_or_else(|| self.root_input(role, "training rows", TensorType::int([count])))
    }

    fn whole_plate(&mut self, data: Id<Data>) -> PlateId {
        if let Some(&plate) = self.data.plates.get(&data) {
            return plate;
        }
        let plate = self.plate(self.row_counts.get(&data).map_or(0, |count| count.train));
        self.data.plates.insert(data, plate);
        plate
    }

    /// The plates of all rows to train on, as far as they are in use.
    pub(super) fn whole_plates(&self) -> Vec<PlateId> {
        self.data.plates.values().copied().collect()
    }

    /// `f` with data standing for all rows to train on.
    pub(super) fn with_whole_data<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = std::mem::replace(&mut self.data.whole, true);
        let result = f(self);
        self.data.whole = outer;
        result
    }
}
