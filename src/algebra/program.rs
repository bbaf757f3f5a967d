//! Whole programs as graphs: an expression for each row, draws of a `sample` block, the starting values of parameters.

use super::derivation::Step;
use super::leaves::tensor_type;
use super::lowering::{InputRole, Lowering, Note, RowCounts, differentiable, union};
use super::require::Requirement;
use super::value::{Array, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, Init, Model, ParamId, Place};
use crate::check::types::Type;
use crate::graph::{Graph, NodeId};

/// A finished graph, and what each of its inputs holds.
#[derive(Clone, Debug)]
pub struct Program {
    pub graph: Graph,
    pub inputs: Vec<InputRole>,
    pub notes: Vec<Note>,
    pub derivation: Vec<Step>,
    /// Their outputs come last, in order
    pub requirements: Vec<Requirement>,
}

/// An expression over rows: its value for each row, or one value where it does not depend on rows.
pub struct Evaluated {
    pub program: Program,
    /// The first axis of each output is that of rows
    pub by_row: Vec<bool>,
    /// The value depends on the rows of the data
    pub of_data: bool,
}

/// The value of an expression for each row; a tuple's parts are outputs of their own.
pub fn lower_expression(model: &Model, expr: &Expr, row_counts: &RowCounts, rows: Option<usize>) -> Result<Evaluated> {
    let mut lowering = Lowering::new(model, row_counts, rows);
    lowering.differentiable = differentiable(model, Some(expr));
    let value = lowering.eval(expr)?;
    finish_value(lowering, &value)
}

/// The value of an expression that does not depend on the rows of the data; `None` for one that does.
pub fn lower_without_rows(model: &Model, expr: &Expr, row_counts: &RowCounts) -> Result<Option<Evaluated>> {
    let mut lowering = Lowering::new(model, row_counts, None);
    lowering.differentiable = differentiable(model, Some(expr));
    let value = lowering.eval(expr);
    // The first use of data is an error that leaves its mark.
    if lowering.touched_data { Ok(None) } else { finish_value(lowering, &value?).map(Some) }
}

/// Whether an expression's value depends on the rows of the data.
pub fn mentions_data(model: &Model, expr: &Expr, row_counts: &RowCounts) -> bool {
    let mut lowering = Lowering::new(model, row_counts, None);
    // Without rows, the first use of data is an error that leaves its mark.
    let _ = lowering.eval(expr);
    lowering.touched_data
}

/// Independent draws of a `sample` block: every one is a row, of the data where the block speaks of data.
pub fn lower_sample(model: &Model, expr: &Expr, row_counts: &RowCounts, draws: usize) -> Result<Evaluated> {
    let mut lowering = Lowering::new(model, row_counts, Some(draws));
    lowering.data.draws = true;
    let value = lowering.eval(expr)?;
    let rows: Vec<PlateId> = lowering.rows.into_iter().collect();
    let value = value.map(&mut |array| {
        let plates = union([&array.plates[..], &rows]);
        lowering.expanded(array, &plates)
    });
    finish_value(lowering, &value)
}

fn finish_value(mut lowering: Lowering<'_>, value: &Value) -> Result<Evaluated> {
    if matches!(value, Value::Distribution(_)) {
        return Err(Diagnostic::new(Code::TypeMismatch, "a distribution is no value").help("ask for `.mean`, `.log_prob(x)` or a draw"));
    }
    let arrays: Vec<Array> = value.arrays().into_iter().cloned().collect();
    if let [array] = &arrays[..] {
        lowering.judge_estimates(array);
    }
    let by_row = arrays.iter().map(|array| lowering.rows.is_some_and(|rows| array.varies_over(rows))).collect();
    let outputs: Vec<NodeId> = arrays.iter().map(|array| lowering.node(array)).collect();
    let of_data = lowering.touched_data;
    Ok(Evaluated { program: lowering.close(&outputs)?, by_row, of_data })
}

/// The starting values of all parameters, unconstrained, in the order of the model. Parameters that start as rows of the data are
/// left out: see [`Init::Rows`].
pub fn lower_init(model: &Model) -> Result<(Program, Vec<ParamId>)> {
    let none = RowCounts::new();
    let mut lowering = Lowering::new(model, &none, None);
    let (mut outputs, mut ids) = (vec![], vec![]);
    for (id, param) in model.params.iter() {
        let started = lowering.at(param.span, |this| this.start(id))?;
        if let Some(array) = started {
            outputs.push(lowering.node(&array));
            ids.push(id);
        }
    }
    Ok((lowering.close(&outputs)?, ids))
}

impl Lowering<'_> {
    pub(super) fn start(&mut self, id: ParamId) -> Result<Option<Array>> {
        let param = &self.model.params[id];
        let ty = tensor_type(&param.ty)?;
        let value = match &param.init {
            Init::Rows(_) => return Ok(None),
            Init::Value(expr) => self.eval_array(expr)?,
            Init::Draw(expr) => {
                let dist = self.eval(expr)?.distribution()?;
                self.draw(&dist)?
            }
        };
        let value = self.cast(&value, ty.dtype);
        let node = self.expand(&value, &[], &ty.shape);
        let full = self.array(node, vec![]);
        // Parameters after this one may start from its value.
        self.bind(Place::Param(id), full.clone());
        self.unconstrain(id, &full).map(Some)
    }

    /// From a parameter in its support to unconstrained numbers.
    pub(super) fn unconstrain(&mut self, id: ParamId, value: &Array) -> Result<Array> {
        let param = &self.model.params[id];
        let (Some(constraint), Type::Array(array)) = (&param.constraint, &param.ty) else { return Ok(value.clone()) };
        let shape = self.shape(value);
        let (value, lifted) = self.lift(value, shape.len() - array.support.event_rank());
        let raw = self.undo_constraint(constraint, value)?;
        Ok(self.lower_plates(&raw, &lifted))
    }

    /// How often an optimiser has run, this time included, as a real number: in each step it runs `times`, this is its `turn`.
    pub(super) fn step_number(&mut self, turn: usize, times: usize) -> Result<Array> {
        let step = self.step_node();
        let step = self.root_array(step, vec![]);
        let step = self.cast(&step, DType::Real);
        if times == 1 {
            return Ok(step);
        }
        let (times, left) = (self.real(times as f64), self.real((times - turn) as f64));
        let all = self.mul(&step, &times)?;
        self.sub(&all, &left)
    }

    pub(super) fn close(mut self, outputs: &[NodeId]) -> Result<Program> {
        let required = std::mem::take(&mut self.required);
        let of_required: Vec<NodeId> = required.iter().flat_map(|required| &required.outputs).map(|output| self.node(output)).collect();
        let closed = self.frames.leave(&[outputs, &of_required].concat())?;
        let requirements = required.into_iter().map(|required| required.requirement).collect();
        Ok(Program { requirements, graph: closed.graph, inputs: self.inputs, notes: self.notes, derivation: self.derivation })
    }
}
