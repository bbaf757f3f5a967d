//! Statements, and what names stand for while they run.

use super::lowering::Lowering;
use super::value::{Array, Value};
use crate::base::Diagnostic;
use crate::base::diagnostic::Result;
use crate::check::model::{ExprKind, LocalId, Pattern, Place, Stmt, StmtKind};

impl Lowering<'_> {
    pub(super) fn run(&mut self, stmts: &[Stmt]) -> Result<()> {
        stmts.iter().try_for_each(|stmt| self.at(stmt.span, |this| this.run_stmt(stmt)))
    }

    fn run_stmt(&mut self, stmt: &Stmt) -> Result<()> {
        match &stmt.kind {
            StmtKind::Let(pattern, value) => {
                let value = self.eval(value)?;
                self.bind_pattern(pattern, value)
            }
            StmtKind::Draw(draw) => {
                if let ExprKind::Conditional(query) = &draw.dist.kind
                    && let Some(chain) = self.draws_chain(query)
                {
                    let value = self.draw_chain(query, chain)?;
                    self.bind(draw.target, value);
                    return Ok(());
                }
                let dist = self.eval(&draw.dist)?.distribution()?;
                let value = self.for_name(draw.target, |this| this.draw(&dist))?;
                let value = self.outside_expectation(draw, &dist, value);
                self.bind(draw.target, value);
                Ok(())
            }
            StmtKind::Assign(place, value) => {
                let value = self.eval(value)?;
                match place {
                    Place::Local(local) => self.bind_local(*local, value),
                    Place::Var(_) | Place::Param(_) => self.restore(*place, Some(value)),
                }
                Ok(())
            }
            StmtKind::For { index, from, to, body, carried } => self.for_loop(*index, *from, *to, body, carried),
            StmtKind::While { condition, body, carried } => self.while_loop(condition, body, carried),
            StmtKind::Require(require) => self.require(require, stmt.span),
        }
    }

    fn bind_pattern(&mut self, pattern: &Pattern, value: Value) -> Result<()> {
        match (pattern, value) {
            (Pattern::Local(local), value) => {
                let name = &self.model.locals[*local].name;
                if let (Value::Array(array), 0, false) = (&value, self.frames.current(), name.starts_with('_')) {
                    self.named_nodes.push((array.node, name.clone()));
                }
                self.bind_local(*local, value);
                Ok(())
            }
            (Pattern::Tuple(parts), Value::Tuple(values)) if parts.len() == values.len() => {
                parts.iter().zip(values).try_for_each(|(part, value)| self.bind_pattern(part, value))
            }
            (Pattern::Tuple(_), _) => Err(Diagnostic::internal("a pattern that does not fit its value")),
        }
    }

    /// A name with respect to which the program differentiates is told apart from other names of the same value.
    pub(super) fn bind_local(&mut self, local: LocalId, value: Value) {
        let value = match value {
            Value::Array(array) if self.differentiable.contains(&local) => {
                let node = self.node(&array);
                let node = self.b().distinct(node);
                Value::Array(self.array(node, array.plates))
            }
            value => value,
        };
        self.locals.insert(local, value);
    }

    /// Gives a name a value; the old value is returned for [`Lowering::restore`].
    pub(super) fn bind(&mut self, place: Place, value: Array) -> Option<Value> {
        match place {
            Place::Local(local) => self.locals.insert(local, Value::Array(value)),
            Place::Var(var) => self.vars.insert(var, value).map(Value::Array),
            Place::Param(param) => self.params.insert(param, value).map(Value::Array),
        }
    }

    pub(super) fn restore(&mut self, place: Place, old: Option<Value>) {
        match (place, old) {
            (place, Some(Value::Array(array))) => {
                self.bind(place, array);
            }
            (Place::Local(local), Some(value)) => {
                self.locals.insert(local, value);
            }
            (Place::Local(local), None) => {
                self.locals.remove(&local);
            }
            (Place::Var(var), _) => {
                self.vars.remove(&var);
            }
            (Place::Param(param), _) => {
                self.params.remove(&param);
            }
        }
    }
}
