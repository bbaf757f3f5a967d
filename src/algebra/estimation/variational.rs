//! `maximize ELBO(p, q) by vbem`: the learned parameters of q become those of the best factors of q.

use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::query::{Component, Known};
use super::super::value::Array;
use super::slot::{arguments, place};
use super::{Estimate, depends};
use crate::base::diagnostic::Result;
use crate::base::op::UnaryOp;
use crate::base::{Code, Diagnostic};
use crate::check::model::{Bound, ExprKind, Optimise, ParamId};

impl<'m> Lowering<'m> {
    /// One iteration of variational Bayesian EM: the bound at the present parameters, and the parameters that are best given the
    /// responsibilities at the present ones.
    pub(in crate::algebra) fn ascend(&mut self, optimise: &'m Optimise) -> Result<Estimate> {
        let bound = self.bound_to_maximise(optimise)?;
        let field = self.mean_field(bound, optimise.value.span)?;
        let ascent = self.ascend_mean_field(&field)?;
        let mut fitted: Vec<(ParamId, Array)> = vec![];
        for (component, posterior) in field.components.iter().zip(&ascent.posteriors) {
            let learned = self.learned_of(component, optimise)?;
            for (at, id) in learned.into_iter().enumerate() {
                if let Some((known, _)) = fitted.iter().find(|(known, _)| *known == id) {
                    return Err(self.shared(*known, component));
                }
                fitted.push((id, self.fitted_value(posterior, at, id)?));
            }
            let names = self.names(&component.declared.targets);
            self.note(component.declared.span, format!("the best factor of {names} in closed form, a conjugate pair"));
        }
        self.refuse_learned_model(optimise, &ascent.model)?;
        Ok(Estimate { value: ascent.bound, fitted, unsolved: vec![] })
    }

    /// The bound behind an objective: itself, a named one, or what is minimised with its sign turned.
    fn bound_to_maximise(&self, optimise: &'m Optimise) -> Result<&'m Bound> {
        let (mut expr, mut maximise) = (&optimise.value, optimise.maximize);
        loop {
            expr = match &expr.kind {
                ExprKind::Quantity(id) => &self.model.quantities[*id].value,
                ExprKind::Unary(UnaryOp::Neg, inner) => {
                    maximise = !maximise;
                    inner
                }
                ExprKind::Elbo(bound) if maximise => return Ok(bound),
                _ => {
                    let problem = Diagnostic::new(Code::NoRule, "`by vbem` is for bounds: `maximize ELBO(p, q) by vbem`");
                    return Err(problem.label(optimise.value.span, "another objective").help("follow the gradient: `with Adam(1e-2)`"));
                }
            }
        }
    }

    /// The parameters that a factor of q consists of.
    fn learned_of(&self, component: &Component<'m>, optimise: &Optimise) -> Result<Vec<ParamId>> {
        let declared = component.declared;
        let mut lets = vec![];
        let args = arguments(&declared.dist, &mut lets).unwrap_or_default();
        let learns = |id: &ParamId| self.raw_params.contains_key(id) && optimise.over.as_ref().is_none_or(|over| over.contains(id));
        let whole = |arg| place(arg, &lets).filter(|(id, indices)| indices.is_empty() && learns(id)).map(|(id, _)| id);
        let found: Vec<ParamId> = args.iter().filter_map(whole).collect();
        if found.len() == component.q.params.len() {
            return Ok(found);
        }
        let names = self.names(&declared.targets);
        let at = args.iter().find(|arg| whole(arg).is_none()).map_or(declared.span, |arg| arg.span);
        Err(Diagnostic::new(Code::NoRule, format!("`by vbem` finds all parameters of the distribution of {names}"))
            .label(at, "no learned parameter by itself")
            .help("declare a `param` for each and write their names alone, or leave `by vbem` out and follow the gradient"))
    }

    /// A parameter of the posterior, of the shape of the learned one.
    fn fitted_value(&mut self, posterior: &Known, at: usize, id: ParamId) -> Result<Array> {
        let value = self.lower_plates(&posterior.params[at], &posterior.plates);
        if !value.plates.is_empty() {
            return Err(Diagnostic::internal("a parameter of a posterior that differs between observations"));
        }
        let wanted = tensor_type(&self.model.params[id].ty)?.shape;
        let found = self.shape(&value);
        if found == wanted {
            return Ok(value);
        }
        let axes: Vec<String> = found.iter().map(usize::to_string).collect();
        let message = format!("the best `{}` has {} numbers", self.param_name(id), axes.join(" × "));
        let problem = Diagnostic::new(Code::NoRule, message).label(self.model.params[id].span, "declared with another shape");
        Err(problem.help("each repetition of a distribution has parameters of its own: declare them with its axes"))
    }

    fn shared(&self, id: ParamId, component: &Component<'m>) -> Diagnostic {
        let message = format!("`{}` stands twice in q, and its best values differ", self.param_name(id));
        Diagnostic::new(Code::NoRule, message).label(component.declared.span, "here again").help("declare a `param` for each")
    }

    /// `by vbem` learns distributions; p must be given.
    fn refuse_learned_model(&self, optimise: &Optimise, model: &[Array]) -> Result<()> {
        let graph = self.frames.graph(0);
        let uses = |id: &&ParamId| model.iter().any(|array| depends(graph, array.node, self.raw_params[*id].node));
        let Some(&id) = self.raw_params.keys().filter(uses).min() else { return Ok(()) };
        let name = self.param_name(id);
        Err(Diagnostic::unsupported(format!("`by vbem` with the learned parameter `{name}` in p"))
            .label(self.model.params[id].span, "declared here")
            .label(optimise.span, "the method learns the parameters of q")
            .help(format!("give `{name}` a value or a prior, or leave `by vbem` out and follow the gradient")))
    }
}
