//! `grad[x](e)`, `jac`, `div`, `hess`: derivatives of one example's value in every cell of the plates.

use super::leaves;
use super::lowering::{Lowering, union};
use super::value::{Array, PlateId};
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Expr, Place};
use crate::graph::{NodeId, Op};
use crate::pass::derivative;

impl Lowering<'_> {
    /// The gradient of a scalar.
    pub(super) fn gradient(&mut self, wrt: Place, body: &Expr) -> Result<Array> {
        let x = self.place(wrt)?;
        // Cells do not see each other, so the gradient of the sum over cells is the gradient in each cell, provided that x has the
        // plates of the body.
        let missing = self.scope.iter().any(|plate| !x.varies_over(*plate));
        if !missing {
            let opaque = self.opaque(&x);
            let y = self.with_place(wrt, &opaque, |this| this.eval_array(body))?;
            let node = self.node(&y);
            if self.frames.depends_through_constants(node, x.frame, x.node) {
                return Err(hidden_dependence());
            }
            return self.gradient_of_sum(&y, &x);
        }
        let plates = union([&x.plates[..], &self.scope]);
        let fresh = self.copied(&x, &plates);
        let y = self.with_place(wrt, &fresh, |this| this.eval_array(body))?;
        self.refuse_hidden_dependence(&y, &x, &fresh)?;
        self.gradient_of_sum(&y, &fresh)
    }

    /// The gradient of a scalar function of x, in every cell in scope.
    pub(super) fn gradient_at(&mut self, x: &Array, f: impl FnOnce(&mut Self, &Array) -> Result<Array>) -> Result<Array> {
        let x = if self.is_constant(x) { self.stop(x) } else { x.clone() };
        let fresh = self.copied(&x, &union([&x.plates[..], &self.scope]));
        let outer = std::mem::replace(&mut self.differentiated, true);
        let value = f(self, &fresh);
        self.differentiated = outer;
        self.gradient_of_sum(&value?, &fresh)
    }

    /// The same value as a node of its own. Otherwise the stable form of log x, where x = sigmoid(u), would depend on u and not on x.
    fn opaque(&mut self, x: &Array) -> Array {
        let node = self.node(x);
        let node = self.b().distinct(node);
        self.array(node, x.plates.clone())
    }

    /// A copy in every cell of more plates, as a node of its own.
    fn copied(&mut self, x: &Array, plates: &[PlateId]) -> Array {
        let full = self.expanded(x, plates);
        self.opaque(&full)
    }

    pub(super) fn gradient_of_sum(&mut self, y: &Array, x: &Array) -> Result<Array> {
        let plates = union([&x.plates[..], &y.plates[..]]);
        let y = self.expanded(y, &plates);
        let (node, wrt) = (self.node(&y), self.node(x));
        let ones = self.b().fill_like(1.0, node);
        let gradients = derivative::gradient(self.b(), node, &[wrt], Some(ones))?;
        Ok(self.array(gradients[0], x.plates.clone()))
    }

    /// Rows are outputs: the gradient of output i at a copy of x that varies over a plate of outputs.
    pub(super) fn jacobian(&mut self, wrt: Place, body: &Expr) -> Result<Array> {
        let (rows, plate) = self.jacobian_rows(wrt, body)?;
        Ok(self.lower_plates(&rows, &[plate]))
    }

    /// The gradient of each output, along a plate of outputs.
    fn jacobian_rows(&mut self, wrt: Place, body: &Expr) -> Result<(Array, PlateId)> {
        let x = self.place(wrt)?;
        let outputs = leaves::tensor_type(&body.ty)?.shape;
        let [count] = outputs[..] else {
            return Err(Diagnostic::new(Code::NotScalar, "a Jacobian is that of a vector").label(body.span, "has another shape"));
        };
        let plate = self.plate(count);
        let plates = union([&x.plates[..], &self.scope, &[plate]]);
        let fresh = self.copied(&x, &plates);
        let y = self.with_place(wrt, &fresh, |this| this.eval_array(body))?;
        self.refuse_hidden_dependence(&y, &x, &fresh)?;
        let chosen = self.diagonal_over(&y, plate)?;
        Ok((self.gradient_of_sum(&chosen, &fresh)?, plate))
    }

    /// Σ ∂fᵢ/∂xᵢ
    pub(super) fn trace_of_jacobian(&mut self, wrt: Place, body: &Expr) -> Result<Array> {
        if leaves::tensor_type(&body.ty)?.shape.is_empty() {
            return self.slope_of_scalar(wrt, body);
        }
        let (rows, plate) = self.jacobian_rows(wrt, body)?;
        let diagonal = self.diagonal_over(&rows, plate)?;
        Ok(self.sum_over(&diagonal, &[plate]))
    }

    /// ∂f/∂x of a function of one number.
    fn slope_of_scalar(&mut self, wrt: Place, body: &Expr) -> Result<Array> {
        let x = self.place(wrt)?;
        let plates = union([&x.plates[..], &self.scope]);
        let fresh = self.copied(&x, &plates);
        let y = self.with_place(wrt, &fresh, |this| this.eval_array(body))?;
        self.refuse_hidden_dependence(&y, &x, &fresh)?;
        self.gradient_of_sum(&y, &fresh)
    }

    pub(super) fn hessian(&mut self, wrt: Place, body: &Expr) -> Result<Array> {
        let x = self.place(wrt)?;
        let [count] = self.shape(&x)[..] else {
            return Err(Diagnostic::new(Code::NotScalar, "a Hessian is taken with respect to a vector").at(body.span));
        };
        let plate = self.plate(count);
        let plates = union([&x.plates[..], &self.scope, &[plate]]);
        let fresh = self.copied(&x, &plates);
        let y = self.with_place(wrt, &fresh, |this| this.eval_array(body))?;
        self.refuse_hidden_dependence(&y, &x, &fresh)?;
        let gradient = self.gradient_of_sum(&y, &fresh)?;
        let chosen = self.diagonal_over(&gradient, plate)?;
        let rows = self.gradient_of_sum(&chosen, &fresh)?;
        Ok(self.lower_plates(&rows, &[plate]))
    }

    /// Of a vector that varies over a plate of the same size: in cell i, element i.
    fn diagonal_over(&mut self, y: &Array, plate: PlateId) -> Result<Array> {
        let plates = union([&y.plates[..], &[plate]]);
        let y = self.expanded(y, &plates);
        let (lifted, other) = self.lift(&y, 1);
        let n = self.sizes(&[plate])[0];
        let identity: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
        let mask = self.b().literal(DType::Real, &[n, n], &identity);
        let mask = self.array(mask, vec![plate, other[0]]);
        let masked = self.mul(&lifted, &mask)?;
        Ok(self.sum_over(&masked, &other))
    }

    fn place(&mut self, wrt: Place) -> Result<Array> {
        let x = match wrt {
            Place::Local(local) => self.local(local)?.array()?,
            Place::Var(var) => self.variable(var)?,
            Place::Param(param) => self.param(param)?,
        };
        // What is computed from a constant folds: the name has to stand for something else.
        Ok(if self.is_constant(&x) { self.stop(&x) } else { x })
    }

    /// Whether nothing that a run is given, nor anything stopped, takes part in it.
    pub(super) fn is_constant(&mut self, x: &Array) -> bool {
        let node = self.node(x);
        let graph = self.frames.builder().graph();
        let mut seen = vec![false; graph.nodes.len()];
        let mut open = vec![node];
        while let Some(id) = open.pop() {
            if matches!(graph.node(id).op, Op::Input(_) | Op::Stop) {
                return false;
            }
            if !std::mem::replace(&mut seen[id.index()], true) {
                open.extend(&graph.node(id).args);
            }
        }
        true
    }

    /// What is to be differentiated, with a name bound to a copy of its value.
    fn with_place<T>(&mut self, place: Place, value: &Array, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let old = self.bind(place, value.clone());
        let outer = std::mem::replace(&mut self.differentiated, true);
        let result = f(self);
        self.differentiated = outer;
        self.restore(place, old);
        result
    }

    /// The body must reach x through its name: what was computed from x before does not follow the copy.
    fn refuse_hidden_dependence(&mut self, y: &Array, x: &Array, fresh: &Array) -> Result<()> {
        let y = self.node(y);
        let outside = self.frames.depends_through_constants(y, x.frame, x.node);
        let (x, fresh) = (self.node(x), self.node(fresh));
        if outside || x != fresh && self.reached(y, x, fresh, |op| matches!(op, Op::Stop)) { Err(hidden_dependence()) } else { Ok(()) }
    }

    /// Whether `from` depends on `to` other than through `except`.
    pub(super) fn reaches(&mut self, from: NodeId, to: NodeId, except: NodeId) -> bool {
        self.reached(from, to, except, |_| false)
    }

    /// The same, where a dependence ends at some operations: that of a derivative at `stop`.
    fn reached(&mut self, from: NodeId, to: NodeId, except: NodeId, ends: fn(&Op) -> bool) -> bool {
        let graph = self.frames.builder().graph();
        let mut seen = vec![false; graph.nodes.len()];
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if id == to {
                return true;
            }
            if id != except && !std::mem::replace(&mut seen[id.index()], true) && !ends(&graph.node(id).op) {
                open.extend(&graph.node(id).args);
            }
        }
        false
    }
}

fn hidden_dependence() -> Diagnostic {
    Diagnostic::unsupported("a derivative through a name that was computed from the variable before")
        .help("write the whole expression inside the brackets of `jac`, `div`, `hess` or `grad`")
}
