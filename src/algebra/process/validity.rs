//! What is wrong with a schedule that is known while compiling: looked for at times all over the range.

use super::super::lowering::{Lowering, RowCounts};
use super::super::value::Array;
use super::coefficient::Coefficient;
use super::interpolant::Interpolant;
use super::ito::undefined_diffusion;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic, Span};
use crate::check::model::{Process, ProcessKind};
use crate::graph::interpret::interpret;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Into how many parts the range is divided.
const PARTS: usize = 64;

/// Of the largest number around: what rounding may leave of a zero.
const ROUNDING: f64 = 1e-6;

/// The standard deviation of noise that may be left at the start: there are schedules that begin where the noise can no longer be seen (0.002
/// in Karras et al. 2022; learned in Kingma et al.: Variational diffusion models, 2021).
const UNSEEN: f64 = 0.05;

static NO_ROWS: LazyLock<RowCounts> = LazyLock::new(HashMap::new);

/// The elements of an array at each time.
type Values = Vec<Vec<f64>>;

impl<'m> Lowering<'m> {
    /// x at the first time is the data: a = 1, b = 0 and no shift, but for noise that cannot be seen.
    pub(super) fn refuse_wrong_start(&mut self, process: &'m Process) -> Result<()> {
        let interpolant = Interpolant::of(process)?;
        if !self.looked_at.insert((process.span, "start")) {
            return Ok(());
        }
        let Some((first, last)) = self.model.times(process.var) else { return Ok(()) };
        let found = self.look(&[first, last], |inner, t| {
            let at = inner.interpolation_at(process, t)?;
            let unit = match &at.a {
                Coefficient::Scalar(_) | Coefficient::Diagonal(_) => inner.real(1.0),
                Coefficient::Matrix(a) => inner.identity(inner.shape(a)[0]),
            };
            let (off, zero) = (inner.sub(at.a.array(), &unit)?, inner.real(0.0));
            Ok(vec![off, at.b.array().clone(), at.shift.unwrap_or(zero)])
        })?;
        let name = &self.model.vars[process.var].name;
        let left = found.iter().filter_map(|found| found.get(1)?.first()).flatten().fold(0.0f64, |most, b| most.max(b.abs()));
        let unseen = if interpolant.end.is_none() && left <= UNSEEN { left } else { 0.0 };
        let allowed = [unseen * unseen + ROUNDING, unseen + ROUNDING, ROUNDING];
        for ((what, values), allowed) in
            ["the factor of x(0) less 1", "the factor of the other end", "what is added"].iter().zip(found.iter().flatten()).zip(allowed)
        {
            if let Some(value) = values.iter().take(1).flatten().find(|value| value.is_nan() || value.abs() > allowed) {
                let message = format!("at t = {first} this interpolant is not {name}({first}): {what} is {value} there");
                return Err(Diagnostic::new(Code::SupportMismatch, message)
                    .at(interpolant.value.span)
                    .help(format!("choose a({first}) = 1 and b({first}) = 0")));
            }
        }
        Ok(())
    }

    /// The noise of an interpolant never falls faster than its signal: g² = (b²)' − 2 a'/a b² is not negative.
    pub(super) fn refuse_falling_noise(&mut self, process: &'m Process) -> Result<()> {
        if !self.looked_at.insert((process.span, "noise")) {
            return Ok(());
        }
        let interpolant = Interpolant::of(process)?;
        let times = self.times_inside(process);
        let found = self.look(&times, |inner, t| {
            let (dynamics, squared) = inner.interpolant_equation(process, t)?;
            let slope = dynamics.slope.unwrap_or(Coefficient::Scalar(inner.real(0.0)));
            Ok(match squared {
                Coefficient::Matrix(_) => vec![],
                Coefficient::Scalar(_) | Coefficient::Diagonal(_) => vec![squared.array().clone(), slope.array().clone()],
            })
        })?;
        let Some([squared, slope]) = found.as_deref() else { return Ok(()) };
        for ((t, values), slope) in times.iter().zip(squared).zip(slope) {
            let scale = slope.iter().fold(1.0f64, |most, value| most.max(value.abs()));
            if let Some(value) = values.iter().find(|value| value.is_nan() || **value < -ROUNDING * scale) {
                let message = "no diffusion has the marginals of this interpolant: g² = (b²)' − 2 b² a'/a is negative";
                return Err(Diagnostic::new(Code::SupportMismatch, message)
                    .label(interpolant.value.span, format!("at t = {t} it is {value}: the noise falls faster than the signal"))
                    .help("follow `flow(p)`, which needs no g, or let b/a grow with t"));
            }
        }
        Ok(())
    }

    /// The diffusion coefficient of an Itô equation is a number at every time.
    pub(super) fn refuse_undefined_noise(&mut self, process: &'m Process) -> Result<()> {
        let ProcessKind::Ito { time, diffusion, .. } = &process.kind else { return Ok(()) };
        if !self.looked_at.insert((process.span, "diffusion")) {
            return Ok(());
        }
        let times = self.times_inside(process);
        let found = self.look(&times, |inner, t| {
            inner.bind_local(*time, t.clone().into());
            Ok(vec![inner.eval_array(diffusion)?])
        })?;
        let Some([values]) = found.as_deref() else { return Ok(()) };
        for (t, values) in times.iter().zip(values) {
            if values.iter().any(|value| !value.is_finite()) {
                return Err(undefined_diffusion(*t, diffusion.span));
            }
        }
        Ok(())
    }

    /// Times between the ends of the range, at which coefficients may be singular.
    fn times_inside(&self, process: &Process) -> Vec<f64> {
        let (first, last) = self.model.times(process.var).unwrap_or((0.0, 1.0));
        (1..PARTS).map(|i| first + (last - first) * i as f64 / PARTS as f64).collect()
    }

    /// What arrays are at these times, if they depend on nothing that is learned or drawn.
    fn look(&mut self, times: &[f64], f: impl FnOnce(&mut Lowering<'m>, &Array) -> Result<Vec<Array>>) -> Result<Option<Vec<Values>>> {
        let mut inner = Lowering::new(self.model, &NO_ROWS, None);
        inner.looked_at.clone_from(&self.looked_at);
        let plate = inner.plate(times.len());
        inner.scope.push(plate);
        let node = inner.b().literal(DType::Real, &[times.len()], times);
        let t = inner.array(node, vec![plate]);
        let arrays = f(&mut inner, &t);
        let arrays = arrays?;
        if !inner.inputs().is_empty() {
            return Ok(None);
        }
        let nodes: Vec<_> = arrays
            .iter()
            .map(|array| {
                let full = inner.expanded(array, &[plate]);
                inner.node(&full)
            })
            .collect();
        let closed = inner.frames.leave(&nodes)?;
        let values = interpret(&closed.graph, &[]);
        let rows = |elements: &[f64]| elements.chunks((elements.len() / times.len()).max(1)).map(<[f64]>::to_vec).collect();
        Ok(Some(values.iter().map(|value| rows(&value.elements)).collect()))
    }
}

/// Processes, by their places, and what was looked for in them.
pub(in crate::algebra) type LookedAt = std::collections::HashSet<(Span, &'static str)>;
