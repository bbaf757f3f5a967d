//! `for` and `while`, as scans and loops over closed bodies. Names that the body rebinds are the carries.
//!
//! Inside plates every cell runs its own `while`: cells that are done keep their values until all are.

use super::lowering::{Lowering, union};
use super::value::{Array, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::{BinaryOp, DType, ReduceOp};
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, LocalId, Place, Stmt, VarId};
use crate::graph::{Builder, Graph, NodeId, TensorType};
use std::collections::HashMap;

/// Turn numbers of nested loops are mixed into one by this odd factor, modulo 2^32.
const TURNS: i64 = 1_000_003;

/// The arrays that a loop carries: those inside the carried names, in order.
struct Carries {
    places: Vec<Place>,
    shapes: Vec<Value>,
}

impl Lowering<'_> {
    pub(super) fn for_loop(&mut self, index: LocalId, from: i64, to: i64, body: &[Stmt], carried: &[Place]) -> Result<()> {
        let length = from.abs_diff(to) as usize + 1;
        let (carries, arrays) = self.carries(carried)?;
        let start: Vec<NodeId> = arrays.iter().map(|array| self.node(array)).collect();
        let saved = self.enter_body(&carries, &arrays, &[]);
        let down = if from <= to { 1 } else { -1 };
        let turn = saved.turn_input;
        let (step, first) = (self.b().int(down), self.b().int(from));
        let counted = self.b().mul(turn, step);
        let counter = self.b().add(counted, first);
        let counter = self.array(counter, vec![]);
        self.locals.insert(index, counter.into());
        let outputs = self.run(body).and_then(|()| self.carried_nodes(&carries, &arrays));
        let closed = outputs.and_then(|nodes| self.frames.leave(&nodes));
        self.leave_body(saved);
        let closed = closed?;
        let results = self.b().scan(closed.graph, &start, &[], &closed.constants, length, false);
        self.rebind(&carries, &arrays, &results);
        Ok(())
    }

    pub(super) fn while_loop(&mut self, condition: &Expr, body: &[Stmt], carried: &[Place]) -> Result<()> {
        let (carries, mut arrays) = self.carries(carried)?;
        let plates = self.loop_plates(&arrays);
        let active = self.eval_array(condition)?;
        let active = self.expanded(&active, &plates);
        arrays.push(active);
        let going = self.any(&arrays[arrays.len() - 1].clone());
        let mut start: Vec<NodeId> = arrays.iter().map(|array| self.node(array)).collect();
        start.push(going);

        let saved = self.enter_body(&carries, &arrays, &[TensorType::new(DType::Bool, [])]);
        let active = saved.inputs[saved.inputs.len() - 1].clone();
        let outputs = (|| {
            let old = saved.inputs[..saved.inputs.len() - 1].to_vec();
            self.run(body)?;
            let fresh = self.carried_arrays(&carries, &arrays)?;
            let kept = old.iter().zip(&fresh).map(|(old, fresh)| self.select(&active, fresh, old)).collect::<Result<Vec<_>>>()?;
            self.rebind_arrays(&carries, &kept);
            let again = self.eval_array(condition)?;
            let (nodes, on) = self.align(&[&active, &again])?;
            let again = self.b().binary(BinaryOp::And, nodes[0], nodes[1]);
            let again = self.array(again, on);
            let again = self.expanded(&again, &plates);
            let mut nodes: Vec<NodeId> = kept.iter().zip(&arrays).map(|(k, a)| self.expand_like(k, a)).collect();
            nodes.push(self.frames.node(again.frame, again.node));
            nodes.push(self.any(&again));
            Ok(nodes)
        })();
        let closed = outputs.and_then(|nodes| self.frames.leave(&nodes));
        self.leave_body(saved);
        let closed = closed?;

        let condition = self.continue_while_going(&start, &closed.constants)?;
        let results = self.b().while_loop(condition, closed.graph, &start, &closed.constants);
        arrays.pop();
        self.rebind(&carries, &arrays, &results);
        Ok(())
    }

    /// A graph that returns the last carry.
    fn continue_while_going(&mut self, carries: &[NodeId], constants: &[NodeId]) -> Result<Graph> {
        let mut b = Builder::new();
        b.input("turn", TensorType::int([]));
        let mut going = None;
        for &node in carries {
            let ty = self.b().ty(node).clone();
            going = Some(b.input("carry", ty));
        }
        for &node in constants {
            let ty = self.b().ty(node).clone();
            b.input("constant", ty);
        }
        b.finish(going.as_slice())
    }

    fn any(&mut self, x: &Array) -> NodeId {
        let node = self.node(x);
        let axes: Vec<usize> = (0..self.b().ty(node).rank()).collect();
        self.b().reduce(ReduceOp::Or, node, &axes)
    }

    /// The plates over which a loop's carries vary: those in scope, since a body may draw, and those they have.
    fn loop_plates(&self, arrays: &[Array]) -> Vec<PlateId> {
        union(arrays.iter().map(|a| &a.plates[..]).chain([&self.scope[..]]))
    }

    fn carried_value(&mut self, place: Place) -> Result<Value> {
        match place {
            Place::Local(local) => self.local(local),
            Place::Var(var) => self.variable(var).map(Value::Array),
            Place::Param(param) => self.param(param).map(Value::Array),
        }
    }

    fn carries(&mut self, carried: &[Place]) -> Result<(Carries, Vec<Array>)> {
        let shapes = carried.iter().map(|&place| self.carried_value(place)).collect::<Result<Vec<_>>>()?;
        let arrays: Vec<Array> = shapes.iter().flat_map(|value| value.arrays().into_iter().cloned().collect::<Vec<_>>()).collect();
        let plates = self.loop_plates(&arrays);
        let arrays = arrays.iter().map(|array| self.expanded(array, &plates)).collect();
        Ok((Carries { places: carried.to_vec(), shapes }, arrays))
    }

    /// Opens a body whose first inputs are the turn, the carries and those of `more` types.
    fn enter_body(&mut self, carries: &Carries, arrays: &[Array], more: &[TensorType]) -> Body {
        let types: Vec<TensorType> = arrays.iter().map(|array| self.ty(array)).collect();
        let outer = (self.locals.clone(), self.vars.clone(), self.turn.clone());
        self.frames.enter();
        let turn_input = self.b().input("turn", TensorType::int([]));
        // All inputs come before the first use of a value of an outer graph, which becomes an input as well.
        let carried = |(array, ty): (&Array, TensorType)| {
            let node = self.b().input("carry", ty);
            self.array(node, array.plates.clone())
        };
        let inputs: Vec<Array> = arrays.iter().zip(types).map(carried).collect();
        more.iter().for_each(|ty| {
            self.b().input("carry", ty.clone());
        });
        self.enter_turn(turn_input);
        self.rebind_arrays(carries, &inputs);
        Body { turn_input, inputs, outer }
    }

    /// Random numbers differ from turn to turn: the number of this turn among all turns of the loops around.
    pub(super) fn enter_turn(&mut self, turn_input: NodeId) {
        let mixed = match self.turn.clone() {
            Some(turn) => {
                let (turn, factor) = (self.node(&turn), self.b().int(TURNS));
                let scaled = self.b().mul(turn, factor);
                let next = self.b().add(scaled, turn_input);
                let one = self.b().int(1);
                self.b().add(next, one)
            }
            None => {
                let one = self.b().int(1);
                self.b().add(turn_input, one)
            }
        };
        self.turn = Some(self.array(mixed, vec![]));
    }

    fn leave_body(&mut self, body: Body) {
        (self.locals, self.vars, self.turn) = body.outer;
    }

    /// The carried names' arrays as they stand now.
    fn carried_arrays(&mut self, carries: &Carries, arrays: &[Array]) -> Result<Vec<Array>> {
        let mut now = vec![];
        for &place in &carries.places {
            now.extend(self.carried_value(place)?.arrays().into_iter().cloned());
        }
        for (new, old) in now.iter_mut().zip(arrays) {
            let (before, after) = (self.ty(old), self.ty(new));
            if before.dtype != after.dtype {
                *new = self.cast(new, before.dtype);
            }
            if let Some(_plate) = new.plates.iter().find(|p| !old.plates.contains(p)) {
                return Err(Diagnostic::new(Code::ShapeMismatch, "a loop makes a value vary over more than it did before the loop")
                    .help("give the name a starting value that already varies, for example a draw"));
            }
        }
        Ok(now)
    }

    fn carried_nodes(&mut self, carries: &Carries, arrays: &[Array]) -> Result<Vec<NodeId>> {
        let now = self.carried_arrays(carries, arrays)?;
        Ok(now.iter().zip(arrays).map(|(new, old)| self.expand_like(new, old)).collect())
    }

    fn expand_like(&mut self, new: &Array, old: &Array) -> NodeId {
        let shape = self.ty(old).shape[old.plates.len()..].to_vec();
        self.expand(new, &old.plates, &shape)
    }

    fn rebind(&mut self, carries: &Carries, arrays: &[Array], results: &[NodeId]) {
        let values: Vec<Array> = results.iter().zip(arrays).map(|(&node, array)| self.array(node, array.plates.clone())).collect();
        self.rebind_arrays(carries, &values);
    }

    /// Puts arrays, in order, into the carried names.
    fn rebind_arrays(&mut self, carries: &Carries, arrays: &[Array]) {
        let mut next = arrays.iter();
        for (&place, shape) in carries.places.iter().zip(&carries.shapes) {
            let value = shape.map(&mut |old| next.next().unwrap_or(old).clone());
            self.restore(place, Some(value));
        }
    }
}

/// What is put back when a body ends.
struct Body {
    turn_input: NodeId,
    inputs: Vec<Array>,
    outer: (HashMap<LocalId, Value>, HashMap<VarId, Array>, Option<Array>),
}
