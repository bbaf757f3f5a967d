//! Change of variables: log p(x) = log base(f⁻¹(x)) + log |det ∂f⁻¹/∂x|, with the inverse and the determinant derived from f
//! (Rezende, Mohamed: Variational inference with normalizing flows, 2015, equation 5; Papamakarios et al.: Normalizing flows for
//! probabilistic modeling and inference, 2021, section 2.1).
//!
//! - [`map`]: f as a graph of its own
//! - [`solver`]: equations on its nodes, from the value back to the argument
//! - [`elementwise`], [`linear`], [`pieces`]: the steps
//! - [`dependence`], [`autoregressive`]: maps whose elements depend on those before them
//! - [`range`]: values that no argument leads to
//! - [`verify`]: what a file gives, to be compared with the forward map

mod autoregressive;
pub(super) mod dependence;
mod elementwise;
mod linear;
mod map;
mod pieces;
mod range;
mod solver;
pub mod verify;

use super::derivation::{Big, Formula, Step};
use super::frame::FrameId;
use super::leaves::tensor_type;
use super::lowering::{Lowering, union};
use super::value::{Array, Distribution, PlateId, Value};
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic, Span};
use crate::check::Support;
use crate::check::model::{BijectorId, Constraint, FunctionId, PushforwardId};
use crate::check::types::{ArrayType, Type};
use crate::graph::NodeId;
use map::{Body, Map};
use solver::{Solution, Solver, Start};

/// One use of a bijector inside a map: y = f(u; args).
pub(super) struct Application {
    frame: FrameId,
    bijector: BijectorId,
    input: Array,
    args: Vec<Array>,
    output: Array,
}

/// A draw of a pushforward, and the draw of the base that it is the image of.
pub(super) struct Drawn {
    pushforward: PushforwardId,
    base: Vec<(FrameId, NodeId)>,
    image: (FrameId, NodeId),
    input: Array,
}

/// An argument found from a value, and log |det ∂y/∂u| there.
struct Inverse {
    argument: Array,
    log_det: Array,
    /// Zero, or infinite where y lies outside the range of the map, if that was asked for
    penalty: Option<Array>,
    /// The steps of the map that change volumes, in the order from its value to its argument
    slopes: Vec<String>,
}

impl<'m> Lowering<'m> {
    /// f(u), u ~ base. The draw remembers u: its density needs no inverse.
    pub(super) fn draw_pushforward(&mut self, id: PushforwardId) -> Result<Array> {
        let pushed = &self.model.pushforwards[id];
        let base = self.eval(&pushed.base)?.distribution()?;
        let u = self.draw(&base)?;
        let x = self.image(id, u.clone())?;
        self.drawn.push(Drawn { pushforward: id, base: key(&base), image: (x.frame, x.node), input: u });
        Ok(x)
    }

    /// The log-density of a pushforward at a value.
    pub(super) fn log_pushforward(&mut self, id: PushforwardId, x: &Array) -> Result<Array> {
        let pushed = &self.model.pushforwards[id];
        let base = self.eval(&pushed.base)?.distribution()?;
        let domain = tensor_type(&self.model.locals[pushed.input].ty)?.shape;
        let image = |this: &mut Self, u: Array| this.image(id, u);
        let found = match self.preimage(id, &base, x) {
            Some(u) => {
                self.note(pushed.span, "change of variables at a draw: log base(u) - log |det df/du|, no inverse needed");
                self.at_argument(&image, &u)?
            }
            None => {
                let found = self.inverse(&image, &domain, x, Start::Observed).map_err(|e| needs_inverse(e, pushed.span))?;
                self.note(pushed.span, "change of variables: log base(f⁻¹(x)) + log |det ∂f⁻¹/∂x|, both derived from the map");
                found
            }
        };
        self.derive_log_determinant(id, &found);
        let (argument, beyond) = self.within_base(id, found.argument)?;
        let log = self.log_prob(&base, &argument)?;
        let log = self.sub(&log, &found.log_det)?;
        let log = self.impossible(log, beyond)?;
        self.within_range(&log, found.penalty.as_ref())
    }

    /// The inverse is defined for more values than a base of positive numbers, say, has images of: the density is 0 at these.
    fn within_base(&mut self, id: PushforwardId, argument: Array) -> Result<(Array, Option<Array>)> {
        let drawn = &self.model.locals[self.model.pushforwards[id].input].ty;
        let Type::Array(ArrayType { support, shape }) = drawn else { return Ok((argument, None)) };
        match support {
            Support::Positive | Support::Unit => {
                let any = Type::Array(ArrayType { support: Support::Real, shape: shape.clone() });
                self.confine(argument, &any, drawn)
            }
            // Others have no continuous bases, or bases whose values no map of real numbers leaves.
            Support::Real | Support::Bit | Support::Spin | Support::Int | Support::Cat(_) | Support::Bool => Ok((argument, None)),
            Support::Simplex | Support::Cov | Support::Ordered => Ok((argument, None)),
        }
    }

    /// The record: log |∂f(u)/∂u| as the sum over the steps of f.
    fn derive_log_determinant(&mut self, id: PushforwardId, found: &Inverse) {
        let mut steps: Vec<(&str, usize)> = vec![];
        for name in &found.slopes {
            match steps.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => steps.push((name, 1)),
            }
        }
        let repeated = steps.iter().any(|(_, count)| *count > 1);
        let term = |(name, count): (&str, usize)| {
            let of = |step: Formula| Formula::log(Formula::partial(step, "h").determinant());
            let name = Formula::name(name);
            match count {
                1 => of(Formula::apply(name, ["h".into()])),
                count => {
                    let step = of(Formula::apply(name.index(["l"]), ["h".into()]));
                    Formula::big_range(Big::Sum, "l", 1.into(), count.into(), step)
                }
            }
        };
        let terms = Formula::total(steps.into_iter().map(term));
        let span = self.model.pushforwards[id].span;
        let mut step = Step::new("log-determinants of the steps", self.log_determinant(id), terms, span);
        if !found.slopes.is_empty() {
            let each = if repeated { "l counts the uses of a step; " } else { "" };
            step = step.with(Formula::words(format!("{each}h: what goes into the step")));
        }
        self.derive(step.source("Papamakarios et al.: Normalizing flows for probabilistic modeling and inference (2021), section 2.1"));
    }

    fn image(&mut self, id: PushforwardId, u: Array) -> Result<Array> {
        let pushed = &self.model.pushforwards[id];
        self.bind_local(pushed.input, Value::Array(u));
        self.eval(&pushed.image)?.array()
    }

    /// What a value was made from, if it is a draw of this pushforward with these parameters.
    fn preimage(&mut self, id: PushforwardId, base: &Distribution, x: &Array) -> Option<Array> {
        let own = |drawn: &&Drawn| drawn.pushforward == id && drawn.image == (x.frame, x.node) && drawn.base == key(base);
        self.drawn.iter().rev().find(own).map(|drawn| drawn.input.clone()).filter(|u| u.plates.iter().all(|p| x.varies_over(*p)))
    }

    /// A bijector of its first argument.
    pub(super) fn apply_bijector(&mut self, id: BijectorId, args: Vec<Value>) -> Result<Array> {
        let arrays = args.into_iter().map(Value::array).collect::<Result<Vec<_>>>()?;
        let (input, rest) = arrays.split_first().ok_or_else(|| Diagnostic::internal("a bijector of nothing"))?;
        let bijector = &self.model.bijectors[id];
        let output = match (bijector.forward, bijector.inverse) {
            (Some(forward), _) => self.member(forward, input, rest)?,
            (None, Some(inverse)) => {
                let domain = self.domain(inverse)?;
                let body = |this: &mut Self, y: Array| this.member(inverse, &y, rest);
                self.inverse(&body, &domain, input, Start::Output)?.argument
            }
            (None, None) => return Err(Diagnostic::internal("a bijector without maps")),
        };
        let frame = self.frames.current();
        if frame != 0 && output.node != input.node {
            let args = rest.to_vec();
            self.applications.push(Application { frame, bijector: id, input: input.clone(), args, output: output.clone() });
        }
        Ok(output)
    }

    /// A member of a bijector at a value.
    fn member(&mut self, function: FunctionId, first: &Array, rest: &[Array]) -> Result<Array> {
        let args = std::iter::once(first).chain(rest).cloned().map(Value::Array).collect();
        self.call(function, args)?.array()
    }

    /// The shape of what a member maps.
    fn domain(&self, function: FunctionId) -> Result<Vec<usize>> {
        let first = self.model.functions[function].params.first().ok_or_else(|| Diagnostic::internal("a member without argument"))?;
        Ok(tensor_type(&self.model.locals[*first].ty)?.shape)
    }

    /// Undoes a bijector: by what the file gives, otherwise by what follows from its forward map.
    fn undo_bijector(&mut self, id: BijectorId, y: &Array, rest: &[Array], start: fn(NodeId) -> Start) -> Result<Inverse> {
        let bijector = &self.model.bijectors[id];
        if let (Some(forward), None) = (bijector.forward, bijector.inverse) {
            let domain = self.domain(forward)?;
            let body = |this: &mut Self, u: Array| this.member(forward, &u, rest);
            let found = self.inverse(&body, &domain, y, start)?;
            return match bijector.log_det {
                Some(log_det) => Ok(Inverse { log_det: self.member(log_det, &found.argument, rest)?, ..found }),
                None => Ok(found),
            };
        }
        let inverse = bijector.inverse.ok_or_else(|| Diagnostic::internal("a bijector without maps"))?;
        let argument = self.member(inverse, y, rest)?;
        let log_det = match (bijector.log_det, bijector.forward) {
            (None, None) => {
                let body = |this: &mut Self, y: Array| this.member(inverse, &y, rest);
                let log_det = self.log_det_at(&body, y)?;
                self.unary(UnaryOp::Neg, &log_det)
            }
            _ => self.bijector_log_det(id, &argument, rest)?,
        };
        Ok(Inverse { argument, log_det, penalty: None, slopes: vec![] })
    }

    /// The unconstrained numbers of a value of a constrained type.
    pub(super) fn undo_constraint(&mut self, constraint: &Constraint, value: Array) -> Result<Array> {
        match constraint.inverse {
            Some(inverse) => self.member(inverse, &value, &[]),
            None => {
                let forward = constraint.forward;
                let domain = self.domain(forward)?;
                let body = |this: &mut Self, u: Array| this.member(forward, &u, &[]);
                Ok(self.inverse(&body, &domain, &value, Start::Output)?.argument)
            }
        }
    }

    /// log |det ∂y/∂u| of a bijector at u.
    fn bijector_log_det(&mut self, id: BijectorId, u: &Array, rest: &[Array]) -> Result<Array> {
        let bijector = &self.model.bijectors[id];
        match (bijector.log_det, bijector.forward, bijector.inverse) {
            (Some(log_det), ..) => self.member(log_det, u, rest),
            (None, Some(forward), _) => {
                let body = |this: &mut Self, u: Array| this.member(forward, &u, rest);
                self.log_det_at(&body, u)
            }
            (None, None, Some(inverse)) => {
                let y = self.apply_bijector(id, std::iter::once(u).chain(rest).cloned().map(Value::Array).collect())?;
                let body = |this: &mut Self, y: Array| this.member(inverse, &y, rest);
                let log_det = self.log_det_at(&body, &y)?;
                Ok(self.unary(UnaryOp::Neg, &log_det))
            }
            (None, None, None) => Err(Diagnostic::internal("a bijector without maps")),
        }
    }

    /// u with f(u) = y, and log |det ∂f/∂u| there.
    fn inverse(&mut self, body: Body<'_, 'm>, domain: &[usize], y: &Array, start: fn(NodeId) -> Start) -> Result<Inverse> {
        let map = Map::lower(self, body, domain, &y.plates)?;
        let y = self.expanded(y, &map.plates);
        let y = self.node(&y);
        let found = Solver::solve(self, &map, start(y))?;
        Ok(self.found(&map, found))
    }

    fn log_det_at(&mut self, body: Body<'_, 'm>, u: &Array) -> Result<Array> {
        Ok(self.at_argument(body, u)?.log_det)
    }

    /// log |det ∂f/∂u| at u.
    fn at_argument(&mut self, body: Body<'_, 'm>, u: &Array) -> Result<Inverse> {
        let domain = self.shape(u);
        let map = Map::lower(self, body, &domain, &u.plates)?;
        let argument = self.expanded(u, &map.plates);
        let node = self.node(&argument);
        let found = Solver::solve(self, &map, Start::Argument(node))?;
        Ok(Inverse { argument, log_det: found.log_det, penalty: None, slopes: found.slopes })
    }

    fn found(&mut self, map: &Map, solution: Solution) -> Inverse {
        let Solution { argument, log_det, penalty, slopes } = solution;
        Inverse { argument: self.array(argument, map.plates.clone()), log_det, penalty, slopes }
    }
}

/// The use of a density that needed an inverse which cannot be derived.
fn needs_inverse(problem: Diagnostic, span: Span) -> Diagnostic {
    match problem.code {
        Code::NotInvertible => problem.label(span, "the density of this, at a value that is not its own draw, needs the inverse"),
        _ => problem,
    }
}

/// What tells the parameters of one distribution from those of another.
fn key(d: &Distribution) -> Vec<(FrameId, NodeId)> {
    d.params.iter().map(|param| (param.frame, param.node)).collect()
}

impl Solver<'_, '_> {
    /// The equation on the result of a bijector.
    fn undo_application(&mut self, id: NodeId, at: usize) -> Result<bool> {
        let map = self.map;
        let Application { bijector, input, args, .. } = &map.applications[at];
        if self.is_known(input.node) {
            return Err(self.stuck(id));
        }
        if args.iter().any(|arg| !self.is_known_array(arg)) {
            return Ok(false);
        }
        let args = args.iter().map(|arg| self.outer(arg)).collect::<Result<Vec<_>>>()?;
        let plates = &input.plates;
        let name = self.lowering.model.bijectors[*bijector].name.clone();
        if self.is_given() {
            let u = self.outer(input)?;
            self.establish(input.node, None)?;
            let log_det = self.lowering.bijector_log_det(*bijector, &u, &args)?;
            return self.over_plates(log_det, plates, name);
        }
        let y = self.value(id)?;
        if self.map.shape(id).len() < plates.len() || args.iter().any(|arg| arg.plates.iter().any(|p| !plates.contains(p))) {
            return Err(self.stuck(id));
        }
        let y = self.lowering.array(y, plates.clone());
        let start = if self.judges_range() { Start::Observed } else { Start::Output };
        let found = self.lowering.undo_bijector(*bijector, &y, &args, start)?;
        let argument = self.lowering.expanded(&found.argument, plates);
        let argument = self.lowering.node(&argument);
        self.establish(input.node, Some(argument))?;
        if let Some(penalty) = found.penalty {
            let penalty = self.summed_over(penalty, plates);
            self.add_penalty(&penalty)?;
        }
        self.over_plates(found.log_det, plates, name)
    }

    fn over_plates(&mut self, log_det: Array, plates: &[PlateId], from: String) -> Result<bool> {
        let term = self.summed_over(log_det, plates);
        self.add_term(term, from);
        Ok(true)
    }

    /// What there is in all cells of the plates that the map makes inside, added up.
    fn summed_over(&mut self, term: Array, plates: &[PlateId]) -> Array {
        let all = union([&term.plates[..], plates]);
        let full = self.lowering.expanded(&term, &all);
        let inner: Vec<PlateId> = all.into_iter().filter(|plate| !self.map.plates.contains(plate)).collect();
        self.lowering.sum_over(&full, &inner)
    }

    fn is_known_array(&self, array: &Array) -> bool {
        self.map.node_of(array).is_none_or(|node| self.is_known(node))
    }

    /// An array of the map in the enclosing graph; those of other graphs are as they are.
    fn outer(&mut self, array: &Array) -> Result<Array> {
        match self.map.node_of(array) {
            Some(node) => {
                let node = self.value(node)?;
                Ok(self.lowering.array(node, array.plates.clone()))
            }
            None => Ok(array.clone()),
        }
    }
}
