//! What the network of a process says, with and without its label: classifier-free guidance (Ho, Salimans: Classifier-free diffusion
//! guidance, 2022, equation 6 and algorithm 1).

use super::super::leaves::tensor_type;
use super::super::lowering::Lowering;
use super::super::value::{Array, Value};
use crate::base::diagnostic::Result;
use crate::base::op::CompareOp;
use crate::base::{Code, Diagnostic};
use crate::check::Support;
use crate::check::model::{DensityId, Expr, ExprKind, Guidance, Guided, Noise, Place, ProcessKind, Reverse, VarId};
use crate::check::types::Type;

impl Lowering<'_> {
    /// The network's prediction of a process made by `reverse` or from one, at x and t.
    pub(super) fn network_output(&mut self, density: DensityId, x: &Array, t: &Array) -> Result<Array> {
        let model = self.model;
        match model.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Reverse(reverse)) => self.plain_output(reverse, x, t),
            Some(ProcessKind::Flow { of }) => self.network_output(*of, x, t),
            Some(ProcessKind::Guided(guided)) => self.guided_output(guided, x, t),
            Some(ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => {
                let name = &model.densities[density].name;
                Err(Diagnostic::unsupported(format!("a prediction of `{name}`, which has no network")))
            }
        }
    }

    fn plain_output(&mut self, reverse: &Reverse, x: &Array, t: &Array) -> Result<Array> {
        self.labels_have_values(&reverse.network)?;
        self.bind_local(reverse.state, Value::Array(x.clone()));
        self.bind_local(reverse.time, Value::Array(t.clone()));
        self.eval_array(&reverse.network)
    }

    /// Predictions are affine in what they predict, so guidance is the same for all of them: (1 + w) f(x, t, y) − w f(x, t, none).
    fn guided_output(&mut self, guided: &Guided, x: &Array, t: &Array) -> Result<Array> {
        let none = self.no_label(guided.label)?;
        match &guided.guidance {
            Guidance::Weight(weight) => {
                let weight = self.eval_array(weight)?;
                let value = guided.value.as_ref().map(|value| self.eval_array(value)).transpose()?;
                let with = match value {
                    Some(value) => self.labelled_output(guided, value, x, t)?,
                    None => self.network_output(guided.of, x, t)?,
                };
                let without = self.labelled_output(guided, none, x, t)?;
                let difference = self.sub(&with, &without)?;
                let further = self.mul(&weight, &difference)?;
                self.add(&with, &further)
            }
            Guidance::Drop(rate) => {
                let rate = self.eval_array(rate)?;
                let label = self.label_value(guided.label)?;
                let uniform = self.noise(Noise::Uniform, &[])?;
                let dropped = self.compare(CompareOp::Lt, &uniform, &rate)?;
                let label = self.select(&dropped, &none, &label)?;
                self.labelled_output(guided, label, x, t)
            }
        }
    }

    fn labelled_output(&mut self, guided: &Guided, label: Array, x: &Array, t: &Array) -> Result<Array> {
        let old = self.bind(Place::Var(guided.label), label);
        let output = self.network_output(guided.of, x, t);
        self.restore(Place::Var(guided.label), old);
        output
    }

    /// The value of a label that says nothing: the class after the last, or zeros.
    fn no_label(&mut self, label: VarId) -> Result<Array> {
        let ty = &self.model.vars[label].ty;
        let tensor = tensor_type(ty)?;
        let none = match ty {
            Type::Array(array) => match &array.support {
                Support::Cat(classes) => classes.known().ok_or_else(|| Diagnostic::internal("classes without number"))? as f64,
                _ => 0.0,
            },
            Type::Tuple(_) | Type::Distribution(_) | Type::Error => return Err(Diagnostic::internal("a label that is no array")),
        };
        let node = self.b().fill(none, tensor.dtype, &tensor.shape);
        Ok(self.array(node, vec![]))
    }

    fn label_value(&mut self, label: VarId) -> Result<Array> {
        let var = &self.model.vars[label];
        if var.observed.is_none() && !self.vars.contains_key(&label) {
            let name = &var.name;
            let problem = Diagnostic::new(Code::LatentWithoutValue, format!("`{name}`, which the network is given, has no value here"));
            let problem =
                problem.label(self.b().span, "needed here").label(var.span, format!("`{name}` is declared here and not observed"));
            return Err(problem.help(format!("draw it before, `{name} ~ …`, or give it: `guide(p, {name} = …, weight: 1)`")));
        }
        self.variable(label)
    }

    /// What a network is given beside state and time was drawn, or is data.
    fn labels_have_values(&mut self, network: &Expr) -> Result<()> {
        let mut open = vec![network];
        while let Some(e) = open.pop() {
            if let ExprKind::Var(label) = e.kind {
                self.label_value(label)?;
            }
            e.each_part(&mut |part| open.push(part));
        }
        Ok(())
    }

    /// Whether a process is run by its probability-flow equation.
    pub(super) fn is_flow(&self, density: DensityId) -> bool {
        match self.model.densities[density].process.as_ref().map(|process| &process.kind) {
            Some(ProcessKind::Flow { .. }) => true,
            Some(ProcessKind::Guided(guided)) => self.is_flow(guided.of),
            Some(ProcessKind::Reverse(_) | ProcessKind::Chain | ProcessKind::Ito { .. } | ProcessKind::Interpolant { .. }) | None => false,
        }
    }
}
