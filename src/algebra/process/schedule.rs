//! What is known of a schedule while compiling: at which times nothing is left of the signal, or nothing has been added.

use super::super::lowering::{Lowering, RowCounts};
use super::super::value::Array;
use super::coefficient::Coefficient;
use crate::base::diagnostic::Result;
use crate::base::op::DType;
use crate::base::{Code, Diagnostic};
use crate::check::model::{DensityId, Prediction};
use crate::graph::interpret;
use std::rc::Rc;

/// In continuous time, this many equal parts of the range are looked at.
const PARTS: usize = 128;

/// A signal or a noise is zero where it is smaller than the other by this factor: half of the digits of f64 are left above it.
const VANISHES: f64 = 1e-8;

/// Where the signal is zero at the last time, sampling starts this part of the range before it.
const BEFORE_LAST: f64 = 1e-3;

/// a and b of x(t) = a x(0) + b noise over the range of times, each for every element or for all.
pub struct Schedule {
    times: Vec<f64>,
    signal: Vec<Vec<f64>>,
    noise: Vec<Vec<f64>>,
}

impl Schedule {
    /// The times at which nothing is left of x(0).
    fn without_signal(&self) -> Vec<f64> {
        vanishing(&self.times, &self.signal, &self.noise)
    }

    /// The times at which x is known from x(0).
    fn without_noise(&self) -> Vec<f64> {
        vanishing(&self.times, &self.noise, &self.signal)
    }

    /// The largest a²/b² of an element at the last time.
    pub fn last_snr(&self) -> Option<f64> {
        let (a, b) = (self.signal.last()?, self.noise.last()?);
        let ratios = (0..a.len().max(b.len())).map(|i| (element(a, i) / element(b, i)).powi(2));
        ratios.filter(|ratio| !ratio.is_nan()).reduce(f64::max)
    }
}

/// Of elements or of all.
fn element(values: &[f64], at: usize) -> f64 {
    values.get(at).or(values.first()).copied().unwrap_or(f64::NAN)
}

/// Where some element is zero, or changes its sign on the way to the next time.
fn vanishing(times: &[f64], values: &[Vec<f64>], beside: &[Vec<f64>]) -> Vec<f64> {
    let is_zero = |at: usize, i: usize| {
        let (value, other) = (element(&values[at], i).abs(), element(&beside[at], i).abs());
        value == 0.0 || value <= VANISHES * other
    };
    let elements = |at: usize| 0..values[at].len().max(beside[at].len());
    let mut found = vec![];
    for (at, &time) in times.iter().enumerate() {
        if elements(at).any(|i| is_zero(at, i)) {
            found.push(time);
            continue;
        }
        let crosses = |i: usize| element(&values[at], i) * element(&values[at + 1], i) < 0.0 && !is_zero(at + 1, i);
        if at + 1 < times.len() && elements(at).any(crosses) {
            found.push((time + times[at + 1]) / 2.0);
        }
    }
    found
}

impl Lowering<'_> {
    /// The schedule of a process, if it is known: not learned, and no matrix.
    pub(super) fn schedule(&mut self, density: DensityId) -> Option<Rc<Schedule>> {
        let forward = self.model.forward(density);
        if let Some(known) = self.schedules.get(&forward) {
            return known.clone();
        }
        // What cannot be evaluated here says so where it is used.
        let found = self.evaluated_schedule(forward).ok().flatten().map(Rc::new);
        self.schedules.insert(forward, found.clone());
        found
    }

    fn evaluated_schedule(&mut self, density: DensityId) -> Result<Option<Schedule>> {
        let (first, last) = self.time_range(density)?;
        let whole = self.in_steps(self.forward_process(density)?.var);
        let times: Vec<f64> = match whole {
            // At its first time, the state is the data.
            true => (first as i64 + 1..=last as i64).map(|t| t as f64).collect(),
            false => (0..=PARTS).map(|i| first + (last - first) * i as f64 / PARTS as f64).collect(),
        };
        let none = RowCounts::new();
        let mut inner = Lowering::new(self.model, &none, None);
        let values = inner.schedule_at(density, &times, if whole { DType::Int } else { DType::Real });
        let Some(values) = values? else { return Ok(None) };
        let [signal, noise] = values.map(|array| inner.node(&array));
        if !inner.inputs.is_empty() {
            return Ok(None);
        }
        let closed = inner.frames.leave(&[signal, noise])?;
        let values = interpret(&closed.graph, &[]);
        let rows = |at: usize| -> Vec<Vec<f64>> {
            let elements = &values[at].elements;
            elements.chunks(elements.len() / times.len()).map(<[f64]>::to_vec).collect()
        };
        Ok(Some(Schedule { signal: rows(0), noise: rows(1), times }))
    }

    /// a and b, with an axis of times.
    fn schedule_at(&mut self, density: DensityId, times: &[f64], dtype: DType) -> Result<Option<[Array; 2]>> {
        let plate = self.plate(times.len());
        let node = self.b().literal(dtype, &[times.len()], times);
        let t = self.array(node, vec![plate]);
        self.scope.push(plate);
        let marginal = self.marginal(density, &t);
        self.scope.pop();
        let marginal = marginal?;
        let (Coefficient::Scalar(a) | Coefficient::Diagonal(a), Coefficient::Scalar(b) | Coefficient::Diagonal(b)) =
            (&marginal.signal, &marginal.spread)
        else {
            return Ok(None);
        };
        Ok(Some([a, b].map(|array| self.lower_plates(array, &[plate]))))
    }

    /// The time from which sampling starts: the last, or just before it where the signal is zero there and what is asked divides by it.
    pub(super) fn sampled_from(&mut self, density: DensityId) -> Result<f64> {
        let (first, last) = self.time_range(density)?;
        let Some(reverse) = self.model.reverse(density) else { return Ok(last) };
        // The reverse equation contains a'/a.
        let divides = !self.model.is_flow(density) || matches!(reverse.prediction, Prediction::Noise | Prediction::Score);
        if !divides || self.in_steps(self.forward_process(density)?.var) {
            return Ok(last);
        }
        let gone = self.schedule(density).is_some_and(|schedule| schedule.without_signal().last() == Some(&last));
        Ok(if gone { last - BEFORE_LAST * (last - first) } else { last })
    }

    /// Refuses a conversion that divides by the signal where there is none; at an isolated last time, which samplers avoid, it is allowed.
    pub(super) fn need_signal(&mut self, density: DensityId, t: &Array, from: Prediction) -> Result<()> {
        let Some(schedule) = self.schedule(density) else { return Ok(()) };
        let Some(time) = self.time_in_the_way(density, t, &schedule.without_signal())? else { return Ok(()) };
        let message = format!("from {}, x({time}) says nothing of x(0): the signal is zero at t = {time}", of_network(from));
        Err(self.singular(density, message).help("predict x0 or v, or let the schedule keep some signal"))
    }

    /// Refuses a conversion that divides by the noise where there is none; at the ends, which samplers avoid, it is allowed.
    pub(super) fn need_noise(&mut self, density: DensityId, t: &Array, from: Prediction) -> Result<()> {
        let Some(schedule) = self.schedule(density) else { return Ok(()) };
        let Some(time) = self.time_in_the_way(density, t, &schedule.without_noise())? else { return Ok(()) };
        let message = format!("from {}, x({time}) says nothing of its noise: there is none at t = {time}", of_network(from));
        Err(self.singular(density, message).help("predict noise or v, or ask at another time"))
    }

    /// The time that matters of those at which a coefficient is zero.
    fn time_in_the_way(&mut self, density: DensityId, t: &Array, gone: &[f64]) -> Result<Option<f64>> {
        if let Some(t) = self.known_number(t) {
            return Ok(gone.contains(&t).then_some(t));
        }
        let (first, last) = self.time_range(density)?;
        if self.in_steps(self.forward_process(density)?.var) {
            return Ok(gone.first().copied());
        }
        Ok(gone.iter().copied().find(|&time| time != first && time != last))
    }

    fn singular(&self, density: DensityId, message: String) -> Diagnostic {
        let made = &self.model.densities[density];
        let problem = Diagnostic::new(Code::NoRule, message);
        problem.label(made.span, format!("`{}` is declared here", made.name))
    }
}

fn of_network(prediction: Prediction) -> &'static str {
    match prediction {
        Prediction::Noise => "a prediction of noise",
        Prediction::X0 => "a prediction of x(0)",
        Prediction::Score => "a score",
        Prediction::V => "a prediction of v",
        Prediction::Velocity => "a velocity",
    }
}
