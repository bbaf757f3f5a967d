//! The leaves of expressions: data, parameters, constants, random numbers.

use super::derivation::Formula;
use super::lowering::{InputRole, Keys, Lowering};
use super::value::{Array, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{DType, RandomKind};
use crate::base::{Code, Diagnostic, FileId, Span};
use crate::check::Support;
use crate::check::model::{ConstId, Known, LocalId, Noise, ParamId, VarId};
use crate::check::types::{ArrayType, Type};
use crate::graph;
use crate::graph::{Literal, NodeId, Op, TensorType};
use std::collections::HashMap;

/// Constants are computed while compiling, by the reference interpreter: arrays of more numbers would take too long.
const MOST_CONSTANT: usize = 10_000_000;

/// The shape and element type of an array as graphs hold it. `OutOfRange` where no memory could hold it.
pub fn tensor_type(ty: &Type) -> Result<TensorType> {
    let Type::Array(ArrayType { support, shape }) = ty else {
        return Err(Diagnostic::internal(format!("{ty} is not an array")));
    };
    let shape = shape.iter().map(|size| size.known().ok_or_else(|| Diagnostic::internal(format!("size {size} is not known"))));
    let dtype = match support {
        Support::Int | Support::Cat(_) => DType::Int,
        Support::Bool => DType::Bool,
        real => {
            debug_assert!(real.is_real());
            DType::Real
        }
    };
    let ty = TensorType::new(dtype, shape.collect::<Result<Vec<_>>>()?);
    ty.check_size()?;
    Ok(ty)
}

impl Lowering<'_> {
    /// A random variable: what it is bound to, or its observed rows.
    pub(super) fn variable(&mut self, id: VarId) -> Result<Array> {
        if let Some(array) = self.vars.get(&id) {
            return Ok(array.clone());
        }
        let var = &self.model.vars[id];
        let Some(data) = var.observed else {
            return Err(Diagnostic::internal(format!("{} has no value here", var.name)));
        };
        self.observed(id, data)
    }

    /// A parameter inside its support; a constant in a frozen density.
    pub(super) fn param(&mut self, id: ParamId) -> Result<Array> {
        let value = self.live_param(id)?;
        let value = if self.frozen { self.stop(&value) } else { value };
        Ok(self.as_symbol(value, &self.model.params[id].path))
    }

    /// What stands for itself while an equation is read to be printed.
    fn as_symbol(&mut self, value: Array, name: &str) -> Array {
        if self.symbols.is_none() || self.dtype(&value) != DType::Real {
            return value;
        }
        let formula = Formula::from(name);
        let known = self.symbols.iter().flatten().find(|(_, known)| *known == formula).map(|(node, _)| *node);
        if let Some(node) = known {
            return self.array(node, value.plates);
        }
        let node = self.node(&value);
        let hidden = self.b().stop(node);
        let node = self.b().distinct(hidden);
        self.symbols.iter_mut().for_each(|symbols| symbols.push((node, formula.clone())));
        self.array(node, value.plates)
    }

    fn live_param(&mut self, id: ParamId) -> Result<Array> {
        if let Some(array) = self.params.get(&id) {
            return Ok(array.clone());
        }
        let raw = self.raw_param(id)?;
        let array = self.constrain(id, &raw)?;
        // A value made inside a loop's body is of no use outside it.
        if array.frame == 0 {
            self.params.insert(id, array.clone());
        }
        Ok(array)
    }

    /// The unconstrained numbers of a parameter.
    pub(super) fn raw_param(&mut self, id: ParamId) -> Result<Array> {
        if let Some(array) = self.raw_params.get(&id) {
            return Ok(array.clone());
        }
        let param = &self.model.params[id];
        let (ty, path) = (tensor_type(&param.ty)?, param.path.clone());
        let node = self.root_input(InputRole::Param(id), &path, ty);
        let array = self.root_array(node, vec![]);
        self.raw_params.insert(id, array.clone());
        Ok(array)
    }

    /// From unconstrained numbers to the parameter: axes before the event of the support are plates.
    pub(super) fn constrain(&mut self, id: ParamId, raw: &Array) -> Result<Array> {
        let param = &self.model.params[id];
        let Some(constraint) = &param.constraint else { return Ok(raw.clone()) };
        let Type::Array(ArrayType { support, .. }) = &param.ty else { return Ok(raw.clone()) };
        let shape = self.shape(raw);
        let (raw, lifted) = self.lift(raw, shape.len() - support.event_rank());
        let value = self.call(constraint.forward, vec![raw.into()])?.array()?;
        Ok(self.lower_plates(&value, &lifted))
    }

    /// A top-level `let`: computed once, while compiling.
    pub(super) fn constant(&mut self, id: ConstId) -> Result<Array> {
        let model = self.model;
        let definition = &model.consts[id];
        let known = match definition.known.get() {
            Some(known) => known,
            None => {
                let known = self.evaluate_constant(id)?;
                definition.known.get_or_init(|| known)
            }
        };
        let node = match (&known.shape[..], &known.values[..]) {
            ([], [value]) => self.b().fill(*value, known.dtype, &[]),
            _ => {
                let literal = Literal { dtype: known.dtype, shape: known.shape.clone(), values: known.values.clone() };
                self.b().push(Op::Literal(literal), &[])
            }
        };
        let value = self.array(node, vec![]);
        Ok(self.as_symbol(value, &self.model.consts[id].name))
    }

    fn evaluate_constant(&self, id: ConstId) -> Result<Known> {
        let definition = &self.model.consts[id];
        let none = HashMap::new();
        let mut inner = Lowering::new(self.model, &none, None);
        let array = inner.comprehension(&definition.indices, &definition.value).map_err(|e| e.at(definition.span))?;
        if !inner.inputs.is_empty() {
            let message = format!("`{}` is a constant and cannot depend on parameters, data or random numbers", definition.name);
            return Err(Diagnostic::new(Code::WrongKind, message).label(definition.span, "declared with `let`"));
        }
        let node = inner.node(&array);
        let ty = inner.ty(&array);
        let closed = inner.frames.leave(&[node])?;
        let largest = closed.graph.nodes.iter().map(|node| node.ty.len()).max().unwrap_or(0);
        if largest > MOST_CONSTANT {
            let message =
                format!("the constant `{}` takes an array of {largest} numbers; at most {MOST_CONSTANT} are computed", definition.name);
            return Err(Diagnostic::new(Code::OutOfRange, message)
                .label(definition.span, "computed while compiling")
                .help("use smaller sizes"));
        }
        let values = graph::interpret::interpret(&closed.graph, &[]);
        let value = values.first().ok_or_else(|| Diagnostic::internal("a constant without value"))?;
        Ok(Known { dtype: ty.dtype, shape: ty.shape, values: value.elements.clone() })
    }

    fn keys(&mut self) -> Keys {
        if let Some(keys) = self.keys {
            return keys;
        }
        let seed = self.root_input(InputRole::Seed, "seed", TensorType::int([]));
        let step = self.root_input(InputRole::Step, "step", TensorType::int([]));
        let rows = match self.rows_node() {
            Some(rows) => rows,
            None => self.frames.root().fill(0.0, DType::Int, &[1]),
        };
        let keys = Keys { seed, step, rows };
        self.keys = Some(keys);
        keys
    }

    pub(super) fn step_node(&mut self) -> NodeId {
        self.keys().step
    }

    /// Fresh random numbers of a shape in every cell of every plate in scope.
    pub(super) fn noise(&mut self, kind: Noise, shape: &[usize]) -> Result<Array> {
        let Keys { seed, step, rows } = self.keys();
        let turn = match self.turn.clone() {
            Some(turn) => self.node(&turn),
            None => self.b().int(0),
        };
        let [seed, step, rows] = [seed, step, rows].map(|node| self.frames.node(0, node));
        let scope = self.scope.clone();
        let by_row = self.rows.is_some_and(|plate| scope.first() == Some(&plate));
        let cell_plates = if by_row { &scope[1..] } else { &scope[..] };
        let cell = [&self.sizes(cell_plates)[..], shape].concat();
        let rows = if by_row || self.rows.is_none() { rows } else { self.b().fill(0.0, DType::Int, &[1]) };
        let kind = match kind {
            Noise::Normal => RandomKind::Normal,
            Noise::Uniform => RandomKind::Uniform,
        };
        self.sites += 1;
        let site = self.sites;
        let node = self.b().random(kind, site, [seed, step, turn, rows], &cell);
        let node = if by_row { node } else { self.b().reshape(node, &cell) };
        Ok(self.array(node, scope))
    }

    /// What is built meanwhile comes from there; inside of the library, from the user's expression that led there.
    pub(super) fn at<T>(&mut self, span: Span, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = self.b().span;
        let entered = outer.file == FileId::USER && outer != Span::default() && span.file != FileId::USER;
        self.b().span = if entered { outer } else { span };
        let result = f(self);
        self.b().span = outer;
        result.map_err(|e| e.at(span))
    }

    pub(super) fn local(&mut self, id: LocalId) -> Result<Value> {
        let value = self.locals.get(&id).cloned();
        value.ok_or_else(|| Diagnostic::internal(format!("`{}` has no value here", self.model.locals[id].name)))
    }
}
